package query

import (
	"fmt"
	"strings"

	"github.com/steppehq/steppe/value"
)

// Template is a payload template: a JSON value in which the members whose names end
// in ".$" are evaluated (spec, "Payload Template"), or a field of a JSONata state, in
// which texts between {% and %} are.
//
//	{"fixed":1,"path.$":"$.a","call.$":"States.UUID()"}
//	{"fixed":1,"expr":"{% $states.input.a %}"}
type Template struct {
	root templatePart
	text value.Value
}

// templatePart is a part of a template. static parts are taken as they are.
type templatePart struct {
	static bool
	value  value.Value
	names  []string // of an object; nil for an array
	parts  []templatePart
	expr   *Path
	code   *expression // of JSONata
	field  string      // the member's name as it is written, for messages
}

// TemplateError says which part of a template cannot be compiled.
type TemplateError struct {
	// Path leads from the template to the object that holds the member.
	Path []string
	// Field is the member, with its ".$".
	Field string
	Err   error
}

// Error names the member and the reason.
func (e *TemplateError) Error() string {
	return fmt.Sprintf("the value for the field '%s' must be a valid JSONPath or a valid intrinsic function call: %v", e.Field, e.Err)
}

// Unwrap returns the reason.
func (e *TemplateError) Unwrap() error { return e.Err }

// Template reads a payload template. The error is a [*TemplateError].
func (c *Compiler) Template(v value.Value) (*Template, error) {
	n, err := c.part(v, nil)
	if err != nil {
		return nil, err
	}
	return &Template{n, v}, nil
}

// part reads a part of a payload template, to which path leads. What has nothing to
// evaluate in it is static, and shared by all that it makes.
func (c *Compiler) part(v value.Value, path []string) (templatePart, error) {
	switch v.Kind() {
	case value.Object:
		return c.object(v, path)
	case value.Array:
		return c.array(v, path)
	case value.Undefined, value.Null, value.Bool, value.Number, value.String:
	}
	return templatePart{static: true, value: v}, nil
}

// array reads an array; its items are parts.
func (c *Compiler) array(v value.Value, path []string) (templatePart, error) {
	n := templatePart{static: true, value: v}
	for i, item := range v.Items() {
		part, err := c.part(item, append(path, fmt.Sprint(i)))
		if err != nil {
			return n, err
		}
		n.static = n.static && part.static
		n.parts = append(n.parts, part)
	}
	return n, nil
}

// object reads an object, its members in the order in which Eval makes them.
func (c *Compiler) object(v value.Value, path []string) (templatePart, error) {
	n := templatePart{static: true, value: v}
	order := javaOrder(v.Names())
	n.names = make([]string, 0, len(order))
	for _, i := range order {
		name := v.Names()[i]
		bare, dynamic := strings.CutSuffix(name, ".$")
		if !dynamic {
			part, err := c.part(v.At(i), append(path, name))
			if err != nil {
				return n, err
			}
			n.static = n.static && part.static
			n.names, n.parts = append(n.names, name), append(n.parts, part)
			continue
		}
		expr, err := c.member(v.At(i))
		if err != nil {
			return n, &TemplateError{append([]string(nil), path...), name, err}
		}
		n.static = false
		n.names, n.parts = append(n.names, bare), append(n.parts, templatePart{expr: expr, field: name})
	}
	return n, nil
}

// member reads the value of a member whose name ends in ".$".
func (c *Compiler) member(v value.Value) (*Path, error) {
	if v.Kind() != value.String {
		return nil, fmt.Errorf("it is no text")
	}
	return c.Expr(v.Str())
}

// Eval returns the value that the template makes. One of JSONPath has members with
// fixed values first, in the order of the template, then those that were evaluated,
// in the order that AWS has them in. The error is an [*Error].
func (t *Template) Eval(s *Scope) (v value.Value, err error) {
	defer s.Meter.Caught(&err)
	return t.root.eval(s)
}

// What parts of a value hold, in bytes of memory.
const (
	valueBytes  = 40
	memberBytes = 110 // with its name, and its place in an index
)

// eval evaluates a part; its cost is counted before it is made.
func (n *templatePart) eval(s *Scope) (value.Value, error) {
	s.Meter.Work(1)
	switch {
	case n.static:
		return n.value, nil
	case n.code != nil:
		return n.code.eval(s)
	case n.expr != nil:
		v, err := n.expr.eval(s)
		if err != nil {
			return v, n.expr.NotFound(n.field, s.Input, err)
		}
		return v, nil
	case n.names == nil:
		s.Meter.Hold(valueBytes * int64(len(n.parts)))
		items := make([]value.Value, len(n.parts))
		for i := range n.parts {
			var err error
			if items[i], err = n.parts[i].eval(s); err != nil {
				return value.Value{}, err
			}
		}
		return value.Arr(items...), nil
	}
	s.Meter.Hold(memberBytes * int64(len(n.parts)))
	object := value.NewObject(len(n.parts))
	for i := range n.parts {
		v, err := n.parts[i].eval(s)
		if err != nil {
			return value.Value{}, err
		}
		object.Set(n.names[i], v)
	}
	return object.Value(), nil
}

// Value returns what the template was compiled from.
func (t *Template) Value() value.Value { return t.text }

// Variables returns the names of the variables that the template refers to, in the
// order of evaluation.
func (t *Template) Variables() []string { return t.root.variables(nil) }

// variables adds those of a part.
func (n *templatePart) variables(names []string) []string {
	switch {
	case n.expr != nil:
		return append(names, n.expr.Variables()...)
	case n.code != nil:
		return append(names, n.code.variables...)
	}
	for i := range n.parts {
		names = n.parts[i].variables(names)
	}
	return names
}

// javaOrder returns the order in which AWS has the members of a template: those with
// fixed values as they stand, then the ".$" ones as a Java HashMap of their bare
// names iterates (recorded: test_map_state_item_selector_singleton).
func javaOrder(names []string) []int {
	order := make([]int, 0, len(names))
	var dynamic []int
	for i, name := range names {
		if strings.HasSuffix(name, ".$") {
			dynamic = append(dynamic, i)
		} else {
			order = append(order, i)
		}
	}
	return append(order, bucketOrder(dynamic, len(dynamic), func(i int) uint32 {
		return javaStringHash(strings.TrimSuffix(names[i], ".$"))
	})...)
}
