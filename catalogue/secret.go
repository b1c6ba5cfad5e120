package catalogue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/store"
)

// tokenKey is where the catalogue keeps the key that task tokens are made with;
// the keys of stores that executions came from stand behind it.
const tokenKey = "secret/task-token"

func otherTokenKey(key []byte) string {
	sum := sha256.Sum256(key)
	return tokenKey + "/" + hex.EncodeToString(sum[:8])
}

// TokenKeys returns the keys of task tokens: the first makes them, and all of them
// check them. It is empty when the store has none yet.
func (c *Catalogue) TokenKeys(ctx context.Context) ([][]byte, error) {
	entries, err := c.store.Scan(ctx, tokenKey, "", 0)
	if err != nil {
		return nil, fmt.Errorf("catalogue: task token keys: %w", err)
	}
	keys := make([][]byte, len(entries))
	for i, entry := range entries {
		keys[i] = entry.Value
	}
	return keys, nil
}

// MakeTokenKey makes the key of task tokens if the store has none.
func (c *Catalogue) MakeTokenKey(ctx context.Context) error {
	_, err := c.store.Get(ctx, tokenKey)
	if errors.Is(err, store.ErrNotFound) {
		secret := make([]byte, 32)
		c.Random(secret)
		if err = c.store.Put(ctx, store.Edit{Key: tokenKey, Value: secret}); errors.Is(err, store.ErrVersion) {
			return nil // another engine was faster
		}
	}
	if err != nil {
		return fmt.Errorf("catalogue: task token key: %w", err)
	}
	return nil
}

// ErrTokenKey reports that a key of task tokens has no place in the catalogue.
var ErrTokenKey = errors.New("the store has another key in the place of this one")

// AddTokenKey returns the edits that add a key of task tokens that another store
// made: none when it is there. It becomes the store's own if it has none.
// [ErrTokenKey].
func (c *Catalogue) AddTokenKey(ctx context.Context, secret []byte) ([]store.Edit, error) {
	for _, key := range []string{tokenKey, otherTokenKey(secret)} {
		entry, err := c.store.Get(ctx, key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return []store.Edit{{Key: key, Value: secret}}, nil
		case err != nil || bytes.Equal(entry.Value, secret):
			return nil, err
		}
	}
	return nil, ErrTokenKey
}
