package interpreter

import (
	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// startMap picks the items of a Map state and starts it.
func (s *step) startMap(b *branch, st *asl.Map) {
	if st.Distributed != nil { // of a definition that came with an execution from elsewhere
		s.fail(b, s.raised(b, "States.Runtime", "The Map mode DISTRIBUTED is not implemented yet."))
		return
	}
	items, err := st.Flow.ItemsOf(s.scopeOf(b), st.ItemsPath, st.Items)
	if err != nil {
		s.fail(b, s.evaluation(b, err))
		return
	}
	limit, err := s.concurrency(b, st)
	if err != nil {
		s.fail(b, s.evaluation(b, err))
		return
	}
	all := s.document(b, items)
	if s.beyond(all, itemsFactor) {
		s.fail(b, dataLimit(st.Name))
		return
	}
	s.emit(b, &history.Event{
		Type: history.MapStateStarted, Length: int64(items.Len()),
		Private: history.Private{Items: all, Limit: limit},
	})
	if items.Len() == 0 {
		s.joinMap(b, st)
	}
}

// longestNumber is how many characters a number has that is written as text.
const longestNumber = 64

// concurrency is how many iterations may run at once, 0 for no limit.
func (s *step) concurrency(b *branch, st *asl.Map) (int64, error) {
	limit, err := s.seconds(b, st.Concurrency, "MaxConcurrency")
	if err != nil {
		return 0, err
	}
	if most := s.env.Limits.Iterations; most > 0 && (limit == 0 || limit > most) {
		limit = most
	}
	return limit, nil
}

// spawn starts the next iteration of a Map.
func (s *step) spawn(b *branch) {
	st, j := b.state.(*asl.Map), b.join
	input, err := s.itemInput(b, st, j.next)
	if err != nil {
		s.fail(b, s.evaluation(b, err))
		return
	}
	if s.tooLarge(input) {
		s.fail(b, dataLimit(st.Name))
		return
	}
	s.emitLinked(b, &history.Event{
		Type: history.MapIterationStarted, Name: st.Name, Index: j.next,
		Private: history.Private{Items: input},
	}, j.link)
}

// itemInput is the input of an iteration: the item, or what the ItemSelector
// makes of it.
func (s *step) itemInput(b *branch, st *asl.Map, index int64) (*value.Doc, error) {
	item := b.join.items.At(int(index))
	if st.ItemSelector == nil {
		return value.DocOf(item), nil
	}
	s.item = &iteration{index, item}
	defer func() { s.item = nil }()
	scope := s.scopeOf(b)
	effective, _, err := st.Flow.Arguments(scope)
	if err != nil {
		return nil, err
	}
	scope.Input = effective
	selected, err := st.ItemSelector.Eval(scope)
	if err != nil {
		return nil, err
	}
	return value.DocOf(selected), nil
}

// joinMap leaves a Map state all of whose iterations have ended.
func (s *step) joinMap(b *branch, st *asl.Map) {
	s.emit(b, &history.Event{Type: history.MapStateSucceeded})
	s.leaveJoined(b, &st.Common)
}

// seconds evaluates a number that a field gives literally or by a path; 0
// where there is none.
func (s *step) seconds(b *branch, n *asl.Integer, field string) (int64, error) {
	switch {
	case n == nil:
		return 0, nil
	case n.Expr != nil:
		return expressedSeconds(n.Expr, s.scopeOf(b), field)
	case n.Path == nil:
		return n.Literal, nil
	}
	scope := s.scopeOf(b)
	effective, err := b.state.Base().Flow.AfterInputPath(scope)
	if err != nil {
		return 0, err
	}
	scope.Input = effective
	v, err := n.Path.Eval(scope)
	if err != nil {
		return 0, n.Path.Invalid(err)
	}
	if text := v.Str(); text != "" && len(text) <= longestNumber {
		if parsed, err := value.DecodeString(text); err == nil {
			v = parsed // a number written as text will do (recorded)
		}
	}
	i, whole := v.Int64()
	if !whole || v.Kind() != value.Number {
		return 0, runtimeError("The " + field + "Path field refers to value \"" + textOf(v) + "\" which is not a valid integer: " + n.Path.String())
	}
	if i < 0 {
		return 0, runtimeError(field + " cannot be negative.")
	}
	return i, nil
}

// expressedSeconds evaluates a whole number that an expression gives.
func expressedSeconds(t *query.Template, scope *query.Scope, field string) (int64, error) {
	v, err := t.EvalAs(scope, value.Number)
	if err != nil {
		return 0, err
	}
	i, whole := v.Int64()
	switch {
	case !whole:
		return 0, notWhole(field, v)
	case i < 0:
		return 0, &query.Error{Name: "States.QueryEvaluationError", Location: field, Cause: field + " cannot be negative."}
	}
	return i, nil
}

func notWhole(field string, v value.Value) error {
	return &query.Error{
		Name: "States.QueryEvaluationError", Location: field,
		Cause: "The " + field + " field refers to value \"" + v.Shown(maxCause) + "\" which is not a valid integer.",
	}
}

// textOf is a value as AWS's messages show it: strings without quotes.
func textOf(v value.Value) string {
	if v.Kind() == value.String {
		return v.Str()
	}
	return v.Shown(maxCause)
}

func runtimeError(cause string) error { return &query.Error{Name: "States.Runtime", Cause: cause} }
