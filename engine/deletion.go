package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Deleting a state machine takes as long as its executions run. DeleteStateMachine
// answers at once; the machine is DELETING then and starts no executions, and each that
// runs is aborted at its next transition (API reference, DeleteStateMachine). The
// machine is gone when the last one has ended. Four steps:
//
//	propose   refuses further starts of the machine, in memory, and claims its deletion
//	          for the caller. Nothing is written yet: withdraw undoes it.
//	begin     looks whether executions run. If none do, one edit of the catalogue takes the
//	          machine out, and that is all. Otherwise an edit marks it as being deleted.
//	decide    follows the mark: from now on stepping.step aborts its executions
//	          (lastStep), and each end of one schedules the next step.
//	finish    looks whether executions run, and if none do takes the machine out of the
//	          catalogue.
//
// Between begin's look and its edit an execution could start that neither sees. So a
// start first counts itself (starting) and then looks whether its machine is refused, and a
// deletion first refuses and then reads the count: whichever comes second sees the
// other. A start that was counted has the deletion wait for it as for an execution that
// runs, and schedules finish when it is over, because the end of its execution may have
// come before the start was counted out.
//
// One goroutine at a time looks: claim returns the deletion to the first; others only
// note that there is something new to look for (again), and release has the holder look
// once more. The catalogue may fail; then the deletion stays with failed set, and the
// retainer tries it again.
//
// After a crash or on another engine open reads the marks from the catalogue, decided
// already; resume has each looked at. The number of a machine that is gone stays
// refused as long as there are executions of it, which keep its revisions for
// DescribeStateMachineForExecution; forgetMachines takes these out when retention has
// taken the last execution.

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
	busy    bool   // a goroutine looks whether they have ended
	again   bool   // one has ended in between
	failed  bool   // the catalogue could not be changed; try again
}

// open takes up the deletions that were waiting.
func (d *deletions) open(ctx context.Context, e *Engine) error {
	d.machines = make(map[uint32]*deletion)
	deleting, err := e.catalogue.Deleting(ctx)
	if err != nil {
		return err
	}
	for _, m := range deleting {
		d.refused.Store(m.Number, nil)
		d.machines[m.Number] = &deletion{entry: m.Entry, decided: true}
		d.any.Store(true)
	}
	deleted, err := e.catalogue.Deleted(ctx)
	for _, m := range deleted {
		d.refused.Store(m.Number, nil)
	}
	return err
}

// resume looks whether the executions that are waited for have ended.
func (d *deletions) resume(e *Engine) {
	for _, machine := range slices.Sorted(maps.Keys(d.machines)) {
		e.scheduleDeletion(machine)
	}
}

// failed returns the machines whose deletion is to be tried again, in order.
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
// to its deletion. nil: another goroutine has it.
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

// claim takes the turn to look whether a machine's executions have ended.
func (d *deletions) claim(machine uint32) *deletion {
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

// release gives up the claim. It is true when another goroutine has asked for it in between,
// who gets it.
func (d *deletions) release(machine uint32, del *deletion, done bool) (again bool) {
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
