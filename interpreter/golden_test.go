package interpreter_test

import (
	"flag"
	"testing"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/interpreter/interpretertest"
	"github.com/steppehq/steppe/value"
)

var update = flag.Bool("update", false, "write the histories of the golden scripts")

// TestGolden runs the scripts of testdata (package interpretertest documents their
// language).
func TestGolden(t *testing.T) {
	interpretertest.Run(t, "testdata", interpretertest.Options{Update: *update})
}

func machine(t testing.TB, text string) *asl.StateMachine {
	t.Helper()
	m, diagnostics := asl.Parse([]byte(text))
	if m == nil {
		t.Fatal(diagnostics)
	}
	return m
}

// BenchmarkStart runs five states that need nothing of the world.
func BenchmarkStart(b *testing.B) {
	m, diagnostics := asl.Parse([]byte(`{"StartAt":"A","States":{
	  "A":{"Type":"Pass","Next":"B"},
	  "B":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericGreaterThan":5,"Next":"C"}],"Default":"D"},
	  "C":{"Type":"Pass","Result":{"big":true},"ResultPath":"$.c","Next":"D"},
	  "D":{"Type":"Pass","Parameters":{"n.$":"$.n","text":"done"},"Next":"E"},
	  "E":{"Type":"Succeed"}}}`))
	if m == nil {
		b.Fatal(diagnostics)
	}
	env := interpreter.Env{Now: time.UnixMilli(1), Limits: interpreter.AWSLimits}
	b.ReportAllocs()
	for b.Loop() {
		x, _ := interpreter.Start(m, interpreter.Info{}, value.NewDoc([]byte(`{"n":7,"text":"some payload of an order"}`)), env)
		if x.Status() != interpreter.Succeeded {
			b.Fatal(x)
		}
	}
}

// BenchmarkMap runs ten thousand iterations of a Pass state.
func BenchmarkMap(b *testing.B) {
	m, diagnostics := asl.Parse([]byte(`{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}}}}`))
	if m == nil {
		b.Fatal(diagnostics)
	}
	items := value.DocOf(value.Arr(make([]value.Value, 10_000)...))
	limits := interpreter.AWSLimits
	limits.Events = 0
	env := interpreter.Env{Now: time.UnixMilli(1), Limits: limits}
	b.ReportAllocs()
	for b.Loop() {
		x, _ := interpreter.Start(m, interpreter.Info{}, items, env)
		for x.Ready() {
			interpreter.Step(x, interpreter.Message{Kind: interpreter.Continue}, env)
		}
		if x.Status() != interpreter.Succeeded {
			b.Fatal(x.Status())
		}
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "items/s")
}
