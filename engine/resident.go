package engine

import (
	"slices"

	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/stored"
)

// interrupt has whoever is at work on the resident end the step. r.mu is held.
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

// calm ends what interrupts, and gives back what the work so far has taken. r.mu
// is held.
func (r *resident) calm() {
	r.stops = false
	if r.pacing != nil {
		r.pacing.end()
		r.pacing = nil
	}
}

// paced gives what paces the work on the resident. It is called by whoever is at
// work on it.
func (r *resident) paced(e *Engine, m *stored.Meta) (*paced, error) {
	if r.pacing != nil {
		return r.pacing, nil
	}
	ctx := e.closing
	if r.express != nil {
		ctx = r.express.ctx
	}
	p := e.pace(ctx, m.Tenant(), r.id)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pacing = p
	if r.stops {
		return nil, errStopping
	}
	return p, nil
}

// pauses lets others have the processor while a step is committed that recorded
// so many events.
func (r *resident) pauses(events int) {
	if r.pacing != nil {
		r.pacing.step(int64(events) * eventWork)
	}
}

// rests gives the memory back of a step that was committed, but for what the
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

// interruptedError tells that a step was interrupted, and why. What was recorded
// before is committed.
type interruptedError struct{ why error }

// Error tells why.
func (e *interruptedError) Error() string { return "engine: interrupted: " + e.why.Error() }

// Unwrap gives the reason.
func (e *interruptedError) Unwrap() error { return e.why }

// endExpress ends a synchronous execution that was interrupted: nothing of it is
// kept.
func (e *Engine) endExpress(r *resident, why error) {
	r.express.failed = why
	e.pools.cancelAll(r.id)
	r.drop()
	e.remove(e.shards[r.id.Shard()], r)
	r.end(nil)
}
