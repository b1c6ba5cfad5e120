package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// interrupt has the goroutine that is at work on the resident end the step. r.mu is held.
func (r *resident) interrupt(why error) {
	r.stops = true
	if r.pacing != nil {
		r.pacing.interrupt(why)
	}
}

// takeQueue takes what has come while a delivery was worked on, those that stop
// the execution first: others must not keep them waiting. r.mu is held.
func (r *resident) takeQueue() []delivery {
	batch := r.queue
	r.queue = nil
	if r.stops {
		slices.SortStableFunc(batch, func(a, b delivery) int { return stopsFirst(a) - stopsFirst(b) })
		r.calm()
	}
	return batch
}

func stopsFirst(d delivery) int {
	if d.msg.Kind == interpreter.Stop {
		return 0
	}
	return 1
}

// takeStops takes those out of the queue that stop the execution.
func (r *resident) takeStops() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	var stops, others []delivery
	for _, d := range r.queue {
		if d.msg.Kind == interpreter.Stop {
			stops = append(stops, d)
		} else {
			others = append(others, d)
		}
	}
	r.queue = others
	r.calm()
	return stops
}

// waits reports whether there are deliveries in the queue.
func (r *resident) waits() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue) > 0
}

// calm ends what interrupts, and releases what the work so far has taken. r.mu
// is held.
func (r *resident) calm() {
	r.stops = false
	if r.pacing != nil {
		r.pacing.end()
		r.pacing = nil
	}
}

// pauses lets others have the processor while a step is committed that recorded
// so many events.
func (r *resident) pauses(events int) {
	if r.pacing != nil {
		r.pacing.step(int64(events) * eventWork)
	}
}

// rests releases the memory of a step that was committed, but for what the
// execution holds if it goes on at once.
func (r *resident) rests(x *interpreter.Execution) {
	if r.pacing == nil {
		return
	}
	if x.Ready() {
		if held := int64(x.Held()); held > lightBytes {
			r.pacing.base = held
			return
		}
	}
	r.pacing.rest()
}

// interruptedError reports that a step was interrupted, and why. What was recorded
// before is committed.
type interruptedError struct{ why error }

// Error reports why.
func (e *interruptedError) Error() string { return "engine: interrupted: " + e.why.Error() }

// Unwrap returns the reason.
func (e *interruptedError) Unwrap() error { return e.why }

// effectID names a task of an execution.
type effectID struct {
	execution store.ExecutionID
	event     int64
}

// resident is a running execution in memory. A parked one has only its id and
// its timer.
type resident struct {
	id    store.ExecutionID
	timer timer
	owed  atomic.Bool // a caller owes it an answer; in virtual time
	told  atomic.Bool // that it cannot be read
	jobs  atomic.Bool // it has a job (.sync), or had one: a stop must know of it

	mu      sync.Mutex
	busy    bool       // a goroutine is at work on it
	queue   []delivery // what came in between
	pacing  *paced     // of that goroutine, where it does more than what is short
	stops   bool       // a caller stops it
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

// timer is a resident's place in the heap.
type timer struct {
	at    int64 // milliseconds since 1970; 0: not set
	index int   // in the heap, from 1; 0: not in it
}

// place is where a resident stands in the order of use.
type place struct {
	newer, older *resident
	held         int // 0: it stands nowhere
}

// delivery is a message on its way to an execution.
type delivery struct {
	msg interpreter.Message
	// resume asks for nothing but that effects without outcome are performed.
	resume bool
	// look is shown the execution, before it is told the message.
	look func(*loaded)
	done chan result // nil for the goroutine that does the work itself
}

type result struct {
	at  time.Time
	err error
}

// forget makes the next delivery load the execution again. It reports whether
// a goroutine is at work on it.
func (r *resident) forget() (busy bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded != nil {
		r.loaded.dropped = true
	}
	return r.busy
}

// drop takes a resident's execution out of memory and returns the ownership
// under which it was there.
func (r *resident) drop() store.Shard {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded == nil {
		return nil
	}
	handle := r.loaded.handle
	r.loaded = nil
	return handle
}

// rest drops the execution of a resident that no goroutine is at work on. One that is
// busy comes back when the work is done.
func (r *resident) rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.busy && r.express == nil {
		r.loaded = nil
	}
}

// heard remembers a sign of life of a task, which the history does not have.
func (r *resident) noteHeartbeat(cause, at int64) {
	if r.beats == nil {
		r.beats = make(map[int64]int64)
	}
	r.beats[cause] = at
}

// express is the run of a synchronous Express execution: it lives in memory.
type express struct {
	ctx    context.Context // of who waits for it
	stop   time.Time
	failed error // it was interrupted
	done   chan struct{}
}

// newSynchronous makes a synchronous execution, in one piece of memory: it lives
// and goes as a whole.
func newSynchronous(ctx context.Context, m stored.Meta) *resident {
	whole := &struct {
		resident
		loaded
		express
	}{loaded: loaded{meta: m}, express: express{ctx: ctx, done: make(chan struct{})}}
	r := &whole.resident
	r.busy, r.loaded, r.express = true, &whole.loaded, &whole.express
	return r
}

// finish releases the caller that waits for a synchronous execution: it is over.
func (r *resident) finish() {
	if r.express != nil {
		close(r.express.done)
	}
}

// The reasons for which steps are interrupted.
var (
	// errStopping: a caller stops the execution.
	errStopping = errors.New("engine: the execution is to be stopped")
	// errLongStart: the start is to be made durable before it goes on.
	errLongStart = errors.New("engine: the start takes long")
)
