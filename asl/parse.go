package asl

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// Limits of definitions.
const (
	maxStateName = 80
	maxNesting   = 100
)

// Parse reads a definition: the tree, and what is to be said about it. The tree
// is nil when a diagnostic is an error.
func Parse(definition []byte) (*StateMachine, []Diagnostic) {
	v, err := value.Decode(definition)
	if err != nil && strings.TrimSpace(string(definition)) == "" || err == nil && v.Kind() != value.Object {
		return nil, []Diagnostic{{Severity: SeverityError, Code: SchemaValidationFailed, Message: "Definition must be a valid JSON object"}}
	}
	if err != nil {
		message := value.JacksonMessage(definition)
		d := Diagnostic{Severity: SeverityError, Code: InvalidJSONDescription, Message: message}
		if _, at, ok := strings.Cut(message, "\n at "); ok {
			d.Location = at
		}
		return nil, []Diagnostic{d}
	}
	return ParseValue(v)
}

// ParseValue is [Parse] of a decoded definition.
func ParseValue(v value.Value) (*StateMachine, []Diagnostic) {
	p := &parser{names: make(map[string]bool)}
	m := p.machine(v)
	for _, d := range p.diagnostics {
		if d.Severity == SeverityError {
			return nil, p.diagnostics
		}
	}
	return m, p.diagnostics
}

type parser struct {
	language    query.Language // the machine's
	names       map[string]bool
	diagnostics []Diagnostic
	depth       int
}

func (p *parser) report(severity Severity, code Code, path []string, message string) {
	p.diagnostics = append(p.diagnostics, Diagnostic{
		Severity: severity, Code: code, Message: message, Location: location(path), Path: slices.Clone(path),
	})
}

func (p *parser) fail(path []string, format string, args ...any) {
	p.report(SeverityError, SchemaValidationFailed, path, fmt.Sprintf(format, args...))
}

// object is a JSON object of a definition while its fields are read.
type object struct {
	p     *parser
	value value.Value
	path  []string
	known []string
}

func (p *parser) object(v value.Value, path []string) *object {
	return &object{p: p, value: v, path: path}
}

func (o *object) at(field string) []string { return append(slices.Clip(o.path), field) }

func (o *object) fail(field, format string, args ...any) { o.p.fail(o.at(field), format, args...) }

// get gives a field and remembers that it is known.
func (o *object) get(field string) (value.Value, bool) {
	o.known = append(o.known, field)
	return o.value.Lookup(field)
}

func (o *object) has(field string) bool {
	_, ok := o.value.Lookup(field)
	return ok
}

// of gives a field that must be of a kind. It is false when the field is not
// there or is of another kind, which is reported.
func (o *object) of(field string, kind value.Kind) (value.Value, bool) {
	v, ok := o.get(field)
	if ok && v.Kind() != kind {
		o.fail(field, "Expected value of type %s", titled(kind))
		return v, false
	}
	return v, ok
}

func titled(k value.Kind) string {
	name := k.String()
	return strings.ToUpper(name[:1]) + name[1:]
}

func (o *object) str(field string) string {
	v, _ := o.of(field, value.String)
	return v.Str()
}

// integer gives a field that must be a whole number in a range.
func (o *object) integer(field string, low, high, otherwise int64) int64 {
	v, ok := o.of(field, value.Number)
	if !ok {
		return otherwise
	}
	n, whole := v.Int64()
	switch {
	case !whole:
		o.fail(field, "Expected value of type Integer")
	case n < low:
		o.fail(field, "Numeric value must be greater than or equal to %d", low)
	case n > high:
		o.fail(field, "Numeric value must be less than or equal to %d", high)
	default:
		return n
	}
	return otherwise
}

// require reports the fields that are not there.
func (o *object) require(fields ...string) {
	missing := slices.DeleteFunc(fields, o.has)
	if len(missing) > 0 {
		o.p.fail(o.path, "These fields are required: [%s]", strings.Join(missing, ", "))
	}
}

// exclusive reports when more than one of the fields is there; one must be
// when required.
func (o *object) exclusive(required bool, fields ...string) {
	there := slices.DeleteFunc(slices.Clone(fields), func(f string) bool { return !o.has(f) })
	switch {
	case len(there) > 1:
		o.p.fail(o.path, "Only one of these fields is allowed: [%s]", strings.Join(there, ", "))
	case len(there) == 0 && required:
		o.p.fail(o.path, "Exactly one of these fields is required: [%s]", strings.Join(fields, ", "))
	}
}

// done reports the fields that nobody asked for.
func (o *object) done() {
	for _, name := range o.value.Names() {
		if !slices.Contains(o.known, name) {
			o.fail(name, "Field is not supported")
		}
	}
}

// each calls visit with the items of a field that must be an array.
func (o *object) each(field string, visit func(item value.Value, path []string)) {
	list, ok := o.of(field, value.Array)
	if !ok {
		return
	}
	if list.Len() == 0 {
		o.fail(field, "Value cannot be empty")
	}
	for i, item := range list.Items() {
		visit(item, append(o.at(field), fmt.Sprint(i)))
	}
}

func (p *parser) machine(v value.Value) *StateMachine {
	o := p.object(v, nil)
	m := &StateMachine{Comment: o.str("Comment"), Version: o.str("Version")}
	if m.Version != "" && m.Version != "1.0" {
		o.fail("Version", "Version must be '1.0'")
	}
	m.QueryLanguage, _ = o.language()
	p.language = m.QueryLanguage
	m.TimeoutSeconds = o.integer("TimeoutSeconds", 0, 99999999, 0)
	m.States = p.states(o)
	o.done()
	return m
}

// language reads QueryLanguage.
func (o *object) language() (query.Language, bool) {
	switch text := o.str("QueryLanguage"); text {
	case "":
		return query.JSONPath, false
	case "JSONPath":
		return query.JSONPath, true
	case "JSONata":
		return query.JSONata, true
	default:
		o.fail("QueryLanguage", "Value is not valid, must be one of [JSONPath, JSONata]")
	}
	return query.JSONPath, false
}

// states reads StartAt and States of a machine, branch or processor.
func (p *parser) states(o *object) *States {
	p.depth++
	defer func() { p.depth-- }()
	o.require("StartAt", "States")
	group := &States{StartAt: o.str("StartAt"), byName: make(map[string]State)}
	all, ok := o.of("States", value.Object)
	if !ok {
		return group
	}
	if p.depth > maxNesting {
		p.report(SeverityError, TooDeeplyNested, o.path, "States are nested too deeply")
		return group
	}
	if all.Len() == 0 {
		o.fail("States", "Value cannot be empty")
	}
	for i, name := range all.Names() {
		path := append(o.at("States"), name)
		p.stateName(name, path)
		if st := p.state(name, all.At(i), path); st != nil {
			group.byName[name] = st
			group.All = append(group.All, st)
		}
	}
	p.link(group, o)
	return group
}

func (p *parser) stateName(name string, path []string) {
	if n := utf8.RuneCountInString(name); n == 0 || n > maxStateName {
		p.report(SeverityError, InvalidStateName, path, fmt.Sprintf("State names must be between 1 and %d characters long", maxStateName))
	}
	if p.names[name] {
		p.report(SeverityError, DuplicateStateName, path, "Duplicate State name: "+name)
	}
	p.names[name] = true
}

// link resolves the transitions of a group of states.
func (p *parser) link(group *States, o *object) {
	reached := make(map[string]bool)
	target := func(name string, path []string) State {
		reached[name] = true
		st := group.byName[name]
		if st == nil && name != "" {
			p.report(SeverityError, MissingTransitionTarget, path, "Missing '"+path[len(path)-1]+"' target: "+name)
		}
		return st
	}
	group.Start = target(group.StartAt, o.at("StartAt"))
	ends := false
	for _, st := range group.All {
		path := append(o.at("States"), st.Base().Name)
		if linkState(st, path, target) {
			ends = true
		}
	}
	for _, st := range group.All {
		if name := st.Base().Name; !reached[name] && o.has("StartAt") {
			p.report(SeverityError, MissingTransitionTarget, append(o.at("States"), name), "State \""+name+"\" is not reachable.")
		}
	}
	if len(group.All) > 0 && !ends && len(p.diagnostics) == 0 {
		p.report(SeverityError, MissingEndState, o.at("States"), "No terminal state found in machine")
	}
}

// linkState resolves the transitions of one state. It reports whether the
// state can end its group.
func linkState(st State, path []string, target func(string, []string) State) bool {
	base := st.Base()
	if base.Next != "" {
		base.To = target(base.Next, append(path, "Next"))
	}
	catch := func(list []Catcher) {
		for i := range list {
			list[i].To = target(list[i].Next, append(path, "Catch", fmt.Sprint(i), "Next"))
		}
	}
	switch st := st.(type) {
	case *Choice:
		for i := range st.Choices {
			st.Choices[i].To = target(st.Choices[i].Next, append(path, "Choices", fmt.Sprint(i), "Next"))
		}
		if st.Default != "" {
			st.DefaultTo = target(st.Default, append(path, "Default"))
		}
		return false
	case *Task:
		catch(st.Catch)
	case *Parallel:
		catch(st.Catch)
	case *Map:
		catch(st.Catch)
	case *Pass, *Wait, *Succeed, *Fail:
	}
	return base.Next == ""
}

// path reads a field that holds a path.
func (o *object) pathField(field string) *query.Path {
	v, ok := o.of(field, value.String)
	if !ok {
		return nil
	}
	path, err := query.CompilePath(v.Str())
	if err != nil {
		o.fail(field, "Value is not a valid JSONPath")
		return nil
	}
	return path
}

// template reads a field that holds a payload template.
func (o *object) template(field string, mustBeObject bool) *query.Template {
	v, ok := o.get(field)
	if !ok {
		return nil
	}
	if mustBeObject && v.Kind() != value.Object {
		o.fail(field, "Expected value of type Object")
		return nil
	}
	t, err := query.CompileTemplate(v)
	if err != nil {
		failed := err.(*query.TemplateError) //nolint:errorlint,forcetypeassert // CompileTemplate gives no other
		path := append(o.at(field), failed.Path...)
		o.p.fail(path, "The value for the field '%s' must be a valid JSONPath or a valid intrinsic function call", failed.Field)
		return nil
	}
	o.p.lookForPaths(v, o.at(field))
	return t
}

// lookForPaths warns of texts in a template that look like paths and are not
// evaluated.
func (p *parser) lookForPaths(v value.Value, path []string) {
	for i, item := range v.Items() {
		name := fmt.Sprint(i)
		if v.Kind() == value.Object {
			name = v.Names()[i]
		}
		at := append(slices.Clip(path), name)
		if text := item.Str(); strings.HasPrefix(text, "$.") && !strings.HasSuffix(name, ".$") {
			p.report(SeverityWarning, NoDollar, at, "Value is a JSONPath, but the field name does not end with '.$'")
		}
		p.lookForPaths(item, at)
	}
}

// reference reads ResultPath: null, or a reference path.
func (o *object) reference(field string) (ref *jsonpath.Reference, none bool) {
	v, ok := o.get(field)
	switch {
	case !ok:
		return nil, false
	case v.Kind() == value.Null:
		return nil, true
	case v.Kind() != value.String:
		o.fail(field, "Expected value of type String")
		return nil, false
	}
	ref, err := jsonpath.CompileReference(v.Str())
	if err != nil || !strings.HasPrefix(v.Str(), "$") {
		o.fail(field, "Value is not a Reference Path")
		return nil, false
	}
	if ref.Root() {
		return nil, false
	}
	return ref, false
}

// nullablePath reads InputPath or OutputPath.
func (o *object) nullablePath(field string) (path *query.Path, none bool) {
	if v, ok := o.get(field); ok && v.Kind() == value.Null {
		return nil, true
	}
	path = o.pathField(field)
	if path != nil && path.Root() {
		return nil, false
	}
	return path, false
}

// assign reads Assign and checks the names of the variables.
func (o *object) assign(language query.Language, states ...string) *query.Template {
	v, ok := o.get("Assign")
	if !ok {
		return nil
	}
	for _, name := range v.Names() {
		if bare := strings.TrimSuffix(name, ".$"); !query.IsVariableName(bare) || bare == "states" {
			o.fail("Assign", "Variable name '%s' is invalid: it must be a Unicode identifier of at most 80 characters", bare)
			return nil
		}
	}
	if v.Kind() == value.Object && v.Len() == 0 {
		return nil
	}
	if language == query.JSONPath {
		return o.template("Assign", true)
	}
	if v.Kind() != value.Object {
		o.fail("Assign", "Expected value of type Object")
		return nil
	}
	return o.made("Assign", states...)
}

// made reads a field of a JSONata state; nil where it is not there. states are
// the members that $states has there besides input and context.
func (o *object) made(field string, states ...string) *query.Template {
	v, ok := o.get(field)
	if !ok {
		return nil
	}
	t, err := query.CompileJSONata(field, v, states...)
	if err == nil {
		return t
	}
	failed := err.(*query.ExpressionError) //nolint:errorlint,forcetypeassert // CompileJSONata gives no other
	code := InvalidJSONata
	if failed.Unsupported {
		code = UnsupportedJSONata
	}
	o.p.report(SeverityError, code, append(o.at(field), failed.Path...), failed.Message)
	return nil
}

// expression is made for a field that holds one expression; nil when it holds
// something else.
func (o *object) expression(field string, states ...string) *query.Template {
	if v, ok := o.get(field); !ok || !query.IsExpression(v) {
		return nil
	}
	return o.made(field, states...)
}

// ParseState reads one state by itself: its transitions lead anywhere. The tree
// is nil when a diagnostic is an error.
func ParseState(name string, v value.Value) (State, []Diagnostic) {
	p := &parser{names: make(map[string]bool)}
	st := p.state(name, v, []string{"States", name})
	for _, d := range p.diagnostics {
		if d.Severity == SeverityError {
			return nil, p.diagnostics
		}
	}
	return st, p.diagnostics
}

// Find gives the state of that name, wherever it stands, and whether it is
// inside of a Map; nil when there is none.
func (m *StateMachine) Find(name string) (found State, iterated bool) {
	walk(m.States, nil, func(st State, path []string) {
		if st.Base().Name == name {
			found, iterated = st, slices.Contains(path, "ItemProcessor")
		}
	})
	return found, iterated
}

// Walk visits all states, outer ones first.
func (m *StateMachine) Walk(visit func(State)) {
	walk(m.States, nil, func(st State, _ []string) { visit(st) })
}
