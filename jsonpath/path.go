// Package jsonpath is AWS's dialect of JSONPath. The service behaves exactly as
// Jayway json-path 2.0.0 over Jackson's JsonNode does, quirks included, so that is
// what this package implements: a recorded run of that library is its test.
//
//	path, err := jsonpath.Compile("$.orders[?(@.total > 100)].id")
//	if err != nil {
//		return err // a *jsonpath.SyntaxError
//	}
//	ids, err := path.Eval(document) // an array, since the path is not definite
//	if failed, ok := errors.AsType[*jsonpath.Error](err); ok && failed.NotFound {
//		// a part of the path is not there
//	}
//
// [Path] picks values out of a document, [Reference] names one place in it, for
// ResultPath to put something there. Both are compiled once and may be used from any
// goroutine.
//
// The package leaves out what Jayway reads into texts whose quotes or brackets do not
// pair, which are refused, and what Go's regular expressions lack (lookaround, back
// references).
//
// Stability: promised after 1.0.
package jsonpath

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/value"
)

// Limits of what is compiled. They protect the process; no path that AWS takes
// comes near them.
const (
	maxLength = 64 << 10
	maxTokens = 1000
)

// Path is a compiled path.
type Path struct {
	text     string
	tokens   []token
	definite bool
}

// SyntaxError says that a text is no path.
type SyntaxError struct{ Path, Reason string }

// Error returns path and reason.
func (e *SyntaxError) Error() string { return fmt.Sprintf("invalid path %q: %s", e.Path, e.Reason) }

// Error says that a path could not be applied to a document, in the words that AWS
// shows (Jayway's).
type Error struct {
	Message string
	// NotFound reports that a part of the path is not there, rather than of a
	// kind that the path cannot be applied to.
	NotFound bool
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// String is the text that the path was compiled from.
func (p *Path) String() string { return p.text }

// Definite reports whether the path picks at most one value. An indefinite path
// always returns an array.
func (p *Path) Definite() bool { return p.definite }

// Eval picks what the path names out of a document: for a definite path the value,
// for an indefinite one an array of all values, which may be empty. The error is an
// [*Error]. An index beyond the end of an array returns null, as Jayway does over
// JsonNode.
func (p *Path) Eval(root value.Value) (value.Value, error) { return p.EvalMetered(nil, root) }

// EvalMetered is Eval whose work and results a meter counts.
func (p *Path) EvalMetered(m *meter.Meter, root value.Value) (value.Value, error) {
	if p.definite {
		m.Work(1 + int64(len(p.tokens))/2)
		return p.evalDefinite(root, true, false, false)
	}
	return p.evalIndefinite(m, root, false)
}

// FindMetered is [Path.EvalMetered] except that an index beyond the end of an array
// finds nothing. It is what Jayway does over plain Java values rather than over
// JsonNode, and what AWS shows for the arguments of intrinsic functions.
func (p *Path) FindMetered(m *meter.Meter, root value.Value) (value.Value, error) {
	if p.definite {
		m.Work(1 + int64(len(p.tokens))/2)
		return p.evalDefinite(root, false, true, false)
	}
	return p.evalIndefinite(m, root, true)
}

// evalIndefinite collects all that the path picks. java is as for evalDefinite.
func (p *Path) evalIndefinite(m *meter.Meter, root value.Value, java bool) (value.Value, error) {
	var way [8]place
	e := evaluation{meter: m, root: root, path: p, at: way[:0], java: java}
	if err := e.eval(0, root, !java); err != nil {
		return value.Value{}, err
	}
	return value.Arr(e.results...), nil
}

// evalDefinite walks straight down. wrapped says whether Jayway holds root as a node;
// it holds items as nodes and members of objects as Java values. java says that it
// holds everything as Java values, quiet that the message of a missing part will not
// be read.
func (p *Path) evalDefinite(root value.Value, wrapped, java, quiet bool) (value.Value, error) {
	at := root
	for i := range p.tokens {
		t := &p.tokens[i]
		switch t.kind {
		case property:
			member, ok := at.Lookup(t.names[0])
			if !ok && quiet {
				return value.Value{}, errQuiet
			} else if !ok {
				return value.Value{}, p.noMember(root, i, at)
			}
			at, wrapped = member, false
		case properties:
			return p.pick(root, i, at)
		case index:
			if at.Kind() != value.Array {
				return value.Value{}, p.checkArray(i, at, wrapped, func() string { return p.way(root, i) })
			}
			item := at.At(t.place(at))
			if item.IsUndefined() && java {
				return value.Value{}, noItem(p.way(root, i))
			}
			wrapped = !item.IsUndefined() && !java
			if at = item; item.IsUndefined() {
				at = value.NullValue
			}
		case indexes, slice, wildcard, scan, filter:
			panic("jsonpath: indefinite token in a definite path")
		}
	}
	return at, nil
}

// noMember is the error for token i, a property that at lacks. Jayway has three
// messages for it: at is no object, the property is the last token, or it is one in
// the middle.
func (p *Path) noMember(root value.Value, i int, at value.Value) error {
	switch {
	case at.Kind() != value.Object:
		return notFound("Property " + p.tokens[i].String() + " not found in path " + p.way(root, i))
	case i == len(p.tokens)-1:
		return notFound("No results for path: " + p.way(root, i+1))
	}
	return notFound("Missing property in path " + p.way(root, i+1))
}

// pick makes the object of several members that token i names.
func (p *Path) pick(root value.Value, i int, at value.Value) (value.Value, error) {
	switch {
	case at.Kind() != value.Object:
		return value.Value{}, p.noMember(root, i, at)
	case i < len(p.tokens)-1:
		return value.Value{}, &Error{Message: "Multi properties can only be used as path leafs: " + p.way(root, i+1)}
	}
	return p.tokens[i].merge(at), nil
}

// merge makes an object of the members that the token names and at has.
func (t *token) merge(at value.Value) value.Value {
	merged := value.NewObject(len(t.names))
	for _, name := range t.names {
		if member, ok := at.Lookup(name); ok {
			merged.Set(name, member)
		}
	}
	return merged.Value()
}

// hasAll reports whether what a definite path has picked has all the members that
// its last token asks for, if it asks for several.
func (p *Path) hasAll(picked value.Value) bool {
	if n := len(p.tokens); n > 0 && p.tokens[n-1].kind == properties {
		for _, name := range p.tokens[n-1].names {
			if _, ok := picked.Lookup(name); !ok {
				return false
			}
		}
	}
	return true
}

// way is the first n tokens as messages show them, each with the index that
// it stands for in the document.
func (p *Path) way(at value.Value, n int) string {
	var b strings.Builder
	b.WriteByte('$')
	for i := range p.tokens[:n] {
		t := &p.tokens[i]
		if t.kind == index {
			place := t.place(at)
			b.WriteString("[" + strconv.Itoa(place) + "]")
			at = at.At(place)
			continue
		}
		b.WriteString(t.String())
		at = at.Get(t.names[0])
	}
	return b.String()
}

// noItem is the error of an index beyond the end, which only FindMetered has.
func noItem(way string) error {
	return notFound("Index out of bounds when evaluating path " + way)
}

// notFound is the error of a part that is not there.
func notFound(message string) error { return &Error{Message: message, NotFound: true} }
