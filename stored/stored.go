// Package stored is what a store keeps of executions, and what can be said of one
// without running it: the record beside the history ([Meta]), the chunks of events,
// encrypted or not, the terms that it is entered under ([Index]), and what they add
// up to ([Executions.Describe], [Executions.Replay], [Search]).
//
// It reads and encodes, and decides nothing: the engine commits, and the package that carries
// executions from one store to another.
//
// Stability: may move in any minor release.
package stored

import (
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
)

// Executions are those of a store. Its methods may be called from any goroutine.
type Executions struct {
	store     store.Store
	catalogue *catalogue.Catalogue
	keys      *catalogue.Keyring
}

// New returns the executions of a store, whose state machines and keys a catalogue
// has.
func New(s store.Store, c *catalogue.Catalogue) *Executions {
	return &Executions{store: s, catalogue: c, keys: c.Keys()}
}
