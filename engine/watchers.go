package engine

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/steppehq/steppe/store"
)

// watchers are the callers that follow executions. They read what they are
// interested in from the store; a signal only says that it is time to look again.
// So a signal that comes too early, twice, or for something else does no harm, and
// one that comes before the first look is not missed.
type watchers struct {
	// count is how many there are. Every commit looks at it, and at nothing else
	// while it is zero.
	count atomic.Int64
	mu    sync.Mutex
	of    map[store.ExecutionID][]*watcher
}

// watcher is one caller.
type watcher struct {
	signal chan struct{} // has room for one signal
	end    bool          // it is interested in the end of the execution only
}

func (w *watchers) add(id store.ExecutionID, end bool) *watcher {
	one := &watcher{signal: make(chan struct{}, 1), end: end}
	w.count.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil {
		w.of = make(map[store.ExecutionID][]*watcher)
	}
	w.of[id] = append(w.of[id], one)
	return one
}

func (w *watchers) remove(id store.ExecutionID, one *watcher) {
	w.count.Add(-1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[id] = slices.DeleteFunc(w.of[id], func(other *watcher) bool { return other == one })
	if len(w.of[id]) == 0 {
		delete(w.of, id)
	}
}

// changed signals that an execution has more events, or has ended. They are durable.
func (w *watchers) changed(id store.ExecutionID, ended bool) {
	if w.count.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.of[id] {
		if one.end && !ended {
			continue
		}
		select {
		case one.signal <- struct{}{}:
		default: // it has yet to look
		}
	}
}
