package engine

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// jobs are those that were submitted and have not ended, of the shards that the engine has.
type jobs struct {
	e *Engine

	mu   sync.Mutex
	all  map[effectID]*job
	heap jobHeap
}

// job is one of them.
type job struct {
	id      effectID
	r       *resident
	tenant  catalogue.Tenant
	service string // whose lanes it is asked about in
	name    string // of the resource
	at      int64  // when it is asked about next, in milliseconds since 1970
	index   int32  // in the heap, from 1; 0: it stands in line, or is being asked about
	asked   int32  // how often it was asked about
	mute    int32  // how many of the last polls said nothing
	hurried bool   // news came while it was not in the heap: it is asked about again at once
}

func (js *jobs) init(e *Engine) { js.e, js.all = e, make(map[effectID]*job) }

func (js *jobs) has(id effectID) bool {
	js.mu.Lock()
	defer js.mu.Unlock()
	return js.all[id] != nil
}

// add enters a job, which is asked about at once. One that is there stays as it is.
func (js *jobs) add(r *resident, m *stored.Meta, effect *interpreter.Effect) {
	js.mu.Lock()
	defer js.mu.Unlock()
	id := effectID{r.id, effect.Cause}
	if js.all[id] != nil {
		return
	}
	j := &job{id: id, r: r, tenant: m.Tenant(), service: effect.Resource.Service, name: effect.Resource.Name}
	js.all[id] = j
	js.wait(j, js.e.Now().UnixMilli())
}

// wait has a job asked about at a time. js.mu is held.
func (js *jobs) wait(j *job, at int64) {
	if j.at = at; j.hurried {
		j.at, j.hurried = min(at, js.e.Now().UnixMilli()), false
	}
	if j.index > 0 {
		heap.Fix(&js.heap, int(j.index-1))
	} else {
		heap.Push(&js.heap, j)
	}
	if js.heap[0] == j {
		js.e.timers.poke()
	}
}

// again has a job asked about after a pause, if it has not been removed.
func (js *jobs) again(j *job, pause time.Duration) {
	js.mu.Lock()
	defer js.mu.Unlock()
	if js.all[j.id] == j {
		js.wait(j, js.e.Now().Add(pause).UnixMilli())
	}
}

// hurry has a job asked about now. It reports whether the job is known.
func (js *jobs) hurry(id effectID) bool {
	js.mu.Lock()
	defer js.mu.Unlock()
	j := js.all[id]
	switch now := js.e.Now().UnixMilli(); {
	case j == nil:
		return false
	case j.index == 0:
		j.hurried = true
	case j.at > now:
		js.wait(j, now)
	}
	return true
}

// remove takes the job of a task out: it has ended, or is not awaited any more.
func (js *jobs) remove(id effectID) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.drop(js.all[id])
}

// removeAll takes out the jobs of the executions that are wanted.
func (js *jobs) removeAll(wanted func(store.ExecutionID) bool) {
	js.mu.Lock()
	defer js.mu.Unlock()
	for id, j := range js.all {
		if wanted(id.execution) {
			js.drop(j)
		}
	}
}

func (js *jobs) drop(j *job) {
	if j == nil {
		return
	}
	if j.index > 0 {
		heap.Remove(&js.heap, int(j.index-1))
	}
	delete(js.all, j.id)
}

// next is when a job is to be asked about first, in milliseconds since 1970; 0 for
// never.
func (js *jobs) next() int64 {
	js.mu.Lock()
	defer js.mu.Unlock()
	if len(js.heap) == 0 {
		return 0
	}
	return js.heap[0].at
}

// tick puts the jobs in line that are to be asked about.
func (js *jobs) tick(ctx context.Context, now time.Time) {
	for ctx.Err() == nil {
		j := js.pop(now.UnixMilli())
		if j == nil {
			return
		}
		js.e.pollInTurn(j)
	}
}

// pop takes the first job that is due out of the heap; nil when there is none.
func (js *jobs) pop(now int64) *job {
	js.mu.Lock()
	defer js.mu.Unlock()
	if len(js.heap) == 0 || js.heap[0].at > now {
		return nil
	}
	return heap.Pop(&js.heap).(*job)
}

// jobHeap is ordered by time, and what is due at one time by execution and event,
// so that the order does not depend on what was entered and taken out before.
type jobHeap []*job

func (h jobHeap) Len() int { return len(h) }

func (h jobHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	return cmp.Or(cmp.Compare(a.at, b.at), bytes.Compare(a.id.execution[:], b.id.execution[:]), cmp.Compare(a.id.event, b.id.event)) < 0
}

func (h jobHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = int32(i+1), int32(j+1) //nolint:gosec // there are fewer jobs than that
}

// Push is for package heap.
func (h *jobHeap) Push(x any) {
	j := x.(*job)
	*h = append(*h, j)
	j.index = int32(len(*h)) //nolint:gosec // as above
}

// Pop is for package heap.
func (h *jobHeap) Pop() any {
	old := *h
	j := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	j.index = 0
	return j
}
