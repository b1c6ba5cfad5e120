package engine

import (
	"slices"
	"sync"
	"time"
)

// workers does work concurrently, in goroutines that it uses again: tasks go deep,
// and a new goroutine would grow its stack, copying it, for each.
type workers struct {
	closing <-chan struct{}

	mu   sync.Mutex
	idle []chan func() // of goroutines without work; the last one was busy last
}

// idleFor is how long a goroutine waits for more work.
const idleFor = time.Second

// start has work done by a goroutine that is idle, or a new one.
func (w *workers) start(work func()) {
	w.mu.Lock()
	n := len(w.idle)
	if n == 0 {
		w.mu.Unlock()
		go w.run(work)
		return
	}
	next := w.idle[n-1]
	w.idle = w.idle[:n-1]
	w.mu.Unlock()
	next <- work
}

func (w *workers) run(work func()) {
	next := make(chan func(), 1)
	idle := time.NewTimer(idleFor)
	defer idle.Stop()
	for {
		work()
		w.mu.Lock()
		w.idle = append(w.idle, next)
		w.mu.Unlock()
		idle.Reset(idleFor)
		select {
		case work = <-next:
			continue
		case <-idle.C:
		case <-w.closing:
		}
		if w.leave(next) {
			return
		}
		work = <-next // it was given some in between
	}
}

// leave takes a goroutine out of those that are idle; false: it is not idle.
func (w *workers) leave(next chan func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.idle, next)
	if i < 0 {
		return false
	}
	w.idle = slices.Delete(w.idle, i, i+1)
	return true
}
