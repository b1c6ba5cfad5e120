package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
)

// encryption says which customer's key encrypts payloads, in the words of the
// API's EncryptionConfiguration.
type encryption struct {
	KeyID string `json:"kmsKeyId"`
	Reuse int64  `json:"kmsDataKeyReusePeriodSeconds"` // of a data key
}

// KeyError tells that payloads cannot be read or written because their
// customer's key is not there.
type KeyError struct {
	// ID is the kmsKeyId.
	ID string
	// Other tells that there is a key of that ID, but not the one that the
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

// encryptionOf reads an encryption configuration: nil when nothing is to be
// encrypted, which is always so for an engine that was given no keys.
// [*KeyError].
func (e *Engine) encryptionOf(configuration json.RawMessage) (*encryption, error) {
	if len(configuration) == 0 || e.keys == nil {
		return nil, nil
	}
	with := new(encryption)
	if err := json.Unmarshal(configuration, with); err != nil {
		return nil, fmt.Errorf("engine: encryption configuration: %w", err)
	}
	return with, e.needKey(with)
}

// needKey is a [*KeyError] when the key is not there.
func (e *Engine) needKey(with *encryption) error {
	if with == nil || e.keys.has(with.KeyID) {
		return nil
	}
	return &KeyError{ID: with.KeyID}
}

// CheckEncryption tells whether the key of an encryption configuration is there,
// for an account. [*KeyError].
func (e *Engine) CheckEncryption(account string, configuration json.RawMessage) error {
	_, err := e.encryptionFor(account, configuration)
	return err
}

// encryptionFor is encryptionOf for an account: the key of another one is not
// there. [*KeyError].
func (e *Engine) encryptionFor(account string, configuration json.RawMessage) (*encryption, error) {
	with, err := e.encryptionOf(configuration)
	if err == nil && with != nil && !e.keys.serves(with.KeyID, account) {
		err = &KeyError{ID: with.KeyID}
	}
	return with, err
}

// warnPlain tells operators of a configuration that an engine without keys keeps
// and does not follow.
func (e *Engine) warnPlain(arn string, configuration json.RawMessage) {
	if len(configuration) > 0 && e.keys == nil {
		e.log.Warn("no encryption keys were given: what is stored for this is not encrypted, although its configuration names a key", slog.String("arn", arn))
	}
}

// awaitKey tells operators, once for each key, that executions wait for one that
// is missing. They do so until an engine has it.
func (e *Engine) awaitKey(missing *KeyError) {
	if _, told := e.awaited.LoadOrStore(*missing, true); !told {
		e.log.Error("executions wait until the server is started with their encryption key", slog.String("kmsKeyId", missing.ID), slog.Any("error", missing))
	}
}

// chunkPlace is the place of an encrypted chunk.
func chunkPlace(id store.ExecutionID, first int64) []byte {
	b := append(make([]byte, 0, 1+len(id)+8), 'h')
	return binary.BigEndian.AppendUint64(append(b, id[:]...), uint64(first))
}

// encodeChunk appends a chunk of an execution to dst, which is empty. If it is to
// be encrypted, the key must be there.
func (e *Engine) encodeChunk(dst []byte, with *encryption, id store.ExecutionID, events []history.Event) []byte {
	if with == nil {
		return history.Encode(dst, events)
	}
	b := history.Encode(append(dst, make([]byte, sealedHead)...), events)
	return e.keys.seal(b, *with, chunkPlace(id, events[0].ID), e.Now())
}

// decodeChunk reads a chunk of an execution and appends its events to events.
// [*KeyError].
func (e *Engine) decodeChunk(ctx context.Context, events []history.Event, id store.ExecutionID, chunk *store.Chunk) ([]history.Event, error) {
	data, err := chunk.Data, error(nil)
	if sealed(data) {
		data, err = e.keys.open(data, chunkPlace(id, chunk.First))
	}
	if err == nil {
		if events, err = history.Decode(events, data); err == nil {
			return events, nil
		}
	}
	if !errors.Is(err, errNoKey) {
		return events, fmt.Errorf("events %d to %d: %w", chunk.First, chunk.Last, damaged(err))
	}
	record, err := e.store.Execution(ctx, id)
	if err != nil {
		return events, err
	}
	m, err := decodeMeta(record.Meta)
	if err != nil {
		return events, err
	}
	return events, e.missing(m.Encryption)
}

// missing is the error of what is encrypted with a key that is not there.
func (e *Engine) missing(with *encryption) error {
	if with == nil {
		return errDamaged // what is not encrypted looks as if it were
	}
	return &KeyError{ID: with.KeyID, Other: e.keys.has(with.KeyID)}
}

// definition is what the store keeps of a definition: the text, or the text
// encrypted.
type definition struct {
	Definition string
	Sealed     []byte `json:",omitempty"`
}

// sealDefinition is how a definition is kept in a catalogue entry. [*KeyError].
func (e *Engine) sealDefinition(key, text string, configuration json.RawMessage) (definition, error) {
	with, err := e.encryptionOf(configuration)
	if err != nil || with == nil {
		return definition{Definition: text}, err
	}
	b := append(make([]byte, sealedHead, sealedHead+len(text)+tagSize), text...)
	return definition{Sealed: e.keys.seal(b, *with, append([]byte("c"), key...), e.Now())}, nil
}

// openDefinition gives the text of a definition that is kept in a catalogue
// entry; locked is the [*KeyError] of one whose key is not there.
func (e *Engine) openDefinition(key string, d definition, configuration json.RawMessage) (text string, locked, err error) {
	if len(d.Sealed) == 0 {
		return d.Definition, nil, nil
	}
	opened, err := e.keys.open(d.Sealed, append([]byte("c"), key...))
	if err == nil {
		return string(opened), nil, nil
	}
	var with encryption
	if errors.Is(err, errNoKey) {
		if err = json.Unmarshal(configuration, &with); err == nil {
			return "", e.missing(&with), nil
		}
	}
	return "", nil, fmt.Errorf("engine: catalogue entry %q: %w", key, err)
}

// definitionEntry is what a machine's and a revision's entry have in common.
type definitionEntry struct {
	definition
	Encryption json.RawMessage
}

// eachDefinition visits the catalogue's entries that have definitions.
func (e *Engine) eachDefinition(ctx context.Context, visit func(store.Entry) error) error {
	for _, prefix := range []string{machinePrefix, revisionPrefix} {
		if err := e.eachEntry(ctx, prefix, visit); err != nil {
			return err
		}
	}
	return nil
}

// encryptAnew encrypts the definitions that were kept before their key was
// there, or was the first of its id. Histories stay as they are: they are
// forgotten some day, and definitions are not.
func (e *Engine) encryptAnew(ctx context.Context) error {
	if e.keys == nil {
		return nil
	}
	return e.eachDefinition(ctx, func(entry store.Entry) error {
		encoded, err := e.encryptedAnew(entry)
		if _, missing := errors.AsType[*KeyError](err); err != nil && !missing {
			e.log.Error("encrypt a definition", slog.Any("error", err)) // who needs it is told too
		}
		if err != nil || encoded == nil {
			return nil
		}
		err = e.put(ctx, store.Edit{Key: entry.Key, Version: entry.Version, Value: encoded})
		if errors.Is(err, store.ErrVersion) { // somebody else has changed it
			return nil
		}
		return err
	})
}

// encryptedAnew is what an entry is to be, nil when it is that already.
// [*KeyError].
func (e *Engine) encryptedAnew(entry store.Entry) ([]byte, error) {
	var kept definitionEntry
	if err := decodeEntry(entry, &kept); err != nil {
		return nil, err
	}
	with, err := e.encryptionOf(kept.Encryption)
	if err != nil || with == nil || e.keys.current(with, kept.Sealed) {
		return nil, err
	}
	text, locked, err := e.openDefinition(entry.Key, kept.definition, kept.Encryption)
	if err = errors.Join(locked, err); err != nil {
		return nil, err
	}
	anew, err := e.sealDefinition(entry.Key, text, kept.Encryption)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := decodeEntry(entry, &members); err != nil {
		return nil, err
	}
	delete(members, "Definition")
	members["Sealed"], _ = json.Marshal(anew.Sealed) // bytes
	return json.Marshal(members)
}
