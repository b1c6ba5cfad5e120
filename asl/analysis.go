package asl

import (
	"slices"

	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// Questions about a whole machine are answered by walking over its states: walk
// visits each, outer ones first, with the path that leads to it in the definition,
// which becomes the location of a diagnostic. A visitor that keeps the path must copy
// it. What a walk is asked for:
//
// - whether an Express machine may have all that is in it (ExpressUnsupported),
// - which variables each state refers to (VariableReferences),
// - what a linter may find (lint.go), and what a server performs (performed.go).

// walk visits all states, outer ones first, with the path to each.
func walk(group *States, path []string, visit func(st State, path []string)) {
	if group == nil { // as it may be in a tree with errors
		return
	}
	for _, st := range group.All {
		at := append(slices.Clip(path), "States", st.Base().Name)
		visit(st, at)
		switch st := st.(type) {
		case *Parallel:
			for i, branch := range st.Branches {
				walk(branch, append(slices.Clip(at), "Branches", itoa(i)), visit)
			}
		case *Map:
			field := "ItemProcessor"
			if st.Legacy {
				field = "Iterator"
			}
			walk(st.Processor, append(slices.Clip(at), field), visit)
		case *Pass, *Task, *Choice, *Wait, *Succeed, *Fail:
		}
	}
}

// problem makes an error of the schema.
func problem(path []string, message string) Diagnostic {
	return Diagnostic{Severity: SeverityError, Code: SchemaValidationFailed, Message: message, Location: location(path), Path: path}
}

// ExpressUnsupported returns an error for all that a machine has and Express machines
// must not: activities, task tokens, jobs, Distributed Maps (developer guide,
// "Choosing workflow type").
func ExpressUnsupported(m *StateMachine) []Diagnostic {
	found := expressTasks(m.States, nil)
	walk(m.States, nil, func(st State, path []string) {
		if st, ok := st.(*Map); ok && st.Distributed != nil {
			at := append(path, "ItemProcessor", "ProcessorConfig", "Mode")
			if st.Legacy {
				at[len(path)] = "Iterator"
			}
			found = append(found, problem(at, "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines"))
		}
	})
	return found
}

// expressTasks returns an error for each task that Express executions must not have.
func expressTasks(states *States, path []string) []Diagnostic {
	var found []Diagnostic
	walk(states, path, func(st State, path []string) {
		task, ok := st.(*Task)
		if !ok {
			return
		}
		resource, _ := ParseResource(task.Resource)
		if why := resource.expressLacks(); why != "" {
			found = append(found, problem(append(path, "Resource"), why))
		}
	})
	return found
}

// expressLacks returns why Express executions must not have a task, in AWS's words,
// "" where they may. The blank at the end of two of them is AWS's.
func (r Resource) expressLacks() string {
	switch {
	case r.Kind == ActivityResource:
		return "Express state machine does not support Activity ARN"
	case r.Pattern == WaitForTaskToken:
		return "Express state machine does not support '.waitForTaskToken' service integration "
	case r.Pattern == RunJob:
		return "Express state machine does not support '.sync' service integration "
	}
	return ""
}

// VariableReferences returns for each state the variables it refers to, in the order
// of their names (DescribeStateMachine, variableReferences). States that refer to
// none are left out.
func VariableReferences(m *StateMachine) value.Value {
	refs := value.NewObject(0)
	walk(m.States, nil, func(st State, _ []string) {
		names := st.Base().Flow.Variables()
		names = append(names, ownVariables(st)...)
		if len(names) == 0 {
			return
		}
		slices.Sort(names)
		names = slices.Compact(names)
		list := make([]value.Value, len(names))
		for i, name := range names {
			list[i] = value.Str(name)
		}
		refs.Set(st.Base().Name, value.Arr(list...))
	})
	return refs.Value()
}

// ownVariables returns the variables that the fields of a state's own type refer to.
// A new field that can hold a path or an expression must be added here.
func ownVariables(st State) []string {
	var names []string
	path := func(p *query.Path) {
		if p != nil {
			names = append(names, p.Variables()...)
		}
	}
	template := func(t *query.Template) {
		if t != nil {
			names = append(names, t.Variables()...)
		}
	}
	seconds := func(list ...*Integer) {
		for _, s := range list {
			if s != nil {
				path(s.Path)
				template(s.Expr)
			}
		}
	}
	catch := func(list []Catcher) {
		for i := range list {
			names = append(names, list[i].Flow.Variables()...)
		}
	}
	switch st := st.(type) {
	case *Task:
		seconds(st.Timeout, st.Heartbeat)
		template(st.Credentials)
		catch(st.Catch)
	case *Choice:
		for i := range st.Choices {
			ruleVariables(st.Choices[i].Rule, path)
			template(st.Choices[i].Condition)
			template(st.Choices[i].Flow.Assign)
			template(st.Choices[i].Flow.Output)
		}
	case *Wait:
		seconds(st.Seconds)
		if st.Timestamp != nil {
			path(st.Timestamp.Path)
			template(st.Timestamp.Expr)
		}
	case *Fail:
		for _, t := range []*Text{st.Error, st.Cause} {
			if t != nil {
				path(t.Path)
				template(t.Expr)
			}
		}
	case *Parallel:
		catch(st.Catch)
	case *Map:
		path(st.ItemsPath)
		template(st.Items)
		template(st.ItemSelector)
		seconds(st.Concurrency, st.ToleratedCount, st.ToleratedPercentage)
		if d := st.Distributed; d != nil {
			if d.ItemReader != nil {
				template(d.ItemReader.Arguments)
				seconds(d.ItemReader.MaxItems)
			}
			if d.ItemBatcher != nil {
				template(d.ItemBatcher.BatchInput)
				seconds(d.ItemBatcher.MaxItems, d.ItemBatcher.MaxBytes)
			}
			if d.ResultWriter != nil {
				template(d.ResultWriter.Arguments)
			}
		}
		catch(st.Catch)
	case *Pass, *Succeed:
	}
	return names
}

// ruleVariables calls path with all paths of a rule.
func ruleVariables(rule Rule, path func(*query.Path)) {
	switch rule := rule.(type) {
	case *And:
		for _, r := range rule.Rules {
			ruleVariables(r, path)
		}
	case *Or:
		for _, r := range rule.Rules {
			ruleVariables(r, path)
		}
	case *Not:
		ruleVariables(rule.Rule, path)
	case *Comparison:
		path(rule.Variable)
		path(rule.Path)
	}
}
