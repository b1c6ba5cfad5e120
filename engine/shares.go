package engine

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/steppehq/steppe/catalogue"
)

// shares hands out a number of equal shares. Who waits gets one in turn: tenants
// one after the other, those of one tenant in the order in which they came.
type shares struct {
	// limit is how many may be taken at once, all together and by one tenant.
	limit func() (all, one int)

	mu    sync.Mutex
	all   int
	taken map[catalogue.Tenant]int
	// lines are the tenants that wait, the one whose turn is next first.
	lines   []*shareLine
	waiting atomic.Int32
}

// shareLine is who waits of a tenant.
type shareLine struct {
	tenant  catalogue.Tenant
	waiters []chan struct{} // closed when it has a share
}

func newShares(limit func() (all, one int)) *shares {
	return &shares{limit: limit, taken: make(map[catalogue.Tenant]int)}
}

// take waits for a share until the context ends: its cause is the error then.
func (s *shares) take(ctx context.Context, t catalogue.Tenant) error {
	s.mu.Lock()
	if len(s.lines) == 0 && s.may(t) {
		s.grant(t)
		s.mu.Unlock()
		return nil
	}
	got := make(chan struct{})
	s.join(t, got)
	s.serve()
	s.mu.Unlock()
	select {
	case <-got:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.leave(t, got) { // it has come in between
		s.put(t)
	}
	return context.Cause(ctx)
}

// give returns a share.
func (s *shares) give(t catalogue.Tenant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(t)
}

func (s *shares) put(t catalogue.Tenant) {
	s.all--
	if s.taken[t]--; s.taken[t] == 0 {
		delete(s.taken, t)
	}
	s.serve()
}

// wanted reports whether a goroutine waits for a share.
func (s *shares) wanted() bool { return s.waiting.Load() > 0 }

func (s *shares) may(t catalogue.Tenant) bool {
	all, one := s.limit()
	return s.all < all && s.taken[t] < one
}

func (s *shares) grant(t catalogue.Tenant) {
	s.all++
	s.taken[t]++
}

// serve hands shares to those who wait and may have one.
func (s *shares) serve() {
	for {
		i := slices.IndexFunc(s.lines, func(l *shareLine) bool { return s.may(l.tenant) })
		if i < 0 {
			return
		}
		l := s.lines[i]
		s.grant(l.tenant)
		s.waiting.Add(-1)
		close(l.waiters[0])
		l.waiters = l.waiters[1:]
		s.lines = slices.Delete(s.lines, i, i+1)
		if len(l.waiters) > 0 {
			s.lines = append(s.lines, l)
		}
	}
}

func (s *shares) join(t catalogue.Tenant, got chan struct{}) {
	s.waiting.Add(1)
	i := slices.IndexFunc(s.lines, func(l *shareLine) bool { return l.tenant == t })
	if i < 0 {
		i = len(s.lines)
		s.lines = append(s.lines, &shareLine{tenant: t})
	}
	s.lines[i].waiters = append(s.lines[i].waiters, got)
}

// leave takes a waiter out of the line; false: there is a share already.
func (s *shares) leave(t catalogue.Tenant, got chan struct{}) bool {
	i := slices.IndexFunc(s.lines, func(l *shareLine) bool { return l.tenant == t })
	if i < 0 {
		return false
	}
	l := s.lines[i]
	j := slices.Index(l.waiters, got)
	if j < 0 {
		return false
	}
	s.waiting.Add(-1)
	l.waiters = slices.Delete(l.waiters, j, j+1)
	if len(l.waiters) == 0 {
		s.lines = slices.Delete(s.lines, i, i+1)
	}
	return true
}
