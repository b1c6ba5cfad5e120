// Package server is a service of AWS as its callers see it: it finds the operation
// that a request names, finds out whose the request is, checks it against the
// service's model, hands it to the operation, and writes what comes back, result or
// exception, in the protocol of the caller.
//
// A request is taken in this order, so that no unknown caller costs much: the
// operation and whether it changes something; whose the request is, by its headers
// alone; the body, within what all bodies may take; the signature over it, and
// whether it came before; whether the tenant may have one more request under way;
// the input, decoded and held against the model; the operation. What changes
// something goes to the audit, from any caller.
//
// A [Port] is what all services of a server share; a [Server] is one service.
//
// Stability: may move in any minor release.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/internal/door"
)

// Handler performs an operation and returns the JSON of its output.
type Handler func(ctx context.Context, r *Request) ([]byte, error)

// Server is a service at a port: an http.Handler for its operations.
type Server struct {
	*Port
	// Service is the name that signatures must be for: "states".
	Service string
	// Prefix stands before the operation in X-Amz-Target, with its dot; "" for a
	// service whose protocol knows no targets.
	Prefix     string
	Model      Model
	Operations map[string]Handler
	// MaxBody bounds a request's body in bytes.
	MaxBody int64
	// Reads reports the operations that change nothing.
	Reads func(operation string) bool
	// Admit reports whether a request may be performed now; nil: always.
	Admit func(r *Request) bool
	// Weigh returns how many bytes the making of an operation's answer may take,
	// which are held before it is performed; nil: none.
	Weigh func(operation string) int64
	// Protocol is that of the callers; nil: [JSON10].
	Protocol *Protocol
}

// Name returns the service that signatures must be for.
func (s *Server) Name() string { return s.Service }

// Target returns what stands before an operation in X-Amz-Target, "" for a service
// whose protocol knows no targets.
func (s *Server) Target() string { return s.Prefix }

func (s *Server) protocol() *Protocol {
	if s.Protocol == nil {
		return JSON10
	}
	return s.Protocol
}

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

// Operation makes a handler of an operation that no target names and no model
// checks, which changes nothing.
func (s *Server) Operation(name string, handle Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		s.serve(w, hr, func(r *Request) ([]byte, error) {
			r.Operation = name
			return s.perform(r, true, handle)
		})
	})
}

// Refuse answers a request with an exception, and reads nothing of it.
func (s *Server) Refuse(w http.ResponseWriter, hr *http.Request, err error) {
	s.serve(w, hr, func(*Request) ([]byte, error) { return nil, err })
}

// begin makes the request of a call. end must be called.
func (s *Server) begin(w http.ResponseWriter, hr *http.Request) *Request {
	r := &Request{HTTP: hr, ID: requestID()}
	r.writer = w
	r.body = s.Bodies.Open(w, (*http.ResponseController).SetReadDeadline)
	r.answer = s.Answers.Open(w, (*http.ResponseController).SetWriteDeadline)
	return r
}

func (s *Server) serve(w http.ResponseWriter, hr *http.Request, call func(*Request) ([]byte, error)) {
	r := s.begin(w, hr)
	defer s.end(r)
	out, err := s.guard(r, call)
	header := w.Header()
	header["Content-Type"] = s.protocol().contentType
	header.Set("X-Amzn-Requestid", r.ID)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(out)))
	_ = door.WriteAnswer(w, out, &r.answer) // the caller is gone when this fails
}

// end releases what a request holds.
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

// perform performs a request of a caller who may.
func (s *Server) perform(r *Request, reads bool, handle Handler) (out []byte, err error) {
	if !reads && s.Audit != nil {
		defer func() { s.Audit(r, err) }()
	}
	if err := s.receive(r, reads); err != nil {
		return nil, err
	}
	if err := s.enter(r); err != nil {
		return nil, err
	}
	if out, err = handle(r.HTTP.Context(), r); err != nil {
		return nil, err
	}
	return out, s.hold(r, reads, int64(len(out)))
}

// enter lets a request of a known caller in, if it may be performed now.
func (s *Server) enter(r *Request) error {
	if s.Admit != nil && !s.Admit(r) {
		return errThrottled
	}
	if r.entered = s.UnderWay.Enter(Tenant{r.Account, r.Region}); !r.entered {
		return Fail("ThrottlingException", "Too many requests of the account are under way ("+strconv.Itoa(s.UnderWay.Most)+").")
	}
	if s.Weigh != nil {
		if n := s.Weigh(r.Operation); n > 0 && r.answer.Take(r.HTTP.Context(), n) != nil {
			return busy("answers")
		}
	}
	return nil
}

// hold holds what an answer takes until it is written. What was changed is reported
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

// busy reports that the memory for something is used up.
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
	return r.from(from)
}

// from notes who sent a request, when that is certain.
func (r *Request) from(c *claim) error {
	r.Account, r.Region, r.KeyID = c.account, c.region, c.keyID
	var ok bool
	if r.connection, ok = door.Serving(r.HTTP.Context(), c.signature != nil); !ok {
		return busy("connections")
	}
	return nil
}

// readBody reads the body.
func (s *Server) readBody(r *Request) error {
	body, err := door.ReadBody(r.HTTP.Context(), r.writer, r.HTTP, s.MaxBody, &r.body)
	switch {
	case errors.Is(err, door.ErrTooLarge):
		return s.tooLarge()
	case errors.Is(err, door.ErrBudget):
		return busy("bodies")
	case err != nil:
		return Fail("SerializationException", "The request's body could not be read.")
	}
	r.Body, r.read = body, true
	return nil
}

func (s *Server) tooLarge() error {
	return &Exception{
		Type: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
		Message: "The request is larger than " + strconv.FormatInt(s.MaxBody, 10) + " bytes.",
	}
}
