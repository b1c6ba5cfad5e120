// Package integration is the contract of a service integration, and the
// registry that finds one by what a Task state's Resource names.
//
// An integration is the only place where the world outside is touched. It is
// handed a [Task] that was durably scheduled before, performs it, and returns the
// result or an Error Name with a cause. It may be handed the same task twice
// after a crash, with the same Idempotency key both times, which it passes on
// wherever its target has a place for one.
//
// A job (a resource with .sync) outlives the call that submits it: its integration is a
// [Runner], which is asked about the job as often as it takes.
//
// A new integration passes
// [github.com/steppehq/steppe/integration/integrationtest.Run], one that is a
// Runner also integrationtest.RunJobs, and is done.
//
// Stability: may move in any minor release.
package integration

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

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
	// Attempt counts the calls about the task by this engine, from 1: of Perform, of
	// Poll and of Stop each. It is for logs and for spreading calls, not for
	// deciding: another engine begins again at 1.
	Attempt int
	// Now is the time by the clock of who asks, which may be a virtual one.
	Now time.Time
	// TimeoutSeconds bounds the task, 0 for no bound. The context of Perform has the
	// same deadline, unless the task is a job.
	TimeoutSeconds int64
	Credentials    *value.Doc
	// MaxBytes bounds the result, 0 for no bound (see [TooLarge]).
	MaxBytes int
	// TraceHeader is the execution's, "" for none.
	TraceHeader string
}

// Integration performs the tasks of one service.
type Integration interface {
	// Supports returns nil if the integration can perform such a task at all: its
	// action and its pattern. Else the error says why not, in AWS's words where AWS
	// has them; [Unsupported] makes the usual one. It answers at once, without
	// touching the service.
	Supports(resource asl.Resource) error
	// Perform does the task and returns its result. The error of a task that failed is
	// one of [Failed]; any other error says that the integration is broken, and
	// becomes States.TaskFailed with the error's text. Perform returns soon after
	// the context ends; its answer is not used then. It is called by many
	// goroutines at once: the engine bounds how many.
	Perform(ctx context.Context, task Task) (*value.Doc, error)
}

// Runner is an integration that also runs jobs: tasks whose resource ends in .sync.
//
// Perform submits the job and returns what identifies it: the answer of the service, as AWS
// has it in the event TaskSubmitted. It is in the execution's history BEFORE Poll is first called
// with it, by this engine or the next, and Perform is not called for the task AFTER
// that. Until then Perform may be called twice, with the same Idempotency key, and must
// submit one job.
//
// Of one task no two of these methods are called at the same time by one engine. An engine that has
// not noticed yet that another one owns the execution may still call Perform or Poll.
type Runner interface {
	Integration
	// Poll asks about a job. submitted is what Perform returned. A job that failed is
	// an error of [Failed], with the Error Name and cause that AWS has for it. Any other
	// error says that nothing is known of the job: it is asked about again, later each
	// time, and the job is not submitted again. Poll does not wait for the job.
	Poll(ctx context.Context, task Task, submitted *value.Doc) (Progress, error)
	// Stop ends a job whose execution does not wait for it any more. It returns nil
	// when the job has ended, whatever ended it, also when there is no such job. After an
	// error it is called again, later each time, until it returns nil. It may be called
	// twice, long after the execution's end, and by another engine than Perform was.
	// submitted is nil if it is not known whether the job was submitted, for the answer
	// of Perform was lost: a Runner that can find a job by its Idempotency key stops
	// that one; others return nil.
	Stop(ctx context.Context, task Task, submitted *value.Doc) error
}

// Progress is what a Poll has found out.
type Progress struct {
	// Done: the job has succeeded, with Output as the task's result.
	Done   bool
	Output *value.Doc
	// After is how long the job is not to be asked about again, if it is not done; 0 for
	// five seconds. It is held between a tenth of a second and an hour.
	After time.Duration
}

// Unsupported is the usual error of [Integration.Supports].
func Unsupported(resource asl.Resource) error {
	what := resource.Service
	if resource.Kind == asl.FunctionResource {
		what = functions
	}
	return errors.New("the integration for " + what + " does not have " + resource.Name)
}

// Laned is an integration some of whose tasks share a limit of their own: those
// of one function, of which only so many run at once.
type Laned interface {
	Integration
	// Lane returns the name of what a task shares with others, and how many of these
	// may be performed at once, whatever account and region they are of; with 0 for
	// no limit of their own it is shared within an account and region only. Those
	// beyond wait, and do not keep tasks of other lanes waiting.
	// It answers at once, without touching the service. Of the task only Resource, Input,
	// Account and Region are set: it is asked of each task, before its turn has come.
	Lane(task Task) (name string, limit int)
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

// Error returns Error Name and cause.
func (f *failureError) Error() string { return f.Failure.Error + ": " + f.Cause }

// AbsentError is the error of a task whose target does not exist any more: it was,
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

// IsFailure reports whether an error is a failure of the task itself: one of [Failed].
func IsFailure(err error) bool {
	_, failed := errors.AsType[*failureError](err)
	return failed
}

// FailureOf returns the Error Output that an error of Perform stands for.
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
	i, why := r.find(resource)
	if why != "" {
		return nil, errors.New(resource.ARN + " is not performed here: " + why)
	}
	return i, nil
}

// Lacks returns why a resource is not performed here, and what is instead; "" when
// it is. A resource with .sync is performed by a [Runner] only.
func (r *Registry) Lacks(resource asl.Resource) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if resource.Kind == asl.ActivityResource {
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
	if !ok {
		return nil, "there is no integration for " + what + "; there are " + strings.Join(r.names(), ", ")
	}
	if err := i.Supports(resource); err != nil {
		return nil, err.Error()
	}
	if _, runs := i.(Runner); !runs && resource.Kind == asl.ServiceResource && resource.Pattern == asl.RunJob {
		return nil, "the integration for " + what + " does not run jobs (.sync)"
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
