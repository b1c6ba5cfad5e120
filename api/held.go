package api

import (
	"context"
	"errors"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// held adds why an execution is held to what is shown of it.
func (a *api) held(o *server.Object, d *stored.Description) *server.Object {
	if d.Status != store.Running {
		return o
	}
	if x := a.Engine.Suspected(d.ID); x != nil && x.Held {
		return o.Str("held", x.Reason)
	}
	if what := a.Engine.Absent(d.ID); what != "" {
		o.Str("awaits", "the "+what+" is missing; it goes on when the server has it")
	}
	return o
}

// resumeExecution answers POST /api/v1/resumptions: an execution that is held goes
// on.
func (a *api) resumeExecution(ctx context.Context, r *server.Request) ([]byte, error) {
	var in struct {
		ExecutionArn string `json:"executionArn"`
	}
	if err := body(r, &in); err != nil {
		return nil, err
	}
	if _, err := parseARN(in.ExecutionArn, "execution"); err != nil {
		return nil, err
	}
	err := a.Engine.Resume(ctx, in.ExecutionArn)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, executionDoesNotExist(in.ExecutionArn)
	case errors.Is(err, engine.ErrNotRunning):
		return nil, invalid("The execution has ended: it is not held.")
	case err != nil:
		return nil, err
	}
	return []byte("{}"), nil
}
