package engine_test

import (
	"fmt"
	"time"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
)

// known is an execution as it was written.
type known struct {
	id      store.ExecutionID
	arn     string
	machine uint32 // its number
	edition int    // of the definition that it runs by, -1 for another one
	fork    *history.Fork
	express bool
	version string // its ARN
	alias   string
	events  []history.Event
	status  store.Status
	start   time.Time
	stop    time.Time
	expire  time.Time

	scheduled  map[int64]int64 // by the events of a task: the one that scheduled it
	done       map[int64]bool  // tasks that have a result
	submitted  map[int64]bool  // those whose submission is written
	abandoned  map[int64]bool  // those that were under way at an end from which the execution went on
	left       map[place]bool  // states that were left
	signs      map[int64]int64 // when activities gave a sign of life last, in milliseconds
	entered    map[int64]int64 // by branch: when its state was entered
	retry      map[int64]int64 // by branch: when its state is tried again
	iterations map[int64]bool  // those of the Map that are under way
	began      int64           // when it began or was redriven
}

// place is a state in a branch.
type place struct {
	branch int64
	state  string
}

func terminal(t history.Type) bool {
	switch t {
	case history.ExecutionSucceeded, history.ExecutionFailed, history.ExecutionTimedOut, history.ExecutionAborted:
		return true
	default:
		return false
	}
}

// add takes an event and tells what is wrong with it.
func (x *known) add(events []history.Event, i int) string {
	ev := &events[i]
	switch {
	case ev.ID != int64(i+1) || ev.Previous >= ev.ID:
		return fmt.Sprintf("it is the %dth, and follows %d", i+1, ev.Previous)
	case i > 0 && ev.Millis < events[i-1].Millis:
		return "it was before the one before it"
	case i > 0 && terminal(events[i-1].Type) && ev.Type != history.ExecutionRedriven:
		return "it follows the end"
	}
	if problem := x.addTask(events, ev); problem != "" {
		return problem
	}
	return x.addState(ev)
}

// addTask: a task is begun in a state that was not left, at the time of its
// retry, and has one result.
func (x *known) addTask(events []history.Event, ev *history.Event) string {
	switch ev.Type {
	case history.TaskScheduled, history.ActivityScheduled:
		if x.left[place{ev.Branch, x.stateOf(events, ev)}] {
			return "the state's work is begun again after it was left"
		}
		if early := x.retry[ev.Branch] - ev.Millis; early > 0 {
			return fmt.Sprintf("it is tried again %d ms too early", early)
		}
		x.scheduled[ev.ID] = ev.ID
	case history.TaskStarted, history.ActivityStarted, history.TaskSubmitted:
		x.scheduled[ev.ID] = x.scheduled[ev.Previous]
		if ev.Type == history.TaskSubmitted {
			x.submitted[x.scheduled[ev.ID]] = true
		}
		x.signs[x.scheduled[ev.ID]] = ev.Millis
	case history.TaskSucceeded, history.TaskFailed, history.ActivitySucceeded, history.ActivityFailed, history.TaskTimedOut, history.ActivityTimedOut:
		task := x.scheduled[ev.Previous]
		if task == 0 || x.done[task] {
			return fmt.Sprintf("the task of event %d has a result, or was never begun", task)
		}
		x.done[task] = true
		if ev.Retry != nil {
			x.retry[ev.Retry.Branch] = ev.Retry.Due
			if pause := ev.Retry.Due - ev.Millis; pause < 0 || pause > longestRetry.Milliseconds() {
				return fmt.Sprintf("it is to be tried again in %d ms", pause)
			}
		}
		if ev.Type == history.ActivityTimedOut {
			return x.timedOut(&events[task-1], &events[ev.Previous-1], ev)
		}
	default:
	}
	return ""
}

// addState: a state is left once, a Wait and an execution not before their
// time, and of the iterations of a Map no more run than may.
func (x *known) addState(ev *history.Event) string {
	if ev.Type.Entered() {
		x.entered[ev.Branch] = ev.Millis
	}
	if ev.Type.Exited() {
		at := place{ev.Branch, ev.Name}
		if x.left[at] {
			return "the state was left before"
		}
		x.left[at] = true
	}
	wait, limit := standardWait, standardLimit
	if x.express {
		wait, limit = expressWait, expressLimit
	}
	switch ev.Type {
	case history.ExecutionStarted:
		x.began = ev.Millis
	case history.ExecutionRedriven:
		x.began = ev.Millis
		clear(x.iterations)
		clear(x.retry)
		for task := range x.submitted {
			x.abandoned[task] = true
		}
	case history.ExecutionTimedOut:
		if early := x.began + limit.Milliseconds() - ev.Millis; early > 0 {
			return fmt.Sprintf("it is %d ms too early", early)
		}
	case history.WaitStateExited:
		if early := x.entered[ev.Branch] + wait.Milliseconds() - ev.Millis; early > 0 {
			return fmt.Sprintf("it is %d ms too early", early)
		}
	case history.MapIterationStarted:
		x.iterations[ev.Index] = true
		if len(x.iterations) > standardConcurrency {
			return fmt.Sprintf("%d iterations are under way", len(x.iterations))
		}
	case history.MapIterationSucceeded, history.MapIterationFailed, history.MapIterationAborted:
		delete(x.iterations, ev.Index)
	default:
	}
	return ""
}

// stateOf is the name of the state that an event's branch is in.
func (x *known) stateOf(events []history.Event, ev *history.Event) string {
	for i := ev.ID - 2; i >= 0; i-- {
		if before := &events[i]; before.Branch == ev.Branch && before.Type.Entered() {
			return before.Name
		}
	}
	return ""
}

// timedOut tells whether an activity's task timed out before its time.
func (x *known) timedOut(scheduled, started, ev *history.Event) string {
	beat, timeout := x.signs[scheduled.ID]+scheduled.Heartbeat*1000, started.Millis+scheduled.Timeout*1000
	if ev.Millis < min(beat, timeout) {
		return fmt.Sprintf("its heartbeat was due in %d ms only", beat-ev.Millis)
	}
	return ""
}
