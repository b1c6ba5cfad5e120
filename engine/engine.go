// Package engine makes executions durable: it delivers messages to them,
// commits what they decide, and only then brings their effects about.
//
// Everything that happens to an execution is a delivery: load it (from memory,
// or by replay of its history), have the interpreter step it, commit the step,
// perform the effects. The caller that delivers does that work in its own goroutine; a
// delivery to an execution that is busy joins the queue of the one at work, so
// one commit carries all messages that came in between.
//
// The engine owns the store's shards and is their only writer, so a running
// execution is never read back on the hot path. An execution that waits for
// long is parked: dropped to its id and its wake time, and rebuilt by replay.
//
// Wall clock and entropy enter here and nowhere below. Time passes by [Engine.Tick],
// which [Engine.Run] calls as it becomes due.
//
// Stability: may move in any minor release.
package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// Config is what an engine is made of. Store and Integrations are required.
type Config struct {
	Store        store.Store
	Integrations *integration.Registry
	// Recognized reports whether AWS has what a Task's Resource names, for the check
	// of definitions; nil for no more than what can be told from the text.
	Recognized func(asl.Resource) bool
	Logger     *slog.Logger
	// Limits bounds executions; the zero value stands for AWS's quotas.
	Limits interpreter.Limits
	// Retention is how long executions are kept after their end, where their
	// state machine has no tag [RetentionTag]; 90 days by default.
	Retention time.Duration
	// Index names values by which executions are found fast: "input.orderId",
	// "output.total" (see [Engine.Search]).
	Index []string
	// EncryptionKeys are the customers' keys that encryption configurations of
	// state machines and activities name. Without any nothing is encrypted; with
	// some, a configuration that names another key is refused ([*KeyError]).
	EncryptionKeys []catalogue.EncryptionKey
	// Mock, where it is set, is asked for each task of any kind whether something stands for what performs
	// it: by the ARN of its execution and the name of its state; nil for nothing. It
	// answers the same each time it is asked for the same. What it returns is asked by
	// Perform and then, where a task waits for a job or for its token, by Poll; it
	// stands for the workers of activities, too. nil costs nothing.
	Mock func(executionARN, state string) integration.Runner
	// Owner names this engine to others that share the store.
	Owner string
	// Concurrency bounds the tasks of one integration that are performed at
	// once, 256 by default. More wait in line.
	Concurrency int
	// MaxQueued bounds the tasks that wait in line; beyond it new executions
	// are refused with [ErrBusy]. 200,000 by default.
	MaxQueued int
	// Memory bounds, in bytes, what steps and evaluations under way hold together;
	// they wait for each other where it is not enough. [DefaultMemory] when 0.
	Memory int64
	// Marks keeps what is being stepped for the next who opens the store; nil:
	// nothing does.
	Marks store.Marks
	// Quotas bound what accounts have in the catalogue.
	Quotas catalogue.Quotas
	// Clock returns the time, the wall clock by default.
	Clock func() time.Time
	// Virtual, where it is set, is the clock: Run has it jump from one timer to the
	// next (see [Engine.Advance]).
	Virtual *VirtualClock
	// Unattended says that no worker polls activities: their tasks in line do not hold
	// a virtual clock, and time out.
	Unattended bool
	// Random returns the bytes of ids and keys, crypto/rand by default.
	Random io.Reader
	// Go starts concurrent work, by default in a goroutine that does nothing else
	// at the time. A simulation puts it in a line instead.
	Go func(work func())
	// Listener is told what the engine does.
	Listener Listener
}

// The errors of deliveries.
var (
	// ErrBusy: too much is under way; try again later.
	ErrBusy = errors.New("engine: too many tasks in line")
	// ErrNotRunning: the execution has ended, or never was.
	ErrNotRunning = errors.New("engine: the execution is not running")
	// ErrStale: no branch awaits the message.
	ErrStale = errors.New("engine: nobody awaits the message")
	// ErrNotOwner: another engine owns the execution's shard.
	ErrNotOwner = errors.New("engine: another engine owns the shard")
	// ErrInvalidToken: the task token was not made by this store.
	ErrInvalidToken = errors.New("engine: invalid task token")
)

// Engine runs executions. Its methods may be called from any goroutine.
type Engine struct {
	cfg        Config
	store      store.Store
	log        *slog.Logger
	catalogue  *catalogue.Catalogue
	tokens     tokens
	stored     *stored.Executions
	awaited    sync.Map // the keys that awaitKey has logged
	shards     []*shard
	duties     duties
	timers     timers
	pools      pools
	jobs       jobs
	letters    letters
	activities activities
	watchers   watchers
	index      stored.Index
	retainer   retainer
	deletions  deletions
	shifts     shifts
	queued     atomic.Int64
	under      underWay
	virtual    virtual
	absences   absences
	pacer      *pacer
	residency  residency
	suspects   suspects

	simulated bool // Config.Go was given: nothing else may be concurrent
	// work counts what was started and has not ended; closed refuses more.
	work    sync.WaitGroup
	closing context.Context
	close   context.CancelFunc
}

// Catalogue is what the engine's store has of state machines and activities. It is
// the only one that may write there while the engine is open.
func (e *Engine) Catalogue() *catalogue.Catalogue { return e.catalogue }

// Now is the time by the engine's clock.
func (e *Engine) Now() time.Time { return e.cfg.Clock() }

// spawn starts concurrent work that Close waits for.
func (e *Engine) spawn(work func()) {
	if e.closing.Err() != nil {
		return
	}
	e.work.Add(1)
	e.under.begin()
	e.cfg.Go(func() {
		defer e.work.Done()
		defer e.under.end()
		defer e.survive()
		work()
	})
}

// survive has the engine go on after concurrent work broke, which is logged: what it
// was to do is done when it is due again, or by the next engine.
func (e *Engine) survive() {
	if p := recover(); p != nil {
		e.log.Error("work broke", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	}
}

// owes notes whether a caller owes the resident an answer. The clock goes on by
// itself when no answer is owed any more.
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

// isOwed reports whether an execution waits for something beyond the engine: who
// has a task token, or works on an activity, or may do so.
func (e *Engine) isOwed(x *interpreter.Execution) bool {
	return x.Tokens() > 0 || !e.cfg.Unattended && x.Activities() > 0
}

func (e *Engine) token(r *resident, m *stored.Meta) func(int64) string {
	return func(event int64) string { return e.tokens.make(m.Tenant(), r.id, event) }
}

func (e *Engine) shard(id store.ExecutionID) (*shard, error) {
	if int(id.Shard()) >= len(e.shards) {
		return nil, store.ErrNotFound
	}
	return e.shards[id.Shard()], nil
}

// Running is how many executions of the engine's shards run.
func (e *Engine) Running() int {
	n := 0
	for _, s := range e.shards {
		s.mu.Lock()
		n += len(s.residents)
		s.mu.Unlock()
	}
	return n
}

// beginStart has the deletion of a machine wait until begun is called, once an
// execution of it has started or is to go on. It is false when none may any more.
func (e *Engine) beginStart(machine uint32) (begun func(), ok bool) {
	d := &e.deletions
	n, there := d.starting.Load(machine)
	if !there {
		n, _ = d.starting.LoadOrStore(machine, new(atomic.Int64))
	}
	count := n.(*atomic.Int64)
	count.Add(1)
	if _, refused := d.refused.Load(machine); refused {
		count.Add(-1)
		return nil, false
	}
	return func() {
		count.Add(-1)
		e.scheduleDeletion(machine)
	}, true
}
