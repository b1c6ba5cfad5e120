package jsonata_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/value"
)

// benchStates is what $states holds in the benchmarks: 77 KB, of which an
// expression looks at a part.
func benchStates(b testing.TB) value.Value {
	b.Helper()
	var text strings.Builder
	text.WriteString(`{"input":{"order":{"id":"A-17","customer":{"name":"Ada","city":"London"},"items":[`)
	for i := range 20 {
		if i > 0 {
			text.WriteString(",")
		}
		fmt.Fprintf(&text, `{"sku":"sku-%d","price":%d.5,"qty":%d,"kind":"kind-%d"}`, i, i, i%5+1, i%4)
	}
	text.WriteString(`]},"list":[`)
	for i := range 1000 {
		if i > 0 {
			text.WriteString(",")
		}
		fmt.Fprintf(&text, `{"id":%d,"name":"name of the item %d","score":%d,"active":%v}`, i, i, i*7%100, i%3 == 0)
	}
	text.WriteString(`]}}`)
	v, err := value.DecodeString(text.String())
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// benchExpressions are what users write: from a field to the work on a thousand
// items.
var benchExpressions = []struct{ name, expr string }{
	{"path", "$states.input.order.id"},
	{"concat", "'Order ' & $states.input.order.id & ' of ' & $states.input.order.customer.name & ', ' & $states.input.order.customer.city"},
	{"sum", "$sum($states.input.order.items.(price * qty))"},
	{"mapfilter", "$map($filter($states.input.list, function($v) { $v.score > 50 }), function($v) { $v.id * 2 })"},
	{"group", "$states.input.order.items{kind: {'skus': [sku], 'total': $sum(price)}}"},
}

func BenchmarkEval(b *testing.B) {
	states := benchStates(b)
	for _, tt := range benchExpressions {
		b.Run(tt.name, func(b *testing.B) {
			x, err := jsonata.Compile(tt.expr, jsonata.Options{StepFunctions: true})
			if err != nil {
				b.Fatal(err)
			}
			env := &jsonata.Env{
				Vars:   func(name string) (value.Value, bool) { return states, name == "states" },
				Limits: jsonata.Limits{Depth: 1000},
			}
			b.ReportAllocs()
			for b.Loop() {
				if v, err := x.Eval(env); err != nil || v.IsUndefined() {
					b.Fatal(v, err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jsonata.Compile("$states.input.order.items{kind: {'skus': [sku], 'total': $sum(price)}}", jsonata.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
