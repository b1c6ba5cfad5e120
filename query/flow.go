package query

import (
	"slices"
	"strings"

	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/value"
)

// Flow is what a state does to its data. Parts that are nil have their default;
// the zero Flow passes everything through.
type Flow struct {
	// Input is InputPath; NoInput is InputPath null.
	Input   *Path
	NoInput bool
	// Parameters makes the arguments.
	Parameters *Template
	// Selector is ResultSelector.
	Selector *Template
	// Place is ResultPath; NoResult is ResultPath null.
	Place    *jsonpath.Reference
	NoResult bool
	// Output is OutputPath; NoOutput is OutputPath null.
	Output   *Path
	NoOutput bool
	// Assign makes the variables.
	Assign *Template

	// JSONata states have Arguments in Parameters, Assign, and these:
	// Language tells them; Made is Output; Results tells that $states has a
	// result.
	Language Language
	Made     *Template
	Results  bool
}

// Assignment is a variable and its new value.
type Assignment struct {
	Name  string
	Value value.Value
}

// Effective is the state's input as InputPath leaves it. The scope's Input is
// the state's input.
func (f *Flow) Effective(s *Scope) (value.Value, error) {
	switch {
	case f.NoInput:
		return value.Obj(), nil
	case f.Input == nil:
		return s.Input, nil
	}
	v, err := f.Input.Eval(s)
	if err != nil {
		return v, f.Input.Invalid(err)
	}
	return v, nil
}

// Arguments is the first stage: the effective input, and what the state works
// on, which Parameters make of it. The scope's Input is the state's input.
func (f *Flow) Arguments(s *Scope) (effective, arguments value.Value, err error) {
	if effective, err = f.Effective(s); err != nil || f.Parameters == nil {
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
		return f.made(s, result)
	}
	if selected, err = f.Selected(s, result); err != nil {
		return output, selected, err
	}
	if output, err = f.Placed(s, selected); err != nil {
		return output, selected, err
	}
	output, err = f.Outgoing(s, output)
	return output, selected, err
}

// Selected is a result as ResultSelector leaves it.
func (f *Flow) Selected(s *Scope, result value.Value) (value.Value, error) {
	if f.Selector == nil {
		return result, nil
	}
	inner := *s
	inner.Input = result
	return f.Selector.Eval(&inner)
}

// Outgoing is what OutputPath picks of the input with the result in its place.
func (f *Flow) Outgoing(s *Scope, placed value.Value) (value.Value, error) {
	switch {
	case f.NoOutput:
		return value.Obj(), nil
	case f.Output == nil:
		return placed, nil
	}
	inner := *s
	inner.Input = placed
	v, err := f.Output.Eval(&inner)
	if err != nil {
		return v, f.Output.Invalid(err)
	}
	return v, nil
}

// made is the second stage of JSONata: what Output makes, the result where there
// is none.
func (f *Flow) made(s *Scope, result value.Value) (output, selected value.Value, err error) {
	if f.Made == nil {
		return result, result, nil
	}
	output, err = f.Made.Eval(f.resulted(s, result))
	return output, result, err
}

// resulted is a scope in which $states has the result.
func (f *Flow) resulted(s *Scope, result value.Value) *Scope {
	inner := *s
	if f.Results {
		inner.Result = result
	}
	return &inner
}

// Placed is the scope's input, that of the state before InputPath, with the result where ResultPath
// says.
func (f *Flow) Placed(s *Scope, result value.Value) (v value.Value, err error) {
	input := s.Input
	switch {
	case f.NoResult:
		return input, nil
	case f.Place == nil:
		return result, nil
	}
	defer s.Meter.Caught(&err)
	v, err = f.Place.SetMetered(s.Meter, input, result)
	if err != nil {
		return v, &Error{
			Name:  "States.ResultPathMatchFailure",
			Cause: "Unable to apply ReferencePath " + f.Place.String() + " to input " + shown(input),
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
	inner := f.resulted(s, selected)
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
	for _, p := range []*Path{f.Input, f.Output} {
		if p != nil {
			names = append(names, p.Variables()...)
		}
	}
	for _, t := range []*Template{f.Parameters, f.Selector, f.Made, f.Assign} {
		if t != nil {
			names = append(names, t.Variables()...)
		}
	}
	return names
}
