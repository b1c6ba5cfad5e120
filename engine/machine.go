package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/store"
)

// MachineType tells Standard from Express, in the API's words.
type MachineType string

// The types of state machines.
const (
	Standard MachineType = "STANDARD"
	Express  MachineType = "EXPRESS"
)

// Machine is a state machine as the catalogue has it. It is immutable: a
// change makes another one.
type Machine struct {
	Tenant
	Name string
	// Number names the machine in the store, for good.
	Number uint32
	Type   MachineType
	// Revision counts the updates, from 0.
	Revision uint64
	// RevisionID is the API's name of the revision, "" for the first.
	RevisionID string
	RoleARN    string
	Definition string
	Created    time.Time
	Updated    time.Time
	// Logging, Tracing and Encryption are the API's structures, as given.
	Logging    json.RawMessage `json:",omitempty"`
	Tracing    json.RawMessage `json:",omitempty"`
	Encryption json.RawMessage `json:",omitempty"`
	Tags       []Tag

	version uint64
	parsed  *asl.StateMachine
}

// Tag is a label of a resource.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ARN is the machine's name in the API.
func (m *Machine) ARN() string { return m.Tenant.ARN("stateMachine", m.Name) }

// Parsed gives the machine's definition.
func (m *Machine) Parsed() *asl.StateMachine { return m.parsed }

// Version is the catalogue's version of the entry, for [Engine.PutMachine].
func (m *Machine) Version() uint64 { return m.version }

// revision is what a running execution needs of its machine for as long as it
// runs, whatever becomes of the machine.
type revision struct {
	Definition string
	Machine    string // its name
	Type       MachineType
}

type revisionKey struct {
	number   uint32
	revision uint64
}

func (k revisionKey) String() string {
	return fmt.Sprintf("revision/%08x/%016x", k.number, k.revision)
}

// catalogue keeps state machines in memory as they stand in the store. The
// engine that owns the store's shards is the only one that writes it.
type catalogue struct {
	store     store.Store
	mu        sync.RWMutex
	machines  map[string]*Machine // by ARN
	revisions map[revisionKey]*asl.StateMachine
}

func newCatalogue(s store.Store) *catalogue {
	return &catalogue{store: s, machines: make(map[string]*Machine), revisions: make(map[revisionKey]*asl.StateMachine)}
}

// maxRevisions bounds the parsed definitions that are kept for executions.
const maxRevisions = 10000

func machineKey(t Tenant, name string) string {
	return "machine/" + t.Account + "/" + t.Region + "/" + name
}

// Machine gives the state machine of that ARN, unqualified. store.ErrNotFound.
func (e *Engine) Machine(ctx context.Context, arn string) (*Machine, error) {
	c := e.catalogue
	c.mu.RLock()
	m := c.machines[arn]
	c.mu.RUnlock()
	if m != nil && visible(ctx, m.Tenant) {
		return m, nil
	}
	name, ok := ParseARN(arn)
	if !ok || name.Kind != "stateMachine" || len(name.Path) != 1 || !visible(ctx, name.Tenant) {
		return nil, store.ErrNotFound
	}
	entry, err := c.store.Get(ctx, machineKey(name.Tenant, name.Path[0]))
	if err != nil {
		return nil, err
	}
	m, err = decodeMachine(entry)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if newer := c.machines[arn]; newer != nil {
		return newer, nil
	}
	c.machines[arn] = m
	return m, nil
}

func decodeMachine(entry store.Entry) (*Machine, error) {
	m := new(Machine)
	if err := json.Unmarshal(entry.Value, m); err != nil {
		return nil, fmt.Errorf("engine: catalogue entry %q: %w", entry.Key, err)
	}
	m.version = entry.Version
	var diagnostics []asl.Diagnostic
	if m.parsed, diagnostics = asl.Parse([]byte(m.Definition)); m.parsed == nil {
		return nil, fmt.Errorf("engine: catalogue entry %q: the definition is not valid any more: %v", entry.Key, diagnostics)
	}
	return m, nil
}

// Machines lists the state machines of a tenant by name, at most limit of them
// after the given name.
func (e *Engine) Machines(ctx context.Context, t Tenant, after string, limit int) ([]*Machine, error) {
	prefix := machineKey(t, "")
	if after != "" {
		after = prefix + after
	}
	entries, err := e.store.Scan(ctx, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	machines := make([]*Machine, 0, len(entries))
	for _, entry := range entries {
		m, err := decodeMachine(entry)
		if err != nil {
			return nil, err
		}
		machines = append(machines, m)
	}
	return machines, nil
}

// CreateMachine adds a state machine and gives it its number. store.ErrVersion
// when there is one of that name.
func (e *Engine) CreateMachine(ctx context.Context, m Machine, parsed *asl.StateMachine) (*Machine, error) {
	counter, edit, err := e.nextNumber(ctx)
	if err != nil {
		return nil, err
	}
	m.Number, m.Revision, m.version = counter, 0, 0
	return e.putMachine(ctx, m, parsed, true, edit)
}

// nextNumber gives an unused machine number and the edit that takes it.
func (e *Engine) nextNumber(ctx context.Context) (uint32, store.Edit, error) {
	const key = "counter/machine"
	entry, err := e.store.Get(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, store.Edit{}, err
	}
	last, _ := strconv.ParseUint(string(entry.Value), 10, 32)
	next := uint32(last) + 1
	return next, store.Edit{Key: key, Version: entry.Version, Value: strconv.AppendUint(nil, uint64(next), 10)}, nil
}

// PutMachine replaces a state machine whose catalogue version the caller has
// seen. changed tells that definition or role differ: the revision counts up.
// store.ErrVersion.
func (e *Engine) PutMachine(ctx context.Context, m Machine, parsed *asl.StateMachine, changed bool) (*Machine, error) {
	if changed {
		m.Revision++
	}
	return e.putMachine(ctx, m, parsed, changed)
}

func (e *Engine) putMachine(ctx context.Context, m Machine, parsed *asl.StateMachine, changed bool, more ...store.Edit) (*Machine, error) {
	m.parsed = parsed
	encoded, err := json.Marshal(&m)
	if err != nil {
		return nil, fmt.Errorf("engine: encode state machine: %w", err)
	}
	edits := append(more, store.Edit{Key: machineKey(m.Tenant, m.Name), Version: m.version, Value: encoded})
	key := revisionKey{m.Number, m.Revision}
	if changed {
		encoded, err := json.Marshal(revision{m.Definition, m.Name, m.Type})
		if err != nil {
			return nil, fmt.Errorf("engine: encode revision: %w", err)
		}
		edits = append(edits, store.Edit{Key: key.String(), Value: encoded})
	}
	if err := e.store.Put(ctx, edits...); err != nil {
		return nil, err
	}
	m.version++
	e.catalogue.keep(&m, key)
	return &m, nil
}

func (c *catalogue) keep(m *Machine, key revisionKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.machines[m.ARN()] = m
	if len(c.revisions) >= maxRevisions {
		clear(c.revisions)
	}
	c.revisions[key] = m.parsed
}

// DeleteMachine takes a state machine out of the catalogue. Its executions go
// on with the revision they were started with. store.ErrVersion.
func (e *Engine) DeleteMachine(ctx context.Context, m *Machine) error {
	err := e.store.Put(ctx, store.Edit{Key: machineKey(m.Tenant, m.Name), Version: m.version})
	if err != nil {
		return err
	}
	e.catalogue.mu.Lock()
	defer e.catalogue.mu.Unlock()
	delete(e.catalogue.machines, m.ARN())
	return nil
}

// Definition gives the definition that an execution was started with.
func (e *Engine) Definition(ctx context.Context, x *Description) (string, error) {
	rev, err := e.revision(ctx, revisionKey{x.meta.Machine, x.meta.Revision})
	return rev.Definition, err
}

func (e *Engine) revision(ctx context.Context, key revisionKey) (revision, error) {
	var rev revision
	entry, err := e.store.Get(ctx, key.String())
	if err != nil {
		return rev, fmt.Errorf("engine: %s: %w", key, err)
	}
	if err := json.Unmarshal(entry.Value, &rev); err != nil {
		return rev, fmt.Errorf("engine: %s: %w", key, err)
	}
	return rev, nil
}

// parsedRevision gives the parsed definition that an execution runs by.
func (e *Engine) parsedRevision(ctx context.Context, key revisionKey) (*asl.StateMachine, error) {
	c := e.catalogue
	c.mu.RLock()
	parsed := c.revisions[key]
	c.mu.RUnlock()
	if parsed != nil {
		return parsed, nil
	}
	rev, err := e.revision(ctx, key)
	if err != nil {
		return nil, err
	}
	parsed, diagnostics := asl.Parse([]byte(rev.Definition))
	if parsed == nil {
		return nil, fmt.Errorf("engine: %s: the definition is not valid any more: %v", key, diagnostics)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.revisions) >= maxRevisions {
		clear(c.revisions)
	}
	c.revisions[key] = parsed
	return parsed, nil
}
