package query

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/value"
)

// evaluationError is the Error Name of JSONata that fails.
const evaluationError = "States.QueryEvaluationError"

// expression is a text between {% and %}.
type expression struct {
	expr  *jsonata.Expr
	text  string
	field string // the field it stands in, for messages: Output/a[0]
	// context reports that it may look at $states.context, which is costly to
	// make.
	context   bool
	variables []string
}

// IsExpression reports whether a value is a text of JSONata: one between {% and %}.
// Blanks outside of them make it a plain text.
func IsExpression(v value.Value) bool {
	text := v.Str()
	return strings.HasPrefix(text, "{%") && strings.HasSuffix(text, "%}") && len(text) >= 4
}

// ExpressionError says which expression of a field cannot be compiled, or refers to
// what Step Functions does not have.
type ExpressionError struct {
	// Path leads from the field to the expression.
	Path []string
	// Unsupported distinguishes an expression that is right but refers to what is not
	// there from one that is wrong.
	Unsupported bool
	Message     string

	err error // of the compiler
}

// Error returns the reason.
func (e *ExpressionError) Error() string { return e.Message }

// Unwrap returns the compiler's error, a [*jsonata.Error] with its code and its
// position in the expression; nil for an expression that can be compiled.
func (e *ExpressionError) Unwrap() error { return e.err }

// JSONata reads a field of a JSONata state: a value in which texts between {% and %}
// are expressions. states are the members that $states has there besides input and context. The error is an [*ExpressionError].
func (c *Compiler) JSONata(field string, v value.Value, states ...string) (*Template, error) {
	n, err := c.expressions(field, v, nil, states)
	if err != nil {
		return nil, err
	}
	return &Template{n, v}, nil
}

// expressions reads a part of a field. field names the part in messages
// (Output/a[0]), path leads to it in the definition.
func (c *Compiler) expressions(field string, v value.Value, path, states []string) (templatePart, error) {
	n := templatePart{static: true, value: v}
	switch v.Kind() {
	case value.String:
		if !IsExpression(v) {
			return n, nil
		}
		code, err := c.expression(field, v.Str(), path, states)
		return templatePart{code: code}, err
	case value.Object, value.Array:
	default:
		return n, nil
	}
	if v.Kind() == value.Object {
		n.names = make([]string, 0, v.Len())
	}
	for i, item := range v.Items() {
		name, at := strconv.Itoa(i), field+"["+strconv.Itoa(i)+"]"
		if v.Kind() == value.Object {
			name = v.Names()[i]
			at = field + "/" + name
			n.names = append(n.names, name)
		}
		part, err := c.expressions(at, item, append(slices.Clip(path), name), states)
		if err != nil {
			return n, err
		}
		n.static = n.static && part.static
		n.parts = append(n.parts, part)
	}
	return n, nil
}

// expression compiles one text and checks what it refers to: no names at the top
// level, for a state's data is in $states; no $$; $states.errorOutput only in a
// Catcher. It notes the variables, and whether the Context Object may be looked at.
func (c *Compiler) expression(field, text string, path, states []string) (*expression, error) {
	code := &expression{text: strings.TrimSpace(text[2 : len(text)-2]), field: field}
	var err error
	code.expr, err = jsonata.Compile(code.text, jsonata.Options{StepFunctions: true, Regexes: &c.regexes, Parts: &c.parts})
	if err != nil {
		return nil, &ExpressionError{Path: path, Message: syntaxMessage(err), err: err}
	}
	refs := code.expr.References()
	if len(refs.Input) > 0 {
		name, where := refs.Input[0].Name, " at the top level"
		switch name {
		case "":
			name = "$"
		case "$":
			name, where = "$$", ""
		}
		return nil, &ExpressionError{Path: path, Unsupported: true, Message: "Reference to '" + name + "'" + where + " is not supported."}
	}
	for _, ref := range refs.Variables {
		if ref.Name != "states" {
			code.variables = append(code.variables, ref.Name)
			continue
		}
		if len(ref.Steps) == 0 || ref.Steps[0] == "context" {
			code.context = true
			continue
		}
		if member := ref.Steps[0]; member == "errorOutput" && !slices.Contains(states, member) {
			return nil, &ExpressionError{Path: path, Unsupported: true, Message: "Field '$states." + member + "' does not exist."}
		}
	}
	return code, nil
}

// syntaxMessage returns JSONata's message without its code, as AWS shows it.
func syntaxMessage(err error) string {
	if e, ok := errors.AsType[*jsonata.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// eval evaluates an expression. Its result must be something: undefined and functions
// are errors. The Env is the scope's, so that its memory serves one expression after
// the other.
func (x *expression) eval(s *Scope) (value.Value, error) {
	if s.jsonata == nil {
		s.jsonata = &jsonata.Env{}
	}
	env := s.jsonata
	env.Meter = s.Meter
	var states value.Value // made once for all that look at it
	env.Vars = func(name string) (value.Value, bool) {
		switch {
		case name == "states":
			if states.IsUndefined() {
				states = s.states(x.context)
			}
			return states, true
		case s.Vars == nil:
			return value.Value{}, false
		}
		return s.Vars.Lookup(name)
	}
	if env.Millis, env.Random = s.Millis, nil; s.Entropy != nil {
		env.Random = s.Entropy.Uint64
	}
	v, err := x.expr.Eval(env)
	switch {
	case errors.Is(err, jsonata.ErrFunction):
		return v, x.fail("returned an unsupported result type.", err)
	case err != nil:
		return v, x.fail("threw an error during evaluation"+thrownText(err), err)
	case v.IsUndefined():
		return v, x.fail("returned nothing (undefined).", nil)
	}
	return s.normal(v), nil
}

// thrownText is how a message continues with an error: a code begins a sentence of
// its own. The code of limits is not shown.
func thrownText(err error) string {
	if e, ok := errors.AsType[*jsonata.Error](err); ok && (e.Code == "" || e.Limit()) {
		return ": " + e.Message
	}
	return ". " + err.Error()
}

// fail makes the error of the expression; err is what failed underneath, nil for
// a result that is not wanted.
func (x *expression) fail(what string, err error) error {
	return &Error{
		Name: evaluationError, Location: x.field, err: err,
		Cause: "The JSONata expression '" + x.text + "' specified for the field '" + x.field + "' " + what,
	}
}

// states makes $states. The Context Object is left out unless an expression may look
// at it.
func (s *Scope) states(context bool) value.Value {
	states := value.NewObject(4)
	states.Set("input", s.Input)
	if !s.Result.IsUndefined() {
		states.Set("result", s.Result)
	}
	if !s.ErrorOutput.IsUndefined() {
		states.Set("errorOutput", s.ErrorOutput)
	}
	if context {
		states.Set("context", s.Context())
	}
	return states.Value()
}

// normal writes the numbers that went through an expression as AWS does: 1.0 becomes
// 1, 1e2 becomes 100, and what JSON cannot hold a string: "Infinity", "NaN". What has
// no such numbers is returned as it is, without a copy.
func (s *Scope) normal(v value.Value) value.Value {
	s.Meter.Work(1)
	switch v.Kind() {
	case value.Number:
		i, whole := v.Int64()
		if !v.IsInteger() || !whole || i == 0 && v.String() != "0" { // there is -0
			return value.Float(v.Float64())
		}
	case value.Array:
		for i, item := range v.Items() {
			if changed := s.normal(item); changed != item {
				return s.normalItems(v, i)
			}
		}
	case value.Object:
		for _, item := range v.Items() {
			if changed := s.normal(item); changed != item {
				return s.normalMembers(v)
			}
		}
	default:
	}
	return v
}

// normalItems copies an array of which item first is the first to change.
func (s *Scope) normalItems(v value.Value, first int) value.Value {
	s.Meter.Hold(valueBytes * int64(v.Len()))
	items := slices.Clone(v.Items())
	for i := first; i < len(items); i++ {
		items[i] = s.normal(items[i])
	}
	return value.Arr(items...)
}

// normalMembers copies an object of which a member changes.
func (s *Scope) normalMembers(v value.Value) value.Value {
	s.Meter.Hold(memberBytes * int64(v.Len()))
	object := value.NewObject(v.Len())
	for i, name := range v.Names() {
		object.Set(name, s.normal(v.At(i)))
	}
	return object.Value()
}

// EvalAs is Eval for a field that must be of a kind. A result of another kind is an
// [*Error].
func (t *Template) EvalAs(s *Scope, kind value.Kind) (value.Value, error) {
	v, err := t.Eval(s)
	if err != nil || v.Kind() == kind {
		return v, err
	}
	what := "returned an unexpected result type. Expected '" + kind.String() + "', but was '" + v.Kind().String() + "' for value: " + shown(v)
	if t.root.code != nil {
		return v, t.root.code.fail(what, nil)
	}
	return v, &Error{Name: evaluationError, Cause: "The field " + what}
}
