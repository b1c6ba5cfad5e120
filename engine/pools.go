package engine

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/steppehq/steppe/store"
)

// pools perform effects, each integration's in lanes of its own, so that a slow
// service does not keep others waiting.
type pools struct {
	e       *Engine
	wakes   *pool
	resumes *pool

	mu       sync.Mutex
	services map[string]*lanes
	// tasks are those in line or being performed.
	tasks  map[effectID]*laneTask
	byExec map[store.ExecutionID]int // how many of them are being performed
	// performed are those that are; drained, where a caller waits for their end, is
	// closed then: no task begins any more.
	performed map[*laneTask]bool
	drained   chan struct{}
}

func (p *pools) init(e *Engine) {
	p.e = e
	p.wakes = &pool{e: e, limit: maxWaking}
	p.resumes = &pool{e: e, limit: maxResuming}
	p.services = make(map[string]*lanes)
	p.tasks = make(map[effectID]*laneTask)
	p.byExec = make(map[store.ExecutionID]int)
	p.performed = make(map[*laneTask]bool)
}

// service returns the lanes of an integration.
func (p *pools) service(name string) *lanes {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.services[name]
	if l == nil {
		l = newLanes(p.e, p.e.cfg.Concurrency)
		p.services[name] = l
	}
	return l
}

func (p *pools) has(id store.ExecutionID, event int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.tasks[effectID{id, event}]
	return ok
}

// performing reports whether any task of the execution is being performed.
func (p *pools) performing(id store.ExecutionID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byExec[id] > 0
}

// enter notes a task. It is false when it is there already.
func (p *pools) enter(t *laneTask) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, twice := p.tasks[t.id]; twice {
		return false
	}
	p.tasks[t.id] = t
	return true
}

// begins notes that a task is being performed. It is false when no task may begin
// any more: the next engine performs it.
func (p *pools) begins(t *laneTask) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drained != nil {
		return false
	}
	p.byExec[t.id.execution]++
	p.performed[t] = true
	return true
}

func (p *pools) ends(t *laneTask) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tasks[t.id] == t {
		delete(p.tasks, t.id)
	}
	delete(p.performed, t)
	if p.drained != nil && len(p.performed) == 0 {
		close(p.drained)
	}
	if p.byExec[t.id.execution]--; p.byExec[t.id.execution] == 0 {
		delete(p.byExec, t.id.execution)
	}
}

// letGo has a task be neither in line nor being performed.
func (p *pools) letGo(t *laneTask) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.tasks, t.id)
}

func (p *pools) cancel(id effectID) {
	p.mu.Lock()
	t := p.tasks[id]
	p.mu.Unlock()
	if t != nil {
		t.cancel()
	}
}

// abandon ends what is done for the executions of a shard that another engine has
// taken. It is forgotten at once: should this engine take the shard back, it performs
// again what has no result then.
func (p *pools) abandon(shard store.ShardID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for task, t := range p.tasks {
		if task.execution.Shard() == shard && t.r.express == nil {
			t.cancel()
			delete(p.tasks, task)
		}
	}
}

// cancelAll ends what is done for an execution that has ended, where no step named
// of the tasks that this cancels.
func (p *pools) cancelAll(id store.ExecutionID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for task, t := range p.tasks {
		if task.execution == id {
			t.cancel()
		}
	}
}

// pool does work, as much at once as its limit allows, first come first served.
type pool struct {
	e     *Engine
	limit int

	mu      sync.Mutex
	running int
	line    []func()
}

func (q *pool) start(work func()) {
	q.mu.Lock()
	if q.running >= q.limit {
		q.line = append(q.line, work)
		q.mu.Unlock()
		return
	}
	q.running++
	q.mu.Unlock()
	q.e.spawn(func() { q.run(work) })
}

func (q *pool) run(work func()) {
	for work != nil {
		work()
		q.mu.Lock()
		if len(q.line) == 0 || q.e.closing.Err() != nil {
			q.running--
			work = nil
		} else {
			work = q.line[0]
			q.line[0] = nil
			q.line = q.line[1:]
		}
		q.mu.Unlock()
	}
}

// underWay returns the tasks that are being performed.
func (p *pools) underWay() []*laneTask {
	p.mu.Lock()
	defer p.mu.Unlock()
	tasks := make([]*laneTask, 0, len(p.performed))
	for t := range p.performed {
		tasks = append(tasks, t)
	}
	slices.SortFunc(tasks, func(a, b *laneTask) int {
		return strings.Compare(a.m.ExecutionARN(), b.m.ExecutionARN())
	})
	return tasks
}

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
