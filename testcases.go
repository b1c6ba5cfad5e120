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
	integration.Answerer
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

// Mocks reports whether the test case of an execution answers the tasks of a state.
func (c *testCases) Mocks(executionARN, state string) bool {
	found := c.of(executionARN)
	return found != nil && found.States(state)
}

// Supports is always true: a test case mocks what it will.
func (*testCases) Supports(asl.Resource) bool { return true }

// Perform has the task's test case perform it.
func (c *testCases) Perform(ctx context.Context, task integration.Task) (*value.Doc, error) {
	return c.of(task.ExecutionARN).Perform(ctx, task)
}

// Answer has the task's test case answer it.
func (c *testCases) Answer(ctx context.Context, task integration.Task) (*value.Doc, error) {
	return c.of(task.ExecutionARN).Answer(ctx, task)
}
