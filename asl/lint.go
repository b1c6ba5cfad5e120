package asl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// maxLint bounds the warnings of a definition that AWS does not have.
const maxLint = maxDiagnostics

// linter looks for names in a definition that nothing has. A name that some state
// assigns counts everywhere: whether it is assigned on each way to a state cannot be
// known from the text.
type linter struct {
	root      value.Value
	variables map[string]bool // that some state assigns
	found     []Diagnostic
}

// lint returns warnings that AWS does not have: of what is likely a slip, as far as
// the text alone shows. m may be a tree with parts missing.
func lint(m *StateMachine, definition []byte) []Diagnostic {
	l := &linter{variables: make(map[string]bool)}
	var err error
	if l.root, err = value.Decode(definition); err != nil {
		return nil
	}
	for _, d := range value.Duplicates(definition, maxLint) {
		l.warn(DuplicateMember, d.Path, "take one of them out, or give it another name", "The name '%s' stands in this object more than once, first at line %d, column %d; only this one is taken.",
			d.Path[len(d.Path)-1], d.First.Line, d.First.Column)
	}
	walk(m.States, nil, func(_ State, path []string) { l.assigned(at(l.root, path)) })
	walk(m.States, nil, func(st State, path []string) { l.state(st, at(l.root, path), path) })
	return l.found
}

// LintExpression returns the warnings about one expression of JSONata ("{% … %}") by
// itself: any variable may be there, but no function that does not exist.
func LintExpression(text string) []Diagnostic {
	l := new(linter)
	l.expression(text, nil)
	return l.found
}

// at returns the part of a value to which a path leads.
func at(v value.Value, path []string) value.Value {
	for _, part := range path {
		if n, err := strconv.Atoi(part); err == nil && v.Kind() == value.Array && n < v.Len() {
			v = v.At(n)
			continue
		}
		v = v.Get(part)
	}
	return v
}

// warn adds a warning, unless there are enough.
func (l *linter) warn(code Code, path []string, help, format string, args ...any) {
	if len(l.found) == maxLint {
		return
	}
	path = slices.Clone(path)
	l.found = append(l.found, Diagnostic{
		Severity: SeverityWarning, Code: code, Message: shortened(fmt.Sprintf(format, args...)), Location: location(path), Path: path, Help: help,
	})
}

// didYouMean returns the help for a name that does not exist, when there is one near
// it. prefix stands before both.
func didYouMean(prefix, name string, names []string) string {
	if len(names) > maxLint {
		return ""
	}
	if near := Nearest(name, names); near != "" {
		return "did you mean " + prefix + near + "?"
	}
	return ""
}

// assigned notes the variables that a state assigns.
func (l *linter) assigned(v value.Value) {
	for _, name := range v.Get("Assign").Names() {
		l.variables[strings.TrimSuffix(name, ".$")] = true
	}
	for _, field := range []string{"Catch", "Choices"} {
		for _, item := range v.Get(field).Items() {
			l.assigned(item)
		}
	}
}

// notEvaluated are the fields of states in which no expression stands, or whose
// states are looked at by themselves.
var notEvaluated = []string{"Branches", "Comment", "ErrorEquals", "ItemProcessor", "Iterator", "Label", "Next", "Resource", "Type"}

// state looks at one state; v is its text, which says more than the tree does about
// what was written where.
func (l *linter) state(st State, v value.Value, path []string) {
	base := st.Base()
	for i, name := range v.Names() {
		if !slices.Contains(notEvaluated, name) {
			l.texts(v.At(i), append(slices.Clip(path), name), base.Language)
		}
	}
	if base.Language == query.JSONPath {
		names := append(base.Flow.Variables(), ownVariables(st)...)
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			l.variable(name, path)
		}
	}
	for _, field := range []string{"Retry", "Catch"} {
		for i, handler := range v.Get(field).Items() {
			for j, name := range handler.Get("ErrorEquals").Items() {
				l.errorName(name.Str(), append(slices.Clip(path), field, itoa(i), "ErrorEquals", itoa(j)))
			}
		}
	}
	if task, ok := st.(*Task); ok {
		l.parameters(task, v, path)
	}
}

// texts looks at the texts of a field.
func (l *linter) texts(v value.Value, path []string, language query.Language) {
	for i, item := range v.Items() {
		name := itoa(i)
		if v.Kind() == value.Object {
			name = v.Names()[i]
		}
		if name != "ErrorEquals" {
			l.texts(item, append(slices.Clip(path), name), language)
		}
	}
	text := strings.TrimSpace(v.Str())
	expression := query.IsExpression(v)
	switch {
	case language == query.JSONata && expression:
		l.expression(text, path)
	case language == query.JSONata && (looksLikePath(text) || strings.HasPrefix(text, "$states.")):
		l.warn(NoExpression, path, `write "{% `+shortened(text)+` %}"`, "The text looks like an expression, but is passed on as it is.")
	case language == query.JSONPath && expression:
		l.warn(NoExpression, path, `give the state "QueryLanguage": "JSONata"`, "The text looks like a JSONata expression, but the state's query language is JSONPath: it is passed on as it is.")
	}
}

// statesMembers are the members of $states.
var statesMembers = []string{"context", "errorOutput", "input", "result"}

// expression looks at the names that an expression of JSONata takes from outside.
func (l *linter) expression(text string, path []string) {
	text = strings.TrimSpace(text[2 : len(text)-2])
	x, err := jsonata.Compile(text, jsonata.Options{StepFunctions: true})
	if err != nil {
		return // it is an error, and reported as one
	}
	runes := []rune(text)
	for _, ref := range x.References().Variables {
		after := strings.TrimSpace(string(runes[min(ref.Position, len(runes)):]))
		switch {
		case ref.Name == "states":
			if len(ref.Steps) > 0 && !slices.Contains(statesMembers, ref.Steps[0]) {
				l.warn(UnknownVariable, path, didYouMean("$states.", ref.Steps[0], statesMembers), "$states has no member '%s'; it has %s.", ref.Steps[0], strings.Join(statesMembers, ", "))
			}
		case l.variables[ref.Name]:
		case strings.HasPrefix(after, "("):
			l.warn(UnknownFunction, path, didYouMean("$", ref.Name, jsonata.FunctionNames()), "There is no function $%s: neither do JSONata and Step Functions have one, nor does the expression define it.", ref.Name)
		default:
			l.variable(ref.Name, path)
		}
	}
}

// variable warns of a variable that no state assigns.
func (l *linter) variable(name string, path []string) {
	if l.variables[name] || len(l.found) == maxLint {
		return
	}
	names := make([]string, 0, len(l.variables))
	for known := range l.variables {
		names = append(names, known)
	}
	l.warn(UnknownVariable, path, didYouMean("$", name, names), "No state assigns the variable $%s.", name)
}

// reservedErrors are the Error Names that the language reserves (Step Functions
// Developer Guide, "Error names").
var reservedErrors = []string{
	"States.ALL", "States.BranchFailed", "States.DataLimitExceeded", "States.ExceedToleratedFailureThreshold", "States.HeartbeatTimeout",
	"States.Http.Socket", "States.IntrinsicFailure", "States.ItemReaderFailed", "States.NoChoiceMatched", "States.ParameterPathFailure",
	"States.Permissions", "States.QueryEvaluationError", "States.ResultPathMatchFailure", "States.ResultWriterFailed", "States.Runtime",
	"States.TaskFailed", "States.Timeout",
}

// errorName warns of an Error Name that begins like a reserved one and is none.
func (l *linter) errorName(name string, path []string) {
	first, _, _ := strings.Cut(name, ".")
	if !strings.EqualFold(first, "States") && !strings.EqualFold(first, "State") ||
		slices.Contains(reservedErrors, name) || strings.HasPrefix(name, "States.Http.StatusCode.") {
		return
	}
	l.warn(UnknownErrorName, path, didYouMean("", name, reservedErrors), "The Error Name '%s' is none that Step Functions has; nothing fails with it unless a Fail state or a function does.", name)
}

// invokeParameters are those of lambda:invoke (AWS Lambda API, Invoke).
var invokeParameters = []string{"ClientContext", "FunctionName", "InvocationType", "LogType", "Payload", "Qualifier"}

// parameters warns of parameters of lambda:invoke that Invoke does not have.
func (l *linter) parameters(task *Task, v value.Value, path []string) {
	if r, _ := ParseResource(task.Resource); r.Kind != ServiceResource || r.Service != "lambda" {
		return
	}
	for _, field := range []string{"Parameters", "Arguments"} {
		for _, name := range v.Get(field).Names() {
			if bare := strings.TrimSuffix(name, ".$"); !slices.Contains(invokeParameters, bare) {
				l.warn(UnknownParameter, append(slices.Clip(path), field, name), didYouMean("", bare, invokeParameters),
					"lambda:invoke has no parameter '%s'; it has %s.", bare, strings.Join(invokeParameters, ", "))
			}
		}
	}
}
