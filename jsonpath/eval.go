package jsonpath

import (
	"strconv"
	"strings"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/value"
)

// # How a path picks values
//
// A definite path walks straight down (evalDefinite). Any other is evaluated token by
// token: eval applies token i to a value, and down hands each value that it found to
// token i+1, or to the results behind the last one. The values so come in document
// order, in the order of Jayway.
//
// Jayway runs over Jackson's nodes, and unwraps some of them to Java values on the
// way: members of objects, not items of arrays. The difference shows in messages (a
// node that is a string has quotes) and in how null is treated, so each value comes
// with wrapped, which says what Jayway would hold. FindMetered is for where AWS has
// plain Java values throughout (java).
//
// A member that is not there is an error in one place and nothing in another, which
// is what surprises most:
//
//	$.a.b        definite: an error
//	$.a[*].b     below a wildcard over an array: left out
//	$.a.*.b      below a wildcard over an object, at the end: an error
//	$..b         a scan asks first whether the value fits, so never an error
//	$.a[?(@.x)].b  below a filter, at the end: an error
//
// A scan visits every object and array below a value, itself included, and applies
// the token behind it to those that it fits; in the middle of a path, and on an
// array, it continues with the items whatever the token says (scanned).
//
// Messages show the way with the indexes that were taken, which at holds. Making them
// costs more than finding nothing does, so below a wildcard over an array, where they
// are ignored, they are not made (quiet).

// maxSteps bounds an evaluation: scans inside of scans multiply. It protects the
// process; a path that goes once over a payload of AWS's size takes a hundredth.
const maxSteps = 4 << 20

// evaluation is one run of an indefinite path.
type evaluation struct {
	meter   *meter.Meter
	root    value.Value
	path    *Path
	at      []place // the way down
	results []value.Value
	steps   int
	java    bool // as for evalDefinite
	// quiet counts the wildcards over arrays around: they ignore what is not
	// found below them, so its message need not be made.
	quiet int
}

// place is a member of an object, or an item of an array.
type place struct {
	name   string
	index  int
	member bool
}

var (
	errQuiet = &Error{Message: "not found", NotFound: true}
	errSteps = &Error{Message: "the path picks too many values"}
)

// where is the way down as messages show it.
func (e *evaluation) where() string {
	var b strings.Builder
	b.WriteByte('$')
	for _, p := range e.at {
		if p.member {
			b.WriteString("['" + p.name + "']")
		} else {
			b.WriteString("[" + strconv.Itoa(p.index) + "]")
		}
	}
	return b.String()
}

// notFound is the error of a part that is not there, with its message if anyone will
// read it.
func (e *evaluation) notFound(message func() string) error {
	if e.quiet > 0 {
		return errQuiet
	}
	return notFound(message())
}

// down follows token i+1 into a value that token i found at a place.
func (e *evaluation) down(i int, p place, v value.Value, wrapped bool) error {
	if v.IsUndefined() {
		if e.java {
			return e.notFound(func() string { return noItem(e.where()).Error() })
		}
		v, wrapped = value.NullValue, false
	}
	wrapped = wrapped && !e.java
	if i == len(e.path.tokens)-1 {
		return e.result(v)
	}
	e.at = append(e.at, p)
	err := e.eval(i+1, v, wrapped)
	e.at = e.at[:len(e.at)-1]
	return err
}

// resultBytes is what a result takes in an array that grows.
const resultBytes = 100

// result adds to what the path picks.
func (e *evaluation) result(v value.Value) error {
	e.meter.Hold(resultBytes)
	e.results = append(e.results, v)
	return e.count(1)
}

// count counts steps, for the meter and for the bound of one evaluation.
func (e *evaluation) count(steps int) error {
	e.meter.Work(int64(steps))
	if e.steps += steps; e.steps > maxSteps {
		return errSteps
	}
	return nil
}

// eval applies token i to a value. wrapped says that Jayway holds it as a node rather
// than as a Java value.
func (e *evaluation) eval(i int, at value.Value, wrapped bool) error {
	if err := e.count(1); err != nil {
		return err
	}
	t := &e.path.tokens[i]
	switch t.kind {
	case property:
		return e.member(i, at, t.names[0])
	case properties:
		return e.members(i, at)
	case index:
		if err := e.path.checkArray(i, at, wrapped, e.where); err != nil {
			return err
		}
		return e.item(i, at, t.place(at))
	case indexes:
		if err := e.path.checkArray(i, at, wrapped, e.where); err != nil {
			return err
		}
		return e.items(i, at, t.numbers)
	case slice:
		if err := e.path.checkArray(i, at, wrapped, e.where); err != nil {
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

// member continues with a member. One that is missing in the middle of a path is an
// error only if strict says so.
func (e *evaluation) member(i int, at value.Value, name string) error {
	v, ok := at.Lookup(name)
	if ok {
		return e.down(i, place{name: name, member: true}, v, false)
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
// is an error: it is when the token before it and all from there on pick one value
// each. Jayway does not look further back.
func (p *Path) strict(i int) bool {
	if i == 0 {
		return p.definite
	}
	before := &p.tokens[i-1]
	return before.kind.definite() && before.forward
}

// members picks several members as one object. They can only stand at the end.
func (e *evaluation) members(i int, at value.Value) error {
	t := &e.path.tokens[i]
	switch {
	case at.Kind() != value.Object:
		return e.notFound(func() string { return "Property " + t.String() + " not found in path " + e.where() })
	case i < len(e.path.tokens)-1:
		return &Error{Message: "Multi properties can only be used as path leafs: " + e.where() + t.String()}
	}
	e.meter.Hold(resultBytes * int64(len(t.names)))
	e.meter.Work(int64(len(t.names)))
	return e.result(t.merge(at))
}

// item continues with an item; down decides what one beyond the end is.
func (e *evaluation) item(i int, at value.Value, n int) error {
	return e.down(i, place{index: n}, at.At(n), true)
}

// items continues with several items.
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
			if failed, ok := err.(*Error); ok && !failed.NotFound { //nolint:errorlint // eval returns no other
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
	if err := e.count(1); err != nil {
		return err
	}
	next := &e.path.tokens[i+1]
	fits, err := e.fits(next, at)
	if err != nil {
		return err
	}
	if fits {
		if err := e.scanned(i+1, at, wrapped); err != nil {
			return err
		}
	}
	switch at.Kind() {
	case value.Object:
		for n, name := range at.Names() {
			if err := e.below(place{name: name, member: true}, i, at.At(n), false); err != nil {
				return err
			}
		}
	case value.Array:
		for n, item := range at.Items() {
			if err := e.below(place{index: n}, i, item, true); err != nil {
				return err
			}
		}
	case value.Undefined, value.Null, value.Bool, value.Number, value.String:
	}
	return nil
}

// below scans what is inside of an object or array.
func (e *evaluation) below(p place, i int, v value.Value, wrapped bool) error {
	if k := v.Kind(); k != value.Object && k != value.Array {
		return nil
	}
	e.at = append(e.at, p)
	err := e.scan(i, v, wrapped)
	e.at = e.at[:len(e.at)-1]
	return err
}

// scanned applies the token that a scan looks for to a value that it fits. On
// an array in the middle of a path Jayway continues with every item, whatever
// the token says.
func (e *evaluation) scanned(i int, at value.Value, wrapped bool) error {
	if at.Kind() != value.Array || i == len(e.path.tokens)-1 {
		return e.eval(i, at, wrapped)
	}
	for n, item := range at.Items() {
		if err := e.down(i, place{index: n}, item, false); err != nil {
			return err
		}
	}
	return nil
}

// fits reports whether a scan applies the token to a value: an object or array has
// what it names.
func (e *evaluation) fits(t *token, at value.Value) (bool, error) {
	k := at.Kind()
	if k != value.Object && k != value.Array {
		return false, nil
	}
	switch t.kind {
	case property, properties:
		for _, name := range t.names {
			e.meter.Work(1)
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
		return e.holds(t, at)
	case scan:
	}
	return false, nil
}

// holds reports whether the condition of a filter holds for a value.
func (e *evaluation) holds(t *token, item value.Value) (bool, error) {
	if err := e.count(2 * t.test.size); err != nil {
		return false, err
	}
	return t.test.holds(e, item)
}

// filter continues with the items for which the condition holds, or with an object for
// which it does.
func (e *evaluation) filter(i int, at value.Value, wrapped bool) error {
	t := &e.path.tokens[i]
	switch at.Kind() {
	case value.Object:
		holds, err := e.holds(t, at)
		switch {
		case err != nil || !holds:
			return err
		case i < len(e.path.tokens)-1:
			return e.eval(i+1, at, wrapped)
		}
		return e.result(at)
	case value.Array:
		for n, item := range at.Items() {
			holds, err := e.holds(t, item)
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
	return &Error{Message: "Filter: " + e.path.rest(i) + " can not be applied to primitives. Current context is: " + shown(at, wrapped)}
}
