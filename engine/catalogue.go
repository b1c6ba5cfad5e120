package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/store"
)

// catalogue keeps state machines in memory as they stand in the store. The
// engine that owns the store's shards is the only one that writes it.
type catalogue struct {
	store     store.Store
	mu        sync.RWMutex
	machines  *bounded[string, *Machine] // by ARN
	revisions *bounded[revisionKey, *asl.StateMachine]
	versions  *bounded[versionKey, *Machine] // as they were published, without tags
	aliases   *bounded[aliasKey, *Alias]
	unused    unusedRevisions
	// changes counts what was written: what was read before a change must not
	// be kept after it.
	changes uint64
	parsing sync.Mutex // held while a large definition is parsed
}

func newCatalogue(s store.Store) *catalogue {
	return &catalogue{
		store:     s,
		machines:  newBounded[string, *Machine](machineMemory),
		revisions: newBounded[revisionKey, *asl.StateMachine](machineMemory),
		versions:  newBounded[versionKey, *Machine](machineMemory / 4),
		aliases:   newBounded[aliasKey, *Alias](machineMemory / 16),
		unused:    newUnusedRevisions(),
	}
}

// machineMemory bounds what is kept in memory of machines, and of the parsed
// definitions that executions run by.
const machineMemory = 64 << 20

// aliasWeight is about what an alias takes in memory.
const aliasWeight = 1 << 10

// weightOf is about what a machine takes in memory, its parsed definition
// included.
func weightOf(m *Machine) int64 {
	return 2<<10 + int64(len(m.Definition)) + parsedWeight(m.parsed)
}

// known gives the parsed definition of a revision, nil when memory has none.
func (c *catalogue) known(key revisionKey) *asl.StateMachine {
	c.mu.RLock()
	defer c.mu.RUnlock()
	parsed, _ := c.revisions.get(key)
	return parsed
}

// parse gives the parsed definition of a revision, and remembers it; nil and why,
// when it is not valid any more.
func (c *catalogue) parse(key revisionKey, definition string) (*asl.StateMachine, []asl.Diagnostic) {
	if parsed := c.known(key); parsed != nil {
		return parsed, nil
	}
	if len(definition) >= turnBytes { // many may ask at once for what takes long, and much memory
		c.parsing.Lock()
		defer c.parsing.Unlock()
		if parsed := c.known(key); parsed != nil {
			return parsed, nil
		}
	}
	parsed, diagnostics := asl.Parse([]byte(definition))
	if parsed != nil {
		c.parsed(key, parsed)
	}
	return parsed, diagnostics
}

// parsed remembers the parsed definition of a revision, which never changes.
func (c *catalogue) parsed(key revisionKey, parsed *asl.StateMachine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revisions.put(key, parsed, parsedWeight(parsed))
}

// parsedWeight is about what a parsed definition takes in memory.
func parsedWeight(parsed *asl.StateMachine) int64 {
	if parsed == nil {
		return 0
	}
	return parsed.Weight()
}

// put edits the catalogue, and forgets what memory has of it: the next who asks
// reads what is true. Where the outcome is not known, it is looked up. An error
// that is not store.ErrVersion tells that it did not come to pass, as far as
// can be seen.
func (e *Engine) put(ctx context.Context, edits ...store.Edit) error {
	err := e.store.Put(ctx, edits...)
	e.catalogue.forget(edits)
	if err == nil || errors.Is(err, store.ErrVersion) || errors.Is(err, store.ErrClosed) || !e.landed(ctx, edits) {
		return err
	}
	return nil
}

// landed reports whether edits are what the catalogue has.
func (e *Engine) landed(ctx context.Context, edits []store.Edit) bool {
	for _, edit := range edits {
		entry, err := e.store.Get(ctx, edit.Key)
		gone := errors.Is(err, store.ErrNotFound)
		if edit.Value == nil && !gone || edit.Value != nil && (err != nil || entry.Version != edit.Version+1 || !bytes.Equal(entry.Value, edit.Value)) {
			return false
		}
	}
	return true
}

// forget takes what edits have changed out of memory.
func (c *catalogue) forget(edits []store.Edit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	for _, edit := range edits {
		if path, ok := strings.CutPrefix(edit.Key, machinePrefix); ok {
			if of := strings.SplitN(path, "/", 3); len(of) == 3 {
				c.machines.forget(Tenant{of[0], of[1]}.ARN("stateMachine", of[2]))
			}
			continue
		}
		var machine, number uint32
		var name string
		if n, _ := fmt.Sscanf(edit.Key, versionKind+"%08x/%08x", &machine, &number); n == 2 {
			c.versions.forget(versionKey{machine, ^number})
		} else if n, _ := fmt.Sscanf(edit.Key, aliasKind+"%08x/%s", &machine, &name); n == 2 {
			c.aliases.forget(aliasKey{machine, name})
		}
	}
}
