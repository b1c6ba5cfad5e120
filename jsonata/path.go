package jsonata

import (
	"math"
	"slices"

	"github.com/steppehq/steppe/value"
)

// # How a path is evaluated
//
// A path is a list of steps. Each step is evaluated on every value that the step
// before it has found, and what it finds is collected in one list, the sequence.
// JSONata makes no difference between one value and a list of one, so most of the
// rules below are about when an array is a list of results, and when it is a value.
//
// A val says so by its flags. A sequence (flagSequence) is a list of results: an
// empty one is undefined, one of one item is that item, unless [] asked to keep it
// (flagKeep). An array without the flag is a value of the data or of a constructor.
// An array constructor at the ends of a path has flagCons: it is one result even in
// the middle of a sequence. flagOuter marks the input of the whole expression when it
// is an array, which is wrapped in an array of one so that the first step sees it as
// one value.
//
// Between two steps, arrays are flattened by one level: the items of what a step
// returns are added to the list, whether they came from an array in the data or from
// a sequence. Only the last step may return an array of the data as it is, if it is
// the only result:
//
//	{"a":[{"b":[1,2]},{"b":[3]}]}    a.b          [1,2,3]
//	{"a":{"b":[[1,2]]}}              a.b          [[1,2]]     the data's own array
//	{"a":[{"b":1},{"c":2}]}          a.b          1           a sequence of one
//	{"a":[{"b":1},{"c":2}]}          a.b[]        [1]
//	{"a":[1,2]}                      a.[$]        [[1],[2]]   constructed arrays
//
// Three ways lead through a path; all return the same and count the same steps, since
// the limits on steps and depth are visible to the user:
//
// - path follows steps while there is one value, without building lists, and takes
//   the members of objects by name directly (the cases step.simple). It falls back to
//   stepOnOne and step, which evaluate a step as an expression. named is the step of
//   one name on a list of objects.
// - follow is a variable and names on objects only, $states.input.id, which is what
//   most expressions of Step Functions are. It returns a pointer into the data and
//   copies nothing.
// - tuples is for paths in which a step binds a variable (@, #) or is the ancestor of
//   a %.
//
// # Tuples
//
// Where steps bind variables, a list of values is not enough: each value carries what
// was bound on the way to it. A tuple is such a value with its variables. A tuple
// step is evaluated once for each tuple, in a frame that holds its variables, and
// makes one tuple of each result, with the variables of the tuple it came from and
// its own. With @ the result becomes a variable and the value stays what it was, so
// that the next step begins at the same place again: this is how paths join. The
// stream begins at the first step that binds; the steps before it make a plain list.
//
//	library.loans@$l.books@$b[$l.isbn = $b.isbn].{"title": $b.title}
//
// Stages are the filters of a step. A number picks by position, counting from the end
// where it is negative; a list of numbers picks as often as it names a position;
// anything else keeps the items for which it is true. In a plain path they filter
// what the step makes of each value, in a tuple stream all tuples of the step
// together, as in the reference.
//
// What belongs to the path as a whole comes last (endPath): [] makes the result an
// array, {key: value} groups it, with the tuples if there are any.

// path evaluates a path: each step on every result of the one before. current is the
// value or list reached so far; single reports which, and items is the list.
func (e *evaluation) path(n *node, input *val, f *frame) val {
	if n.tuples {
		return e.tuplePath(n, input, f)
	}
	// A path of one step on one value makes no sequence at all.
	current, single := *input, true
	items := []value.Value(nil)
	if input.Kind() == value.Array && n.items[0].kind != variableNode {
		single, items = false, input.Items()
	}
	for i, step := range n.items {
		last := i == len(n.items)-1
		switch {
		case i == 0 && step.simple && step.kind == variableNode:
			e.steps++
			if current = e.variable(step, input, f); current.Kind() == value.Array && !last {
				current.flags = flagSequence
			}
		case step.simple && step.kind == nameNode && single && current.Kind() == value.Object:
			e.steps++
			member := current.Get(step.text)
			current = plain(member)
			if member.Kind() == value.Array && !last {
				current.flags = flagSequence
			}
		case step.simple && step.kind == nameNode && !single && e.named(&current, items, step.text, last):
			e.steps += int64(len(items))
		case i == 0 && step.cons:
			current = e.eval(step, input, f)
			single = current.Kind() != value.Array
			if !single {
				items = current.Items()
			}
			continue
		case single && step.kind != sortNode:
			current = e.stepOnOne(step, &current, f, last)
		default:
			if single {
				items = []value.Value{current.Value}
			}
			current = e.step(step, items, f, last)
		}
		if current.IsUndefined() || current.Kind() == value.Array && current.Len() == 0 {
			break
		}
		if single = current.Kind() != value.Array; !single {
			items = current.Items()
		}
	}
	if !n.keepSingleton && !n.grouped {
		return current
	}
	return e.endPath(n, current, nil, f)
}

// follow goes from a variable along names, as long as there are objects on the way,
// and returns the place where that ends. It returns nil where it meets anything else,
// for which a path has rules.
func (e *evaluation) follow(n *node, input *val, f *frame) *value.Value {
	start := e.variable(n.items[0], input, f)
	if start.Kind() != value.Object {
		return nil
	}
	at := start.Ref(n.items[1].text)
	for _, step := range n.items[2:] {
		if at == nil {
			break
		}
		if at.Kind() != value.Object {
			return nil
		}
		at = at.Ref(step.text)
	}
	e.steps += int64(len(n.items))
	if at == nil {
		return &e.missing
	}
	return at
}

// field evaluates a path that is one name, on what is no object.
func (e *evaluation) field(n *node, input *val, f *frame) (v val) {
	items := input.Items()
	switch {
	case input.Kind() != value.Array || len(items) == 0:
	case e.named(&v, items, n.text, true):
		e.steps += int64(len(items))
	default:
		v = e.step(n.items[0], items, f, true)
	}
	return v
}

// named is the step of a name on many objects, without evaluating the name for each.
// It returns false, with result unchanged, when there is an array among them, for
// which step has rules. The only result of a last step stays an array of the data.
func (e *evaluation) named(result *val, items []value.Value, name string, last bool) bool {
	e.items(len(items))
	found, count := value.NewArray(len(items)), 0
	var only value.Value
	for i := range items {
		switch items[i].Kind() {
		case value.Array:
			return false
		case value.Object:
			member := items[i].Ref(name)
			if member == nil {
				continue
			}
			if count++; member.Kind() == value.Array {
				only = *member
				e.grown(member.Len())
				found.Append(member.Items()...)
			} else {
				only = value.Value{}
				found.Add(member)
			}
		default:
		}
	}
	if last && count == 1 && only.Kind() == value.Array {
		*result = plain(only)
	} else {
		*result = val{found.Value(), flagSequence}
	}
	e.collected(len(items))
	return true
}

// endPath applies what stands behind a path as a whole.
func (e *evaluation) endPath(n *node, result val, tuples []tuple, f *frame) val {
	if n.keepSingleton && !result.IsUndefined() {
		switch {
		case result.Kind() != value.Array:
			result = sequence([]value.Value{result.Value})
		case result.flags&flagCons != 0 && result.flags&flagSequence == 0:
			result = sequence([]value.Value{result.Value})
		}
		result.flags |= flagKeep | flagSequence
	}
	if n.grouped {
		return e.groupBy(n.group, result, tuples, f)
	}
	return result
}

// stepOnOne evaluates a step on one value, with its stages. It returns one value
// where the result is one, else a sequence.
func (e *evaluation) stepOnOne(step *node, input *val, f *frame, last bool) val {
	v := e.eval(step, input, f)
	for i := range step.stages {
		v = e.filter(step.stages[i].expr, v, f)
		if v.isSequence() && v.Len() == 0 {
			return val{}
		}
	}
	switch {
	case v.Kind() != value.Array:
		return v
	case last && v.flags&flagSequence == 0:
		return v // an array that the data holds stays what it is
	case v.flags&flagCons != 0:
		return val{value.Arr(v.Value), flagSequence}
	}
	return val{v.Value, flagSequence}
}

// step evaluates a step on each of many values, with its stages, and collects what it
// finds. A sort is the one step that looks at all of them together.
func (e *evaluation) step(step *node, items []value.Value, f *frame, last bool) val {
	if step.kind == sortNode {
		sorted := e.sortBy(step, items, f)
		v := sequence(sorted)
		for i := range step.stages {
			v = e.filter(step.stages[i].expr, v, f)
		}
		return v
	}
	e.items(len(items))
	flat := make([]value.Value, 0, len(items))
	count := 0
	var only val
	for i := range items {
		one := val{Value: items[i]}
		v := e.eval(step, &one, f)
		for i := range step.stages {
			v = e.filter(step.stages[i].expr, v, f)
		}
		switch {
		case v.IsUndefined():
			continue
		case v.Kind() == value.Array:
			if only = v; v.flags&flagCons == 0 {
				e.grown(v.Len())
				flat = append(flat, v.Items()...)
			} else {
				flat = append(flat, v.Value)
			}
		default:
			flat = append(flat, v.Value)
		}
		count++
	}
	if last && count == 1 && only.Kind() == value.Array && !only.isSequence() {
		return only
	}
	e.collected(len(flat))
	return sequence(flat)
}

// filter applies a predicate to a value, or to each item of an array. A literal
// number is looked up directly; its item that is an array is returned as the data has
// it.
func (e *evaluation) filter(predicate *node, input val, f *frame) val {
	items := []value.Value{input.Value}
	switch {
	case input.Kind() == value.Array:
		items = input.Items()
	case input.IsUndefined():
		items = nil
	}
	if predicate.kind == literalNode && predicate.value.Kind() == value.Number {
		i := position(predicate.value, len(items))
		if i < 0 || i >= len(items) {
			return sequence(nil)
		}
		if items[i].Kind() == value.Array {
			return plain(items[i])
		}
		return sequence(items[i : i+1 : i+1])
	}
	var kept []value.Value
	for i, item := range items {
		one := plain(item)
		for range e.times(predicate, &one, i, len(items), f) {
			e.grown(1)
			kept = append(kept, item)
		}
	}
	e.collected(len(kept))
	return sequence(kept)
}

// position returns the index that a number stands for in an array of n items: rounded
// down, counted from the end if it is negative, -1 where there is no such item.
func position(v value.Value, n int) int {
	f := math.Floor(v.Float64())
	if f < 0 {
		f += float64(n)
	}
	if f >= 0 && f < float64(n) {
		return int(f)
	}
	return -1
}

// times returns how often item i of n is picked: once by a condition or its place, as
// often as it is named by a list of places.
func (e *evaluation) times(predicate *node, item *val, i, n int, f *frame) (times int) {
	v := e.eval(predicate, item, f)
	switch {
	case v.Kind() == value.Number:
		if position(v.Value, n) == i {
			times++
		}
	case v.Kind() == value.Array && allNumbers(v.Value):
		e.tick(v.Len() / 4)
		for _, index := range v.Items() {
			if position(index, n) == i {
				times++
			}
		}
	case e.truth(v.Value):
		times++
	}
	return times
}

// allNumbers reports whether v is an array of numbers, and not an empty one: a list
// of positions rather than a condition.
func allNumbers(v value.Value) bool {
	for _, item := range v.Items() {
		if item.Kind() != value.Number {
			return false
		}
	}
	return v.Len() > 0
}

// tuple is a value on its way through a path, with the variables that steps
// have bound to it.
type tuple struct {
	at    val
	names []string
	vals  []val
}

// bind returns a variable a value, a new one where it has one. The arrays of t must not
// be shared with a tuple that is still used: see copied.
func (t *tuple) bind(name string, v val) {
	for i, n := range t.names {
		if n == name {
			t.vals[i] = v
			return
		}
	}
	t.names = append(slices.Clip(t.names), name)
	t.vals = append(slices.Clip(t.vals), v)
}

// copied returns a tuple that can be bound to without changing t. Tuples share their
// parent's variables only through such copies.
func (t *tuple) copied() tuple {
	return tuple{at: t.at, names: append([]string(nil), t.names...), vals: append([]val(nil), t.vals...)}
}

// frame returns the frame in which a step is evaluated for t: its variables in front
// of those around the path.
func (t *tuple) frame(f *frame) *frame {
	return &frame{parent: f, names: t.names, vals: t.vals}
}

// tuplePath evaluates a path whose steps bind variables.
func (e *evaluation) tuplePath(n *node, input *val, f *frame) val {
	tuples := e.tuples(n, input, f)
	e.items(len(tuples))
	items := make([]value.Value, 0, len(tuples))
	for i := range tuples {
		if at := tuples[i].at; !at.IsUndefined() {
			items = append(items, at.Value)
		}
	}
	return e.endPath(n, sequence(items), tuples, f)
}

// tuples evaluates a path and keeps what its steps have bound.
func (e *evaluation) tuples(n *node, input *val, f *frame) []tuple {
	var items []value.Value
	var tuples []tuple
	streaming := n.items[0].tuple
	whole := input.Kind() != value.Array || n.items[0].kind == variableNode
	switch {
	case !whole:
		items = input.Items()
	case streaming:
		tuples = []tuple{{at: *input}}
	}
	for i, step := range n.items {
		streaming = streaming || step.tuple
		switch {
		case i == 0 && step.cons:
			items = flatten1(e.eval(step, input, f))
		case i == 0 && whole && !streaming:
			items = flatten1(e.stepOnOne(step, input, f, len(n.items) == 1))
		case !streaming:
			items = flatten1(e.step(step, items, f, i == len(n.items)-1))
		default:
			if tuples == nil && step.kind != sortNode { // the first of these steps
				e.meter.Hold(tupleBytes * int64(len(items)))
				tuples = make([]tuple, len(items))
				for j, item := range items {
					tuples[j].at = plain(item)
				}
			}
			tuples = e.tupleStep(step, items, tuples, f)
		}
		if !streaming && len(items) == 0 {
			return nil
		}
	}
	return tuples
}

// flatten1 returns the values that a result stands for: the items of an array, none
// of undefined.
func flatten1(v val) []value.Value {
	switch {
	case v.Kind() == value.Array:
		return v.Items()
	case v.IsUndefined():
		return nil
	}
	return []value.Value{v.Value}
}

// tupleStep evaluates a step on each tuple. A step that is itself a path or block
// that binds variables returns tuples, whose variables are added to those of the
// outer one.
func (e *evaluation) tupleStep(step *node, items []value.Value, tuples []tuple, f *frame) []tuple {
	if step.kind == sortNode {
		return e.tupleSort(step, items, tuples, f)
	}
	e.meter.Hold(tupleBytes * int64(len(tuples)))
	result := make([]tuple, 0, len(tuples)) // not nil: none is not the same as not begun
	for i := range tuples {
		t := &tuples[i]
		inner, streamed, v := e.tupleEval(step, &t.at, t.frame(f))
		switch {
		case streamed:
			for j := range inner {
				next := t.copied()
				next.at = inner[j].at
				for k, name := range inner[j].names {
					next.bind(name, inner[j].vals[k])
				}
				result = append(result, e.bound(step, t, next, j))
			}
		case v.Kind() == value.Array:
			for j, item := range v.Items() {
				result = append(result, e.focused(step, t, plain(item), j))
			}
		case !v.IsUndefined():
			result = append(result, e.focused(step, t, v, 0))
		}
	}
	return e.tupleStages(step.stages, result, f)
}

// focused makes the tuple for a result of a step: the value goes on, or with @ only a
// variable is bound to it.
func (e *evaluation) focused(step *node, t *tuple, v val, index int) tuple {
	next := t.copied()
	if step.focus != "" {
		next.bind(step.focus, v)
	} else {
		next.at = v
	}
	return e.bound(step, t, next, index)
}

// bound binds what else the step has names for: the position of the result, and for a
// % the value that the step was evaluated on.
func (e *evaluation) bound(step *node, t *tuple, next tuple, index int) tuple {
	if step.index != "" {
		next.bind(step.index, plain(value.Int(int64(index))))
	}
	if step.ancestor != nil {
		next.bind(step.ancestor.label, t.at)
	}
	e.charge(int64(32 + 16*len(next.names)))
	e.meter.Hold(tupleBytes + boundBytes*int64(len(next.names)))
	e.tick(1)
	return next
}

// tupleEval evaluates a step that may itself be a path that binds variables,
// which then are the outer path's too.
func (e *evaluation) tupleEval(step *node, input *val, f *frame) (inner []tuple, streamed bool, v val) {
	if !step.tuple || step.focus != "" || step.index != "" {
		return nil, false, e.eval(step, input, f)
	}
	switch step.kind {
	case pathNode:
		return e.tuples(step, input, f), true, val{}
	case blockNode:
		scope := &frame{parent: f}
		for i, item := range step.items {
			if i == len(step.items)-1 && item.tuple {
				inner, streamed, v = e.tupleEval(item, input, scope)
				break
			}
			v = e.eval(item, input, scope)
		}
		if streamed {
			return e.tupleStages(step.predicates, inner, f), true, v
		}
		return nil, false, v
	default:
		return nil, false, e.eval(step, input, f)
	}
}

// tupleStages applies filters to tuples, and binds positions where #$i stands between
// filters. Each filter sees the variables of its tuple.
func (e *evaluation) tupleStages(stages []stage, tuples []tuple, f *frame) []tuple {
	for _, s := range stages {
		if s.expr == nil {
			for i := range tuples {
				tuples[i].bind(s.index, plain(value.Int(int64(i))))
			}
			continue
		}
		if s.expr.kind == literalNode && s.expr.value.Kind() == value.Number {
			i := position(s.expr.value, len(tuples))
			if i < 0 {
				return []tuple{}
			}
			tuples = tuples[i : i+1]
			continue
		}
		e.meter.Hold(tupleBytes * int64(len(tuples)))
		kept := make([]tuple, 0, len(tuples))
		for i := range tuples {
			for range e.times(s.expr, &tuples[i].at, i, len(tuples), tuples[i].frame(f)) {
				e.meter.Hold(tupleBytes)
				kept = append(kept, tuples[i])
			}
		}
		tuples = kept
	}
	return tuples
}
