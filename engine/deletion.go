package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
)

// ErrDeleting tells that the state machine is being deleted.
var ErrDeleting = errors.New("engine: the state machine is being deleted")

// deletions are the state machines that are gone as soon as their executions
// have ended.
type deletions struct {
	any atomic.Bool // so that the common case takes no lock

	mu       sync.Mutex
	machines map[uint32]*deletion
}

// deletion is one that waits for its executions.
type deletion struct {
	entry string // the machine's in the catalogue
	busy  bool   // somebody looks whether they have ended
	again bool   // one has ended meanwhile
}

const deletingPrefix = "deleting/"

func deletingKey(machine uint32) string { return fmt.Sprintf("%s%08x", deletingPrefix, machine) }

// open takes up the deletions that were waiting.
func (d *deletions) open(ctx context.Context, e *Engine) error {
	d.machines = make(map[uint32]*deletion)
	entries, err := e.store.Scan(ctx, deletingPrefix, "", 0)
	if err != nil {
		return fmt.Errorf("engine: read deletions: %w", err)
	}
	for _, entry := range entries {
		var machine uint32
		if _, err := fmt.Sscanf(strings.TrimPrefix(entry.Key, deletingPrefix), "%x", &machine); err != nil {
			return fmt.Errorf("engine: catalogue entry %q: %w", entry.Key, err)
		}
		d.add(machine, string(entry.Value))
	}
	return nil
}

// resume looks whether the executions that are waited for have ended.
func (d *deletions) resume(e *Engine) {
	for _, machine := range slices.Sorted(maps.Keys(d.machines)) {
		e.spawn(func() { e.finishDeletion(e.closing, machine) })
	}
}

func (d *deletions) add(machine uint32, entry string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.machines[machine] = &deletion{entry: entry}
	d.any.Store(true)
}

// has reports whether a machine is waiting for its executions to end.
func (d *deletions) has(machine uint32) bool {
	if !d.any.Load() {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.machines[machine] != nil
}

// begin takes the turn to look whether a machine's executions have ended.
func (d *deletions) begin(machine uint32) *deletion {
	d.mu.Lock()
	defer d.mu.Unlock()
	del := d.machines[machine]
	switch {
	case del == nil:
		return nil
	case del.busy:
		del.again = true
		return nil
	}
	del.busy = true
	return del
}

// end gives the turn back. It is true when somebody has asked for it meanwhile,
// who gets it.
func (d *deletions) end(machine uint32, del *deletion, done bool) (again bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if done {
		delete(d.machines, machine)
		d.any.Store(len(d.machines) > 0)
		return false
	}
	again, del.again = del.again, false
	del.busy = again
	return again
}

// DeleteMachine deletes a state machine with its versions and aliases. As long
// as executions of it run, it stays as one that is being deleted, which starts
// no more; each of them is aborted at its next transition. store.ErrVersion.
func (e *Engine) DeleteMachine(ctx context.Context, m *Machine) error {
	if m.Deleting {
		return nil
	}
	edits, err := e.unpublish(ctx, m)
	if err != nil {
		return err
	}
	running, err := e.runs(ctx, m.Number)
	if err != nil {
		return err
	}
	if !running {
		if err := e.store.Put(ctx, append(edits, store.Edit{Key: machineKey(m.Tenant, m.Name), Version: m.version})...); err != nil {
			return err
		}
		e.catalogue.forget(m.ARN())
		return nil
	}
	gone := *m
	gone.Deleting = true
	edit, err := gone.edit()
	if err != nil {
		return err
	}
	entry := machineKey(m.Tenant, m.Name)
	if err := e.store.Put(ctx, append(edits, edit, store.Edit{Key: deletingKey(m.Number), Value: []byte(entry)})...); err != nil {
		return err
	}
	gone.version++
	e.catalogue.keep(&gone, revisionKey{m.Number, m.Revision})
	e.deletions.add(m.Number, entry)
	e.finishDeletion(ctx, m.Number) // for those that ended meanwhile
	return nil
}

// unpublish gives the edits that delete a machine's versions and aliases.
func (e *Engine) unpublish(ctx context.Context, m *Machine) ([]store.Edit, error) {
	p, err := e.published(ctx, m.Number)
	if err != nil {
		return nil, err
	}
	var edits []store.Edit
	if p.version > 0 {
		edits = append(edits, store.Edit{Key: publishedKey(m.Number), Version: p.version})
	}
	for _, prefix := range []string{versionPrefix(m.Number), aliasPrefix(m.Number), machineShifts(m.Tenant, m.Name)} {
		entries, err := e.store.Scan(ctx, prefix, "", 0)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			edits = append(edits, store.Edit{Key: entry.Key, Version: entry.Version})
		}
	}
	return edits, nil
}

// runs reports whether executions of a machine are running.
func (e *Engine) runs(ctx context.Context, machine uint32) (bool, error) {
	list, _, err := e.store.List(ctx, store.ListQuery{Machines: []uint32{machine}, Statuses: []store.Status{store.Running}, Limit: 1})
	return len(list) > 0, err
}

// finishDeletion takes a machine out of the catalogue if it is being deleted and
// its executions have ended.
func (e *Engine) finishDeletion(ctx context.Context, machine uint32) {
	del := e.deletions.begin(machine)
	for again := del != nil; again; {
		done, err := e.deleteEnded(ctx, machine, del.entry)
		if err != nil && ctx.Err() == nil {
			e.log.Error("delete state machine", slog.String("entry", del.entry), slog.Any("error", err))
		}
		again = e.deletions.end(machine, del, done)
	}
}

func (e *Engine) deleteEnded(ctx context.Context, machine uint32, key string) (done bool, err error) {
	if running, err := e.runs(ctx, machine); err != nil || running {
		return false, err
	}
	for range attempts {
		var entry, mark store.Entry
		if entry, err = e.store.Get(ctx, key); err != nil {
			return errors.Is(err, store.ErrNotFound), err
		}
		if mark, err = e.store.Get(ctx, deletingKey(machine)); err != nil {
			return errors.Is(err, store.ErrNotFound), err
		}
		err = e.store.Put(ctx, store.Edit{Key: key, Version: entry.Version}, store.Edit{Key: mark.Key, Version: mark.Version})
		if err == nil {
			m, err := e.decodeMachine(entry)
			if err == nil {
				e.catalogue.forget(m.ARN())
			}
			return true, err
		}
		if !errors.Is(err, store.ErrVersion) { // else its tags were changed
			return false, err
		}
	}
	return false, err
}

// forget takes a machine out of memory.
func (c *catalogue) forget(arn string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.machines, arn)
}

// deleted reports whether the state machine of an execution is being deleted,
// or has been.
func (e *Engine) deleted(ctx context.Context, d *Description) bool {
	if d.meta.Machine == 0 {
		return false
	}
	m, err := e.Machine(ctx, d.MachineARN)
	return errors.Is(err, store.ErrNotFound) || err == nil && (m.Deleting || m.Number != d.meta.Machine)
}

// lastStep steps an execution of a machine that is being deleted: it is aborted
// as soon as it goes from one state to another.
func (st *stepping) lastStep(msg interpreter.Message) interpreter.Outcome {
	env := st.env()
	env.Limits.RunAhead = 1
	out := interpreter.Step(st.l.x, msg, env)
	env.Buffer = nil
	more := func(kind interpreter.MessageKind) {
		next := interpreter.Step(st.l.x, interpreter.Message{Kind: kind}, env)
		out.Events, out.Effects = append(out.Events, next.Events...), append(out.Effects, next.Effects...)
	}
	for st.l.x.Ready() && !moves(out.Events) {
		more(interpreter.Continue)
	}
	if st.l.x.Status() == interpreter.Running && moves(out.Events) {
		more(interpreter.Stop)
		// What the state that was entered would have done is not done.
		out.Effects = slices.DeleteFunc(out.Effects, func(f interpreter.Effect) bool { return f.Kind == interpreter.Invoke })
	}
	return out
}

// moves reports whether there are events of going from one state to another.
func moves(events []history.Event) bool {
	for i := range events {
		name := events[i].Type.String()
		if strings.HasSuffix(name, "StateEntered") || strings.HasSuffix(name, "StateExited") {
			return true
		}
	}
	return false
}
