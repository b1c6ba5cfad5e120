package engine

import (
	"bytes"
	"container/heap"
	"sync"
)

// timers wakes residents. There is no timer on disk: the wake time of an
// execution derives from its state.
type timers struct {
	e     *Engine
	mu    sync.Mutex
	heap  timerHeap
	nudge chan struct{} // the earliest time has moved
}

func (t *timers) init(e *Engine) { t.e, t.nudge = e, make(chan struct{}, 1) }

// set wakes a resident at a time, instead of the time set before.
func (t *timers) set(r *resident, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case at == r.timer.at:
		return
	case at == 0:
		t.unset(r)
		return
	case r.timer.index > 0:
		r.timer.at = at
		heap.Fix(&t.heap, r.timer.index-1)
	default:
		r.timer.at = at
		heap.Push(&t.heap, r)
	}
	// What is overdue should have been taken out: the loop sleeps by a clock that
	// does not jump, and does not know that the one that counts has.
	if first := t.heap[0]; first == r || first.timer.at <= t.e.Now().UnixMilli() {
		t.poke()
	}
}

// poke tells the loop that waits for the earliest time that it has moved.
func (t *timers) poke() {
	select {
	case t.nudge <- struct{}{}:
	default:
	}
}

func (t *timers) clear(r *resident) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unset(r)
}

func (t *timers) unset(r *resident) {
	if r.timer.index > 0 {
		heap.Remove(&t.heap, r.timer.index-1)
	}
	r.timer = timer{}
}

// next is the earliest time that is set, 0 for none.
func (t *timers) next() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.heap) == 0 {
		return 0
	}
	return t.heap[0].timer.at
}

// due takes out a resident whose time has come, nil when there is none.
func (t *timers) due(now int64) *resident {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.heap) == 0 || t.heap[0].timer.at > now {
		return nil
	}
	r := t.heap[0]
	t.unset(r)
	return r
}

type timerHeap []*resident

func (h timerHeap) Len() int { return len(h) }

// Less orders by time, and what is due at one time by its id, so that the order
// does not depend on what was set and cleared before.
func (h timerHeap) Less(i, j int) bool {
	if h[i].timer.at != h[j].timer.at {
		return h[i].timer.at < h[j].timer.at
	}
	return bytes.Compare(h[i].id[:], h[j].id[:]) < 0
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].timer.index, h[j].timer.index = i+1, j+1
}

// Push is for package heap.
func (h *timerHeap) Push(x any) {
	r := x.(*resident)
	*h = append(*h, r)
	r.timer.index = len(*h)
}

// Pop is for package heap.
func (h *timerHeap) Pop() any {
	old := *h
	r := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	r.timer.index = 0
	return r
}
