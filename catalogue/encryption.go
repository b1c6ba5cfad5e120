package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/steppehq/steppe/store"
)

// Encryption says which customer's key encrypts payloads, in the words of the
// API's EncryptionConfiguration.
type Encryption struct {
	KeyID string `json:"kmsKeyId"`
	Reuse int64  `json:"kmsDataKeyReusePeriodSeconds"` // of a data key
}

// KeyError reports that payloads cannot be read or written because their
// customer's key is not there.
type KeyError struct {
	// ID is the kmsKeyId.
	ID string
	// Other reports that there is a key of that ID, but not the one that the
	// payloads are encrypted with.
	Other bool
}

// Error names the key.
func (e *KeyError) Error() string {
	if e.Other {
		return fmt.Sprintf("the encryption key '%s' is another one than that with which this was encrypted", e.ID)
	}
	return fmt.Sprintf("the encryption key '%s' is missing", e.ID)
}

// EncryptionOf reads an encryption configuration: nil when nothing is to be
// encrypted, which is always so for an engine that was given no keys.
// [*KeyError].
func (c *Catalogue) EncryptionOf(configuration json.RawMessage) (*Encryption, error) {
	if len(configuration) == 0 || c.keys == nil {
		return nil, nil
	}
	with := new(Encryption)
	if err := json.Unmarshal(configuration, with); err != nil {
		return nil, fmt.Errorf("catalogue: encryption configuration: %w", err)
	}
	return with, c.NeedKey(with)
}

// NeedKey is a [*KeyError] when the key is not there.
func (c *Catalogue) NeedKey(with *Encryption) error {
	if with == nil || c.keys.has(with.KeyID) {
		return nil
	}
	return &KeyError{ID: with.KeyID}
}

// CheckEncryption reports whether the key of an encryption configuration is there,
// for an account. [*KeyError].
func (c *Catalogue) CheckEncryption(account string, configuration json.RawMessage) error {
	_, err := c.EncryptionFor(account, configuration)
	return err
}

// EncryptionFor is encryptionOf for an account: the key of another one is not
// there. [*KeyError].
func (c *Catalogue) EncryptionFor(account string, configuration json.RawMessage) (*Encryption, error) {
	with, err := c.EncryptionOf(configuration)
	if err == nil && with != nil && !c.keys.serves(with.KeyID, account) {
		err = &KeyError{ID: with.KeyID}
	}
	return with, err
}

// warnPlain warns operators of a configuration that an engine without keys keeps
// and does not follow.
func (c *Catalogue) warnPlain(arn string, configuration json.RawMessage) {
	if len(configuration) > 0 && c.keys == nil {
		c.log.Warn("no encryption keys were given: what is stored for this is not encrypted, although its configuration names a key", slog.String("arn", arn))
	}
}

// MissingKey is the error of what is encrypted with a key that is not there.
func (c *Catalogue) MissingKey(with *Encryption) error {
	if with == nil {
		return ErrDamaged // what is not encrypted looks as if it were
	}
	return &KeyError{ID: with.KeyID, Other: c.keys.has(with.KeyID)}
}

// definition is what the store keeps of a definition: the text, or the text
// encrypted.
type definition struct {
	Definition string
	Sealed     []byte `json:",omitempty"`
}

// sealDefinition is how a definition is kept in a catalogue entry. [*KeyError].
func (c *Catalogue) sealDefinition(key, text string, configuration json.RawMessage) (definition, error) {
	with, err := c.EncryptionOf(configuration)
	if err != nil || with == nil {
		return definition{Definition: text}, err
	}
	b := append(make([]byte, SealedHead, SealedHead+len(text)+tagSize), text...)
	return definition{Sealed: c.keys.Seal(b, *with, append([]byte("c"), key...), c.Now())}, nil
}

// openDefinition returns the text of a definition that is kept in a catalogue
// entry; locked is the [*KeyError] of one whose key is not there.
func (c *Catalogue) openDefinition(key string, d definition, configuration json.RawMessage) (text string, locked, err error) {
	if len(d.Sealed) == 0 {
		return d.Definition, nil, nil
	}
	opened, err := c.keys.Open(d.Sealed, append([]byte("c"), key...))
	if err == nil {
		return string(opened), nil, nil
	}
	var with Encryption
	if errors.Is(err, ErrNoKey) {
		if err = json.Unmarshal(configuration, &with); err == nil {
			return "", c.MissingKey(&with), nil
		}
	}
	return "", nil, fmt.Errorf("catalogue: catalogue entry %q: %w", key, err)
}

// definitionEntry is what a machine's and a revision's entry have in common.
type definitionEntry struct {
	definition
	Encryption json.RawMessage
}

// eachDefinition visits the catalogue's entries that have definitions.
func (c *Catalogue) eachDefinition(ctx context.Context, visit func(store.Entry) error) error {
	for _, prefix := range []string{machinePrefix, revisionPrefix} {
		if err := c.eachEntry(ctx, prefix, visit); err != nil {
			return err
		}
	}
	return nil
}

// EachUnreadable visits the errors of the definitions that cannot be read:
// [*KeyError] for one whose key is not there.
func (c *Catalogue) EachUnreadable(ctx context.Context, visit func(error)) error {
	return c.eachDefinition(ctx, func(entry store.Entry) error {
		var kept definitionEntry
		err := DecodeEntry(entry, &kept)
		if err == nil {
			_, locked, opened := c.openDefinition(entry.Key, kept.definition, kept.Encryption)
			err = errors.Join(locked, opened)
		}
		if err != nil {
			visit(err)
		}
		return nil
	})
}

// Reencrypt encrypts the definitions that were kept before their key was
// there, or was the first of its id. Histories stay as they are: they are
// forgotten some day, and definitions are not.
func (c *Catalogue) Reencrypt(ctx context.Context) error {
	if c.keys == nil {
		return nil
	}
	return c.eachDefinition(ctx, func(entry store.Entry) error {
		encoded, err := c.encryptedAnew(entry)
		if _, missing := errors.AsType[*KeyError](err); err != nil && !missing {
			c.log.Error("encrypt a definition", slog.Any("error", err)) // a caller who needs it receives it too
		}
		if err != nil || encoded == nil {
			return nil
		}
		err = c.Put(ctx, store.Edit{Key: entry.Key, Version: entry.Version, Value: encoded})
		if errors.Is(err, store.ErrVersion) { // another goroutine has changed it
			return nil
		}
		return err
	})
}

// encryptedAnew is what an entry is to be, nil when it is that already.
// [*KeyError].
func (c *Catalogue) encryptedAnew(entry store.Entry) ([]byte, error) {
	var kept definitionEntry
	if err := DecodeEntry(entry, &kept); err != nil {
		return nil, err
	}
	with, err := c.EncryptionOf(kept.Encryption)
	if err != nil || with == nil || c.keys.current(with, kept.Sealed) {
		return nil, err
	}
	text, locked, err := c.openDefinition(entry.Key, kept.definition, kept.Encryption)
	if err = errors.Join(locked, err); err != nil {
		return nil, err
	}
	anew, err := c.sealDefinition(entry.Key, text, kept.Encryption)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := DecodeEntry(entry, &members); err != nil {
		return nil, err
	}
	delete(members, "Definition")
	members["Sealed"], _ = json.Marshal(anew.Sealed) // bytes
	return json.Marshal(members)
}
