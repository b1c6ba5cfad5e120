// Package asl is the Amazon States Language as a tree: parsing, validation, and
// diagnostics in AWS's words.
//
//	m, diagnostics := asl.Parse(definition)
//	for _, d := range diagnostics {
//		at := d.Locate(definition)
//		fmt.Printf("%d:%d: %s %s\n", at.Line, at.Column, d.Severity, d.Message)
//	}
//	if m == nil {
//		return errors.New(asl.InvalidDefinition(diagnostics))
//	}
//	m.Walk(func(st asl.State) {
//		if task, ok := st.(*asl.Task); ok {
//			fmt.Println(task.Name, task.Resource)
//		}
//	})
//
// A parsed [StateMachine] is immutable and holds no run-time state, so any number of
// executions may share it. All expressions in it are compiled, and all transitions
// are pointers: Next has the name, To the state.
//
// [Parse] reads a definition, [Runnable] one that is to run on a server that performs
// some integrations and not others, and [Validate] is the operation
// ValidateStateMachineDefinition.
//
// Stability: promised after 1.0.
package asl

import "github.com/steppehq/steppe/query"

// StateMachine is a parsed definition (spec, "Top-level fields").
type StateMachine struct {
	Comment       string
	Version       string
	QueryLanguage query.Language
	// TimeoutSeconds bounds an execution; 0 is no bound.
	TimeoutSeconds int64
	States         *States

	weight int64
}

// Weight is about how many bytes of memory the parsed machine holds, its
// expressions and regular expressions included.
func (m *StateMachine) Weight() int64 { return m.weight }

// States is a group of states of which one is the first: the top level of a
// state machine, a branch of a Parallel state, the processor of a Map state.
type States struct {
	Comment string
	StartAt string
	Start   State
	// All holds the states in the order of the definition.
	All    []State
	byName map[string]State
}

// State returns the named state of the group, nil when there is none.
func (s *States) State(name string) State { return s.byName[name] }

// State is one of the eight state types: [*Pass], [*Task], [*Choice], [*Wait],
// [*Succeed], [*Fail], [*Parallel], [*Map].
//
//sumtype:decl
type State interface {
	// Base returns what all state types have.
	Base() *Common
	state()
}

// Common holds what all state types have.
type Common struct {
	Name    string
	Type    string // "Pass", as it is written in the definition
	Comment string
	// Language is the state's own query language, or the machine's.
	Language query.Language
	// Flow is the state's data flow: InputPath, Parameters, Arguments,
	// ResultSelector, ResultPath, OutputPath, Output, Assign.
	Flow query.Flow
	// Next names the state that follows; "" when the state ends its group,
	// and for Choice, Succeed and Fail.
	Next string
	// To is the state that Next names.
	To State
}

// Base returns b itself.
func (b *Common) Base() *Common { return b }

func (*Pass) state()     {}
func (*Task) state()     {}
func (*Choice) state()   {}
func (*Wait) state()     {}
func (*Succeed) state()  {}
func (*Fail) state()     {}
func (*Parallel) state() {}
func (*Map) state()      {}
