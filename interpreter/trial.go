package interpreter

import (
	"errors"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// Trial is a state that is tried by itself, outside of any execution
// (TestState). What it does to its data is kept to be looked at.
type Trial struct {
	spec TrialSpec
	s    *step
	b    *branch
	seen *value.ObjectBuilder
	// failures and tolerance are those of a Map's iterations.
	items     int
	tolerated bool
	tolerance float64
}

// TrialSpec says what is tried.
type TrialSpec struct {
	State     asl.State
	Info      Info
	Input     *value.Doc
	Variables []history.Variable
	// Context is the Context Object; undefined for one made of Info.
	Context value.Value
	// Iterated reports that the state stands in a Map, so that there is an item.
	Iterated bool
	// Retries is how often the Retrier was used that the error matches.
	Retries int64
	// Failures is how many iterations of a Map have failed.
	Failures int64
	// ReaderData is what an ItemReader finds, as text; nil for nothing known.
	ReaderData *string
	// Mocked reports that a mock stands for the task.
	Mocked bool
	Env    Env
}

// TrialResult is the end of a trial.
type TrialResult struct {
	// Status is SUCCEEDED, FAILED, RETRIABLE or CAUGHT_ERROR.
	Status  string
	Output  *value.Doc
	Failure history.ErrorOutput
	Next    string
	// Inspection is the API's structure of that name.
	Inspection value.Value
	// Interrupted is the error by which Env.Pace ended the trial; there is no
	// result then.
	Interrupted error
}

// NewTrial begins a trial.
func NewTrial(spec TrialSpec) *Trial {
	x := newExecution(nil, spec.Info)
	x.input, x.started, x.last = spec.Input, spec.Env.Now.UnixMilli(), 2
	b := &branch{
		phase: inside, state: spec.State, input: spec.Input, entered: 2, since: x.started,
		vars: spec.Variables, retries: spec.Retries,
	}
	if spec.Iterated {
		b.item = &item{spec.Input.Value()}
	}
	t := &Trial{spec: spec, s: newStep(x, spec.Env), b: b, seen: value.NewObject(8)}
	if given := spec.Context; !given.IsUndefined() {
		if item, ok := t.s.mapItem(b); ok { // nobody may give it, but it is there
			given = given.With("Map", value.Obj(value.Member{Name: "Item", Value: item}))
		}
		t.s.scope.Context = func() value.Value { return given }
		t.s.scope.Entropy = &t.s.random
	}
	t.s.mocked = spec.Mocked
	t.see("input", spec.Input.Value())
	return t
}

// see keeps a value for the inspection, as text.
func (t *Trial) see(name string, v value.Value) {
	t.seen.Set(name, value.Str(t.text(v)))
}

// text is a value as the service shows it here: as it was given, or with blanks
// between the parts (recorded).
func (t *Trial) text(v value.Value) string {
	if v == t.spec.Input.Value() {
		return t.spec.Input.String()
	}
	return string(t.appendSpaced(nil, v))
}

// spacedBytes is what a byte of a shown text takes while it grows, and as a string.
const spacedBytes = 3

func (t *Trial) appendSpaced(dst []byte, v value.Value) []byte {
	t.s.meter.Work(1 + int64(len(v.Str()))/16)
	t.s.meter.Hold(spacedBytes * int64(len(v.Str())+v.Digits()+8))
	switch v.Kind() {
	case value.Array:
		dst = append(dst, '[')
		for i, item := range v.Items() {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = t.appendSpaced(dst, item)
		}
		return append(dst, ']')
	case value.Object:
		dst = append(dst, '{')
		for i, name := range v.Names() {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			t.s.meter.Hold(spacedBytes * int64(len(name)))
			dst = append(value.AppendString(dst, name), ": "...)
			dst = t.appendSpaced(dst, v.At(i))
		}
		return append(dst, '}')
	case value.Undefined, value.Null, value.Bool, value.Number, value.String:
	}
	return v.Append(dst)
}

// Begin does what comes before the state's work. It returns the end of a state
// that has none; else, for a Task state, what is to be performed, and for
// Parallel and Map nothing: then Succeed or Fail continues.
func (t *Trial) Begin() (task *Effect, end *TrialResult) {
	defer func() {
		if r := t.stopped(recover()); r != nil {
			task, end = nil, r
		}
	}()
	t.s.begin(nil)
	return t.begin()
}

// stopped is the end of a trial that a meter has ended.
func (t *Trial) stopped(r any) *TrialResult {
	stop, ok := r.(*meter.Stop)
	switch {
	case r == nil:
		return nil
	case !ok:
		panic(r)
	case stop.Interrupted:
		return &TrialResult{Interrupted: stop.Err}
	}
	f, _ := t.s.unevaluated(t.b, stop)
	return &TrialResult{Status: "FAILED", Failure: f.ErrorOutput, Inspection: t.seen.Value()}
}

func (t *Trial) begin() (*Effect, *TrialResult) {
	switch st := t.spec.State.(type) {
	case *asl.Task:
		return t.task(st)
	case *asl.Parallel:
		if _, _, err := st.Flow.Arguments(t.scope()); err != nil {
			return nil, t.failed(err)
		}
		return nil, nil
	case *asl.Map:
		if err := t.beginMap(st); err != nil {
			return nil, t.failed(err)
		}
		return nil, nil
	case *asl.Pass:
		return nil, t.pass(st)
	case *asl.Choice:
		return nil, t.choice(st)
	case *asl.Wait:
		if _, err := t.s.until(t.b, st); err != nil {
			return nil, t.failed(err)
		}
		return nil, t.through(&st.Common)
	case *asl.Succeed:
		return nil, t.through(&st.Common)
	case *asl.Fail:
		return nil, t.fail(st)
	}
	panic("interpreter: unknown state type")
}

func (t *Trial) scope() *query.Scope { return t.s.scopeOf(t.b) }

func (t *Trial) task(st *asl.Task) (*Effect, *TrialResult) {
	resource, _ := asl.ParseResource(st.Resource)
	if resource.Pattern == asl.WaitForTaskToken {
		t.s.token = 1
		defer func() { t.s.token = 0 }()
	}
	args, err := st.Flow.InspectArguments(t.scope(), t.see)
	if err != nil {
		return nil, t.failed(err)
	}
	ev := history.Event{}
	if err := t.s.arguments(t.b, st, resource, &ev); err != nil {
		return nil, t.failed(err)
	}
	return &Effect{
		Kind: Invoke, Resource: resource, Input: value.DocOf(args), Timeout: ev.Timeout, Heartbeat: ev.Heartbeat,
		Credentials: ev.Credentials, StateName: st.Name,
	}, nil
}

func (t *Trial) pass(st *asl.Pass) *TrialResult {
	result, err := st.Flow.InspectArguments(t.scope(), func(name string, v value.Value) {
		// A Result takes the place of the arguments, and a Pass state of JSONata has none.
		if st.Result.IsUndefined() && name != "afterArguments" {
			t.see(name, v)
		}
	})
	if err != nil {
		return t.failed(err)
	}
	if !st.Result.IsUndefined() {
		result = st.Result
		t.see("result", result)
	}
	return t.leave(&st.Flow, result, st.Next, true)
}

func (t *Trial) choice(st *asl.Choice) *TrialResult {
	scope := t.scope()
	effective, err := st.Flow.InspectInput(scope, t.see)
	if err != nil {
		return t.failed(err)
	}
	scope.Input = effective
	for i := range st.Choices {
		choice := &st.Choices[i]
		holds, err := t.s.holds(choice, scope)
		if err != nil {
			return t.failed(err)
		}
		if holds {
			return t.leave(&choice.Flow, effective, choice.Next, false)
		}
	}
	if st.Default == "" {
		return t.failure(t.s.raised(t.b, "States.Runtime", noChoiceMatched))
	}
	return t.leave(&st.Flow, effective, st.Default, false)
}

// through ends a state that passes its input on.
func (t *Trial) through(base *asl.Common) *TrialResult {
	effective, err := base.Flow.InspectInput(t.scope(), t.see)
	if err != nil {
		return t.failed(err)
	}
	return t.leave(&base.Flow, effective, base.Next, false)
}

func (t *Trial) fail(st *asl.Fail) *TrialResult {
	f, err := t.s.failureOf(t.b, st)
	if err != nil {
		return t.failed(err)
	}
	return t.failure(f)
}

// Succeed ends the state with the result of its work.
func (t *Trial) Succeed(result *value.Doc) (end TrialResult) {
	defer func() {
		if r := t.stopped(recover()); r != nil {
			end = *r
		}
	}()
	t.s.begin(nil)
	return t.succeed(result)
}

func (t *Trial) succeed(result *value.Doc) TrialResult {
	base := t.spec.State.Base()
	if t.tolerated && float64(t.spec.Failures) > t.tolerance {
		return *t.failure(failed("States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded"))
	}
	if _, ok := t.spec.State.(*asl.Task); ok {
		t.seen.Set("result", value.Str(result.String()))
	}
	r := t.leave(&base.Flow, result.Value(), base.Next, true)
	if r.Output != nil && r.Output.Value() == result.Value() {
		r.Output = result // as it was given
	}
	return *r
}

// Fail ends the state with the failure of its work.
func (t *Trial) Fail(output history.ErrorOutput) (end TrialResult) {
	defer func() {
		if r := t.stopped(recover()); r != nil {
			end = *r
		}
	}()
	t.s.begin(nil)
	_, task := t.spec.State.(*asl.Task)
	return *t.failure(failure{ErrorOutput: output, task: task})
}

// leave evaluates what the state makes of its result.
func (t *Trial) leave(flow *query.Flow, result value.Value, next string, shown bool) *TrialResult {
	scope := t.scope()
	if shown {
		if err := flow.InspectResult(scope, result, t.see); err != nil {
			return t.failed(err)
		}
	}
	output, selected, err := flow.Result(scope, result)
	if err != nil {
		return t.failed(err)
	}
	if err := t.assign(flow, selected); err != nil {
		return t.failed(err)
	}
	return t.end(TrialResult{Status: "SUCCEEDED", Output: t.s.document(t.b, output), Next: next})
}

// assign assigns variables, as the state leaves them.
func (t *Trial) assign(flow *query.Flow, selected value.Value) error {
	assigned, err := flow.AssignVariables(t.scope(), selected)
	if err != nil || len(assigned) == 0 {
		return err
	}
	vars, ok := t.s.assignable(t.b, assigned)
	if !ok {
		limit := variableLimit(t.b.state.Base().Name)
		return &query.Error{Name: *limit.Error, Cause: *limit.Cause}
	}
	t.s.x.assign(t.b, vars)
	return nil
}

// end ends the trial. The variables are shown as they are then, also of a state that
// fails: "the set will include variables assigned in the state and variables set up
// as test state input" (API reference, "InspectionData").
func (t *Trial) end(r TrialResult) *TrialResult {
	if len(t.b.vars) > 0 {
		all := value.NewObject(len(t.b.vars))
		for _, v := range t.b.vars {
			all.Set(v.Name, v.Value.Value())
		}
		t.see("variables", all.Value())
	}
	r.Inspection = t.seen.Value()
	return &r
}

// failed is the end of a state an expression of which failed.
func (t *Trial) failed(err error) *TrialResult { return t.failure(t.raised(err)) }

func (t *Trial) raised(err error) failure {
	if reader, ok := errors.AsType[*readerError](err); ok {
		return reader.failure
	}
	f, _ := t.s.unevaluated(t.b, err)
	return f
}

// failure has the state fail: it would be tried again, caught, or fail.
func (t *Trial) failure(f failure) *TrialResult {
	result := TrialResult{Status: "FAILED", Failure: f.ErrorOutput}
	retriers, catchers := handlers(t.spec.State)
	details := value.NewObject(3)
	for i := range retriers {
		if f.final || !f.matches(retriers[i].ErrorEquals) {
			continue
		}
		details.Set("retryIndex", value.Int(int64(i)))
		if t.spec.Retries < retriers[i].MaxAttempts {
			result.Status = "RETRIABLE"
			details.Set("retryBackoffIntervalSeconds", value.Int(t.s.pause(&retriers[i], t.spec.Retries)/1000))
		}
		break
	}
	for i := range catchers {
		if result.Status == "FAILED" && !f.final && f.matches(catchers[i].ErrorEquals) {
			details.Set("catchIndex", value.Int(int64(i)))
			t.catch(&catchers[i], f, &result)
			break
		}
	}
	if made := details.Value(); made.Len() > 0 {
		t.seen.Set("errorDetails", made)
	}
	return t.end(result)
}

func (t *Trial) catch(c *asl.Catcher, f failure, result *TrialResult) {
	output := errorOutput(f.ErrorOutput)
	scope := t.scope()
	scope.ErrorOutput = output
	made, selected, err := c.Flow.Result(scope, output)
	if err == nil {
		err = t.assign(&c.Flow, selected)
	}
	if err != nil {
		result.Failure = t.raised(err).ErrorOutput // the Catcher's own, which nobody catches
		return
	}
	result.Status, result.Output, result.Next = "CAUGHT_ERROR", value.DocOf(made), c.Next
}
