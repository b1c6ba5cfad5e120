package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/steppehq/steppe/store"
)

// Acquire makes this engine the owner of a shard and takes up what runs in it.
func (e *Engine) Acquire(ctx context.Context, id store.ShardID) error {
	s := e.shards[id]
	s.acquiring.Lock()
	defer s.acquiring.Unlock()
	return e.acquire(ctx, s)
}

// reacquire takes a shard again after a commit on a handle failed, unless that
// has been done since.
func (e *Engine) reacquire(ctx context.Context, s *shard, failed store.Shard) error {
	s.acquiring.Lock()
	defer s.acquiring.Unlock()
	if current := s.handle(); current != nil && current != failed {
		return nil
	}
	return e.acquire(ctx, s)
}

// acquireAll takes all shards, as many at once as there are processors; in a
// simulation one after the other.
func (e *Engine) acquireAll(ctx context.Context) error {
	var next atomic.Int64
	take := func() error {
		for {
			i := next.Add(1) - 1
			if i >= int64(len(e.shards)) {
				return nil
			}
			if err := e.Acquire(ctx, e.shards[i].id); err != nil {
				return err
			}
		}
	}
	if e.simulated {
		return take()
	}
	failed := make([]error, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for i := range failed {
		all.Go(func() { failed[i] = take() })
	}
	all.Wait()
	return errors.Join(failed...)
}

func (e *Engine) acquire(ctx context.Context, s *shard) error {
	handle, err := e.store.Acquire(ctx, s.id, store.Owner{Name: e.cfg.Owner})
	if err != nil {
		return fmt.Errorf("engine: acquire shard %d: %w", s.id, err)
	}
	e.letters.forget(s.id) // those that are still there are read again
	s.mu.Lock()
	if s.owned, s.since = handle, e.Now().UnixMilli(); handle.Epoch() != s.epoch+1 {
		s.alone = handle.Epoch()
	}
	s.epoch = handle.Epoch()
	for _, r := range s.residents {
		r.forget()
	}
	s.mu.Unlock()
	if err := e.letters.open(ctx, handle); err != nil {
		return err
	}
	running, err := e.takeUpAll(ctx, s, handle)
	if taken := e.cfg.Listener.ShardTaken; taken != nil && err == nil {
		taken(ShardInfo{Shard: s.id, Epoch: handle.Epoch(), Running: running})
	}
	return err
}

// takeUpAll takes up the executions that run in a shard, and returns how many they are.
func (e *Engine) takeUpAll(ctx context.Context, s *shard, handle store.Shard) (n int, err error) {
	const page = 1000
	var after store.ExecutionID
	for {
		running, err := handle.Running(ctx, after, page)
		if err != nil {
			return n, fmt.Errorf("engine: read running executions of shard %d: %w", s.id, err)
		}
		for i := range running {
			e.takeUp(s, &running[i])
		}
		if n += len(running); len(running) < page {
			return n, nil
		}
		after = running[len(running)-1].ID
	}
}

// takeUp enters a running execution into memory, parked. One with effects
// under way is loaded, and the effects performed again.
func (e *Engine) takeUp(s *shard, running *store.RunningRecord) {
	s.mu.Lock()
	r := s.residents[running.ID]
	if r == nil {
		r = &resident{id: running.ID}
		s.residents[running.ID] = r
	}
	s.mu.Unlock()
	if e.suspects.held(running.ID) {
		return
	}
	r.jobs.Store(running.Busy) // it may have one
	if !running.Wake.IsZero() {
		e.timers.set(r, running.Wake.UnixMilli())
	}
	// Who owes what is known of those alone that were replayed.
	if running.Busy || e.virtual.clock != nil {
		e.pools.resumes.start(func() { e.resume(r) })
	}
}

// loseShard forgets a shard that another engine has taken, and cancels what is performed for
// its executions: the other engine performs it again, and takes no answer of this one.
func (e *Engine) loseShard(s *shard, handle store.Shard) {
	if !e.forgetShard(s, handle) {
		return
	}
	e.log.Warn("lost a shard to another engine", slog.Int("shard", int(s.id)))
	if lost := e.cfg.Listener.ShardLost; lost != nil {
		lost(ShardInfo{Shard: s.id, Epoch: handle.Epoch()})
	}
}

// forgetShard takes out of memory what there is of a shard that was lost. It returns false when
// that was done before.
func (e *Engine) forgetShard(s *shard, handle store.Shard) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owned != handle {
		return false
	}
	e.jobs.removeAll(func(id store.ExecutionID) bool { return id.Shard() == s.id })
	e.letters.forget(s.id)
	e.pools.abandon(s.id)
	s.owned = nil
	for id, r := range s.residents {
		e.timers.clear(r)
		e.owes(r, false)
		if !r.forget() { // the goroutine at work on it takes it out
			delete(s.residents, id)
		}
	}
	return true
}
