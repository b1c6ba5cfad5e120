package engine

import (
	"context"
	"time"
)

// Run does what becomes due until the context ends. With a virtual clock nothing
// is waited for but what is under way, and those who owe an answer.
func (e *Engine) Run(ctx context.Context) {
	if e.virtual.clock != nil {
		e.runVirtual(ctx)
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.closing.Done():
			return
		case <-timer.C:
		case <-e.timers.nudge:
		}
		now := e.cfg.Clock()
		e.Tick(ctx, now)
		timer.Reset(e.sleep(now))
	}
}

// NextDue is the earliest time at which something is due, in milliseconds since
// 1970; 0 for nothing.
func (e *Engine) NextDue() int64 { return first(e.duties.due) }

// Tick does all that is due at the given time, and returns when it was begun.
func (e *Engine) Tick(ctx context.Context, now time.Time) {
	for _, some := range [][]due{e.duties.chores, e.duties.due} {
		for _, d := range some {
			d.tick(ctx, now)
		}
	}
}

// sleep is how long nothing is due from now on, a second at most: the wall clock may jump
// on, and timers sleep by another one.
func (e *Engine) sleep(now time.Time) time.Duration {
	const longest = time.Second
	pause := longest
	for _, at := range []int64{first(e.duties.chores), first(e.duties.due)} {
		if at != 0 {
			pause = min(pause, time.UnixMilli(at).Sub(now))
		}
	}
	return pause
}
