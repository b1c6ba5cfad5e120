package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// shard is a shard of the store and what the engine holds in memory of its
// running executions.
type shard struct {
	id store.ShardID

	mu        sync.Mutex
	owned     store.Shard // nil when another engine has it
	since     int64       // when it was taken, in milliseconds since 1970
	epoch     uint64      // of the last ownership
	alone     uint64      // the first epoch since which no other engine has had it
	residents map[store.ExecutionID]*resident
	// acquiring lets one goroutine at a time take the shard.
	acquiring sync.Mutex
}

func newShard(id store.ShardID) *shard {
	return &shard{id: id, residents: make(map[store.ExecutionID]*resident)}
}

func (s *shard) handle() store.Shard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owned
}

func (e *Engine) shard(id store.ExecutionID) (*shard, error) {
	if int(id.Shard()) >= len(e.shards) {
		return nil, store.ErrNotFound
	}
	return e.shards[id.Shard()], nil
}

// Acquire makes this engine the owner of a shard and takes up what runs in it.
func (e *Engine) Acquire(ctx context.Context, id store.ShardID) error {
	s := e.shards[id]
	s.acquiring.Lock()
	defer s.acquiring.Unlock()
	return e.acquire(ctx, s)
}

// reacquire takes a shard anew after a commit on a handle failed, unless that
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

// Running is how many executions of the engine's shards run.
func (e *Engine) Running() int {
	n := 0
	for _, s := range e.shards {
		s.mu.Lock()
		n += len(s.residents)
		s.mu.Unlock()
	}
	return n
}

// undisputed reports whether no other engine has had the shard since an
// ownership of this one.
func (s *shard) undisputed(since store.Shard) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return since.Epoch() >= s.alone
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

// lost forgets a shard that another engine has taken, and cancels what is performed for
// its executions: the other engine performs it again, and takes no answer of this one.
func (e *Engine) lost(s *shard, handle store.Shard) {
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
		if !r.forget() { // whoever is at work on it takes it out
			delete(s.residents, id)
		}
	}
	return true
}

// heard tells a replayed execution of the signs of life of its tasks. Who worked
// on them when the shard was taken may have given one just before.
func (s *shard) heard(r *resident, x *interpreter.Execution) {
	s.mu.Lock()
	since := s.since
	s.mu.Unlock()
	x.Alive(0, since)
	for cause, at := range r.beats {
		x.Alive(cause, at)
	}
}

// leave takes a resident out of memory that nobody is at work on any more, if its
// shard has been lost.
func (s *shard) leave(r *resident) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owned == nil && s.residents[r.id] == r {
		delete(s.residents, r.id)
	}
}

// resident gives what memory holds of a running execution; nil when it is not
// known to run.
func (s *shard) resident(id store.ExecutionID) *resident {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.residents[id]
}

func (s *shard) add(r *resident) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.residents[r.id] = r
}

func (e *Engine) remove(s *shard, r *resident) {
	e.timers.clear(r)
	e.residency.gone(r)
	e.owes(r, false)
	e.forgetAbsences(r.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.residents[r.id] == r {
		delete(s.residents, r.id)
	}
}

// resident is a running execution in memory. A parked one has only its id and
// its timer.
type resident struct {
	id    store.ExecutionID
	timer timer
	owed  atomic.Bool // somebody owes it an answer; in virtual time
	told  atomic.Bool // that it cannot be read
	jobs  atomic.Bool // it has a job (.sync), or had one: a stop must know of it

	mu      sync.Mutex
	busy    bool       // a goroutine is at work on it
	queue   []delivery // what came meanwhile
	pacing  *paced     // of that goroutine, where it does more than what is short
	stops   bool       // somebody stops it
	loaded  *loaded
	beats   map[int64]int64 // when tasks gave a sign of life last, by the event that scheduled them
	place   place           // of residency, which guards it
	express *express        // of a synchronous Express execution, which is not stored
}

// loaded is what a parked execution drops.
type loaded struct {
	x       *interpreter.Execution
	meta    stored.Meta
	handle  store.Shard // the ownership under which it was loaded
	dropped bool        // the ownership has passed: load it again
	unread  bool        // it was not replayed, for it is to be stopped
}

// forget makes the next delivery load the execution anew. It tells whether
// somebody is at work on it.
func (r *resident) forget() (busy bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded != nil {
		r.loaded.dropped = true
	}
	return r.busy
}
