package jsonata

import (
	"math"
	"slices"
	"strconv"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/regex"
	"github.com/steppehq/steppe/value"
)

// # How an expression is evaluated
//
// An expression is evaluated by walking its tree: eval takes a node, the value that $
// stands for (input) and the variables in sight (frame), and returns a val. The tree
// is never changed, so any number of goroutines may walk it; all that an evaluation
// needs of its own is in an evaluation, which an Env keeps for the next one.
//
// What is walked most has shorter ways, which prepare (library.go) finds when the
// expression is compiled:
//
//	longWay      dispatch, then predicates, groups and the rules for sequences
//	literalWay   a pointer to the value in the tree
//	fieldWay     the member of an object, as a pointer into the data
//	followWay    $v.a.b as a pointer into the data
//	binaryWay    an operator without predicates
//
// A shorter way must be invisible. It returns what dispatch would, and counts the
// same depth and the same steps, because Step Functions ends an evaluation that is
// deeper than 100 and says so in a message: two ways of counting would make the same
// expression fail in one place and pass in another. This is also why a block of one
// expression (within) is skipped in a loop that still counts it.
//
// # Failures
//
// Errors are thrown as panics with an *Error, from wherever they are found, and
// become the error of Eval where it was called. Code in between needs no error
// paths; the price is that an evaluation which fails is thrown away with its memory.
// A meter ends an evaluation in the same way, with a *meter.Stop.
//
// # Limits
//
// Three counters bound an evaluation. depth is the nesting of eval, as the reference
// counts it. steps are nodes evaluated and, through tick, loops in functions;
// whenever they pass next, look holds them against the limit and the meter counts them.
// held counts, through charge, what new values hold as AWS seems to count it: 8 bytes
// for an item, 1 for a character. Independently of these the meter counts, in bytes of memory, what is about to be built (items, grown, members, texts).
//
// # Functions as values
//
// A function can be an item of an array or a member of an object, but value.Value has
// no kind for it. Inside of an evaluation an object with one member whose name no
// JSON text can hold stands for it; the number in the member is its index in fns.
// plain removes such objects from a result.

// flags say what an array is besides an array.
type flags uint8

const (
	flagSequence flags = 1 << iota // the result of a query: one item stands for itself
	flagKeep                       // a sequence that stays an array, also of one item
	flagCons                       // an array that was constructed in a path
	flagOuter                      // the whole input, which is an array
)

// val is a value in an evaluation.
type val struct {
	value.Value
	flags flags
}

// plain makes a val without flags: a value of the data, or a result that is final.
func plain(v value.Value) val { return val{Value: v} }

// isSequence reports whether v is a list of results rather than an array.
func (v val) isSequence() bool { return v.flags&flagSequence != 0 }

// sequence makes a list of results and takes ownership of items.
func sequence(items []value.Value) val { return val{value.Arr(items...), flagSequence} }

// frame holds the variables of a block, a call, or a tuple.
type frame struct {
	parent *frame
	names  []string
	vals   []val
	few    [2]val // where vals stands when there are few
}

// bind returns a variable of this frame a value. Frames have few names, so a search in
// order is faster than a map.
func (f *frame) bind(name string, v val) {
	for i, n := range f.names {
		if n == name {
			f.vals[i] = v
			return
		}
	}
	f.names = append(f.names, name)
	f.vals = append(f.vals, v)
}

// lookup finds a variable in this frame or one around it, the innermost first. It may
// be called on nil.
func (f *frame) lookup(name string) (val, bool) {
	for ; f != nil; f = f.parent {
		for i, n := range f.names {
			if n == name {
				return f.vals[i], true
			}
		}
	}
	return val{}, false
}

// Limits of an evaluation where the caller sets none.
const (
	defaultDepth = 500
	defaultBytes = 96 << 20
	defaultSteps = 5_000_000
	awsDepth     = 100
	awsBytes     = 6_990_256
	// totalFactor is how many times the bytes of one value an evaluation may
	// make in all.
	totalFactor = 3
)

// evaluation is one run of an expression.
type evaluation struct {
	root   frame
	expr   *Expr
	env    *Env
	depth  int
	steps  int64
	next   int64 // after how many steps to look at the limits and the meter
	told   int64 // steps that the meter knows of
	held   int64
	limits Limits
	meter  *meter.Meter
	search *regex.Machine // of regular expressions, made when the first is searched
	fns    []*function    // functions that stand as values
	known  map[*function]value.Value
	place  callPlace // the call under way
	evals  int       // $eval inside of $eval
	spare  *frame    // one that is free to be used again
	seed   uint64    // where no random numbers are given
	args   []val     // of the calls under way
	groups []group   // that are free to be used
	joined []byte    // texts of concatenations under way
	// missing is where found points for a value that is not there. It is never
	// written, and if it were, no other evaluation would see it.
	missing value.Value
}

// begin starts an evaluation, in the memory of the one before where the Env has kept
// that. The Env has no memory until end returns it, so that an evaluation
// inside of a callback does not find it.
func begin(x *Expr, env *Env) *evaluation {
	e := env.spare
	if env.spare = nil; e == nil {
		e = &evaluation{}
	}
	e.expr, e.env, e.limits = x, env, env.Limits
	if e.limits.Depth == 0 {
		e.limits.Depth = defaultDepth
		if x.options.StepFunctions {
			e.limits.Depth = awsDepth
		}
	}
	if e.limits.Bytes == 0 {
		e.limits.Bytes = defaultBytes
		if x.options.StepFunctions {
			e.limits.Bytes = awsBytes
		}
	}
	if e.limits.Steps == 0 {
		e.limits.Steps = defaultSteps
	}
	e.meter = env.Meter
	e.look()
	return e
}

// Memory of this size at most is kept for the next evaluation.
const (
	spareArgs = 64
	spareText = 4 << 10
)

// end leaves the memory of an evaluation that has a result to the next one. Nothing
// of the result is in it: functions, which hold frames, are no result. An evaluation
// that has failed never comes here, and its memory is garbage.
func (e *evaluation) end() {
	e.look()
	env, args, joined, groups, search := e.env, e.args, e.joined, e.groups, e.search
	clear(args[:cap(args)])
	if cap(args) > spareArgs {
		args = nil
	}
	if cap(joined) > spareText {
		joined = nil
	}
	*e = evaluation{args: args[:0], joined: joined[:0], groups: groups, search: search}
	env.spare = e
}

// eval evaluates a node. The result of a query with one item is that item. The depth
// is restored on the way out, and not by a defer, which would cost more than most
// nodes do; after a panic nothing looks at it again.
func (e *evaluation) eval(n *node, input *val, f *frame) val {
	outer := e.depth
	for n.within { // it counts, but does nothing
		e.depth++
		e.steps++
		n = n.items[0]
	}
	e.depth++
	e.steps++
	if e.depth > e.limits.Depth || e.steps > e.next {
		e.overrun(n)
	}
	switch n.way {
	case longWay:
	case binaryWay:
		v := e.binary(n, input, f)
		e.depth = outer
		return plain(v)
	default:
		if v := e.found(n, input, f); v != nil {
			e.depth = outer
			return plain(*v)
		}
	}
	v := e.dispatch(n, input, f)
	if len(n.predicates) > 0 {
		for i := range n.predicates {
			v = e.filter(n.predicates[i].expr, v, f)
		}
	}
	if n.grouped && n.kind != pathNode {
		v = e.groupBy(n.group, v, nil, f)
	}
	e.depth = outer
	if v.isSequence() {
		return collapse(v, n.keepArray)
	}
	return v
}

// found returns where the value of a node stands, in the data or in the expression;
// nil where that takes more than a look.
func (e *evaluation) found(n *node, input *val, f *frame) *value.Value {
	switch n.way {
	case fieldWay:
		if input.Kind() == value.Object {
			e.steps++
			if member := input.Ref(n.text); member != nil {
				return member
			}
			return &e.missing
		}
	case literalWay:
		return &n.value
	case followWay:
		return e.follow(n, input, f)
	case binaryWay, longWay:
	}
	return nil
}

// operand is found with the steps and the depth of eval; where it returns nil, eval
// must be called.
func (e *evaluation) operand(n *node, input *val, f *frame) *value.Value {
	if n.way == longWay || e.depth >= e.limits.Depth || e.steps >= e.next {
		return nil
	}
	e.steps++
	return e.found(n, input, f)
}

// overrun looks at the limits, and throws the error of the depth in the service's
// words, which name how deep it was.
func (e *evaluation) overrun(n *node) {
	e.tick(0)
	if e.depth > e.limits.Depth {
		panic(&Error{Code: limitCode, Position: n.at, Message: messages[limitCode] +
			" Depth=" + strconv.Itoa(e.limits.Depth+1) + " max=" + strconv.Itoa(e.limits.Depth)})
	}
}

// collapse makes the result of a query what it stands for: nothing, its only item, or
// an array. keep is [] behind the expression.
func collapse(v val, keep bool) val {
	if keep {
		v.flags |= flagKeep
	}
	switch v.Len() {
	case 0:
		return val{}
	case 1:
		if v.flags&flagKeep == 0 {
			return plain(v.At(0))
		}
	}
	return v
}

// dispatch evaluates a node by its kind, without its predicates and its group.
func (e *evaluation) dispatch(n *node, input *val, f *frame) val {
	switch n.kind {
	case fieldNode:
		return e.field(n, input, f)
	case pathNode:
		return e.path(n, input, f)
	case literalNode, stringNode:
		return plain(n.value)
	case nameNode:
		return e.lookup(input.Value, n.text)
	case variableNode:
		return e.variable(n, input, f)
	case binaryNode:
		return plain(e.binary(n, input, f))
	case negateNode:
		return plain(e.negate(n, input, f))
	case rangeNode:
		return e.rangeOf(n, input, f)
	case arrayNode:
		return e.array(n, input, f)
	case objectNode:
		return e.object(n, input, f)
	case blockNode:
		return e.block(n, input, f)
	case conditionNode:
		return e.condition(n, input, f)
	case bindNode:
		v := e.eval(n.right, input, f)
		f.bind(n.left.text, v)
		return v
	case callNode:
		return e.call(n, input, f, nil)
	case partialNode:
		return e.partial(n, input, f)
	case lambdaNode:
		return plain(e.functionValue(&function{lambda: n, frame: f, input: *input, signature: n.signature}))
	case applyNode:
		return e.apply(n, input, f)
	case transformNode:
		return plain(e.functionValue(e.transform(n, f)))
	case wildcardNode:
		return e.wildcard(*input)
	case descendantNode:
		return e.descendants(input.Value)
	case parentNode:
		v, _ := f.lookup(n.slot.label)
		return v
	case regexNode:
		return plain(e.functionValue(n.regex.fn))
	default:
		failAt("S0206", n, n.text, value.Value{})
	}
	return val{}
}

// variable evaluates $, $$ and $name. A name is looked for in the frames, then among
// the caller's variables, and last among the functions, so that an expression may
// redefine a function. The wrapped input of the whole expression is unwrapped where
// it is named.
func (e *evaluation) variable(n *node, input *val, f *frame) val {
	switch n.text {
	case "":
		if input.flags&flagOuter != 0 {
			return plain(input.At(0))
		}
		return *input
	case "$":
		if v, ok := f.lookup("$"); ok {
			return v
		}
		return plain(e.env.Input)
	}
	if v, ok := f.lookup(n.text); ok {
		return v
	}
	if e.env.Vars != nil {
		if v, ok := e.env.Vars(n.text); ok {
			return plain(v)
		}
	}
	if n.builtin != nil {
		return plain(e.functionValue(n.builtin))
	}
	return val{}
}

// block evaluates expressions in order and returns the last. It needs a frame only
// where one of them binds.
func (e *evaluation) block(n *node, input *val, f *frame) val {
	if n.binds {
		f = &frame{parent: f}
	}
	var v val
	for _, item := range n.items {
		v = e.eval(item, input, f)
	}
	return v
}

// condition evaluates ?:, which without an else is undefined when its condition is
// false.
func (e *evaluation) condition(n *node, input *val, f *frame) val {
	if e.truth(e.eval(n.left, input, f).Value) {
		return e.eval(n.right, input, f)
	}
	if n.other == nil {
		return val{}
	}
	return e.eval(n.other, input, f)
}

// truth returns the boolean that a value counts as: false for an empty string, 0,
// NaN, null, undefined, an empty object, a function, and an array in which nothing
// counts as true.
func (e *evaluation) truth(v value.Value) bool {
	switch v.Kind() {
	case value.Bool:
		return v.Bool()
	case value.String:
		return v.Str() != ""
	case value.Number:
		f := v.Float64()
		if math.IsInf(f, 0) {
			e.throw("D1001", v)
		}
		return f != 0 && !math.IsNaN(f)
	case value.Array:
		e.tick(1)
		return slices.ContainsFunc(v.Items(), e.truth)
	case value.Object:
		return v.Len() > 0 && !fnLike(v)
	case value.Undefined, value.Null:
	}
	return false
}

// array evaluates an array constructor. The items of what an expression in it returns
// become items: [1..3] and [a.b] are flat. A constructor inside of the constructor
// stays an array: [[1..3]] has one item.
func (e *evaluation) array(n *node, input *val, f *frame) val {
	if len(n.items) == 1 && n.items[0].kind != arrayNode {
		if v := e.eval(n.items[0], input, f); v.Kind() == value.Array {
			return e.constructed(n, v.Value)
		} else if !v.IsUndefined() {
			return e.constructed(n, value.Arr(v.Value))
		}
		return e.constructed(n, value.Arr())
	}
	e.items(len(n.items))
	items := value.NewArray(len(n.items))
	for _, item := range n.items {
		v := e.eval(item, input, f)
		if item.kind == arrayNode {
			items.Add(&v.Value)
		} else {
			e.collect(items, &v.Value)
		}
	}
	return e.constructed(n, items.Value())
}

// constructed charges for a new array, and marks one at the end of a path.
func (e *evaluation) constructed(n *node, array value.Value) val {
	e.charge(int64(8 * array.Len()))
	v := plain(array)
	if n.cons {
		v.flags = flagCons
	}
	return v
}

// maxRange bounds the numbers of one .. (jsonata-js: D2014). What it may hold in
// bytes ends most ranges before.
const maxRange = 10_000_000

// rangeOf evaluates from..to. Both ends are checked before an undefined one makes the
// range empty, as in the reference.
func (e *evaluation) rangeOf(n *node, input *val, f *frame) val {
	from, to := e.eval(n.left, input, f), e.eval(n.right, input, f)
	ends := [2]int64{}
	for i, v := range [2]val{from, to} {
		if v.IsUndefined() {
			continue
		}
		whole, ok := v.Int64()
		if !ok {
			failAt([2]string{"T2003", "T2004"}[i], n, "..", v.Value)
		}
		ends[i] = whole
	}
	size := float64(ends[1]) - float64(ends[0]) + 1
	if from.IsUndefined() || to.IsUndefined() || size <= 0 {
		return val{}
	}
	if size > maxRange {
		failAt("D2014", n, "", value.Float(size))
	}
	e.charge(8 * int64(size))
	e.tick(int(size) / 8)
	e.items(int(size))
	items := make([]value.Value, 0, int(size))
	for i := ends[0]; i <= ends[1]; i++ {
		items = append(items, value.Int(i))
	}
	return sequence(items)
}

// plain makes what leaves an evaluation: JSON without functions. In an array a
// function becomes null, in an object its member is left out, as JSON.stringify does.
func (e *evaluation) plain(v value.Value) value.Value {
	if len(e.fns) == 0 || !e.hasFunctions(v) {
		return v
	}
	switch v.Kind() {
	case value.Array:
		e.items(v.Len())
		items := make([]value.Value, 0, v.Len())
		for _, item := range v.Items() {
			if item = e.plain(item); item.IsUndefined() {
				item = value.NullValue
			}
			items = append(items, item)
		}
		return value.Arr(items...)
	case value.Object:
		if fnLike(v) {
			return value.Value{}
		}
		e.members(v.Len())
		object := value.NewObject(v.Len())
		for i, name := range v.Names() {
			if item := e.plain(v.At(i)); !item.IsUndefined() {
				object.Set(name, item)
			}
		}
		return object.Value()
	default:
		return v
	}
}

// hasFunctions reports whether a function is somewhere in v.
func (e *evaluation) hasFunctions(v value.Value) bool {
	e.tick(1)
	return fnLike(v) || slices.ContainsFunc(v.Items(), e.hasFunctions)
}

// finite reports whether JSON can hold f.
func finite(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }
