package engine

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/steppehq/steppe/store"
)

// Parent names the task of another execution that asks for an execution, which is its job
// then: the end of the child is told to the parent, which asks about it at once
// instead of when it would.
type Parent struct {
	// ExecutionARN and Event are those of the [integration.Task].
	ExecutionARN string
	Event        int64
}

// parent is what the record of a child has of its parent.
type parent struct {
	ID    string // of the execution in the store, in hexadecimal digits
	Event int64
}

// execution is the parent's id; zero, of no execution, where the record is damaged.
func (p *parent) execution() (id store.ExecutionID) {
	if b, err := hex.DecodeString(p.ID); err == nil && len(b) == len(id) {
		copy(id[:], b)
	}
	return id
}

// parentOf is what the record of an execution has of the parent that a request names; nil
// for none. store.ErrNotFound.
func (e *Engine) parentOf(ctx context.Context, p *Parent) (*parent, error) {
	if p == nil {
		return nil, nil
	}
	id, err := e.Find(ctx, p.ExecutionARN)
	if err != nil {
		return nil, fmt.Errorf("engine: the parent %s of an execution: %w", p.ExecutionARN, err)
	}
	return &parent{ID: hex.EncodeToString(id[:]), Event: p.Event}, nil
}
