package catalogue

import (
	"context"

	"github.com/steppehq/steppe/asl"
)

// InvalidDefinitionError reports why a definition cannot run here.
type InvalidDefinitionError struct{ Diagnostics []asl.Diagnostic }

// Error is the message of the API's exception InvalidDefinition.
func (e *InvalidDefinitionError) Error() string { return asl.InvalidDefinition(e.Diagnostics) }

// Parse checks the definition of a state machine that is to run here: whether the
// States Language allows it, whether its type does, and whether all that its tasks
// name is performed ([Config].Offer). Whoever takes a definition, the API, a library
// or a fork, asks here. A long one waits for its turn; the error is the context's
// cause then, and otherwise an [*InvalidDefinitionError].
func (c *Catalogue) Parse(ctx context.Context, definition string, t MachineType) (*asl.StateMachine, error) {
	done, err := c.turn(ctx, Caller(ctx), len(definition))
	if err != nil {
		return nil, err
	}
	defer done()
	parsed, diagnostics := asl.Runnable([]byte(definition), t == Express, c.offer)
	if parsed == nil {
		return nil, &InvalidDefinitionError{diagnostics}
	}
	return parsed, nil
}
