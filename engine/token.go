package engine

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// A task token is the execution's id, the number of the event that scheduled
// the task, account/region of its tenant, and a MAC over all of them, in URL-safe
// base64: nobody looks it up, and nobody can make one up.
const (
	macSize      = 16
	tokenVersion = 2
	tokenHead    = 1 + len(store.ExecutionID{}) + 8 // before the tenant
)

type tokens struct {
	key []byte
	// others are keys of stores that executions came from.
	others [][]byte
}

func macOf(key, token []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(token)
	return h.Sum(nil)[:macSize]
}

// made reports whether a token was made with one of the keys.
func (t tokens) made(signed, mac []byte) bool {
	return hmac.Equal(mac, macOf(t.key, signed)) ||
		slices.ContainsFunc(t.others, func(key []byte) bool { return hmac.Equal(mac, macOf(key, signed)) })
}

func (t tokens) make(tenant catalogue.Tenant, id store.ExecutionID, event int64) string {
	b := append(make([]byte, 0, 128), tokenVersion)
	b = binary.BigEndian.AppendUint64(append(b, id[:]...), uint64(event))
	b = append(append(append(b, tenant.Account...), '/'), tenant.Region...)
	return base64.RawURLEncoding.EncodeToString(append(b, macOf(t.key, b)...))
}

// split takes a task token apart. It is false for what has not the form of one.
func splitToken(token string) (signed, mac []byte, of catalogue.Tenant, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < tokenHead+1+macSize || b[0] != tokenVersion {
		return nil, nil, of, false
	}
	signed, mac = b[:len(b)-macSize], b[len(b)-macSize:]
	of.Account, of.Region, ok = strings.Cut(string(signed[tokenHead:]), "/")
	return signed, mac, of, ok
}

// TokenTenant tells for whose task a token says that it is. Nothing vouches for
// it but the server that made the token.
func TokenTenant(token string) (catalogue.Tenant, bool) {
	_, _, of, ok := splitToken(token)
	return of, ok
}

// parse reads a task token. It is false when neither this store nor one that
// executions came from has made it, or not for the caller's tenant.
func (t tokens) parse(ctx context.Context, token string) (id store.ExecutionID, event int64, ok bool) {
	signed, mac, of, ok := splitToken(token)
	if !ok || !t.made(signed, mac) || !catalogue.Visible(ctx, of) {
		return id, 0, false
	}
	copy(id[:], signed[1:])
	return id, int64(binary.BigEndian.Uint64(signed[1+len(id):])), true
}

// Tokened gives the ARN of the execution whose task a token is for.
// [ErrInvalidToken], store.ErrNotFound.
func (e *Engine) Tokened(ctx context.Context, token string) (string, error) {
	id, _, ok := e.tokens.parse(ctx, token)
	if !ok {
		return "", ErrInvalidToken
	}
	record, err := e.store.Execution(ctx, id)
	if err != nil {
		return "", err
	}
	m, err := stored.DecodeMeta(record.Meta)
	if err != nil {
		return "", err
	}
	return m.ExecutionARN(), nil
}

// idempotency is what an effect is known by to its target: the same for each
// performance of the same attempt.
func idempotency(id store.ExecutionID, event int64) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(append([]byte("effect"), id[:]...), uint64(event)))
	return hex.EncodeToString(sum[:16])
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
