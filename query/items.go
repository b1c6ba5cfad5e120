package query

import "github.com/steppehq/steppe/value"

// ItemsOf returns the array that a Map state iterates over. The scope's Input is the
// state's input.
//
// In JSONPath path is the field ItemsPath, which picks it from the effective input, nil
// for the effective input itself. In JSONata items is the field Items, nil for the
// state's input. What is no array is an error in both: States.Runtime in the first,
// States.QueryEvaluationError in the second (spec, "Map State").
func (f *Flow) ItemsOf(s *Scope, path *Path, items *Template) (value.Value, error) {
	effective, _, err := f.Arguments(s)
	if err != nil {
		return value.Value{}, err
	}
	inner := *s
	if f.Language == JSONata {
		return jsonataItems(&inner, items)
	}
	found, name := effective, "$"
	if path != nil {
		inner.Input, name = effective, path.String()
		if found, err = path.Eval(&inner); err != nil {
			return value.Value{}, path.Invalid(err)
		}
	}
	if found.Kind() != value.Array {
		return value.Value{}, runtimeError("Reference path \""+name+"\" must point to array.", nil)
	}
	return found, nil
}

func jsonataItems(s *Scope, items *Template) (value.Value, error) {
	if items != nil {
		return items.EvalAs(s, value.Array)
	}
	if s.Input.Kind() != value.Array {
		return value.Value{}, &Error{Name: evaluationError, Cause: "Map state input must be an array but was: " + shown(s.Input)}
	}
	return s.Input, nil
}

// ArgumentsField is the name of the field that makes the arguments of a state:
// Parameters, or Arguments in JSONata.
func (f *Flow) ArgumentsField() string {
	if f.Language == JSONata {
		return "Arguments"
	}
	return "Parameters"
}

// RecordsFailures reports whether an evaluation that fails has an event of its own in
// the history: EvaluationFailed, which there is for JSONata only (API reference,
// "EvaluationFailedEventDetails").
func (f *Flow) RecordsFailures() bool { return f.Language == JSONata }
