package lambda

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// longestLine is how many bytes of what a worker prints without a newline are one
	// line.
	longestLine = 64 << 10
	// longestLog is how many bytes, with newlines, an invocation may log, and so may
	// the start of a worker.
	longestLog = 1 << 20
)

// lateOutput is how long what holds a worker's output open is read after the worker
// has ended.
const lateOutput = time.Second

// output is what a worker prints. The server writes marks between, so that each
// line is known to be of the invocation that printed it, however late it is read.
type output struct {
	mark   []byte // ends a line that the server wrote
	read   *os.File
	ended  chan struct{} // all was read
	report func(of *runtimeTask, text string)

	writing sync.Mutex
	write   *os.File // nil when the worker has ended

	mu     sync.Mutex     // not held while something is written, which waits for the reader
	begins []*runtimeTask // whose marks were not read yet
	ends   []*runtimeTask

	printed tail // of the start of the worker, and of an invocation that asks for it
}

// The kinds of marks.
const beginMark, endMark = 'b', 'e'

// newOutput makes the two ends of what a worker prints.
func newOutput(report func(of *runtimeTask, text string)) (*output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &output{mark: []byte("\x00" + rand.Text()), read: r, write: w, ended: make(chan struct{}), report: report}, nil
}

// begin marks where the lines of an invocation begin.
func (o *output) begin(t *runtimeTask) { o.put(&o.begins, t, beginMark) }

// end marks where they end, and waits until all before has been read: it gives the
// last of what the invocation printed.
func (o *output) end(ctx context.Context, t *runtimeTask) []byte {
	t.printed = make(chan []byte, 1)
	o.put(&o.ends, t, endMark)
	limit := time.NewTimer(lateOutput) // the mark may have been read by the worker itself
	defer limit.Stop()
	select {
	case printed := <-t.printed:
		return printed
	case <-o.ended:
		select {
		case printed := <-t.printed:
			return printed
		default:
			return o.printed.last // the worker has ended
		}
	case <-ctx.Done():
	case <-limit.C:
	}
	return nil
}

func (o *output) put(line *[]*runtimeTask, t *runtimeTask, kind byte) {
	o.writing.Lock()
	defer o.writing.Unlock()
	if o.write == nil {
		return
	}
	o.mu.Lock()
	*line = append(*line, t)
	o.mu.Unlock()
	_, _ = o.write.Write(append(append([]byte{kind}, o.mark...), '\n')) // nobody reads any more when this fails
}

// close says that the worker has ended: what it has started may hold its output.
func (o *output) close() {
	o.writing.Lock()
	defer o.writing.Unlock()
	if o.write == nil {
		return
	}
	_ = o.write.Close()                                    // nothing is kept back in it
	_ = o.read.SetReadDeadline(time.Now().Add(lateOutput)) // what cannot have one ends with its writers
	o.write = nil
}

// follow passes what the worker prints on, line by line, until its output ends.
func (o *output) follow() {
	defer close(o.ended)
	defer o.read.Close() //nolint:errcheck // it was read
	f := follower{output: o, collect: true}
	var buf []byte
	chunk := make([]byte, 4096)
	for {
		n, err := o.read.Read(chunk)
		all := append(buf, chunk[:n]...)
		buf = append(all[:0], f.lines(all)...)
		if err != nil {
			if len(buf) > 0 {
				f.pass(buf, len(buf))
			}
			f.tellLeftOut()
			return
		}
	}
}

// follower is what is known while output is read.
type follower struct {
	*output
	of      *runtimeTask // whose lines they are
	collect bool         // they are asked for
	bytes   int          // that the invocation has logged
	left    int          // that were left out, and not told yet
}

// lines passes on what is in a text, and returns the rest that is no line yet.
func (f *follower) lines(text []byte) (rest []byte) {
	for {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			break
		}
		line, kind := f.marked(text[:end])
		if kind == 0 {
			f.pass(line, len(line)+1)
		} else if len(line) > 0 {
			f.pass(line, len(line))
		}
		f.passMark(kind)
		text = text[end+1:]
	}
	for len(text) > longestLine+len(f.mark) { // a mark is not cut
		f.pass(text[:longestLine], longestLine)
		text = text[longestLine:]
	}
	return text
}

// pass passes on a line of n bytes.
func (f *follower) pass(text []byte, n int) {
	line := lineOf(text)
	if f.collect {
		f.printed.add(line)
	}
	// What does not fit ends the log, so that what is left out is its end.
	if f.bytes+n <= longestLog {
		f.bytes += n
		f.report(f.of, line)
	} else {
		f.bytes = longestLog
		f.left += n
	}
}

// tellLeftOut logs how much was left out so far, if anything was.
func (f *follower) tellLeftOut() {
	if f.left > 0 {
		f.report(f.of, fmt.Sprintf("[%d bytes of the log are left out: an invocation logs %d]", f.left, longestLog))
		f.left = 0
	}
}

// passMark notes a mark of the server's. A worker that repeats one means nothing.
func (f *follower) passMark(kind byte) {
	switch kind {
	case beginMark:
		if t := f.next(&f.begins); t != nil {
			f.tellLeftOut()
			f.of, f.collect, f.printed, f.bytes = t, t.in.Tail, tail{}, 0
		}
	case endMark:
		if t := f.next(&f.ends); t != nil {
			f.tellLeftOut()
			t.printed <- f.printed.last
			f.collect, f.printed = false, tail{}
		}
	}
}

// marked cuts a mark off the end of a line; kind is 0 for a line without one.
func (o *output) marked(line []byte) (text []byte, kind byte) {
	text, ok := bytes.CutSuffix(line, o.mark)
	if !ok || len(text) == 0 {
		return line, 0
	}
	return text[:len(text)-1], text[len(text)-1]
}

func (o *output) next(line *[]*runtimeTask) *runtimeTask {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(*line) == 0 {
		return nil
	}
	t := (*line)[0]
	*line = (*line)[1:]
	return t
}

// lineOf is a line as it is logged. Carriage returns stand for the newlines inside
// of what was written at once, as Lambda's runtimes have it.
func lineOf(text []byte) string {
	return strings.ReplaceAll(strings.TrimSuffix(string(text), "\r"), "\r", "\n")
}

// log reports a line that the worker printed during or after an invocation; of is
// nil before the first.
func (w *worker) log(of *runtimeTask, text string) {
	if w.function.Log == nil {
		return
	}
	line := Line{Text: text}
	if of != nil {
		line.RequestID = of.id
		if of.in.Task != nil {
			line.ExecutionARN = of.in.Task.ExecutionARN
		}
	}
	w.function.Log(line)
}
