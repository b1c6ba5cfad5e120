package catalogue

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/store"
)

// MachineType distinguishes Standard from Express, in the API's words.
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
	// Definition is "" when the machine is locked.
	Definition string `json:"-"`
	Created    time.Time
	Updated    time.Time
	// Logging, Tracing and Encryption are the API's structures, as given.
	Logging    json.RawMessage `json:",omitempty"`
	Tracing    json.RawMessage `json:",omitempty"`
	Encryption json.RawMessage `json:",omitempty"`
	Tags       []Tag
	// Published is the description of the version that the creation published,
	// nil when it published none.
	Published *string `json:",omitempty"`
	// Deleting reports that the machine is gone as soon as its executions have
	// ended.
	Deleting bool `json:",omitempty"`
	// Encrypted reports that executions of the machine may be encrypted: its
	// configuration names a customer's key, or once did.
	Encrypted bool `json:",omitempty"`

	version uint64
	kept    definition // as it stands in the store
	locked  error
	parsed  *asl.StateMachine
}

// storedMachine is a machine's entry in the catalogue.
type storedMachine struct {
	*Machine
	definition
}

// Tag is a label of a resource.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ARN is the machine's name in the API.
func (m *Machine) ARN() string { return m.Tenant.ARN("stateMachine", m.Name) }

// Entry is the key of the machine in the catalogue.
func (m *Machine) Entry() string { return machineKey(m.Tenant, m.Name) }

// Parsed returns the machine's definition; nil when the machine is locked.
func (m *Machine) Parsed() *asl.StateMachine { return m.parsed }

// Locked reports why the definition cannot be read: a [*KeyError]. It is nil when
// it can.
func (m *Machine) Locked() error { return m.locked }

// Version is the catalogue's version of the entry, for [Catalogue.PutMachine].
func (m *Machine) Version() uint64 { return m.version }

// Revision is what a state machine was at a time. It is kept for the executions
// that were started then and for the versions that were published of it,
// whatever becomes of the machine.
type Revision struct {
	// Definition is "" when the revision is locked.
	Definition string `json:"-"`
	Machine    string // its name
	Type       MachineType
	// RevisionID is the API's name of the revision, "" for the first.
	RevisionID string          `json:",omitempty"`
	RoleARN    string          `json:",omitempty"`
	Updated    time.Time       `json:",omitzero"`
	Logging    json.RawMessage `json:",omitempty"`
	Tracing    json.RawMessage `json:",omitempty"`
	Encryption json.RawMessage `json:",omitempty"`

	locked error
}

// Locked reports why the definition cannot be read: a [*KeyError]. It is nil when
// it can.
func (rev *Revision) Locked() error { return rev.locked }

// storedRevision is a revision's entry in the catalogue.
type storedRevision struct {
	*Revision
	definition
}

// RevisionKey names a revision: the number of its machine, and its own.
type RevisionKey struct {
	Machine  uint32
	Revision uint64
}

// Where the catalogue keeps state machines and their revisions.
const (
	machinePrefix  = "machine/"
	revisionPrefix = "revision/"
)

// String is the key of the revision in the catalogue.
func (k RevisionKey) String() string {
	return fmt.Sprintf("%s%016x", revisionsOf(k.Machine), k.Revision)
}

// revisionsOf is where the revisions of a machine are.
func revisionsOf(machine uint32) string { return fmt.Sprintf("%s%08x/", revisionPrefix, machine) }

func machineKey(t Tenant, name string) string {
	return machinePrefix + t.Account + "/" + t.Region + "/" + name
}

// Machine returns the state machine of that ARN, unqualified. store.ErrNotFound.
func (c *Catalogue) Machine(ctx context.Context, arn string) (*Machine, error) {
	c.mu.RLock()
	m, _ := c.machines.get(arn)
	changes := c.changes
	c.mu.RUnlock()
	if m != nil && Visible(ctx, m.Tenant) {
		return m, nil
	}
	name, ok := ParseARN(arn)
	if !ok || name.Kind != "stateMachine" || len(name.Path) != 1 || !Visible(ctx, name.Tenant) {
		return nil, store.ErrNotFound
	}
	entry, err := c.store.Get(ctx, machineKey(name.Tenant, name.Path[0]))
	if err != nil {
		return nil, err
	}
	done, err := c.turn(ctx, Caller(ctx), len(entry.Value))
	if err != nil {
		return nil, err
	}
	m, err = c.decodeMachine(entry)
	done()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.machines.put(arn, m, weightOf(m))
	}
	return m, nil
}

// DecodeEntry reads the value of a catalogue entry.
func DecodeEntry(entry store.Entry, into any) error {
	if err := json.Unmarshal(entry.Value, into); err != nil {
		return fmt.Errorf("catalogue: catalogue entry %q: %w", entry.Key, err)
	}
	return nil
}

// decodeMachine reads a machine's entry. One whose key is not there is locked.
func (c *Catalogue) decodeMachine(entry store.Entry) (*Machine, error) {
	m := new(Machine)
	stored := storedMachine{Machine: m}
	if err := DecodeEntry(entry, &stored); err != nil {
		return nil, err
	}
	m.version, m.kept = entry.Version, stored.definition
	var err error
	if m.Definition, m.locked, err = c.openDefinition(entry.Key, stored.definition, m.Encryption); m.locked != nil || err != nil {
		return m, err
	}
	var diagnostics []asl.Diagnostic
	if m.parsed, diagnostics = c.parse(RevisionKey{m.Number, m.Revision}, m.Definition); m.parsed == nil {
		return nil, fmt.Errorf("catalogue: catalogue entry %q: the definition is not valid any more: %v", entry.Key, diagnostics)
	}
	return m, nil
}

// Machines lists the state machines of a tenant by name, without their definitions,
// at most limit of them (0: all) after the given name.
func (c *Catalogue) Machines(ctx context.Context, t Tenant, after string, limit int) ([]*Machine, error) {
	prefix := machineKey(t, "")
	if after != "" {
		after = prefix + after
	}
	var machines []*Machine
	err := c.someEntries(ctx, prefix, after, limit, func(entry store.Entry) error {
		done, err := c.turn(ctx, Caller(ctx), len(entry.Value))
		if err != nil {
			return err
		}
		defer done()
		m := &Machine{version: entry.Version}
		machines = append(machines, m)
		return DecodeEntry(entry, m)
	})
	return machines, err
}

// CreateMachine adds a state machine under a new number. store.ErrVersion
// when there is one of that name; [*KeyError].
func (c *Catalogue) CreateMachine(ctx context.Context, m Machine, parsed *asl.StateMachine) (*Machine, error) {
	created, _, err := c.createMachine(ctx, m, parsed, nil)
	return created, err
}

// CreatePublished is [Catalogue.CreateMachine] and publishes the first version.
func (c *Catalogue) CreatePublished(ctx context.Context, m Machine, parsed *asl.StateMachine, description string) (*Machine, *Version, error) {
	return c.createMachine(ctx, m, parsed, &description)
}

func (c *Catalogue) createMachine(ctx context.Context, m Machine, parsed *asl.StateMachine, publish *string) (*Machine, *Version, error) {
	if err := c.admit(ctx, m.Account, amount{machines: 1, bytes: 2 * int64(len(m.Definition))}); err != nil {
		return nil, nil, err
	}
	counter, err := c.takeNumber(ctx)
	if err != nil {
		return nil, nil, err
	}
	m.Number, m.Revision, m.version, m.Published = counter, 0, 0, publish
	var (
		edits []store.Edit
		v     *Version
		p     = published{number: counter}
	)
	if publish != nil {
		v = p.next(&m, *publish, c.Now())
		edits = append(edits, v.edit(counter))
	}
	created, err := c.putMachine(ctx, m, parsed, true, append(edits, p.edit())...)
	return created, v, err
}

// takeNumber takes a machine number that no other machine has. It is taken by itself,
// and again until that succeeds, so that machines of different names that are
// created at once do not conflict.
func (c *Catalogue) takeNumber(ctx context.Context) (uint32, error) {
	for {
		number, taken, err := c.NextNumber(ctx)
		if err != nil {
			return 0, err
		}
		if err = c.Put(ctx, taken); !errors.Is(err, store.ErrVersion) {
			return number, err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
}

// NextNumber returns an unused machine number and the edit that takes it.
func (c *Catalogue) NextNumber(ctx context.Context) (uint32, store.Edit, error) {
	const key = "counter/machine"
	entry, err := c.store.Get(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, store.Edit{}, err
	}
	last, _ := strconv.ParseUint(string(entry.Value), 10, 32)
	next := uint32(last) + 1
	return next, store.Edit{Key: key, Version: entry.Version, Value: strconv.AppendUint(nil, uint64(next), 10)}, nil
}

// PutMachine replaces a state machine whose catalogue version the caller has
// seen. changed reports that definition, role or configuration differ: the
// revision counts up. store.ErrVersion, [*KeyError], [*QuotaError].
func (c *Catalogue) PutMachine(ctx context.Context, m Machine, parsed *asl.StateMachine, changed bool) (*Machine, error) {
	if err := c.revise(ctx, &m, changed); err != nil {
		return nil, err
	}
	guard, err := c.guard(ctx, &m)
	if err != nil {
		return nil, err
	}
	return c.putMachine(ctx, m, parsed, changed, guard)
}

// revise counts the revision up, where the account may have another one.
// [*QuotaError].
func (c *Catalogue) revise(ctx context.Context, m *Machine, changed bool) error {
	if !changed {
		return nil
	}
	m.Revision++
	return c.admit(ctx, m.Account, amount{bytes: int64(len(m.Definition))})
}

// guard is an edit that changes nothing, and fails when the machine is another
// one than that of its name now: versions of entries begin again when a machine is
// deleted and created again. store.ErrVersion.
func (c *Catalogue) guard(ctx context.Context, m *Machine) (store.Edit, error) {
	key := publishedKey(m.Number)
	if m.Deleting {
		key = deletingKey(m.Number)
	}
	entry, err := c.store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		err = store.ErrVersion
	}
	return store.Edit{Key: key, Version: entry.Version, Value: entry.Value}, err
}

// PutPublished is [Catalogue.PutMachine] and publishes a version of what the
// machine is then, unless there is one. store.ErrVersion, ErrQuota, [*KeyError].
func (c *Catalogue) PutPublished(ctx context.Context, m Machine, parsed *asl.StateMachine, changed bool, description string) (*Machine, *Version, error) {
	if err := c.revise(ctx, &m, changed); err != nil {
		return nil, nil, err
	}
	v, edits, err := c.publishing(ctx, &m, description)
	if err != nil {
		return nil, nil, err
	}
	if len(edits) == 0 {
		guard, err := c.guard(ctx, &m)
		if err != nil {
			return nil, nil, err
		}
		edits = append(edits, guard)
	}
	put, err := c.putMachine(ctx, m, parsed, changed, edits...)
	return put, v, err
}

func (c *Catalogue) putMachine(ctx context.Context, m Machine, parsed *asl.StateMachine, changed bool, more ...store.Edit) (*Machine, error) {
	m.parsed = parsed
	key := RevisionKey{m.Number, m.Revision}
	if changed {
		// What cannot be read cannot be encrypted again, and what is encrypted is
		// not replaced by plain text for want of a key.
		if m.locked != nil && (parsed == nil || c.keys == nil && len(m.Encryption) > 0) {
			return nil, m.locked
		}
		if err := c.CheckEncryption(m.Account, m.Encryption); err != nil {
			return nil, err
		}
		m.locked = nil
		m.Encrypted = m.Encrypted || len(m.Encryption) > 0
		c.warnPlain(m.ARN(), m.Encryption)
		var err error
		if m.kept, err = c.sealDefinition(machineKey(m.Tenant, m.Name), m.Definition, m.Encryption); err != nil {
			return nil, err
		}
		edit, err := c.RevisionEdit(key, m.revision())
		if err != nil {
			return nil, err
		}
		more = append(more, edit)
	}
	edit, err := m.edit()
	if err != nil {
		return nil, err
	}
	kept := func(bool) {}
	if changed {
		var unused []store.Edit
		unused, kept = c.forgetUnused(ctx, &m)
		more = append(more, unused...)
	}
	err = c.Put(ctx, append(more, edit)...)
	kept(err == nil)
	if err != nil {
		return nil, err
	}
	m.version++
	if changed && !publishes(more) {
		c.unused.made(key)
	}
	if changed && parsed != nil {
		c.parsed(key, parsed)
	}
	return &m, nil
}

// publishes reports whether there is a version among edits.
func publishes(edits []store.Edit) bool {
	return slices.ContainsFunc(edits, func(e store.Edit) bool { return strings.HasPrefix(e.Key, versionKind) })
}

// edit writes the machine over the version that it was read at, its definition
// as it was kept.
func (m *Machine) edit() (store.Edit, error) {
	encoded, err := json.Marshal(storedMachine{m, m.kept})
	if err != nil {
		return store.Edit{}, fmt.Errorf("catalogue: encode state machine: %w", err)
	}
	return store.Edit{Key: machineKey(m.Tenant, m.Name), Version: m.version, Value: encoded}, nil
}

// revision is what is kept of the machine as it is.
func (m *Machine) revision() *Revision {
	return &Revision{
		Definition: m.Definition, Machine: m.Name, Type: m.Type, RevisionID: m.RevisionID, RoleARN: m.RoleARN, Updated: m.Updated,
		Logging: m.Logging, Tracing: m.Tracing, Encryption: m.Encryption,
	}
}

// RevisionEdit adds a revision.
func (c *Catalogue) RevisionEdit(key RevisionKey, rev *Revision) (store.Edit, error) {
	kept, err := c.sealDefinition(key.String(), rev.Definition, rev.Encryption)
	if err != nil {
		return store.Edit{}, err
	}
	encoded, err := json.Marshal(storedRevision{rev, kept})
	if err != nil {
		return store.Edit{}, fmt.Errorf("catalogue: encode revision: %w", err)
	}
	return store.Edit{Key: key.String(), Value: encoded}, nil
}

// Revision returns a revision of a state machine. store.ErrNotFound.
func (c *Catalogue) Revision(ctx context.Context, key RevisionKey) (*Revision, error) {
	entry, err := c.store.Get(ctx, key.String())
	if err != nil {
		return nil, fmt.Errorf("catalogue: %s: %w", key, err)
	}
	return c.decodeRevision(entry)
}

// decodeRevision reads a revision's entry. One whose key is not there is locked.
func (c *Catalogue) decodeRevision(entry store.Entry) (*Revision, error) {
	rev := new(Revision)
	stored := storedRevision{Revision: rev}
	if err := DecodeEntry(entry, &stored); err != nil {
		return nil, err
	}
	var err error
	rev.Definition, rev.locked, err = c.openDefinition(entry.Key, stored.definition, rev.Encryption)
	return rev, err
}

// ParsedRevision returns the parsed definition that an execution runs by.
// [*KeyError].
func (c *Catalogue) ParsedRevision(ctx context.Context, key RevisionKey) (*asl.StateMachine, error) {
	if parsed := c.known(key); parsed != nil {
		return parsed, nil
	}
	rev, err := c.Revision(ctx, key)
	if err == nil {
		err = rev.locked
	}
	if err != nil {
		return nil, err
	}
	parsed, diagnostics := c.parse(key, rev.Definition)
	if parsed == nil {
		return nil, fmt.Errorf("catalogue: %s: the definition is not valid any more: %v", key, diagnostics)
	}
	return parsed, nil
}

// ForkRevision is the number of a revision that forks run by, beside the machine's
// own: it is made of the definition and of what encrypts it, and greater than those
// of updates.
func ForkRevision(definition string, encryption json.RawMessage) uint64 {
	sum := Hash(definition, string(encryption))
	return binary.BigEndian.Uint64(sum[:]) | 1<<63
}

// MadeForFork reports whether a revision was made for forks.
func MadeForFork(revision uint64) bool { return revision>>63 != 0 }
