package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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

	// refused has the machines that start no executions any more: those that are
	// being deleted, and those that are gone as long as there are executions of
	// theirs. starting counts the starts of each machine that are under way.
	refused  sync.Map // machine number → nothing
	starting sync.Map // machine number → *atomic.Int64
}

// deletion is one that waits for its executions.
type deletion struct {
	entry   string // the machine's in the catalogue
	decided bool   // it is durable
	busy    bool   // somebody looks whether they have ended
	again   bool   // one has ended meanwhile
	failed  bool   // the catalogue could not be changed; try again
}

const deletingPrefix = "deleting/"

func deletingKey(machine uint32) string { return fmt.Sprintf("%s%08x", deletingPrefix, machine) }

// deletedPrefix is of marks, with their time, of machines that are gone. What
// their executions ran by is kept as long as there are any.
const deletedPrefix = "deleted/"

// mark notes that a machine is gone.
func (e *Engine) mark(machine uint32) store.Edit {
	return store.Edit{Key: fmt.Sprintf("%s%08x", deletedPrefix, machine), Value: strconv.AppendInt(nil, e.Now().UnixMilli(), 10)}
}

// expressSlack bounds how long Express executions, which are in no list, may run
// on after their machine is gone.
const expressSlack = time.Hour

// forgetMachines takes the revisions of machines out of the catalogue that are
// gone, and their executions too.
func (e *Engine) forgetMachines(ctx context.Context, now time.Time) error {
	marks, err := e.store.Scan(ctx, deletedPrefix, "", 0)
	if err != nil {
		return err
	}
	for _, mark := range marks {
		number, err := strconv.ParseUint(strings.TrimPrefix(mark.Key, deletedPrefix), 16, 32)
		millis, wrong := strconv.ParseInt(string(mark.Value), 10, 64)
		if err = errors.Join(err, wrong); err != nil {
			return fmt.Errorf("engine: catalogue entry %q: %w", mark.Key, err)
		}
		if now.Sub(time.UnixMilli(millis)).Abs() < expressSlack { // the mark may be of another clock
			continue
		}
		if err := e.forgetRevisions(ctx, uint32(number), mark); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) forgetRevisions(ctx context.Context, machine uint32, mark store.Entry) error {
	left, _, err := e.store.List(ctx, store.ListQuery{Groups: []uint32{machine}, Limit: 1})
	if err != nil || len(left) > 0 {
		return err
	}
	edits := []store.Edit{{Key: mark.Key, Version: mark.Version}}
	err = e.eachEntry(ctx, revisionsOf(machine), func(r store.Entry) error {
		edits = append(edits, store.Edit{Key: r.Key, Version: r.Version})
		return nil
	})
	if err != nil {
		return err
	}
	if err := e.put(ctx, edits...); err != nil {
		return err
	}
	e.deletions.refused.Delete(machine)
	e.deletions.starting.Delete(machine)
	return nil
}

// open takes up the deletions that were waiting.
func (d *deletions) open(ctx context.Context, e *Engine) error {
	d.machines = make(map[uint32]*deletion)
	for _, prefix := range []string{deletingPrefix, deletedPrefix} {
		entries, err := e.store.Scan(ctx, prefix, "", 0)
		if err != nil {
			return fmt.Errorf("engine: read deletions: %w", err)
		}
		for _, entry := range entries {
			machine, err := strconv.ParseUint(strings.TrimPrefix(entry.Key, prefix), 16, 32)
			if err != nil {
				return fmt.Errorf("engine: catalogue entry %q: %w", entry.Key, err)
			}
			d.refused.Store(uint32(machine), nil)
			if prefix == deletingPrefix {
				d.machines[uint32(machine)] = &deletion{entry: string(entry.Value), decided: true}
				d.any.Store(true)
			}
		}
	}
	return nil
}

// resume looks whether the executions that are waited for have ended.
func (d *deletions) resume(e *Engine) {
	for _, machine := range slices.Sorted(maps.Keys(d.machines)) {
		e.hurryDeletion(machine)
	}
}

// failed gives the machines whose deletion is to be tried again, in order.
func (d *deletions) failed() []uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var machines []uint32
	for machine, del := range d.machines {
		if !del.busy && del.failed {
			machines = append(machines, machine)
		}
	}
	slices.Sort(machines)
	return machines
}

// propose has no more executions of a machine start, and takes the turn to see
// to its deletion. nil: somebody else has it.
func (d *deletions) propose(machine uint32, entry string) *deletion {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.machines[machine] != nil {
		return nil
	}
	del := &deletion{entry: entry, busy: true}
	d.machines[machine] = del
	d.refused.Store(machine, nil)
	return del
}

// withdraw lets executions start again.
func (d *deletions) withdraw(machine uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.machines, machine)
	d.refused.Delete(machine)
}

// decide has a machine's executions end.
func (d *deletions) decide(del *deletion) {
	d.mu.Lock()
	defer d.mu.Unlock()
	del.decided = true
	d.any.Store(true)
}

// beginStart has the deletion of a machine wait until begun is called, once an
// execution of it has started or is to go on. It is false when none may any more.
func (e *Engine) beginStart(machine uint32) (begun func(), ok bool) {
	d := &e.deletions
	n, there := d.starting.Load(machine)
	if !there {
		n, _ = d.starting.LoadOrStore(machine, new(atomic.Int64))
	}
	count := n.(*atomic.Int64)
	count.Add(1)
	if _, refused := d.refused.Load(machine); refused {
		count.Add(-1)
		return nil, false
	}
	return func() {
		count.Add(-1)
		e.hurryDeletion(machine)
	}, true
}

// starts reports whether executions of a machine may be about to start.
func (d *deletions) starts(machine uint32) bool {
	n, there := d.starting.Load(machine)
	return there && n.(*atomic.Int64).Load() > 0
}

// has reports whether a machine is waiting for its executions to end.
func (d *deletions) has(machine uint32) bool {
	if !d.any.Load() {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	del := d.machines[machine]
	return del != nil && del.decided
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
		d.starting.Delete(machine)
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
	del := e.deletions.propose(m.Number, machineKey(m.Tenant, m.Name))
	if del == nil && m.Deleting {
		return nil
	}
	if del == nil {
		return store.ErrVersion // somebody else is at it
	}
	if !m.Deleting {
		done, err := e.beginDeletion(ctx, m)
		if err != nil {
			e.deletions.withdraw(m.Number)
			return err
		}
		if done {
			e.deletions.end(m.Number, del, true)
			return nil
		}
	}
	e.deletions.decide(del)
	e.settleDeletion(ctx, m.Number, del) // those that ran may have ended meanwhile
	return nil
}

// beginDeletion writes that a machine is gone, or if it has executions, that it
// is to go.
func (e *Engine) beginDeletion(ctx context.Context, m *Machine) (done bool, err error) {
	edits, err := e.unpublish(ctx, m)
	if err != nil {
		return false, err
	}
	running, err := e.runs(ctx, m.Number)
	if err != nil {
		return false, err
	}
	if !running {
		edits = append(edits, store.Edit{Key: machineKey(m.Tenant, m.Name), Version: m.version}, e.mark(m.Number))
		return true, e.put(ctx, edits...)
	}
	gone := *m
	gone.Deleting = true
	edit, err := gone.edit()
	if err != nil {
		return false, err
	}
	return false, e.put(ctx, append(edits, edit, store.Edit{Key: deletingKey(m.Number), Value: []byte(machineKey(m.Tenant, m.Name))})...)
}

// unpublish gives the edits that delete a machine's versions and aliases.
func (e *Engine) unpublish(ctx context.Context, m *Machine) ([]store.Edit, error) {
	p, err := e.published(ctx, m.Number)
	if err != nil {
		return nil, err
	}
	edits := []store.Edit{{Key: publishedKey(m.Number), Version: p.version}}
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

// runs reports whether executions of a machine are running, or may be about to.
func (e *Engine) runs(ctx context.Context, machine uint32) (bool, error) {
	if e.deletions.starts(machine) {
		return true, nil
	}
	list, _, err := e.store.List(ctx, store.ListQuery{Groups: []uint32{machine}, Statuses: []store.Status{store.Running}, Limit: 1})
	return len(list) > 0, err
}

// hurryDeletion has finishDeletion done soon for a machine that is being deleted.
func (e *Engine) hurryDeletion(machine uint32) {
	if e.deletions.has(machine) {
		e.spawn(func() { e.finishDeletion(e.closing, machine) })
	}
}

// finishDeletion takes a machine out of the catalogue if it is being deleted and
// its executions have ended.
func (e *Engine) finishDeletion(ctx context.Context, machine uint32) {
	if del := e.deletions.begin(machine); del != nil {
		e.settleDeletion(ctx, machine, del)
	}
}

// settleDeletion is finishDeletion for whoever has the turn.
func (e *Engine) settleDeletion(ctx context.Context, machine uint32, del *deletion) {
	for again := true; again; {
		done, err := e.deleteEnded(ctx, machine, del.entry)
		if err != nil && ctx.Err() == nil {
			e.log.Error("delete state machine; trying again", slog.String("entry", del.entry), slog.Any("error", err))
		}
		del.failed = err != nil
		again = e.deletions.end(machine, del, done)
	}
}

func (e *Engine) deleteEnded(ctx context.Context, machine uint32, key string) (done bool, err error) {
	if running, err := e.runs(ctx, machine); err != nil || running {
		return false, err
	}
	for range attempts {
		var entry, deleting store.Entry
		if entry, err = e.store.Get(ctx, key); err != nil {
			return errors.Is(err, store.ErrNotFound), err
		}
		if deleting, err = e.store.Get(ctx, deletingKey(machine)); err != nil {
			return errors.Is(err, store.ErrNotFound), err
		}
		err = e.put(ctx, store.Edit{Key: key, Version: entry.Version}, store.Edit{Key: deleting.Key, Version: deleting.Version}, e.mark(machine))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, store.ErrVersion) { // else its tags were changed
			return false, err
		}
	}
	return false, err
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
