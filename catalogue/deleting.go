package catalogue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/steppehq/steppe/store"
)

// A state machine that executions run by is deleted in two steps. The first
// ([Catalogue.BeginDeletion]) takes its versions and aliases away and marks it as
// one that is being deleted, under deletingPrefix. The second
// ([Catalogue.FinishDeletion]), once its executions have ended, takes it away
// too, and leaves a mark of its number under deletedPrefix: the revisions that its
// executions ran by are kept until the last of those is forgotten
// ([Catalogue.ForgetRevisions]). A machine without running executions is deleted
// in one step ([Catalogue.Delete]).
//
// Which executions run is not known here: the engine decides which step is due.
const (
	deletingPrefix = "deleting/"
	deletedPrefix  = "deleted/"
)

// ErrDeleting reports that the state machine is being deleted.
var ErrDeleting = errors.New("catalogue: the state machine is being deleted")

func deletingKey(machine uint32) string { return fmt.Sprintf("%s%08x", deletingPrefix, machine) }

// MarkDeleted notes, with the time, that a machine is gone.
func (c *Catalogue) MarkDeleted(machine uint32) store.Edit {
	return store.Edit{Key: fmt.Sprintf("%s%08x", deletedPrefix, machine), Value: strconv.AppendInt(nil, c.Now().UnixMilli(), 10)}
}

// DeletingMachine is a state machine that is being deleted.
type DeletingMachine struct {
	Number uint32
	Entry  string // its key in the catalogue
}

// Deleting lists the state machines that are being deleted, by their numbers.
func (c *Catalogue) Deleting(ctx context.Context) ([]DeletingMachine, error) {
	entries, err := c.store.Scan(ctx, deletingPrefix, "", 0)
	if err != nil {
		return nil, fmt.Errorf("catalogue: read deletions: %w", err)
	}
	machines := make([]DeletingMachine, len(entries))
	for i, entry := range entries {
		number, err := machineOfMark(entry, deletingPrefix)
		if err != nil {
			return nil, err
		}
		machines[i] = DeletingMachine{number, string(entry.Value)}
	}
	return machines, nil
}

// DeletedMachine is a state machine that is gone, but for its revisions.
type DeletedMachine struct {
	Number uint32
	At     time.Time // by the clock of the engine that deleted it

	mark store.Edit // takes the mark away
}

// Deleted lists the state machines that are gone, and of which there are
// revisions still.
func (c *Catalogue) Deleted(ctx context.Context) ([]DeletedMachine, error) {
	entries, err := c.store.Scan(ctx, deletedPrefix, "", 0)
	if err != nil {
		return nil, fmt.Errorf("catalogue: read deletions: %w", err)
	}
	machines := make([]DeletedMachine, len(entries))
	for i, entry := range entries {
		number, err := machineOfMark(entry, deletedPrefix)
		if err != nil {
			return nil, err
		}
		millis, err := strconv.ParseInt(string(entry.Value), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("catalogue: catalogue entry %q: %w", entry.Key, err)
		}
		machines[i] = DeletedMachine{number, time.UnixMilli(millis), store.Edit{Key: entry.Key, Version: entry.Version}}
	}
	return machines, nil
}

func machineOfMark(entry store.Entry, prefix string) (uint32, error) {
	number, err := strconv.ParseUint(strings.TrimPrefix(entry.Key, prefix), 16, 32)
	if err != nil {
		return 0, fmt.Errorf("catalogue: catalogue entry %q: %w", entry.Key, err)
	}
	return uint32(number), nil
}

// ForgetRevisions takes the revisions of a machine that is gone out of the
// catalogue. No execution may need them any more. store.ErrVersion.
func (c *Catalogue) ForgetRevisions(ctx context.Context, gone DeletedMachine) error {
	edits := []store.Edit{gone.mark}
	err := c.eachEntry(ctx, revisionsOf(gone.Number), func(r store.Entry) error {
		edits = append(edits, store.Edit{Key: r.Key, Version: r.Version})
		return nil
	})
	if err != nil {
		return err
	}
	return c.Put(ctx, edits...)
}

// Delete deletes a state machine with its versions and aliases. No execution of it
// may run. store.ErrVersion.
func (c *Catalogue) Delete(ctx context.Context, m *Machine) error {
	edits, err := c.unpublish(ctx, m)
	if err != nil {
		return err
	}
	return c.Put(ctx, append(edits, store.Edit{Key: machineKey(m.Tenant, m.Name), Version: m.version}, c.MarkDeleted(m.Number))...)
}

// BeginDeletion deletes the versions and aliases of a state machine and marks it
// as one that is being deleted. store.ErrVersion.
func (c *Catalogue) BeginDeletion(ctx context.Context, m *Machine) error {
	edits, err := c.unpublish(ctx, m)
	if err != nil {
		return err
	}
	deleting := *m
	deleting.Deleting = true
	edit, err := deleting.edit()
	if err != nil {
		return err
	}
	return c.Put(ctx, append(edits, edit, store.Edit{Key: deletingKey(m.Number), Value: []byte(machineKey(m.Tenant, m.Name))})...)
}

// unpublish returns the edits that delete a machine's versions and aliases.
func (c *Catalogue) unpublish(ctx context.Context, m *Machine) ([]store.Edit, error) {
	p, err := c.published(ctx, m.Number)
	if err != nil {
		return nil, err
	}
	edits := []store.Edit{{Key: publishedKey(m.Number), Version: p.version}}
	for _, prefix := range []string{versionPrefix(m.Number), aliasPrefix(m.Number), machineShifts(m.Tenant, m.Name)} {
		entries, err := c.store.Scan(ctx, prefix, "", 0)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			edits = append(edits, store.Edit{Key: entry.Key, Version: entry.Version})
		}
	}
	return edits, nil
}

// FinishDeletion deletes a state machine that is being deleted, whose executions
// have ended. One that is not there counts as deleted. store.ErrVersion after
// several attempts, as its tags may be changed in the meantime.
func (c *Catalogue) FinishDeletion(ctx context.Context, m DeletingMachine) (err error) {
	for range attempts {
		var entry, deleting store.Entry
		if entry, err = c.store.Get(ctx, m.Entry); err == nil {
			deleting, err = c.store.Get(ctx, deletingKey(m.Number))
		}
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		err = c.Put(ctx, store.Edit{Key: m.Entry, Version: entry.Version}, store.Edit{Key: deleting.Key, Version: deleting.Version}, c.MarkDeleted(m.Number))
		if !errors.Is(err, store.ErrVersion) {
			return err
		}
	}
	return err
}
