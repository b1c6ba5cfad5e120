package jsonpath

import (
	"strconv"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/value"
)

// Reference is a Reference Path: it names one place in a document, by names and
// indexes only (spec, "Reference Paths"). ResultPath is one.
//
// Setting a place copies the objects and arrays on the way down to it, and shares all
// others with the document: values are immutable.
type Reference struct {
	text   string
	tokens []token
}

// CompileReference reads a reference path. The error is a [*SyntaxError].
func CompileReference(text string) (*Reference, error) {
	p, err := Compile(text)
	if err != nil {
		return nil, err
	}
	for i := range p.tokens {
		if t := &p.tokens[i]; t.kind != property && t.kind != index || t.back || t.kind == index && t.numbers[0] < 0 {
			return nil, &SyntaxError{text, "a reference path has only names and indexes"}
		}
	}
	return &Reference{text, p.tokens}, nil
}

// String is the text that the path was compiled from.
func (r *Reference) String() string { return r.text }

// Root reports whether the path names the whole document.
func (r *Reference) Root() bool { return len(r.tokens) == 0 }

// Set returns a document like root that holds v at the place that the path names.
// Objects on the way that are missing are made; an array must have the item. What is
// there and is no object or array is an [*Error].
func (r *Reference) Set(root, v value.Value) (value.Value, error) { return r.SetMetered(nil, root, v) }

// SetMetered is Set whose copies a meter counts.
func (r *Reference) SetMetered(m *meter.Meter, root, v value.Value) (value.Value, error) {
	return r.set(m, 0, root, v)
}

// copied is what an item or a member of a copy takes, in bytes.
const copied = 110

// set returns at with v at the place that the tokens from i on name. An undefined at
// becomes an object, but never the whole document.
func (r *Reference) set(m *meter.Meter, i int, at, v value.Value) (value.Value, error) {
	m.Work(1 + int64(at.Len())/2)
	m.Hold(copied * int64(1+at.Len()))
	if i == len(r.tokens) {
		return v, nil
	}
	t := &r.tokens[i]
	if t.kind == index {
		return r.setItem(m, i, at, v)
	}
	if k := at.Kind(); k != value.Object && (k != value.Undefined || i == 0) {
		return value.Value{}, r.unable(i)
	}
	below, err := r.set(m, i+1, at.Get(t.names[0]), v)
	if err != nil {
		return value.Value{}, err
	}
	return at.With(t.names[0], below), nil
}

// setItem is set for an index, whose array and item must be there.
func (r *Reference) setItem(m *meter.Meter, i int, at, v value.Value) (value.Value, error) {
	n := r.tokens[i].numbers[0]
	if at.Kind() != value.Array || n >= at.Len() {
		return value.Value{}, r.unable(i)
	}
	below, err := r.set(m, i+1, at.At(n), v)
	if err != nil {
		return value.Value{}, err
	}
	return at.WithItem(n, below), nil
}

// unable is the error for token i. The caller shows AWS's words instead:
// States.ResultPathMatchFailure.
func (r *Reference) unable(i int) error {
	return &Error{Message: "the part " + r.tokens[i].String() + " (number " + strconv.Itoa(i+1) + ") of the path " + r.text + " does not fit the document"}
}
