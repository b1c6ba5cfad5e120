package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
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

// pollInTurn puts a job that is due in line to be asked about.
func (e *Engine) pollInTurn(j *job) {
	t := &laneTask{r: j.r, m: stored.Meta{Account: j.tenant.Account, Region: j.tenant.Region}, id: j.id, job: j, scheduled: time.UnixMilli(j.at)}
	t.ctx, t.cancel = context.WithCancel(e.closing)
	if !e.pools.enter(t) { // the call that submitted it has not returned
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
		return // it is not awaited any more
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
		e.residency.remove(r)
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
