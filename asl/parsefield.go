package asl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// pathField reads a field that holds a path, nil where it is missing or is none.
func (o *object) pathField(field string) *query.Path {
	v, ok := o.of(field, value.String)
	if !ok {
		return nil
	}
	path, err := o.p.compiler.Path(v.Str())
	if err != nil {
		o.fail(field, "Value must be a valid JSONPath.")
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
		o.fail(field, "%s", expected(value.Object))
		return nil
	}
	t, err := o.p.compiler.Template(v)
	if err != nil {
		failed := err.(*query.TemplateError) //nolint:errorlint,forcetypeassert // Template returns no other
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
		if text := item.Str(); (looksLikePath(text) || looksLikeCall(text)) && !strings.HasSuffix(name, ".$") {
			p.report(SeverityWarning, NoDollar, at, "No .$ on a field that appears to be a JSONPath or Intrinsic Function.")
		}
		p.lookForPaths(item, at)
	}
}

// looksLikePath reports whether a text that is not evaluated begins as paths do.
func looksLikePath(text string) bool {
	return strings.HasPrefix(text, "$.") || strings.HasPrefix(text, "$[") || strings.HasPrefix(text, "$$.") || text == "$$"
}

// looksLikeCall reports whether a text that is not evaluated looks like an intrinsic
// function.
func looksLikeCall(text string) bool {
	name, _, called := strings.Cut(text, "(")
	return called && strings.HasPrefix(name, "States.") && strings.HasSuffix(text, ")") && !strings.Contains(name, " ")
}

// lookForPath warns of a field that looks like a path and is not evaluated.
func (o *object) lookForPath(field, text string) {
	if looksLikePath(text) {
		o.p.report(SeverityWarning, NoPath, o.at(field), "Field value looks like a path, but field name does not end with 'Path'.")
	}
}

// reference reads ResultPath: null (none), or a reference path. $ is the default and
// is nil, as if it were missing.
func (o *object) reference(field string) (ref *jsonpath.Reference, none bool) {
	v, ok := o.get(field)
	switch {
	case !ok:
		return nil, false
	case v.Kind() == value.Null:
		return nil, true
	case v.Kind() != value.String:
		o.fail(field, "%s", expected(value.String))
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

// nullablePath reads InputPath or OutputPath: null (none), or a path. $ is the
// default and is nil.
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

// assign reads Assign and checks the names of the variables. An empty one is as good
// as none. states are as for made.
func (o *object) assign(language query.Language, states ...string) *query.Template {
	v, ok := o.get("Assign")
	if !ok {
		return nil
	}
	if !o.variableNames(v) {
		return nil
	}
	if v.Kind() == value.Object && v.Len() == 0 {
		return nil
	}
	if language == query.JSONPath {
		return o.template("Assign", true)
	}
	if v.Kind() != value.Object {
		o.fail("Assign", "%s", expected(value.Object))
		return nil
	}
	return o.made("Assign", states...)
}

// variableNames reports the names of Assign that no variable can have, and whether
// all can be ones (developer guide, "Passing data between states with variables").
func (o *object) variableNames(assign value.Value) bool {
	right := true
	for _, name := range assign.Names() {
		bare := strings.TrimSuffix(name, ".$")
		switch at := append(o.at("Assign"), name); {
		case bare == "states":
			o.p.report(SeverityError, ReservedVariableName, at, "Cannot assign to reserved variable '$states'.")
		case utf8.RuneCountInString(bare) > maxVariableName:
			o.p.report(SeverityError, InvalidVariableName, at, fmt.Sprintf("Invalid variable name '%s': the variable name exceeds %d characters.", bare, maxVariableName))
		case !query.IsVariableName(bare):
			o.p.report(SeverityError, InvalidVariableName, at, "Invalid variable name '"+bare+"': the variable name contains invalid characters.")
		default:
			continue
		}
		right = false
	}
	return right
}

// made reads a field of a JSONata state; nil where it is not there. states are
// the members that $states has there besides input and context.
func (o *object) made(field string, states ...string) *query.Template {
	v, ok := o.get(field)
	if !ok {
		return nil
	}
	t, err := o.p.compiler.JSONata(field, v, states...)
	if err == nil && !unclosed(v) {
		return t
	}
	o.p.expressions(v, o.at(field), states)
	return nil
}

// unclosed reports whether a text in a value begins like an expression and does
// not end like one.
func unclosed(v value.Value) bool {
	return slices.ContainsFunc(v.Items(), unclosed) || strings.HasPrefix(v.Str(), "{%") && !query.IsExpression(v)
}

// expressions reports all expressions in a field that are wrong: the compiler stops
// at the first, so each text is compiled by itself.
func (p *parser) expressions(v value.Value, path, states []string) {
	for i, item := range v.Items() {
		name := itoa(i)
		if v.Kind() == value.Object {
			name = v.Names()[i]
		}
		p.expressions(item, append(slices.Clip(path), name), states)
	}
	if v.Kind() != value.String {
		return
	}
	if unclosed(v) {
		p.fail(path, "JSONata string must start with {%% and end with %%}")
		return
	}
	_, err := p.compiler.JSONata("", v, states...)
	if failed, ok := errors.AsType[*query.ExpressionError](err); ok {
		code := InvalidJSONata
		if failed.Unsupported {
			code = UnsupportedJSONata
		}
		p.report(SeverityError, code, path, failed.Message)
	}
}

// expression is made for a field that holds one expression; nil when it holds
// something else.
func (o *object) expression(field string, states ...string) *query.Template {
	if v, ok := o.get(field); !ok || !query.IsExpression(v) {
		return nil
	}
	return o.made(field, states...)
}
