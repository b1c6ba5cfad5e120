package engine

import (
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// Listener is told what the engine does. Each func may be nil, which costs a nil
// check; is called after the fact, by the goroutine that did it, so that several may
// be called at once; and must not block: what it waits for, the execution waits for.
// Durations are by the engine's clock ([Config.Clock], [Config.Virtual]).
type Listener struct {
	// Step is told of each step of an execution after its commit, in order for each
	// execution. Steps of synchronous Express executions, which are not stored, count
	// too.
	Step func(Step)
	// TaskBegun is told that the turn of a task has come and its integration is called
	// now; TaskEnded that the call has returned. A task that is performed again, because
	// what it calls is missing or its result was lost, begins again. Tasks of
	// activities, which workers take, are none of these.
	TaskBegun func(TaskInfo)
	TaskEnded func(TaskInfo)
	// JobPolled is told that a job (.sync) was asked about.
	JobPolled func(TaskInfo)
	// Committed is told of each commit of an execution that the store acknowledged.
	Committed func(CommitInfo)
	// ShardTaken is told that this engine has acquired a shard and taken up what runs
	// in it; it may be the same shard again, after a commit whose outcome was unknown.
	// ShardLost is told that another engine was found to own it. A shard that is
	// released by [Engine.Close] is not lost.
	ShardTaken func(ShardInfo)
	ShardLost  func(ShardInfo)
}

// Step is a step of an execution that was committed.
type Step struct {
	Info interpreter.Info
	// Events are shared by all listeners of a [Tee], and must not be changed.
	Events []history.Event
	// Token makes the task token of the task that an event scheduled.
	Token func(event int64) string
}

// TaskInfo describes a call of an integration.
type TaskInfo struct {
	ExecutionARN string
	// Service is the integration's name, "lambda" for functions; Resource is as in the
	// definition.
	Service, Resource string
	// State is the name of the state that scheduled the task, by Event.
	State string
	Event int64
	// Attempt counts the calls for this task by this engine from 1; polls count apart.
	Attempt int
	// InLine is how long the task waited for its turn since it was scheduled; the poll
	// of a job, since it was due.
	InLine time.Duration
	// Performed is how long the call took; 0 in TaskBegun.
	Performed time.Duration
	// Outcome is how the call went, zero in TaskBegun; Error is the Error Name where it
	// failed.
	Outcome Outcome
	Error   string
}

// Outcome is how the call of an integration went.
type Outcome uint8

// The outcomes of calls.
const (
	// Succeeded: it returned the result of the task, or of the job.
	Succeeded Outcome = iota + 1
	// Failed: it failed; the interpreter retries, catches or fails the state.
	Failed
	// Submitted: it submitted what is waited for, a job or an answer with the task token.
	Submitted
	// Pending: the job that was asked about has not ended.
	Pending
	// Unknown: the poll of a job did not say how the job is; it is asked about later.
	Unknown
	// Cancelled: it returned when its result was not awaited any more: the task was
	// cancelled or timed out, or the engine is closing.
	Cancelled
)

// String returns the outcome as a word, such as "succeeded".
func (o Outcome) String() string {
	words := [...]string{"", "succeeded", "failed", "submitted", "pending", "unknown", "cancelled"}
	if int(o) < len(words) {
		return words[o]
	}
	return "invalid"
}

// CommitInfo describes a commit.
type CommitInfo struct {
	Shard  store.ShardID
	Events int           // how many it recorded
	Bytes  int           // of their chunk, as stored
	Took   time.Duration // from the call of the store to its return, which is when it was durable
}

// ShardInfo describes a change of a shard's owner.
type ShardInfo struct {
	Shard store.ShardID
	// Epoch is that of the ownership which begins, or is lost.
	Epoch uint64
	// Running is how many executions run in a shard that was taken; 0 of a lost one.
	Running int
}

// Tee returns a listener that calls a and then b. Funcs that neither has are nil.
func Tee(a, b Listener) Listener {
	return Listener{
		Step:       tee(a.Step, b.Step),
		TaskBegun:  tee(a.TaskBegun, b.TaskBegun),
		TaskEnded:  tee(a.TaskEnded, b.TaskEnded),
		JobPolled:  tee(a.JobPolled, b.JobPolled),
		Committed:  tee(a.Committed, b.Committed),
		ShardTaken: tee(a.ShardTaken, b.ShardTaken),
		ShardLost:  tee(a.ShardLost, b.ShardLost),
	}
}

func tee[T any](a, b func(T)) func(T) {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(t T) {
		a(t)
		b(t)
	}
}

// taskInfo describes a call that begins.
func taskInfo(m *stored.Meta, effect *interpreter.Effect, attempt int, inLine time.Duration) TaskInfo {
	return TaskInfo{
		ExecutionARN: m.ExecutionARN(), Service: serviceOf(effect), Resource: effect.Resource.ARN, State: effect.StateName,
		Event: effect.Cause, Attempt: attempt, InLine: max(inLine, 0),
	}
}

// answered adds how a call went whose answer is a message.
func (t *TaskInfo) answered(msg *interpreter.Message) {
	switch msg.Kind {
	case interpreter.TaskSucceeded:
		t.Outcome = Succeeded
	case interpreter.TaskSubmitted:
		t.Outcome = Submitted
	default:
		t.Outcome, t.Error = Failed, *msg.Failure.Error
	}
}

// polled adds how a job is according to a Poll.
func (t *TaskInfo) polled(done bool, err error) {
	switch {
	case integration.IsFailure(err):
		t.Outcome, t.Error = Failed, integration.FailureOf(err).Error
	case err != nil:
		t.Outcome = Unknown
	case done:
		t.Outcome = Succeeded
	default:
		t.Outcome = Pending
	}
}

// lambdaService invokes functions that parameters name.
const lambdaService = "lambda"

// serviceOf is the name of the integration whose lanes a task waits in: functions have
// the same, however they are named.
func serviceOf(effect *interpreter.Effect) string {
	if effect.Resource.Kind == asl.FunctionResource || effect.Resource.Service == lambdaService {
		return integration.FunctionService
	}
	return effect.Resource.Service
}
