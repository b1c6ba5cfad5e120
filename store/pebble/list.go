package pebble

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"

	cockroach "github.com/cockroachdb/pebble/v2"

	"github.com/steppehq/steppe/store"
)

var allStatuses = []store.Status{store.Running, store.Succeeded, store.Failed, store.TimedOut, store.Aborted}

// List returns executions, newest start first.
func (s *DB) List(_ context.Context, q store.ListQuery) (page []store.Record, more bool, err error) {
	if !s.enter() {
		return nil, false, store.ErrClosed
	}
	defer s.leave()
	limit := q.Limit
	if limit == 0 {
		limit = 100
	}
	m, err := s.merge(&q)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	for {
		place, ok := m.next()
		if !ok || len(page) == limit {
			return page, ok, m.failed
		}
		id, _ := readPlace(place)
		r, err := s.execution(id)
		if errors.Is(err, store.ErrNotFound) {
			continue // forgotten since
		}
		if err != nil {
			return nil, false, err
		}
		if q.Term != (store.Term{}) || len(q.Statuses) == 0 || slices.Contains(q.Statuses, r.Status) {
			page = append(page, r.Record)
		}
	}
}

// merge reads several lists as one: a heap of iterators, the one whose entry
// comes first on top.
type merge struct {
	snapshot *cockroach.Snapshot
	all      []*cockroach.Iterator
	heap     []*cockroach.Iterator
	failed   error
}

// prefixes are those of the lists that a query reads.
func prefixes(q *store.ListQuery) [][]byte {
	if q.Term != (store.Term{}) {
		return [][]byte{termPrefix(q.Term)}
	}
	statuses := q.Statuses
	if len(statuses) == 0 {
		statuses = allStatuses
	}
	var all [][]byte
	for _, group := range q.Groups {
		for _, status := range statuses {
			all = append(all, listPrefix(group, status))
		}
	}
	return all
}

func (s *DB) merge(q *store.ListQuery) (*merge, error) {
	m := &merge{snapshot: s.db.NewSnapshot()}
	for _, prefix := range prefixes(q) {
		bounds := cockroach.IterOptions{LowerBound: prefix, UpperBound: after(prefix)}
		if !q.To.IsZero() { // later starts come first
			bounds.LowerBound = append(appendStart(bytes.Clone(prefix), q.To), bytes.Repeat([]byte{0xff}, 17)...)
		}
		if q.After != nil {
			if next := append(appendPlace(bytes.Clone(prefix), q.After.Start, q.After.ID), 0); bytes.Compare(next, bounds.LowerBound) > 0 {
				bounds.LowerBound = next
			}
		}
		if !q.From.IsZero() {
			bounds.UpperBound = append(appendStart(bytes.Clone(prefix), q.From), bytes.Repeat([]byte{0xff}, 17)...)
		}
		if bytes.Compare(bounds.LowerBound, bounds.UpperBound) >= 0 {
			continue
		}
		it, err := m.snapshot.NewIter(&bounds)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("store: list: %w", err), m.close())
		}
		m.all = append(m.all, it)
		if it.First() {
			m.heap = append(m.heap, it)
		} else if err := it.Error(); err != nil {
			return nil, errors.Join(fmt.Errorf("store: list: %w", err), m.close())
		}
	}
	heap.Init(m)
	return m, nil
}

// place is the end of a list's key.
func place(it *cockroach.Iterator) []byte {
	key := it.Key()
	return key[len(key)-placeSize:]
}

// next returns start and id, as they stand in the key, of the next entry.
func (m *merge) next() ([]byte, bool) {
	if len(m.heap) == 0 || m.failed != nil {
		return nil, false
	}
	first := m.heap[0]
	found := bytes.Clone(place(first))
	if first.Next() {
		heap.Fix(m, 0)
		return found, true
	}
	m.failed = first.Error()
	heap.Pop(m)
	return found, true
}

// close closes the iterators of all lists.
func (m *merge) close() error {
	var err error
	for _, it := range m.all {
		err = errors.Join(err, it.Close())
	}
	return errors.Join(err, m.snapshot.Close())
}

// Len, Less, Swap, Push and Pop are for package heap.
func (m *merge) Len() int           { return len(m.heap) }
func (m *merge) Less(i, j int) bool { return bytes.Compare(place(m.heap[i]), place(m.heap[j])) < 0 }
func (m *merge) Swap(i, j int)      { m.heap[i], m.heap[j] = m.heap[j], m.heap[i] }

// Push is for package heap.
func (m *merge) Push(it any) { m.heap = append(m.heap, it.(*cockroach.Iterator)) }

// Pop is for package heap.
func (m *merge) Pop() any {
	last := m.heap[len(m.heap)-1]
	m.heap = m.heap[:len(m.heap)-1]
	return last
}
