package engine

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/steppehq/steppe/store"
)

// waiters tells callers that wait for the end of executions.
type waiters struct {
	mu   sync.Mutex
	ends map[store.ExecutionID][]chan struct{}
}

// add gives a channel that is closed at the end of the execution.
func (w *waiters) add(id store.ExecutionID) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ends == nil {
		w.ends = make(map[store.ExecutionID][]chan struct{})
	}
	c := make(chan struct{})
	w.ends[id] = append(w.ends[id], c)
	return c
}

// leave takes a channel back that nobody waits on any more.
func (w *waiters) leave(id store.ExecutionID, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends[id] = slices.DeleteFunc(w.ends[id], func(other chan struct{}) bool { return other == c })
	if len(w.ends[id]) == 0 {
		delete(w.ends, id)
	}
}

func (w *waiters) ended(id store.ExecutionID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.ends[id] {
		close(c)
	}
	delete(w.ends, id)
}

// Wait waits for the end of an execution and tells of it. store.ErrNotFound.
func (e *Engine) Wait(ctx context.Context, arn string) (*Description, error) {
	id, err := e.Find(ctx, arn)
	if err != nil {
		return nil, err
	}
	for {
		end := e.waiters.add(id)
		r, err := e.store.Execution(ctx, id)
		if err != nil || r.Status != store.Running {
			e.waiters.leave(id, end)
			if err != nil {
				return nil, err
			}
			return e.describeRecord(ctx, r)
		}
		select {
		case <-end:
		case <-ctx.Done():
			e.waiters.leave(id, end)
			return nil, ctx.Err()
		case <-e.closing.Done():
			e.waiters.leave(id, end)
			return nil, errors.Join(ErrNotOwner, e.closing.Err())
		}
	}
}
