package catalogue

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// EncryptionKey is a customer's key. It stays outside of the store.
type EncryptionKey struct {
	// ID is the kmsKeyId of the encryption configurations that name the key, as
	// it is written there. Of several keys with one ID the first encrypts; all
	// of them decrypt.
	ID string
	// Account is whose the key is: others' configurations that name it are refused
	// as those that name no key. "" stands for the account of an ID that is an ARN,
	// and otherwise for all accounts.
	Account string
	// Key is 32 random bytes.
	Key []byte
}

// encryptionKeySize is that of AES-256.
const encryptionKeySize = 32

// Check reports what is wrong with the key.
func (k *EncryptionKey) Check() error {
	switch {
	case k.ID == "":
		return errors.New("it has no id; the id is what kmsKeyId says")
	case len(k.Key) != encryptionKeySize:
		return fmt.Errorf("%s: it has %d bytes, and a key has %d", k.ID, len(k.Key), encryptionKeySize)
	}
	return nil
}

// The stored form of what is encrypted:
//
//	version (1 byte): one that a chunk of package history never has
//	which customer's key: the beginning of a hash of it (8)
//	data key, encrypted with the customer's key: nonce (12), key (32), tag (16)
//	nonce of the data: a count (8)
//	data, encrypted with the data key, and its tag (16)
//
// All encryption is AES-256-GCM. A data key lives in the memory of one engine,
// is never used for longer than the configuration allows, and counts what it
// encrypts: so no nonce comes twice, whatever happens to a commit. The place
// where the data stands is authenticated with it: it cannot be put elsewhere.
const (
	sealedVersion = 0x81
	printSize     = 8
	nonceSize     = 12
	tagSize       = 16
	wrappedSize   = nonceSize + encryptionKeySize + tagSize
	countAt       = 1 + printSize + wrappedSize
	// SealedHead is the room before the data.
	SealedHead = countAt + 8
)

// fingerprint distinguishes customers' keys without revealing anything of them.
type fingerprint [printSize]byte

// ErrNoKey reports that the key of something encrypted is not there, errDamaged
// that it is, and yet the data cannot be read.
var (
	ErrNoKey   = errors.New("catalogue: encrypted with a key that is not there")
	ErrDamaged = errors.New("catalogue: what is encrypted here is damaged, or belongs elsewhere")
)

// Sealed reports whether data is encrypted.
func Sealed(data []byte) bool { return len(data) > 0 && data[0] == sealedVersion }

// Keyring holds the customers' keys of an engine, and the data keys that are in
// use. They do not change. A nil one has no key.
type Keyring struct {
	random  func([]byte)
	first   map[string]*customerKey // by ID: the ones that encrypt
	byPrint map[fingerprint]*customerKey

	mu       sync.Mutex
	dataKeys map[Encryption]*dataKey
}

// customerKey encrypts data keys.
type customerKey struct {
	account string // "": all
	print   fingerprint
	aead    cipher.AEAD
}

// dataKey encrypts data for some time.
type dataKey struct {
	head  [countAt]byte // all that stands before the count
	aead  cipher.AEAD
	until time.Time
	count uint64
}

// NewKeyring checks keys. Without any there is no keyring, which is no error.
func NewKeyring(keys []EncryptionKey, random func([]byte)) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	ring := &Keyring{
		random: random, first: make(map[string]*customerKey), byPrint: make(map[fingerprint]*customerKey),
		dataKeys: make(map[Encryption]*dataKey),
	}
	for i := range keys {
		k := &keys[i]
		if err := k.Check(); err != nil {
			return nil, fmt.Errorf("catalogue: encryption key %d: %w", i+1, err)
		}
		sum := sha256.Sum256(append([]byte("fingerprint\x00"), k.Key...))
		c := &customerKey{account: k.owner(), print: fingerprint(sum[:]), aead: newGCM(k.Key)}
		ring.byPrint[c.print] = c
		if ring.first[k.ID] == nil {
			ring.first[k.ID] = c
		}
	}
	return ring, nil
}

// newGCM makes the cipher of a key of the right size, which cannot fail.
func newGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// current reports whether something is encrypted with the key that encrypts.
func (ring *Keyring) current(with *Encryption, b []byte) bool {
	return Sealed(b) && len(b) >= countAt && ring.first[with.KeyID].print == fingerprint(b[1:])
}

// owner is the account of the key, "" for all.
func (k *EncryptionKey) owner() string {
	// arn:PARTITION:kms:REGION:ACCOUNT:key/ID
	if parts := strings.SplitN(k.ID, ":", 6); k.Account == "" && len(parts) == 6 && parts[0] == "arn" {
		return parts[4]
	}
	return k.Account
}

// serves reports whether there is a key of that ID that an account may use.
func (ring *Keyring) serves(id, account string) bool {
	return ring.has(id) && (ring.first[id].account == "" || ring.first[id].account == account)
}

// has reports whether there is a key of that ID.
func (ring *Keyring) has(id string) bool { return ring != nil && ring.first[id] != nil }

// Seal encrypts, in its place, what b has after sealedHead bytes of room, which
// get what is needed to read it. The key must be there.
func (ring *Keyring) Seal(b []byte, with Encryption, place []byte, now time.Time) []byte {
	aead, count := ring.next(with, now, b)
	binary.BigEndian.PutUint64(b[countAt:], count)
	nonce := nonceOf(b)
	return aead.Seal(b[:SealedHead], nonce[:], b[SealedHead:], place)
}

// nonceOf is the nonce of what is encrypted: its count.
func nonceOf(b []byte) (nonce [nonceSize]byte) {
	copy(nonce[nonceSize-8:], b[countAt:SealedHead])
	return nonce
}

// next returns the data key in use with a count that it has not had, and writes
// what stands before the count.
func (ring *Keyring) next(with Encryption, now time.Time, b []byte) (cipher.AEAD, uint64) {
	ring.mu.Lock()
	defer ring.mu.Unlock()
	d := ring.dataKeys[with]
	if d == nil || !now.Before(d.until) {
		d = ring.newDataKey(ring.first[with.KeyID])
		d.until = now.Add(time.Duration(with.Reuse) * time.Second)
		ring.dataKeys[with] = d
	}
	d.count++
	copy(b, d.head[:])
	return d.aead, d.count
}

// wrapping is authenticated with a data key, so that nothing else that a
// customer's key may have encrypted is taken for one.
var wrapping = []byte("steppe data key")

func (ring *Keyring) newDataKey(c *customerKey) *dataKey {
	var key [encryptionKeySize]byte
	ring.random(key[:])
	d := &dataKey{aead: newGCM(key[:])}
	d.head[0] = sealedVersion
	copy(d.head[1:], c.print[:])
	nonce := d.head[1+printSize:][:nonceSize]
	ring.random(nonce)
	c.aead.Seal(d.head[1+printSize+nonceSize:][:0], nonce, key[:], wrapping)
	return d
}

// Open decrypts, into memory of its own, what seal made for the place. errNoKey,
// errDamaged.
func (ring *Keyring) Open(b, place []byte) ([]byte, error) {
	if len(b) < SealedHead+tagSize {
		return nil, ErrDamaged
	}
	if ring == nil {
		return nil, ErrNoKey
	}
	c := ring.byPrint[fingerprint(b[1:])]
	if c == nil {
		return nil, ErrNoKey
	}
	wrapped := b[1+printSize : countAt]
	key, err := c.aead.Open(nil, wrapped[:nonceSize], wrapped[nonceSize:], wrapping)
	if err != nil {
		return nil, ErrDamaged
	}
	nonce := nonceOf(b)
	data, err := newGCM(key).Open(nil, nonce[:], b[SealedHead:], place)
	if err != nil {
		return nil, ErrDamaged
	}
	return data, nil
}
