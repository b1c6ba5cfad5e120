package bench

import (
	"cmp"
	"reflect"
	"slices"
)

// median gives the figures of several runs of one measurement, each the median
// of what the runs have; what is no figure is that of the first.
func median[T any](runs []T) T {
	all := make([]reflect.Value, len(runs))
	for i := range runs {
		all[i] = reflect.ValueOf(&runs[i]).Elem()
	}
	var m T
	setMedian(reflect.ValueOf(&m).Elem(), all)
	return m
}

func setMedian(m reflect.Value, runs []reflect.Value) {
	part := func(of func(reflect.Value) reflect.Value) []reflect.Value {
		parts := make([]reflect.Value, len(runs))
		for i, run := range runs {
			parts[i] = of(run)
		}
		return parts
	}
	switch m.Kind() {
	case reflect.Struct:
		for i := range m.NumField() {
			setMedian(m.Field(i), part(func(v reflect.Value) reflect.Value { return v.Field(i) }))
		}
	case reflect.Slice:
		m.Set(reflect.MakeSlice(m.Type(), runs[0].Len(), runs[0].Len()))
		for i := range m.Len() {
			setMedian(m.Index(i), part(func(v reflect.Value) reflect.Value { return v.Index(i) }))
		}
	case reflect.Float64:
		m.Set(middle(runs, reflect.Value.Float))
	case reflect.Int, reflect.Int64:
		m.Set(middle(runs, reflect.Value.Int))
	default:
		m.Set(runs[0])
	}
}

func middle[N cmp.Ordered](runs []reflect.Value, figure func(reflect.Value) N) reflect.Value {
	sorted := slices.SortedFunc(slices.Values(runs), func(a, b reflect.Value) int { return cmp.Compare(figure(a), figure(b)) })
	return sorted[len(sorted)/2]
}
