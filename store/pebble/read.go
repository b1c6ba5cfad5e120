package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/store"
)

// Execution reads the record of an execution.
func (s *DB) Execution(_ context.Context, id store.ExecutionID) (*store.Record, error) {
	if !s.enter() {
		return nil, store.ErrClosed
	}
	defer s.leave()
	r, err := s.execution(id)
	if err != nil {
		return nil, err
	}
	return &r.Record, nil
}

func (s *DB) execution(id store.ExecutionID) (*record, error) {
	v, err := s.get(recordKey(id))
	if err != nil {
		return nil, err
	}
	return s.upToDate(id, v)
}

// upToDate reads a record, of which v is what stands under its own key.
func (s *DB) upToDate(id store.ExecutionID, v []byte) (*record, error) {
	r, err := decodeRecord(id, v)
	if err != nil || r.Status != store.Running {
		return r, err
	}
	// The steps of a running execution do not touch its record.
	if v, err = s.get(runningKey(id)); errors.Is(err, store.ErrNotFound) {
		return s.ended(id)
	}
	if err != nil {
		return nil, err
	}
	running, _, err := decodeRunning(id, v)
	r.Last = running.Last
	return r, err
}

// Executions reads the records of all executions in the order of their ids.
func (s *DB) Executions(_ context.Context, after store.ExecutionID, limit int) ([]store.Record, error) {
	if !s.enter() {
		return nil, store.ErrClosed
	}
	defer s.leave()
	lower := append(recordKey(after), 0)
	if after == (store.ExecutionID{}) {
		lower = []byte{prefixRecord}
	}
	var found []store.Record
	err := s.scan(lower, []byte{prefixRecord + 1}, false, func(key, v []byte) (bool, error) {
		id := store.ExecutionID(key[1:])
		r, err := s.upToDate(id, bytes.Clone(v))
		if errors.Is(err, store.ErrNotFound) {
			return true, nil // forgotten since
		}
		if err != nil {
			return false, err
		}
		found = append(found, r.Record)
		return limit == 0 || len(found) < limit, nil
	})
	return found, err
}

// ended reads the record of an execution that ended between two reads.
func (s *DB) ended(id store.ExecutionID) (*record, error) {
	v, err := s.get(recordKey(id))
	if err != nil {
		return nil, err
	}
	return decodeRecord(id, v)
}

// Lookup finds the newest execution of that name.
func (s *DB) Lookup(_ context.Context, key store.NameKey) (store.ExecutionID, error) {
	if !s.enter() {
		return store.ExecutionID{}, store.ErrClosed
	}
	defer s.leave()
	v, err := s.get(nameKey(key))
	if err != nil {
		return store.ExecutionID{}, err
	}
	if len(v) != len(store.ExecutionID{}) {
		return store.ExecutionID{}, errCorrupt
	}
	return store.ExecutionID(v), nil
}

// Names reads names of a scope.
func (s *DB) Names(_ context.Context, scope store.Scope, prefix, from string, limit int) ([]store.Named, error) {
	if !s.enter() {
		return nil, store.ErrClosed
	}
	defer s.leave()
	lower := nameKey(store.NameKey{Scope: scope, Name: prefix})
	upper := after(lower)
	if from >= prefix && from != "" {
		lower = append(nameKey(store.NameKey{Scope: scope, Name: from}), 0)
	}
	var found []store.Named
	err := s.scan(lower, upper, false, func(key, v []byte) (bool, error) {
		if len(v) != len(store.ExecutionID{}) {
			return false, errCorrupt
		}
		found = append(found, store.Named{Name: string(key[1+len(scope):]), ID: store.ExecutionID(v)})
		return limit == 0 || len(found) < limit, nil
	})
	return found, err
}

// History reads chunks of an execution.
func (s *DB) History(_ context.Context, id store.ExecutionID, from int64, limit int, reverse bool) ([]store.Chunk, error) {
	if !s.enter() {
		return nil, store.ErrClosed
	}
	defer s.leave()
	lower, upper := chunkKey(id, 0), chunkKey(id, -1)
	if reverse {
		upper = chunkKey(id, from+1)
	} else if from > 1 {
		if first, err := s.chunkWith(id, from); err != nil {
			return nil, err
		} else if first > 0 {
			lower = chunkKey(id, first)
		}
	}
	var chunks []store.Chunk
	err := s.scan(lower, upper, reverse, func(key, v []byte) (bool, error) {
		chunk, err := decodeChunk(int64(bigEndian(key[len(key)-8:])), v)
		if err != nil {
			return false, err
		}
		if reverse || chunk.Last >= from {
			chunks = append(chunks, chunk)
		}
		return limit == 0 || len(chunks) < limit, nil
	})
	return chunks, err
}

// chunkWith returns the first event of the chunk that begins at or before an
// event, 0 when there is none.
func (s *DB) chunkWith(id store.ExecutionID, event int64) (int64, error) {
	var first int64
	err := s.scan(chunkKey(id, 0), chunkKey(id, event+1), true, func(key, _ []byte) (bool, error) {
		first = int64(bigEndian(key[len(key)-8:]))
		return false, nil
	})
	return first, err
}

// Get reads a catalogue entry.
func (s *DB) Get(_ context.Context, key string) (store.Entry, error) {
	if !s.enter() {
		return store.Entry{}, store.ErrClosed
	}
	defer s.leave()
	return s.entry(key)
}

func (s *DB) entry(key string) (store.Entry, error) {
	v, err := s.get(catalogueKey(key))
	if err != nil {
		return store.Entry{}, err
	}
	return decodeEntry(key, v)
}

// decodeEntry reads the version and the value of an entry or a row.
func decodeEntry(key string, v []byte) (store.Entry, error) {
	if len(v) < 8 {
		return store.Entry{}, errCorrupt
	}
	return store.Entry{Key: key, Version: bigEndian(v[:8]), Value: bytes.Clone(v[8:])}, nil
}

// Scan reads catalogue entries in the order of their keys.
func (s *DB) Scan(_ context.Context, prefix, from string, limit int) ([]store.Entry, error) {
	if !s.enter() {
		return nil, store.ErrClosed
	}
	defer s.leave()
	lower := catalogueKey(prefix)
	if from >= prefix && from != "" {
		lower = append(catalogueKey(from), 0)
	}
	var found []store.Entry
	err := s.scan(lower, after(catalogueKey(prefix)), false, func(key, v []byte) (bool, error) {
		entry, err := decodeEntry(string(key[1:]), v)
		if err != nil {
			return false, err
		}
		found = append(found, entry)
		return limit == 0 || len(found) < limit, nil
	})
	return found, err
}

// Put writes catalogue entries, all or none, durably.
func (s *DB) Put(_ context.Context, edits ...store.Edit) error {
	if !s.enter() {
		return store.ErrClosed
	}
	defer s.leave()
	s.catalogue.Lock()
	defer s.catalogue.Unlock()
	batch := s.db.NewBatch()
	defer batch.Close() //nolint:errcheck // it was committed, or is to be forgotten
	for _, e := range edits {
		old, err := s.entry(e.Key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if old.Version != e.Version {
			return store.ErrVersion
		}
		if e.Value == nil {
			err = batch.Delete(catalogueKey(e.Key), nil)
		} else {
			err = batch.Set(catalogueKey(e.Key), append(appendUint64(nil, e.Version+1), e.Value...), nil)
		}
		if err != nil {
			return wrap(err)
		}
	}
	if err := batch.Commit(s.sync); err != nil {
		return fmt.Errorf("store: write the catalogue: %w", err)
	}
	return nil
}
