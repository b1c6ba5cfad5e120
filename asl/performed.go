package asl

import "fmt"

// Offer is what a server has for the tasks of state machines. The zero value has
// everything.
type Offer struct {
	// Recognized reports whether AWS has what a Task's Resource names; nil for no more
	// than what can be known from the text.
	Recognized func(Resource) bool
	// Lacks returns why a Task's Resource is not performed, "" for one that is; nil for
	// a server that performs them all. What is performed need not be recognized.
	Lacks func(Resource) string
}

// Runnable reads a definition that is to run: it returns the tree, and what is said
// about it. The tree is nil when a diagnostic is an error, and it is one that
// something is not performed, or that an Express machine must not have it.
func Runnable(definition []byte, express bool, offer Offer) (*StateMachine, []Diagnostic) {
	m, diagnostics := Parse(definition)
	if m == nil {
		return nil, diagnostics
	}
	var found []Diagnostic
	if express {
		found = ExpressUnsupported(m)
	}
	found = append(found, unrecognized(m, offer)...)
	found = append(found, notPerformed(m, express, offer, SeverityError)...)
	if diagnostics = append(diagnostics, found...); len(found) > 0 {
		return nil, diagnostics
	}
	return m, diagnostics
}

// has reports whether a resource is performed, and why not.
func (o Offer) has(r Resource) (why string, ok bool) {
	if o.Lacks == nil {
		return "", true
	}
	why = o.Lacks(r)
	return why, why == ""
}

// recognized reports whether AWS has a resource, or the server has it.
func (o Offer) recognized(r Resource) bool {
	if r.offered() && (o.Recognized == nil || o.Recognized(r)) {
		return true
	}
	_, performed := o.has(r)
	return performed && o.Lacks != nil
}

// notRecognized is said of a Resource that names nothing there is.
const notRecognized = "The resource provided %s is not recognized. The value is not a valid resource ARN, or the resource is not available in this region."

// eachTask visits the tasks of a machine whose Resource is one.
func eachTask(m *StateMachine, visit func(task *Task, resource Resource, path []string)) {
	walk(m.States, nil, func(st State, path []string) {
		if task, ok := st.(*Task); ok {
			if resource, ok := ParseResource(task.Resource); ok {
				visit(task, resource, append(path, "Resource"))
			}
		}
	})
}

// unrecognized names the tasks whose Resource AWS does not have.
func unrecognized(m *StateMachine, offer Offer) []Diagnostic {
	var found []Diagnostic
	eachTask(m, func(task *Task, resource Resource, path []string) {
		if !offer.recognized(resource) {
			d := problem(path, fmt.Sprintf(notRecognized, task.Resource))
			if near := nearestOptimized(resource); near != "" {
				d.Help = "did you mean " + near + "?"
			}
			found = append(found, d)
		}
	})
	return found
}

// notPerformed names what AWS has and the server does not perform: integrations
// and Distributed Maps, unless an Express machine must not have them anyway.
func notPerformed(m *StateMachine, express bool, offer Offer, severity Severity) []Diagnostic {
	var found []Diagnostic
	say := func(path []string, format string, args ...any) {
		found = append(found, Diagnostic{Severity: severity, Code: NotPerformed, Message: fmt.Sprintf(format, args...), Location: location(path), Path: path})
	}
	walk(m.States, nil, func(st State, path []string) {
		switch st := st.(type) {
		case *Map:
			if st.Distributed != nil && !express {
				say(path, "A Map with the mode DISTRIBUTED is valid on AWS, but not performed here.")
			}
		case *Task:
			resource, ok := ParseResource(st.Resource)
			if !ok || express && resource.expressLacks() != "" {
				return
			}
			if why, has := offer.has(resource); !has && offer.recognized(resource) {
				say(append(path, "Resource"), "The resource provided %s is valid on AWS, but not performed here: %s.", st.Resource, why)
			}
		case *Pass, *Choice, *Wait, *Succeed, *Fail, *Parallel:
		}
	})
	return found
}

// TaskLacking names what [Runnable] would hold against a task by itself.
func TaskLacking(task *Task, offer Offer) []Diagnostic {
	m := &StateMachine{States: &States{All: []State{task}}}
	return append(unrecognized(m, offer), notPerformed(m, false, offer, SeverityError)...)
}
