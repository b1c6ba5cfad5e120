package engine

import (
	"context"
	"crypto/hmac"
	"encoding/base64"

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
