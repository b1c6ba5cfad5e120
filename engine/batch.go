package engine

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"

	"github.com/steppehq/steppe/interpreter"
)

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
			if stopped := e.runBatch(r, stops); stopped.err != nil && len(left) == 0 {
				e.deliveryFailed(r, stopped.err) // what was interrupted is still to be done
			}
		}
		if len(left) == 0 {
			break
		}
		if r.express != nil || ctx.Err() != nil {
			return append(results, failAll(left, interrupted)...)
		}
		var more []result
		more, interrupted = e.settleBatch(ctx, r, left)
		results = append(results, more...)
	}
	return results
}

// settleBatch steps an execution through a batch of messages and commits what
// they bring about. When the outcome of the commit is unknown, the shard is acquired
// again, and if it has not landed, the batch delivered again to what is true then.
// Once it has landed its results stand, whatever becomes of the steps that
// follow: these are made again. When a step is interrupted there are results of the
// deliveries before only.
func (e *Engine) settleBatch(ctx context.Context, r *resident, batch []delivery) (_ []result, interrupted error) {
	var (
		recorded []result
		err      error
	)
	whole := batch
	for range attempts {
		results, tried, failed := e.tryBatch(ctx, r, batch)
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
		return failAll(whole, err), nil
	}
	e.deliveryFailed(r, err) // what follows is still to be done
	return recorded, nil
}

// tryBatch does a batch once. When a step is interrupted, the results are those of the
// deliveries before, and the error is an [*interruptedError].
func (e *Engine) tryBatch(ctx context.Context, r *resident, batch []delivery) (_ []result, _ attempt, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = e.broke(r, p, debug.Stack())
		}
	}()
	if e.suspects.held(r.id) && !slices.ContainsFunc(batch, func(d delivery) bool { return d.msg.Kind == interpreter.Stop }) {
		return failAll(batch, ErrHeld), attempt{}, nil
	}
	l, fresh, err := e.load(ctx, r, batch)
	if err != nil {
		if errors.Is(err, ErrNotRunning) {
			return failAll(batch, err), attempt{}, nil
		}
		return nil, attempt{}, err
	}
	results := make([]result, len(batch))
	st := e.stepping(r, l)
	defer st.release()
	var interrupted error
	for i, d := range batch {
		if d.look != nil {
			if d.look(l); d.msg.Kind == 0 {
				continue
			}
		}
		if d.resume {
			st.resume = true
			continue
		}
		if d.msg.Kind == interpreter.Redrive && !fresh {
			results[i].err = ErrNotRunning // this resident saw the end; the next one is to go on
			continue
		}
		out := st.step(d.msg)
		if out.Interrupted != nil {
			interrupted = &interruptedError{out.Interrupted}
			if st.givesWay(out) {
				return results[:i], st.tried, interrupted
			}
			if len(out.Events) == 0 {
				results = results[:i]
			} else {
				results = results[:i+1]
				results[i].at = st.now
			}
			st.collect(out)
			if err := st.rebuild(ctx); err != nil {
				return nil, attempt{}, err
			}
			break
		}
		results[i].at = st.now
		if d.msg.Kind == interpreter.TaskHeartbeat && !out.Stale {
			r.noteHeartbeat(d.msg.Cause, st.now.UnixMilli())
		}
		switch {
		case out.Stale && l.x.Status() != interpreter.Running && l.x.Last() == st.last():
			results[i].err = ErrNotRunning
		case out.Stale:
			results[i].err = ErrStale
		}
		st.collect(out)
	}
	if fresh || st.resume {
		st.effects = append(st.effects, e.unperformed(l, r, st.effects)...)
	}
	if err = st.finish(ctx, interrupted != nil); err == nil {
		err = interrupted
	}
	return results, st.tried, err
}

func failAll(batch []delivery, err error) []result {
	results := make([]result, len(batch))
	for i := range results {
		results[i].err = err
	}
	return results
}
