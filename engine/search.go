package engine

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// Found is a page of executions, newest first.
type Found struct {
	Executions []*stored.Description
	// Next is where the next page begins, "" at the end. A page may have fewer
	// executions than were asked for, even none, and yet not be the last: a
	// search looks at a bounded number of executions at a time.
	Next string
	// Looked is how many executions were looked at.
	Looked int
}

// How many executions a search looks at before it answers with what it has:
// those whose record decides, and those whose history must be read.
const (
	maxLooked = 50_000
	maxRead   = 2_000
	// maxNames bounds the names of a prefix that are put in the order of time;
	// beyond it the executions are looked at one after the other.
	maxNames = 20_000
)

// Search finds executions. Machine, status, start, whole name, rare prefixes of
// names, Error Names and indexed values ([Config].Index) are found without
// looking at others; the rest is looked for. So are Error Names and values of
// encrypted executions; where their key is missing they are not found by them.
func (e *Engine) Search(ctx context.Context, q stored.Search) (*Found, error) {
	if q.Limit == 0 {
		q.Limit = 100
	}
	s := &search{e: e, Search: &q, found: new(Found), machines: make(map[uint32]bool)}
	machines, err := e.searched(ctx, &q)
	if err != nil || len(machines) == 0 {
		return s.found, err
	}
	for _, m := range machines {
		s.machines[m.Number] = true
		s.numbers = append(s.numbers, m.Number)
		if m.Encrypted && e.catalogue.Keys() != nil {
			s.encrypted = append(s.encrypted, m.Number)
		}
	}
	s.after = parsePlace(q.After)
	if q.Name != "" {
		ids, few, err := s.named(ctx, machines)
		if err != nil {
			return nil, err
		}
		if few {
			return s.found, s.pick(ctx, ids)
		}
	}
	return s.found, s.walk(ctx)
}

// searched returns the state machines that a search is about.
func (e *Engine) searched(ctx context.Context, q *stored.Search) ([]*catalogue.Machine, error) {
	if len(q.Machines) == 0 {
		all, err := e.catalogue.Machines(ctx, q.Tenant, "", 0)
		return slices.DeleteFunc(all, func(m *catalogue.Machine) bool { return m.Type == catalogue.Express }), err
	}
	var machines []*catalogue.Machine
	for _, name := range q.Machines {
		m, err := e.catalogue.Machine(ctx, q.Tenant.ARN("stateMachine", name))
		if err == nil {
			machines = append(machines, m)
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return machines, nil
}

// search is one under way.
type search struct {
	*stored.Search
	e        *Engine
	machines map[uint32]bool
	numbers  []uint32
	// encrypted are those of the machines whose executions may not be in indexes.
	encrypted []uint32
	after     *store.Place
	found     *Found
	read      int // histories
}

// named returns the executions that have the name, newest first. It is false when
// a prefix has too many.
func (s *search) named(ctx context.Context, machines []*catalogue.Machine) (ids []store.ExecutionID, few bool, err error) {
	for _, m := range machines {
		scope := stored.ScopeOf(s.Tenant, m.Name)
		if !s.Prefix {
			id, err := s.e.store.Lookup(ctx, store.NameKey{Scope: scope, Name: s.Name})
			if err == nil {
				ids = append(ids, id)
			} else if !errors.Is(err, store.ErrNotFound) {
				return nil, false, err
			}
			continue
		}
		names, err := s.e.store.Names(ctx, scope, s.Name, "", maxNames+1-len(ids))
		if err != nil {
			return nil, false, err
		}
		for _, n := range names {
			ids = append(ids, n.ID)
		}
		if len(ids) > maxNames {
			return nil, false, nil
		}
	}
	slices.SortFunc(ids, func(a, b store.ExecutionID) int { return -comparePlaces(a, b) })
	return ids, true, nil
}

// comparePlaces orders executions as lists do, oldest first.
func comparePlaces(a, b store.ExecutionID) int {
	// An id holds the start in milliseconds behind its shard.
	if n := bytes.Compare(a[2:8], b[2:8]); n != 0 {
		return n
	}
	x, y := a.Swapped(), b.Swapped()
	return bytes.Compare(x[:], y[:])
}

// pick looks at given executions, newest first.
func (s *search) pick(ctx context.Context, ids []store.ExecutionID) error {
	for _, id := range ids {
		if s.after != nil && comparePlaces(id, s.after.ID) >= 0 {
			continue
		}
		r, err := s.e.store.Execution(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if full, err := s.look(ctx, r); err != nil || full {
			return err
		}
	}
	return nil
}

// walk looks at the executions of a list, newest first. Where an index has
// those that started since it was made, but for the encrypted ones, the older ones
// follow from the lists of their machines.
func (s *search) walk(ctx context.Context) error {
	term, since := s.term()
	plain := store.ListQuery{Groups: s.numbers, Statuses: s.Statuses, From: s.From, To: s.To}
	if term == (store.Term{}) {
		_, err := s.walkLists(ctx, plain)
		return err
	}
	indexed := store.ListQuery{Term: term, From: s.From, To: s.To}
	if since.After(s.From) {
		indexed.From = since
	}
	lists := []store.ListQuery{indexed}
	if len(s.encrypted) > 0 {
		encrypted := plain
		encrypted.Groups, encrypted.From = s.encrypted, indexed.From
		lists = append(lists, encrypted)
	}
	if full, err := s.walkLists(ctx, lists...); err != nil || full || !since.After(s.From) {
		return err
	}
	if s.To.IsZero() || since.Before(s.To) {
		plain.To = since
	}
	_, err := s.walkLists(ctx, plain)
	return err
}

// term is what the search can be narrowed by, and since when executions are
// entered under it; none when it is zero.
func (s *search) term() (term store.Term, since time.Time) {
	if s.Error != "" {
		return stored.ErrorTerm(s.Tenant, s.Error), time.Time{}
	}
	for _, c := range s.Values {
		f := s.e.index.Field(c.Field)
		if f == nil || c.Op != "=" {
			continue
		}
		if term, ok := stored.ValueTerm(s.Tenant, c.Field, c.Value); ok {
			return term, f.Since
		}
	}
	return store.Term{}, time.Time{}
}

// walkLists looks at the executions of some lists. It is true when the page is
// full, or enough was looked at.
func (s *search) walkLists(ctx context.Context, lists ...store.ListQuery) (full bool, err error) {
	for i := range lists {
		lists[i].After, lists[i].Limit = s.after, 200
	}
	return s.e.visit(ctx, func(r *store.Record) (bool, error) { return s.look(ctx, r) }, lists...)
}

// visit visits the executions of some lists, each once and newest first, as many
// of each as its limit at a time, until one is done or fails, which it returns.
func (e *Engine) visit(ctx context.Context, one func(*store.Record) (done bool, err error), lists ...store.ListQuery) (done bool, err error) {
	readers := make([]lister, len(lists))
	for i, q := range lists {
		readers[i] = lister{store: e.store, query: q, more: true}
	}
	for {
		var first *store.Record
		for i := range readers {
			r, err := readers[i].peek(ctx)
			if err != nil {
				return false, err
			}
			if r != nil && (first == nil || comparePlaces(r.ID, first.ID) > 0) {
				first = r
			}
		}
		if first == nil {
			return false, nil
		}
		for i := range readers {
			readers[i].skip(first.ID)
		}
		if done, err := one(first); err != nil || done {
			return done, err
		}
	}
}

// lister reads a list, some executions at a time.
type lister struct {
	store store.Store
	query store.ListQuery
	page  []store.Record
	more  bool
}

// peek returns the next execution, nil at the end.
func (l *lister) peek(ctx context.Context) (*store.Record, error) {
	for len(l.page) == 0 {
		if !l.more {
			return nil, nil
		}
		var err error
		if l.page, l.more, err = l.store.List(ctx, l.query); err != nil {
			return nil, err
		}
		if len(l.page) > 0 {
			l.query.After = new(l.page[len(l.page)-1].Place())
		}
	}
	return &l.page[0], nil
}

// skip passes over an execution if it is the next one.
func (l *lister) skip(id store.ExecutionID) {
	if len(l.page) > 0 && l.page[0].ID == id {
		l.page = l.page[1:]
	}
}

// look takes an execution into the page if it is one that is searched for. It
// is true when the page ends here.
func (s *search) look(ctx context.Context, r *store.Record) (full bool, err error) {
	s.found.Looked++
	var d *stored.Description
	if s.machines[r.Group] {
		var read int
		d, read, err = s.e.stored.Match(ctx, s.Search, r)
		s.read += read
	}
	if errors.Is(err, store.ErrNotFound) {
		d, err = nil, nil // forgotten in between
	}
	if _, locked := errors.AsType[*catalogue.KeyError](err); locked {
		d, err = nil, nil // it cannot be known
	}
	if err != nil {
		return false, err
	}
	if d != nil {
		d.Input, d.Output = nil, nil // a page of them would be hundreds of megabytes
		s.found.Executions = append(s.found.Executions, d)
	}
	if len(s.found.Executions) == s.Limit || s.found.Looked >= maxLooked || s.read >= maxRead {
		s.found.Next = placeToken(r.Place())
		return true, nil
	}
	return false, nil
}
