package engine

import (
	"sync"
)

// residency bounds what the executions in memory that wait for something hold. Of
// those that have waited for longest the execution is dropped first; the next
// message replays it.
type residency struct {
	limit int

	mu    sync.Mutex
	held  int
	front *resident // last used
	back  *resident
}

// smallHeld is what a resident counts at least.
const smallHeld = 1 << 10

// used notes that a resident holds so many bytes, and drops others where that is
// too much.
func (x *residency) used(r *resident, held int) {
	x.mu.Lock()
	x.unlink(r)
	r.place = place{held: max(held, smallHeld), older: x.front}
	if x.front != nil {
		x.front.place.newer = r
	}
	if x.front = r; x.back == nil {
		x.back = r
	}
	x.held += r.place.held
	var drop []*resident
	for x.held > x.limit && x.back != nil && x.back != r {
		drop = append(drop, x.back)
		x.unlink(x.back)
	}
	x.mu.Unlock()
	for _, r := range drop {
		r.rest()
	}
}

// remove takes a resident out that holds nothing any more.
func (x *residency) remove(r *resident) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.unlink(r)
}

func (x *residency) unlink(r *resident) {
	if r.place.held == 0 {
		return
	}
	if r.place.newer != nil {
		r.place.newer.place.older = r.place.older
	} else {
		x.front = r.place.older
	}
	if r.place.older != nil {
		r.place.older.place.newer = r.place.newer
	} else {
		x.back = r.place.newer
	}
	x.held -= r.place.held
	r.place = place{}
}
