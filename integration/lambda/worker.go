package lambda

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// # The life of a worker
//
// A function's code runs in worker processes, as on Lambda: a process is started for the
// first invocation, handles one invocation at a time, and is kept for the next. It
// speaks Lambda's Runtime API, so code and runtimes that were written for Lambda run
// unmodified; each worker has a Runtime API of its own on a free port of the loopback
// interface, so that a request on it can come from one process only.
//
//	startWorker     folder, Runtime API, output; then the process itself
//	   │
//	 ready          until the process asks for work, at /runtime/invocation/next.
//	   │            It may fail instead (init/error), end, or take too long
//	   ▼
//	 idle ◀──────┐  the process waits for the answer to its request
//	   │         │
//	 invoke      │  the answer to that request is the invocation; what the process
//	   │         │  posts to …/response or …/error is its result
//	   └─────────┘
//	   │            timed out, given up, crashed, of an older version of the code
//	   ▼
//	 kill ─▶ wait   everything that the process has started ends, then its folder goes
//
// A worker is idle, in one invocation, or ending; processes.release decides which. After a
// timeout it is never used again, since its code may be in the middle of anything. When the
// code on disk has changed, idle workers are retired and busy ones end with their invocation.
//
// # Ending processes
//
// Code starts other processes, and these may outlive it, leave its group, or be adopted.
// Nothing of them may be left, for a server runs for months. There are three nets: the
// process group; the tree of parents and children; and a mark in the environment
// (markVariable), which every process inherits and which is found again in /proc, also by
// the next server after a crash (sweepOnce).
//
// The number of a process may be given to another process as soon as it has been
// waited for. So wait first watches for the end without collecting it (awaitExit), ends the
// group while the number is still taken, and collects it last. The lock ending keeps a kill that
// comes at that moment from using the number afterwards.

// markVariable is the environment variable by which the processes of a worker
// are known.
const markVariable = "STEPPE_WORKER"

// worker is a process that runs a function's code, and the Runtime API that it
// asks for invocations: each worker has one of its own, so that it is always
// known which process has an invocation.
type worker struct {
	function *processes
	mark     string // tells its processes from those of other workers
	cmd      *exec.Cmd
	output   *output
	api      *runtimeAPI
	done     chan struct{} // closed when the process has ended
	exit     error
	dir      string // its own temporary one

	ending sync.Mutex
	ended  bool // its number may be another process's

	asked  chan struct{}     // the process asks for an invocation
	tasks  chan *runtimeTask // what it is given
	failed chan []byte       // it could not start: the error's payload

	version uint64 // of the code

	mu      sync.Mutex
	current *runtimeTask
}

// runtimeTask is an invocation on its way through the Runtime API.
type runtimeTask struct {
	in       Invocation
	id       string
	context  string // JSON, or "" for none
	deadline time.Time
	answer   chan runtimeAnswer
	printed  chan []byte // the end of what it printed
}

type runtimeAnswer struct {
	payload []byte
	failed  bool
}

// initError: the function could not be started.
type initError struct{ payload, printed []byte }

func startWorker(f *processes) (*worker, error) {
	w := &worker{
		function: f, mark: rand.Text(), done: make(chan struct{}),
		version: f.code.current(), asked: make(chan struct{}, 1), tasks: make(chan *runtimeTask), failed: make(chan []byte, 1),
	}
	w.dir = filepath.Join(f.files.path, w.mark)
	if err := os.Mkdir(w.dir, 0o700); err != nil {
		return nil, fmt.Errorf("lambda: start a worker of %s: %w", f.Name, err)
	}
	var err error
	if w.api, err = listen(w); err != nil {
		_ = os.RemoveAll(w.dir) // it is empty
		return nil, fmt.Errorf("lambda: runtime API of %s: %w", f.Name, err)
	}
	w.cmd = exec.Command(f.command[0], f.command[1:]...)
	w.cmd.Dir = f.Dir
	w.cmd.Env = f.environment(w)
	if w.output, err = newOutput(w.log); err != nil {
		w.over()
		return nil, fmt.Errorf("lambda: output of %s: %w", f.Name, err)
	}
	w.cmd.Stdout, w.cmd.Stderr = w.output.write, w.output.write
	go w.output.follow()
	if err := start(w.cmd); err != nil {
		w.over()
		return nil, fmt.Errorf("lambda: start a worker of %s: %w", f.Name, err)
	}
	go w.wait()
	return w, nil
}

// wait ends what the process has started as soon as it ends itself: until it is
// waited for, its number is nobody else's.
func (w *worker) wait() {
	pid := w.cmd.Process.Pid
	if awaitExit(pid) {
		w.ending.Lock()
		endGroup(pid)
		w.ended = true
		w.ending.Unlock()
		endMarked(w.function.files.mark + "." + w.mark)
	}
	w.exit = w.cmd.Wait()
	w.ending.Lock()
	w.ended = true
	w.ending.Unlock()
	w.over()
	<-w.output.ended
	close(w.done)
}

// over gives back what the process had.
func (w *worker) over() {
	if w.output != nil {
		w.output.close()
	}
	w.api.close()
	_ = os.RemoveAll(w.dir) // goes with the function's folder at the latest
}

func (w *worker) exited() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// kill ends the process and what it has started, and returns when it has ended.
func (w *worker) kill() {
	w.ending.Lock()
	if !w.ended {
		endTree(w.cmd.Process.Pid)
	}
	w.ending.Unlock()
	<-w.done
}

// ready waits until the process has started and asks for work.
func (w *worker) ready(ctx context.Context) error {
	// Lambda begins an init that took too long again, and gives it the time of the
	// first invocation (Lambda guide, "Init phase").
	limit := max(initTimeout, w.function.Timeout)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-w.asked:
		w.asked <- struct{}{} // it still waits for its answer
		return nil
	case payload := <-w.failed:
		return &initError{payload: payload}
	case <-w.done:
		select {
		case payload := <-w.failed:
			return &initError{payload: payload}
		default:
		}
		return &initError{payload: w.crashed("")}
	case <-timer.C:
		return &initError{payload: errorPayload("Sandbox.Timedout", "Init timed out after "+seconds(limit)+" seconds")}
	case <-ctx.Done():
		return fmt.Errorf("lambda: %w", ctx.Err())
	}
}

// invoke runs one invocation. It reports whether the worker can be used again.
func (w *worker) invoke(ctx context.Context, t *runtimeTask, r *Response, timeout time.Duration) bool {
	t.id, t.deadline, t.answer = r.RequestID, time.Now().Add(timeout), make(chan runtimeAnswer, 1)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	w.output.begin(t)
	select {
	case w.tasks <- t:
	case <-w.done:
		r.FunctionError, r.Payload = "Unhandled", w.crashed(r.RequestID)
		return false
	case <-ctx.Done():
		return true
	case <-timer.C:
		r.timedOut(timeout)
		return false
	}
	select {
	case a := <-t.answer:
		return r.take(a)
	case <-w.done:
		select {
		case a := <-t.answer: // it answered and ended
			r.take(a)
		default:
			r.FunctionError, r.Payload = "Unhandled", w.crashed(r.RequestID)
		}
	case <-timer.C:
		r.timedOut(timeout)
	case <-ctx.Done():
		r.timedOut(timeout) // nobody waits; the code may be in the middle of anything
	}
	return false
}

func (r *Response) take(a runtimeAnswer) bool {
	r.Payload = a.payload
	if a.failed {
		r.FunctionError = "Unhandled"
	}
	return true
}

func (r *Response) timedOut(after time.Duration) {
	r.FunctionError, r.timeout = "Unhandled", after
	r.Payload = errorPayload("Sandbox.Timedout", "RequestId: "+r.RequestID+" Error: Task timed out after "+seconds(after)+" seconds")
}

func (w *worker) crashed(requestID string) []byte {
	how := "Runtime exited without providing a reason"
	if exit, ok := errors.AsType[*exec.ExitError](w.exit); ok {
		how = "Runtime exited with error: " + exit.Error()
	}
	if requestID != "" {
		how = "RequestId: " + requestID + " Error: " + how
	}
	return errorPayload("Runtime.ExitError", how)
}

func errorPayload(errorType, message string) []byte {
	var r Response
	r.fail(errorType, message)
	return r.Payload
}
