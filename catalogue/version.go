package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/steppehq/steppe/store"
)

// How many versions and aliases a state machine may have (AWS's quotas).
const (
	maxVersions = 1000
	maxAliases  = 100
)

// ErrQuota reports that the state machine has as many versions, or aliases, as it may.
var ErrQuota = errors.New("catalogue: quota of versions or aliases exceeded")

// Version is a revision of a state machine that was published. It is immutable.
type Version struct {
	// Number counts the versions of the machine, from 1. None is given twice.
	Number uint32
	// Revision is the machine's that was published.
	Revision    uint64
	Description string `json:",omitempty"`
	Created     time.Time

	entry uint64 // version of the catalogue's entry
}

// VersionARN is the ARN of a version of the machine.
func (m *Machine) VersionARN(number uint32) string {
	return m.ARN() + ":" + strconv.FormatUint(uint64(number), 10)
}

// AliasARN is the ARN of an alias of the machine.
func (m *Machine) AliasARN(name string) string { return m.ARN() + ":" + name }

// versionKey names a version in the catalogue: the newest comes first.
type versionKey struct{ machine, number uint32 }

func (k versionKey) String() string {
	return fmt.Sprintf("%s%08x", versionPrefix(k.machine), ^k.number)
}

const versionKind = "version/"

func versionPrefix(machine uint32) string { return fmt.Sprintf("%s%08x/", versionKind, machine) }

func (v *Version) edit(machine uint32) store.Edit {
	encoded, _ := json.Marshal(v) // plain fields
	return store.Edit{Key: versionKey{machine, v.Number}.String(), Value: encoded}
}

// published is what a machine has of versions and aliases. Every change of
// them writes it, so that two changes at once do not pass each other by.
type published struct {
	Last     uint32 // number of the last version
	Versions int
	Aliases  int

	number  uint32 // the machine's
	version uint64
}

func publishedKey(machine uint32) string { return fmt.Sprintf("published/%08x", machine) }

func (p *published) edit() store.Edit {
	encoded, _ := json.Marshal(p) // plain fields
	return store.Edit{Key: publishedKey(p.number), Version: p.version, Value: encoded}
}

// next makes the version that follows, of the machine as it is.
func (p *published) next(m *Machine, description string, now time.Time) *Version {
	p.Last++
	p.Versions++
	return &Version{Number: p.Last, Revision: m.Revision, Description: description, Created: now}
}

// published reads what a machine has of versions and aliases. store.ErrVersion
// when the machine is not there any more, or is being deleted.
func (c *Catalogue) published(ctx context.Context, machine uint32) (published, error) {
	p := published{number: machine}
	entry, err := c.store.Get(ctx, publishedKey(machine))
	if errors.Is(err, store.ErrNotFound) {
		err = store.ErrVersion
	}
	if err != nil {
		return p, err
	}
	p.version = entry.Version
	return p, DecodeEntry(entry, &p)
}

// publishing returns the version of the machine's revision, and the edits that
// make it when there is none.
func (c *Catalogue) publishing(ctx context.Context, m *Machine, description string) (*Version, []store.Edit, error) {
	p, err := c.published(ctx, m.Number)
	if err != nil {
		return nil, nil, err
	}
	newest, err := c.Versions(ctx, m, 0, 1)
	switch {
	case err != nil:
		return nil, nil, err
	case len(newest) > 0 && newest[0].Revision == m.Revision:
		return newest[0], nil, nil
	case p.Versions >= maxVersions:
		return nil, nil, ErrQuota
	}
	if !c.unused.use(RevisionKey{m.Number, m.Revision}) {
		return nil, nil, store.ErrVersion // it was replaced since
	}
	v := p.next(m, description, c.Now())
	return v, []store.Edit{v.edit(m.Number), p.edit()}, nil
}

// Publish makes a version of the machine's revision, or returns the one that
// there is. store.ErrVersion, ErrQuota.
func (c *Catalogue) Publish(ctx context.Context, m *Machine, description string) (*Version, error) {
	v, edits, err := c.publishing(ctx, m, description)
	if err != nil || len(edits) == 0 {
		return v, err
	}
	return v, c.Put(ctx, edits...)
}

// Versions lists the versions of a machine, newest first: at most limit (0:
// all) of those whose number is smaller than before (0: any).
func (c *Catalogue) Versions(ctx context.Context, m *Machine, before uint32, limit int) ([]*Version, error) {
	after := ""
	if before > 0 {
		after = versionKey{m.Number, before}.String()
	}
	entries, err := c.store.Scan(ctx, versionPrefix(m.Number), after, limit)
	if err != nil {
		return nil, err
	}
	versions := make([]*Version, len(entries))
	for i, entry := range entries {
		if versions[i], err = decodeVersion(entry); err != nil {
			return nil, err
		}
	}
	return versions, nil
}

func decodeVersion(entry store.Entry) (*Version, error) {
	v := &Version{entry: entry.Version}
	return v, DecodeEntry(entry, v)
}

// Version returns a version of a machine. store.ErrNotFound.
func (c *Catalogue) Version(ctx context.Context, m *Machine, number uint32) (*Version, error) {
	entry, err := c.store.Get(ctx, versionKey{m.Number, number}.String())
	if err != nil {
		return nil, err
	}
	return decodeVersion(entry)
}

// MachineAt returns a machine as a version of it was published, with the tags that
// it has now. store.ErrNotFound.
func (c *Catalogue) MachineAt(ctx context.Context, m *Machine, number uint32) (*Machine, error) {
	key := versionKey{m.Number, number}
	c.mu.RLock()
	at, _ := c.versions.get(key)
	changes := c.changes
	c.mu.RUnlock()
	if at == nil {
		v, err := c.Version(ctx, m, number)
		if err != nil {
			return nil, err
		}
		if at, err = c.machineAt(ctx, m, v.Revision); err != nil {
			return nil, err
		}
		c.keepVersion(key, at, changes)
	}
	tagged := *at
	tagged.Tags, tagged.Deleting = m.Tags, m.Deleting
	return &tagged, nil
}

func (c *Catalogue) keepVersion(key versionKey, at *Machine, changes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.versions.put(key, at, weightOf(at))
	}
}

func (c *Catalogue) machineAt(ctx context.Context, m *Machine, number uint64) (*Machine, error) {
	rev, err := c.Revision(ctx, RevisionKey{m.Number, number})
	if err != nil {
		return nil, err
	}
	at := *m
	at.Revision, at.RevisionID, at.RoleARN, at.Definition, at.Updated = number, rev.RevisionID, rev.RoleARN, rev.Definition, rev.Updated
	at.Logging, at.Tracing, at.Encryption, at.locked, at.parsed = rev.Logging, rev.Tracing, rev.Encryption, rev.locked, nil
	if at.locked != nil {
		return &at, nil
	}
	at.parsed, err = c.ParsedRevision(ctx, RevisionKey{m.Number, number})
	return &at, err
}

// ReferencedError reports which aliases lead to a version that was to be deleted.
type ReferencedError struct{ Aliases []string }

// Error names the aliases.
func (e *ReferencedError) Error() string {
	return fmt.Sprintf("catalogue: the version is referenced by the aliases %q", e.Aliases)
}

// DeleteVersion deletes a version; one that is not there counts as deleted. Its
// executions go on. store.ErrVersion, [*ReferencedError].
func (c *Catalogue) DeleteVersion(ctx context.Context, m *Machine, number uint32) error {
	v, err := c.Version(ctx, m, number)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := c.published(ctx, m.Number)
	if err != nil {
		return err
	}
	aliases, err := c.Aliases(ctx, m, number, "", 0)
	if err != nil {
		return err
	}
	if len(aliases) > 0 {
		refused := new(ReferencedError)
		for _, a := range aliases {
			refused.Aliases = append(refused.Aliases, a.Name)
		}
		return refused
	}
	p.Versions--
	key := versionKey{m.Number, number}
	return c.Put(ctx, p.edit(), store.Edit{Key: key.String(), Version: v.entry})
}

// ParseQualifier reads what follows the name in a state machine's ARN: the
// number of a version, or else the name of an alias.
func ParseQualifier(text string) (version uint32, alias string) {
	number, err := strconv.ParseUint(text, 10, 32)
	if err != nil || number == 0 || strconv.FormatUint(number, 10) != text {
		return 0, text
	}
	return uint32(number), ""
}

// Target is what a state machine's ARN leads to.
type Target struct {
	// Machine is the machine as it is, or for a version as it was published.
	Machine *Machine
	// Version is the version's number, 0 when the ARN names none.
	Version uint32
	Alias   *Alias // nil when the ARN names none
}

// Resolve returns what a state machine's ARN leads to, qualified or not.
// store.ErrNotFound; ErrDeleting for a version or alias of a machine that is
// being deleted, which is gone already.
func (c *Catalogue) Resolve(ctx context.Context, arn string) (Target, error) {
	name, ok := ParseARN(arn)
	if !ok || name.Kind != "stateMachine" || len(name.Path) > 2 {
		return Target{}, store.ErrNotFound
	}
	if len(name.Path) == 1 {
		m, err := c.Machine(ctx, arn)
		return Target{Machine: m}, err
	}
	m, err := c.Machine(ctx, name.ARN("stateMachine", name.Path[0]))
	switch {
	case err != nil:
		return Target{}, err
	case m.Deleting:
		return Target{}, ErrDeleting
	}
	number, alias := ParseQualifier(name.Path[1])
	if number == 0 {
		a, err := c.Alias(ctx, m, alias)
		return Target{Machine: m, Alias: a}, err
	}
	m, err = c.MachineAt(ctx, m, number)
	return Target{Machine: m, Version: number}, err
}
