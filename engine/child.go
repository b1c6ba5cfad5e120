package engine

import (
	"context"
	"fmt"

	"github.com/steppehq/steppe/stored"
)

// Parent names the task of another execution that asks for an execution, which is its job
// then: the end of the child is told to the parent, which asks about it at once
// instead of when it would.
type Parent struct {
	// ExecutionARN and Event are those of the [integration.Task].
	ExecutionARN string
	Event        int64
}

// parentOf is what the record of an execution has of the parent that a request names; nil
// for none. store.ErrNotFound.
func (e *Engine) parentOf(ctx context.Context, p *Parent) (*stored.Parent, error) {
	if p == nil {
		return nil, nil
	}
	id, err := e.Find(ctx, p.ExecutionARN)
	if err != nil {
		return nil, fmt.Errorf("engine: the parent %s of an execution: %w", p.ExecutionARN, err)
	}
	return stored.NewParent(id, p.Event), nil
}
