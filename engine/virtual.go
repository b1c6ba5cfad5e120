package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrRealTime reports that a clock cannot be moved: it is the real one.
var ErrRealTime = errors.New("engine: the clock is the real one; only a virtual one can be moved on")

// runVirtual is Run in virtual time: whenever nothing is under way but timers,
// and no answer is owed, the clock jumps to the next one. While tasks wait for
// their tokens or for workers of activities it stands, as it does while a function
// runs: only what [Engine.Advance] asks for passes.
func (e *Engine) runVirtual(ctx context.Context) {
	var asked []*advance
	for {
		for e.under.n.Load() == 0 && ctx.Err() == nil {
			var more bool
			if asked, more = e.jump(ctx, asked); !more {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-e.closing.Done():
			return
		case <-e.under.idle:
		case <-e.timers.nudge:
		case a := <-e.virtual.asked:
			asked = append(asked, a)
		}
	}
}

// jump moves the clock to what is next, which is a timer or the end of the first
// advance. It is false when the clock stands.
func (e *Engine) jump(ctx context.Context, asked []*advance) ([]*advance, bool) {
	clock := e.virtual.clock
	now, next := clock.Now(), time.Time{}
	if due := e.NextDue(); due != 0 {
		next = time.UnixMilli(due)
	}
	if len(asked) > 0 {
		first := asked[0]
		if first.to.IsZero() {
			first.to = now.Add(first.by)
		}
		if next.IsZero() || next.After(first.to) {
			clock.advance(first.to)
			first.done <- clock.Now()
			return asked[1:], true
		}
	} else if next.IsZero() || next.After(now) && e.virtual.owing.Load() > 0 {
		return asked, false
	}
	clock.advance(next)
	e.Tick(ctx, clock.Now())
	return asked, true
}

// Advance lets time pass in virtual time, and returns the time then: the clock goes
// from one timer to the next, and all that each of them brings about is done
// before it goes on, until as much has passed. It waits for functions that run. It
// is how tasks time out whose tokens are not answered. [ErrRealTime]; ErrNotOwner
// when the engine is closed in between.
func (e *Engine) Advance(ctx context.Context, by time.Duration) (time.Time, error) {
	if e.virtual.clock == nil {
		return e.Now(), ErrRealTime
	}
	if by < 0 {
		return e.Now(), fmt.Errorf("engine: a clock cannot go back by %v", -by)
	}
	a := &advance{by: by, done: make(chan time.Time, 1)}
	select {
	case e.virtual.asked <- a:
	case <-ctx.Done():
		return e.Now(), ctx.Err()
	case <-e.closing.Done():
		return e.Now(), ErrNotOwner
	}
	select {
	case now := <-a.done:
		return now, nil
	case <-ctx.Done():
		return e.Now(), ctx.Err()
	case <-e.closing.Done():
		return e.Now(), ErrNotOwner
	}
}

// Virtual reports whether the engine has a virtual clock, and how many executions
// hold it, for which a caller owes an answer.
func (e *Engine) Virtual() (virtual bool, owed int) {
	return e.virtual.clock != nil, int(e.virtual.owing.Load())
}
