package interpreter

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// failure is an Error Output on its way to a Retrier, a Catcher, or the end of
// the execution.
type failure struct {
	history.ErrorOutput
	// names are further Error Names by which it may be handled: a heartbeat's
	// timeout is both.
	also string
	// event says how a task failed, nil where no event does.
	event *history.Event
	// final: neither Retriers nor Catchers see it.
	final bool
	// task: it came from the task of a Task state, which States.TaskFailed
	// stands for.
	task bool
}

func (f failure) name() string {
	if f.Error == nil {
		return ""
	}
	return *f.Error
}

// maxCause is how many bytes an error and its cause have at most (API model).
const maxCause = 32768

// shortened cuts a text off that is too long for a cause.
func shortened(text *string) *string {
	if text == nil || len(*text) <= maxCause {
		return text
	}
	cut := maxCause - len("…")
	for !utf8.RuneStart((*text)[cut]) {
		cut--
	}
	return new((*text)[:cut] + "…")
}

func failed(name, cause string) failure {
	cause = *shortened(&cause)
	return failure{ErrorOutput: history.ErrorOutput{Error: &name, Cause: &cause}}
}

// raised is a failure of the interpreter's own, which tells where it happened.
func (s *step) raised(b *branch, name, cause string) failure {
	f := failed(name, "An error occurred while executing the state '"+b.state.Base().Name+
		"' (entered at the event id #"+itoa(b.entered)+"). "+cause)
	f.final = name == "States.Runtime"
	return f
}

// evaluation turns the error of an expression into a failure. Those of JSONata
// have an event of their own.
func (s *step) evaluation(b *branch, err error) failure {
	f, q := s.unevaluated(b, err)
	if q == nil {
		return f
	}
	if b.state.Base().Flow.RecordsFailures() {
		link := b.before
		if q.Entered {
			link = b.entered
		}
		s.emitLinked(b, &history.Event{
			Type: history.EvaluationFailed, Failure: f.ErrorOutput, Location: q.Location, Name: b.state.Base().Name,
		}, link)
	}
	return f
}

// tooLong is the cause of a state whose evaluations reached the limit of work.
const tooLong = "The evaluation of the state's paths, templates and rules takes too long."

// unevaluated is the failure that an error of an expression is, without what is
// recorded of it. The error is nil where a limit was reached.
func (s *step) unevaluated(b *branch, err error) (failure, *query.Error) {
	if q, ok := errors.AsType[*query.Error](err); ok {
		return s.raised(b, q.Name, q.Cause), q
	}
	switch {
	case errors.Is(err, meter.ErrBytes):
		return dataLimit(b.state.Base().Name), nil
	case errors.Is(err, meter.ErrWork):
		return s.raised(b, "States.Runtime", tooLong), nil
	}
	return s.raised(b, "States.Runtime", err.Error()), nil
}

// dataLimit is the failure of a state whose output or result is too large.
func dataLimit(name string) failure {
	return failed("States.DataLimitExceeded",
		"The state/task '"+name+"' returned a result with a size exceeding the maximum number of bytes service limit.")
}

// fail has the state that b is in fail: it is tried again, or a Catcher leads
// on, or what is around it fails too.
func (s *step) fail(b *branch, f failure) {
	f.Error, f.Cause = shortened(f.Error), shortened(f.Cause)
	retriers, catchers := handlers(b.state)
	if f.event != nil {
		f.event.Failure = f.ErrorOutput
		s.emit(b, f.event)
	}
	if !f.final {
		if i, pause, ok := s.retrier(b, retriers, f); ok {
			s.retryLater(b, i, pause)
			return
		}
	}
	s.failContainer(b, f)
	if !f.final {
		for i := range catchers {
			if f.matches(catchers[i].ErrorEquals) {
				s.caught(b, &catchers[i], f)
				return
			}
		}
	}
	s.propagate(b, f)
}

// failContainer says that a Parallel or Map state failed. An error of the
// interpreter itself ends the execution without that.
func (s *step) failContainer(b *branch, f failure) {
	if f.final {
		return
	}
	switch b.state.(type) {
	case *asl.Parallel:
		s.emit(b, &history.Event{Type: history.ParallelStateFailed})
	case *asl.Map:
		s.emit(b, &history.Event{Type: history.MapStateFailed})
	case *asl.Pass, *asl.Task, *asl.Choice, *asl.Wait, *asl.Succeed, *asl.Fail:
	}
}

func handlers(st asl.State) ([]asl.Retrier, []asl.Catcher) {
	switch st := st.(type) {
	case *asl.Task:
		return st.Retry, st.Catch
	case *asl.Parallel:
		return st.Retry, st.Catch
	case *asl.Map:
		return st.Retry, st.Catch
	case *asl.Pass, *asl.Choice, *asl.Wait, *asl.Succeed, *asl.Fail:
	}
	return nil, nil
}

// matches reports whether the failure has one of the Error Names (spec,
// "Error names").
func (f failure) matches(names []string) bool {
	for _, name := range names {
		switch {
		case name == "States.ALL", name == f.name(), f.also != "" && name == f.also:
			return true
		case name == "States.TaskFailed":
			if f.task && f.name() != "States.Timeout" {
				return true
			}
		}
	}
	return false
}

// retrier returns the number of the Retrier that has the state tried again, and
// the pause before that in milliseconds.
func (s *step) retrier(b *branch, retriers []asl.Retrier, f failure) (int, int64, bool) {
	// The fact of a retry rides on an event of this step. A second failure
	// without any, of the same expression on the same data, would not end
	// differently at a third attempt.
	if len(s.out.Events) == 0 {
		return 0, 0, false
	}
	i := slices.IndexFunc(retriers, func(r asl.Retrier) bool { return f.matches(r.ErrorEquals) })
	if i < 0 {
		return 0, 0, false
	}
	r := &retriers[i]
	var attempts int64
	if i < len(b.attempts) {
		attempts = b.attempts[i]
	}
	if attempts >= r.MaxAttempts {
		return 0, 0, false
	}
	return i, s.pause(r, attempts), true
}

// longestPause keeps times representable: a year and a bit, in seconds.
const longestPause = 31622400

// pause is how long a Retrier waits before the next attempt, in milliseconds.
func (s *step) pause(r *asl.Retrier, attempts int64) int64 {
	seconds := float64(r.IntervalSeconds) * math.Pow(r.BackoffRate, float64(attempts))
	if r.MaxDelaySeconds > 0 {
		seconds = min(seconds, float64(r.MaxDelaySeconds))
	}
	millis := min(seconds, longestPause) * 1000
	if r.FullJitter {
		millis *= s.entropy().Float64()
	}
	return int64(millis)
}

// retryLater notes on the last event that the state of b will be tried again,
// and drops what is inside of it.
func (s *step) retryLater(b *branch, retrier int, pause int64) {
	s.cancelInside(b)
	last := &s.out.Events[len(s.out.Events)-1]
	last.Retry = &history.Retry{Branch: b.number, Retrier: int64(retrier), Due: s.now + pause, Previous: b.prev}
	s.x.applyRetry(last)
}

// caught leaves a state that failed by way of a Catcher.
func (s *step) caught(b *branch, c *asl.Catcher, f failure) {
	s.renew()
	output := errorOutput(f.ErrorOutput)
	scope := s.scopeOf(b)
	scope.ErrorOutput = output
	result, selected, err := c.Flow.Result(scope, output)
	if err == nil {
		var assigned []query.Assignment
		assigned, err = c.Flow.AssignVariables(scope, selected)
		if err == nil {
			s.exitCaught(b, s.document(b, result), assigned, c.Next)
			return
		}
	}
	s.propagate(b, s.evaluation(b, err))
}

// exitCaught leaves a state by way of a Catcher. What is too large then is no
// matter for a Catcher again.
func (s *step) exitCaught(b *branch, output *value.Doc, assigned []query.Assignment, next string) {
	vars, ok := s.assignable(b, assigned)
	switch name := s.refused(b, output); {
	case !ok:
		s.propagate(b, variableLimit(b.state.Base().Name))
	case name != "":
		s.propagate(b, dataLimit(name))
	default:
		s.exit(b, output, vars, next)
	}
}

// errorOutput gives the value that a Catcher works on. Absent members are "".
func errorOutput(f history.ErrorOutput) value.Value {
	text := func(s *string) value.Value {
		if s == nil {
			return value.Str("")
		}
		return value.Str(*s)
	}
	return value.Obj(value.Member{Name: "Error", Value: text(f.Error)}, value.Member{Name: "Cause", Value: text(f.Cause)})
}

// propagate fails what is around a state that failed for good.
func (s *step) propagate(b *branch, f failure) {
	f.event, f.task = nil, false
	if b.parent == nil || f.final {
		previous := b.prev
		s.cancelInside(nil)
		s.emitLinked(b, &history.Event{Type: history.ExecutionFailed, Failure: f.ErrorOutput}, previous)
		return
	}
	s.abort(b)
	s.fail(b.parent, f)
}

// abort records that the branches beside b, which failed, end with it. All
// these events link to the one that says what failed.
func (s *step) abort(failed *branch) {
	parent, trigger := failed.parent, failed.prev
	s.cancelInside(parent)
	inside := slices.Clone(s.x.live)
	slices.SortStableFunc(inside, func(a, b *branch) int {
		if a == failed {
			return -1
		}
		return 0
	})
	for _, b := range inside {
		if b.parent == parent {
			s.abortBranch(b, b == failed, trigger)
		}
	}
	parent.prev = trigger
}

func (s *step) abortBranch(b *branch, failed bool, trigger int64) {
	if st, ok := b.parent.state.(*asl.Map); ok {
		event := history.Event{Type: history.MapIterationAborted, Name: st.Name, Index: b.index}
		if failed {
			event.Type = history.MapIterationFailed
		}
		s.emitLinked(b, &event, trigger)
	}
	if b.phase == arriving || b.state == nil {
		return
	}
	switch b.state.(type) {
	case *asl.Task:
		s.emitLinked(b, &history.Event{Type: history.TaskStateAborted}, trigger)
	case *asl.Wait:
		s.emitLinked(b, &history.Event{Type: history.WaitStateAborted}, trigger)
	case *asl.Parallel:
		s.abortInside(b, failed, trigger)
		if !failed {
			s.emitLinked(b, &history.Event{Type: history.ParallelStateAborted}, trigger)
		}
	case *asl.Map:
		s.abortInside(b, failed, trigger)
		if !failed {
			s.emitLinked(b, &history.Event{Type: history.MapStateAborted}, trigger)
		}
	case *asl.Pass, *asl.Choice, *asl.Succeed, *asl.Fail:
	}
}

func (s *step) abortInside(b *branch, failed bool, trigger int64) {
	if failed {
		return // its own failure has ended them
	}
	for _, inner := range slices.Clone(s.x.live) {
		if inner.parent == b {
			s.abortBranch(inner, false, trigger)
		}
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
