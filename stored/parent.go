package stored

import (
	"encoding/hex"

	"github.com/steppehq/steppe/store"
)

// Parent is what the record of a child execution holds of the task that asked for it.
type Parent struct {
	ID    string // of the execution in the store, in hexadecimal digits
	Event int64  // that scheduled the task
}

// NewParent returns the parent that an event of an execution scheduled.
func NewParent(id store.ExecutionID, event int64) *Parent {
	return &Parent{ID: hex.EncodeToString(id[:]), Event: event}
}

// Execution returns the parent's id; zero, of no execution, where the record is damaged.
func (p *Parent) Execution() (id store.ExecutionID) {
	if b, err := hex.DecodeString(p.ID); err == nil && len(b) == len(id) {
		copy(id[:], b)
	}
	return id
}
