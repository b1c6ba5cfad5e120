package server

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/steppehq/steppe/internal/door"
	"github.com/steppehq/steppe/value"
)

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

// Str returns a member of the input, "" when it is not there.
func (r *Request) Str(name string) string { return r.Input.Get(name).Str() }

// Has reports whether the input has the member, null counting as absent.
func (r *Request) Has(name string) bool {
	k := r.Input.Get(name).Kind()
	return k != value.Undefined && k != value.Null
}

// Int returns a member of the input, 0 when it is not there.
func (r *Request) Int(name string) int64 {
	n, _ := r.Input.Get(name).Int64()
	return n
}

// Bool returns a member of the input, otherwise when it is not there.
func (r *Request) Bool(name string, otherwise bool) bool {
	if v := r.Input.Get(name); v.Kind() == value.Bool {
		return v.Bool()
	}
	return otherwise
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
