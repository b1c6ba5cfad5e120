package engine

import (
	"context"
	"errors"
	"iter"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// await returns when there is a reason to look again: nil, or why there will be none.
func (e *Engine) await(ctx context.Context, one *watcher) error {
	select {
	case <-one.signal:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.closing.Done():
		return errors.Join(ErrNotOwner, e.closing.Err())
	}
}

// Wait waits for the end of an execution and describes it. Of one that has ended it
// returns at once. store.ErrNotFound; ErrNotOwner when the engine is closed.
func (e *Engine) Wait(ctx context.Context, arn string) (*stored.Description, error) {
	id, err := e.Find(ctx, arn)
	if err != nil {
		return nil, err
	}
	one := e.watchers.add(id, true)
	defer e.watchers.remove(id, one)
	for {
		record, err := e.store.Execution(ctx, id)
		if err != nil {
			return nil, err
		}
		if record.Status != store.Running {
			return e.stored.DescribeRecord(ctx, record)
		}
		if err := e.await(ctx, one); err != nil {
			return nil, err
		}
	}
}

// How much of a history Watch reads at a time.
const (
	watchEvents = 1000
	watchBytes  = 1 << 20
)

// Watch returns the events of an execution whose ids are greater than after, in their
// order, each as soon as it is durable, until the execution ends. A caller that was
// interrupted goes on after the last event that it has: none is missed and none
// comes twice. The sequence ends after the event that ends the execution (an execution
// that is redriven later is watched again), when the caller stops it, or with an error:
// store.ErrNotFound; the context's; ErrNotOwner when the engine is closed.
//
// A slow caller keeps nothing waiting and nothing in memory: events are read from the
// store when it asks for them.
func (e *Engine) Watch(ctx context.Context, arn string, after int64) iter.Seq2[history.Event, error] {
	return func(yield func(history.Event, error) bool) {
		id, err := e.Find(ctx, arn)
		if err != nil {
			yield(history.Event{}, err)
			return
		}
		one := e.watchers.add(id, false)
		defer e.watchers.remove(id, one)
		for {
			// The record comes first: of an execution that it says has ended, all
			// events up to its last are there.
			record, err := e.store.Execution(ctx, id)
			if err == nil {
				var stopped bool
				if after, stopped, err = e.watchUpTo(ctx, record, after, yield); stopped {
					return
				}
			}
			if err == nil {
				if record.Status != store.Running {
					return
				}
				err = e.await(ctx, one)
			}
			if err != nil {
				yield(history.Event{}, err)
				return
			}
		}
	}
}

// watchUpTo yields the events after one up to the last of a record. It returns the
// last one that was yielded, and whether the caller wants no more.
func (e *Engine) watchUpTo(ctx context.Context, record *store.Record, after int64, yield func(history.Event, error) bool) (last int64, stopped bool, err error) {
	for after < record.Last {
		events, _, err := e.History(ctx, record.ID, after+1, watchEvents, watchBytes, false)
		if err != nil {
			return after, false, err
		}
		if len(events) == 0 {
			return after, false, store.ErrNotFound // its retention ended in between
		}
		for i := range events {
			if after = events[i].ID; !yield(events[i], nil) {
				return after, true, nil
			}
		}
	}
	return after, false, nil
}
