package engine

import (
	"time"

	"github.com/steppehq/steppe/store"
)

// Residents is the number of running executions in memory, and how many of
// them are loaded.
func (e *Engine) Residents() (all, loaded int) {
	for _, s := range e.shards {
		s.mu.Lock()
		for _, r := range s.residents {
			all++
			if r.loaded != nil {
				loaded++
			}
		}
		s.mu.Unlock()
	}
	return all, loaded
}

// Owns reports whether the engine believes that it owns a shard.
func (e *Engine) Owns(id store.ShardID) bool { return e.shards[id].handle() != nil }

// Keyring encrypts and decrypts.
type Keyring struct{ ring *keyring }

// NewKeyring makes a keyring that draws data keys from a source.
func NewKeyring(random func([]byte), keys ...EncryptionKey) (Keyring, error) {
	ring, err := newKeyring(keys, random)
	return Keyring{ring}, err
}

// Seal encrypts data for a place, with the first key of an id.
func (k Keyring) Seal(id string, reuse int64, place, data string, now time.Time) []byte {
	return k.ring.seal(append(make([]byte, sealedHead), data...), encryption{id, reuse}, []byte(place), now)
}

// Open decrypts what Seal has made.
func (k Keyring) Open(b []byte, place string) (string, error) {
	data, err := k.ring.open(b, []byte(place))
	return string(data), err
}

// Sealed reports whether data is encrypted. What is before its count, DataKey,
// tells data keys apart; Nonce is the count.
func Sealed(b []byte) bool    { return sealed(b) }
func DataKey(b []byte) string { return string(b[:countAt]) }
func Nonce(b []byte) string   { return string(b[countAt:sealedHead]) }

// The errors of Open.
var (
	ErrNoKey   = errNoKey
	ErrDamaged = errDamaged
)

// Waiting is how many callers wait for the end of executions.
func (e *Engine) Waiting() (n int) {
	e.waiters.mu.Lock()
	defer e.waiters.mu.Unlock()
	for _, ends := range e.waiters.ends {
		n += len(ends)
	}
	return n
}
