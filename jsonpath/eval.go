package jsonpath

import (
	"strconv"

	"github.com/steppehq/steppe/value"
)

// evaluation is one run of an indefinite path.
type evaluation struct {
	root    value.Value
	path    *Path
	at      []string // the way down, as messages show it
	results []value.Value
	// quiet counts the wildcards over arrays around: they ignore what is not
	// found below them, so its message need not be made.
	quiet int
}

var errQuiet = &Error{Message: "not found", NotFound: true}

func (e *evaluation) where() string {
	text := "$"
	for _, part := range e.at {
		text += part
	}
	return text
}

func (e *evaluation) notFound(message func() string) error {
	if e.quiet > 0 {
		return errQuiet
	}
	return notFound(message())
}

// down follows token i+1 into a value that token i found.
func (e *evaluation) down(i int, part string, v value.Value, wrapped bool) error {
	if i == len(e.path.tokens)-1 {
		if v.IsUndefined() {
			v = value.NullValue
		}
		e.results = append(e.results, v)
		return nil
	}
	if v.IsUndefined() {
		v, wrapped = value.NullValue, false
	}
	if part == "" { // a filter on an object stays where it is
		return e.eval(i+1, v, wrapped)
	}
	e.at = append(e.at, part)
	err := e.eval(i+1, v, wrapped)
	e.at = e.at[:len(e.at)-1]
	return err
}

// eval applies token i to a value. wrapped tells that Jayway holds it as a
// node rather than as a Java value.
func (e *evaluation) eval(i int, at value.Value, wrapped bool) error {
	t := &e.path.tokens[i]
	switch t.kind {
	case property:
		return e.member(i, at, t.names[0])
	case properties:
		return e.members(i, at)
	case index:
		item, err := t.item(at, wrapped, e.where)
		if err != nil {
			return err
		}
		return e.down(i, t.String(), item, true)
	case indexes:
		if err := t.checkArray(at, wrapped, e.where); err != nil {
			return err
		}
		return e.items(i, at, t.numbers)
	case slice:
		if err := t.checkArray(at, wrapped, e.where); err != nil {
			return err
		}
		from, to := t.bounds(at.Len())
		for n := from; n < to; n++ {
			if err := e.item(i, at, n); err != nil {
				return err
			}
		}
		return nil
	case wildcard:
		return e.all(i, at)
	case scan:
		return e.scan(i, at, wrapped)
	case filter:
		return e.filter(i, at, wrapped)
	}
	return nil
}

func (e *evaluation) member(i int, at value.Value, name string) error {
	v, ok := at.Lookup(name)
	if ok {
		return e.down(i, "['"+name+"']", v, false)
	}
	switch {
	case at.Kind() != value.Object:
		return e.notFound(func() string { return "Property " + e.path.tokens[i].String() + " not found in path " + e.where() })
	case i == len(e.path.tokens)-1:
		return e.notFound(func() string { return "No results for path: " + e.where() + "['" + name + "']" })
	case e.path.strict(i):
		return e.notFound(func() string { return "Missing property in path " + e.where() + "['" + name + "']" })
	}
	return nil
}

// strict reports whether a member that is not there in the middle of the path
// is an error. It is not when a token before it, scans not counted, or after
// it may pick several values.
func (p *Path) strict(i int) bool {
	for _, t := range p.tokens[:i] {
		if t.kind != scan && !t.kind.definite() {
			return false
		}
	}
	return p.tokens[i].forward
}

func (e *evaluation) members(i int, at value.Value) error {
	t := &e.path.tokens[i]
	switch {
	case at.Kind() != value.Object:
		return e.notFound(func() string { return "Property " + t.String() + " not found in path " + e.where() })
	case i < len(e.path.tokens)-1:
		return &Error{Message: "Multi properties can only be used as path leafs: " + e.where() + t.String()}
	}
	e.results = append(e.results, t.merge(at))
	return nil
}

func (e *evaluation) item(i int, at value.Value, n int) error {
	return e.down(i, "["+strconv.Itoa(n)+"]", at.At(n), true)
}

func (e *evaluation) items(i int, at value.Value, numbers []int) error {
	for _, n := range numbers {
		if err := e.item(i, at, n); err != nil {
			return err
		}
	}
	return nil
}

// all applies a wildcard. Over an array it ignores what is not found below.
func (e *evaluation) all(i int, at value.Value) error {
	switch at.Kind() {
	case value.Object:
		for _, name := range at.Names() {
			if err := e.member(i, at, name); err != nil {
				return err
			}
		}
	case value.Array:
		for n := range at.Items() {
			e.quiet++
			err := e.item(i, at, n)
			e.quiet--
			if failed, ok := err.(*Error); ok && !failed.NotFound { //nolint:errorlint // eval gives no other
				return err
			}
		}
	case value.Undefined, value.Null, value.Bool, value.Number, value.String:
	}
	return nil
}

// scan applies the token after it to the value and all values inside it that
// it fits.
func (e *evaluation) scan(i int, at value.Value, wrapped bool) error {
	next := &e.path.tokens[i+1]
	fits, err := e.fits(next, at, wrapped)
	if err != nil {
		return err
	}
	if fits {
		if err := e.scanned(i+1, next, at, wrapped); err != nil {
			return err
		}
	}
	switch at.Kind() {
	case value.Object:
		for n, name := range at.Names() {
			if err := e.below("['"+name+"']", i, at.At(n), false); err != nil {
				return err
			}
		}
	case value.Array:
		for n, item := range at.Items() {
			if err := e.below("["+strconv.Itoa(n)+"]", i, item, true); err != nil {
				return err
			}
		}
	case value.Undefined, value.Null, value.Bool, value.Number, value.String:
	}
	return nil
}

func (e *evaluation) below(part string, i int, v value.Value, wrapped bool) error {
	if k := v.Kind(); k != value.Object && k != value.Array {
		return nil
	}
	e.at = append(e.at, part)
	err := e.scan(i, v, wrapped)
	e.at = e.at[:len(e.at)-1]
	return err
}

// scanned applies the token that a scan looks for to a value that it fits. On
// an array in the middle of a path Jayway goes on with every item, whatever
// the token says.
func (e *evaluation) scanned(i int, t *token, at value.Value, wrapped bool) error {
	if at.Kind() != value.Array || i == len(e.path.tokens)-1 {
		return e.eval(i, at, wrapped)
	}
	for n := range at.Items() {
		if err := e.item(i, at, n); err != nil {
			return err
		}
	}
	return nil
}

func (e *evaluation) fits(t *token, at value.Value, wrapped bool) (bool, error) {
	k := at.Kind()
	if k != value.Object && k != value.Array {
		return false, nil
	}
	switch t.kind {
	case property, properties:
		for _, name := range t.names {
			if _, ok := at.Lookup(name); !ok {
				return false, nil
			}
		}
		return true, nil
	case index, indexes, slice:
		return k == value.Array, nil
	case wildcard:
		return true, nil
	case filter:
		return t.test.holds(e.root, at)
	case scan:
	}
	return false, nil
}

func (e *evaluation) filter(i int, at value.Value, wrapped bool) error {
	t := &e.path.tokens[i]
	switch at.Kind() {
	case value.Object:
		holds, err := t.test.holds(e.root, at)
		if err != nil || !holds {
			return err
		}
		return e.down(i, "", at, wrapped)
	case value.Array:
		for n, item := range at.Items() {
			holds, err := t.test.holds(e.root, item)
			if err != nil {
				return err
			}
			if holds {
				if err := e.item(i, at, n); err != nil {
					return err
				}
			}
		}
		return nil
	case value.Undefined, value.Null, value.Bool, value.Number, value.String:
	}
	return &Error{Message: "Filter: [?] can not be applied to primitives. Current context is: " + shown(at, wrapped)}
}
