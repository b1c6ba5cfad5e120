package query

import "github.com/steppehq/steppe/value"

// See takes a value that a stage has made on its way, under its name in the API model's
// InspectionData.
type See func(name string, v value.Value)

// InspectInput is [Flow.AfterInputPath], and shows the effective input where there is
// an InputPath: in JSONPath.
func (f *Flow) InspectInput(s *Scope, see See) (value.Value, error) {
	effective, err := f.AfterInputPath(s)
	if err == nil && f.Language == JSONPath {
		see("afterInputPath", effective)
	}
	return effective, err
}

// InspectArguments is the first stage, and shows what [Flow.Arguments] returns. What
// was made before an error is shown too.
func (f *Flow) InspectArguments(s *Scope, see See) (value.Value, error) {
	effective, arguments, err := f.Arguments(s)
	after := "afterArguments"
	if f.Language == JSONPath {
		after = "afterParameters"
		if !effective.IsUndefined() {
			see("afterInputPath", effective)
		}
	}
	if err == nil {
		see(after, arguments)
	}
	return arguments, err
}

// InspectResult shows what the second stage makes of a result before OutputPath. In
// JSONata it has no parts to be shown.
func (f *Flow) InspectResult(s *Scope, result value.Value, see See) error {
	if f.Language != JSONPath {
		return nil
	}
	selected, err := f.AfterResultSelector(s, result)
	if err != nil {
		return err
	}
	see("afterResultSelector", selected)
	placed, err := f.AfterResultPath(s, selected)
	if err != nil {
		return err
	}
	see("afterResultPath", placed)
	return nil
}

// InspectItems is [Flow.ItemsOf], and shows in JSONPath what InputPath and ItemsPath
// have picked.
func (f *Flow) InspectItems(s *Scope, path *Path, items *Template, see See) (value.Value, error) {
	found, err := f.ItemsOf(s, path, items)
	if err != nil || f.Language != JSONPath {
		return found, err
	}
	if _, err := f.InspectInput(s, see); err != nil {
		return found, err
	}
	see("afterItemsPath", found)
	return found, nil
}
