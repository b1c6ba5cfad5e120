package engine

import (
	"sync"

	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
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

// undisputed reports whether no other engine has had the shard since an
// ownership of this one.
func (s *shard) undisputed(since store.Shard) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return since.Epoch() >= s.alone
}

// applyHeartbeats applies the signs of life of its tasks to a replayed execution. Who worked
// on them when the shard was taken may have given one just before.
func (s *shard) applyHeartbeats(r *resident, x *interpreter.Execution) {
	s.mu.Lock()
	since := s.since
	s.mu.Unlock()
	x.Alive(0, since)
	for cause, at := range r.beats {
		x.Alive(cause, at)
	}
}

// leave takes a resident out of memory that no goroutine is at work on any more, if its
// shard has been lost.
func (s *shard) leave(r *resident) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owned == nil && s.residents[r.id] == r {
		delete(s.residents, r.id)
	}
}

// resident returns what memory holds of a running execution; nil when it is not
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
