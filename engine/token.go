package engine

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"

	"github.com/steppehq/steppe/store"
)

// A task token is the execution's id, the number of the event that scheduled
// the task, and a MAC over both, in URL-safe base64: nobody looks it up, and
// nobody can make one up.
const macSize = 16

type tokens struct{ key []byte }

func (t tokens) mac(id store.ExecutionID, event int64) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write(id[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(event)))
	return h.Sum(nil)[:macSize]
}

func (t tokens) make(id store.ExecutionID, event int64) string {
	b := append([]byte{1}, id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(event))
	return base64.RawURLEncoding.EncodeToString(append(b, t.mac(id, event)...))
}

// parse reads a task token. It is false when this store did not make it.
func (t tokens) parse(token string) (store.ExecutionID, int64, bool) {
	var id store.ExecutionID
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != 1+len(id)+8+macSize || b[0] != 1 {
		return id, 0, false
	}
	copy(id[:], b[1:])
	event := int64(binary.BigEndian.Uint64(b[1+len(id):]))
	return id, event, hmac.Equal(b[1+len(id)+8:], t.mac(id, event))
}

// idempotency is what an effect is known by to its target: the same for each
// performance of the same attempt.
func idempotency(id store.ExecutionID, event int64) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(append([]byte("effect"), id[:]...), uint64(event)))
	return hex.EncodeToString(sum[:16])
}

// UUID makes a random UUID (version 4).
func UUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// Seal makes a text of data that only this store can have made, for a purpose:
// paging tokens and the like. It is no secret.
func (e *Engine) Seal(purpose string, data []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(e.tokens.seal(purpose, data), data...))
}

// Unseal gives the data of a sealed text. It is false when this store did not
// make it for that purpose.
func (e *Engine) Unseal(purpose, text string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < macSize {
		return nil, false
	}
	return b[macSize:], hmac.Equal(b[:macSize], e.tokens.seal(purpose, b[macSize:]))
}

func (t tokens) seal(purpose string, data []byte) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write([]byte("seal\x00" + purpose + "\x00"))
	h.Write(data)
	return h.Sum(nil)[:macSize]
}
