// Package door is what stands before a request is known to be anybody's: which
// web pages may ask, how much of all that is sent and answered is held at once,
// which connections make room for others.
//
// It knows HTTP and nothing of what is asked for.
package door

import (
	"encoding/json"
	"net/http"
)

// Refusal is why a request is not let in.
type Refusal struct {
	// Status is the HTTP status, Type and Message the exception's.
	Status        int
	Type, Message string
}

// Error returns type and message.
func (r *Refusal) Error() string { return r.Type + ": " + r.Message }

// write answers with the refusal. What the caller still sends is not waited for.
func (r *Refusal) write(w http.ResponseWriter) {
	text, _ := json.Marshal(map[string]string{"__type": r.Type, "message": r.Message}) // two strings
	header := w.Header()
	header.Set("Content-Type", "application/x-amz-json-1.0")
	header.Set("X-Amzn-Errortype", r.Type)
	Leave(w)
	w.WriteHeader(r.Status)
	_, _ = w.Write(text) // the caller is gone when this fails
}
