package query

import (
	"slices"
	"strings"

	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/value"
)

// # The data flow of a state
//
// Every state takes an input, works on arguments, gets a result, and passes an output
// on. In between the fields of the definition shape the data (spec, "Input and Output
// Processing"; developer guide, "Processing input and output in Step Functions"). For
// a Task in JSONPath:
//
//	input
//	  │  InputPath         picks a part of the input      (default $, null: {})
//	  ▼
//	effective input
//	  │  Parameters        makes the arguments of it      (default: as it is)
//	  ▼
//	arguments  ──────────▶ the work of the state
//	                          │
//	  ┌───────────────────────┘ result
//	  │  ResultSelector    makes another result of it     (default: as it is)
//	  │  Assign            makes variables of that
//	  ▼
//	  │  ResultPath        puts it into the input         (default $: in its place,
//	  ▼                                                    null: the input alone)
//	  │  OutputPath        picks the output of that       (default $, null: {})
//	  ▼
//	output
//
// ResultPath puts the result into the input of the state, not into the effective
// input: what InputPath has hidden is there again. The template of ResultSelector
// sees the result as $, so does that of Assign; both see the Context Object and the
// variables.
//
// JSONata needs fewer fields, since an expression sees everything at once, in
// $states:
//
//	Arguments   sees $states.input, $states.context            default: the input
//	Output      sees $states.result as well                    default: the result
//	Assign      sees the same as Output
//
// In a Catcher, Output and Assign see $states.errorOutput instead of a result, and
// ResultPath puts the Error Output. A Choice rule has an Assign, and in JSONata an
// Output, of its own.
//
// Variables that Assign sets are seen by the states after this one. OutputPath and
// Output see the values from before, in both languages: all expressions of a state are evaluated on the same variables (developer guide, "Passing data between states with variables").
//
// The stages are methods of Flow, called by the interpreter in the order arguments,
// result, variables. TestState shows what is in between; the methods for that have
// the names of InspectionData in the API model (afterInputPath, afterResultSelector,
// afterResultPath).

// Flow is what a state does to its data: the fields of those names in the
// definition, compiled. Parts that are nil have their default; the zero Flow
// passes everything through.
type Flow struct {
	// Language is the state's query language. It decides which of the fields
	// below may be set, and how the stages put them together.
	Language Language

	// InputPath picks the part of the state's input that it works on. A field
	// that is null in the definition (NullInputPath) stands for {}.
	InputPath     *Path
	NullInputPath bool
	// Parameters makes the arguments: the field Parameters of JSONPath,
	// Arguments of JSONata. Both are one stage, and no state has both.
	Parameters *Template
	// ResultSelector makes the result that the later stages see.
	ResultSelector *Template
	// ResultPath says where in the state's input the result is put. null
	// (NullResultPath) throws the result away.
	ResultPath     *jsonpath.Reference
	NullResultPath bool
	// OutputPath picks the state's output. null (NullOutputPath) stands for {}.
	OutputPath     *Path
	NullOutputPath bool

	// Output makes the state's output; it is JSONata's, in place of the four
	// fields above. HasResult reports whether $states.result is there for
	// Output and Assign: it is for Task, Parallel and Map states.
	Output    *Template
	HasResult bool

	// Assign makes the variables, in both languages.
	Assign *Template
}

// Assignment is a variable and its new value.
type Assignment struct {
	Name  string
	Value value.Value
}

// AfterInputPath returns the effective input: what InputPath picks of the scope's
// Input, which is the state's input. A path that leads nowhere is a States.Runtime
// "Invalid path" (recorded: test_invalid_jsonpath[ST.INVALID_JSONPATH_IN_INPUTPATH]).
func (f *Flow) AfterInputPath(s *Scope) (value.Value, error) {
	switch {
	case f.NullInputPath:
		return value.Obj(), nil
	case f.InputPath == nil:
		return s.Input, nil
	}
	v, err := f.InputPath.Eval(s)
	if err != nil {
		return v, f.InputPath.Invalid(err)
	}
	return v, nil
}

// Arguments is the first stage. It returns the effective input, and what the state
// works on, which Parameters make of it. The scope's Input is the state's input. In
// JSONata there is no InputPath, and Arguments stand in Parameters.
func (f *Flow) Arguments(s *Scope) (effective, arguments value.Value, err error) {
	if effective, err = f.AfterInputPath(s); err != nil || f.Parameters == nil {
		return effective, effective, err
	}
	inner := *s
	inner.Input = effective
	arguments, err = f.Parameters.Eval(&inner)
	return effective, arguments, err
}

// Result is the second stage: ResultSelector, ResultPath and OutputPath, or Output,
// make the state's output of its input, before InputPath, and its result. selected is
// the result after ResultSelector, which the third stage works on. The scope's Input
// is the state's input.
func (f *Flow) Result(s *Scope, result value.Value) (output, selected value.Value, err error) {
	if f.Language == JSONata {
		return f.jsonataOutput(s, result)
	}
	if selected, err = f.AfterResultSelector(s, result); err != nil {
		return output, selected, err
	}
	if output, err = f.AfterResultPath(s, selected); err != nil {
		return output, selected, err
	}
	output, err = f.AfterOutputPath(s, output)
	return output, selected, err
}

// AfterResultSelector returns what ResultSelector makes of a result, which is $ for
// its template.
func (f *Flow) AfterResultSelector(s *Scope, result value.Value) (value.Value, error) {
	if f.ResultSelector == nil {
		return result, nil
	}
	inner := *s
	inner.Input = result
	return f.ResultSelector.Eval(&inner)
}

// AfterOutputPath returns what OutputPath picks of the input with the result in its
// place. Its path may begin at a variable or at the Context Object as well.
func (f *Flow) AfterOutputPath(s *Scope, placed value.Value) (value.Value, error) {
	switch {
	case f.NullOutputPath:
		return value.Obj(), nil
	case f.OutputPath == nil:
		return placed, nil
	}
	inner := *s
	inner.Input = placed
	v, err := f.OutputPath.Eval(&inner)
	if err != nil {
		return v, f.OutputPath.Invalid(err)
	}
	return v, nil
}

// jsonataOutput is the second stage of JSONata: what Output makes, the result where
// there is none.
func (f *Flow) jsonataOutput(s *Scope, result value.Value) (output, selected value.Value, err error) {
	if f.Output == nil {
		return result, result, nil
	}
	output, err = f.Output.Eval(f.withResult(s, result))
	return output, result, err
}

// withResult returns a scope in which $states has the result, if the state type has
// one.
func (f *Flow) withResult(s *Scope, result value.Value) *Scope {
	inner := *s
	if f.HasResult {
		inner.Result = result
	}
	return &inner
}

// AfterResultPath returns the state's input, before InputPath, with the result where
// ResultPath says. A place that the input cannot have, such as a member of a number,
// is a States.ResultPathMatchFailure (spec, "Predefined Error Codes").
func (f *Flow) AfterResultPath(s *Scope, result value.Value) (v value.Value, err error) {
	input := s.Input
	switch {
	case f.NullResultPath:
		return input, nil
	case f.ResultPath == nil:
		return result, nil
	}
	defer s.Meter.Caught(&err)
	v, err = f.ResultPath.SetMetered(s.Meter, input, result)
	if err != nil {
		return v, &Error{
			Name:  "States.ResultPathMatchFailure",
			Cause: "Unable to apply ReferencePath " + f.ResultPath.String() + " to input " + shown(input),
		}
	}
	return v, nil
}

// AssignVariables is the third stage: it returns the variables that Assign makes of
// the result that the second stage selected, in the order of their names. JSONPath
// sees the result as $, JSONata as $states.result.
func (f *Flow) AssignVariables(s *Scope, selected value.Value) ([]Assignment, error) {
	if f.Assign == nil {
		return nil, nil
	}
	inner := f.withResult(s, selected)
	if f.Language == JSONPath {
		inner.Input = selected
	}
	v, err := f.Assign.Eval(inner)
	if err != nil {
		return nil, err
	}
	assigned := make([]Assignment, v.Len())
	for i, name := range v.Names() {
		assigned[i] = Assignment{name, v.At(i)}
	}
	slices.SortFunc(assigned, func(a, b Assignment) int { return strings.Compare(a.Name, b.Name) })
	return assigned, nil
}

// Variables returns the names of the variables that the flow refers to, each as often
// as it does.
func (f *Flow) Variables() []string {
	var names []string
	for _, p := range []*Path{f.InputPath, f.OutputPath} {
		if p != nil {
			names = append(names, p.Variables()...)
		}
	}
	for _, t := range []*Template{f.Parameters, f.ResultSelector, f.Output, f.Assign} {
		if t != nil {
			names = append(names, t.Variables()...)
		}
	}
	return names
}
