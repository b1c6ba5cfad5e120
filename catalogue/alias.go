package catalogue

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/steppehq/steppe/store"
)

// Alias is a name for one or two versions of a state machine, each of which it
// starts as often as its weight says. It is immutable: a change makes another
// one.
type Alias struct {
	Name        string
	Description string `json:",omitempty"`
	Routes      []Route
	Created     time.Time
	Updated     time.Time

	entry uint64 // version of the catalogue's entry
}

// Route is a version that an alias leads to.
type Route struct {
	Version uint32
	Weight  int // percent
}

// Weight is how many of a hundred executions the alias starts with a version.
func (a *Alias) Weight(version uint32) int {
	for _, r := range a.Routes {
		if r.Version == version {
			return r.Weight
		}
	}
	return 0
}

// Main is the version that most executions are started with.
func (a *Alias) Main() uint32 {
	return slices.MaxFunc(a.Routes, func(x, y Route) int { return x.Weight - y.Weight }).Version
}

// leadsTo reports whether a version is among the routes, whatever its weight.
func (a *Alias) leadsTo(version uint32) bool {
	return slices.ContainsFunc(a.Routes, func(r Route) bool { return r.Version == version })
}

// pick returns the version at a place from 0 to 99.
func (a *Alias) pick(place int) uint32 {
	for _, r := range a.Routes {
		if place < r.Weight {
			return r.Version
		}
		place -= r.Weight
	}
	return a.Main()
}

// Pick draws one of an alias's versions, each as often as its weight says.
func (c *Catalogue) Pick(a *Alias) uint32 { return a.pick(c.percent()) }

// percent draws a number from 0 to 99.
func (c *Catalogue) percent() int {
	var b [8]byte
	c.Random(b[:])
	return int(binary.BigEndian.Uint64(b[:]) % 100)
}

// aliasKey names an alias in the catalogue.
type aliasKey struct {
	machine uint32
	name    string
}

func (k aliasKey) String() string { return aliasPrefix(k.machine) + k.name }

const aliasKind = "alias/"

func aliasPrefix(machine uint32) string { return fmt.Sprintf("%s%08x/", aliasKind, machine) }

func decodeAlias(entry store.Entry) (*Alias, error) {
	a := &Alias{entry: entry.Version}
	return a, DecodeEntry(entry, a)
}

// Alias returns an alias of a machine. store.ErrNotFound.
func (c *Catalogue) Alias(ctx context.Context, m *Machine, name string) (*Alias, error) {
	key := aliasKey{m.Number, name}
	c.mu.RLock()
	a, _ := c.aliases.get(key)
	changes := c.changes
	c.mu.RUnlock()
	if a != nil {
		return a, nil
	}
	entry, err := c.store.Get(ctx, key.String())
	if err != nil {
		return nil, err
	}
	if a, err = decodeAlias(entry); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.aliases.put(key, a, aliasWeight)
	}
	return a, nil
}

// Aliases lists the aliases of a machine by name, at most limit (0: all) after
// the given name: those that lead to a version, or with version 0 all.
func (c *Catalogue) Aliases(ctx context.Context, m *Machine, version uint32, after string, limit int) ([]*Alias, error) {
	prefix := aliasPrefix(m.Number)
	if after != "" {
		after = prefix + after
	}
	entries, err := c.store.Scan(ctx, prefix, after, 0) // there are a hundred at most
	if err != nil {
		return nil, err
	}
	var aliases []*Alias
	for _, entry := range entries {
		a, err := decodeAlias(entry)
		if err != nil {
			return nil, err
		}
		if version != 0 && !a.leadsTo(version) {
			continue
		}
		if aliases = append(aliases, a); len(aliases) == limit {
			break
		}
	}
	return aliases, nil
}

// PutAlias adds an alias, or replaces one that the caller has seen. The versions
// that it leads to must be there. store.ErrVersion, store.ErrNotFound,
// ErrQuota.
func (c *Catalogue) PutAlias(ctx context.Context, m *Machine, a Alias) (*Alias, error) {
	return c.putAlias(ctx, m, a)
}

func (c *Catalogue) putAlias(ctx context.Context, m *Machine, a Alias, more ...store.Edit) (*Alias, error) {
	p, err := c.published(ctx, m.Number)
	if err != nil {
		return nil, err
	}
	for _, r := range a.Routes {
		if _, err := c.Version(ctx, m, r.Version); err != nil {
			return nil, err
		}
	}
	if a.entry == 0 {
		if p.Aliases >= maxAliases {
			return nil, ErrQuota
		}
		p.Aliases++
	}
	encoded, err := json.Marshal(&a)
	if err != nil {
		return nil, fmt.Errorf("catalogue: encode alias: %w", err)
	}
	key := aliasKey{m.Number, a.Name}
	if err := c.Put(ctx, append(more, p.edit(), store.Edit{Key: key.String(), Version: a.entry, Value: encoded})...); err != nil {
		return nil, err
	}
	a.entry++
	return &a, nil
}

// DeleteAlias deletes an alias and ends its shift; one that is not there counts
// as deleted. Its executions go on. store.ErrVersion.
func (c *Catalogue) DeleteAlias(ctx context.Context, m *Machine, name string) error {
	key := aliasKey{m.Number, name}
	entry, err := c.store.Get(ctx, key.String())
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
	p.Aliases--
	edits := []store.Edit{p.edit(), {Key: key.String(), Version: entry.Version}}
	shift, err := c.ShiftAt(ctx, machineShifts(m.Tenant, m.Name)+name)
	if err == nil {
		edits = append(edits, store.Edit{Key: shift.Key(), Version: shift.entry})
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return c.Put(ctx, edits...)
}
