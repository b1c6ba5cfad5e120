// Package value is the one JSON value of the whole house: ordered objects,
// numbers that keep the text they were written with, and documents that carry
// their own encoding.
//
// Values are immutable: every constructor takes ownership of what it is given
// and every change makes a new value, so that a value may be shared by states,
// branches and executions without a copy and read from any goroutine.
//
// The package leaves out what the query languages add on top (sequences,
// functions, loose comparison); it knows one thing more than JSON, the
// undefined value, which is Go's zero Value.
//
// Stability: promised after 1.0.
package value

import "strings"

// Kind tells what a [Value] is.
type Kind uint8

// The kinds. Undefined is the kind of the zero Value: the absence of a value,
// which no JSON text can hold.
const (
	Undefined Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

var kindNames = [...]string{"undefined", "null", "boolean", "number", "string", "array", "object"}

// String gives the name of the kind as JSON documents call it: "array".
func (k Kind) String() string { return kindNames[k] }

// Value is one JSON value, or undefined (the zero Value).
type Value struct {
	kind Kind
	form numberForm
	bits uint64 // a bool, an int64, or the bits of a float64
	text string // a string, or the text a number was written with
	comp *composite
}

// composite holds the members of an array (names is nil) or of an object.
type composite struct {
	items []Value
	names []string
	index map[string]int // for objects with more than linearMembers members
}

// NullValue is JSON's null.
var NullValue = Value{kind: Null}

// Of makes a boolean value.
func Of(b bool) Value {
	if b {
		return Value{kind: Bool, bits: 1}
	}
	return Value{kind: Bool}
}

// Str makes a string value. The text should be valid UTF-8; what is not is
// replaced when the value is encoded.
func Str(s string) Value { return Value{kind: String, text: s} }

// Arr makes an array value and takes ownership of items.
func Arr(items ...Value) Value {
	return Value{kind: Array, comp: &composite{items: items}}
}

// fewItems is how many items an ArrayBuilder has room for in its own piece.
const fewItems = 8

// ArrayBuilder collects the items of one array.
type ArrayBuilder struct{ comp *composite }

// NewArray begins an array that is expected to have size items. Where they are
// few it is one allocation.
func NewArray(size int) ArrayBuilder {
	if size > fewItems {
		return ArrayBuilder{&composite{items: make([]Value, 0, size)}}
	}
	small := &struct {
		composite
		few [fewItems]Value
	}{}
	small.items = small.few[:0]
	return ArrayBuilder{&small.composite}
}

// Append adds items at the end.
func (b ArrayBuilder) Append(items ...Value) { b.comp.items = append(b.comp.items, items...) }

// Add adds one item at the end.
func (b ArrayBuilder) Add(item *Value) { b.comp.items = append(b.comp.items, *item) }

// Value ends the array. The builder must not be used again.
func (b ArrayBuilder) Value() Value { return Value{kind: Array, comp: b.comp} }

// Kind tells what v is.
func (v Value) Kind() Kind { return v.kind }

// IsUndefined reports whether v is the zero Value.
func (v Value) IsUndefined() bool { return v.kind == Undefined }

// Bool gives the boolean that v is, false for any other kind.
func (v Value) Bool() bool { return v.kind == Bool && v.bits != 0 }

// Str gives the string that v is, "" for any other kind.
func (v Value) Str() string {
	if v.kind != String {
		return ""
	}
	return v.text
}

// Len is the number of items of an array or members of an object, 0 for any
// other kind.
func (v Value) Len() int {
	if v.comp == nil {
		return 0
	}
	return len(v.comp.items)
}

// At gives item i of an array, or the value of member i of an object in
// document order; undefined when there is none.
func (v Value) At(i int) Value {
	if v.comp == nil || i < 0 || i >= len(v.comp.items) {
		return Value{}
	}
	return v.comp.items[i]
}

// Items gives the items of an array or the values of an object's members, in
// document order. The caller must not change the slice.
func (v Value) Items() []Value {
	if v.comp == nil {
		return nil
	}
	return v.comp.items
}

// Equal reports whether a and b are the same JSON value: numbers by value
// (1 equals 1.0), objects without regard to order.
func Equal(a, b Value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case Bool:
		return a.bits == b.bits
	case Number:
		return CompareNumbers(a, b) == 0
	case String:
		return a.text == b.text
	case Array:
		return equalArrays(a, b)
	case Object:
		return equalObjects(a, b)
	case Undefined, Null:
	}
	return true
}

func equalArrays(a, b Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i, item := range a.Items() {
		if !Equal(item, b.At(i)) {
			return false
		}
	}
	return true
}

func equalObjects(a, b Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i, name := range a.Names() {
		other, ok := b.Lookup(name)
		if !ok || !Equal(a.At(i), other) {
			return false
		}
	}
	return true
}

// Shown is String for messages that others read: the beginning, and an ellipsis,
// of what is longer than size bytes.
func (v Value) Shown(size int) string {
	if v.kind == Undefined {
		return "undefined"
	}
	text, whole := v.AppendUpTo(nil, size)
	if whole {
		return string(text)
	}
	return strings.ToValidUTF8(string(text[:min(size, len(text))]), "") + "…"
}

// String encodes v as JSON, for messages and tests; "undefined" when it is.
func (v Value) String() string {
	if v.kind == Undefined {
		return "undefined"
	}
	return string(v.Append(nil))
}
