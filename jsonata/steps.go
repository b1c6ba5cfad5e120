package jsonata

import "github.com/steppehq/steppe/value"

// The steps of a path that look into the data: a name, * and **. A name that is looked
// up in an array is looked up in its items, at any depth of arrays; what is found is a
// sequence, which is counted as it grows, since it may be as large as the data.

// lookup returns the member of an object; of an array, those of its items, in one
// sequence.
func (e *evaluation) lookup(v value.Value, name string) val {
	switch v.Kind() {
	case value.Object:
		return plain(v.Get(name))
	case value.Array:
		var found []value.Value
		found = e.gather(found, v, name)
		e.collected(v.Len() + len(found))
		return sequence(found)
	default:
		return val{}
	}
}

// gather collects the members of that name in an array at any depth of arrays. A
// member that is an array adds its items.
func (e *evaluation) gather(found []value.Value, array value.Value, name string) []value.Value {
	e.tick(1)
	for _, item := range array.Items() {
		switch item.Kind() {
		case value.Object:
			member, ok := item.Lookup(name)
			switch {
			case !ok:
			case member.Kind() == value.Array:
				e.grown(member.Len())
				found = append(found, member.Items()...)
			default:
				e.grown(1)
				found = append(found, member)
			}
		case value.Array:
			found = e.gather(found, item, name)
		default:
		}
	}
	return found
}

// wildcard returns the values of all members, or of all items, with arrays among them
// flattened to any depth.
func (e *evaluation) wildcard(input val) val {
	v := input.Value
	if input.flags&flagOuter != 0 && v.Len() > 0 {
		v = v.At(0)
	}
	if fnLike(v) {
		return val{}
	}
	e.items(v.Len())
	found := make([]value.Value, 0, v.Len())
	if v.Kind() == value.Object || v.Kind() == value.Array {
		for _, item := range v.Items() {
			if item.Kind() == value.Array {
				found = e.flatten(found, item)
				continue
			}
			found = append(found, item)
		}
	}
	e.collected(len(found))
	return sequence(found)
}

// flatten adds a value, or all that is in an array at any depth.
func (e *evaluation) flatten(items []value.Value, v value.Value) []value.Value {
	e.tick(1)
	if v.Kind() != value.Array {
		e.grown(1)
		return append(items, v)
	}
	for _, item := range v.Items() {
		items = e.flatten(items, item)
	}
	return items
}

// descendants evaluates **: the value itself and everything below it.
func (e *evaluation) descendants(v value.Value) val {
	if v.IsUndefined() {
		return val{}
	}
	found := e.descend(nil, v)
	if len(found) == 1 {
		return plain(found[0])
	}
	return sequence(found)
}

// descend adds a value and what is below it, in document order. Arrays themselves are
// not results, only their items.
func (e *evaluation) descend(found []value.Value, v value.Value) []value.Value {
	if v.Kind() != value.Array {
		e.collected(1)
		e.grown(1)
		found = append(found, v)
	}
	e.tick(1)
	for _, item := range v.Items() {
		found = e.descend(found, item)
	}
	return found
}
