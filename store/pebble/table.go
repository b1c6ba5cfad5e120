package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	cockroach "github.com/cockroachdb/pebble/v2"

	"github.com/steppehq/steppe/store"
)

// prefixTable stands before the length of a table's name, the name, and the key of
// a row. A row is its version, of 8 bytes, and its value.
const prefixTable = 't'

// stripes is how many parts the rows of a table are in. A write holds those of its
// rows while it looks at their versions and enters the log, not while it waits for
// the log's fsync: so others enter the log during the fsync, and one fsync serves all.
const stripes = 64

// rowTable is a sorted part of the store.
type rowTable struct {
	s       *DB
	prefix  []byte
	seed    maphash.Seed
	stripes [stripes]stripe
}

// stripe is a part of the rows of a table.
type stripe struct {
	mu sync.Mutex
	// last is the write that entered the log last: the log is written in order, so
	// all before it are durable when it is.
	last *entered
}

// entered is a write that has entered the log.
type entered struct {
	done chan struct{} // closed when its fsync has ended
	err  error         // of that
}

// wait waits until a write is durable. One that failed leaves the log broken.
func (w *entered) wait() error {
	if w == nil {
		return nil
	}
	<-w.done
	return w.err
}

// Table returns the part of that name.
func (s *DB) Table(name string) store.Table {
	s.parts.Lock()
	defer s.parts.Unlock()
	t := s.part[name]
	if t == nil {
		t = &rowTable{s: s, prefix: append([]byte{prefixTable, byte(len(name))}, name...), seed: maphash.MakeSeed()}
		if s.part == nil {
			s.part = make(map[string]*rowTable)
		}
		s.part[name] = t
	}
	return t
}

// key is the key of a row in the database.
func (t *rowTable) key(row string) []byte {
	b := make([]byte, 0, len(t.prefix)+len(row))
	return append(append(b, t.prefix...), row...)
}

// stripe is the number of the stripe that has a row.
func (t *rowTable) stripe(row string) int { return int(maphash.String(t.seed, row) % stripes) }

// Get reads a row.
func (t *rowTable) Get(_ context.Context, key string) (store.Entry, error) {
	if !t.s.enter() {
		return store.Entry{}, store.ErrClosed
	}
	defer t.s.leave()
	part := &t.stripes[t.stripe(key)]
	part.mu.Lock()
	v, err := t.s.get(t.key(key))
	last := part.last
	part.mu.Unlock()
	if err == nil || errors.Is(err, store.ErrNotFound) {
		if err := last.wait(); err != nil {
			return store.Entry{}, err
		}
	}
	if err != nil {
		return store.Entry{}, err
	}
	return decodeEntry(key, v)
}

// Scan reads rows in the order of their keys.
func (t *rowTable) Scan(_ context.Context, from, to string, limit int, reverse bool) ([]store.Entry, error) {
	if !t.s.enter() {
		return nil, store.ErrClosed
	}
	defer t.s.leave()
	upper := after(t.prefix)
	if to != "" {
		upper = t.key(to)
	}
	var found []store.Entry
	err := t.s.scan(t.key(from), upper, reverse, func(key, v []byte) (bool, error) {
		entry, err := decodeEntry(string(key[len(t.prefix):]), v)
		if err != nil {
			return false, err
		}
		found = append(found, entry)
		return limit == 0 || len(found) < limit, nil
	})
	if err != nil {
		return nil, err
	}
	return found, t.settled()
}

// settled waits until what has entered the log is durable.
func (t *rowTable) settled() error {
	for i := range t.stripes {
		part := &t.stripes[i]
		part.mu.Lock()
		last := part.last
		part.mu.Unlock()
		if err := last.wait(); err != nil {
			return err
		}
	}
	return nil
}

// Write writes rows, all or none, durably.
func (t *rowTable) Write(_ context.Context, edits ...store.Edit) error {
	if !t.s.enter() {
		return store.ErrClosed
	}
	defer t.s.leave()
	if grows(edits) && t.s.space.full(t.s.log) {
		return store.ErrFull
	}
	batch := t.s.db.NewBatch()
	w := &entered{done: make(chan struct{})}
	if err := t.enterLog(batch, w, edits); err != nil {
		return errors.Join(err, batch.Close())
	}
	if t.s.sync.Sync {
		if err := batch.SyncWait(); err != nil {
			w.err = fmt.Errorf("%w: %w", store.ErrUnknown, err)
		}
	}
	close(w.done)
	if err := batch.Close(); w.err == nil && err != nil {
		return wrap(err)
	}
	return w.err
}

// grows reports whether edits write something: what deletes makes space.
func grows(edits []store.Edit) bool {
	return slices.ContainsFunc(edits, func(e store.Edit) bool { return e.Value != nil })
}

// enterLog holds the versions of the rows against the edits, and writes these into
// the log and for readers to see.
func (t *rowTable) enterLog(batch *cockroach.Batch, w *entered, edits []store.Edit) error {
	var few [4]int
	parts := few[:0]
	for i := range edits {
		parts = append(parts, t.stripe(edits[i].Key))
	}
	slices.Sort(parts) // in one order, so that two writes never wait for each other
	parts = slices.Compact(parts)
	for _, i := range parts {
		t.stripes[i].mu.Lock()
	}
	defer func() {
		for _, i := range parts {
			t.stripes[i].mu.Unlock()
		}
	}()
	for i := range edits {
		if err := t.edit(batch, &edits[i]); err != nil {
			return err
		}
	}
	var err error
	if t.s.sync.Sync {
		err = t.s.db.ApplyNoSyncWait(batch, t.s.sync)
	} else {
		err = t.s.db.Apply(batch, t.s.sync)
	}
	if err != nil {
		return fmt.Errorf("store: write a table: %w", err)
	}
	for _, i := range parts {
		t.stripes[i].last = w
	}
	return nil
}

// version is that of a row, 0 for one that is not there. It does not copy the value.
func (t *rowTable) version(key []byte) (uint64, error) {
	v, closer, err := t.s.db.Get(key)
	switch {
	case errors.Is(err, cockroach.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, readError(err)
	case len(v) < 8:
		return 0, errors.Join(errCorrupt, closer.Close())
	}
	version := bigEndian(v[:8])
	return version, closer.Close()
}

// edit adds an edit to the batch if its row has the version it names.
func (t *rowTable) edit(batch *cockroach.Batch, e *store.Edit) error {
	key := t.key(e.Key)
	version, err := t.version(key)
	if err != nil {
		return err
	}
	if e.Version != store.Blind && e.Version != version {
		return store.ErrVersion
	}
	if e.Value == nil {
		return batch.Delete(key, nil)
	}
	op := batch.SetDeferred(len(key), 8+len(e.Value))
	copy(op.Key, key)
	binary.BigEndian.PutUint64(op.Value, version+1)
	copy(op.Value[8:], e.Value)
	return op.Finish()
}
