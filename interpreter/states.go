package interpreter

import (
	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// pass leaves a Pass state with its Result, or its input.
func (s *step) pass(b *branch, st *asl.Pass) {
	_, result, err := st.Flow.Arguments(s.scopeOf(b))
	if err != nil {
		s.fail(b, s.evaluation(b, err))
		return
	}
	if !st.Result.IsUndefined() {
		result = st.Result
	}
	s.leave(b, &st.Flow, result, "")
}

// succeed ends a branch.
func (s *step) succeed(b *branch) {
	flow := &b.state.Base().Flow
	_, result, err := flow.Arguments(s.scopeOf(b))
	if err != nil {
		s.fail(b, s.evaluation(b, err))
		return
	}
	s.leave(b, flow, result, "")
}

// failState fails with what a Fail state says.
func (s *step) failState(b *branch, st *asl.Fail) {
	f, err := s.failureOf(b, st)
	if err != nil {
		f = s.evaluation(b, err)
	}
	s.fail(b, f)
}

// failureOf is what a Fail state says.
func (s *step) failureOf(b *branch, st *asl.Fail) (f failure, err error) {
	if f.Error, err = s.text(b, st.Error, "Error"); err == nil {
		f.Cause, err = s.text(b, st.Cause, "Cause")
	}
	return f, err
}

// text evaluates a string of a Fail state; nil where there is none.
func (s *step) text(b *branch, t *asl.Text, field string) (*string, error) {
	switch {
	case t == nil:
		return nil, nil
	case t.Path != nil:
		return s.pathText(b, t, field+"Path")
	case t.Expr != nil:
		v, err := t.Expr.EvalAs(s.scopeOf(b), value.String)
		return new(v.Str()), err
	}
	return &t.Literal, nil
}

func (s *step) pathText(b *branch, t *asl.Text, field string) (*string, error) {
	v, err := t.Path.Eval(s.scopeOf(b))
	if err != nil {
		return nil, t.Path.NotFound(field, b.input.Value(), err)
	}
	if v.Kind() != value.String {
		return nil, runtimeError("The " + field + " field does not reference a string: " + t.Path.String() + " == " + v.Shown(maxCause))
	}
	return new(v.Str()), nil
}

// noChoiceMatched is the cause of a Choice state that finds no way on. The
// specification has States.NoChoiceMatched for it; the service fails with
// States.Runtime, which no Catcher of what is around the state sees.
const noChoiceMatched = "Failed to transition out of the state. The state does not point to a next state."

// choose leaves a Choice state by the first rule that holds.
func (s *step) choose(b *branch, st *asl.Choice) {
	scope := s.scopeOf(b)
	effective, _, err := st.Flow.Arguments(scope)
	if err != nil {
		s.fail(b, s.evaluation(b, err))
		return
	}
	scope.Input = effective
	for i := range st.Choices {
		choice := &st.Choices[i]
		holds, err := s.holds(choice, scope)
		if err != nil {
			s.fail(b, s.evaluation(b, err))
			return
		}
		if holds {
			s.leave(b, &choice.Flow, effective, choice.Next)
			return
		}
	}
	if st.Default == "" {
		s.fail(b, s.raised(b, "States.Runtime", noChoiceMatched))
		return
	}
	s.leave(b, &st.Flow, effective, st.Default)
}

func (s *step) holds(choice *asl.ChoiceRule, scope *query.Scope) (bool, error) {
	if choice.Condition == nil {
		return choice.Rule.Holds(scope)
	}
	v, err := choice.Condition.EvalAs(scope, value.Bool)
	return v.Bool(), err
}

// fork starts the branches of a Parallel state.
func (s *step) fork(b *branch, st *asl.Parallel) {
	_, args, err := st.Flow.Arguments(s.scopeOf(b))
	if err != nil {
		s.fail(b, s.evaluation(b, err))
		return
	}
	input := s.document(b, args)
	if s.tooLarge(input) {
		s.fail(b, dataLimit(st.Name))
		return
	}
	s.emit(b, &history.Event{Type: history.ParallelStateStarted, Private: history.Private{Items: input}})
}

// joinParallel leaves a Parallel state all of whose branches have ended.
func (s *step) joinParallel(b *branch, st *asl.Parallel) {
	s.emit(b, &history.Event{Type: history.ParallelStateSucceeded})
	s.leaveJoined(b, &st.Common)
}

// leaveJoined leaves a Parallel or Map state with the outputs of what ran
// inside of it.
func (s *step) leaveJoined(b *branch, base *asl.Common) {
	if limit := s.env.Limits.PayloadBytes; limit > 0 && b.join.bytes > itemsFactor*int64(limit) {
		s.fail(b, dataLimit(base.Name))
		return
	}
	s.renew()
	outputs := make([]value.Value, len(b.join.outputs))
	for i, d := range b.join.outputs {
		outputs[i] = d.Value()
	}
	s.leave(b, &base.Flow, value.Arr(outputs...), "")
}
