package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// attempts bounds how often a batch is tried again after the outcome of its
// commit was unknown or the shard was taken anew.
const attempts = 5

// process steps an execution through a batch of messages and commits what they
// bring about. A step that is interrupted so that the execution is stopped lets
// that happen before the rest of the batch.
func (e *Engine) process(ctx context.Context, r *resident, batch []delivery) []result {
	results, interrupted := e.settleBatch(ctx, r, batch)
	for interrupted != nil {
		left := batch[len(results):]
		if r.express != nil {
			e.endExpress(r, interrupted)
		} else if stops := r.takeStops(); len(stops) > 0 {
			if stopped := e.work1(r, stops); stopped.err != nil && len(left) == 0 {
				e.deliveryFailed(r, stopped.err) // what was interrupted is still to be done
			}
		}
		if len(left) == 0 {
			break
		}
		if r.express != nil || ctx.Err() != nil {
			return append(results, e.all(left, interrupted)...)
		}
		var more []result
		more, interrupted = e.settleBatch(ctx, r, left)
		results = append(results, more...)
	}
	return results
}

// settleBatch steps an execution through a batch of messages and commits what
// they bring about. When the outcome of the commit is unknown, the shard is acquired
// anew, and if it has not landed, the batch delivered again to what is true then.
// Once it has landed its results stand, whatever becomes of the steps that
// follow: these are made anew. When a step is interrupted there are results of the
// deliveries before only.
func (e *Engine) settleBatch(ctx context.Context, r *resident, batch []delivery) (_ []result, interrupted error) {
	var (
		recorded []result
		err      error
	)
	whole := batch
	for range attempts {
		results, tried, failed := e.try(ctx, r, batch)
		if why, ok := errors.AsType[*interruptedError](failed); ok {
			if recorded == nil {
				recorded = results
			}
			return recorded, why.why
		}
		if recorded == nil && (failed == nil || tried.committed) {
			recorded = results
		}
		if failed == nil {
			return recorded, nil
		}
		landed, again, final := e.recover(ctx, r, tried, failed)
		if landed && recorded == nil {
			recorded = results
		}
		if recorded != nil {
			batch = []delivery{{resume: true}}
		}
		if err = final; !again {
			break
		}
	}
	if recorded == nil {
		return e.all(whole, err), nil
	}
	e.deliveryFailed(r, err) // what follows is still to be done
	return recorded, nil
}

// recover sees to a resident whose delivery failed. It tells whether what could
// not be committed has landed all the same, whether to deliver again, and the
// error if not.
func (e *Engine) recover(ctx context.Context, r *resident, tried attempt, failed error) (landed, again bool, err error) {
	s := e.shards[r.id.Shard()]
	handle := r.drop()
	switch {
	case errors.Is(failed, store.ErrUnknown):
		// Once the shard is taken anew, what has not landed never will.
		if err := e.reacquire(ctx, s, handle); err != nil {
			return false, false, errors.Join(failed, err)
		}
		if landed, err = e.wrote(ctx, r.id, tried); err != nil {
			return false, false, errors.Join(failed, err)
		}
		if landed && !s.undisputed(handle) {
			return false, false, failed // another engine may have written the same at the same time
		}
		return landed, true, failed
	case !errors.Is(failed, store.ErrFenced):
		return false, false, failed
	case s.handle() != handle:
		return false, true, failed // it was taken anew meanwhile
	}
	if _, err := e.store.Execution(ctx, r.id); errors.Is(err, store.ErrNotFound) { // it was forgotten meanwhile
		e.remove(s, r)
		return false, false, ErrNotRunning
	}
	e.lost(s, handle)
	return false, false, ErrNotOwner
}

// gone sees to a resident whose execution has ended, or was forgotten (record is
// nil then), without this engine being told: the answer to a commit was lost, or
// another engine made it.
func (e *Engine) gone(r *resident, record *store.Record) {
	e.cancelAll(r.id)
	if record != nil {
		if m, err := stored.DecodeMeta(record.Meta); err == nil {
			e.ended(r, m.Machine)
		}
	}
	e.remove(e.shards[r.id.Shard()], r)
}

// cancelAll ends all tasks of an execution that has ended, for which no step told
// their cancelling.
func (e *Engine) cancelAll(id store.ExecutionID) {
	e.jobs.removeAll(func(of store.ExecutionID) bool { return of == id })
	e.pools.cancelAll(id)
	e.activities.cancelAll(id)
}

// attempt is how far a delivery has come.
type attempt struct {
	committed bool         // its messages are
	lost      *store.Chunk // the one whose commit has an unknown outcome
}

// wrote reports whether the store has the chunk of an attempt.
func (e *Engine) wrote(ctx context.Context, id store.ExecutionID, tried attempt) (bool, error) {
	if tried.lost == nil {
		return false, nil
	}
	chunks, err := e.store.History(ctx, id, tried.lost.First, 1, false)
	if err != nil {
		return false, fmt.Errorf("engine: read history: %w", err)
	}
	return len(chunks) == 1 && chunks[0].First == tried.lost.First && bytes.Equal(chunks[0].Data, tried.lost.Data), nil
}

func (e *Engine) all(batch []delivery, err error) []result {
	results := make([]result, len(batch))
	for i := range results {
		results[i].err = err
	}
	return results
}

// drop takes a resident's execution out of memory and gives the ownership
// under which it was there.
func (r *resident) drop() store.Shard {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded == nil {
		return nil
	}
	handle := r.loaded.handle
	r.loaded = nil
	return handle
}
