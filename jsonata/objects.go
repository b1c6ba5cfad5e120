package jsonata

import (
	"github.com/steppehq/steppe/value"
)

// objectFunctions are the functions on objects whose result is a value as it is, and
// those that belong nowhere else.
var objectFunctions = []entry{
	{"merge", "<a<o>:o>", merge},
	{"error", "<s?:x>", errorFunction},
	{"assert", "<bs?:x>", assert},
	{"type", "<x:s>", typeOf},
	{"clone", "<(oa)-:o>", clone},
}

// merge is $merge: of members with one name the last counts, at the place of the
// first.
func merge(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	object := value.NewObject(8)
	for _, item := range args[0].Items() {
		e.tick(item.Len())
		e.members(item.Len())
		for i, name := range item.Names() {
			object.Set(name, item.At(i))
		}
	}
	return object.Value()
}

// errorFunction is $error(message), which ends the evaluation.
func errorFunction(e *evaluation, args []val) value.Value {
	message := "$error() function evaluated"
	if len(args) > 0 && !args[0].IsUndefined() {
		message = args[0].Str()
	}
	panic(&Error{Code: "D3137", Position: e.place.at, Message: message})
}

// assert is $assert(condition, message).
func assert(e *evaluation, args []val) value.Value {
	if args[0].Bool() {
		return value.Value{}
	}
	message := "$assert() statement failed"
	if len(args) > 1 && !args[1].IsUndefined() {
		message = args[1].Str()
	}
	panic(&Error{Code: "D3141", Position: e.place.at, Message: message})
}

// typeOf is $type.
func typeOf(_ *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	if fnLike(args[0].Value) {
		return value.Str("function")
	}
	return value.Str(args[0].Kind().String())
}

// clone is $clone. Values never change, so a copy is the value itself.
func clone(_ *evaluation, args []val) value.Value { return args[0].Value }

// keys is $keys.
func keys(e *evaluation, args []val) val {
	return sequence(keysOf(e, args[0].Value))
}

// keysOf returns the names of an object, or the different names of all objects in an
// array at any depth.
func keysOf(e *evaluation, v value.Value) []value.Value {
	var names []value.Value
	switch {
	case v.Kind() == value.Array:
		seen := make(map[string]bool)
		for _, item := range v.Items() {
			for _, name := range keysOf(e, item) {
				e.tick(1)
				if !seen[name.Str()] {
					e.grown(2)
					seen[name.Str()] = true
					names = append(names, name)
				}
			}
		}
	case v.Kind() == value.Object && !fnLike(v):
		e.grown(v.Len())
		for _, name := range v.Names() {
			names = append(names, value.Str(name))
		}
	}
	e.tick(len(names))
	return names
}

// lookup is $lookup: a step of a name that is computed.
func lookup(e *evaluation, args []val) val {
	return e.lookup(args[0].Value, args[1].Str())
}

// spread is $spread: an object of one member for each member of an object, or of all
// objects in an array.
func spread(e *evaluation, args []val) val {
	v := args[0].Value
	switch {
	case v.Kind() == value.Array:
		e.items(v.Len())
		items := value.NewArray(v.Len())
		for _, item := range v.Items() {
			parts := spread(e, []val{plain(item)})
			e.collect(items, &parts.Value)
		}
		if array := items.Value(); array.Len() > 0 {
			return plain(array)
		}
		return val{}
	case v.Kind() == value.Object && !fnLike(v):
		e.tick(v.Len())
		e.members(3 * v.Len())
		items := make([]value.Value, v.Len())
		for i, name := range v.Names() {
			items[i] = value.Obj(value.Member{Name: name, Value: v.At(i)})
		}
		e.charge(int64(16 * len(items)))
		return sequence(items)
	}
	return plain(v)
}

// each is $each: what a function makes of each member, without what is undefined.
func each(e *evaluation, args []val) val {
	if args[0].IsUndefined() {
		return val{}
	}
	fn := e.function(args[1].Value)
	var items []value.Value
	for i, name := range args[0].Names() {
		if v := e.callback(fn, plain(args[0].At(i)), plain(value.Str(name)), args[0]); !v.IsUndefined() {
			e.grown(1)
			items = append(items, v.Value)
		}
	}
	return sequence(items)
}

// sift is $sift: the members for which a function is true; undefined instead of an
// empty object.
func sift(e *evaluation, args []val) val {
	if args[0].IsUndefined() {
		return val{}
	}
	fn := e.function(args[1].Value)
	e.members(args[0].Len())
	object := value.NewObject(args[0].Len())
	for i, name := range args[0].Names() {
		if e.truth(e.callback(fn, plain(args[0].At(i)), plain(value.Str(name)), args[0]).Value) {
			object.Set(name, args[0].At(i))
		}
	}
	kept := object.Value()
	if kept.Len() == 0 {
		return val{}
	}
	return plain(kept)
}

// transform makes the function that a transform expression |pattern|update,delete|
// is: it returns a copy of its argument in which what the pattern matches is changed.
//
// The reference changes the objects of a copy in place. Values cannot be changed, and
// a match does not say where in the copy it came from. So every object of the copy
// gets a member with a number (tag); the pattern is evaluated on that; a match is
// changed in the list of objects by its number (change); and in the end the objects
// are put together from the list, without the numbers (result). An object that
// matches twice is changed twice, as in the reference.
func (e *evaluation) transform(n *node, f *frame) *function {
	return &function{signature: transformSignature, native: func(e *evaluation, args []val, _ val) val {
		if args[0].IsUndefined() {
			return val{}
		}
		// The reference calls $clone by name, so an expression that binds it to
		// something else breaks transforms (T2013).
		if v, ok := f.lookup("clone"); ok && e.function(v.Value) == nil {
			failAt("T2013", n, "", value.Value{})
		}
		t := &transformation{e: e, n: n, f: f}
		tagged := t.tag(args[0].Value)
		whole := plain(tagged)
		matches := e.eval(n.left, &whole, f)
		for _, m := range flatten1(matches) {
			t.change(m)
		}
		return plain(t.result(tagged))
	}}
}

var transformSignature = parseSignature("<(oa):o>", 0)

// tagName names the member that numbers each object of a copy. It is no UTF-8.
const tagName = "\xfftag"

// transformation is the work on one copy: objects are numbered, and what
// becomes of them is kept by number.
type transformation struct {
	e       *evaluation
	n       *node
	f       *frame
	objects []value.Value // as they are now, tagged
}

// tag copies a value and numbers the objects in it.
func (t *transformation) tag(v value.Value) value.Value {
	t.e.tick(1)
	switch {
	case v.Kind() == value.Array:
		t.e.items(v.Len())
		items := make([]value.Value, v.Len())
		for i, item := range v.Items() {
			items[i] = t.tag(item)
		}
		return value.Arr(items...)
	case v.Kind() == value.Object && !fnLike(v):
		t.e.members(v.Len() + 2)
		// The place is taken before the members are numbered, so that an object has a
		// smaller number than what is inside of it.
		number := len(t.objects)
		t.objects = append(t.objects, value.Value{})
		object := value.NewObject(v.Len() + 1)
		for i, name := range v.Names() {
			object.Set(name, t.tag(v.At(i)))
		}
		object.Set(tagName, value.Int(int64(number)))
		t.objects[number] = object.Value()
		t.e.charge(int64(8 * v.Len()))
		return t.objects[number]
	}
	return v
}

// result is a value as it is now, without the numbers.
func (t *transformation) result(v value.Value) value.Value {
	t.e.tick(1)
	switch v.Kind() {
	case value.Array:
		t.e.items(v.Len())
		items := make([]value.Value, v.Len())
		for i, item := range v.Items() {
			items[i] = t.result(item)
		}
		return value.Arr(items...)
	case value.Object:
		if number, ok := t.number(v); ok {
			v = t.objects[number]
		}
		t.e.members(v.Len())
		object := value.NewObject(v.Len())
		for i, name := range v.Names() {
			if name != tagName {
				object.Set(name, t.result(v.At(i)))
			}
		}
		return object.Value()
	default:
		return v
	}
}

// number returns the number of an object of the copy; false for any other value.
func (t *transformation) number(v value.Value) (int64, bool) {
	tag, ok := v.Lookup(tagName)
	if !ok {
		return 0, false
	}
	return tag.Int64()
}

// change applies update and delete to one object that the pattern matches.
func (t *transformation) change(match value.Value) {
	number, ok := t.number(match)
	if !ok {
		if match.Kind() != value.Object && match.Kind() != value.Array { // nothing can be put into it, but it is looked at
			at := plain(match)
			t.e.eval(t.n.right, &at, t.f)
		}
		return
	}
	// Both clauses see the object as it was matched, with all changes made before and
	// without the tags.
	context := plain(t.result(match))
	update := t.e.eval(t.n.right, &context, t.f)
	if !update.IsUndefined() {
		if update.Kind() != value.Object || fnLike(update.Value) {
			failAt("T2011", t.n.right, "", update.Value)
		}
		object := t.objects[number]
		for i, name := range update.Names() {
			t.e.tick(1 + object.Len()/4)
			t.e.members(object.Len() + 1)
			object = object.With(name, update.At(i))
		}
		t.objects[number] = object
	}
	if t.n.other == nil {
		return
	}
	deleted := t.e.eval(t.n.other, &context, t.f)
	if deleted.IsUndefined() {
		return
	}
	// The delete clause names members, one or several, of the match as the update has
	// left it.
	names := make(map[string]bool)
	for _, name := range flatten1(deleted) {
		if name.Kind() != value.String {
			failAt("T2012", t.n.other, "", deleted.Value)
		}
		names[name.Str()] = true
	}
	t.e.members(t.objects[number].Len())
	kept := value.NewObject(t.objects[number].Len())
	for i, name := range t.objects[number].Names() {
		if !names[name] {
			kept.Set(name, t.objects[number].At(i))
		}
	}
	t.objects[number] = kept.Value()
}
