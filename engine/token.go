package engine

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"

	"github.com/steppehq/steppe/stored"
)

// Tokened returns the ARN of the execution whose task a token is for.
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

// UUID makes a random UUID (version 4).
func (e *Engine) UUID() string {
	var b [16]byte
	e.catalogue.Random(b[:])
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

// Unseal returns the data of a sealed text. It is false when this store did not
// make it for that purpose.
func (e *Engine) Unseal(purpose, text string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < macSize {
		return nil, false
	}
	return b[macSize:], hmac.Equal(b[:macSize], e.tokens.seal(purpose, b[macSize:]))
}
