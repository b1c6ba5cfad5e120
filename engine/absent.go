package engine

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
)

// absences are the tasks whose target is missing ([integration.AbsentError]). They
// are neither in line nor being performed, and durably under way: the next engine
// tries them again, and so does this one when it is told to.
type absences struct {
	turn  atomic.Int64 // of Retry
	mu    sync.Mutex
	tasks map[effectID]absence
	told  map[string]bool
}

type absence struct {
	r    *resident
	what string
}

// heldAbsent holds a task whose target is missing, and tells operators once for
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
			slog.String("missing", absent.What), slog.String("executionArn", t.m.executionARN()), slog.String("state", t.effect.StateName))
	}
	return true
}

// forget takes tasks out: that of an event, or with 0 all of an execution.
func (e *Engine) forgetAbsent(id store.ExecutionID, event int64) {
	a := &e.absences
	a.mu.Lock()
	defer a.mu.Unlock()
	for task := range a.tasks {
		if task.execution == id && (event == 0 || event == task.event) {
			delete(a.tasks, task)
			e.owing(-1)
		}
	}
}

// Absent tells what a running execution waits for that is missing, as in "function
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
// there, Retry follows. A virtual clock would go on meanwhile: nothing is done then.
func (e *Engine) Probe(ctx context.Context) {
	if e.cfg.Virtual != nil {
		return
	}
	a := &e.absences
	a.mu.Lock()
	probed := make(map[string]bool)
	var again []*resident
	for task, x := range a.tasks {
		if !probed[x.what] {
			probed[x.what] = true
			again = append(again, x.r)
			delete(a.tasks, task)
			e.owing(-1)
		}
	}
	a.mu.Unlock()
	for _, r := range again {
		if ctx.Err() == nil {
			e.spawn(func() { e.resume(r) })
		}
	}
}

// Retry has the tasks performed that were held because what they call was missing:
// it may be there now.
func (e *Engine) Retry(ctx context.Context) {
	a := &e.absences
	a.mu.Lock()
	a.turn.Add(1)
	again := make(map[*resident]bool)
	for task, x := range a.tasks {
		again[x.r] = true
		delete(a.tasks, task)
		e.owing(-1)
	}
	clear(a.told)
	a.mu.Unlock()
	for r := range again {
		if ctx.Err() == nil {
			e.spawn(func() { e.resume(r) })
		}
	}
}
