package engine

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// A job (a task whose resource ends in .sync) outlives the call that submits it: it may run
// for a year. Its life in the engine:
//
//	Invoke   the task stands in line like any other, and Perform submits the job.
//	         Its answer is delivered as TaskSubmitted; from that commit on the job is
//	         never submitted again. Before it, the job may be submitted twice with
//	         the same idempotency key.
//	Await    the job is entered here. Nothing else is kept of it: no goroutine,
//	         no timer of the runtime, no place in the lanes, no input and no answer. The
//	         execution is dropped from memory. What a job takes is this entry and
//	         the resident of its execution, some 400 bytes.
//	due      the job stands in line for a place in the lanes of its service. When it
//	         has one, the execution is looked at for what was submitted, replayed if
//	         need be, and Poll is called. The place is given back when Poll returns.
//	         Polls have lanes of their own, so that calls of the same service need not
//	         wait behind all jobs that are due.
//	done     the end is delivered as TaskSucceeded or TaskFailed. An error that is no
//	         failure of the job says nothing about it: it is asked about later.
//	Cancel   the commit that abandons the job sends a letter in the same commit that
//	         stops it (see letters).
//
// Nothing of this is stored: that a job is to be asked about follows from the
// history ([interpreter.Execution.Pending]), so the next owner of the shard enters it
// again when it takes the execution up, and asks at once. TimeoutSeconds and
// HeartbeatSeconds are the interpreter's: neither bounds a call here.

// How often jobs are asked about.
const (
	// pollEvery is the pause after a Poll that does not say how long it is to be.
	pollEvery = 5 * time.Second
	// shortestPoll and longestPoll bound the pause that a Poll asks for.
	shortestPoll = 100 * time.Millisecond
	longestPoll  = time.Hour
	// longestRetry bounds the pause after polls that said nothing, which begins at a
	// second and is doubled each time.
	longestRetry = 5 * time.Minute
	// pollLimit bounds a Poll: a job whose service does not answer must not keep a
	// place from others.
	pollLimit = time.Minute
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

// remove takes the job of a task out: it has ended, or nobody waits for it.
func (js *jobs) remove(id effectID) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.take(js.all[id])
}

// removeAll takes out the jobs of the executions that are wanted.
func (js *jobs) removeAll(wanted func(store.ExecutionID) bool) {
	js.mu.Lock()
	defer js.mu.Unlock()
	for id, j := range js.all {
		if wanted(id.execution) {
			js.take(j)
		}
	}
}

func (js *jobs) take(j *job) {
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

// pollInTurn puts a job that is due in line to be asked about.
func (e *Engine) pollInTurn(j *job) {
	t := &laneTask{r: j.r, m: stored.Meta{Account: j.tenant.Account, Region: j.tenant.Region}, id: j.id, job: j, scheduled: time.UnixMilli(j.at)}
	t.ctx, t.cancel = context.WithCancel(e.closing)
	if !e.pools.enter(t) { // whoever submitted it is still at it
		t.cancel()
		e.jobs.again(j, shortestPoll)
		return
	}
	e.pools.service(j.service).add(t, "poll "+j.name, 0)
}

// poll asks about a job whose turn has come, and delivers its end.
func (e *Engine) poll(t *laneTask) {
	j := t.job
	if t.ctx.Err() != nil {
		return // nobody waits for it
	}
	if !e.pickUp(t.ctx, t) || t.effect.Kind != interpreter.Await {
		e.jobs.remove(j.id)
		return
	}
	began := e.Now()
	progress, err := e.ask(t)
	if polled := e.cfg.Listener.JobPolled; polled != nil {
		info := taskInfo(&t.m, t.effect, int(j.asked), began.Sub(t.scheduled))
		info.Performed = e.Now().Sub(began)
		if info.polled(progress.Done, err); t.ctx.Err() != nil {
			info.Outcome, info.Error = Cancelled, ""
		}
		polled(info)
	}
	switch {
	case t.ctx.Err() != nil:
		return
	case err == nil && !progress.Done:
		j.mute = 0
		pause := progress.After
		if pause <= 0 {
			pause = pollEvery
		}
		e.jobs.again(j, min(max(pause, shortestPoll), longestPoll))
		e.restJob(t.r)
		return
	case err != nil && !integration.IsFailure(err):
		e.unheard(t, err)
		return
	}
	e.jobs.remove(j.id)
	msg := interpreter.Message{Kind: interpreter.TaskSucceeded, Cause: j.id.event, Output: progress.Output}
	if err != nil {
		f := integration.FailureOf(err)
		msg = interpreter.Message{Kind: interpreter.TaskFailed, Cause: j.id.event, Failure: history.ErrorOutput{Error: &f.Error, Cause: &f.Cause}}
	}
	_ = e.report(t.r, msg)
}

// ask calls Poll.
func (e *Engine) ask(t *laneTask) (integration.Progress, error) {
	ctx, stop := context.WithTimeout(t.ctx, pollLimit)
	defer stop()
	runner, err := e.runnerOf(&t.m, t.effect)
	if err != nil {
		return integration.Progress{}, err
	}
	t.job.asked++
	task := e.taskOf(&t.m, t.effect, t.id)
	task.Attempt = int(t.job.asked)
	return runner.Poll(ctx, task, t.effect.Submitted)
}

// unheard has a job asked about later of which a Poll said nothing.
func (e *Engine) unheard(t *laneTask, err error) {
	j := t.job
	j.mute++
	e.log.Warn("a job could not be asked about; trying again", slog.String("executionArn", t.m.ExecutionARN()),
		slog.String("state", t.effect.StateName), slog.String("resource", t.effect.Resource.ARN), slog.Int("failures", int(j.mute)), slog.Any("error", err))
	e.jobs.again(j, backoff(int(j.mute)))
	e.restJob(t.r)
}

// backoff is the pause after so many failures in a row, from 1: a second, then twice
// as long each time.
func backoff(failures int) time.Duration {
	return min(time.Second<<min(max(failures-1, 0), 10), longestRetry)
}

// restJob drops an execution from memory that a job was asked about of: the next
// poll, or whatever comes before, replays it.
func (e *Engine) restJob(r *resident) {
	if r.express == nil {
		e.residency.gone(r)
		r.rest()
	}
}

// errNoRunner: a mock or an integration that submitted a job is not there any more.
var errNoRunner = errors.New("what is registered for the resource does not run jobs (.sync)")

// runnerOf returns what runs the job of a task.
func (e *Engine) runnerOf(m *stored.Meta, effect *interpreter.Effect) (integration.Runner, error) {
	if mock := e.mockOf(m, effect); mock != nil {
		return mock, nil
	}
	i, err := e.cfg.Integrations.Lookup(effect.Resource)
	if err != nil {
		return nil, err
	}
	if runner, ok := i.(integration.Runner); ok {
		return runner, nil
	}
	return nil, errNoRunner
}

// isJob reports whether a resource runs a job.
func isJob(r *asl.Resource) bool { return r.Kind == asl.ServiceResource && r.Pattern == asl.RunJob }
