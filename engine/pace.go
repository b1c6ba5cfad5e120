package engine

import (
	"context"
	"hash/maphash"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
)

// How steps share processors, in the interpreter's units of work of about 50 ns.
const (
	// lightWork is what every step may do at once; who does more waits for turns.
	lightWork = 2 * interpreter.PaceWork
	// turnWork is how long a turn is, where a caller waits for one.
	turnWork = 6 * interpreter.PaceWork
	// startWork is after how much work the start of an execution is made durable,
	// whatever is still to be done.
	startWork = 6 * interpreter.PaceWork
	// eventWork is what an event costs beside the evaluation of expressions.
	eventWork = 40
	// markWork and markBytes are how much a step does, or holds, that is marked as
	// one that may end the process (see suspects).
	markWork  = 60 * interpreter.PaceWork
	markBytes = 8 << 20
)

// How steps share memory.
const (
	// lightBytes is what every step may hold at once.
	lightBytes = 512 << 10
	// DefaultMemory is what all steps together may hold where the configuration
	// does not say.
	DefaultMemory = 192 << 20
	// maxReplays bounds the executions that are replayed at once, of which it is not
	// known before what they hold.
	maxReplays = 16
	// maxLargeCommits bounds the large commits under way, of a megabyte each mostly:
	// what is behind them in the log waits for them.
	maxLargeCommits = 4
	// heavyShare is the part of it, as a divisor, that is for steps that hold the
	// most; each of them may hold as much as the limits of executions allow.
	heavyShare = 4
)

// mixedFor is how long a processor is kept free of long steps after several
// tenants have been seen.
const mixedFor = time.Second

// pacer shares processors and memory among the steps under way. A step that is
// short and holds little never waits. One that is long takes turns with the long
// steps of others, tenant by tenant; one that holds much takes it from what all
// of them share and, when that is used up, waits to be one of the few that may
// hold as much as they want. These need nothing more, so none waits for another
// for ever.
type pacer struct {
	turns   *shares
	large   *shares
	replays *shares
	commits *shares // of what is large

	mu   sync.Mutex
	free int64 // of the memory that is shared

	seed  maphash.Seed
	last  atomic.Uint64 // tenant that was seen last
	mixed atomic.Int64  // when another one was seen, in milliseconds
}

func newPacer(memory, largest int64) *pacer {
	if largest == 0 { // nothing bounds it
		largest = memory / heavyShare
	}
	p := &pacer{free: memory / heavyShare, seed: maphash.MakeSeed()}
	large := max(2, int((memory-memory/heavyShare)/largest))
	p.large = newShares(func() (int, int) { return large, max(1, large-1) })
	p.commits = newShares(func() (int, int) { return maxLargeCommits, maxLargeCommits - 1 })
	p.replays = newShares(func() (int, int) { return maxReplays, maxReplays * 3 / 4 })
	p.turns = newShares(func() (int, int) {
		n := runtime.GOMAXPROCS(0)
		if n > 1 && time.Now().UnixMilli()-p.mixed.Load() < mixedFor.Milliseconds() {
			n-- // so that what is short, of others, need not wait for a long step
		}
		return n, n
	})
	return p
}

// seen notes that a tenant has asked for something.
func (p *pacer) seen(t catalogue.Tenant) {
	h := maphash.Comparable(p.seed, t)
	if p.last.Load() != h {
		if p.last.Swap(h) != 0 {
			p.mixed.Store(time.Now().UnixMilli())
		}
	}
}

// borrow takes memory out of what is shared. It is false when there is not
// enough.
func (p *pacer) borrow(bytes int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if bytes > p.free {
		return false
	}
	p.free -= bytes
	return true
}

func (p *pacer) payBack(bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free += bytes
}

// paced is who works on an execution, or evaluates something, beyond what is
// short. It is for one goroutine, but for interrupt.
type paced struct {
	e      *Engine
	tenant catalogue.Tenant
	id     store.ExecutionID // zero: of none
	ctx    context.Context
	cancel context.CancelCauseFunc

	before int64 // work of the steps before this one
	base   int64 // what the execution holds, where that is much
	until  int64 // when the turn is over
	turn   bool
	large  bool
	loan   int64
	mark   int // where it is marked, 0 for nowhere
}

// interrupt has the step end as soon as it can, for a reason.
func (p *paced) interrupt(why error) { p.cancel(why) }

// on is interpreter.Env.Pace.
func (p *paced) on(work, held int64) error {
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	work += p.before
	if p.mark == 0 && (work > markWork || held > markBytes) {
		p.mark = p.e.suspects.mark(p.id)
	}
	if err := p.hold(p.base + held); err != nil {
		return err
	}
	if work <= lightWork {
		return nil
	}
	// Go would let the step run for 10 ms while requests wait for the processor.
	runtime.Gosched()
	if p.turn && (work < p.until || !p.e.pacer.turns.wanted()) {
		return nil
	}
	p.pause()
	if err := p.e.pacer.turns.take(p.ctx, p.tenant); err != nil {
		return err
	}
	p.turn, p.until = true, work+turnWork
	return nil
}

// hold makes sure of the memory for what is held.
func (p *paced) hold(held int64) error {
	if held <= lightBytes+p.loan || p.large {
		return nil
	}
	if more := held - p.loan; p.e.pacer.borrow(more) {
		p.loan += more
		return nil
	}
	p.pause()
	if err := p.e.pacer.large.take(p.ctx, p.tenant); err != nil {
		return err
	}
	p.large = true
	p.e.pacer.payBack(p.loan)
	p.loan = 0
	return nil
}

// revived counts what an execution holds that was replayed.
func (p *paced) revived(held int64) error {
	p.base = held
	return p.hold(held)
}

// pause lets others have the processor.
func (p *paced) pause() {
	if p.turn {
		p.turn = false
		p.e.pacer.turns.give(p.tenant)
	}
}

// step ends a step that recorded events; what it held is held until rest.
func (p *paced) step(work int64) {
	p.before += work
	p.pause()
	p.unmark()
}

func (p *paced) unmark() {
	if p.mark != 0 {
		p.e.suspects.clear(p.mark)
		p.mark = 0
	}
}

// rest releases the memory.
func (p *paced) rest() {
	p.base = 0
	if p.loan > 0 {
		p.e.pacer.payBack(p.loan)
		p.loan = 0
	}
	if p.large {
		p.large = false
		p.e.pacer.large.give(p.tenant)
	}
}

// end releases everything.
func (p *paced) end() {
	p.step(0)
	p.rest()
	p.cancel(nil)
}
