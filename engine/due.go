package engine

import (
	"context"
	"time"

	"github.com/steppehq/steppe/interpreter"
)

// due is something that has to do things at times. Whatever does stands in the
// engine's list of them, and needs nothing else: [Engine.Run], [Engine.Tick],
// [Engine.NextDue] and the virtual clock all go by that list.
type due interface {
	// next is the earliest time at which something is due, in milliseconds since 1970;
	// 0 for nothing. Who makes it earlier calls timers.poke.
	next() int64
	// tick begins all that is due by a time, and returns.
	tick(ctx context.Context, now time.Time)
}

// duties are what the engine has to do at times. What is in chores is done now and
// then for ever: real time and Tick do it, but a virtual clock does not go on for it, and
// [Engine.NextDue] does not count it.
type duties struct{ due, chores []due }

// init lists the duties, in the order in which a tick does them.
func (d *duties) init(e *Engine) {
	e.retainer.e = e
	d.chores = []due{&e.retainer}
	d.due = []due{&e.shifts, &e.letters, &e.jobs, &e.timers}
}

// first is the earliest time at which one of some is due, in milliseconds since 1970; 0
// for never.
func first(some []due) (first int64) {
	for _, d := range some {
		if at := d.next(); at != 0 && (first == 0 || at < first) {
			first = at
		}
	}
	return first
}

// maxWaking bounds the executions that are woken at once, maxResuming those that
// are taken up at once when a shard is.
const (
	maxWaking   = 256
	maxResuming = 64
)

// tick wakes the executions that are to be woken.
func (t *timers) tick(ctx context.Context, now time.Time) {
	e := t.e
	for ctx.Err() == nil {
		r := t.due(now.UnixMilli())
		if r == nil {
			return
		}
		e.pools.wakes.start(func() {
			_, err := e.deliver(e.closing, r, delivery{msg: interpreter.Message{Kind: interpreter.Wake}})
			if err != nil && e.closing.Err() == nil {
				e.deliveryFailed(r, err)
			}
		})
	}
}
