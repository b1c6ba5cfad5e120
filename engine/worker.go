package engine

import (
	"context"
	"errors"

	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// ActivityTask returns to a worker the next task of an activity, waiting for one
// until the context ends: "", nil then. The task's start is durable.
// ErrTooManyPollers.
func (e *Engine) ActivityTask(ctx context.Context, arn, worker string) (token string, input *value.Doc, err error) {
	for {
		t, wait, err := e.activities.next(arn)
		if err != nil {
			return "", nil, err
		}
		if wait != nil {
			select {
			case t = <-wait:
			case <-ctx.Done():
				var came bool
				if t, came = e.activities.leave(arn, wait); !came {
					return "", nil, nil
				}
			}
		}
		input, err := e.startActivity(context.WithoutCancel(ctx), t, worker)
		switch {
		case err == nil:
			return t.token, input, nil
		case errors.Is(err, ErrStale), errors.Is(err, ErrNotRunning), errors.Is(err, ErrNotOwner):
			continue // it was cancelled, or has timed out
		}
		e.activities.add(arn, t)
		return "", nil, err
	}
}

// startActivity records that a worker has taken a task of an execution, and returns the
// task's input.
func (e *Engine) startActivity(ctx context.Context, t activityTask, worker string) (input *value.Doc, err error) {
	r, err := e.running(ctx, t.id.execution)
	if err != nil {
		return nil, err
	}
	_, err = e.deliver(ctx, r, delivery{
		msg:  interpreter.Message{Kind: interpreter.TaskStarted, Cause: t.id.event, Worker: worker},
		look: func(l *loaded) { input = l.x.TaskInput(t.id.event) },
	})
	return input, err
}

// SendTask delivers a message about the task that a token names.
// ErrInvalidToken; ErrStale when the task is over.
func (e *Engine) SendTask(ctx context.Context, token string, msg interpreter.Message) error {
	id, event, ok := e.tokens.parse(ctx, token)
	if !ok {
		return ErrInvalidToken
	}
	msg.Cause, msg.FromToken = event, true
	_, err := e.Deliver(ctx, id, msg)
	if errors.Is(err, ErrNotRunning) || errors.Is(err, store.ErrNotFound) {
		return ErrStale
	}
	return err
}
