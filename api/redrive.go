package api

import (
	"context"
	"errors"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/store"
)

// redriveExecution has an execution go on from where it failed. Express
// executions cannot: an ARN of theirs is not valid here.
func (a *api) redriveExecution(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("executionArn")
	if _, err := parseARN(arn, "execution"); err != nil {
		return nil, err
	}
	at, err := a.Engine.Redrive(ctx, arn, r.Str("clientToken"))
	if refused, ok := errors.AsType[*engine.NotRedrivableError](err); ok {
		return nil, server.Fail("ExecutionNotRedrivable", "Execution is not redrivable: '"+refused.Reason+"'")
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, executionDoesNotExist(arn)
	case errors.Is(err, store.ErrBusy):
		return nil, errThrottled
	case err != nil:
		return nil, err
	}
	var o server.Object
	return o.Time("redriveDate", at).JSON(), nil
}
