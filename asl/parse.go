package asl

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// # How a definition is read
//
// Parsing is one walk over the decoded JSON, which builds the tree and reports everything that is wrong with it:
// ValidateStateMachineDefinition and the exception InvalidDefinition show all errors
// of a definition, so the parser goes on after each. A part that is wrong is left out
// of the tree (nil, "" or 0), which is why the tree is handed out only when there is
// no error.
//
// An object of the definition is read through the type object. Each getter (str, of,
// oneOf, integer) notes the name of the field, reports what is wrong with its value,
// and returns a zero value then. When the reader of a state has asked for all fields
// that its type has, done reports those it never asked for as not supported. A new
// field is therefore one line in a reader; there is no schema besides.
//
// Two things need the whole group of states and come after its states are read: link
// turns the names in Next, Default, Choices and Catch into pointers, and reports
// targets that are missing; unreachable reports states to which no transition leads.
// Both are silent where a state could not be read, since what it would have led to is
// not known.
//
// A path of names and indexes leads to each object; it becomes the Location of a
// diagnostic, and, by Diagnostic.Locate, a line and a column. Slices of paths share
// memory, so whoever keeps one appends to a clipped slice.
//
// A definition may come from anyone: nesting, the number of diagnostics and their sizes
// are bounded, and so is the help that looks for similar names.

// Limits of definitions.
const (
	maxStateName    = 80
	maxVariableName = 80
	maxNesting      = 100
)

// Parse reads a definition: it returns the tree, and diagnostics. The tree
// is nil when a diagnostic is an error.
func Parse(definition []byte) (*StateMachine, []Diagnostic) {
	m, diagnostics, wrong := parse(definition)
	if wrong {
		return nil, diagnostics
	}
	return m, diagnostics
}

// parse is [Parse] that also returns what could be read of a definition with errors:
// nil when that is nothing, and else a tree in which parts may be missing. wrong
// reports whether there are errors.
func parse(definition []byte) (m *StateMachine, diagnostics []Diagnostic, wrong bool) {
	v, err := value.Decode(definition)
	if err != nil && strings.TrimSpace(string(definition)) == "" || err == nil && v.Kind() != value.Object {
		return nil, []Diagnostic{{Severity: SeverityError, Code: SchemaValidationFailed, Message: "Definition must be a valid JSON object"}}, true
	}
	if err != nil {
		message := value.JacksonMessage(definition)
		d := Diagnostic{Severity: SeverityError, Code: InvalidJSONDescription, Message: message}
		if _, at, ok := strings.Cut(message, "\n at "); ok {
			d.Location = at
		}
		return nil, []Diagnostic{d}, true
	}
	p := newParser()
	m = p.machine(v)
	diagnostics, wrong = p.result()
	m.weight = weight(v) + p.compiler.Weight()
	return m, diagnostics, wrong
}

// parser is the state of one walk: what is known of the whole definition.
type parser struct {
	language    query.Language // the machine's
	names       map[string]bool
	labels      map[string]bool
	diagnostics []Diagnostic
	told        map[Severity]int // how many there are, those without a place included
	depth       int
	compiler    query.Compiler
}

// newParser returns a parser of one definition.
func newParser() *parser {
	return &parser{names: make(map[string]bool), labels: make(map[string]bool), told: make(map[Severity]int)}
}

// report adds a diagnostic about what path leads to.
func (p *parser) report(severity Severity, code Code, path []string, message string) {
	p.diagnose(Diagnostic{Severity: severity, Code: code, Message: message, Location: location(path), Path: path})
}

// Bounds of what is said about a definition: the diagnostics of a severity, and the
// bytes of a message and of a location.
const (
	maxDiagnostics = 200
	maxMessage     = 2048
)

// diagnose adds a diagnostic, unless there are enough.
func (p *parser) diagnose(d Diagnostic) {
	if p.told[d.Severity]++; p.told[d.Severity] > maxDiagnostics {
		return
	}
	d.Message, d.Path = shortened(d.Message), slices.Clone(d.Path)
	p.diagnostics = append(p.diagnostics, d)
}

// nearFor bounds the errors of a definition for which names are compared with those
// that may have been meant: each comparison takes time.
const nearFor = 20

// near returns the help for a name that is not among some: the one that may have been
// meant.
func (p *parser) near(name string, among func() []string) string {
	if p.told[SeverityError] >= nearFor {
		return ""
	}
	return didYouMean("", name, among())
}

// shortened returns the beginning of a text that is too long to show.
func shortened(text string) string {
	if len(text) > maxMessage {
		return strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	return text
}

// result returns all diagnostics, and whether one is an error. How many errors were
// left out is the last one.
func (p *parser) result() (diagnostics []Diagnostic, wrong bool) {
	if n := p.told[SeverityError] - maxDiagnostics; n > 0 {
		p.diagnostics = append(p.diagnostics, Diagnostic{
			Severity: SeverityError, Code: SchemaValidationFailed, Message: fmt.Sprintf("%d more errors are not shown", n),
		})
	}
	return p.diagnostics, slices.ContainsFunc(p.diagnostics, func(d Diagnostic) bool { return d.Severity == SeverityError })
}

// fail reports an error of the schema, which is what AWS calls most errors.
func (p *parser) fail(path []string, format string, args ...any) {
	p.report(SeverityError, SchemaValidationFailed, path, fmt.Sprintf(format, args...))
}

// object is a JSON object of a definition while its fields are read.
type object struct {
	p     *parser
	value value.Value
	path  []string
	known []string
	all   bool // all fields are known
}

// object begins to read a JSON object.
func (p *parser) object(v value.Value, path []string) *object {
	return &object{p: p, value: v, path: path}
}

// at returns the path to a field, in a slice of its own.
func (o *object) at(field string) []string { return append(slices.Clip(o.path), field) }

// fail reports an error of a field.
func (o *object) fail(field, format string, args ...any) { o.p.fail(o.at(field), format, args...) }

// get returns a field and notes that it is known.
func (o *object) get(field string) (value.Value, bool) {
	o.known = append(o.known, field)
	return o.value.Lookup(field)
}

// has reports whether a field is there, without making it known.
func (o *object) has(field string) bool {
	_, ok := o.value.Lookup(field)
	return ok
}

// of returns a field that must be of a kind. It is false when the field is missing or
// is of another kind, which is reported.
func (o *object) of(field string, kind value.Kind) (value.Value, bool) {
	v, ok := o.get(field)
	if ok && v.Kind() != kind {
		o.fail(field, "%s", expected(kind))
		return v, false
	}
	return v, ok
}

// expected is AWS's message for a value of the wrong type.
func expected(k value.Kind) string {
	return "Expected value of type [" + strings.ToUpper(k.String()) + "]"
}

// str returns a field that must be a string, "" where it is missing or is none.
func (o *object) str(field string) string {
	v, _ := o.of(field, value.String)
	return v.Str()
}

// oneOf returns a field that must hold one of some texts; "" where it does not, which
// is reported, or is missing.
func (o *object) oneOf(field string, texts ...string) string {
	v, ok := o.of(field, value.String)
	switch {
	case !ok:
		return ""
	case !slices.Contains(texts, v.Str()):
		o.fail(field, "Value should be one of the following: [%s]", strings.Join(texts, ", "))
		return ""
	}
	return v.Str()
}

// integer returns a field that must be a whole number from low to high; otherwise
// where it is missing or is none. A number beyond an int64 is the highest if that is
// no bound.
func (o *object) integer(field string, low, high, otherwise int64) int64 {
	v, ok := o.get(field)
	if !ok {
		return otherwise
	}
	n, whole := v.Int64()
	switch {
	case v.Kind() != value.Number || !whole && !v.IsInteger():
		o.fail(field, "Expected value of type Integer")
	case whole && n < low || !whole && v.Float64() < 0:
		o.fail(field, "Minimum value is %d", low)
	case n > high || !whole && high < math.MaxInt64:
		o.fail(field, "Maximum value is %d", high)
	case !whole:
		return high
	default:
		return n
	}
	return otherwise
}

// require reports the fields that are missing, all in one error.
func (o *object) require(fields ...string) {
	missing := slices.DeleteFunc(fields, o.has)
	if len(missing) > 0 {
		o.p.fail(o.path, "These fields are required: [%s]", strings.Join(missing, ", "))
	}
}

// exclusive reports when more than one of the fields is there, and when none is
// although one is required.
func (o *object) exclusive(required bool, fields ...string) {
	there := 0
	for _, field := range fields {
		if _, ok := o.get(field); ok {
			there++
		}
	}
	switch {
	case there > 1:
		o.p.fail(o.path, "There should only be one of the following fields: [%s]", strings.Join(fields, ", "))
	case there == 0 && required:
		o.p.fail(o.path, "This object should have only one of the following fields: [%s]", strings.Join(fields, ", "))
	}
}

// done reports the fields that no reader asked for.
func (o *object) done() {
	for _, name := range o.value.Names() {
		if !o.all && !slices.Contains(o.known, name) {
			o.unknown(name)
		}
	}
}

// unsupported reports a field that does not belong there.
func (o *object) unsupported(field string) {
	o.known = append(o.known, field)
	o.unknown(field)
}

// unknown reports a field that the object cannot have. The location is the object's,
// as on AWS; the path leads to the field.
func (o *object) unknown(field string) {
	o.p.diagnose(Diagnostic{
		Severity: SeverityError, Code: SchemaValidationFailed, Message: "Field '" + field + "' is not supported",
		Location: location(o.path), Path: o.at(field), Help: o.p.near(field, func() []string { return slices.DeleteFunc(slices.Clone(o.known), o.has) }),
	})
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

// machine reads the top level.
func (p *parser) machine(v value.Value) *StateMachine {
	o := p.object(v, nil)
	m := &StateMachine{Comment: o.str("Comment"), Version: o.oneOf("Version", "1.0")}
	o.oneOf("QueryLanguage", "JSONPath", "JSONata")
	m.QueryLanguage, _ = o.language()
	p.language = m.QueryLanguage
	m.TimeoutSeconds = o.integer("TimeoutSeconds", 0, 99999999, 0)
	m.States = p.states(o)
	o.done()
	return m
}

// language reads QueryLanguage. Whatever is not exactly JSONPath is read as JSONata,
// as on AWS; that it is neither is reported besides.
func (o *object) language() (language query.Language, given bool) {
	v, given := o.get("QueryLanguage")
	if !given || v.Str() == "JSONPath" {
		return query.JSONPath, given
	}
	return query.JSONata, true
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
	p.link(group, o, len(group.All) == all.Len())
	return group
}

// stateName checks a name, which must be unique in the whole machine (spec,
// "States").
func (p *parser) stateName(name string, path []string) {
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		p.report(SeverityError, InvalidStateName, path, "State name cannot be empty")
	case n > maxStateName:
		p.report(SeverityError, InvalidStateName, path, fmt.Sprintf("State name '%s' exceeds the %d-character limit allowed by the service", name, maxStateName))
	}
	if p.names[name] {
		p.report(SeverityError, DuplicateStateName, path, "Duplicate State name: "+name)
	}
	p.names[name] = true
}

// link resolves the transitions of a group of states, and reports which states cannot
// be reached; complete is false when some states could not be read.
func (p *parser) link(group *States, o *object, complete bool) {
	leads := make(map[State][]State)
	target := func(from State, name string, path []string) State {
		st := group.byName[name]
		if st == nil && complete {
			p.diagnose(Diagnostic{
				Severity: SeverityError, Code: MissingTransitionTarget, Message: "Missing 'Next' target: " + name,
				Location: location(path), Path: path, Help: p.near(name, func() []string { return slices.Collect(maps.Keys(group.byName)) }),
			})
		}
		leads[from] = append(leads[from], st)
		return st
	}
	if o.has("StartAt") {
		group.Start = target(nil, group.StartAt, o.at("StartAt"))
	}
	ends := false
	for _, st := range group.All {
		path := append(o.at("States"), st.Base().Name)
		to := func(name string, at ...string) State { return target(st, name, append(slices.Clip(path), at...)) }
		ends = linkState(st, to) || ends
	}
	switch {
	case !complete || !o.has("StartAt"):
	case !ends && p.depth == 1: // only the whole machine must end
		p.diagnose(Diagnostic{
			Severity: SeverityError, Code: MissingEndState, Message: "Workflow has no terminal state", Path: o.at("States"),
		})
	default:
		p.unreachable(group, leads, o.at("States"))
	}
}

// unreachable reports the states to which no way leads from the start. leads has the
// targets of each state, and under nil the start.
func (p *parser) unreachable(group *States, leads map[State][]State, path []string) {
	reached := map[State]bool{nil: true}
	for next := leads[nil]; len(next) > 0; next = next[1:] {
		if st := next[0]; !reached[st] {
			reached[st] = true
			next = append(next, leads[st]...)
		}
	}
	for _, st := range group.All {
		if name := st.Base().Name; !reached[st] {
			p.report(SeverityError, MissingTransitionTarget, append(slices.Clip(path), name), "State \""+name+"\" is not reachable.")
		}
	}
}

// linkState resolves the transitions of one state. It reports whether the
// state can end its group.
func linkState(st State, to func(name string, at ...string) State) bool {
	base := st.Base()
	if base.Next != "" {
		base.To = to(base.Next, "Next")
	}
	catch := func(list []Catcher) {
		for i := range list {
			if list[i].Next != "" {
				list[i].To = to(list[i].Next, "Catch", itoa(i), "Next")
			}
		}
	}
	switch st := st.(type) {
	case *Choice:
		for i := range st.Choices {
			if st.Choices[i].Next != "" {
				st.Choices[i].To = to(st.Choices[i].Next, "Choices", itoa(i), "Next")
			}
		}
		if st.Default != "" {
			st.DefaultTo = to(st.Default, "Default")
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

// ParseState reads one state by itself: its transitions lead anywhere. The tree
// is nil when a diagnostic is an error.
func ParseState(name string, v value.Value) (State, []Diagnostic) {
	p := newParser()
	p.depth = 1 // what is inside of the state need not end
	st := p.state(name, v, []string{"States", name})
	diagnostics, wrong := p.result()
	if wrong {
		return nil, diagnostics
	}
	return st, diagnostics
}

// Find returns the state of that name, at any depth, and whether it is inside of a
// Map; nil when there is none.
func (m *StateMachine) Find(name string) (found State, iterated bool) {
	walk(m.States, nil, func(st State, path []string) {
		if st.Base().Name == name {
			found, iterated = st, slices.Contains(path, "ItemProcessor") || slices.Contains(path, "Iterator")
		}
	})
	return found, iterated
}

// Contains reports whether a state of that name is inside of another, at any depth.
func Contains(st State, name string) bool {
	found := false
	walk(&States{All: []State{st}}, nil, func(inner State, _ []string) {
		found = found || inner != st && inner.Base().Name == name
	})
	return found
}

// Walk visits all states, outer ones first.
func (m *StateMachine) Walk(visit func(State)) {
	walk(m.States, nil, func(st State, _ []string) { visit(st) })
}
