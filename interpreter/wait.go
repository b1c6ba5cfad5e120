package interpreter

import (
	"errors"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// longestWait is how many days a Wait state may last (recorded).
const longestWait = 24855

// enterWait enters a Wait state. The time at which it ends rides on the event.
func (s *step) enterWait(b *branch, st *asl.Wait, entered *history.Event) {
	// The expressions of the state see it as entered.
	until, err := s.until(b, st)
	if err == nil && until > s.now {
		entered.Due = until
	}
	s.emit(b, entered)
	switch {
	case err != nil:
		s.fail(b, s.evaluation(b, err))
	case until <= s.now:
		s.endWait(b)
	}
}

// until is the time in milliseconds at which a Wait state ends.
func (s *step) until(b *branch, st *asl.Wait) (int64, error) {
	// Until the event is recorded the branch is still before the state.
	arrived := *b
	arrived.state, arrived.since = st, s.now
	scope := s.scopeOf(&arrived)
	effective, err := st.Flow.AfterInputPath(scope)
	if err != nil {
		return 0, err
	}
	scope.Input = effective
	if st.Seconds != nil {
		seconds, err := waitSeconds(st.Seconds, scope)
		if err == nil && seconds > longestWait*24*3600 {
			err = runtimeError("Wait state delay is too long.")
		}
		return s.now + seconds*1000, err
	}
	at, err := waitTimestamp(st.Timestamp, scope)
	if err != nil {
		return 0, err
	}
	if at.Sub(s.env.Now) > longestWait*24*time.Hour {
		return 0, runtimeError("Wait state delay is too long.")
	}
	return at.UnixMilli(), nil
}

func waitSeconds(n *asl.Integer, scope *query.Scope) (int64, error) {
	switch {
	case n.Expr != nil:
		return expressedSeconds(n.Expr, scope, "Seconds")
	case n.Path == nil:
		return n.Literal, nil
	}
	v, err := n.Path.Eval(scope)
	if stopped(err) {
		return 0, err
	}
	if err != nil {
		return 0, runtimeError("The SecondsPath parameter does not reference an input value: " + n.Path.String())
	}
	seconds, whole := v.Int64()
	switch {
	case !whole || !v.IsInteger():
		return 0, runtimeError("The SecondsPath parameter cannot be parsed as a long value: " + n.Path.String() + " == " + textOf(v))
	case seconds < 0:
		return 0, runtimeError("The SecondsPath parameter references a negative value: " + n.Path.String() + " == " + textOf(v))
	}
	return seconds, nil
}

// stopped reports whether a meter has ended an evaluation.
func stopped(err error) bool {
	_, ok := errors.AsType[*meter.Stop](err)
	return ok
}

func waitTimestamp(t *asl.Timestamp, scope *query.Scope) (time.Time, error) {
	if t.Expr != nil {
		return expressedTimestamp(t.Expr, scope)
	}
	if t.Path == nil {
		at, ok := asl.ParseTimestamp(t.Literal)
		if !ok {
			return at, runtimeError("The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: " + t.Literal)
		}
		return at, nil
	}
	v, err := t.Path.Eval(scope)
	if stopped(err) {
		return time.Time{}, err
	}
	if err != nil {
		return time.Time{}, runtimeError("The TimestampPath parameter does not reference an input value: " + t.Path.String())
	}
	at, ok := asl.ParseTimestamp(v.Str())
	if !ok || v.Kind() != value.String {
		return at, runtimeError("The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: " + t.Path.String() + " == " + textOf(v))
	}
	return at, nil
}

func expressedTimestamp(t *query.Template, scope *query.Scope) (time.Time, error) {
	v, err := t.EvalAs(scope, value.String)
	if err != nil {
		return time.Time{}, err
	}
	at, ok := asl.ParseTimestamp(v.Str())
	if !ok {
		return at, &query.Error{
			Name: "States.QueryEvaluationError", Location: "Timestamp", Entered: true,
			Cause: "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: " + v.Str(),
		}
	}
	return at, nil
}

// endWait leaves a Wait state whose time has come.
func (s *step) endWait(b *branch) {
	flow := &b.state.Base().Flow
	effective, err := flow.AfterInputPath(s.scopeOf(b))
	if err != nil {
		s.fail(b, s.evaluation(b, err))
		return
	}
	s.leave(b, flow, effective, "")
}
