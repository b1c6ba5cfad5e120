package jsonata

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestParts: an expression, however long, has so many parts, and what it takes in
// memory is what the parts say. What is longer ends early.
func TestParts(t *testing.T) {
	for _, tt := range []struct{ begin, part, end string }{
		{"[1", ",1", "]"},
		{"{'':1", ",'':1", "}"},
		{"(a", ";a", ")"},
		{"$f(a", ",a", ")"},
		{"($a:=1", ";$a:=1", ")"},
		{"(a^(b", ",b", "))"},
		{"[1..2", ",1..2", "]"},
		{"function(){[$x", ",$x", "]}"},
	} {
		repeated := func(n int) string { return tt.begin + strings.Repeat(tt.part, n) + tt.end }
		fits := 1000
		for ; fits < MaxParts; fits += 1000 {
			if _, err := Compile(repeated(fits), Options{StepFunctions: true}); err != nil {
				break
			}
		}
		fits -= 1000
		var parts Parts
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		x, err := Compile(repeated(fits), Options{StepFunctions: true, Parts: &parts})
		if err != nil {
			t.Fatalf("%s…: %v", tt.begin, err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > parts.Weight()*5/4 || held < parts.Weight()/4 {
			t.Errorf("%s…: %d parts hold %d bytes of memory, and say %d", tt.begin, parts.n, held, parts.Weight())
		}
		runtime.KeepAlive(x)
		_, err = Compile(repeated(300_000), Options{StepFunctions: true})
		if err == nil || !strings.Contains(err.Error(), "parts") {
			t.Errorf("%s…, long: %v", tt.begin, err)
		}
	}
}

// TestReferencesOfLong: the work of finding references grows as the text does.
func TestReferencesOfLong(t *testing.T) {
	x, err := Compile("("+strings.Repeat("a;$b;", 10_000)+"1)", Options{StepFunctions: true})
	if err != nil {
		t.Fatal(err)
	}
	// Far more than it takes, and far less than a count from the beginning each time.
	deadline := time.Now().Add(5 * time.Second)
	for i := range 20 {
		refs := x.References()
		if len(refs.Input) != 10_000 || refs.Input[9_999].Position != 5*9_999+2 || refs.Variables[9_999].Position != 5*9_999+5 {
			t.Fatalf("%+v, %+v", refs.Input[9_999], refs.Variables[9_999])
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of 20 took five seconds", i)
		}
	}
}
