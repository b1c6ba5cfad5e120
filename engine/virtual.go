package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/steppehq/steppe/interpreter"
)

// ErrRealTime tells that a clock cannot be moved: it is the real one.
var ErrRealTime = errors.New("engine: the clock is the real one; only a virtual one can be moved on")

// VirtualClock is a clock that stands still until the engine that has it
// ([Config.Virtual]) moves it on.
type VirtualClock struct {
	mu  sync.Mutex
	now time.Time
}

// NewVirtualClock makes a clock that shows a time.
func NewVirtualClock(now time.Time) *VirtualClock { return &VirtualClock{now: now} }

// Now is the time that the clock shows.
func (c *VirtualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// advance sets the clock, never back.
func (c *VirtualClock) advance(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to.After(c.now) {
		c.now = to
	}
}

// underWay counts work that may bring something about by itself: deliveries,
// and tasks being performed.
type underWay struct {
	n    atomic.Int64
	idle chan struct{} // it has come to nothing
}

func (u *underWay) init() { u.idle = make(chan struct{}, 1) }

func (u *underWay) begin() { u.n.Add(1) }

func (u *underWay) end() {
	if u.n.Add(-1) == 0 {
		select {
		case u.idle <- struct{}{}:
		default:
		}
	}
}

// virtual is what an engine with a virtual clock knows.
type virtual struct {
	clock *VirtualClock // nil: time is real
	owing atomic.Int64  // for how much somebody owes an answer
	asked chan *advance
}

// advance asks for time to pass.
type advance struct {
	by   time.Duration
	to   time.Time
	done chan time.Time // the time then
}

// owes notes whether somebody owes the resident an answer. The clock goes on by
// itself when nobody does any more.
func (e *Engine) owes(r *resident, owing bool) {
	if e.virtual.clock == nil || r.owed.Swap(owing) == owing {
		return
	}
	if owing {
		e.owing(1)
	} else {
		e.owing(-1)
	}
}

// owing counts answers that are owed.
func (e *Engine) owing(n int64) {
	if e.virtual.owing.Add(n) == 0 {
		e.timers.poke()
	}
}

// isOwed reports whether an execution waits for somebody beyond the engine: who
// has a task token, or works on an activity, or may do so.
func (e *Engine) isOwed(x *interpreter.Execution) bool {
	return x.Tokens() > 0 || !e.cfg.Unattended && x.Activities() > 0
}

// runVirtual is Run in virtual time: whenever nothing is under way but timers,
// and nobody owes an answer, the clock jumps to the next one. While tasks wait for
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

// Advance lets time pass in virtual time, and gives the time then: the clock goes
// from one timer to the next, and all that each of them brings about is done
// before it goes on, until as much has passed. It waits for functions that run. It
// is how tasks time out whose tokens nobody answers. [ErrRealTime]; ErrNotOwner
// when the engine is closed meanwhile.
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
// hold it, for which somebody owes an answer.
func (e *Engine) Virtual() (virtual bool, owed int) {
	return e.virtual.clock != nil, int(e.virtual.owing.Load())
}
