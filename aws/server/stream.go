package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
)

// StreamHandler performs a request whose body it reads, and whose answer it
// writes, piece by piece. An error that it returns before it has written anything
// is answered as an exception; after that the connection is cut, so that no caller
// takes half an answer for a whole one.
//
// The body is checked while it is read: what was read is to be believed, and may
// change something, only when Read has returned io.EOF.
type StreamHandler func(ctx context.Context, w http.ResponseWriter, r *Request, body *sigv4.Body) error

// ServeStream serves a request to an operation whose body or answer may be larger
// than memory: as other operations, but that the body is not read before, and may
// be unsigned or in chunks. reads reports that it changes nothing. MaxBody bounds
// the body, 0 does not.
func (s *Server) ServeStream(w http.ResponseWriter, hr *http.Request, operation string, reads bool, handle StreamHandler) {
	r := s.begin(w, hr)
	r.Operation = operation
	defer s.end(r)
	header := w.Header()
	header["Content-Type"] = s.protocol().contentType
	header.Set("X-Amzn-Requestid", r.ID)
	answer := &streamed{ResponseWriter: w, control: http.NewResponseController(w)}
	_, err := s.guard(r, func(r *Request) ([]byte, error) { return nil, s.stream(answer, r, reads, handle) })
	switch {
	case err == nil:
		answer.end()
	case answer.begun:
		if exception(err) == nil && hr.Context().Err() == nil {
			s.Log.Error("operation failed in its answer", slog.String("operation", operation), slog.String("request", r.ID), slog.Any("error", err))
		}
		panic(http.ErrAbortHandler)
	default:
		header["Content-Type"] = s.protocol().contentType
		s.fail(w, r, err)
	}
}

func (s *Server) stream(w *streamed, r *Request, reads bool, handle StreamHandler) (err error) {
	if !reads && s.Audit != nil {
		defer func() { s.Audit(r, err) }()
	}
	from, err := s.Authorizer.claim(r.HTTP, s.Service, true)
	if err != nil {
		return err
	}
	r.known = true
	r.body.Owner, r.answer.Owner = from.owner(r.HTTP), from.account
	arriving := &arriving{body: r.HTTP.Body, control: w.control, left: -1}
	r.HTTP.Body = arriving
	body, err := sigv4.NewBody(r.HTTP, from.signature, from.key)
	if err != nil {
		return err
	}
	if s.MaxBody > 0 {
		if body.Length > s.MaxBody {
			return s.tooLarge()
		}
		if body.Length < 0 {
			arriving.left, arriving.tooLarge = s.MaxBody, s.tooLarge()
		}
	}
	if from.signature != nil && !reads {
		if err := s.Authorizer.first(from.signature, r.HTTP); err != nil {
			return err
		}
	}
	if err := r.from(from); err != nil {
		return err
	}
	if err := s.enter(r); err != nil {
		return err
	}
	err = handle(r.HTTP.Context(), w, r, body)
	r.read = arriving.ended
	return err
}

const (
	// stillTime is how long a stream may stand still, in either direction.
	stillTime = 30 * time.Second
	// movedEvery is how often that is begun again while it moves.
	movedEvery = time.Second
)

// arriving is the body of a request while it comes. Its deadline is moved on as
// long as something comes: a large body takes the time that it takes.
type arriving struct {
	body     io.ReadCloser
	control  *http.ResponseController
	moved    time.Time
	left     int64 // bytes that may come; negative: any number
	tooLarge error
	ended    bool
}

func (a *arriving) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(a.moved) > movedEvery {
		a.moved = now
		_ = a.control.SetReadDeadline(now.Add(stillTime)) // what has no deadline ends by itself
	}
	n, err := a.body.Read(p)
	if a.left >= 0 {
		if a.left -= int64(n); a.left < 0 {
			return 0, a.tooLarge
		}
	}
	if errors.Is(err, io.EOF) {
		a.ended = true
		_ = a.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (a *arriving) Close() error { return a.body.Close() }

// streamed is an answer that is written piece by piece.
type streamed struct {
	http.ResponseWriter
	control *http.ResponseController
	moved   time.Time
	begun   bool
}

func (s *streamed) WriteHeader(status int) {
	s.begun = true
	s.ResponseWriter.WriteHeader(status)
}

func (s *streamed) Write(p []byte) (int, error) {
	s.begun = true
	if now := time.Now(); now.Sub(s.moved) > movedEvery {
		s.moved = now
		_ = s.control.SetWriteDeadline(now.Add(stillTime)) // what has no deadline ends by itself
	}
	return s.ResponseWriter.Write(p)
}

// end sends what is written, and leaves no deadline to the next answer of the
// connection.
func (s *streamed) end() {
	if !s.moved.IsZero() && s.control.Flush() == nil {
		_ = s.control.SetWriteDeadline(time.Time{}) // what has none needs none
	}
}

// Unwrap returns the answer itself, for http.ResponseController.
func (s *streamed) Unwrap() http.ResponseWriter { return s.ResponseWriter }
