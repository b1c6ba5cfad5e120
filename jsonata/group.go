package jsonata

import "github.com/steppehq/steppe/value"

// An object constructor is a special case of grouping. {key: value} behind an
// expression evaluates the key for each of its values; values with equal keys are
// collected, and then the value expression is evaluated once for each key, with what
// was collected as its context. An object constructor by itself does the same with
// the input as the one value. Two pairs that make the same key are an error (D1009).
//
// Most objects have literal keys, all different. Then every pair would get the whole
// input as its group, so object evaluates the values directly. Otherwise groups are
// found by searching a short list; a long one gets an index.

// group is the values with one key.
type group struct {
	// pair is the number of the key: value pair that made the group, for two pairs
	// must not make the same key.
	key    string
	pair   int
	items  value.ArrayBuilder // of a sequence
	many   bool
	at     val     // of one value
	tuples []tuple // where steps have bound variables
}

// object makes an object. Where its keys are strings, every value has all of
// the input as its context, as one group of groupBy would.
func (e *evaluation) object(n *node, input *val, f *frame) val {
	at, count := *input, 1
	if input.Kind() == value.Array {
		items := input.Items()
		switch count = len(items); {
		case !n.fixed || nested(items):
			return e.groupBy(n.pairs, *input, nil, f)
		case count == 0:
			at = val{}
		case count == 1:
			at = plain(items[0])
		default:
			at.flags = flagSequence
		}
	} else if !n.fixed {
		return e.groupBy(n.pairs, *input, nil, f)
	}
	e.tick(count * len(n.pairs))
	e.members(len(n.pairs))
	object := value.NewObject(len(n.pairs))
	for i := range n.pairs {
		if v := e.eval(n.pairs[i].value, &at, f); !v.IsUndefined() {
			object.Set(n.pairs[i].key.value.Str(), v.Value)
		}
	}
	e.charge(int64(8 * len(n.pairs)))
	return plain(object.Value())
}

// nested reports whether there are arrays among items: those would be flattened in a
// group of many.
func nested(items []value.Value) bool {
	for i := range items {
		if items[i].Kind() == value.Array {
			return true
		}
	}
	return false
}

// groupBy makes an object: the values with equal keys are one value's context.
// With tuples, the keys and values see what they have bound.
func (e *evaluation) groupBy(pairs []pair, input val, tuples []tuple, f *frame) val {
	g := groups{e: e, pairs: pairs, list: e.groups}
	e.groups = nil
	switch {
	// Each value sees what the steps before have bound to it.
	case tuples != nil:
		for i := range tuples {
			g.add(&tuples[i].at, &tuples[i], tuples[i].frame(f))
		}
	case input.Kind() == value.Array && input.Len() > 0:
		items := input.Items()
		for i := range items {
			g.add(&val{Value: items[i]}, nil, f)
		}
	// An empty array still makes an object, of keys that do not depend on items.
	case input.Kind() == value.Array:
		g.add(&val{}, nil, f)
	default:
		g.add(&input, nil, f)
	}
	e.members(len(g.list))
	object := value.NewObject(len(g.list))
	for i := range g.list {
		gr := &g.list[i]
		at, scope := gr.at, f
		switch {
		case gr.tuples != nil:
			t := e.merged(gr.tuples)
			at, scope = t.at, t.frame(f)
		case gr.many:
			at = val{gr.items.Value(), flagSequence}
		}
		if v := e.eval(pairs[gr.pair].value, &at, scope); !v.IsUndefined() {
			object.Set(gr.key, v.Value)
		}
	}
	e.charge(int64(8 * len(g.list)))
	if cap(g.list) == fewGroups {
		clear(g.list)
		e.groups = g.list[:0]
	}
	return plain(object.Value())
}

// groups collects groups.
type groups struct {
	e     *evaluation
	pairs []pair
	list  []group
	index map[string]int // when there are many
}

// fewGroups is how many groups are searched one after the other.
const fewGroups = 8

// find returns the place of a key's group in the list, -1 when there is none.
func (g *groups) find(key string) int {
	if g.index != nil {
		if i, ok := g.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range g.list {
		if g.list[i].key == key {
			return i
		}
	}
	return -1
}

// take adds a value to those of the group, which becomes a list with the second one.
func (gr *group) take(e *evaluation, v *value.Value) {
	if !gr.many {
		gr.many, gr.items = true, value.NewArray(0)
		e.meter.Hold(8 * itemBytes) // of an array of few
		e.collect(gr.items, &gr.at.Value)
	}
	e.collect(gr.items, v)
}

// add puts a value into the groups that its keys name.
func (g *groups) add(at *val, t *tuple, f *frame) {
	for p := range g.pairs {
		key := g.e.operand(g.pairs[p].key, at, f)
		if key == nil {
			v := g.e.eval(g.pairs[p].key, at, f).Value
			key = &v
		}
		if key.IsUndefined() {
			continue
		}
		if key.Kind() != value.String {
			failAt("T1003", g.pairs[p].key, "", *key)
		}
		i := g.find(key.Str())
		if i < 0 {
			i = g.begin(key.Str(), p, at)
		} else {
			gr := &g.list[i]
			if gr.pair != p {
				failAt("D1009", g.pairs[p].key, "", *key)
			}
			if t == nil {
				gr.take(g.e, &at.Value)
			}
		}
		if t != nil {
			g.e.meter.Hold(2 * tupleBytes)
			g.list[i].tuples = append(g.list[i].tuples, *t)
		}
	}
}

// groupBytes is what a group takes in a list that grows, with its index.
const groupBytes = 600

// begin adds a group with its first value, and returns its place.
func (g *groups) begin(key string, p int, at *val) int {
	if g.list == nil {
		g.list = make([]group, 0, fewGroups)
	}
	g.e.meter.Hold(groupBytes)
	g.list = append(g.list, group{key: key, pair: p, at: *at})
	// The index is made when searching the list would take longer.
	if n := len(g.list); g.index != nil {
		g.index[key] = n - 1
	} else if n > fewGroups {
		g.index = make(map[string]int, 2*n)
		for i := range g.list {
			g.index[g.list[i].key] = i
		}
	}
	return len(g.list) - 1
}

// merged makes one tuple of many: each value the sequence of theirs.
func (e *evaluation) merged(tuples []tuple) tuple {
	if len(tuples) == 1 {
		return tuples[0]
	}
	result := tuple{}
	e.items(len(tuples))
	at := value.NewArray(len(tuples))
	for i := range tuples {
		e.collect(at, &tuples[i].at.Value)
	}
	result.at = val{at.Value(), flagSequence}
	for _, name := range tuples[0].names {
		e.items(len(tuples))
		bound := value.NewArray(len(tuples))
		for i := range tuples {
			e.tick(1)
			for k, other := range tuples[i].names {
				if other == name {
					e.collect(bound, &tuples[i].vals[k].Value)
				}
			}
		}
		result.bind(name, val{bound.Value(), flagSequence})
	}
	return result
}

// collect adds a value to a sequence: an array is its items.
func (e *evaluation) collect(items value.ArrayBuilder, v *value.Value) {
	switch v.Kind() {
	case value.Undefined:
	case value.Array:
		e.grown(v.Len())
		items.Append(v.Items()...)
	default:
		e.grown(1)
		items.Add(v)
	}
}
