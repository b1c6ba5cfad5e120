package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// What a commit promises to bring about elsewhere is a letter ([store.Letter]): it is durable
// with the events that promise it, in the shard of the execution that sends it, and
// stays there until its effect is known. There are two kinds:
//
//	stop   a job that no caller waits for any more is to be stopped. It is sent by the
//	       commit that abandons the job: a stop, a timeout, the failure of a branch
//	       beside it, a retry of the state around it. Its effect is known when the
//	       integration's Stop has returned nil.
//	ask    the execution that this one is a child of may ask about it now: its job has
//	       news. It is sent by the commit that ends the child. Its effect is known when the
//	       parent has recorded the end of the job, or does not wait for it any more.
//
// An ask carries nothing of what it is about: the parent asks for that, as it does
// without any letter when its next poll is due. A letter makes that sooner only.
//
// All letters of the shards that the engine owns are in memory, each with the time at
// which it is to be delivered next: at once, and after a pause that grows as long as its
// effect is not known. The engine that acquires a shard reads its letters. So a letter is
// delivered at least once, also after a crash and by the next owner; it may be
// delivered twice, for the engine may die between its effect and its being
// taken. What it asks for must therefore be of no consequence the second time: a
// job may be stopped twice, and an execution that awaits nothing is not asked.

// maxDelivering bounds the letters that are delivered at once.
const maxDelivering = 64

// decodeStop reads the letter that stops a job: whose it is, and the effect.
func (e *Engine) decodeStop(ctx context.Context, l *letter) (*stored.Meta, *interpreter.Effect, error) {
	s, err := e.stored.DecodeStop(ctx, l.ID.From, l.Body)
	if err != nil {
		return nil, nil, err
	}
	resource, ok := asl.ParseResource(s.Resource)
	if !ok {
		return nil, nil, stored.ErrLetter
	}
	effect := &interpreter.Effect{
		Kind: interpreter.Cancel, Cause: s.Event, Resource: resource, StateName: s.State, Retry: s.Retry, Timeout: s.Timeout,
		Input: s.Input, Credentials: s.Credentials, Submitted: l.submitted, Again: true,
	}
	if s.Submitted != nil {
		effect.Submitted = s.Submitted
	}
	return &s.Meta, effect, nil
}

// errUnderWay reports that the effect of a letter is not known yet, which is not
// logged.
var errUnderWay = errors.New("engine: the effect of the letter is under way")

// deliverLetter brings a letter about, and takes it when its effect is known.
func (e *Engine) deliverLetter(l *letter) {
	ls := &e.letters
	ls.mu.Lock()
	gone, handle := ls.all[l.ID] != l, l.handle
	ls.mu.Unlock()
	if gone {
		return // the shard was lost, or taken again
	}
	err := e.bringAbout(l)
	if err == nil {
		err = handle.Take(e.closing, l.ID)
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	switch {
	case err == nil, errors.Is(err, store.ErrFenced): // else the next owner has it
		ls.drop(l)
		return
	case ls.all[l.ID] != l, e.closing.Err() != nil:
		return
	}
	l.failed++
	if !errors.Is(err, errUnderWay) {
		e.log.Warn("a letter could not be delivered; trying again", slog.String("execution", fmt.Sprintf("%x", l.ID.From)),
			slog.Int64("event", l.task.event), slog.Int("failures", l.failed), slog.Any("error", err))
	}
	ls.wait(l, e.Now().Add(backoff(l.failed)).UnixMilli())
}

// bringAbout does what a letter asks for. It returns nil when the effect of that is
// known, and durable where it is one on an execution.
func (e *Engine) bringAbout(l *letter) error {
	if event, ok := stored.AskOf(l.Body); ok {
		return e.askNow(effectID{l.To, event})
	}
	return e.stopJob(l)
}

// stopJob has the job stopped that a letter is about.
func (e *Engine) stopJob(l *letter) error {
	if e.pools.has(l.task.execution, l.task.event) {
		return errUnderWay // it may still be submitted: that was cancelled, and ends
	}
	m, effect, err := e.decodeStop(e.closing, l)
	if err != nil {
		return err
	}
	runner, err := e.runnerOf(m, effect)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(e.closing, pollLimit)
	defer stop()
	task := e.taskOf(m, effect, l.task)
	task.Attempt = l.failed + 1
	return runner.Stop(ctx, task, effect.Submitted)
}

// askNow has a job asked about that has news, if it is awaited. It returns nil when it is
// not, or not any more.
func (e *Engine) askNow(task effectID) error {
	r, err := e.running(e.closing, task.execution)
	awaited := false
	if err == nil {
		_, err = e.deliver(e.closing, r, delivery{look: func(l *loaded) {
			for _, effect := range l.x.Pending(e.token(r, &l.meta)) {
				awaited = awaited || effect.Cause == task.event
			}
		}})
	}
	switch {
	case errors.Is(err, ErrNotRunning), errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case !awaited:
		return nil
	}
	e.jobs.hurry(task)
	return errUnderWay
}

// letterHeap is ordered by time, and at one time by the ids of the letters.
type letterHeap []*letter
