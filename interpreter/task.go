package interpreter

import (
	"errors"
	"strings"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/value"
)

// schedule has the work of a Task state done.
func (s *step) schedule(b *branch, st *asl.Task) {
	resource, ok := asl.ParseResource(st.Resource)
	if !ok {
		s.fail(b, s.raised(b, "States.Runtime", "The resource '"+st.Resource+"' is not supported."))
		return
	}
	ev := history.Event{Type: history.TaskScheduled, Resource: resource.Name, ResourceType: resource.Service, Region: s.x.info.Region}
	switch resource.Kind {
	case asl.FunctionResource:
		ev.Type, ev.Resource, ev.ResourceType, ev.Region = history.LambdaFunctionScheduled, st.Resource, "", ""
	case asl.ActivityResource:
		ev.Type, ev.Resource, ev.ResourceType, ev.Region = history.ActivityScheduled, st.Resource, "", ""
	case asl.ServiceResource:
		if resource.Pattern == asl.WaitForTaskToken {
			s.token = s.x.last + 1
			defer func() { s.token = 0 }()
		}
	}
	if err := s.arguments(b, st, resource, &ev); err != nil {
		s.fail(b, s.evaluation(b, err))
		return
	}
	if s.tooLarge(ev.Input) {
		s.fail(b, dataLimit(st.Name))
		return
	}
	s.emit(b, &ev)
	s.out.Effects = append(s.out.Effects, b.task.effect(s.env.Token))
}

// started records that a task has started: in a turn of its own, as all tasks
// of a Parallel or Map state are scheduled before the first one starts. An
// activity's starts when a worker takes it.
func (s *step) started(b *branch) {
	ev := b.task.event(history.TaskStarted, nil)
	if b.task.resource.Kind == asl.FunctionResource {
		ev = history.Event{Type: history.LambdaFunctionStarted}
	}
	s.emit(b, &ev)
}

// arguments evaluates what a task is scheduled with.
func (s *step) arguments(b *branch, st *asl.Task, resource asl.Resource, ev *history.Event) error {
	scope := s.scopeOf(b)
	_, args, err := st.Flow.Arguments(scope)
	if err != nil {
		return err
	}
	refused := resource.Refused(args)
	if !s.mocked { // what stands for the task needs nothing
		refused = append(refused, resource.Missing(args)...)
	}
	if refused != nil {
		return refusal(st, args, refused)
	}
	ev.Input = s.document(b, args)
	if ev.Timeout, err = s.seconds(b, st.Timeout, "TimeoutSeconds"); err != nil {
		return err
	}
	if ev.Heartbeat, err = s.seconds(b, st.Heartbeat, "HeartbeatSeconds"); err != nil {
		return err
	}
	if st.Credentials != nil {
		creds, err := st.Credentials.Eval(s.scopeOf(b))
		if err != nil {
			return err
		}
		if ev.Credentials = value.DocOf(creds); s.tooLarge(ev.Credentials) {
			return runtimeError("The credentials of the state are larger than a payload may be.")
		}
	}
	return nil
}

// refusal is the error of a task whose service integration does not take its
// parameters.
func refusal(st *asl.Task, args value.Value, refused []string) error {
	return errors.New("The " + st.Flow.ArgumentsField() + " '" + args.Shown(maxCause/2) + "' could not be used to start the Task: [" + strings.Join(refused, ", ") + "]")
}

// tasked returns the branch that awaits the task that an event scheduled.
func (x *Execution) tasked(cause int64) *branch {
	for _, b := range x.live {
		if b.task != nil && b.task.scheduled == cause {
			return b
		}
	}
	return nil
}

// taskMessage handles news of a task. A message that no branch awaits changes
// nothing.
func (s *step) taskMessage(msg Message) {
	b := s.x.tasked(msg.Cause)
	if b == nil || msg.FromToken && !b.task.tokened() {
		s.out.Stale = true
		return
	}
	s.guarded(func() {
		s.begin(nil)
		if b.phase == starting { // news came before the step went on
			s.started(b)
		}
		switch msg.Kind {
		case TaskStarted:
			s.taskStarted(b, msg)
		case TaskSubmitted:
			s.taskSubmitted(b, msg)
		case TaskSucceeded:
			s.taskSucceeded(b, msg)
		case TaskFailed:
			s.taskFailed(b, msg.Failure)
		case TaskUnscheduled:
			s.taskUnscheduled(b, msg.Failure)
		case TaskHeartbeat:
			s.x.Alive(msg.Cause, s.now)
		case Wake, Continue, Stop, Redrive:
		}
	})
}

func (t *task) tokened() bool {
	return t.resource.Kind == asl.ActivityResource || t.resource.Pattern == asl.WaitForTaskToken
}

func (s *step) taskStarted(b *branch, msg Message) {
	if b.task.resource.Kind != asl.ActivityResource || b.task.started {
		s.out.Stale = true
		return
	}
	s.emit(b, &history.Event{Type: history.ActivityStarted, Worker: msg.Worker})
}

func (s *step) taskSubmitted(b *branch, msg Message) {
	if b.task.resource.Pattern == asl.RequestResponse || b.task.started {
		s.out.Stale = true
		return
	}
	if s.tooLarge(msg.Output) {
		if job(b.task.resource) {
			s.cancel(b.task) // it runs
		}
		s.taskFailed(b, dataLimit(b.task.resource.ResultName()).ErrorOutput)
		return
	}
	ev := b.task.event(history.TaskSubmitted, msg.Output)
	s.emit(b, &ev)
	if job(b.task.resource) {
		s.out.Effects = append(s.out.Effects, b.task.effect(s.env.Token))
	}
}

// event is an event of the task. Those of functions and activities do not name
// what performs it.
func (t *task) event(typ history.Type, output *value.Doc) history.Event {
	ev := history.Event{Type: typ, Output: output}
	if t.resource.Kind == asl.ServiceResource {
		ev.ResourceType, ev.Resource = t.resource.Service, t.resource.Name
	}
	return ev
}

func (s *step) taskSucceeded(b *branch, msg Message) {
	st, t := b.state.(*asl.Task), b.task
	if s.tooLarge(msg.Output) {
		s.taskFailed(b, dataLimit(t.resource.ResultName()).ErrorOutput)
		return
	}
	ev := t.event(history.TaskSucceeded, msg.Output)
	switch t.resource.Kind {
	case asl.FunctionResource:
		ev.Type = history.LambdaFunctionSucceeded
	case asl.ActivityResource:
		ev.Type = history.ActivitySucceeded
	case asl.ServiceResource:
	}
	s.emit(b, &ev)
	s.leave(b, &st.Flow, msg.Output.Value(), "")
}

func (s *step) taskFailed(b *branch, output history.ErrorOutput) {
	ev := b.task.event(history.TaskFailed, nil)
	switch b.task.resource.Kind {
	case asl.FunctionResource:
		ev.Type = history.LambdaFunctionFailed
	case asl.ActivityResource:
		ev.Type = history.ActivityFailed
	case asl.ServiceResource:
	}
	s.fail(b, failure{ErrorOutput: output, event: &ev, task: true})
}

// taskUnscheduled fails a task whose resource is not there, which no Retrier and
// no Catcher sees.
func (s *step) taskUnscheduled(b *branch, output history.ErrorOutput) {
	f := s.raised(b, "States.Runtime", *output.Cause)
	f.event = &history.Event{Type: history.ActivityScheduleFailed}
	s.fail(b, f)
}

// timeOut fails a task whose time is over, or that gave no sign of life.
func (s *step) timeOut(b *branch) {
	t := b.task
	ev := t.event(history.TaskTimedOut, nil)
	switch t.resource.Kind {
	case asl.FunctionResource:
		ev.Type = history.LambdaFunctionTimedOut
	case asl.ActivityResource:
		ev.Type = history.ActivityTimedOut
	case asl.ServiceResource:
	}
	f := failure{ErrorOutput: history.ErrorOutput{Error: new("States.Timeout")}, event: &ev, task: true}
	if t.silent() {
		f.also = "States.HeartbeatTimeout"
	}
	s.cancel(t)
	s.fail(b, f)
}
