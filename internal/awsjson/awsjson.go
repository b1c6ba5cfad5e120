// Package awsjson speaks AWS JSON 1.0: it finds the operation that a request
// names, checks the request against the service's model, hands it to the
// operation, and writes what comes back, result or exception.
//
// It knows nothing of Step Functions but what the caller's [Model] says.
package awsjson

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/value"
)

// Exception is an error that the caller of an operation is told of.
type Exception struct {
	// Type is its name in the model: "ExecutionDoesNotExist".
	Type    string
	Message string
	// Status is the HTTP status, 400 when 0.
	Status int
	// Members are further members of the error's body.
	Members []value.Member
}

// Error gives type and message.
func (e *Exception) Error() string { return e.Type + ": " + e.Message }

// Fail makes an exception as an error value.
func Fail(typ, message string) error { return &Exception{Type: typ, Message: message} }

// Request is a call of an operation.
type Request struct {
	HTTP      *http.Request
	Operation string
	ID        string
	// Account and Region are the caller's, KeyID is the access key that signed
	// the request, "" where nothing is signed.
	Account, Region, KeyID string
	// Body is the body as it was sent.
	Body []byte
	// Input has been checked against the model.
	Input value.Value
}

// Str gives a member of the input, "" when it is not there.
func (r *Request) Str(name string) string { return r.Input.Get(name).Str() }

// Has reports whether the input has the member, null counting as absent.
func (r *Request) Has(name string) bool {
	k := r.Input.Get(name).Kind()
	return k != value.Undefined && k != value.Null
}

// Int gives a member of the input, 0 when it is not there.
func (r *Request) Int(name string) int64 {
	n, _ := r.Input.Get(name).Int64()
	return n
}

// Bool gives a member of the input, otherwise when it is not there.
func (r *Request) Bool(name string, otherwise bool) bool {
	if v := r.Input.Get(name); v.Kind() == value.Bool {
		return v.Bool()
	}
	return otherwise
}

// Handler performs an operation and gives the JSON of its output.
type Handler func(ctx context.Context, r *Request) ([]byte, error)

// Server is an http.Handler for the operations of a service.
type Server struct {
	// Prefix stands before the operation in X-Amz-Target, with its dot.
	Prefix     string
	Model      Model
	Operations map[string]Handler
	// MaxBody bounds a request's body in bytes.
	MaxBody int64
	// Authorizer tells whose a request is, and refuses those that nobody has
	// signed who may.
	Authorizer *Authorizer
	// Reads tells the operations that change nothing.
	Reads func(operation string) bool
	// Admit tells whether a request may be performed now; nil: always.
	Admit func(r *Request) bool
	// Audit is told of each request that changes something, or tried to, after
	// it was performed; nil: nobody.
	Audit func(r *Request, err error)
	Log   *slog.Logger
}

const contentType = "application/x-amz-json-1.0"

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) { s.serve(w, hr, s.call) }

// Resource makes a handler of its own path: no target names it and no model
// checks it, the rest is as for operations.
func (s *Server) Resource(handle Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		s.serve(w, hr, func(r *Request) ([]byte, error) {
			r.Operation = hr.Method + " " + hr.URL.Path
			return s.perform(r, hr.Method == http.MethodGet, handle)
		})
	})
}

func (s *Server) serve(w http.ResponseWriter, hr *http.Request, call func(*Request) ([]byte, error)) {
	r := &Request{HTTP: hr, ID: requestID()}
	out, err := s.guard(r, call)
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("X-Amzn-Requestid", r.ID)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(out)))
	_, _ = w.Write(out) // the caller is gone when this fails
}

// guard turns a panic of a call into an internal error.
func (s *Server) guard(r *Request, call func(*Request) ([]byte, error)) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("panic in an operation", slog.String("operation", r.Operation), slog.String("request", r.ID), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			out, err = nil, errInternal
		}
	}()
	return call(r)
}

// call performs the operation that a request names.
func (s *Server) call(r *Request) ([]byte, error) {
	if r.HTTP.Method != http.MethodPost {
		return nil, &Exception{Type: "UnknownOperationException", Message: "AWS JSON is spoken with POST, not " + r.HTTP.Method + ".", Status: http.StatusMethodNotAllowed}
	}
	target := r.HTTP.Header.Get("X-Amz-Target")
	name, ours := strings.CutPrefix(target, s.Prefix)
	handle := s.Operations[name]
	if !ours || handle == nil {
		return nil, Fail("UnknownOperationException", "The operation '"+target+"' is not known to this service.")
	}
	r.Operation = name
	return s.perform(r, s.Reads(name), func(ctx context.Context, r *Request) ([]byte, error) {
		if err := r.decode(); err != nil {
			return nil, err
		}
		if err := s.Model.check(name, r.Input); err != nil {
			return nil, err
		}
		return handle(ctx, r)
	})
}

// perform performs a request of whoever may.
func (s *Server) perform(r *Request, reads bool, handle Handler) (out []byte, err error) {
	if err := s.read(r); err != nil {
		return nil, err
	}
	from, err := s.Authorizer.authorize(r.HTTP, r.Body, !reads)
	r.Account, r.Region, r.KeyID = from.account, from.region, from.keyID
	if !reads && s.Audit != nil {
		defer func() { s.Audit(r, err) }()
	}
	if err != nil {
		return nil, err
	}
	if s.Admit != nil && !s.Admit(r) {
		return nil, Fail("ThrottlingException", "Rate exceeded")
	}
	return handle(r.HTTP.Context(), r)
}

// read reads the body.
func (s *Server) read(r *Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.HTTP.Body, s.MaxBody))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &Exception{
			Type: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
			Message: "The request is larger than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes.",
		}
	}
	if err != nil {
		return Fail("SerializationException", "The request's body could not be read.")
	}
	r.Body = body
	return nil
}

// decode decodes the body of an operation.
func (r *Request) decode() (err error) {
	if len(r.Body) == 0 {
		r.Input = value.Obj()
		return nil
	}
	if r.Input, err = value.Decode(r.Body); err != nil {
		return Fail("SerializationException", err.Error())
	}
	if r.Input.Kind() != value.Object {
		return Fail("SerializationException", "Start of structure or map found where not expected.")
	}
	return nil
}

var errInternal = &Exception{Type: "InternalFailure", Message: "The request failed because of an internal error.", Status: http.StatusInternalServerError}

// fail writes an exception. The text of any other error goes to the log only.
func (s *Server) fail(w http.ResponseWriter, r *Request, err error) {
	e, ok := errors.AsType[*Exception](err)
	if !ok {
		if r.HTTP.Context().Err() == nil {
			s.Log.Error("operation failed", slog.String("operation", r.Operation), slog.String("request", r.ID), slog.Any("error", err))
		}
		e = errInternal
	}
	body := value.NewObject(2 + len(e.Members))
	body.Set("__type", value.Str(e.Type))
	body.Set("message", value.Str(e.Message))
	for _, m := range e.Members {
		body.Set(m.Name, m.Value)
	}
	w.Header().Set("X-Amzn-Errortype", e.Type)
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	w.WriteHeader(status)
	_, _ = w.Write(body.Value().Append(nil)) // the caller is gone when this fails
}

// requestID makes the id by which a call is found in the log: the form of a
// UUID, unique enough, and no secret.
func requestID() string {
	var b [16]byte
	for i, n := 0, rand.Uint64(); i < 8; i++ {
		b[i] = byte(n >> (8 * i))
	}
	for i, n := 8, rand.Uint64(); i < 16; i++ {
		b[i] = byte(n >> (8 * (i - 8)))
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	x := hex.EncodeToString(b[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}
