package steppe

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration/lambda"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/value"
)

// Task is what the code of a [GoFunction] is told of the task that it performs.
type Task struct {
	ExecutionARN, StateMachineARN string
	// State is the name of the Task state. Attempt counts its attempts, from 1.
	State   string
	Attempt int
	// IdempotencyKey is the same each time the same attempt is performed.
	IdempotencyKey string
	// Token is the task token of a task that waits for one (.waitForTaskToken), ""
	// of others.
	Token string
	// Deadline is when the state's TimeoutSeconds are over, which the context ends
	// with; zero for none.
	Deadline time.Time
}

// TaskFrom returns the task that the code of a [GoFunction] performs, by the context
// that it is given. It is false for other contexts.
func TaskFrom(ctx context.Context) (Task, bool) {
	in := lambda.InvocationOf(ctx)
	if in == nil || in.Task == nil {
		return Task{}, false
	}
	t := Task{
		ExecutionARN: in.Task.ExecutionARN, StateMachineARN: in.Task.StateMachineARN, State: in.Task.StateName,
		Attempt: int(in.Task.Retry) + 1, IdempotencyKey: in.Idempotency, Token: in.Task.Token,
	}
	t.Deadline, _ = ctx.Deadline()
	return t, true
}

// Errorf makes an error that Retry and Catch see by an Error Name, as in
// steppe.Errorf("Declined", "the card of %s: %w", name, err). The name stays when
// the error is wrapped.
func Errorf(name, format string, args ...any) error {
	return &namedError{name, fmt.Errorf(format, args...)}
}

type namedError struct {
	name string
	err  error
}

func (e *namedError) Error() string { return e.err.Error() }

// ErrorType returns the Error Name.
func (e *namedError) ErrorType() string { return e.name }

// Unwrap returns what it was made of.
func (e *namedError) Unwrap() error { return e.err }

// SendTaskSuccess ends the task that a token is for with an output, which is
// encoded as JSON. engine.ErrStale when the task is over; engine.ErrInvalidToken.
func (s *Server) SendTaskSuccess(ctx context.Context, token string, output any) error {
	doc, err := encoded("output", output)
	if err != nil {
		return err
	}
	return s.engine.SendTask(ctx, token, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: doc})
}

// SendTaskFailure fails the task that a token is for, as SendTaskSuccess ends it.
func (s *Server) SendTaskFailure(ctx context.Context, token, name, cause string) error {
	return s.engine.SendTask(ctx, token, interpreter.Message{Kind: interpreter.TaskFailed, Failure: history.ErrorOutput{Error: &name, Cause: &cause}})
}

// SendTaskHeartbeat sends a heartbeat of the task that a token is for: its
// HeartbeatSeconds begin again. Errors are those of SendTaskSuccess.
func (s *Server) SendTaskHeartbeat(ctx context.Context, token string) error {
	return s.engine.SendTask(ctx, token, interpreter.Message{Kind: interpreter.TaskHeartbeat})
}

// encoded is a Go value as JSON; what names it in errors.
func encoded(what string, v any) (*value.Doc, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("steppe: %s: %w", what, err)
	}
	doc, err := value.ParseDoc(text)
	if err != nil {
		return nil, fmt.Errorf("steppe: %s: %w", what, err)
	}
	return doc, nil
}
