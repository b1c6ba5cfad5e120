package jsonata

import (
	"slices"

	"github.com/steppehq/steppe/value"
)

// Order-by sorts stably by terms. The keys of an item are evaluated when they are
// first compared, and kept: a term that only breaks ties is not evaluated where there are none.

// sortBy sorts values by the terms of an order-by.
func (e *evaluation) sortBy(step *node, items []value.Value, f *frame) []value.Value {
	e.meter.Hold(sortBytes * int64(len(items)))
	keyed := make([]sortItem, len(items))
	for i, item := range items {
		keyed[i] = sortItem{index: i, at: plain(item), f: f}
	}
	e.sortItems(step, keyed)
	sorted := make([]value.Value, len(items))
	for i := range keyed {
		sorted[i] = keyed[i].at.Value
	}
	return sorted
}

// sortBytes is what an item to sort takes, with a key.
const sortBytes = 300

// tupleSort sorts tuples, or makes sorted tuples of values.
func (e *evaluation) tupleSort(step *node, items []value.Value, tuples []tuple, f *frame) []tuple {
	if tuples == nil {
		sorted := e.sortBy(step, items, f)
		e.meter.Hold(2 * tupleBytes * int64(len(sorted)))
		result := make([]tuple, len(sorted))
		for i, item := range sorted {
			result[i].at = plain(item)
			if step.index != "" {
				result[i].bind(step.index, plain(value.Int(int64(i))))
			}
		}
		return e.tupleStages(step.stages, result, f)
	}
	e.meter.Hold((sortBytes + 3*tupleBytes) * int64(len(tuples)))
	keyed := make([]sortItem, len(tuples))
	for i := range tuples {
		keyed[i] = sortItem{index: i, at: tuples[i].at, f: tuples[i].frame(f)}
	}
	e.sortItems(step, keyed)
	result := make([]tuple, len(tuples))
	for i := range keyed {
		result[i] = tuples[keyed[i].index]
		if step.index != "" {
			result[i] = result[i].copied()
			result[i].bind(step.index, plain(value.Int(int64(i))))
		}
	}
	return e.tupleStages(step.stages, result, f)
}

// sortItem is a value to sort, with the keys evaluated so far.
type sortItem struct {
	index int
	at    val
	f     *frame
	keys  []value.Value
}

// sortItems sorts in place. An undefined key comes last in either direction.
func (e *evaluation) sortItems(step *node, items []sortItem) {
	key := func(item *sortItem, i int) value.Value {
		// Keys are evaluated up to the term that is asked for, and no further.
		for len(item.keys) <= i {
			item.keys = append(item.keys, e.eval(step.terms[len(item.keys)].expr, &item.at, item.f).Value)
		}
		return item.keys[i]
	}
	// Pointers are sorted, since an item is large and moves often.
	pointers := make([]*sortItem, len(items))
	for i := range items {
		pointers[i] = &items[i]
	}
	slices.SortStableFunc(pointers, func(a, b *sortItem) int {
		e.tick(1)
		for i, t := range step.terms {
			e.tick(comparing(key(a, i), key(b, i)))
			order := compareKeys(step, key(a, i), key(b, i))
			if order != 0 && t.descending && !key(a, i).IsUndefined() && !key(b, i).IsUndefined() {
				order = -order
			}
			if order != 0 {
				return order
			}
		}
		return 0
	})
	sorted := make([]sortItem, len(items))
	for i, p := range pointers {
		sorted[i] = *p
	}
	copy(items, sorted)
}

// compareKeys orders keys; an undefined one comes last.
func compareKeys(step *node, a, b value.Value) int {
	switch {
	case a.IsUndefined() && b.IsUndefined():
		return 0
	case a.IsUndefined():
		return 1
	case b.IsUndefined():
		return -1
	}
	for _, v := range [2]value.Value{a, b} {
		if k := v.Kind(); k != value.Number && k != value.String {
			failAt("T2008", step, "", v)
		}
	}
	if a.Kind() != b.Kind() {
		e := newError("T2007", a, b)
		e.Position = step.at
		panic(e)
	}
	return compare(a, b)
}

// comparing is the work of comparing two values that is more than that of
// looking at them: long texts, and numbers with many digits.
func comparing(a, b value.Value) int {
	return min(len(a.Str()), len(b.Str()))/32 + a.Digits() + b.Digits()
}

// compare orders two numbers or two strings.
func compare(a, b value.Value) int {
	if a.Kind() == value.Number {
		return value.CompareNumbers(a, b)
	}
	return value.CompareUTF16(a.Str(), b.Str())
}
