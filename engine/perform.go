package engine

import (
	"context"
	"errors"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

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
		return // it was cancelled while it was in line
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
		return // it is not awaited any more, or the time is over, which a timer says
	}
	if err := e.report(t.r, msg); err != nil || msg.Kind != interpreter.TaskSubmitted {
		e.submittedLate(t, &effect, msg)
		return
	}
	if mock := e.mockOf(&t.m, &effect); mock != nil && effect.Resource.Pattern == asl.WaitForTaskToken {
		e.sendBack(ctx, t, &effect, mock)
	}
}

// submittedLate handles a job that was submitted when it was not awaited any more: the
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

// pickUp loads the effect of a task again, which was let go while it was in line, or which
// a job does not keep. It is false when the task is not awaited any more.
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

// outcome has a task performed and returns the message of its end.
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
