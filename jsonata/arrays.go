package jsonata

import (
	"slices"

	"github.com/steppehq/steppe/value"
)

// arrayFunctions are the functions on arrays whose result is a value as it is. The
// signatures are those of docs.jsonata.org.
var arrayFunctions = []entry{
	{"count", "<a:n>", count},
	{"append", "<xx:a>", appendFunction},
	{"exists", "<x:b>", exists},
	{"reverse", "<a:a>", reverse},
	{"sort", "<af?:a>", sortFunction},
	{"shuffle", "<a:a>", shuffle},
	{"distinct", "<x:x>", distinct},
	{"zip", "<a+>", zip},
}

// sequenceFunctions are the functions that return sequences: one item stands for
// itself.
var sequenceFunctions = []struct {
	name, signature string
	fn              func(e *evaluation, args []val) val
}{
	{"map", "<af>", mapFunction},
	{"filter", "<af>", filterFunction},
	{"single", "<af?>", single},
	{"reduce", "<afj?:j>", reduce},
	{"sift", "<o-f?:o>", sift},
	{"each", "<o-f:a>", each},
	{"keys", "<x-:a<s>>", keys},
	{"lookup", "<x-s:x>", lookup},
	{"spread", "<x-:a<o>>", spread},
	{"match", "<s-f<s:o>n?:a<o>>", matchFunction},
}

// count is $count. Its signature has made an array of a single value.
func count(_ *evaluation, args []val) value.Value { return value.Int(int64(args[0].Len())) }

// exists is $exists.
func exists(_ *evaluation, args []val) value.Value { return value.Of(!args[0].IsUndefined()) }

// appendFunction is $append. Values that are no arrays count as arrays of one;
// undefined counts as nothing.
func appendFunction(e *evaluation, args []val) value.Value {
	switch {
	case args[0].IsUndefined():
		return args[1].Value
	case args[1].IsUndefined():
		return args[0].Value
	}
	size := max(args[0].Len(), 1) + max(args[1].Len(), 1)
	e.items(size)
	e.tick(size / 8)
	items := value.NewArray(size)
	for _, arg := range args[:2] {
		if arg.Kind() == value.Array {
			items.Append(arg.Items()...)
		} else {
			items.Add(&arg.Value)
		}
	}
	array := items.Value()
	e.charge(int64(8 * array.Len()))
	return array
}

// reverse is $reverse.
func reverse(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	e.items(args[0].Len())
	e.tick(args[0].Len() / 8)
	items := slices.Clone(args[0].Items())
	slices.Reverse(items)
	e.charge(int64(8 * len(items)))
	return value.Arr(items...)
}

// shuffle is $shuffle, by the Env's random numbers (Fisher and Yates).
func shuffle(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	e.items(args[0].Len())
	e.tick(args[0].Len() / 8)
	items := slices.Clone(args[0].Items())
	for i := len(items) - 1; i > 0; i-- {
		j := int(e.random() % uint64(i+1))
		items[i], items[j] = items[j], items[i]
	}
	e.charge(int64(8 * len(items)))
	return value.Arr(items...)
}

// distinct is $distinct: it leaves out what is equal to something before it. Equal
// values share a text, which is looked for in a set, where the reference
// implementation compares all with all.
func distinct(e *evaluation, args []val) value.Value {
	v := args[0].Value
	if v.Kind() != value.Array || v.Len() <= 1 {
		return v
	}
	var kept []value.Value
	seen := make(map[string]bool)
	for _, item := range v.Items() {
		key := string(e.distinctKey(nil, item))
		e.meter.Hold(int64(3*len(key)) + 2*grownBytes)
		e.tick(len(key) / 32)
		if !seen[key] {
			seen[key] = true
			kept = append(kept, item)
		}
		e.tick(1)
	}
	// $distinct of a path keeps the rule of sequences, of an array of the data it
	// does not.
	if len(kept) == 1 && args[0].isSequence() {
		return kept[0] // a sequence of one is that one
	}
	return value.Arr(kept...)
}

// distinctKey writes a text that equal values share.
func (e *evaluation) distinctKey(dst []byte, v value.Value) []byte {
	e.tick(1 + v.Len())
	e.meter.Hold(2 + int64(len(v.Str()))) // what is shared is written again each time
	switch v.Kind() {
	case value.Number:
		return appendJSNumber(dst, v)
	case value.Array:
		dst = append(dst, '[')
		for _, item := range v.Items() {
			dst = append(e.distinctKey(dst, item), ',')
		}
		return append(dst, ']')
	case value.Object:
		names := slices.Sorted(slices.Values(v.Names()))
		dst = append(dst, '{')
		for _, name := range names {
			dst = append(e.distinctKey(append(value.AppendString(dst, name), ':'), v.Get(name)), ',')
		}
		return append(dst, '}')
	default:
		return v.Append(dst)
	}
}

// zip is $zip: as many rows as the shortest array has items.
func zip(e *evaluation, args []val) value.Value {
	size := -1
	for _, arg := range args {
		if n := arg.Len(); size < 0 || n < size {
			size = n
		}
	}
	size = max(size, 0)
	e.tick(size * (1 + len(args)/8))
	e.meter.Hold(int64(size) * (3*itemBytes + itemBytes*int64(len(args))))
	rows := make([]value.Value, size)
	for i := range rows {
		row := make([]value.Value, len(args))
		for j, arg := range args {
			row[j] = arg.At(i)
		}
		rows[i] = value.Arr(row...)
	}
	return value.Arr(rows...)
}

// callEach calls a function for each item of an array, with the item, its index and
// the array, and hands each result to visit.
func (e *evaluation) callEach(fn *function, all value.Value, visit func(i int, item, result value.Value)) {
	if fn.lambda != nil && fn.lambda.alone && fn.signature == nil && len(fn.lambda.items) == 1 && len(fn.lambda.names) == 1 {
		e.enterEach(fn, all, visit)
		return
	}
	args := make([]val, 3)
	for i, item := range all.Items() {
		args[0], args[1], args[2] = plain(item), plain(value.Int(int64(i))), plain(all)
		visit(i, item, e.callback(fn, args...).Value)
	}
}

// enterEach is callEach of a lambda that takes the item and nothing else, in one
// frame for all items, which no function can keep. For that reason it does not
// end in a call that is still to be made, either.
func (e *evaluation) enterEach(fn *function, all value.Value, visit func(i int, item, result value.Value)) {
	inner, names, place := &frame{}, slices.Clip(fn.lambda.names), e.place
	items := all.Items()
	for i := range items {
		inner.parent, inner.names, inner.vals = fn.frame, names, inner.few[:1]
		inner.vals[0] = plain(items[i])
		e.tick(1)
		v := e.eval(fn.lambda.right, &fn.input, inner)
		e.place = place
		visit(i, items[i], v.Value)
	}
}

// mapFunction is $map; results that are undefined are left out.
func mapFunction(e *evaluation, args []val) val {
	if args[0].IsUndefined() {
		return val{}
	}
	fn := e.function(args[1].Value)
	e.items(args[0].Len())
	items := make([]value.Value, 0, args[0].Len())
	e.callEach(fn, args[0].Value, func(_ int, _, result value.Value) {
		if !result.IsUndefined() {
			items = append(items, result)
		}
	})
	e.charge(int64(8 * len(items)))
	return sequence(items)
}

// filterFunction is $filter.
func filterFunction(e *evaluation, args []val) val {
	if args[0].IsUndefined() {
		return val{}
	}
	fn := e.function(args[1].Value)
	var items []value.Value
	e.callEach(fn, args[0].Value, func(_ int, item, result value.Value) {
		if e.truth(result) {
			e.grown(1)
			items = append(items, item)
		}
	})
	return sequence(items)
}

// single is $single: the one item that fits. Fewer are D3139, more D3138.
func single(e *evaluation, args []val) val {
	if args[0].IsUndefined() {
		return val{}
	}
	var fn *function
	if len(args) > 1 {
		fn = e.function(args[1].Value)
	}
	found := -1
	visit := func(i int, _, result value.Value) {
		switch {
		case !e.truth(result):
		case found >= 0:
			e.throw("D3138", value.Int(int64(i)))
		default:
			found = i
		}
	}
	if fn != nil {
		e.callEach(fn, args[0].Value, visit)
	} else {
		for i, item := range args[0].Items() {
			visit(i, item, value.Of(true))
		}
	}
	if found < 0 {
		e.throw("D3139")
	}
	return plain(args[0].At(found))
}

// reduce is $reduce. It begins with the initial value, or else with the first item.
// The function must take two arguments (D3050). Each turn leaves the sum before
// behind, which is released to the meter.
func reduce(e *evaluation, args []val) val {
	if args[0].IsUndefined() {
		return val{}
	}
	fn := e.function(args[1].Value)
	// A function that does not say how many it takes counts as one that takes too
	// few.
	if n := fn.arguments(); n >= 0 && n < 2 {
		e.throw("D3050")
	}
	items, i := args[0].Items(), 0
	var sum val
	if len(args) > 2 && !args[2].IsUndefined() {
		sum = args[2]
	} else if len(items) > 0 {
		sum, i = plain(items[0]), 1
	}
	loop := e.settling()
	for ; i < len(items); i++ {
		sum = e.callback(fn, sum, plain(items[i]), plain(value.Int(int64(i))), args[0])
		e.settle(&loop, []val{sum})
	}
	return sum
}

// sortFunction sorts by a function that reports whether its first argument comes
// after its second.
func sortFunction(e *evaluation, args []val) value.Value {
	v := args[0].Value
	if v.IsUndefined() || v.Len() <= 1 {
		return v
	}
	var fn *function
	if len(args) > 1 {
		fn = e.function(args[1].Value)
	}
	if fn == nil {
		first := v.At(0).Kind()
		for _, item := range v.Items() {
			if item.Kind() != first || first != value.Number && first != value.String {
				e.throw("D3070", v)
			}
		}
	}
	e.items(2 * v.Len())
	items := e.mergeSort(v.Items(), func(a, b value.Value) bool {
		e.tick(2 + comparing(a, b))
		if fn == nil {
			return compare(a, b) > 0
		}
		return e.truth(e.callback(fn, plain(a), plain(b)).Value)
	})
	e.charge(int64(8 * len(items)))
	return value.Arr(items...)
}

// mergeSort sorts by what may be no order at all, with the same calls as the
// reference implementation.
func (e *evaluation) mergeSort(items []value.Value, after func(a, b value.Value) bool) []value.Value {
	if len(items) <= 1 {
		return items
	}
	middle := len(items) / 2
	left, right := e.mergeSort(items[:middle], after), e.mergeSort(items[middle:], after)
	merged := make([]value.Value, 0, len(items))
	for len(left) > 0 && len(right) > 0 {
		if after(left[0], right[0]) {
			merged, right = append(merged, right[0]), right[1:]
		} else {
			merged, left = append(merged, left[0]), left[1:]
		}
	}
	return append(append(merged, left...), right...)
}
