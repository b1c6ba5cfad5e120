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
	machines  map[string]*Machine // by ARN
	revisions map[revisionKey]*asl.StateMachine
	versions  map[versionKey]*Machine // as they were published, without tags
	aliases   map[aliasKey]*Alias
	// changes counts what was written: what was read before a change must not
	// be kept after it.
	changes uint64
}

func newCatalogue(s store.Store) *catalogue {
	return &catalogue{
		store: s, machines: make(map[string]*Machine), revisions: make(map[revisionKey]*asl.StateMachine),
		versions: make(map[versionKey]*Machine), aliases: make(map[aliasKey]*Alias),
	}
}

// maxRevisions bounds how many revisions, versions and aliases each are kept in
// memory.
const maxRevisions = 10000

// remember keeps a value in a part of the catalogue's memory, which is emptied
// when it is full.
func remember[K comparable, V any](known map[K]V, key K, v V) {
	if len(known) >= maxRevisions {
		clear(known)
	}
	known[key] = v
}

// known gives the parsed definition of a revision, nil when memory has none.
func (c *catalogue) known(key revisionKey) *asl.StateMachine {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.revisions[key]
}

// parse gives the parsed definition of a revision, and remembers it; nil and why,
// when it is not valid any more.
func (c *catalogue) parse(key revisionKey, definition string) (*asl.StateMachine, []asl.Diagnostic) {
	if parsed := c.known(key); parsed != nil {
		return parsed, nil
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
	remember(c.revisions, key, parsed)
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
				delete(c.machines, Tenant{of[0], of[1]}.ARN("stateMachine", of[2]))
			}
			continue
		}
		var machine, number uint32
		var name string
		if n, _ := fmt.Sscanf(edit.Key, versionKind+"%08x/%08x", &machine, &number); n == 2 {
			delete(c.versions, versionKey{machine, ^number})
		} else if n, _ := fmt.Sscanf(edit.Key, aliasKind+"%08x/%s", &machine, &name); n == 2 {
			delete(c.aliases, aliasKey{machine, name})
		}
	}
}
