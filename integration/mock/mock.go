// Package mock stands for what the tasks of a state machine call: it returns, for
// each Task state, what its attempts are to return, one after the other.
//
// A [Case] is an ordinary [integration.Runner]. It answers tasks of all patterns:
// Perform returns the result of a task that is done when its service has answered, and
// submits the others; Poll returns the result of a job, and what would be sent back with a task
// token. [ReadConfig] reads the cases of a MockConfigFile.json of Step Functions Local.
//
// Stability: may move in any minor release.
package mock

import (
	"context"
	"sync"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/value"
)

// Step is what one attempt of a task returns: a result, or with Error set an Error
// Output.
type Step struct {
	Result       value.Value
	Error, Cause string
}

// Case answers the tasks of one execution. Its methods may be called from any goroutine.
type Case struct {
	steps map[string][]Step

	mu       sync.Mutex
	used     map[string]int   // by state: its attempts so far
	attempts map[string]*Step // by the idempotency key
	missing  []string
}

var _ integration.Runner = (*Case)(nil)

// New makes the case in which the attempts of each state return the given steps, one after
// the other; the last one stands for all that follow. steps must not be changed any
// more; many cases may have the same.
func New(steps map[string][]Step) *Case {
	return &Case{steps: steps, used: make(map[string]int), attempts: make(map[string]*Step)}
}

// States reports whether the case answers the tasks of a state of that name.
func (c *Case) States(name string) bool { return len(c.steps[name]) > 0 }

// Missing returns which states were asked that the case has no steps for, and with what.
func (c *Case) Missing() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missing
}

// Supports is always nil: a case answers whatever it has steps for.
func (*Case) Supports(asl.Resource) error { return nil }

// submission is what a task was submitted with that is not done then.
var submission = value.NewDoc([]byte("{}"))

// Perform returns what the attempt of the task returns, and {} for a task that is
// not done when its service has answered.
func (c *Case) Perform(_ context.Context, task integration.Task) (*value.Doc, error) {
	if task.Resource.Kind == asl.ServiceResource && task.Resource.Pattern != asl.RequestResponse {
		return submission, nil
	}
	return c.answer(&task)
}

// Poll returns what the attempt of a task returns that was submitted.
func (c *Case) Poll(_ context.Context, task integration.Task, _ *value.Doc) (integration.Progress, error) {
	output, err := c.answer(&task)
	return integration.Progress{Done: true, Output: output}, err
}

// Stop has nothing to end.
func (*Case) Stop(context.Context, integration.Task, *value.Doc) error { return nil }

// answer returns what an attempt returns: the same whenever the same attempt is asked
// for.
func (c *Case) answer(task *integration.Task) (*value.Doc, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	step, again := c.attempts[task.Idempotency]
	if !again {
		if step = c.next(task.StateName); step == nil {
			c.missing = append(c.missing, "the state "+task.StateName+" has no mock; it was asked with "+task.Input.String())
		}
		c.attempts[task.Idempotency] = step
	}
	switch {
	case step == nil:
		return nil, integration.Failed("States.TaskFailed", "there is no mock for the state "+task.StateName)
	case step.Error != "":
		return nil, integration.Failed(step.Error, step.Cause)
	}
	return value.DocOf(step.Result), nil
}

// next returns what the next attempt of a state returns, nil where the case has none.
func (c *Case) next(state string) *Step {
	steps := c.steps[state]
	if len(steps) == 0 {
		return nil
	}
	n := min(c.used[state], len(steps)-1)
	c.used[state]++
	return &steps[n]
}
