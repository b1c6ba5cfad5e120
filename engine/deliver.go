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

// Deliver hands a message to a running execution and returns when what it
// brought about is durable. ErrNotRunning, ErrStale, ErrNotOwner, [*KeyError].
func (e *Engine) Deliver(ctx context.Context, id store.ExecutionID, msg interpreter.Message) (time.Time, error) {
	r, err := e.running(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	return e.deliver(ctx, r, delivery{msg: msg})
}

// running gives the resident of a running execution. ErrNotRunning, ErrNotOwner.
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
// nobody else is at it.
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
// shard may have been lost and taken back since somebody got hold of it. It
// gives the one that memory has.
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

// runBatch delivers a batch in one step and one commit and tells everybody. It
// gives the result of the first delivery.
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

// retryDelivery is the pause before a delivery that nobody waits for is tried
// again.
const retryDelivery = time.Second

// deliveryFailed sees to it that a message that nobody waits for is not lost
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
