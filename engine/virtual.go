package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// VirtualClock is a clock that stands still until it is set. An engine whose
// Config.Clock is its Now runs by [Engine.RunVirtual].
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

// RunVirtual is [Engine.Run] in virtual time: whenever nothing is under way but
// timers, the clock jumps to the next one. Whoever is to answer a task token or
// works on an activity is not under way: such a task times out at once, if it
// has a timeout, unless it is answered before.
func (e *Engine) RunVirtual(ctx context.Context, clock *VirtualClock) {
	for {
		for e.under.n.Load() == 0 && ctx.Err() == nil {
			next := e.NextDue()
			if next == 0 {
				break
			}
			clock.advance(time.UnixMilli(next))
			e.Tick(ctx, clock.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-e.closing.Done():
			return
		case <-e.under.idle:
		case <-e.timers.nudge:
		}
	}
}
