package door

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// ErrBudget reports that all that may be held is held, by others who have no more
// of it than their part.
var ErrBudget = errors.New("door: all memory for this is in use")

// errCut tells who is cut that others wait for what it holds.
var errCut = errors.New("door: cut, because it stood still while others waited")

// Budget is how many bytes all requests together may hold for one purpose, and
// those of one owner half of them. When it is used up, who wants more waits, and what makes no progress is cut for it:
// of the owner that holds most, what stood still for longest.
type Budget struct {
	// Bytes are how many there are.
	Bytes int64
	// Patience is how long to wait for them.
	Patience time.Duration
	// Stall is how long something may stand still while others wait.
	Stall time.Duration

	mu     sync.Mutex
	used   int64
	owners map[string]int64
	holds  map[*Hold]struct{}
	freed  chan struct{} // closed when bytes came back; nil while nobody waits
}

// Hold is what one request holds of a budget. But for being cut it belongs to the
// request's goroutine.
type Hold struct {
	// Owner is whose it is, to be set before anything is taken.
	Owner string

	budget   *Budget
	w        http.ResponseWriter
	deadline Deadline

	// These belong to the budget.
	bytes    int64
	moved    time.Time
	movable  bool // it waits for the other side, which may be cut off
	wasCut   bool
	sinceLog int64
}

// Deadline sets the time until which the other side of a request is waited for:
// (*http.ResponseController).SetReadDeadline, or SetWriteDeadline.
type Deadline func(c *http.ResponseController, until time.Time) error

// Open begins to hold for a request; nothing yet. deadline is how it is cut off.
// Close must be called.
func (b *Budget) Open(w http.ResponseWriter, deadline Deadline) Hold {
	return Hold{budget: b, w: w, deadline: deadline}
}

// cut ends the waiting for the other side.
func (h *Hold) cut() {
	_ = h.deadline(http.NewResponseController(h.w), time.Unix(1, 0)) // what has no deadline ends by itself
}

// Take takes more bytes. It waits for them at most as long as the budget's
// patience: [ErrBudget].
func (h *Hold) Take(ctx context.Context, n int64) error {
	b := h.budget
	b.mu.Lock()
	if b.fits(h, n) {
		b.grant(h, n)
		b.mu.Unlock()
		return nil
	}
	b.mu.Unlock()
	if n > b.Bytes/2 {
		return ErrBudget
	}
	ctx, cancel := context.WithTimeout(ctx, b.Patience)
	defer cancel()
	look := time.NewTicker(max(b.Stall/4, time.Millisecond))
	defer look.Stop()
	for {
		b.mu.Lock()
		if h.wasCut {
			b.mu.Unlock()
			return errCut
		}
		if b.fits(h, n) {
			b.grant(h, n)
			b.mu.Unlock()
			return nil
		}
		victim := b.victim(h, n)
		if b.freed == nil {
			b.freed = make(chan struct{})
		}
		freed := b.freed
		b.mu.Unlock()
		if victim != nil {
			victim.cut()
		}
		select {
		case <-freed:
		case <-look.C:
		case <-ctx.Done():
			return ErrBudget
		}
	}
}

// fits reports whether there are n bytes, and the owner has not half of all with
// them.
func (b *Budget) fits(h *Hold, n int64) bool { return b.used+n <= b.Bytes && b.within(h, n) }

func (b *Budget) within(h *Hold, n int64) bool { return b.owners[h.Owner]+n <= b.Bytes/2 }

func (b *Budget) grant(h *Hold, n int64) {
	if b.holds == nil {
		b.holds, b.owners = make(map[*Hold]struct{}), make(map[string]int64)
	}
	b.used += n
	b.owners[h.Owner] += n
	h.bytes += n
	h.moved = time.Now()
	b.holds[h] = struct{}{}
}

// victim chooses what is cut for who wants n bytes: something that stands still,
// of whoever holds most; else something of an owner that holds more than the one
// who asks would. nil when there is nothing to be cut.
func (b *Budget) victim(asks *Hold, n int64) *Hold {
	now, own := time.Now(), !b.within(asks, n)
	var best *Hold
	better := func(h *Hold) bool {
		if best == nil {
			return true
		}
		if mine, its := b.owners[h.Owner], b.owners[best.Owner]; mine != its {
			return mine > its
		}
		return h.moved.Before(best.moved)
	}
	for _, stalledOnly := range []bool{true, false} {
		for h := range b.holds {
			switch {
			case h == asks || !h.movable || h.wasCut || own && h.Owner != asks.Owner:
			case stalledOnly && now.Sub(h.moved) < b.Stall:
			case !stalledOnly && b.owners[h.Owner] <= b.owners[asks.Owner]+n:
			case better(h):
				best = h
			}
		}
		if best != nil {
			best.wasCut = true
			return best
		}
	}
	return nil
}

// progress is how many bytes must have come, or gone, for something not to stand
// still.
const progress = 4 << 10

// Wait records that the hold waits for the other side from now on, and may be cut
// while it does.
func (h *Hold) Wait() {
	h.budget.mu.Lock()
	h.movable, h.moved = true, time.Now()
	h.budget.mu.Unlock()
}

// Moved records that n bytes came from the other side, or went there.
func (h *Hold) Moved(n int) {
	h.budget.mu.Lock()
	if h.sinceLog += int64(n); h.sinceLog >= progress {
		h.sinceLog, h.moved = 0, time.Now()
	}
	h.budget.mu.Unlock()
}

// Done records that nothing is waited for any more: what is held stays until Close.
// It is false when the hold was cut.
func (h *Hold) Done() bool {
	h.budget.mu.Lock()
	defer h.budget.mu.Unlock()
	h.movable = false
	return !h.wasCut
}

// Keep gives back all but n bytes.
func (h *Hold) Keep(n int64) {
	back := h.bytes - n // only the request itself changes it
	if back <= 0 {
		return
	}
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	h.bytes -= back
	b.used -= back
	if b.owners[h.Owner] -= back; b.owners[h.Owner] == 0 {
		delete(b.owners, h.Owner)
	}
	if h.bytes == 0 {
		delete(b.holds, h)
	}
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}

// Close gives everything back.
func (h *Hold) Close() { h.Keep(0) }

// Bytes reports how many are held.
func (h *Hold) Bytes() int64 { return h.bytes }

// Used reports how many bytes are held.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}
