package jsonata

import (
	"cmp"
	"math"
	"slices"

	"github.com/steppehq/steppe/value"
)

// Operators take undefined for an answer: arithmetic with it is undefined, a
// comparison for equality is false, an order is undefined, and & takes it for an
// empty text. What is there and of the wrong type is an error (T2001, T2002, T2009,
// T2010). Infinities and NaN, which 1/0 and 0/0 make, are values until arithmetic is given one (D1001, T2001).
//
// Chains of & get a way of their own, concatenation: the tree a & b & c & d nests to
// the left, and joining in pairs would copy the beginning once for each operator. The
// chain is walked from its innermost operand, all texts are appended in one place,
// and depth, steps and size are counted as for pairs.

// operator is an infix operator.
type operator uint8

const (
	otherOperator operator = iota
	andOperator
	orOperator
	addOperator
	subtractOperator
	multiplyOperator
	divideOperator
	remainderOperator
	equalOperator
	unequalOperator
	lessOperator
	atMostOperator
	moreOperator
	atLeastOperator
	joinOperator
	inOperator
)

var operators = map[string]operator{
	"and": andOperator, "or": orOperator, "+": addOperator, "-": subtractOperator, "*": multiplyOperator, "/": divideOperator,
	"%": remainderOperator, "=": equalOperator, "!=": unequalOperator, "<": lessOperator, "<=": atMostOperator, ">": moreOperator,
	">=": atLeastOperator, "&": joinOperator, "in": inOperator,
}

// binary evaluates an infix operator. and and or evaluate their right side only where
// it decides.
func (e *evaluation) binary(n *node, input *val, f *frame) value.Value {
	if n.op == joinOperator {
		return e.concatenation(n, input, f)
	}
	left := e.operand(n.left, input, f)
	if left == nil {
		v := e.eval(n.left, input, f).Value
		left = &v
	}
	switch {
	case n.op == andOperator && !e.truth(*left):
		return value.Of(false)
	case n.op == orOperator && e.truth(*left):
		return value.Of(true)
	}
	right := e.operand(n.right, input, f)
	if right == nil {
		v := e.eval(n.right, input, f).Value
		right = &v
	}
	switch n.op {
	case andOperator, orOperator:
		return value.Of(e.truth(*right))
	case addOperator, subtractOperator, multiplyOperator, divideOperator, remainderOperator:
		return e.arithmetic(n, left, right)
	case equalOperator, unequalOperator:
		if left.IsUndefined() || right.IsUndefined() {
			return value.Of(false)
		}
		return value.Of(e.equal(*left, *right) == (n.op == equalOperator))
	case lessOperator, atMostOperator, moreOperator, atLeastOperator:
		return e.ordered(n, left, right)
	case inOperator:
		return value.Of(e.within(*left, *right))
	default:
		failAt("S0204", n, n.text, value.Value{})
		return value.Value{}
	}
}

// concatenation joins the texts of a chain of operands in one place. It counts
// depth, steps and what is held as if each operator made a text of its own.
func (e *evaluation) concatenation(n *node, input *val, f *frame) value.Value {
	first, chain := n, 0
	// The chain ends at an operand that is anything but a plain &.
	for l := n.left; l.kind == binaryNode && l.op == joinOperator && len(l.predicates) == 0 && !l.grouped; l = l.left {
		first = l
		chain++
	}
	e.depth += chain
	e.steps += int64(chain)
	if e.depth > e.limits.Depth {
		e.overrun(first)
	}
	// Operands may contain chains themselves: their texts are behind ours in the same
	// slice, and are cut off when they are done.
	if e.joined == nil {
		e.joined = make([]byte, 0, 96) // most texts, without growing
	}
	start := len(e.joined)
	e.join(first.left, input, f)
	// From the innermost operator out: the right sides of the chain.
	for i := chain; i >= 0; i-- {
		at := n
		for range i {
			at = at.left
		}
		e.join(at.right, input, f)
		e.charge(int64(len(e.joined) - start))
		if i > 0 {
			e.depth--
		}
	}
	text := value.Joined(string(e.joined[start:]))
	e.joined = e.joined[:start]
	return value.Str(text)
}

// join appends the text of an operand to what is joined.
func (e *evaluation) join(n *node, input *val, f *frame) {
	v := e.operand(n, input, f)
	if v == nil {
		other := e.eval(n, input, f).Value
		v = &other
	}
	if v.Kind() == value.String {
		e.texts(len(v.Str()))
		e.joined = append(e.joined, v.Str()...)
		return
	}
	e.joined = append(e.joined, e.text(*v)...)
}

// equal compares values, numbers as floats unless whole ones are exact.
func (e *evaluation) equal(a, b value.Value) bool {
	e.tick(1)
	if a.Kind() != b.Kind() || a.Len() != b.Len() {
		return false
	}
	switch a.Kind() {
	case value.Number:
		e.tick(comparing(a, b))
		if e.expr.options.StepFunctions {
			return value.CompareNumbers(a, b) == 0
		}
		return a.Float64() == b.Float64()
	case value.Array:
		for i, item := range a.Items() {
			if !e.equal(item, b.At(i)) {
				return false
			}
		}
		return true
	case value.Object:
		for i, name := range a.Names() {
			other, ok := b.Lookup(name)
			if !ok || !e.equal(a.At(i), other) {
				return false
			}
		}
		return true
	case value.String:
		e.tick(comparing(a, b))
		return a.Str() == b.Str()
	default:
		return value.Equal(a, b)
	}
}

// text is what a value is in a concatenation.
func (e *evaluation) text(v value.Value) string {
	if v.Kind() == value.String {
		return v.Str()
	}
	if v.IsUndefined() {
		return ""
	}
	return e.stringOf(v, false)
}

// within is the operator in: whether v is the list or an item of it.
func (e *evaluation) within(v, list value.Value) bool {
	if v.IsUndefined() || list.IsUndefined() {
		return false
	}
	if v.Kind() == value.Array || v.Kind() == value.Object {
		return false // only the very same one would be in a list
	}
	if list.Kind() != value.Array {
		return e.equal(v, list)
	}
	return slices.ContainsFunc(list.Items(), func(item value.Value) bool { return e.equal(v, item) })
}

// number checks an operand: it must be a number that JSON can hold, or undefined, for
// which it is false. code is the error of anything else.
func number(n *node, v value.Value, code string) (float64, bool) {
	if v.IsUndefined() {
		return 0, false
	}
	if v.Kind() != value.Number {
		failAt(code, n, n.text, v)
	}
	x := v.Float64()
	switch {
	case math.IsInf(x, 0):
		failAt("D1001", n, "", v)
	case math.IsNaN(x):
		failAt(code, n, n.text, v)
	}
	return x, true
}

// infinite reports whether a number is written in JSON but beyond a float64: 1e400.
func infinite(v value.Value) bool {
	if _, whole := v.Int64(); whole {
		return false
	}
	return !finite(v.Float64())
}

// operand is a number to compute with.
type operand struct {
	float float64
	whole int64
	exact bool // whole is the number
}

// operandOf checks an operand. It is false for undefined.
func operandOf(n *node, v *value.Value, code string) (o operand, defined bool) {
	if v.IsUndefined() {
		return o, false
	}
	if o.whole, o.exact = v.Int64(); o.exact {
		o.float = float64(o.whole)
		return o, true
	}
	o.float, defined = number(n, *v, code)
	return o, defined
}

// arithmetic evaluates + - * / %. Both sides are checked before an undefined one
// makes the result undefined, in the order of the reference.
func (e *evaluation) arithmetic(n *node, left, right *value.Value) value.Value {
	a, okA := operandOf(n, left, "T2001")
	b, okB := operandOf(n, right, "T2002")
	if !okA || !okB {
		return value.Value{}
	}
	// Division is not among these: 4/2 is a float that numberOf makes whole.
	if a.exact && b.exact && e.expr.options.StepFunctions {
		if v, ok := exact(n.op, a.whole, b.whole); ok {
			return v
		}
	}
	var r float64
	switch n.op {
	case addOperator:
		r = a.float + b.float
	case subtractOperator:
		r = a.float - b.float
	case multiplyOperator:
		r = a.float * b.float
	case divideOperator:
		r = a.float / b.float
	case remainderOperator:
		r = math.Mod(a.float, b.float)
	default:
	}
	return numberOf(r) // of what is no number of JSON, an operator complains that is given it
}

// exact computes with whole numbers as long as they fit: it is false for an overflow,
// and for operators whose result need not be whole.
func exact(op operator, a, b int64) (value.Value, bool) {
	switch op {
	case addOperator:
		if sum := a + b; (sum > a) == (b > 0) {
			return value.Int(sum), true
		}
	case subtractOperator:
		if difference := a - b; (difference < a) == (b > 0) {
			return value.Int(difference), true
		}
	case multiplyOperator:
		if a == 0 || b == 0 {
			return value.Int(0), true
		}
		if product := a * b; product/b == a && (a != -1 || b != math.MinInt64) && (b != -1 || a != math.MinInt64) {
			return value.Int(product), true
		}
	default:
	}
	return value.Value{}, false
}

// numberOf makes a number: a whole one where that is exact.
func numberOf(f float64) value.Value {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return value.Int(int64(f))
	}
	return value.AnyFloat(f)
}

// ordered evaluates < <= > >= of two numbers or two strings, strings by UTF-16 units.
func (e *evaluation) ordered(n *node, left, right *value.Value) value.Value {
	// Most comparisons are of two whole numbers, and need no floats.
	if left.Kind() == value.Number && right.Kind() == value.Number {
		if a, ok := left.Int64(); ok {
			if b, ok := right.Int64(); ok {
				return n.op.holds(cmp.Compare(a, b))
			}
		}
	}
	for _, v := range [2]*value.Value{left, right} {
		if k := v.Kind(); k != value.Undefined && k != value.Number && k != value.String {
			failAt("T2010", n, n.text, *v)
		}
	}
	if left.IsUndefined() || right.IsUndefined() {
		return value.Value{}
	}
	if left.Kind() != right.Kind() {
		e := newError("T2009", *left, *right)
		e.Token, e.Position = n.text, n.at
		panic(e)
	}
	e.tick(comparing(*left, *right))
	return n.op.holds(compare(*left, *right))
}

// holds returns what a comparison makes of an order, which is negative, zero or
// positive.
func (op operator) holds(order int) value.Value {
	switch op {
	case lessOperator:
		return value.Of(order < 0)
	case atMostOperator:
		return value.Of(order <= 0)
	case moreOperator:
		return value.Of(order > 0)
	default:
		return value.Of(order >= 0)
	}
}

// negate evaluates a minus before an operand.
func (e *evaluation) negate(n *node, input *val, f *frame) value.Value {
	v := e.eval(n.left, input, f).Value
	switch v.Kind() {
	case value.Undefined:
		return v
	case value.Number:
		if _, ok := number(n, v, "D1002"); ok {
			return negate(v)
		}
	default:
		failAt("D1002", n, n.text, v)
	}
	return v
}

// negate returns -v. There is no -0, which JSON would show.
func negate(v value.Value) value.Value {
	// -MinInt64 does not fit, and is a float.
	if i, ok := v.Int64(); ok && i != math.MinInt64 && i != 0 {
		return value.Int(-i)
	}
	if v.Float64() == 0 {
		return value.Int(0)
	}
	return numberOf(-v.Float64())
}
