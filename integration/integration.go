// Package integration is the contract of a service integration, and the
// registry that finds one by what a Task state's Resource names.
//
// An integration is the only place where the world outside is touched. It is
// handed a [Task] that was durably scheduled before, performs it, and gives the
// result or an Error Name with a cause. It may be handed the same task twice
// after a crash, with the same Idempotency key both times, which it passes on
// wherever its target has a place for one.
//
// A new integration passes
// [github.com/steppehq/steppe/integration/integrationtest.Run] and is done.
//
// Stability: may move in any minor release.
package integration

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/value"
)

// Task is a piece of work for an integration.
type Task struct {
	Resource asl.Resource
	// Input is the function's input, or the parameters of a service
	// integration.
	Input *value.Doc
	// Idempotency is the same each time the same attempt of the same task is
	// performed, and differs otherwise: 32 hexadecimal digits.
	Idempotency string
	// ExecutionARN, StateMachineARN and StateName tell who asks; Account and
	// Region where it is.
	ExecutionARN, StateMachineARN, StateName string
	Account, Region                          string
	// Retry counts the attempts before this one, as $$.State.RetryCount does. Token is
	// the task token of a task that waits for one, "" of others.
	Retry int64
	Token string
	// Event is the event of the execution that scheduled the task.
	Event int64
	// TimeoutSeconds bounds the task, 0 for no bound. The context has the
	// same deadline.
	TimeoutSeconds int64
	Credentials    *value.Doc
	// MaxBytes bounds the result, 0 for no bound (see [TooLarge]).
	MaxBytes int
	// TraceHeader is the execution's, "" for none.
	TraceHeader string
}

// Integration performs the tasks of one service.
type Integration interface {
	// Supports reports whether the integration can perform such a task at
	// all: its action and its pattern. It answers at once, without touching
	// the service.
	Supports(resource asl.Resource) bool
	// Perform does the task and gives its result. A task that failed gives a
	// [*Failure]; any other error says that the integration is broken, and
	// becomes States.TaskFailed with the error's text. Perform ends soon after
	// the context does; its answer is not used then. It is called by many
	// goroutines at once: the engine bounds how many.
	Perform(ctx context.Context, task Task) (*value.Doc, error)
}

// Laned is an integration some of whose tasks share a limit of their own: those
// of one function, of which only so many run at once.
type Laned interface {
	Integration
	// Lane gives the name of what a task shares with others, and how many of these
	// may be performed at once, whatever account and region they are of; with 0 for
	// no limit of their own it is shared within an account and region only. Those
	// beyond wait, and do not keep tasks of other lanes waiting.
	// It answers at once, without touching the service. Of the task only Resource, Input,
	// Account and Region are set: it is asked of each task, before its turn has come.
	Lane(task Task) (name string, limit int)
}

// Answerer is an integration that also gives the answers that would come by
// task token, and does the work of activities: a mock.
type Answerer interface {
	Integration
	// Answer gives the result of a task that Perform was handed.
	Answer(ctx context.Context, task Task) (*value.Doc, error)
}

// Failure is the Error Output of a task that failed. Error and Cause are what
// Retry, Catch and the history see.
type Failure struct {
	Error, Cause string
}

// Failed makes a failure as an error value.
func Failed(name, cause string) error { return &failureError{Failure{name, cause}} }

// TooLarge is the failure of a task whose result has too many bytes; name is what
// [asl.Resource.ResultName] gives.
func TooLarge(name string) error {
	return Failed("States.DataLimitExceeded", "The state/task '"+name+
		"' returned a result with a size exceeding the maximum number of bytes service limit.")
}

type failureError struct{ Failure }

// Error gives Error Name and cause.
func (f *failureError) Error() string { return f.Failure.Error + ": " + f.Cause }

// AbsentError is the error of a task whose target is not there any more: it was,
// when this or another server performed a task by it. The task is not failed, but
// held until the target is there again ([engine.Engine.Retry]) or its own time is
// over, as a worker that comes back would do it.
type AbsentError struct {
	// What is not there, as in "function charge of account 000000000000".
	What string
	// Failure is that of the task where it cannot be held.
	Failure Failure
}

// Error names what is not there.
func (e *AbsentError) Error() string { return "the " + e.What + " is missing" }

// FailureOf gives the Error Output that an error of Perform stands for.
func FailureOf(err error) Failure {
	if f, ok := errors.AsType[*failureError](err); ok {
		return f.Failure
	}
	if absent, ok := errors.AsType[*AbsentError](err); ok {
		return absent.Failure
	}
	return Failure{"States.TaskFailed", err.Error()}
}

// Registry finds integrations. The zero value is empty and ready.
type Registry struct {
	mu       sync.RWMutex
	services map[string]Integration
	instead  Answerer
}

// Mock has one integration perform all tasks, those of activities too.
func (r *Registry) Mock(i Answerer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.instead = i
}

// Mocked reports whether [Registry.Mock] was given anything.
func (r *Registry) Mocked() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.instead != nil
}

// Selective is a mock of some tasks only: the others are performed as if there were
// none.
type Selective interface {
	Answerer
	// Mocks reports whether it answers the tasks of a state of an execution. It is the
	// same each time it is asked.
	Mocks(executionARN, state string) bool
}

// MockOf gives what [Registry.Mock] was given where it answers the tasks of a state
// of an execution; else nil.
func (r *Registry) MockOf(executionARN, state string) Answerer {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if some, ok := r.instead.(Selective); ok && !some.Mocks(executionARN, state) {
		return nil
	}
	return r.instead
}

// mocksAll reports whether no task is performed but by a mock.
func (r *Registry) mocksAll() bool {
	_, some := r.instead.(Selective)
	return r.instead != nil && !some
}

// FunctionService is the name under which the integration stands that invokes
// functions named by their own ARN.
const FunctionService = "function"

// Register adds the integration of a service: "lambda", "aws-sdk:dynamodb", or
// [FunctionService]. "aws-sdk:*" stands for all SDK services that have none of
// their own, "*" for all services that have none. A later one takes the place of an earlier.
func (r *Registry) Register(service string, i Integration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.services == nil {
		r.services = make(map[string]Integration)
	}
	r.services[service] = i
}

// Lookup finds the integration for a resource. The error, for one that nobody
// performs, is [Registry.Lacks].
func (r *Registry) Lookup(resource asl.Resource) (Integration, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.mocksAll() {
		return r.instead, nil
	}
	i, why := r.find(resource)
	if why != "" {
		return nil, errors.New(resource.ARN + " is not performed here: " + why)
	}
	return i, nil
}

// Lacks tells why a resource is not performed here, and what is instead; "" when
// it is, or may be by a mock.
func (r *Registry) Lacks(resource asl.Resource) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.instead != nil || resource.Kind == asl.ActivityResource {
		return ""
	}
	_, why := r.find(resource)
	return why
}

func (r *Registry) find(resource asl.Resource) (i Integration, why string) {
	service, what := resource.Service, resource.Service
	if resource.Kind == asl.FunctionResource {
		service, what = FunctionService, functions
	}
	i, ok := r.services[service]
	if !ok && strings.HasPrefix(service, "aws-sdk:") {
		i, ok = r.services["aws-sdk:*"]
	}
	if !ok {
		i, ok = r.services["*"]
	}
	switch {
	case !ok:
		return nil, "there is no integration for " + what + "; there are " + strings.Join(r.names(), ", ")
	case !i.Supports(resource):
		return nil, "the integration for " + what + " does not have " + resource.Name
	}
	return i, ""
}

// functions is what users call what stands under [FunctionService].
const functions = "Lambda functions by their ARN"

// names are what is performed, in users' words.
func (r *Registry) names() []string {
	names := []string{"activities"}
	for name := range r.services {
		if name == FunctionService {
			name = functions
		}
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return names
}
