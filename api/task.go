package api

import (
	"context"
	"errors"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/value"
)

// syncStatus is the status of a synchronous execution in the API's words.
func syncStatus(r *engine.SyncResult) string {
	switch r.Status {
	case interpreter.Succeeded:
		return "SUCCEEDED"
	case interpreter.TimedOut:
		return "TIMED_OUT"
	case interpreter.Running, interpreter.Failed, interpreter.Aborted:
	}
	return "FAILED"
}

// sendTask delivers a message to the task that a request's token names.
func (a *api) sendTask(ctx context.Context, r *server.Request, msg interpreter.Message) ([]byte, error) {
	if a.Port.Audit != nil {
		if arn, err := a.Engine.Tokened(ctx, r.Str("taskToken")); err == nil {
			r.About = []string{arn}
		}
	}
	err := a.Engine.SendTask(ctx, r.Str("taskToken"), msg)
	switch {
	case errors.Is(err, engine.ErrInvalidToken):
		return nil, server.Fail("InvalidToken", "Invalid Token: 'Invalid token'")
	case errors.Is(err, engine.ErrStale):
		return nil, server.Fail("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
	}
	return []byte("{}"), err
}

// sendTaskSuccess is SendTaskSuccess. The output is checked before the token, which may be
// sent again after an output that is not JSON.
func (a *api) sendTaskSuccess(ctx context.Context, r *server.Request) ([]byte, error) {
	output, err := value.ParseText(r.Str("output"))
	if err != nil {
		return nil, server.Fail("InvalidOutput", "Invalid Output: '"+value.JacksonMessage([]byte(r.Str("output")))+"'")
	}
	return a.sendTask(ctx, r, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: output})
}

// sendTaskFailure is SendTaskFailure.
func (a *api) sendTaskFailure(ctx context.Context, r *server.Request) ([]byte, error) {
	return a.sendTask(ctx, r, interpreter.Message{Kind: interpreter.TaskFailed, Failure: failure(r)})
}

// sendTaskHeartbeat is SendTaskHeartbeat. It moves the task's deadline and leaves no event.
func (a *api) sendTaskHeartbeat(ctx context.Context, r *server.Request) ([]byte, error) {
	return a.sendTask(ctx, r, interpreter.Message{Kind: interpreter.TaskHeartbeat})
}

// getActivityTask is GetActivityTask. It waits for a task for up to a minute, and answers
// with a null token when none came ("This initiates a long poll", API reference).
func (a *api) getActivityTask(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("activityArn")
	act, err := a.activity(ctx, arn)
	if err != nil {
		return nil, err
	}
	if err := a.Catalogue.CheckEncryption(act.Account, act.Encryption); err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, a.ActivityPoll)
	defer cancel()
	token, input, err := a.Engine.ActivityTask(wait, arn, r.Str("workerName"))
	if errors.Is(err, engine.ErrTooManyPollers) {
		return nil, server.Fail("ActivityWorkerLimitExceeded", "Activity Worker Limit Exceeded: '"+arn+"'")
	}
	if err != nil {
		return nil, err
	}
	if token == "" {
		return []byte(`{"taskToken":null}`), nil
	}
	var o server.Object
	return o.Str("taskToken", token).Doc("input", input).JSON(), nil
}
