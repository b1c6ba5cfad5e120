// Package server speaks AWS JSON 1.0: it finds the operation that a request
// names, checks the request against the service's model, hands it to the
// operation, and writes what comes back, result or exception.
//
// It knows nothing of Step Functions but what the caller's [Model] says.
package server

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/aws/sigv4"
	"github.com/steppehq/steppe/internal/door"
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

// exception is what the caller is told of an error; nil for one that is not for
// callers.
func exception(err error) *Exception {
	if e, ok := errors.AsType[*Exception](err); ok {
		return e
	}
	if e, ok := errors.AsType[*sigv4.Error](err); ok {
		return &Exception{Type: e.Code, Message: e.Message}
	}
	return nil
}

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
	// Input has been checked against the model, and holds nothing else if it is
	// large.
	Input value.Value
	// About and Named are ARNs and a name that the request is about, beside those
	// of its input, for the audit.
	About []string
	Named string

	writer       http.ResponseWriter
	body, answer door.Hold
	connection   *door.Connection
	entered      bool // [Server.UnderWay]
	read, known  bool // the body was read; the caller may send one
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
	// Service is the name that signatures must be for: "states".
	Service string
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
	// Bodies and Answers bound what all requests and answers hold together.
	Bodies, Answers *door.Budget
	// Weigh tells how many bytes the making of an operation's answer may take,
	// which are held before it is performed; nil: none.
	Weigh func(operation string) int64
	// Turn waits until so many bytes of a request may be worked on, and gives what
	// ends that; nil: at once.
	Turn func(ctx context.Context, r *Request, bytes int) (done func(), err error)
	// UnderWay bounds the requests of a tenant that are performed at once.
	UnderWay door.Gate[Tenant]
	// Audit is told of each request that changes something, or tried to, after
	// it was performed; nil: nobody.
	Audit func(r *Request, err error)
	// Wire is the protocol of the callers; nil: AWS JSON 1.0.
	Wire *Wire
	Log  *slog.Logger
}

// Tenant is an account in a region.
type Tenant struct{ Account, Region string }

const contentType = "application/x-amz-json-1.0"

var contentTypes = []string{contentType} // shared by all answers

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
	r.writer = w
	r.body = s.Bodies.Open(w, (*http.ResponseController).SetReadDeadline)
	r.answer = s.Answers.Open(w, (*http.ResponseController).SetWriteDeadline)
	defer s.end(r)
	out, err := s.guard(r, call)
	header := w.Header()
	header["Content-Type"] = contentTypes
	if s.Wire != nil {
		header.Set("Content-Type", s.Wire.ContentType)
	}
	header.Set("X-Amzn-Requestid", r.ID)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(out)))
	_ = door.WriteAnswer(w, out, &r.answer) // the caller is gone when this fails
}

// end gives back what a request holds.
func (s *Server) end(r *Request) {
	r.body.Close()
	r.answer.Close()
	if r.entered {
		s.UnderWay.Leave(Tenant{r.Account, r.Region})
	}
	r.connection.Served()
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
		if err := s.decode(ctx, r); err != nil {
			return nil, err
		}
		return handle(ctx, r)
	})
}

// decode decodes the body of an operation, and holds it against the model.
func (s *Server) decode(ctx context.Context, r *Request) error {
	if s.Turn != nil {
		done, err := s.Turn(ctx, r, len(r.Body))
		if err != nil {
			return err
		}
		defer done()
	}
	if err := r.decode(); err != nil {
		return err
	}
	if err := s.Model.check(r.Operation, r.Input); err != nil {
		return err
	}
	if len(r.Body) > largeBody {
		r.Input, r.Body = s.Model.only(r.Operation, r.Input), nil
	}
	return nil
}

// perform performs a request of whoever may.
func (s *Server) perform(r *Request, reads bool, handle Handler) (out []byte, err error) {
	if !reads && s.Audit != nil {
		defer func() { s.Audit(r, err) }()
	}
	if err := s.receive(r, reads); err != nil {
		return nil, err
	}
	if s.Admit != nil && !s.Admit(r) {
		return nil, errThrottled
	}
	if r.entered = s.UnderWay.Enter(Tenant{r.Account, r.Region}); !r.entered {
		return nil, Fail("ThrottlingException", "Too many requests of the account are under way ("+strconv.Itoa(s.UnderWay.Most)+").")
	}
	if s.Weigh != nil {
		if n := s.Weigh(r.Operation); n > 0 {
			if err := r.answer.Take(r.HTTP.Context(), n); err != nil {
				return nil, busy("answers")
			}
		}
	}
	if out, err = handle(r.HTTP.Context(), r); err != nil {
		return nil, err
	}
	return out, s.hold(r, reads, int64(len(out)))
}

// hold holds what an answer takes until it is written. What was changed is told
// whatever there is left.
func (s *Server) hold(r *Request, reads bool, n int64) error {
	if n <= door.FreeAnswer {
		r.answer.Close()
		return nil
	}
	r.answer.Keep(n)
	if more := n - r.answer.Bytes(); more > 0 && r.answer.Take(r.HTTP.Context(), more) != nil && reads {
		return busy("answers")
	}
	return nil
}

var errThrottled = Fail("ThrottlingException", "Rate exceeded")

// busy tells that the memory for something is used up.
func busy(what string) error {
	return &Exception{Type: "ThrottlingException", Status: http.StatusServiceUnavailable, Message: "The memory for " + what + " of requests is used up. Try again."}
}

// receive finds out who sent a request: by its headers, before its body is read.
func (s *Server) receive(r *Request, reads bool) error {
	from, err := s.Authorizer.claim(r.HTTP, s.Service, false)
	if err != nil {
		return err
	}
	r.known = true
	r.body.Owner, r.answer.Owner = from.owner(r.HTTP), from.account
	if err := s.readBody(r); err != nil {
		return err
	}
	if err := s.Authorizer.verify(from, r.HTTP, r.Body, !reads); err != nil {
		return err
	}
	r.Account, r.Region, r.KeyID = from.account, from.region, from.keyID
	var ok bool
	if r.connection, ok = door.Serving(r.HTTP.Context(), from.signature != nil); !ok {
		return busy("connections")
	}
	return nil
}

// readBody reads the body.
func (s *Server) readBody(r *Request) error {
	body, err := door.ReadBody(r.HTTP.Context(), r.writer, r.HTTP, s.MaxBody, &r.body)
	switch {
	case errors.Is(err, door.ErrTooLarge):
		return &Exception{
			Type: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
			Message: "The request is larger than " + strconv.FormatInt(s.MaxBody, 10) + " bytes.",
		}
	case errors.Is(err, door.ErrBudget):
		return busy("bodies")
	case err != nil:
		return Fail("SerializationException", "The request's body could not be read.")
	}
	r.Body, r.read = body, true
	return nil
}

const (
	// largeBody is above what a body, and what the model does not know of it, is
	// not kept while the operation is performed.
	largeBody = 1 << 10
	// partBytes is what a part of JSON takes in memory, about.
	partBytes = 64
	// maxParts bounds the parts of a large body; those of AWS's requests are few,
	// for definitions and payloads are texts in them.
	maxParts = 1 << 19
)

// decode decodes the body of an operation. What a large one takes is held first:
// 2 MB of commas become some 100 MB.
func (r *Request) decode() (err error) {
	if len(r.Body) == 0 {
		r.Input = value.Obj()
		return nil
	}
	if len(r.Body) > door.FreeBody {
		parts := bytes.Count(r.Body, []byte(",")) + bytes.Count(r.Body, []byte("[")) + bytes.Count(r.Body, []byte("{"))
		if parts > maxParts {
			return Fail("SerializationException", "The request has more than "+strconv.Itoa(maxParts)+" members and items.")
		}
		held := r.body.Bytes()
		if err := r.body.Take(r.HTTP.Context(), int64(parts)*partBytes); err != nil {
			return busy("bodies")
		}
		defer r.body.Keep(held)
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

// maxMessage bounds the message of an exception, in bytes.
const maxMessage = 16 << 10

// Bounded is a text that is told in at most so many bytes: of one that is too long
// the beginning, and how much more there is.
func Bounded(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " … and " + strconv.Itoa(len(text)-most) + " bytes more"
}

// fail writes an exception. The text of any other error goes to the log only.
func (s *Server) fail(w http.ResponseWriter, r *Request, err error) {
	e := exception(err)
	if e == nil {
		if r.HTTP.Context().Err() == nil {
			s.Log.Error("operation failed", slog.String("operation", r.Operation), slog.String("request", r.ID), slog.Any("error", err))
		}
		e = errInternal
	}
	told := *e
	told.Message = Bounded(e.Message, maxMessage)
	failure := jsonFailure
	if s.Wire != nil {
		failure = s.Wire.Failure
	}
	text := failure(w.Header(), &told, r.ID)
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	// Who is not known is not listened to any longer; who is sees why.
	if !r.read && r.HTTP.ContentLength != 0 {
		door.Leave(w)
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) // the caller is gone when this fails
	if !r.read && r.known && r.HTTP.ContentLength != 0 {
		door.Drain(w, r.HTTP)
	}
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
