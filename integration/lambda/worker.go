package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// worker is a process that runs a function's code, and the Runtime API that it
// asks for invocations: each worker has one of its own, so that it is always
// known which process has an invocation.
type worker struct {
	function *processes
	cmd      *exec.Cmd
	server   *http.Server
	done     chan struct{} // closed when the process has ended
	exit     error

	asked  chan struct{}     // the process asks for an invocation
	tasks  chan *runtimeTask // what it is given
	failed chan []byte       // it could not start: the error's payload

	mu      sync.Mutex
	current *runtimeTask
}

// runtimeTask is an invocation on its way through the Runtime API.
type runtimeTask struct {
	in       Invocation
	id       string
	deadline time.Time
	answer   chan runtimeAnswer
}

type runtimeAnswer struct {
	payload []byte
	failed  bool
}

// initError: the function could not be started.
type initError struct{ payload []byte }

func (e *initError) Error() string { return "lambda: the function could not be started" }

func startWorker(f *processes) (*worker, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("lambda: runtime API of %s: %w", f.Name, err)
	}
	w := &worker{
		function: f, done: make(chan struct{}),
		asked: make(chan struct{}, 1), tasks: make(chan *runtimeTask), failed: make(chan []byte, 1),
	}
	w.server = &http.Server{Handler: w.runtimeAPI(), ReadHeaderTimeout: initTimeout}
	go func() { _ = w.server.Serve(listener) }() // ends with Close
	w.cmd = exec.Command(f.command[0], f.command[1:]...)
	w.cmd.Dir = f.Dir
	w.cmd.Env = f.environment(listener.Addr().String())
	isolate(w.cmd)
	if f.Log != nil {
		out, in := io.Pipe()
		w.cmd.Stdout, w.cmd.Stderr = in, in
		go f.logLines(out)
		w.cmd.WaitDelay = time.Second
	}
	if err := w.cmd.Start(); err != nil {
		_ = w.server.Close() // nothing uses it
		return nil, fmt.Errorf("lambda: start a worker of %s: %w", f.Name, err)
	}
	go w.wait()
	return w, nil
}

func (w *worker) wait() {
	w.exit = w.cmd.Wait()
	if in, ok := w.cmd.Stdout.(*io.PipeWriter); ok {
		_ = in.Close() // ends the log; never fails
	}
	_ = w.server.Close() // nothing is left to be said
	close(w.done)
}

func (w *worker) exited() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

func (w *worker) kill() {
	stop(w.cmd)
	<-w.done
}

// ready waits until the process has started and asks for work.
func (w *worker) ready(ctx context.Context) error {
	timer := time.NewTimer(initTimeout)
	defer timer.Stop()
	select {
	case <-w.asked:
		w.asked <- struct{}{} // it still waits for its answer
		return nil
	case payload := <-w.failed:
		return &initError{payload}
	case <-w.done:
		select {
		case payload := <-w.failed:
			return &initError{payload}
		default:
		}
		return &initError{w.crashed("")}
	case <-timer.C:
		return &initError{errorPayload("Sandbox.Timedout", "Init timed out after "+seconds(initTimeout)+" seconds")}
	case <-ctx.Done():
		return fmt.Errorf("lambda: %w", ctx.Err())
	}
}

// invoke runs one invocation. It reports whether the worker can be used again.
func (w *worker) invoke(ctx context.Context, in Invocation, r *Response, timeout time.Duration) bool {
	t := &runtimeTask{in: in, id: r.RequestID, deadline: time.Now().Add(timeout), answer: make(chan runtimeAnswer, 1)}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
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
	r.FunctionError = "Unhandled"
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

// runtimeAPI is the Lambda Runtime API (version 2018-06-01).
func (w *worker) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", w.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(rw http.ResponseWriter, r *http.Request) { w.report(rw, r, false) })
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(rw http.ResponseWriter, r *http.Request) { w.report(rw, r, true) })
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", w.initFailed)
	return mux
}

func (w *worker) next(rw http.ResponseWriter, r *http.Request) {
	select {
	case w.asked <- struct{}{}:
	default: // it has asked before and went away
	}
	select {
	case t := <-w.tasks:
		select {
		case <-w.asked:
		default:
		}
		w.mu.Lock()
		w.current = t
		w.mu.Unlock()
		h := rw.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", t.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(t.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", t.in.FunctionARN)
		if t.in.TraceHeader != "" {
			h.Set("Lambda-Runtime-Trace-Id", t.in.TraceHeader)
		}
		if t.in.ClientContext != "" {
			h.Set("Lambda-Runtime-Client-Context", t.in.ClientContext)
		}
		payload := t.in.Payload
		if len(payload) == 0 {
			payload = []byte("{}")
		}
		_, _ = rw.Write(payload) // the process is gone when this fails, which wait sees
	case <-r.Context().Done():
	}
}

// report takes the result of the current invocation.
func (w *worker) report(rw http.ResponseWriter, r *http.Request, failed bool) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxResponse))
	w.mu.Lock()
	t := w.current
	if t != nil && t.id == r.PathValue("id") {
		w.current = nil
	} else {
		t = nil
	}
	w.mu.Unlock()
	switch {
	case t == nil:
		runtimeError(rw, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	case err != nil:
		body, failed = errorPayload("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (6291556 bytes)."), true
	}
	if failed && !strings.HasPrefix(strings.TrimSpace(string(body)), "{") {
		body = errorPayload(r.Header.Get("Lambda-Runtime-Function-Error-Type"), string(body))
	}
	t.answer <- runtimeAnswer{body, failed}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(rw, `{"status":"OK"}`)
}

func (w *worker) initFailed(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxResponse))
	if err != nil || !json.Valid(body) {
		body = errorPayload("Runtime.InitError", string(body))
	}
	select {
	case w.failed <- body:
	default:
	}
	rw.WriteHeader(http.StatusAccepted)
}

func runtimeError(rw http.ResponseWriter, status int, errorType, message string) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_, _ = rw.Write(errorPayload(errorType, message)) // the process is gone when this fails
}
