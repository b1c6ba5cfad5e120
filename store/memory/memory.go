// Package memory is a store that forgets at the end of the process: the
// reference implementation of the contract, the store of tests and simulations,
// and of servers that are to keep nothing.
//
// Stability: may move in any minor release.
package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe/store"
)

// Fault is what goes wrong with a commit.
type Fault uint8

// The faults that a simulation can ask for.
const (
	None       Fault = iota
	LoseBefore       // nothing is written, and the caller does not know
	LoseAfter        // it is written, and the caller does not know
	Busy             // nothing is written
)

// Options changes what a store does. The zero value is a store without faults.
type Options struct {
	// Shards is the number of shards, 16 when 0.
	Shards int
	// Fault decides the fate of each transition; nil: nothing goes wrong.
	Fault func(t *store.Transition) Fault
}

// Store is a store in memory.
type Store struct {
	opts Options

	mu         sync.Mutex
	closed     bool
	owners     []store.Ownership
	executions map[store.ExecutionID]*execution
	names      map[store.NameKey]store.ExecutionID
	groups     map[uint32]*list
	terms      map[store.Term]*list
	running    []map[store.ExecutionID]bool
	letters    []map[store.LetterID]store.Letter
	catalogue  map[string]store.Entry
	keys       []string // of the catalogue, sorted
	tables     map[string]*table
}

// execution is what the store holds of an execution.
type execution struct {
	record store.Record
	expire time.Time
	terms  []store.Term
	wake   time.Time
	busy   bool
	key    store.NameKey
	chunks []store.Chunk
}

// list holds the executions of a group or of a term, oldest first.
type list []store.ExecutionID

// New makes an empty store.
func New(opts Options) *Store {
	if opts.Shards == 0 {
		opts.Shards = 16
	}
	s := &Store{
		opts: opts, owners: make([]store.Ownership, opts.Shards),
		executions: make(map[store.ExecutionID]*execution), names: make(map[store.NameKey]store.ExecutionID),
		groups: make(map[uint32]*list), terms: make(map[store.Term]*list), catalogue: make(map[string]store.Entry),
		running: make([]map[store.ExecutionID]bool, opts.Shards), letters: make([]map[store.LetterID]store.Letter, opts.Shards),
	}
	for i := range s.running {
		s.running[i] = make(map[store.ExecutionID]bool)
		s.letters[i] = make(map[store.LetterID]store.Letter)
		s.owners[i].Shard = store.ShardID(i)
	}
	return s
}

// lock takes the store for one call.
func (s *Store) lock() (func(), error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, store.ErrClosed
	}
	return s.mu.Unlock, nil
}

// Shards is the number of shards.
func (s *Store) Shards() int { return s.opts.Shards }

// Acquire makes the caller the owner of a shard.
func (s *Store) Acquire(_ context.Context, id store.ShardID, owner store.Owner) (store.Shard, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if int(id) >= len(s.owners) {
		return nil, store.ErrNotFound
	}
	o := &s.owners[id]
	o.Epoch++
	o.Owner = owner
	return &shard{s, id, o.Epoch}, nil
}

// Owners reads who owns the shards.
func (s *Store) Owners(context.Context) ([]store.Ownership, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	return slices.Clone(s.owners), nil
}

// Execution reads the record of an execution.
func (s *Store) Execution(_ context.Context, id store.ExecutionID) (*store.Record, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	x := s.executions[id]
	if x == nil {
		return nil, store.ErrNotFound
	}
	record := x.record
	return &record, nil
}

// Executions reads the records of all executions in the order of their ids.
func (s *Store) Executions(_ context.Context, after store.ExecutionID, limit int) ([]store.Record, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []store.Record
	for id, x := range s.executions {
		if bytes.Compare(id[:], after[:]) > 0 {
			found = append(found, x.record)
		}
	}
	slices.SortFunc(found, func(a, b store.Record) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	return found, nil
}

// Lookup finds the newest execution of that name.
func (s *Store) Lookup(_ context.Context, key store.NameKey) (store.ExecutionID, error) {
	unlock, err := s.lock()
	if err != nil {
		return store.ExecutionID{}, err
	}
	defer unlock()
	id, ok := s.names[key]
	if !ok {
		return id, store.ErrNotFound
	}
	return id, nil
}

// Names reads names of a scope.
func (s *Store) Names(_ context.Context, scope store.Scope, prefix, after string, limit int) ([]store.Named, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []store.Named
	for key, id := range s.names {
		if key.Scope == scope && strings.HasPrefix(key.Name, prefix) && (after == "" || key.Name > after) {
			found = append(found, store.Named{Name: key.Name, ID: id})
		}
	}
	slices.SortFunc(found, func(a, b store.Named) int { return strings.Compare(a.Name, b.Name) })
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	return found, nil
}

// History reads chunks of an execution.
func (s *Store) History(_ context.Context, id store.ExecutionID, from int64, limit int, reverse bool) ([]store.Chunk, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	x := s.executions[id]
	if x == nil {
		return nil, nil
	}
	var found []store.Chunk
	for _, chunk := range x.chunks {
		if !reverse && chunk.Last >= from || reverse && chunk.First <= from {
			found = append(found, chunk)
		}
	}
	if reverse {
		slices.Reverse(found)
	}
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	return found, nil
}

// List returns executions, newest start first.
func (s *Store) List(_ context.Context, q store.ListQuery) ([]store.Record, bool, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	limit := q.Limit
	if limit == 0 {
		limit = 100
	}
	var page []store.Record
	for _, id := range s.selected(&q) {
		x := s.executions[id]
		start := x.record.Start
		switch {
		case q.After != nil && s.compare(id, &store.Record{ID: q.After.ID, Start: toMillis(q.After.Start)}) >= 0,
			!q.From.IsZero() && start.Before(toMillis(q.From)), !q.To.IsZero() && !start.Before(toMillis(q.To)),
			q.Term == (store.Term{}) && len(q.Statuses) > 0 && !slices.Contains(q.Statuses, x.record.Status):
			continue
		}
		if len(page) == limit {
			return page, true, nil
		}
		page = append(page, x.record)
	}
	return page, false, nil
}

// selected returns the executions of a query's lists, newest first.
func (s *Store) selected(q *store.ListQuery) []store.ExecutionID {
	var ids []store.ExecutionID
	if q.Term != (store.Term{}) {
		if l := s.terms[q.Term]; l != nil {
			ids = slices.Clone(*l)
		}
	} else {
		for _, group := range q.Groups {
			if l := s.groups[group]; l != nil {
				ids = append(ids, *l...)
			}
		}
	}
	if len(q.Groups) > 1 {
		slices.SortFunc(ids, func(a, b store.ExecutionID) int { return s.compare(a, &s.executions[b].record) })
	}
	slices.Reverse(ids)
	return ids
}

// compare orders executions by start and swapped id.
func (s *Store) compare(id store.ExecutionID, r *store.Record) int {
	x := s.executions[id]
	a, b := id.Swapped(), r.ID.Swapped()
	return cmp.Or(x.record.Start.Compare(r.Start), bytes.Compare(a[:], b[:]))
}

// Get reads a catalogue entry.
func (s *Store) Get(_ context.Context, key string) (store.Entry, error) {
	unlock, err := s.lock()
	if err != nil {
		return store.Entry{}, err
	}
	defer unlock()
	entry, ok := s.catalogue[key]
	if !ok {
		return entry, store.ErrNotFound
	}
	return entry, nil
}

// Scan reads catalogue entries in the order of their keys.
func (s *Store) Scan(_ context.Context, prefix, after string, limit int) ([]store.Entry, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []store.Entry
	start, exact := slices.BinarySearch(s.keys, max(prefix, after))
	if exact && after >= prefix {
		start++
	}
	for _, key := range s.keys[start:] {
		if !strings.HasPrefix(key, prefix) || limit > 0 && len(found) == limit {
			break
		}
		found = append(found, s.catalogue[key])
	}
	return found, nil
}

// Put writes catalogue entries, all or none.
func (s *Store) Put(_ context.Context, edits ...store.Edit) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for _, e := range edits {
		if s.catalogue[e.Key].Version != e.Version {
			return store.ErrVersion
		}
	}
	for _, e := range edits {
		i, there := slices.BinarySearch(s.keys, e.Key)
		switch {
		case e.Value == nil && there:
			delete(s.catalogue, e.Key)
			s.keys = slices.Delete(s.keys, i, i+1)
		case e.Value != nil:
			s.catalogue[e.Key] = store.Entry{Key: e.Key, Version: e.Version + 1, Value: bytes.Clone(e.Value)}
			if !there {
				s.keys = slices.Insert(s.keys, i, e.Key)
			}
		}
	}
	return nil
}

// Retain deletes executions that have expired.
func (s *Store) Retain(_ context.Context, now time.Time, limit int) ([]store.ExecutionID, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var old []store.ExecutionID
	for id, x := range s.executions {
		if x.record.Status != store.Running && !x.expire.IsZero() && !x.expire.After(now) {
			old = append(old, id)
		}
	}
	slices.SortFunc(old, func(a, b store.ExecutionID) int {
		return cmp.Or(s.executions[a].expire.Compare(s.executions[b].expire), bytes.Compare(a[:], b[:]))
	})
	old = old[:min(len(old), limit)]
	for _, id := range old {
		s.forget(id, s.executions[id])
	}
	return old, nil
}

// forget deletes an execution with its name, terms and history. Its letters stay.
func (s *Store) forget(id store.ExecutionID, x *execution) {
	s.leave(s.groups[x.record.Group], x)
	for _, term := range x.terms {
		s.leave(s.terms[term], x)
	}
	if s.names[x.key] == id {
		delete(s.names, x.key)
	}
	delete(s.executions, id)
}

// leave takes an execution out of a list.
func (s *Store) leave(l *list, x *execution) {
	if l == nil {
		return
	}
	if i, ok := slices.BinarySearchFunc(*l, &x.record, s.compare); ok {
		*l = slices.Delete(*l, i, i+1)
	}
}

// enter puts an execution into a list.
func (s *Store) enter(l *list, x *execution) *list {
	if l == nil {
		l = new(list)
	}
	i, _ := slices.BinarySearchFunc(*l, &x.record, s.compare)
	*l = slices.Insert(*l, i, x.record.ID)
	return l
}

// Close makes every later call fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Marks returns marks that end with the process, so that there is never one left.
func (s *Store) Marks() store.Marks { return marks{} }

// marks are none: a process that dies takes this store with it.
type marks struct{}

func (marks) Set(int, store.ExecutionID) error { return nil }
func (marks) Clear(int) error                  { return nil }
func (marks) Left() []store.ExecutionID        { return nil }

type shard struct {
	store *Store
	id    store.ShardID
	epoch uint64
}

// ID is the shard's number.
func (h *shard) ID() store.ShardID { return h.id }

// Epoch is the number of this ownership.
func (h *shard) Epoch() uint64 { return h.epoch }

// Running reads the running executions of the shard.
func (h *shard) Running(_ context.Context, after store.ExecutionID, limit int) ([]store.RunningRecord, error) {
	s := h.store
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []store.RunningRecord
	for id := range s.running[h.id] {
		if bytes.Compare(id[:], after[:]) > 0 {
			x := s.executions[id]
			found = append(found, store.RunningRecord{ID: id, Last: x.record.Last, Wake: x.wake, Busy: x.busy})
		}
	}
	slices.SortFunc(found, func(a, b store.RunningRecord) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	return found, nil
}

// Commit makes one transition.
func (h *shard) Commit(_ context.Context, t *store.Transition) error {
	fault := None
	if h.store.opts.Fault != nil {
		fault = h.store.opts.Fault(t) // it may call the store
	}
	unlock, err := h.store.lock()
	if err != nil {
		return err
	}
	defer unlock()
	switch fault {
	case Busy:
		return store.ErrBusy
	case LoseBefore:
		return store.ErrUnknown
	case None, LoseAfter:
	}
	if err := h.commit(t); err != nil {
		return err
	}
	if fault == LoseAfter {
		return store.ErrUnknown
	}
	return nil
}

// commit checks a transition as a database does, and applies it. The mutex is held.
func (h *shard) commit(t *store.Transition) error {
	s := h.store
	if s.owners[h.id].Epoch != h.epoch || t.Execution.Shard() != h.id || !h.holds(t.Taken) {
		return store.ErrFenced
	}
	x := s.executions[t.Execution]
	var last int64
	if x != nil {
		last = x.record.Last
	}
	if !t.Follows(last) || (x == nil) != (t.New != nil) {
		return store.ErrFenced
	}
	if t.New != nil {
		if _, taken := s.names[t.New.Key]; taken && !t.New.Unnamed {
			return store.ErrExists
		}
		x = s.create(t)
	}
	for _, c := range append(slices.Clip(t.Earlier), t.Chunk) {
		x.chunks = append(x.chunks, store.Chunk{First: c.First, Last: c.Last, Data: bytes.Clone(c.Data)})
	}
	r := &x.record
	r.Status, r.Last, r.Redrives = t.Status, t.Chunk.Last, t.Redrives
	r.Stop, r.Redriven = toMillis(t.Stop), toMillis(t.Redriven)
	x.wake, x.busy = t.Wake, t.Busy
	x.expire = time.Time{}
	if t.Status != store.Running {
		x.expire = toMillis(t.Expire)
	}
	for _, term := range t.Terms {
		if !slices.Contains(x.terms, term) {
			x.terms = append(x.terms, term)
			s.terms[term] = s.enter(s.terms[term], x)
		}
	}
	s.take(t.Taken)
	s.post(t)
	if t.Status == store.Running {
		s.running[h.id][t.Execution] = true
	} else {
		delete(s.running[h.id], t.Execution)
	}
	return nil
}

// toMillis keeps a time as the contract says: to the millisecond.
func toMillis(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return time.UnixMilli(at.UnixMilli())
}

func (s *Store) create(t *store.Transition) *execution {
	n := t.New
	x := &execution{key: n.Key, record: store.Record{ID: t.Execution, Group: n.Group, Start: toMillis(n.Start), Meta: bytes.Clone(n.Meta)}}
	s.executions[t.Execution] = x
	s.names[n.Key] = t.Execution
	if n.Group != 0 {
		s.groups[n.Group] = s.enter(s.groups[n.Group], x)
	}
	return x
}

// Release ends the ownership of the shard.
func (h *shard) Release(context.Context) error {
	unlock, err := h.store.lock()
	if err != nil {
		return nil //nolint:nilerr // a closed store has no owners
	}
	defer unlock()
	if o := &h.store.owners[h.id]; o.Epoch == h.epoch {
		o.Epoch++
		o.Owner = store.Owner{}
	}
	return nil
}
