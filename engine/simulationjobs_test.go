package engine_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// fakeJob is a job of the simulated service, which lives outside of all engines. It
// has one for each idempotency key.
type fakeJob struct {
	of      *known // the execution; another one may have its ARN when it is forgotten
	arn     string
	event   int64 // that scheduled the task
	ends    time.Time
	endless bool // it ends only when it is stopped
	stopped bool
}

// answersWithin is how long after the end of a job, or of all faults, an engine may take to
// ask about it: the longest pause between two polls, and some.
const answersWithin = 2 * time.Hour

// run submits a job. One that was submitted with the same key is the same job.
func (f fake) run(task *integration.Task) (*value.Doc, error) {
	s := f.s
	x := s.truth.byARN[task.ExecutionARN]
	if x != nil && x.submitted[task.Event] && s.solo && !f.n.dead {
		s.wrong("the job of event %d of %s is submitted again after its submission was written", task.Event, task.ExecutionARN)
	}
	j := s.service[task.Idempotency]
	if j == nil {
		number := func(name string) int64 {
			n, _ := task.Input.Value().Get(name).Int64()
			return n
		}
		j = &fakeJob{
			of: x, arn: task.ExecutionARN, event: task.Event, ends: s.now.Add(time.Duration(s.random.IntN(600)) * time.Second),
			endless: number("attempt") < number("endless") || number("redrives") < number("refusals"),
		}
		// An engine that does not know yet that it has lost the shard may submit what the new owner has stopped: the
		// service knows the key, and does not begin.
		j.stopped = s.tombs[task.Idempotency]
		if j.stopped && s.solo && !f.n.dead {
			s.wrong("the job of event %d of %s is submitted after it was stopped", task.Event, task.ExecutionARN)
		}
		s.service[task.Idempotency] = j
	}
	s.note("job of event %d of %s submitted to %d; endless %v", task.Event, task.ExecutionARN, f.n.number, j.endless)
	return value.NewDoc([]byte(`{"job":"` + task.Idempotency + `"}`)), nil
}

// Poll asks about a job, or a child. Now and then it says nothing.
func (f fake) Poll(_ context.Context, task integration.Task, submitted *value.Doc) (integration.Progress, error) {
	s := f.s
	x := s.truth.byARN[task.ExecutionARN]
	if x == nil && !s.truth.retired[task.ExecutionARN] || x != nil && !x.submitted[task.Event] && s.solo {
		s.wrong("the job of event %d of %s is asked about before its submission was written", task.Event, task.ExecutionARN)
	}
	if !s.calm && s.random.IntN(5) == 0 {
		return integration.Progress{}, errors.New("simulation: no answer")
	}
	if task.Resource.Action == "start" {
		return f.pollChild(submitted.Value().Get("child").Str())
	}
	j := s.service[submitted.Value().Get("job").Str()]
	switch {
	case j == nil || j.arn != task.ExecutionARN || j.event != task.Event:
		s.wrong("the job of event %d of %s is asked about by %v", task.Event, task.ExecutionARN, submitted)
	case j.endless || s.now.Before(j.ends):
		return integration.Progress{After: time.Duration(s.random.IntN(600)) * time.Second}, nil
	}
	return integration.Progress{Done: true, Output: value.DocOf(value.Obj(value.Member{Name: "ran", Value: task.Input.Value().Get("n")}))}, nil
}

// Stop ends a job, or a child. Now and then it cannot be reached.
func (f fake) Stop(_ context.Context, task integration.Task, submitted *value.Doc) error {
	s := f.s
	s.note("stop of the job of event %d of %s, submitted as %v", task.Event, task.ExecutionARN, submitted)
	if j := s.service[task.Idempotency]; j != nil && j.of != nil && !j.of.over(task.Event) {
		s.wrong("the job of event %d of %s is stopped before the commit that abandons it", task.Event, task.ExecutionARN)
	}
	if !s.calm && s.random.IntN(4) == 0 {
		return errors.New("simulation: it cannot be stopped now")
	}
	if submitted != nil && submitted.Value().Get("job").Str() != task.Idempotency && task.Resource.Action != "start" {
		s.wrong("the job of event %d of %s is stopped as %v", task.Event, task.ExecutionARN, submitted)
	}
	if task.Resource.Action == "start" {
		return f.stopChild(tenant.ARN("execution", "child:"+task.Idempotency))
	}
	s.tombs[task.Idempotency] = true
	if j := s.service[task.Idempotency]; j != nil {
		j.stopped = true
	}
	return nil
}

// over reports whether what is written has ended a task, or what is around it.
func (x *known) over(event int64) bool {
	if x.done[event] || x.status != store.Running || int64(len(x.events)) < event {
		return int64(len(x.events)) >= event
	}
	for i := int(event); i < len(x.events); i++ {
		ev := &x.events[i]
		switch ev.Type {
		case history.ExecutionRedriven:
			return true
		case history.TaskStateAborted, history.TaskFailed:
			if ev.Branch == x.events[event-1].Branch {
				return true
			}
		default:
		}
	}
	return false
}

// checkJobs: each job has ended by itself, or was stopped: none is forgotten.
func (s *simulation) checkJobs() {
	for key, j := range s.service {
		if j.endless && !j.stopped {
			s.wrong("the job %s of event %d of %s runs for ever: nobody has stopped it", key, j.event, j.arn)
		}
	}
}

// unasked reports a job of an execution that ended long ago, and that no engine has asked about
// although nothing has failed since.
func (t *truth) unasked(x *known) {
	if !t.s.calm || t.s.calmed.IsZero() {
		return
	}
	for _, j := range t.s.service {
		if j.of == x && x.submitted[j.event] && !x.done[j.event] && !j.endless && !x.abandoned[j.event] &&
			t.s.now.Sub(j.ends) > answersWithin && t.s.now.Sub(t.s.calmed) > answersWithin {
			t.s.wrong("the job of event %d of %s ended at %v, and nobody has asked about it", j.event, j.arn, j.ends)
		}
	}
}

// checkLetters: no letter is left when all has been brought about.
func (s *simulation) checkLetters() {
	for shard := range simulatedShards {
		h, err := s.base.Acquire(s.ctx, store.ShardID(shard), store.Owner{})
		if err != nil {
			s.wrong("%v", err)
			continue
		}
		if left, err := h.Letters(s.ctx, store.LetterID{}, 0); err != nil || len(left) > 0 {
			s.wrong("%d letters of shard %d are left, %v", len(left), shard, err)
		}
	}
}

// child is what an execution is asked for by another one.
const child = `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":30,"Next":"A"},
  "A":{"Type":"Task","Resource":"arn:aws:states:::fake:work","Parameters":{"n.$":"$.n"},"End":true}}}`

// start starts an execution that tells the task of its end.
func (f fake) start(task *integration.Task) (*value.Doc, error) {
	err := errors.New("simulation: there is no engine")
	for _, n := range f.s.nodes {
		if n == nil {
			continue
		}
		var m *catalogue.Machine
		if m, err = n.Catalogue().Machine(f.s.ctx, tenant.ARN("stateMachine", "child")); err != nil {
			continue
		}
		var begun engine.Started
		begun, err = n.Start(f.s.ctx, engine.StartRequest{
			Machine: m, Name: task.Idempotency, Input: task.Input, Parent: &engine.Parent{ExecutionARN: task.ExecutionARN, Event: task.Event},
		})
		if err == nil || errors.Is(err, engine.ErrAlreadyExists) {
			f.s.note("child %s of event %d of %s", begun.ARN, task.Event, task.ExecutionARN)
			return value.NewDoc(fmt.Appendf(nil, `{"child":%q}`, begun.ARN)), nil
		}
	}
	return nil, err
}

func (f fake) pollChild(arn string) (integration.Progress, error) {
	d, err := f.n.Describe(f.s.ctx, arn)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return integration.Progress{}, integration.Failed("Gone", "it is forgotten")
	case err != nil:
		return integration.Progress{}, err
	case d.Status == store.Running:
		return integration.Progress{After: time.Hour}, nil
	case d.Status != store.Succeeded:
		return integration.Progress{}, integration.Failed("Ended", d.Status.String())
	}
	return integration.Progress{Done: true, Output: d.Output}, nil
}

func (f fake) stopChild(arn string) (err error) {
	for _, n := range f.s.nodes {
		if n == nil {
			continue
		}
		_, err = n.Engine.Stop(f.s.ctx, arn, history.ErrorOutput{})
		if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, engine.ErrNotRunning) {
			return nil
		}
	}
	return err
}
