// Package value is the JSON value used throughout Steppe: ordered objects, numbers
// that keep the text they were written with, and documents that carry their own
// encoding.
//
// Values are immutable: every constructor takes ownership of what it is given and
// every change makes a new value, so that a value may be shared by states, branches
// and executions without a copy and read from any goroutine.
//
//	order, err := value.DecodeString(`{"id":7,"total":1.50,"items":[{"sku":"a"}]}`)
//	if err != nil {
//		return err // a *value.SyntaxError with the byte at which it is no JSON
//	}
//	id, _ := order.Get("id").Int64()           // 7
//	sku := order.Get("items").At(0).Get("sku") // a Value of kind String
//	paid := order.With("paid", value.Of(true)) // order itself is as it was
//	fmt.Println(id, sku.Str(), paid)           // 7 a {"id":7,"total":1.50,…
//
// A member or an item that is not there is undefined, Go's zero Value, on which all
// methods work: a chain of Get and At needs no checks before its end. Undefined is
// the one thing that the package knows more than JSON; what the query languages add
// on top (sequences, functions, loose comparison) is theirs.
//
// A [Doc] is a payload on its way through an execution: bytes and value, each made of
// the other at most once. Texts are UTF-8 that may hold half of a surrogate pair, as
// JSON may: see text.go's functions, of which [Joined] is the one to know.
//
// Stability: promised after 1.0.
package value

import "strings"

// Kind says what a [Value] is.
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

// String returns the name of the kind as JSON documents call it: "array".
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

// Kind returns what v is.
func (v Value) Kind() Kind { return v.kind }

// IsUndefined reports whether v is the zero Value.
func (v Value) IsUndefined() bool { return v.kind == Undefined }

// Bool returns the boolean that v is, false for any other kind.
func (v Value) Bool() bool { return v.kind == Bool && v.bits != 0 }

// Str returns the string that v is, "" for any other kind.
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

// At returns item i of an array, or the value of member i of an object in document
// order; undefined when there is none.
func (v Value) At(i int) Value {
	if v.comp == nil || i < 0 || i >= len(v.comp.items) {
		return Value{}
	}
	return v.comp.items[i]
}

// Items returns the items of an array or the values of an object's members, in
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

// equalArrays compares items in order.
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

// equalObjects compares members by name: as many, and each with an equal one.
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

// Shown is String for messages that users read: of what is longer than size bytes it
// returns the beginning, and an ellipsis.
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
