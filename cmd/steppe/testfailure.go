package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/value"
)

// checkMocks refuses mocks of states that the definition does not have, or that no
// mock answers: they would be passed over.
func (s *testSuite) checkMocks() error {
	tasks := make(map[string]bool)
	var names []string
	s.machine.Walk(func(st asl.State) {
		_, isTask := st.(*asl.Task)
		name := st.Base().Name
		tasks[name] = tasks[name] || isTask
		if isTask {
			names = append(names, name)
		}
	})
	for i := range s.cases {
		for _, state := range sortedKeys(s.cases[i].steps) {
			isTask, there := tasks[state]
			switch near := asl.Nearest(state, names); {
			case isTask:
			case there:
				return fmt.Errorf("%s: case %s: the state %s has a mock, but is no Task", s.file, s.cases[i].Name, state)
			case near != "":
				return fmt.Errorf("%s: case %s: there is no state '%s' to be mocked; did you mean '%s'?", s.file, s.cases[i].Name, state, near)
			default:
				return fmt.Errorf("%s: case %s: there is no state '%s' to be mocked; the Task states are %s", s.file, s.cases[i].Name, state, strings.Join(names, ", "))
			}
		}
	}
	return nil
}

// noCase reports that --run has named no case.
func (c *testCommand) noCase(names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("there are no cases in %s", strings.Join(c.Files, ", "))
	}
	if near := asl.Nearest(c.Only, names); near != "" {
		return fmt.Errorf("no case has '%s' in its name; did you mean '%s'?", c.Only, near)
	}
	return fmt.Errorf("no case has '%s' in its name; there are: %s", c.Only, strings.Join(names, ", "))
}

// treeOf returns the events of an execution as lines.
func treeOf(events []history.Event, con *console) []string {
	var b strings.Builder
	tree := newTree(&console{out: &b, err: &b, colours: con.colours, width: max(0, con.width-len(caseIndent))})
	for i := range events {
		tree.show(&events[i])
	}
	return strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
}

// caseIndent stands before the lines about a case.
const caseIndent = "    "

// maxDifferences bounds the places that are told of two values.
const maxDifferences = 10

// differences reports where a value is not what it should be.
func differences(got, want value.Value) []string {
	var found []string
	differ(got, want, "$", &found)
	if more := len(found) - maxDifferences; more > 0 {
		found = append(found[:maxDifferences], fmt.Sprintf("and %d more differences", more))
	}
	return found
}

func differ(got, want value.Value, path string, found *[]string) {
	switch {
	case value.Equal(got, want):
	case got.Kind() == value.Object && want.Kind() == value.Object:
		names := append(slices.Clone(want.Names()), got.Names()...)
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			differ(got.Get(name), want.Get(name), path+"."+name, found)
		}
	case got.Kind() == value.Array && want.Kind() == value.Array:
		for i := range max(got.Len(), want.Len()) {
			var a, b value.Value
			if i < got.Len() {
				a = got.At(i)
			}
			if i < want.Len() {
				b = want.At(i)
			}
			differ(a, b, fmt.Sprintf("%s[%d]", path, i), found)
		}
	case got.IsUndefined():
		*found = append(*found, fmt.Sprintf("%s is missing; it should be %s", path, want))
	case want.IsUndefined():
		*found = append(*found, fmt.Sprintf("%s is %s; it should not be there", path, got))
	default:
		*found = append(*found, fmt.Sprintf("%s is %s; it should be %s", path, got, want))
	}
}
