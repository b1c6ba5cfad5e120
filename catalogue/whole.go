package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/steppehq/steppe/store"
)

// Whole is a state machine with all that the catalogue has of it, as it is carried
// from one catalogue to another.
type Whole struct {
	// Machine is nil for one that was deleted: of it there are revisions only.
	Machine *Machine
	// Revisions are in the order of their numbers. That of the machine is among
	// them.
	Revisions []NumberedRevision
	// LastVersion is the greatest number that a version had so far.
	LastVersion uint32
	Versions    []*Version // by their numbers
	Aliases     []*Alias   // by their names
	// Shifts are the last ones of the aliases, by the aliases' names.
	Shifts map[string]*Shift
}

// NumberedRevision is a revision with its number.
type NumberedRevision struct {
	Number uint64
	*Revision
}

// Whole reads all that there is of a state machine: m is nil when it was deleted.
// [*KeyError] when a definition cannot be read.
func (c *Catalogue) Whole(ctx context.Context, number uint32, m *Machine) (*Whole, error) {
	w := &Whole{Machine: m, Shifts: make(map[string]*Shift)}
	var err error
	if w.Revisions, err = c.Revisions(ctx, number); err != nil || m == nil || m.Deleting {
		return w, err // the versions and aliases of one that is being deleted are gone
	}
	p, err := c.published(ctx, number)
	if err != nil {
		return nil, err
	}
	w.LastVersion = p.Last
	if w.Versions, err = c.Versions(ctx, m, 0, 0); err != nil {
		return nil, err
	}
	slices.Reverse(w.Versions)
	if w.Aliases, err = c.Aliases(ctx, m, 0, "", 0); err != nil {
		return nil, err
	}
	for _, a := range w.Aliases {
		s, err := c.ReadShift(ctx, m, a.Name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		w.Shifts[a.Name] = s
	}
	return w, nil
}

// Revisions lists the revisions of a machine by their numbers, those that were made
// for forks at the end; none when there is no such machine. [*KeyError].
func (c *Catalogue) Revisions(ctx context.Context, machine uint32) ([]NumberedRevision, error) {
	prefix := revisionsOf(machine)
	entries, err := c.store.Scan(ctx, prefix, "", 0)
	if err != nil {
		return nil, err
	}
	all := make([]NumberedRevision, len(entries))
	for i, entry := range entries {
		var n uint64
		if _, err := fmt.Sscanf(strings.TrimPrefix(entry.Key, prefix), "%x", &n); err != nil {
			return nil, fmt.Errorf("catalogue: catalogue entry %q: %w", entry.Key, err)
		}
		rev, err := c.decodeRevision(entry)
		if err == nil {
			err = rev.locked
		}
		if err != nil {
			return nil, err
		}
		all[i] = NumberedRevision{n, rev}
	}
	return all, nil
}

// RestoreRevision returns the edit that adds a revision to a machine. [*KeyError].
func (c *Catalogue) RestoreRevision(machine uint32, rev NumberedRevision) (store.Edit, error) {
	return c.RevisionEdit(RevisionKey{machine, rev.Number}, rev.Revision)
}

// Restore returns the edits that make a state machine of another catalogue under an
// unused number ([Catalogue.NextNumber]), with the versions that its entries have in a
// new catalogue. No quota bounds it. [*KeyError].
func (c *Catalogue) Restore(number uint32, w *Whole) ([]store.Edit, error) {
	var edits []store.Edit
	for _, rev := range w.Revisions {
		edit, err := c.RestoreRevision(number, rev)
		if err != nil {
			return nil, err
		}
		edits = append(edits, edit)
	}
	if w.Machine == nil {
		return append(edits, c.MarkDeleted(number)), nil
	}
	m := *w.Machine
	m.Number, m.version = number, 0
	var err error
	if m.kept, err = c.sealDefinition(machineKey(m.Tenant, m.Name), m.Definition, m.Encryption); err != nil {
		return nil, err
	}
	edit, err := m.edit()
	if err != nil {
		return nil, err
	}
	edits = append(edits, edit)
	if m.Deleting {
		return append(edits, store.Edit{Key: deletingKey(number), Value: []byte(machineKey(m.Tenant, m.Name))}), nil
	}
	return w.publish(edits, &m)
}

// publish adds the edits that make the versions, aliases and shifts of a machine.
func (w *Whole) publish(edits []store.Edit, m *Machine) ([]store.Edit, error) {
	p := published{Last: w.LastVersion, Versions: len(w.Versions), Aliases: len(w.Aliases), number: m.Number}
	edits = append(edits, p.edit())
	for _, v := range w.Versions {
		edits = append(edits, v.edit(m.Number))
	}
	for _, a := range w.Aliases {
		encoded, err := json.Marshal(a)
		if err != nil {
			return nil, fmt.Errorf("catalogue: encode alias: %w", err)
		}
		edits = append(edits, store.Edit{Key: aliasKey{m.Number, a.Name}.String(), Value: encoded})
		if s := w.Shifts[a.Name]; s != nil {
			restored := *s
			restored.Tenant, restored.Machine, restored.Number, restored.Alias, restored.entry = m.Tenant, m.Name, m.Number, a.Name, 0
			edits = append(edits, restored.edit())
		}
	}
	return edits, nil
}

// EachMachine visits all state machines, with their definitions.
func (c *Catalogue) EachMachine(ctx context.Context, visit func(*Machine) error) error {
	return c.eachEntry(ctx, machinePrefix, func(entry store.Entry) error {
		m, err := c.decodeMachine(entry)
		if err != nil {
			return err
		}
		return visit(m)
	})
}

// Orphans returns the numbers of the state machines that are not there any more, of
// which there may be revisions.
func (c *Catalogue) Orphans(ctx context.Context) ([]uint32, error) {
	live := make(map[uint32]bool)
	err := c.eachEntry(ctx, machinePrefix, func(entry store.Entry) error {
		var m struct{ Number uint32 }
		err := DecodeEntry(entry, &m)
		live[m.Number] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	next, _, err := c.NextNumber(ctx)
	if err != nil {
		return nil, err
	}
	var gone []uint32
	for number := uint32(1); number < next; number++ {
		if !live[number] {
			gone = append(gone, number)
		}
	}
	return gone, nil
}
