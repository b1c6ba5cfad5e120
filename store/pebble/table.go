package pebble

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/steppehq/steppe/store"
)

// prefixTable stands before the length of a table's name, the name, and the key of
// a row. A row is its version, of 8 bytes, and its value.
const prefixTable = 't'

// prefixCeiling stands before the length of a table's name and the name. The value
// is a version, of 8 bytes, that none of the table's writes is above.
const prefixCeiling = 'u'

// rowTable is a sorted part of the store.
type rowTable struct {
	s       *DB
	prefix  []byte // of the keys of rows
	ceiling []byte // key of the ceiling

	mu      sync.Mutex
	filling *group // takes the writes that come, nil until one comes

	// turn belongs to the goroutine whose group enters the log.
	turn sync.Mutex
	turned

	// A reader looks at these after it has looked at the rows: what it has seen was
	// written by last or before it.
	last    atomic.Pointer[group] // the group that entered the log last, or enters it
	deleted atomic.Uint64         // version of the last write that deletes a row
	durable atomic.Uint64         // up to which version all writes are
}

// Table returns the part of that name.
func (s *DB) Table(name string) store.Table {
	s.parts.Lock()
	defer s.parts.Unlock()
	t := s.part[name]
	if t == nil {
		named := append([]byte{byte(len(name))}, name...)
		t = &rowTable{s: s, prefix: append([]byte{prefixTable}, named...), ceiling: append([]byte{prefixCeiling}, named...)}
		if s.part == nil {
			s.part = make(map[string]*rowTable)
		}
		s.part[name] = t
	}
	return t
}

// key is the key of a row in the database.
func (t *rowTable) key(row string) []byte {
	return t.appendKey(make([]byte, 0, len(t.prefix)+len(row)), row)
}

func (t *rowTable) appendKey(b []byte, row string) []byte {
	return append(append(b, t.prefix...), row...)
}

// Get reads a row.
func (t *rowTable) Get(_ context.Context, key string) (store.Entry, error) {
	if !t.s.enter() {
		return store.Entry{}, store.ErrClosed
	}
	defer t.s.leave()
	v, err := t.s.get(t.key(key))
	if errors.Is(err, store.ErrNotFound) {
		if err := t.settle(t.deleted.Load()); err != nil {
			return store.Entry{}, err
		}
	}
	if err != nil {
		return store.Entry{}, err
	}
	entry, err := decodeEntry(key, v)
	if err == nil {
		err = t.settle(entry.Version)
	}
	if err != nil {
		return store.Entry{}, err
	}
	return entry, nil
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
	var newest uint64
	err := t.s.scan(t.key(from), upper, reverse, func(key, v []byte) (bool, error) {
		entry, err := decodeEntry(string(key[len(t.prefix):]), v)
		if err != nil {
			return false, err
		}
		found = append(found, entry)
		newest = max(newest, entry.Version)
		return limit == 0 || len(found) < limit, nil
	})
	if err == nil {
		err = t.settle(max(newest, t.deleted.Load()))
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// settle waits until what a reader has seen, which is of a version at most, is
// durable. A row of an earlier run always is, and last is nil until the table is
// written.
func (t *rowTable) settle(version uint64) error {
	if version <= t.durable.Load() {
		return nil
	}
	return t.last.Load().wait()
}
