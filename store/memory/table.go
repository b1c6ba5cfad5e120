package memory

import (
	"bytes"
	"context"
	"slices"

	"github.com/steppehq/steppe/store"
)

// table is a sorted part of the store.
type table struct {
	s    *Store
	rows map[string]store.Entry
	keys []string // sorted
	// version is that of the last write.
	version uint64
}

// Table returns the part of that name.
func (s *Store) Table(name string) store.Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[name]
	if t == nil {
		t = &table{s: s, rows: make(map[string]store.Entry)}
		if s.tables == nil {
			s.tables = make(map[string]*table)
		}
		s.tables[name] = t
	}
	return t
}

// Get reads a row.
func (t *table) Get(_ context.Context, key string) (store.Entry, error) {
	unlock, err := t.s.lock()
	if err != nil {
		return store.Entry{}, err
	}
	defer unlock()
	row, ok := t.rows[key]
	if !ok {
		return store.Entry{}, store.ErrNotFound
	}
	row.Value = bytes.Clone(row.Value)
	return row, nil
}

// Scan reads rows in the order of their keys.
func (t *table) Scan(_ context.Context, from, to string, limit int, reverse bool) ([]store.Entry, error) {
	unlock, err := t.s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	first, _ := slices.BinarySearch(t.keys, from)
	last := len(t.keys)
	if to != "" {
		last, _ = slices.BinarySearch(t.keys, to)
	}
	keys := t.keys[first:max(first, last)]
	if limit == 0 || limit > len(keys) {
		limit = len(keys)
	}
	if reverse {
		keys = slices.Clone(keys[len(keys)-limit:])
		slices.Reverse(keys)
	}
	var found []store.Entry
	for _, key := range keys[:limit] {
		row := t.rows[key]
		row.Value = bytes.Clone(row.Value)
		found = append(found, row)
	}
	return found, nil
}

// Write writes rows, all or none.
func (t *table) Write(_ context.Context, edits ...store.Edit) (uint64, error) {
	unlock, err := t.s.lock()
	if err != nil {
		return 0, err
	}
	defer unlock()
	for _, e := range edits {
		if e.Version != store.Blind && t.rows[e.Key].Version != e.Version {
			return 0, store.ErrVersion
		}
	}
	t.version++
	for _, e := range edits {
		i, there := slices.BinarySearch(t.keys, e.Key)
		switch {
		case e.Value != nil:
			t.rows[e.Key] = store.Entry{Key: e.Key, Version: t.version, Value: bytes.Clone(e.Value)}
			if !there {
				t.keys = slices.Insert(t.keys, i, e.Key)
			}
		case there:
			delete(t.rows, e.Key)
			t.keys = slices.Delete(t.keys, i, i+1)
		}
	}
	return t.version, nil
}
