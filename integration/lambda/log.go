package lambda

import "io"

// longestLine is how many bytes of what a worker prints without a newline are one
// line.
const longestLine = 64 << 10

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
			w.log(buf)
			buf = buf[:0]
		}
		if err != nil {
			if len(buf) > 0 {
				w.log(buf)
			}
			return
		}
	}
}

func (w *worker) log(text []byte) {
	line := Line{Text: string(text)}
	w.mu.Lock()
	if t := w.latest; t != nil {
		line.RequestID = t.id
		if t.in.Task != nil {
			line.ExecutionARN = t.in.Task.ExecutionARN
		}
	}
	w.mu.Unlock()
	w.function.Log(line)
}
