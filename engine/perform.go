package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// effectID names a task of an execution.
type effectID struct {
	execution store.ExecutionID
	event     int64
}

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
	// performed are those that are; drained, where somebody waits for their end, is
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

// service gives the lanes of an integration.
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

// cancelAll ends what is done for an execution that has ended, where no step told
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

// perform brings an effect about. What asked for it is durable.
func (e *Engine) perform(r *resident, m stored.Meta, effect *interpreter.Effect) {
	id := effectID{r.id, effect.Cause}
	switch {
	case effect.Kind == interpreter.Cancel:
		e.jobs.remove(id)
		e.pools.cancel(id)
		e.forgetAbsent(id)
		e.activities.cancel(effect.Resource.ARN, id)
		return
	case effect.Kind == interpreter.Await:
		r.jobs.Store(true)
		e.jobs.add(r, &m, effect)
		return
	case effect.Resource.Kind == asl.ActivityResource && e.mockOf(&m, effect) == nil:
		e.activities.add(effect.Resource.ARN, activityTask{id: id, token: effect.Token})
		return
	}
	e.invoke(r, m, *effect, id)
}

// mockOf gives the mock that answers a task, nil when it is performed.
func (e *Engine) mockOf(m *stored.Meta, effect *interpreter.Effect) integration.Runner {
	if e.cfg.Mock == nil {
		return nil
	}
	return e.cfg.Mock(m.ExecutionARN(), effect.StateName)
}

// unschedule fails what schedules a task of an activity that is none of the tenant's,
// in the commit that has it scheduled: were it one of its own, a crash between the two
// would leave the task in line as one whose activity was deleted later. Such a task
// stays there, for the activity may be created anew.
func (st *stepping) unschedule() {
	for i := 0; i < len(st.effects); i++ {
		effect := &st.effects[i]
		if effect.Kind != interpreter.Invoke || effect.Resource.Kind != asl.ActivityResource || st.e.mockOf(&st.l.meta, effect) != nil || !st.e.activityGone(st.l.meta, effect) {
			continue
		}
		env := st.env()
		env.Pace = nil // it is not interrupted: it ends the execution
		failed := goneActivity(effect)
		st.effects = slices.Delete(st.effects, i, i+1)
		i--
		st.take(interpreter.Step(st.l.x, failed, env))
	}
}

// activityGone reports whether the activity of a task is none of the tenant's when the
// task is scheduled.
func (e *Engine) activityGone(m stored.Meta, effect *interpreter.Effect) bool {
	name, ok := catalogue.ParseARN(effect.Resource.ARN)
	if !ok || name.Tenant != m.Tenant() {
		return true
	}
	if effect.Again {
		return false
	}
	_, err := e.catalogue.Activity(e.closing, name.Tenant, name.Path[0])
	return errors.Is(err, store.ErrNotFound)
}

// goneActivity fails the execution whose task nobody can take. The service has
// States.Runtime with "Internal Error" for it.
func goneActivity(effect *interpreter.Effect) interpreter.Message {
	cause := "Internal Error. The activity '" + effect.Resource.ARN + "' does not exist in the account and region of the execution."
	return interpreter.Message{Kind: interpreter.TaskUnscheduled, Cause: effect.Cause, Failure: history.ErrorOutput{Cause: &cause}}
}

// lambdaService invokes functions that parameters name.
const lambdaService = "lambda"

// invoke puts a task in line to be performed.
func (e *Engine) invoke(r *resident, m stored.Meta, effect interpreter.Effect, id effectID) {
	t := &laneTask{r: r, m: m, id: id, effect: &effect, scheduled: e.Now(), timeout: effect.Timeout}
	if isJob(&effect.Resource) {
		t.timeout = 0 // the interpreter ends it, by a Cancel
		r.jobs.Store(true)
	}
	if !e.pools.enter(t) {
		return
	}
	t.ctx, t.cancel = context.WithCancel(e.closing)
	name, limit := "", 0
	if e.mockOf(&m, &effect) == nil { // mocks answer in the order in which tasks are scheduled
		name, limit = e.laneOf(m, &effect)
	}
	e.pools.service(serviceOf(&effect)).add(t, name, limit)
}

// serviceOf is the name of the integration whose lanes a task waits in: functions have
// the same, however they are named.
func serviceOf(effect *interpreter.Effect) string {
	if effect.Resource.Kind == asl.FunctionResource || effect.Resource.Service == lambdaService {
		return integration.FunctionService
	}
	return effect.Resource.Service
}

// laneOf gives the name and the limit of what a task shares with others of its
// tenant: the function that it calls.
func (e *Engine) laneOf(m stored.Meta, effect *interpreter.Effect) (string, int) {
	if i, err := e.cfg.Integrations.Lookup(effect.Resource); err == nil {
		if laned, ok := i.(integration.Laned); ok {
			return laned.Lane(integration.Task{Resource: effect.Resource, Input: effect.Input, Account: m.Account, Region: m.Region})
		}
	}
	return effect.Resource.Name, 0
}

// doTask has a task performed, or asked about, whose turn has come.
func (e *Engine) doTask(t *laneTask) {
	defer t.cancel()
	defer e.pools.ends(t)
	if t.job != nil {
		e.poll(t)
		return
	}
	e.performTask(t)
}

// performTask has a task done, and delivers its answer.
func (e *Engine) performTask(t *laneTask) {
	ctx := t.ctx
	if t.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, t.scheduled.Add(time.Duration(t.timeout)*time.Second).Sub(e.Now()))
		defer stop()
	}
	if ctx.Err() != nil {
		return // nobody waits any more, while it was in line
	}
	if t.effect == nil && !e.pickUp(ctx, t) {
		return
	}
	effect := *t.effect
	if effect.Resource.Kind == asl.ActivityResource { // of a mock
		_ = e.report(t.r, interpreter.Message{Kind: interpreter.TaskStarted, Cause: effect.Cause, Worker: "mock"})
	}
	began := e.absences.turn.Load()
	msg, absent := e.answer(ctx, t, &effect)
	for absent != nil && t.r.express == nil && ctx.Err() == nil {
		if e.heldAbsent(t, began, absent) {
			return
		}
		began = e.absences.turn.Load()
		msg, absent = e.answer(ctx, t, &effect)
	}
	if ctx.Err() != nil {
		e.submittedLate(t, &effect, msg)
		return // nobody waits; or the time is over, which a timer says
	}
	if err := e.report(t.r, msg); err != nil || msg.Kind != interpreter.TaskSubmitted {
		e.submittedLate(t, &effect, msg)
		return
	}
	if mock := e.mockOf(&t.m, &effect); mock != nil && effect.Resource.Pattern == asl.WaitForTaskToken {
		e.sendBack(ctx, t, &effect, mock)
	}
}

// submittedLate sees to a job that was submitted when nobody waited for it any more: the
// letter that stops it is to say which it is.
func (e *Engine) submittedLate(t *laneTask, effect *interpreter.Effect, msg interpreter.Message) {
	if msg.Kind == interpreter.TaskSubmitted && isJob(&effect.Resource) {
		e.letters.learn(t.id, msg.Output)
	}
}

// sendBack delivers what a mock has for a task that waits for its token.
func (e *Engine) sendBack(ctx context.Context, t *laneTask, effect *interpreter.Effect, mock integration.Runner) {
	done := true
	msg, _ := e.outcome(ctx, t, effect, func(ctx context.Context, task integration.Task) (*value.Doc, error) {
		progress, err := mock.Poll(ctx, task, nil)
		done = progress.Done || err != nil
		return progress.Output, err
	})
	if done {
		_ = e.report(t.r, msg)
	}
}

// pickUp gives a task its effect again, which was let go while it was in line, or which
// a job does not keep. It is false when nobody waits for the task any more.
func (e *Engine) pickUp(ctx context.Context, t *laneTask) bool {
	look := func(l *loaded) {
		for _, effect := range l.x.Pending(e.token(t.r, &l.meta)) {
			if effect.Cause == t.id.event {
				t.effect, t.m = &effect, l.meta
			}
		}
	}
	_, err := e.deliver(ctx, t.r, delivery{look: look})
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrNotRunning) {
		// It is performed when the execution is taken up again.
		e.deliveryFailed(t.r, err)
	}
	return err == nil && t.effect != nil
}

// answer performs a task, of which the listener is told. It returns what call does.
func (e *Engine) answer(ctx context.Context, t *laneTask, effect *interpreter.Effect) (interpreter.Message, *integration.AbsentError) {
	begun, ended := e.cfg.Listener.TaskBegun, e.cfg.Listener.TaskEnded
	if begun == nil && ended == nil {
		return e.call(ctx, t, effect)
	}
	began := e.Now()
	info := taskInfo(&t.m, effect, t.asked+1, began.Sub(t.scheduled))
	if begun != nil {
		begun(info)
	}
	msg, absent := e.call(ctx, t, effect)
	if ended != nil {
		info.Performed = e.Now().Sub(began)
		if info.answered(&msg); ctx.Err() != nil {
			info.Outcome, info.Error = Cancelled, ""
		}
		ended(info)
	}
	return msg, absent
}

// call has the integration of a task perform it, and returns the message that says how
// that went. absent is not nil when what the task calls is missing.
func (e *Engine) call(ctx context.Context, t *laneTask, effect *interpreter.Effect) (msg interpreter.Message, absent *integration.AbsentError) {
	var i integration.Integration
	var err error
	if mock := e.mockOf(&t.m, effect); mock != nil {
		i = mock
	} else if i, err = e.cfg.Integrations.Lookup(effect.Resource); err != nil {
		failed := integration.Failed("States.Runtime", err.Error())
		return e.outcome(ctx, t, effect, func(context.Context, integration.Task) (*value.Doc, error) { return nil, failed })
	}
	msg, absent = e.outcome(ctx, t, effect, i.Perform)
	if msg.Kind == interpreter.TaskSucceeded && effect.Resource.Kind == asl.ServiceResource && effect.Resource.Pattern != asl.RequestResponse {
		msg.Kind = interpreter.TaskSubmitted
	}
	return msg, absent
}

// outcome has a task performed and gives the message of its end.
func (e *Engine) outcome(
	ctx context.Context, t *laneTask, effect *interpreter.Effect, perform func(context.Context, integration.Task) (*value.Doc, error),
) (interpreter.Message, *integration.AbsentError) {
	t.asked++
	task := e.taskOf(&t.m, effect, t.id)
	task.Attempt = t.asked
	output, err := perform(ctx, task)
	if err == nil {
		return interpreter.Message{Kind: interpreter.TaskSucceeded, Cause: effect.Cause, Output: output}, nil
	}
	absent, _ := errors.AsType[*integration.AbsentError](err)
	f := integration.FailureOf(err)
	return interpreter.Message{
		Kind: interpreter.TaskFailed, Cause: effect.Cause, Failure: history.ErrorOutput{Error: &f.Error, Cause: &f.Cause},
	}, absent
}

// taskOf is a task as an integration is handed it.
func (e *Engine) taskOf(m *stored.Meta, effect *interpreter.Effect, id effectID) integration.Task {
	return integration.Task{
		Resource: effect.Resource, Input: effect.Input, Idempotency: idempotency(id.execution, id.event),
		ExecutionARN: m.ExecutionARN(), StateMachineARN: m.MachineARN(), StateName: effect.StateName, Event: id.event,
		Account: m.Account, Region: m.Region, TimeoutSeconds: effect.Timeout, Now: e.Now(),
		Retry: effect.Retry, Token: effect.Token,
		Credentials: effect.Credentials, MaxBytes: e.cfg.Limits.PayloadBytes, TraceHeader: m.TraceHeader,
	}
}

// report delivers the answer of a task. The error says that it is not recorded, and is
// seen to.
func (e *Engine) report(r *resident, msg interpreter.Message) error {
	_, err := e.deliver(e.closing, r, delivery{msg: msg})
	if err != nil && e.closing.Err() == nil && !errors.Is(err, ErrStale) {
		e.deliveryFailed(r, err)
	}
	return err
}

// unperformed gives the effects without recorded outcome that are neither
// being performed nor among those that are about to be.
func (e *Engine) unperformed(l *loaded, r *resident, starting []interpreter.Effect) []interpreter.Effect {
	var again []interpreter.Effect
	for _, effect := range l.x.Pending(e.token(r, &l.meta)) {
		if e.underWay(r.id, effect, starting) {
			continue
		}
		again = append(again, effect)
	}
	return again
}

func (e *Engine) underWay(id store.ExecutionID, effect interpreter.Effect, starting []interpreter.Effect) bool {
	for i := range starting {
		if starting[i].Cause == effect.Cause && starting[i].Kind != interpreter.Cancel {
			return true
		}
	}
	if effect.Kind == interpreter.Await {
		return e.jobs.has(effectID{id, effect.Cause})
	}
	return e.pools.has(id, effect.Cause) || e.activities.has(id, effect.Cause)
}
