package steppe

import (
	"context"
	"sync"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/value"
)

// TestCase is a mock of the tasks of some states, for one execution.
type TestCase interface {
	integration.Runner
	// States reports whether it answers the tasks of a state of that name; the others
	// are performed.
	States(name string) bool
}

// testCases are the test cases that executions were started with, as long as the
// server runs.
type testCases struct {
	find func(machine, name string) TestCase

	mu      sync.RWMutex
	running map[executionKey]TestCase
}

// executionKey is what an execution is called before it has an ARN.
type executionKey struct {
	tenant             catalogue.Tenant
	machine, execution string
}

// choose notes the test case of an execution that is about to be started. It is
// false when there is none of that name.
func (c *testCases) choose(t catalogue.Tenant, machine, execution, name string) bool {
	found := c.find(machine, name)
	if found == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		c.running = make(map[executionKey]TestCase)
	}
	c.running[executionKey{t, machine, execution}] = found
	return true
}

func (c *testCases) of(executionARN string) TestCase {
	name, ok := catalogue.ParseARN(executionARN)
	if !ok || len(name.Path) < 2 {
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.running[executionKey{name.Tenant, name.Path[0], name.Path[1]}]
}

// mock returns the test case of an execution where it answers the tasks of a state.
func (c *testCases) mock(executionARN, state string) integration.Runner {
	if found := c.of(executionARN); found != nil && found.States(state) {
		return found
	}
	return nil
}

// unperformed stands for all that only a test case can answer, so that definitions may
// name it.
type unperformed struct{}

var _ integration.Runner = unperformed{}

// Supports is always nil: a test case mocks what it will.
func (unperformed) Supports(asl.Resource) error { return nil }

// Perform fails: no test case answers the task.
func (unperformed) Perform(_ context.Context, task integration.Task) (*value.Doc, error) {
	return nil, integration.Failed("States.Runtime", task.Resource.ARN+" is not performed here: there is no integration for "+
		task.Resource.Service+", and the execution was started without a test case that answers the state "+task.StateName)
}

// Poll fails as Perform does.
func (u unperformed) Poll(ctx context.Context, task integration.Task, _ *value.Doc) (integration.Progress, error) {
	_, err := u.Perform(ctx, task)
	return integration.Progress{}, err
}

// Stop has nothing to end.
func (unperformed) Stop(context.Context, integration.Task, *value.Doc) error { return nil }
