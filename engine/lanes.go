package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/steppehq/steppe/interpreter"
)

// laneTask is a task in line, or being performed.
type laneTask struct {
	r         *resident
	m         meta
	id        effectID
	effect    *interpreter.Effect // nil: it was let go, and is in the execution
	scheduled time.Time
	timeout   int64 // in seconds, 0 for none
	ctx       context.Context
	cancel    context.CancelFunc
	lane      *lane
}

// letGo is the size in bytes from which on a task in line does not hold its
// input.
const letGo = 4 << 10

// lanes has the tasks of an integration performed, so many at once. Tasks of one
// function of a tenant stand in a lane; the lanes take turns. A lane without a
// limit of its own has at most half of the places, a tenant three quarters: there
// is room for others, whatever one does.
type lanes struct {
	e     *Engine
	limit int

	mu       sync.Mutex
	running  int
	byTenant map[Tenant]int
	all      map[laneKey]*lane
	waiting  []*lane // those with tasks in line, the one whose turn is next first
}

type laneKey struct {
	tenant Tenant
	name   string
}

type lane struct {
	key     laneKey
	limit   int
	running int
	line    []*laneTask
}

func newLanes(e *Engine, limit int) *lanes {
	return &lanes{e: e, limit: limit, byTenant: make(map[Tenant]int), all: make(map[laneKey]*lane)}
}

// add puts a task in line. limit is how many of its lane may be performed at
// once, 0 for the default.
func (l *lanes) add(t *laneTask, name string, limit int) {
	l.mu.Lock()
	key := laneKey{t.m.tenant(), name}
	of := l.all[key]
	if of == nil {
		of = &lane{key: key}
		l.all[key] = of
	}
	half := max(1, l.limit/2)
	if of.limit = half; limit > 0 {
		of.limit = min(limit, l.limit)
	}
	t.lane = of
	if len(of.line) == 0 && l.may(of) {
		l.take(of)
		l.mu.Unlock()
		l.e.spawn(func() { l.run(t) })
		return
	}
	if t.effect.Input != nil && t.effect.Input.Size() > letGo && t.r.express == nil {
		t.effect = nil
	}
	if of.line = append(of.line, t); len(of.line) == 1 {
		l.waiting = append(l.waiting, of)
	}
	l.mu.Unlock()
	l.e.queued.Add(1)
}

// may reports whether one more task of a lane may be performed.
func (l *lanes) may(of *lane) bool {
	return l.running < l.limit && of.running < of.limit && l.byTenant[of.key.tenant] < max(1, l.limit*3/4)
}

func (l *lanes) take(of *lane) {
	l.running++
	of.running++
	l.byTenant[of.key.tenant]++
}

// run performs a task, and those whose turn comes then.
func (l *lanes) run(t *laneTask) {
	for t != nil {
		l.e.pools.begins(t)
		l.e.performTask(t)
		t = l.next(t.lane)
	}
}

// next gives the place of a task that has ended in a lane to another one: nil
// when there is none.
func (l *lanes) next(of *lane) *laneTask {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	of.running--
	if tenant := of.key.tenant; l.byTenant[tenant] == 1 {
		delete(l.byTenant, tenant)
	} else {
		l.byTenant[tenant]--
	}
	if of.running == 0 && len(of.line) == 0 {
		delete(l.all, of.key)
	}
	if l.e.closing.Err() != nil {
		return nil
	}
	i := slices.IndexFunc(l.waiting, l.may)
	if i < 0 {
		return nil
	}
	turn := l.waiting[i]
	l.take(turn)
	t := turn.line[0]
	turn.line[0] = nil
	turn.line = turn.line[1:]
	l.waiting = slices.Delete(l.waiting, i, i+1)
	if len(turn.line) > 0 {
		l.waiting = append(l.waiting, turn)
	}
	l.e.queued.Add(-1)
	return t
}
