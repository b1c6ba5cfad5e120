package server

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/aws/sigv4"
	"github.com/steppehq/steppe/internal/door"
	"github.com/steppehq/steppe/value"
)

// Exception is an error that the caller of an operation receives.
type Exception struct {
	// Type is its name in the model: "ExecutionDoesNotExist".
	Type    string
	Message string
	// Status is the HTTP status, 400 when 0.
	Status int
	// Members are further members of the error's body.
	Members []value.Member
}

// Error is type and message.
func (e *Exception) Error() string { return e.Type + ": " + e.Message }

// exception is what the caller receives for an error; nil for one that is not for
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

var errInternal = &Exception{Type: "InternalFailure", Message: "The request failed because of an internal error.", Status: http.StatusInternalServerError}

// maxMessage bounds the message of an exception, in bytes.
const maxMessage = 16 << 10

// Bounded is a text that is shown in at most so many bytes: of one that is too long
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
	text := s.protocol().failure(w.Header(), &told, r.ID)
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
