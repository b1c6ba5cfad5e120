package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// effectID names a task of an execution.
type effectID struct {
	execution store.ExecutionID
	event     int64
}

// pools perform effects, each integration's in a bounded pool of its own, so
// that a slow service does not keep others waiting.
type pools struct {
	e     *Engine
	wakes *pool

	mu       sync.Mutex
	services map[string]*pool
	// running holds the tasks in line or being performed, with what ends them.
	running map[effectID]context.CancelFunc
	byExec  map[store.ExecutionID]int
}

func (p *pools) init(e *Engine) {
	p.e = e
	p.wakes = &pool{e: e, limit: maxWaking}
	p.services = make(map[string]*pool)
	p.running = make(map[effectID]context.CancelFunc)
	p.byExec = make(map[store.ExecutionID]int)
}

func (p *pools) service(name string) *pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.services[name]
	if q == nil {
		q = &pool{e: p.e, limit: p.e.cfg.Concurrency}
		p.services[name] = q
	}
	return q
}

func (p *pools) has(id store.ExecutionID, event int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.running[effectID{id, event}]
	return ok
}

// performing reports whether any task of the execution is in line or being
// performed.
func (p *pools) performing(id store.ExecutionID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byExec[id] > 0
}

// begin enters a task. It is false when it is there already.
func (p *pools) begin(id effectID, cancel context.CancelFunc) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, twice := p.running[id]; twice {
		return false
	}
	p.running[id] = cancel
	p.byExec[id.execution]++
	return true
}

func (p *pools) end(id effectID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, id)
	if p.byExec[id.execution]--; p.byExec[id.execution] == 0 {
		delete(p.byExec, id.execution)
	}
}

func (p *pools) cancel(id effectID) {
	p.mu.Lock()
	cancel := p.running[id]
	p.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// cancelAll ends what is done for an execution that has ended: its end was
// written, and the answer lost that would have had this done.
func (p *pools) cancelAll(id store.ExecutionID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byExec[id] == 0 {
		return
	}
	for task, cancel := range p.running {
		if task.execution == id {
			cancel()
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
		q.e.queued.Add(1)
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
			q.e.queued.Add(-1)
		}
		q.mu.Unlock()
	}
}

// perform brings an effect about. What asked for it is durable.
func (e *Engine) perform(r *resident, m meta, effect *interpreter.Effect) {
	id := effectID{r.id, effect.Cause}
	switch {
	case effect.Kind == interpreter.Cancel:
		e.pools.cancel(id)
		e.activities.cancel(effect.Resource.ARN, id)
		return
	case effect.Resource.Kind == asl.ActivityResource && e.cfg.Integrations.Mocked() == nil:
		if name, ok := ParseARN(effect.Resource.ARN); !ok || name.Tenant != m.tenant() {
			e.spawn(func() { e.report(r, foreignActivity(effect)) })
			return
		}
		e.activities.add(effect.Resource.ARN, activityTask{id: id, token: effect.Token, input: effect.Input})
		return
	}
	e.invoke(r, m, *effect, id)
}

// foreignActivity fails a task whose activity is another tenant's: its workers
// are not for this one.
func foreignActivity(effect *interpreter.Effect) interpreter.Message {
	cause := "The activity " + effect.Resource.ARN + " is not of the account and region of the execution."
	return interpreter.Message{Kind: interpreter.TaskFailed, Cause: effect.Cause, Failure: history.ErrorOutput{Error: new("States.Runtime"), Cause: &cause}}
}

func (e *Engine) invoke(r *resident, m meta, effect interpreter.Effect, id effectID) {
	ctx, cancel := context.WithCancel(e.closing)
	if !e.pools.begin(id, cancel) {
		cancel()
		return
	}
	service := effect.Resource.Service
	if effect.Resource.Kind == asl.FunctionResource {
		service = integration.FunctionService
	}
	scheduled := e.Now()
	e.pools.service(service).start(func() {
		defer cancel()
		defer e.pools.end(id)
		if effect.Timeout > 0 {
			var stop context.CancelFunc
			ctx, stop = context.WithTimeout(ctx, scheduled.Add(time.Duration(effect.Timeout)*time.Second).Sub(e.Now()))
			defer stop()
		}
		if ctx.Err() != nil {
			return // nobody waits any more, while it was in line
		}
		if effect.Resource.Kind == asl.ActivityResource { // of a mock
			e.report(r, interpreter.Message{Kind: interpreter.TaskStarted, Cause: effect.Cause, Worker: "mock"})
		}
		msg := e.answer(ctx, m, effect, id)
		if ctx.Err() != nil {
			return // nobody waits; or the time is over, which a timer says
		}
		e.report(r, msg)
		if mock := e.cfg.Integrations.Mocked(); mock != nil && msg.Kind == interpreter.TaskSubmitted {
			e.report(r, e.outcome(ctx, m, effect, id, mock.Answer))
		}
	})
}

// answer performs a task and gives the message that tells how it went.
func (e *Engine) answer(ctx context.Context, m meta, effect interpreter.Effect, id effectID) interpreter.Message {
	i, err := e.cfg.Integrations.Lookup(effect.Resource)
	if err != nil {
		failed := integration.Failed("States.Runtime", err.Error())
		return e.outcome(ctx, m, effect, id, func(context.Context, integration.Task) (*value.Doc, error) { return nil, failed })
	}
	msg := e.outcome(ctx, m, effect, id, i.Perform)
	if msg.Kind == interpreter.TaskSucceeded && effect.Resource.Pattern == asl.WaitForTaskToken {
		msg.Kind = interpreter.TaskSubmitted
	}
	return msg
}

// outcome has a task performed and gives the message of its end.
func (e *Engine) outcome(
	ctx context.Context, m meta, effect interpreter.Effect, id effectID, perform func(context.Context, integration.Task) (*value.Doc, error),
) interpreter.Message {
	output, err := perform(ctx, integration.Task{
		Resource: effect.Resource, Input: effect.Input, Idempotency: idempotency(id.execution, id.event),
		ExecutionARN: m.executionARN(), StateMachineARN: m.machineARN(), StateName: effect.StateName, Event: id.event,
		Account: m.Account, Region: m.Region, TimeoutSeconds: effect.Timeout,
		Credentials: effect.Credentials, MaxBytes: e.cfg.Limits.PayloadBytes, TraceHeader: m.TraceHeader,
	})
	if err == nil {
		return interpreter.Message{Kind: interpreter.TaskSucceeded, Cause: effect.Cause, Output: output}
	}
	f := integration.FailureOf(err)
	return interpreter.Message{
		Kind: interpreter.TaskFailed, Cause: effect.Cause, Failure: history.ErrorOutput{Error: &f.Error, Cause: &f.Cause},
	}
}

// report delivers the answer of a task.
func (e *Engine) report(r *resident, msg interpreter.Message) {
	_, err := e.deliver(e.closing, r, delivery{msg: msg})
	if err != nil && e.closing.Err() == nil && !errors.Is(err, ErrStale) {
		e.deliveryFailed(r, err)
	}
}
