package catalogue_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
)

// key makes a key of the same byte again and again.
func key(id string, b byte) catalogue.EncryptionKey {
	return catalogue.EncryptionKey{ID: id, Key: bytes.Repeat([]byte{b}, 32)}
}

// ring is a keyring of texts.
type ring struct{ *catalogue.Keyring }

// Seal encrypts data for a place, with the first key of an id.
func (r ring) Seal(id string, reuse int64, place, data string, now time.Time) []byte {
	b := append(make([]byte, catalogue.SealedHead), data...)
	return r.Keyring.Seal(b, catalogue.Encryption{KeyID: id, Reuse: reuse}, []byte(place), now)
}

// Open decrypts what Seal has made.
func (r ring) Open(b []byte, place string) (string, error) {
	data, err := r.Keyring.Open(b, []byte(place))
	return string(data), err
}

func keyring(t *testing.T, keys ...catalogue.EncryptionKey) ring {
	t.Helper()
	made, err := catalogue.NewKeyring(keys, func(b []byte) { _, _ = rand.Read(b) })
	if err != nil {
		t.Fatal(err)
	}
	return ring{made}
}

// TestKeyring: what is encrypted can be read at its place, with its key, and
// whole; and nowhere else, with no other, and not changed by a bit.
func TestKeyring(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	a := keyring(t, key("a", 1), key("b", 2))
	secret := a.Seal("a", 300, "here", "secret", now)
	if !catalogue.Sealed(secret) || bytes.Contains(secret, []byte("secret")) {
		t.Errorf("it is not encrypted: %q", secret)
	}
	if _, err := history.Decode(nil, secret); !errors.Is(err, history.ErrCorrupt) {
		t.Errorf("it is taken for a chunk: %v", err)
	}
	if plain := history.Encode(nil, []history.Event{{ID: 1, Type: history.ExecutionStarted}}); catalogue.Sealed(plain) {
		t.Error("a chunk is taken for something encrypted")
	}
	empty := a.Seal("b", 300, "here", "", now)
	tests := []struct {
		name  string
		ring  ring
		data  []byte
		place string
		want  string
		err   error
	}{
		{"with its key", a, secret, "here", "secret", nil},
		{"nothing", a, empty, "here", "", nil},
		{"the key has another id", keyring(t, key("c", 1)), secret, "here", "secret", nil},
		{"another key comes first", keyring(t, key("a", 3), key("a", 1)), secret, "here", "secret", nil},
		{"at another place", a, secret, "there", "", catalogue.ErrDamaged},
		{"the id has another key", keyring(t, key("a", 3)), secret, "here", "", catalogue.ErrNoKey},
		{"no keys", ring{}, secret, "here", "", catalogue.ErrNoKey},
		{"cut off", a, secret[:len(secret)-1], "here", "", catalogue.ErrDamaged},
		{"nothing but its version", a, secret[:1], "here", "", catalogue.ErrDamaged},
	}
	for _, tt := range tests {
		if got, err := tt.ring.Open(tt.data, tt.place); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v, want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
	for i := 1; i < len(secret); i++ {
		changed := bytes.Clone(secret)
		changed[i] ^= 0x10
		want := catalogue.ErrDamaged
		if i < 9 {
			want = catalogue.ErrNoKey // it names another key
		}
		if _, err := a.Open(changed, "here"); !errors.Is(err, want) {
			t.Errorf("byte %d changed: %v, want %v", i, err, want)
		}
	}
}

// TestNoncesAreUsedOnce: a data key never counts the same number twice, and is
// given up after its time.
func TestNoncesAreUsedOnce(t *testing.T) {
	ring := keyring(t, key("a", 1))
	start := time.UnixMilli(1_700_000_000_000)
	var mu sync.Mutex
	seen := make(map[string]bool)
	dataKeys := make(map[string]bool)
	seal := func(reuse int64, at time.Time) {
		b := ring.Seal("a", reuse, "here", "secret", at)
		mu.Lock()
		defer mu.Unlock()
		dataKeys[catalogue.DataKey(b)] = true
		if one := catalogue.DataKey(b) + catalogue.Nonce(b); seen[one] {
			t.Errorf("a nonce comes twice: %q", one)
		} else {
			seen[one] = true
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				seal(60, start.Add(59_999*time.Millisecond))
			}
		})
	}
	wg.Wait()
	if len(dataKeys) != 1 {
		t.Errorf("%d data keys in a minute", len(dataKeys))
	}
	seal(60, start.Add(119_998*time.Millisecond))
	if len(dataKeys) != 1 {
		t.Errorf("%d data keys before the minute is over", len(dataKeys))
	}
	seal(60, start.Add(119_999*time.Millisecond))
	seal(61, start)
	if len(dataKeys) != 3 {
		t.Errorf("%d data keys, want one for the next minute and one for another period", len(dataKeys))
	}
}

// TestKeysAreChecked: what is no key is refused when the engine opens.
func TestKeysAreChecked(t *testing.T) {
	for _, tt := range []struct {
		keys []catalogue.EncryptionKey
		want string
	}{
		{[]catalogue.EncryptionKey{key("", 1)}, "encryption key 1: it has no id"},
		{[]catalogue.EncryptionKey{key("a", 1), {ID: "b", Key: []byte("short")}}, "encryption key 2: b: it has 5 bytes, and a key has 32"},
	} {
		if _, err := catalogue.NewKeyring(tt.keys, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}
