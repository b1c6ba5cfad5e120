package engine

import (
	"context"
	"log/slog"

	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
)

// heldAbsent holds a task whose target is missing, and logs that once for
// each target. It is false when the target may have come since the turn in which
// the task was begun.
func (e *Engine) heldAbsent(t *laneTask, began int64, absent *integration.AbsentError) bool {
	a := &e.absences
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.turn.Load() != began {
		return false
	}
	e.pools.letGo(t) // who tries again must find it idle
	if _, twice := a.tasks[t.id]; !twice {
		e.owing(1)
	}
	if a.tasks == nil {
		a.tasks, a.told = make(map[effectID]absence), make(map[string]bool)
	}
	a.tasks[t.id] = absence{t.r, absent.What}
	if !a.told[absent.What] {
		a.told[absent.What] = true
		e.log.Error("tasks wait until the server has what they call, which it had before: start it with that, or stop their executions",
			slog.String("missing", absent.What), slog.String("executionArn", t.m.ExecutionARN()), slog.String("state", t.effect.StateName))
	}
	return true
}

// forgetAbsent takes the task of an event out.
func (e *Engine) forgetAbsent(task effectID) {
	e.absences.mu.Lock()
	defer e.absences.mu.Unlock()
	e.release(task)
}

// forgetAbsences takes all tasks of an execution out.
func (e *Engine) forgetAbsences(id store.ExecutionID) {
	e.absences.mu.Lock()
	defer e.absences.mu.Unlock()
	for task := range e.absences.tasks {
		if task.execution == id {
			e.release(task)
		}
	}
}

// release takes a task out, if it is held. e.absences.mu is held.
func (e *Engine) release(task effectID) {
	if _, held := e.absences.tasks[task]; held {
		delete(e.absences.tasks, task)
		e.owing(-1)
	}
}

// Absent returns what a running execution waits for that is missing, as in "function
// charge of account 000000000000"; "" for nothing.
func (e *Engine) Absent(id store.ExecutionID) string {
	a := &e.absences
	a.mu.Lock()
	defer a.mu.Unlock()
	what := ""
	for task, x := range a.tasks {
		if task.execution == id && (what == "" || x.what < what) {
			what = x.what
		}
	}
	return what
}

// Probe has one task of each target that is missing performed: if the target is
// there, Retry follows. A virtual clock would go on while they run: nothing is done then.
func (e *Engine) Probe(ctx context.Context) {
	if e.cfg.Virtual != nil {
		return
	}
	probed := make(map[string]bool)
	e.absences.mu.Lock()
	again := e.takeAbsent(func(x absence) bool {
		first := !probed[x.what]
		probed[x.what] = true
		return first
	})
	e.absences.mu.Unlock()
	e.resumeAll(ctx, again)
}

// Retry has the tasks performed that were held because what they call was missing:
// it may be there now.
func (e *Engine) Retry(ctx context.Context) {
	a := &e.absences
	a.mu.Lock()
	a.turn.Add(1)
	clear(a.told)
	again := e.takeAbsent(func(absence) bool { return true })
	a.mu.Unlock()
	e.resumeAll(ctx, again)
}

// takeAbsent takes the tasks out that are wanted, and returns whose they are.
// e.absences.mu is held.
func (e *Engine) takeAbsent(wanted func(absence) bool) map[*resident]bool {
	again := make(map[*resident]bool)
	for task, x := range e.absences.tasks {
		if wanted(x) {
			again[x.r] = true
			e.release(task)
		}
	}
	return again
}

// resumeAll has what was not performed of executions performed.
func (e *Engine) resumeAll(ctx context.Context, all map[*resident]bool) {
	for r := range all {
		if ctx.Err() == nil {
			e.spawn(func() { e.resume(r) })
		}
	}
}
