package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/stored"
)

// Who is performed next. Each integration has lanes of its own, so that a slow service
// does not keep the tasks of others waiting, and at most limit of its tasks are
// performed at once (Config.Concurrency). Within an integration a lane is the line of
// one function, or of one resource, of one tenant: first come, first served.
//
// A lane may have a task performed while three bounds hold:
//
//	all       the integration performs fewer than limit tasks;
//	lane      the lane has fewer than half of the limit, or fewer than the limit
//	          of its own that the integration names (Laned: the reserved concurrency of a
//	          function). A limit of its own counts over all lanes of that name, whichever
//	          tenant they are of, because they call the same;
//	tenant    the lanes of the tenant have fewer than three quarters together.
//
// So one function that hangs leaves half of the places to others, and one tenant
// whose functions all hang leaves a quarter to other tenants.
//
// A task that comes when its lane is empty and all bounds hold is performed at once.
// Otherwise it joins its lane, and the lane joins waiting. When a task ends, its
// goroutine takes the first lane of waiting that may (IndexFunc with may), performs that
// lane's first task, and puts the lane at the end of waiting: lanes take turns, however
// long they are. It goes on until no lane may; there is no dispatcher, and no
// goroutine waits for a place. A lane that is blocked by its own bound is passed over
// and keeps its turn.
//
// What stands in line holds little: an input above letGo is dropped and loaded again
// from the execution when the turn comes (pickUp). Queued tasks are counted, and beyond
// Config.MaxQueued new executions are refused; polls of jobs, which wait at most
// once for each job, are not counted.

// laneTask is a task in line, or being performed.
type laneTask struct {
	r         *resident
	m         stored.Meta
	id        effectID
	effect    *interpreter.Effect // nil: it was let go, and is in the execution
	job       *job                // that is to be asked about; nil for a task that is to be performed
	scheduled time.Time
	timeout   int64 // in seconds, 0 for none
	asked     int   // how often it was performed
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
// is room for others, whatever one does. A limit of its own is shared by the
// lanes of that name, of all tenants: they call the same.
type lanes struct {
	e     *Engine
	limit int

	mu       sync.Mutex
	running  int
	byTenant map[catalogue.Tenant]int
	byName   map[string]int // of lanes with a limit of their own
	all      map[laneKey]*lane
	waiting  []*lane // those with tasks in line, the one whose turn is next first
}

type laneKey struct {
	tenant catalogue.Tenant
	name   string
}

type lane struct {
	key     laneKey
	own     bool // the limit is the lane's own
	limit   int
	running int
	line    []*laneTask
}

func newLanes(e *Engine, limit int) *lanes {
	return &lanes{e: e, limit: limit, byTenant: make(map[catalogue.Tenant]int), byName: make(map[string]int), all: make(map[laneKey]*lane)}
}

// add puts a task in line. limit is how many of its lane may be performed at
// once, 0 for the default.
func (l *lanes) add(t *laneTask, name string, limit int) {
	l.mu.Lock()
	key := laneKey{t.m.Tenant(), name}
	of := l.all[key]
	if of == nil {
		of = &lane{key: key, own: limit > 0}
		l.all[key] = of
	}
	half := max(1, l.limit/2)
	if of.limit = half; limit > 0 {
		of.limit = min(limit, l.limit)
	}
	t.lane = of
	if len(of.line) == 0 && l.may(of) {
		l.occupy(of)
		l.mu.Unlock()
		l.e.spawn(func() { l.run(t) })
		return
	}
	if t.effect != nil && t.effect.Input != nil && t.effect.Input.Size() > letGo && t.r.express == nil {
		t.effect = nil
	}
	if of.line = append(of.line, t); len(of.line) == 1 {
		l.waiting = append(l.waiting, of)
	}
	l.mu.Unlock()
	if t.job == nil {
		l.e.queued.Add(1)
	}
}

// may reports whether one more task of a lane may be performed.
func (l *lanes) may(of *lane) bool {
	running := of.running
	if of.own {
		running = l.byName[of.key.name]
	}
	return l.running < l.limit && running < of.limit && l.byTenant[of.key.tenant] < max(1, l.limit*3/4)
}

func (l *lanes) occupy(of *lane) {
	l.running++
	of.running++
	l.byTenant[of.key.tenant]++
	if of.own {
		l.byName[of.key.name]++
	}
}

// run performs a task, and those whose turn comes then.
func (l *lanes) run(t *laneTask) {
	for t != nil {
		if l.e.pools.begins(t) {
			l.e.doTask(t)
		}
		t = l.next(t.lane)
	}
}

// next hands the place of a task that has ended in a lane to another one, and returns it: nil
// when there is none.
func (l *lanes) next(of *lane) *laneTask {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	of.running--
	less(l.byTenant, of.key.tenant)
	if of.own {
		less(l.byName, of.key.name)
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
	l.occupy(turn)
	t := turn.line[0]
	turn.line[0] = nil
	turn.line = turn.line[1:]
	l.waiting = slices.Delete(l.waiting, i, i+1)
	if len(turn.line) > 0 {
		l.waiting = append(l.waiting, turn)
	}
	if t.job == nil {
		l.e.queued.Add(-1)
	}
	return t
}

// less counts one less of something, and forgets it at zero.
func less[K comparable](counts map[K]int, k K) {
	if counts[k]--; counts[k] == 0 {
		delete(counts, k)
	}
}
