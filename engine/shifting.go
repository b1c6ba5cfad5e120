package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

const (
	// shiftRetry is the pause before a step that could not be made is tried
	// again.
	shiftRetry = time.Second
	// startLag bounds how long after its start time an execution may come into
	// the lists.
	startLag = time.Minute
)

// shifts are those under way.
type shifts struct {
	e   *Engine
	mu  sync.Mutex
	all map[string]*underShift // by their keys in the catalogue
}

type underShift struct {
	key   string
	due   time.Time
	busy  bool // a step is being made
	count tallying
}

// open takes up the shifts that are under way.
func (ss *shifts) open(ctx context.Context, e *Engine) error {
	ss.e, ss.all = e, make(map[string]*underShift)
	all, err := e.catalogue.AllShifts(ctx)
	if err != nil {
		return fmt.Errorf("engine: read shifts: %w", err)
	}
	for _, s := range all {
		ss.follow(e, s)
	}
	return nil
}

// follow makes the steps of a shift when they are due.
func (ss *shifts) follow(e *Engine, s *catalogue.Shift) {
	if s.Status != catalogue.ShiftRunning {
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.all[s.Key()] = &underShift{key: s.Key(), due: s.Due(e.Now())}
	e.timers.poke()
}

// next is the earliest time that a shift is due, in milliseconds since 1970; 0 for none.
func (ss *shifts) next() int64 {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	var next time.Time
	for _, u := range ss.all {
		if !u.busy && (next.IsZero() || u.due.Before(next)) {
			next = u.due
		}
	}
	if next.IsZero() {
		return 0
	}
	return next.UnixMilli()
}

// begin takes the shifts that are due, in the order of their keys.
func (ss *shifts) begin(now time.Time) []*underShift {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	var due []*underShift
	for _, u := range ss.all {
		if !u.busy && u.due.UnixMilli() <= now.UnixMilli() {
			u.busy = true
			due = append(due, u)
		}
	}
	slices.SortFunc(due, func(a, b *underShift) int { return cmp.Compare(a.key, b.key) })
	return due
}

// end puts a shift back until it is due again; zero: it is over.
func (ss *shifts) end(e *Engine, u *underShift, due time.Time) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	u.busy, u.due = false, due
	if due.IsZero() && ss.all[u.key] == u {
		delete(ss.all, u.key)
	}
	e.timers.poke()
}

// tick makes the steps of shifts that are due.
func (ss *shifts) tick(_ context.Context, now time.Time) {
	e := ss.e
	for _, u := range ss.begin(now) {
		e.spawn(func() {
			due, err := e.stepShift(e.closing, u)
			if err != nil {
				if e.closing.Err() == nil {
					e.log.Error("shift an alias; trying again", slog.String("shift", u.key), slog.Any("error", err))
				}
				due = e.Now().Add(shiftRetry)
			}
			e.shifts.end(e, u, due)
		})
	}
}

// stepShift makes a step of a shift, or rolls it back, or does nothing yet. It
// returns when the shift is due again, zero when it is over.
func (e *Engine) stepShift(ctx context.Context, u *underShift) (time.Time, error) {
	for range attempts {
		due, err := e.tryShift(ctx, u)
		switch {
		case errors.Is(err, store.ErrNotFound): // the machine or the alias is gone, and the shift with it
			return time.Time{}, nil
		case !errors.Is(err, store.ErrVersion):
			return due, err
		}
	}
	return e.Now().Add(shiftRetry), nil
}

func (e *Engine) tryShift(ctx context.Context, u *underShift) (time.Time, error) {
	s, err := e.catalogue.ShiftAt(ctx, u.key)
	if err != nil || s.Status != catalogue.ShiftRunning {
		return time.Time{}, err
	}
	m, err := e.catalogue.Machine(ctx, s.MachineARN())
	if err != nil {
		return time.Time{}, err
	}
	a, err := e.catalogue.Alias(ctx, m, s.Alias)
	if err != nil {
		return time.Time{}, err
	}
	if s.Tally, err = e.tally(ctx, s, &u.count); err != nil {
		return time.Time{}, err
	}
	now := e.Now().Truncate(time.Millisecond)
	reason := s.Rule.Broken(s.Tally)
	switch {
	case !slices.Equal(a.Routes, s.Routes()):
		return time.Time{}, e.catalogue.Overrule(ctx, s)
	case reason != "":
		s.RollBack(catalogue.ShiftRolledBack, reason, now)
	case now.Before(s.Next):
		return s.Due(now), nil
	default:
		s.Weight, s.Next = min(100, s.Weight+s.Step), now.Add(s.Every)
		s.Arrive(now)
	}
	if err := e.catalogue.PutShift(ctx, m, *a, s); err != nil || s.Status != catalogue.ShiftRunning {
		return time.Time{}, err
	}
	return s.Due(now), nil
}

// tallying counts the executions of a shift without looking again at those that
// ended long ago: base has those that started before from.
type tallying struct {
	from time.Time
	base catalogue.Tally
}

// tally counts the executions that the alias started with the new version since
// the shift began.
func (e *Engine) tally(ctx context.Context, s *catalogue.Shift, c *tallying) (catalogue.Tally, error) {
	if c.from.IsZero() {
		c.from = s.Started.Truncate(time.Millisecond)
	}
	const atOnce = 500
	q := store.ListQuery{Term: stored.QualifierTerm(s.Number, fmt.Sprintf("%s:%d", s.MachineARN(), s.To)), From: c.from, Limit: atOnce}
	// Newest first: closed counts what has ended since the last execution that
	// may not be passed over next time, which began at open.
	lag := e.Now().Add(-startLag).Truncate(time.Millisecond)
	open := lag.Add(time.Millisecond)
	var fresh, closed catalogue.Tally
	_, err := e.visit(ctx, func(r *store.Record) (bool, error) {
		d, err := stored.Summary(r)
		if err != nil || r.Group != s.Number || d.AliasARN != s.AliasARN() {
			return false, err
		}
		one := catalogue.Tally{Executions: 1}
		if r.Status == store.Failed || r.Status == store.TimedOut {
			one.Failed = 1
		}
		if r.Status == store.Running || !r.Start.Before(open) {
			open, fresh, closed = earlier(open, r.Start), fresh.Plus(closed).Plus(one), catalogue.Tally{}
		} else {
			closed = closed.Plus(one)
		}
		return false, nil
	}, q)
	if err != nil {
		return catalogue.Tally{}, err
	}
	total := c.base.Plus(fresh).Plus(closed)
	if open.After(c.from) {
		c.from, c.base = open, c.base.Plus(closed)
	}
	return total, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// BeginShift begins to bring an alias from the version that it leads to, to
// another one, and makes the steps when they are due. store.ErrNotFound for an
// alias or version that is not there, store.ErrVersion, [*RefusedShiftError].
func (e *Engine) BeginShift(ctx context.Context, m *catalogue.Machine, alias string, to uint32, plan catalogue.ShiftPlan) (*catalogue.Shift, error) {
	s, err := e.catalogue.BeginShift(ctx, m, alias, to, plan)
	if err != nil {
		return nil, err
	}
	e.shifts.follow(e, s)
	return s, nil
}

// Shift returns the last shift of an alias. store.ErrNotFound.
func (e *Engine) Shift(ctx context.Context, m *catalogue.Machine, alias string) (*catalogue.Shift, error) {
	s, err := e.catalogue.ReadShift(ctx, m, alias)
	if err == nil && s.Status == catalogue.ShiftRunning {
		s.Tally, err = e.tally(ctx, s, new(tallying))
	}
	return s, err
}

// CancelShift has a shift rolled back that is under way; one that has ended
// stays as it is. store.ErrNotFound, store.ErrVersion.
func (e *Engine) CancelShift(ctx context.Context, m *catalogue.Machine, alias string) (*catalogue.Shift, error) {
	s, err := e.Shift(ctx, m, alias)
	if err != nil || s.Status != catalogue.ShiftRunning {
		return s, err
	}
	a, err := e.catalogue.Alias(ctx, m, alias)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(a.Routes, s.Routes()) {
		return s, e.catalogue.Overrule(ctx, s)
	}
	s.RollBack(catalogue.ShiftCancelled, "", e.Now())
	return s, e.catalogue.PutShift(ctx, m, *a, s)
}
