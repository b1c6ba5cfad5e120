package engine

import (
	"github.com/steppehq/steppe/store"
)

// Residents is the number of running executions in memory, and how many of
// them are loaded.
func (e *Engine) Residents() (all, loaded int) {
	for _, s := range e.shards {
		s.mu.Lock()
		for _, r := range s.residents {
			all++
			r.mu.Lock()
			if r.loaded != nil {
				loaded++
			}
			r.mu.Unlock()
		}
		s.mu.Unlock()
	}
	return all, loaded
}

// Watchers is the number of callers that follow executions.
func (e *Engine) Watchers() int {
	e.watchers.mu.Lock()
	defer e.watchers.mu.Unlock()
	return int(e.watchers.count.Load()) + len(e.watchers.of)
}

// Owns reports whether the engine believes that it owns a shard.
func (e *Engine) Owns(id store.ShardID) bool { return e.shards[id].handle() != nil }
