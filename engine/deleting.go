package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// forgetMachines takes the revisions of machines out of the catalogue that are
// gone, and their executions too.
func (e *Engine) forgetMachines(ctx context.Context, now time.Time) error {
	machines, err := e.catalogue.Deleted(ctx)
	if err != nil {
		return err
	}
	for _, gone := range machines {
		if now.Sub(gone.At).Abs() < expressSlack { // the mark may be of another clock
			continue
		}
		if err := e.forgetRevisions(ctx, gone); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) forgetRevisions(ctx context.Context, gone catalogue.DeletedMachine) error {
	left, _, err := e.store.List(ctx, store.ListQuery{Groups: []uint32{gone.Number}, Limit: 1})
	if err != nil || len(left) > 0 {
		return err
	}
	if err := e.catalogue.ForgetRevisions(ctx, gone); err != nil {
		return err
	}
	e.deletions.refused.Delete(gone.Number)
	e.deletions.starting.Delete(gone.Number)
	return nil
}

// DeleteMachine deletes a state machine with its versions and aliases. As long
// as executions of it run, it stays as one that is being deleted, which starts
// no more; each of them is aborted at its next transition. store.ErrVersion.
func (e *Engine) DeleteMachine(ctx context.Context, m *catalogue.Machine) error {
	del := e.deletions.propose(m.Number, m.Entry())
	if del == nil && m.Deleting {
		return nil
	}
	if del == nil {
		return store.ErrVersion // another caller is deleting it
	}
	if !m.Deleting {
		done, err := e.beginDeletion(ctx, m)
		if err != nil {
			e.deletions.withdraw(m.Number)
			return err
		}
		if done {
			e.deletions.release(m.Number, del, true)
			return nil
		}
	}
	e.deletions.decide(del)
	e.finishDeletion(ctx, m.Number, del) // those that ran may have ended in between
	return nil
}

// beginDeletion writes that a machine is gone, or if it has executions, that it
// is to go.
func (e *Engine) beginDeletion(ctx context.Context, m *catalogue.Machine) (done bool, err error) {
	running, err := e.runs(ctx, m.Number)
	if err != nil {
		return false, err
	}
	if running {
		return false, e.catalogue.BeginDeletion(ctx, m)
	}
	return true, e.catalogue.Delete(ctx, m)
}

// runs reports whether executions of a machine are running, or may be about to.
func (e *Engine) runs(ctx context.Context, machine uint32) (bool, error) {
	if e.deletions.starts(machine) {
		return true, nil
	}
	list, _, err := e.store.List(ctx, store.ListQuery{Groups: []uint32{machine}, Statuses: []store.Status{store.Running}, Limit: 1})
	return len(list) > 0, err
}

// scheduleDeletion has tryDeletion done soon if the machine is being deleted.
func (e *Engine) scheduleDeletion(machine uint32) {
	if e.deletions.has(machine) {
		e.spawn(func() { e.tryDeletion(e.closing, machine) })
	}
}

// tryDeletion claims the deletion of a machine and finishes it. It does nothing if
// the machine is not being deleted, or if another goroutine has the claim, which then
// looks again.
func (e *Engine) tryDeletion(ctx context.Context, machine uint32) {
	if del := e.deletions.claim(machine); del != nil {
		e.finishDeletion(ctx, machine, del)
	}
}

// finishDeletion takes a machine out of the catalogue if all of its executions have
// ended. The caller has the claim, which is released.
func (e *Engine) finishDeletion(ctx context.Context, machine uint32, del *deletion) {
	for again := true; again; {
		running, err := e.runs(ctx, machine)
		done := err == nil && !running
		if done {
			err = e.catalogue.FinishDeletion(ctx, catalogue.DeletingMachine{Number: machine, Entry: del.entry})
			done = err == nil
		}
		if err != nil && ctx.Err() == nil {
			e.log.Error("delete state machine; trying again", slog.String("entry", del.entry), slog.Any("error", err))
		}
		del.failed = err != nil
		again = e.deletions.release(machine, del, done)
	}
}

// deleted reports whether the state machine of an execution is being deleted,
// or has been.
func (e *Engine) deleted(ctx context.Context, d *stored.Description) bool {
	if d.Meta.Machine == 0 {
		return false
	}
	m, err := e.catalogue.Machine(ctx, d.MachineARN)
	return errors.Is(err, store.ErrNotFound) || err == nil && (m.Deleting || m.Number != d.Meta.Machine)
}

// expressSlack bounds how long Express executions, which are in no list, may run
// on after their machine is gone.
const expressSlack = time.Hour
