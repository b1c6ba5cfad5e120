package lambda

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// runtimeAPI is the Lambda Runtime API (version 2018-06-01) of one worker. Any
// program of the machine can connect to it, and a browser for any page: the path
// begins with a secret that the worker alone is told.
type runtimeAPI struct {
	worker *worker
	host   string // the address that it listens on
	secret string
	server *http.Server
	mux    *http.ServeMux
}

// listen begins to serve a worker's Runtime API.
func listen(w *worker) (*runtimeAPI, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &runtimeAPI{worker: w, host: listener.Addr().String(), secret: rand.Text(), mux: http.NewServeMux()}
	a.mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.next)
	a.mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(rw http.ResponseWriter, r *http.Request) { a.report(rw, r, false) })
	a.mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(rw http.ResponseWriter, r *http.Request) { a.report(rw, r, true) })
	a.mux.HandleFunc("POST /2018-06-01/runtime/init/error", a.initFailed)
	a.server = &http.Server{Handler: a, ReadHeaderTimeout: initTimeout, MaxHeaderBytes: 16 << 10}
	go func() { _ = a.server.Serve(listener) }() // ends with close
	return a, nil
}

// address is what the worker appends the paths of the Runtime API to.
func (a *runtimeAPI) address() string { return a.host + "/" + a.secret }

func (a *runtimeAPI) close() { _ = a.server.Close() } // nothing is left to be said

// ServeHTTP answers the worker, and refuses everybody else before anything of
// the request is read.
func (a *runtimeAPI) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Cache-Control", "no-store")
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	secret, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	known := subtle.ConstantTimeCompare([]byte(secret), []byte(a.secret)) == 1
	page := r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
	if !known || page || r.Host != a.host {
		rw.Header().Set("Connection", "close")
		runtimeError(rw, http.StatusForbidden, "AccessDenied", "This is the Runtime API of a worker: AWS_LAMBDA_RUNTIME_API holds its address, path and all, and it answers under no other one.")
		return
	}
	r.URL.Path, r.URL.RawPath = "/"+rest, ""
	a.mux.ServeHTTP(rw, r)
}

// next gives the worker an invocation as soon as there is one.
func (a *runtimeAPI) next(rw http.ResponseWriter, r *http.Request) {
	w := a.worker
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
		t.describe(rw.Header())
		payload := t.in.Payload
		if len(payload) == 0 {
			payload = []byte("{}")
		}
		_, _ = rw.Write(payload) // the process is gone when this fails, which wait sees
	case <-r.Context().Done():
	}
}

// describe tells the worker of an invocation.
func (t *runtimeTask) describe(h http.Header) {
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", t.id)
	h.Set("Lambda-Runtime-Deadline-Ms", milliseconds(t.deadline))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", t.in.qualifiedARN())
	if t.in.TraceHeader != "" {
		h.Set("Lambda-Runtime-Trace-Id", t.in.TraceHeader)
	}
	if t.context != "" {
		h.Set("Lambda-Runtime-Client-Context", ascii(t.context))
	}
}

// report takes the result of the current invocation.
func (a *runtimeAPI) report(rw http.ResponseWriter, r *http.Request, failed bool) {
	w := a.worker
	w.mu.Lock()
	t := w.current
	if t != nil && t.id == r.PathValue("id") {
		w.current = nil
	} else {
		t = nil
	}
	w.mu.Unlock()
	if t == nil {
		runtimeError(rw, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	body, err := t.in.readAnswer(r.Body)
	if err != nil {
		body, failed = errorPayload("Runtime.TruncatedResponse", "The runtime sent its response only in part"), true
	} else if body == nil {
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

// readAnswer reads what a function answers: a byte more than is of use, and
// nil when it has more than the service takes.
func (in *Invocation) readAnswer(from io.Reader) ([]byte, error) {
	useful := int64(maxResponse)
	if in.MaxBytes > 0 {
		useful = min(useful, int64(in.MaxBytes)+1)
	}
	body, err := io.ReadAll(io.LimitReader(from, useful))
	if err != nil {
		return nil, err
	}
	left := maxResponse + 1 - int64(len(body))
	more, err := io.CopyN(io.Discard, from, left)
	if more == left {
		return nil, nil
	}
	if err == io.EOF { //nolint:errorlint // CopyN gives it bare
		err = nil
	}
	return body, err
}

// initFailed takes what kept the worker from starting.
func (a *runtimeAPI) initFailed(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxInitError))
	if err != nil || !json.Valid(body) {
		body = errorPayload("Runtime.InitError", string(body))
	}
	select {
	case a.worker.failed <- body:
	default:
	}
	rw.WriteHeader(http.StatusAccepted)
}

// maxInitError bounds what a worker tells of a failed start, in bytes.
const maxInitError = 256 << 10

func runtimeError(rw http.ResponseWriter, status int, errorType, message string) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_, _ = rw.Write(errorPayload(errorType, message)) // the process is gone when this fails
}

func milliseconds(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
