package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

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

// mockOf returns the mock that answers a task, nil when it is performed.
func (e *Engine) mockOf(m *stored.Meta, effect *interpreter.Effect) integration.Runner {
	if e.cfg.Mock == nil {
		return nil
	}
	return e.cfg.Mock(m.ExecutionARN(), effect.StateName)
}

// unschedule fails what schedules a task of an activity that is none of the tenant's,
// in the commit that has it scheduled: were it one of its own, a crash between the two
// would leave the task in line as one whose activity was deleted later. Such a task
// stays there, for the activity may be created again.
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
		st.collect(interpreter.Step(st.l.x, failed, env))
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

// laneOf returns the name and the limit of what a task shares with others of its
// tenant: the function that it calls.
func (e *Engine) laneOf(m stored.Meta, effect *interpreter.Effect) (string, int) {
	if i, err := e.cfg.Integrations.Lookup(effect.Resource); err == nil {
		if laned, ok := i.(integration.Laned); ok {
			return laned.Lane(integration.Task{Resource: effect.Resource, Input: effect.Input, Account: m.Account, Region: m.Region})
		}
	}
	return effect.Resource.Name, 0
}

// unperformed returns the effects without recorded outcome that are neither
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

// isJob reports whether a resource runs a job.
func isJob(r *asl.Resource) bool { return r.Kind == asl.ServiceResource && r.Pattern == asl.RunJob }
