package jsonata

import (
	"math"
	"slices"

	"github.com/steppehq/steppe/value"
)

// path evaluates a path: each step on every result of the one before.
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

// follow goes from a variable along names, as long as there are objects on the
// way, and gives where that ends. It is nil where there is something else, for
// which a path has rules.
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

// named is the step of a name on many objects, without evaluating the name
// for each. It is false when there is something else among them.
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

// stepOnOne evaluates a step on one value. What it gives is one value where the
// result is one, else a sequence.
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

// step evaluates a step on each of many values.
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

// filter applies a predicate to a value, or to each item of an array.
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

// position is the index that a number stands for in an array of n items.
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

// times is how often an item is picked: once by a condition or its place, as
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

// copied gives a tuple that can be bound to without touching t.
func (t *tuple) copied() tuple {
	return tuple{at: t.at, names: append([]string(nil), t.names...), vals: append([]val(nil), t.vals...)}
}

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

func flatten1(v val) []value.Value {
	switch {
	case v.Kind() == value.Array:
		return v.Items()
	case v.IsUndefined():
		return nil
	}
	return []value.Value{v.Value}
}

// tupleStep evaluates a step on each tuple.
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

// focused makes the tuple for a result of a step: the value goes on, or only a
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

// tupleStages applies filters to tuples, and binds their index.
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
