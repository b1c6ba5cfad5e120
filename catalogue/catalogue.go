// Package catalogue is what a store keeps beside executions: state machines with
// their revisions, versions, aliases and shifts, activities, and the customers' keys
// that they are encrypted with. It names them, too: ARNs ([ParseARN]) and tenants
// ([For]).
//
// Each thing is an entry of the store's catalogue, with a version that an edit names:
// an edit of an entry that has been changed since gets store.ErrVersion, and its
// caller reads the entry and decides again. A definition is kept as often as it was
// changed, as a revision, for executions run by what they were started with.
//
// Which executions there are, and what becomes of them when a machine is deleted or
// an alias shifted, is the engine's: it asks for what is written here.
//
// Stability: may move in any minor release.
package catalogue

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/store"
)

// How the entries belong together, and what memory keeps of them.
//
// A state machine is one entry under its name (machine/ACCOUNT/REGION/NAME), which is
// written over by updates. What must not change with it stands beside it, under the
// machine's number: a revision for each definition, role or configuration that it had
// (revision/NUMBER/...), a version for each that was published, aliases, and counters.
// The number is taken once and never used again, so that whatever belongs to a deleted
// machine cannot be taken for that of a new one of the same name. An execution names
// number and revision, and runs by that entry to its end.
//
// All edits are compare-and-set: an edit names the version that its entry must have.
// One entry is enough for most changes. Where a change depends on another entry which
// it does not write, that one is written too, unchanged ([Catalogue.guard]): the entry
// published/NUMBER is there exactly as long as the machine is and is not being deleted,
// so an update and a deletion at the same time cannot both succeed, nor can two changes
// of versions or aliases pass each other. A caller who gets store.ErrVersion has read what is not
// true any more; Create and Update read again and decide again (create.go).
//
// Starting an execution must not read the catalogue from the store, so machines, versions, aliases and
// parsed definitions are kept in memory, bounded by what they weigh (bounded.go). This
// is right only because one catalogue at a time writes to a store. Three rules keep
// memory from being older than the store:
//
//   - An edit takes what it changes out of memory after it was written, before its
//     caller returns. The next read finds the store's.
//   - A read that began before an edit and ends after it must not put its old value
//     back. Each edit counts up [Catalogue].changes; a value is kept only if the count
//     is still what it was when the read began.
//   - A parsed definition belongs to a revision, which never changes. It needs neither.
//
// An edit whose outcome is unknown is looked up ([Catalogue.Put]): each edit names
// version and value, so the entry shows whether it was made.
//
// Revisions by which nothing ever ran would fill the disk of those who update in a
// loop. Those made since the start are known to be unused until an execution or a
// version uses them, and are deleted with the update that replaces them (unused.go).

// Config is what a catalogue is made of. Store is required.
type Config struct {
	Store store.Store
	// EncryptionKeys are the customers' keys that encryption configurations of
	// state machines and activities name. Without any nothing is encrypted; with
	// some, a configuration that names another key is refused ([*KeyError]).
	EncryptionKeys []EncryptionKey
	// Quotas bound what accounts have.
	Quotas Quotas
	// Offer is what a definition is held against: what is performed here.
	Offer asl.Offer
	// Turn waits for a turn for work on so many bytes of a tenant, and returns what
	// ends it; nil: nothing waits. The error is the context's cause.
	Turn func(ctx context.Context, t Tenant, bytes int) (done func(), err error)
	// Clock is the time, the wall clock by default.
	Clock func() time.Time
	// Random is the source of keys, crypto/rand by default.
	Random io.Reader
	// Logger receives what operators must know; nil discards it.
	Logger *slog.Logger
}

// Catalogue is what a store has of state machines, activities and what belongs to
// them. What was read lately is kept in memory: one catalogue at a time may write
// to a store, which is that of the engine that owns the store's shards. Its methods
// may be called from any goroutine.
type Catalogue struct {
	store  store.Store
	keys   *Keyring
	quotas Quotas
	usage  usage
	offer  asl.Offer
	turn   func(ctx context.Context, t Tenant, bytes int) (done func(), err error)
	clock  func() time.Time
	source io.Reader
	log    *slog.Logger

	mu        sync.RWMutex
	machines  *bounded[string, *Machine] // by ARN
	revisions *bounded[RevisionKey, *asl.StateMachine]
	versions  *bounded[versionKey, *Machine] // as they were published, without tags
	aliases   *bounded[aliasKey, *Alias]
	unused    unusedRevisions
	// changes counts what was written: what was read before a change must not
	// be kept after it.
	changes uint64
	parsing sync.Mutex // held while a large definition is parsed
}

// New makes the catalogue of a store. It reads nothing yet. The error is that of a
// key ([EncryptionKey.Check]).
func New(cfg Config) (*Catalogue, error) {
	c := &Catalogue{
		store: cfg.Store, quotas: cfg.Quotas.withDefaults(), offer: cfg.Offer, turn: cfg.Turn, clock: cfg.Clock, source: cfg.Random, log: cfg.Logger,
		machines:  newBounded[string, *Machine](machineMemory),
		revisions: newBounded[RevisionKey, *asl.StateMachine](machineMemory),
		versions:  newBounded[versionKey, *Machine](machineMemory / 4),
		aliases:   newBounded[aliasKey, *Alias](machineMemory / 16),
		unused:    newUnusedRevisions(),
	}
	if c.turn == nil {
		c.turn = func(context.Context, Tenant, int) (func(), error) { return func() {}, nil }
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	if c.source == nil {
		c.source = rand.Reader
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	var err error
	c.keys, err = NewKeyring(cfg.EncryptionKeys, c.Random)
	return c, err
}

// Now is the time by the catalogue's clock.
func (c *Catalogue) Now() time.Time { return c.clock() }

// Random fills b. A source that fails leaves no safe way on: it panics.
func (c *Catalogue) Random(b []byte) {
	if _, err := io.ReadFull(c.source, b); err != nil {
		panic(fmt.Sprintf("catalogue: no random bytes: %v", err))
	}
}

// UUID makes a random UUID (version 4).
func (c *Catalogue) UUID() string {
	var b [16]byte
	c.Random(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// Keys are the customers' keys; nil when there are none.
func (c *Catalogue) Keys() *Keyring { return c.keys }

// attempts bounds how often an edit is tried again after another one came first.
const attempts = 5

// largeDefinition is the size in bytes from which on definitions are parsed one at a
// time.
const largeDefinition = 32 << 10

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

// known returns the parsed definition of a revision, nil when memory has none.
func (c *Catalogue) known(key RevisionKey) *asl.StateMachine {
	c.mu.RLock()
	defer c.mu.RUnlock()
	parsed, _ := c.revisions.get(key)
	return parsed
}

// parse returns the parsed definition of a revision, and remembers it; nil and why,
// when it is not valid any more.
func (c *Catalogue) parse(key RevisionKey, definition string) (*asl.StateMachine, []asl.Diagnostic) {
	if parsed := c.known(key); parsed != nil {
		return parsed, nil
	}
	if len(definition) >= largeDefinition { // many may ask at once for what takes long, and much memory
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
func (c *Catalogue) parsed(key RevisionKey, parsed *asl.StateMachine) {
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

// Put edits the catalogue, and forgets what memory has of it: the next who asks
// reads what is true. Where the outcome is not known, it is looked up. An error
// that is not store.ErrVersion reports that it did not come to pass, as far as
// can be seen.
func (c *Catalogue) Put(ctx context.Context, edits ...store.Edit) error {
	err := c.store.Put(ctx, edits...)
	c.forget(edits)
	if err == nil || errors.Is(err, store.ErrVersion) || errors.Is(err, store.ErrClosed) || !c.landed(ctx, edits) {
		return err
	}
	return nil
}

// landed reports whether edits are what the catalogue has.
func (c *Catalogue) landed(ctx context.Context, edits []store.Edit) bool {
	for _, edit := range edits {
		entry, err := c.store.Get(ctx, edit.Key)
		gone := errors.Is(err, store.ErrNotFound)
		if edit.Value == nil && !gone || edit.Value != nil && (err != nil || entry.Version != edit.Version+1 || !bytes.Equal(entry.Value, edit.Value)) {
			return false
		}
	}
	return true
}

// forget takes what edits have changed out of memory.
func (c *Catalogue) forget(edits []store.Edit) {
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
