package lambda

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"unicode/utf16"

	"github.com/steppehq/steppe/value"
)

// maxClientContext is the most bytes of a client context, in base64 (Lambda API,
// Invoke: "Up to 3,583 bytes of base64-encoded data").
const maxClientContext = 3583

// idempotencyMember is where a client context tells the idempotency key: it is
// a member of "custom".
const idempotencyMember = "idempotencyKey"

// clientContext is the JSON of a call's client context, with the idempotency key
// in it where it has a place and room for it. It is false for a context of the
// caller's that is no JSON object.
func (in *Invocation) clientContext() (string, bool) {
	given, custom := value.Obj(), value.Obj()
	var decoded []byte
	if in.ClientContext != "" {
		var err error
		if decoded, err = base64.StdEncoding.DecodeString(in.ClientContext); err != nil {
			return "", false
		}
		if given, err = value.Decode(decoded); err != nil || given.Kind() != value.Object {
			return "", false
		}
		if c := given.Get("custom"); c.Kind() == value.Object {
			custom = c
		} else if c.Kind() != value.Undefined && c.Kind() != value.Null {
			return string(decoded), true
		}
	}
	if in.Idempotency == "" {
		return string(decoded), true
	}
	text := given.With("custom", custom.With(idempotencyMember, value.Str(in.Idempotency))).Append(nil)
	if base64.StdEncoding.EncodedLen(len(text)) > maxClientContext {
		text = decoded
	}
	return string(text), true
}

// hasJSONContext reports whether the client context is a JSON object in base64.
func (in *Invocation) hasJSONContext() bool {
	_, ok := in.clientContext()
	return ok
}

// checkHeaders holds what a task sends in headers against what these can carry.
func (in *Invocation) checkHeaders() error {
	for _, h := range [...]struct{ what, text string }{
		{"The trace header", in.TraceHeader}, {"The client context", in.ClientContext},
	} {
		for i, c := range h.text {
			if c < ' ' || c > '~' {
				return badRequest(h.what + " cannot be sent: its character " + strconv.Itoa(i+1) + " (" + strconv.QuoteRuneToASCII(c) + ") is not one that a header may have.")
			}
		}
	}
	return nil
}

// badRequest is the service's answer to a call that it cannot read.
func badRequest(message string) error {
	return &ServiceError{Status: http.StatusBadRequest, Code: "InvalidRequestContentException", Message: message}
}

// ascii writes JSON in characters that headers can carry.
func ascii(json string) string {
	out := make([]byte, 0, len(json))
	for _, r := range json {
		if r >= ' ' && r <= '~' {
			out = append(out, byte(r))
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			const digits = "0123456789abcdef"
			out = append(out, '\\', 'u', digits[unit>>12], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
		}
	}
	return string(out)
}
