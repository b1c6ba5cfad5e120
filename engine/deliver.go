package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
)

// How a message becomes durable.
//
//	deliver    puts the delivery in the queue of the execution's resident and returns
//	           when another goroutine answers it; or, if no goroutine is at work on the
//	           execution, sets busy and does the work itself.
//	runBatch   takes all that is in the queue as one batch, and answers each delivery
//	           when it is durable. workOff repeats that until the queue is empty, and
//	           sets busy back under the same lock, so no delivery is left behind.
//	tryBatch   loads the execution, by replay when it is parked, and has the interpreter
//	           step it through the messages of the batch. What they decide is collected
//	           in a stepping.
//	commit     makes all events of the batch durable in one commit, with the letters
//	           and the record's fields that follow from them.
//	settle     brings about what was committed: timers, effects, watchers; then the
//	           resident is parked, or removed at its end. While branches can go on,
//	           finish steps on and commits again.
//
// Nothing leaves this path before its commit: an effect is performed, a caller answered,
// a listener called only in settle or after it. The work of a batch is not cancelled with
// the context of a caller, which may hold the work of others; a caller whose context
// ends stops waiting, and its message may still be recorded.
//
// A commit can fail in three ways (settleBatch, recover). Its outcome may be unknown: the
// shard is acquired again, which fences the lost commit out if it has not landed, and the
// history says whether it has; if not, the batch is tried again with the execution as it
// is then. It may be fenced because the shard was acquired again in between, which is tried
// again too, or because another engine owns the shard: the shard is dropped from memory, and
// all callers get ErrNotOwner. Any other error is the callers' answer; nothing was recorded,
// and the execution is dropped from memory, to be replayed by the next delivery.
//
// Messages of timers, tasks and jobs have no caller who would send them again. For these
// deliveryFailed sets a timer, which wakes the execution, and the first delivery after a replay
// performs what has no recorded outcome (unperformed).

// Deliver hands a message to a running execution and returns when what it
// brought about is durable. ErrNotRunning, ErrStale, ErrNotOwner, [*KeyError].
func (e *Engine) Deliver(ctx context.Context, id store.ExecutionID, msg interpreter.Message) (time.Time, error) {
	r, err := e.running(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	return e.deliver(ctx, r, delivery{msg: msg})
}

// running returns the resident of a running execution. ErrNotRunning, ErrNotOwner.
func (e *Engine) running(ctx context.Context, id store.ExecutionID) (*resident, error) {
	s, err := e.shard(id)
	if err != nil {
		return nil, err
	}
	if r := s.resident(id); r != nil {
		return r, nil
	}
	return nil, e.whyNotRunning(ctx, id)
}

// whyNotRunning returns why memory does not know an execution: it has ended, or
// another engine has it.
func (e *Engine) whyNotRunning(ctx context.Context, id store.ExecutionID) error {
	record, err := e.store.Execution(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrNotRunning
	case err != nil:
		return fmt.Errorf("engine: read execution: %w", err)
	case record.Status == store.Running:
		return ErrNotOwner
	}
	return ErrNotRunning
}

// deliver puts a delivery in the resident's line, and works the line off when
// no other goroutine is at work on it.
func (e *Engine) deliver(ctx context.Context, r *resident, d delivery) (time.Time, error) {
	e.under.begin()
	defer e.under.end()
	r.mu.Lock()
	if r.busy {
		d.done = make(chan result, 1)
		r.queue = append(r.queue, d)
		if d.msg.Kind == interpreter.Stop {
			r.interrupt(errStopping)
		}
		r.mu.Unlock()
		select {
		case res := <-d.done:
			return res.at, res.err
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
	r.busy = true
	r.mu.Unlock()
	if current := e.claim(r); current != r {
		e.handOver(r, current)
		return e.deliver(ctx, current, d)
	}
	own := e.runBatch(r, []delivery{d})
	e.workOff(r)
	return own.at, own.err
}

// claim makes sure that the resident to work on is the one that memory has: its
// shard may have been lost and taken back since the caller looked it up. It
// returns the one that memory has.
func (e *Engine) claim(r *resident) *resident {
	if r.express != nil {
		return r
	}
	s := e.shards[r.id.Shard()]
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.residents[r.id]
	if current == nil {
		if current = r; s.owned != nil {
			s.residents[r.id] = r
		}
	}
	return current
}

// handOver delivers what waits for a resident that is not the one that memory
// has.
func (e *Engine) handOver(r, current *resident) {
	r.mu.Lock()
	waiting := r.takeQueue()
	r.busy = false
	r.calm()
	r.mu.Unlock()
	for _, d := range waiting {
		done := d.done
		d.done = nil
		at, err := e.deliver(e.closing, current, d)
		done <- result{at, err}
	}
}

// workOff does what came in while a delivery was worked on.
func (e *Engine) workOff(r *resident) {
	for {
		r.mu.Lock()
		batch := r.takeQueue()
		if len(batch) == 0 {
			r.busy = false
			r.calm()
			r.mu.Unlock()
			if r.express == nil {
				e.shards[r.id.Shard()].leave(r)
			}
			return
		}
		r.mu.Unlock()
		e.runBatch(r, batch)
	}
}

// runBatch delivers a batch in one step and one commit and answers all who wait. It
// returns the result of the first delivery.
func (e *Engine) runBatch(r *resident, batch []delivery) result {
	// The commit must not be given up when one of the callers is.
	results := e.process(e.closing, r, batch)
	for i, d := range batch {
		if d.done != nil {
			d.done <- results[i]
		}
	}
	return results[0]
}

// retryDelivery is the pause before a delivery that no caller waits for is tried
// again.
const retryDelivery = time.Second

// deliveryFailed makes sure that a message that no caller waits for is not lost
// with the error: the execution is woken again, and then resumed. One whose key
// is missing is resumed by the next engine, which may have it, and so is one that is
// damaged, whose directory may have been restored.
func (e *Engine) deliveryFailed(r *resident, err error) {
	switch {
	case errors.Is(err, ErrNotRunning), errors.Is(err, ErrStale), errors.Is(err, ErrNotOwner), errors.Is(err, ErrHeld), e.closing.Err() != nil:
		return
	}
	if missing, ok := errors.AsType[*catalogue.KeyError](err); ok {
		e.awaitKey(missing)
		return
	}
	if errors.Is(err, store.ErrDamaged) {
		e.unreadable(r, err)
		return
	}
	e.log.Error("delivery failed; trying again", slog.Any("error", err))
	e.timers.set(r, e.Now().Add(retryDelivery).UnixMilli())
}
