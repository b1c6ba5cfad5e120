package lambda

import (
	"fmt"
	"io"
)

const (
	// longestLine is how many bytes of what a worker prints without a newline are one
	// line.
	longestLine = 64 << 10
	// longestLog is how many bytes, with newlines, an invocation may log, and so may
	// the start of a worker.
	longestLog = 1 << 20
)

// logged is what was logged of an invocation, or of the start of a worker.
type logged struct {
	of    *runtimeTask // nil for the start
	bytes int
	left  int // bytes left out that were not told yet
}

// logLines passes what the worker prints to the log, line by line.
func (w *worker) logLines(r io.Reader) {
	buf := make([]byte, 0, 4096)
	chunk := make([]byte, 4096)
	for {
		n, err := r.Read(chunk)
		for _, c := range chunk[:n] {
			if c != '\n' && len(buf) < longestLine {
				buf = append(buf, c)
				continue
			}
			if c == '\n' {
				w.log(buf, len(buf)+1)
				buf = buf[:0]
			} else {
				w.log(buf, len(buf))
				buf = append(buf[:0], c)
			}
		}
		if err != nil {
			if len(buf) > 0 {
				w.log(buf, len(buf))
			}
			w.tellLeftOut()
			return
		}
	}
}

// log logs a line of the latest invocation, of n bytes, unless that has logged
// enough.
func (w *worker) log(text []byte, n int) {
	w.mu.Lock()
	l := &w.logged
	var told []Line
	if l.of != w.latest {
		told = l.leftOut(told)
		*l = logged{of: w.latest}
	}
	// What does not fit ends it, so that what is left out is the end.
	if l.bytes+n <= longestLog {
		l.bytes += n
		told = append(told, l.line(string(text)))
	} else {
		l.bytes = longestLog
		l.left += n
	}
	w.mu.Unlock()
	for _, line := range told {
		w.function.Log(line)
	}
}

// tellLeftOut logs how much was left out so far. It is called at the end of an
// invocation, and of the worker.
func (w *worker) tellLeftOut() {
	if w.function.Log == nil {
		return
	}
	w.mu.Lock()
	told := w.logged.leftOut(nil)
	w.mu.Unlock()
	for _, line := range told {
		w.function.Log(line)
	}
}

// leftOut adds the line that tells how much was left out, if anything was.
func (l *logged) leftOut(lines []Line) []Line {
	if l.left == 0 {
		return lines
	}
	lines = append(lines, l.line(fmt.Sprintf("[%d bytes of the log are left out: an invocation logs %d]", l.left, longestLog)))
	l.left = 0
	return lines
}

// line is one of the invocation.
func (l *logged) line(text string) Line {
	line := Line{Text: text}
	if l.of != nil {
		line.RequestID = l.of.id
		if l.of.in.Task != nil {
			line.ExecutionARN = l.of.in.Task.ExecutionARN
		}
	}
	return line
}
