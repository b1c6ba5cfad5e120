package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
)

// Suspected returns what is known of an execution that is suspected of ending the process, nil
// of any other.
func (e *Engine) Suspected(id store.ExecutionID) *Suspect { return e.suspects.get(id) }

// Resume has an execution that is held go on. It is no error when it is not
// held. store.ErrNotFound, ErrNotRunning.
func (e *Engine) Resume(ctx context.Context, arn string) error {
	id, err := e.Find(ctx, arn)
	if err != nil {
		return err
	}
	s, err := e.shard(id)
	if err != nil {
		return err
	}
	if err := e.suspects.forget(ctx, id); err != nil {
		return err
	}
	r := s.resident(id)
	if r == nil {
		return e.whyNotRunning(ctx, id)
	}
	e.spawn(func() { e.resume(r) })
	return nil
}

// resume performs the effects of an execution whose outcome is not recorded, and
// has it go on where it can.
func (e *Engine) resume(r *resident) {
	_, err := e.deliver(e.closing, r, delivery{resume: true})
	if missing, ok := errors.AsType[*catalogue.KeyError](err); ok {
		e.awaitKey(missing)
	} else if errors.Is(err, store.ErrDamaged) {
		e.unreadable(r, err)
	} else if err != nil && !errors.Is(err, ErrNotRunning) && e.closing.Err() == nil {
		e.log.Error("resume execution", slog.Any("error", err))
	}
}

// broke holds an execution whose step panicked.
func (e *Engine) broke(r *resident, panicked any, stack []byte) error {
	e.log.Error("a step of an execution broke; the execution is held", slog.String("execution", e.suspects.name(e.closing, r.id)),
		slog.Any("panic", panicked), slog.String("stack", string(stack)))
	if r.express == nil {
		if err := e.suspects.hold(e.closing, r.id, fmt.Sprintf("a step of it broke: %v", panicked)); err != nil {
			e.log.Error("hold an execution", slog.Any("error", err))
		}
	}
	return ErrHeld
}

// awaitKey logs, once for each key, that executions wait for one that
// is missing. They do so until an engine has it.
func (e *Engine) awaitKey(missing *catalogue.KeyError) {
	if _, told := e.awaited.LoadOrStore(*missing, true); !told {
		e.log.Error("executions wait until the server is started with their encryption key", slog.String("kmsKeyId", missing.ID), slog.Any("error", missing))
	}
}
