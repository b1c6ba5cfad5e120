package query

import (
	"slices"
	"strings"

	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/value"
)

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

// AfterInputPath is the state's input as InputPath leaves it. The scope's Input is
// the state's input.
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

// Arguments is the first stage: the effective input, and what the state works
// on, which Parameters make of it. The scope's Input is the state's input.
func (f *Flow) Arguments(s *Scope) (effective, arguments value.Value, err error) {
	if effective, err = f.AfterInputPath(s); err != nil || f.Parameters == nil {
		return effective, effective, err
	}
	inner := *s
	inner.Input = effective
	arguments, err = f.Parameters.Eval(&inner)
	return effective, arguments, err
}

// Result is the second stage: ResultSelector, ResultPath and OutputPath, or
// Output, make the state's output of its input, before InputPath, and its
// result. selected is the result after ResultSelector, which the third stage
// works on. The scope's Input is the state's input.
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

// AfterResultSelector is a result as ResultSelector leaves it.
func (f *Flow) AfterResultSelector(s *Scope, result value.Value) (value.Value, error) {
	if f.ResultSelector == nil {
		return result, nil
	}
	inner := *s
	inner.Input = result
	return f.ResultSelector.Eval(&inner)
}

// AfterOutputPath is what OutputPath picks of the input with the result in its place.
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

// made is the second stage of JSONata: what Output makes, the result where there
// is none.
func (f *Flow) jsonataOutput(s *Scope, result value.Value) (output, selected value.Value, err error) {
	if f.Output == nil {
		return result, result, nil
	}
	output, err = f.Output.Eval(f.withResult(s, result))
	return output, result, err
}

// withResult is a scope in which $states has the result.
func (f *Flow) withResult(s *Scope, result value.Value) *Scope {
	inner := *s
	if f.HasResult {
		inner.Result = result
	}
	return &inner
}

// AfterResultPath is the scope's input, that of the state before InputPath, with the result where ResultPath
// says.
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

// AssignVariables is the third stage: the variables that Assign makes of the
// result that the second stage selected, in the order of their names.
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

// Variables gives the names of the variables that the flow refers to.
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
