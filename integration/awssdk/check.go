package awssdk

import (
	"slices"
	"unicode/utf8"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/value"
)

// Mode says how a result is held against its API model (MockInput,
// fieldValidationMode).
type Mode string

// The modes.
const (
	// Strict: all required members must be there, and those that are there
	// must be as the model has them.
	Strict Mode = "STRICT"
	// Present: the members that are there must be as the model has them.
	Present Mode = "PRESENT"
	// None: anything goes.
	None Mode = "NONE"
)

// Check holds a result, which must be an object, against the model. It gives
// AWS's message about the first member that does not conform, "" when all do:
// the required members are looked for first, then each member is checked in
// the order of the model. Members that the model does not have are not looked
// at, nor are those that are null. A length is that of the text as it stands
// there, also of a blob. Patterns are not checked.
func (r *Response) Check(result value.Value, mode Mode) string {
	if mode == None || r.shape == "" {
		return ""
	}
	c := checker{r, mode}
	return c.members(r.service.Shapes[r.shape], result, r.parsed)
}

type checker struct {
	*Response
	mode Mode
}

func wrong(field, what string) string { return "Field '" + field + "' " + what }

// members checks a structure; those named in parsed may be anything.
func (c checker) members(shape *model.Shape, v value.Value, parsed []string) string {
	if c.mode == Strict {
		for _, name := range shape.Required {
			if name = c.member(name); absent(v.Get(name)) {
				return "Required field '" + name + "' is missing"
			}
		}
	}
	for i := range shape.Members {
		member := &shape.Members[i]
		name := c.member(member.Name)
		given := v.Get(name)
		if absent(given) || slices.Contains(parsed, name) {
			continue
		}
		if message := c.value(c.service.Shapes[member.Shape], name, given); message != "" {
			return message
		}
	}
	return ""
}

func absent(v value.Value) bool { return v.Kind() == value.Undefined || v.Kind() == value.Null }

// value checks what a field holds. The items of a list have the list's name in
// messages, the values of a map their keys.
func (c checker) value(shape *model.Shape, field string, v value.Value) string {
	if shape.Document || shape.EventStream {
		return ""
	}
	expected, called := value.String, "a string"
	switch shape.Type {
	case "structure", "map":
		expected, called = value.Object, "an object"
	case "list":
		expected, called = value.Array, "an array"
	case "boolean":
		expected, called = value.Bool, "a boolean"
	case "integer", "long", "float", "double":
		expected, called = value.Number, "a number"
	}
	if v.Kind() != expected {
		return wrong(field, "must be "+called)
	}
	if message := c.bounds(shape, field, v); message != "" {
		return message
	}
	switch shape.Type {
	case "structure":
		return c.members(shape, v, nil)
	case "map":
		return c.items(shape.Value, v, func(i int) string { return v.Names()[i] })
	case "list":
		return c.items(shape.Member, v, func(int) string { return field })
	}
	return ""
}

func (c checker) items(ref *model.ShapeRef, v value.Value, field func(i int) string) string {
	shape := c.service.Shapes[ref.Shape]
	for i, item := range v.Items() {
		if absent(item) {
			continue
		}
		if message := c.value(shape, field(i), item); message != "" {
			return message
		}
	}
	return ""
}

// recordedMax has the bounds that Step Functions was seen to hold results to
// where the service's own model has a newer one, by service and member.
var recordedMax = map[string]float64{"lambda.MemorySize": 10240}

// bounds checks the value of a number, the length of anything else, and
// whether a text is one of those that the model has.
func (c checker) bounds(shape *model.Shape, field string, v value.Value) string {
	most := shape.Max
	if recorded, ok := recordedMax[c.service.Name()+"."+field]; ok {
		most = &recorded
	}
	size, less, more := float64(v.Len()), "is smaller than the minimum length", "exceeds the maximum length"
	switch v.Kind() {
	case value.Number:
		size, less, more = v.Float64(), "is less than the minimum value", "exceeds the maximum value"
	case value.String:
		size = float64(utf8.RuneCountInString(v.Str()))
	case value.Undefined, value.Null, value.Bool, value.Array, value.Object:
	}
	switch {
	case shape.Min != nil && size < *shape.Min:
		return wrong(field, less)
	case most != nil && size > *most:
		return wrong(field, more)
	case len(shape.Enum) > 0 && !slices.Contains(shape.Enum, v.Str()):
		return wrong(field, "is not an expected value")
	}
	return ""
}
