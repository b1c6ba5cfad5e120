package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

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
	owing atomic.Int64  // for how much a caller owes an answer
	asked chan *advance
}

// advance asks for time to pass.
type advance struct {
	by   time.Duration
	to   time.Time
	done chan time.Time // the time then
}
