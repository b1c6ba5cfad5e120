package asl_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/steppehq/steppe/asl"
)

// TestDiagnosticsAreBounded: however wrong a definition is, what is said about it
// has an end that says how much there was, and few errors are all said.
func TestDiagnosticsAreBounded(t *testing.T) {
	long := strings.Repeat("n", 5000)
	for name, states := range map[string]string{
		"wrong states":       repeated(20_000, `"s%d":{"Type":"Nothing"}`),
		"unknown fields":     `"A":{"Type":"Pass","End":true,` + repeated(30_000, `"f%d":1`) + `}`,
		"fields of a rule":   `"A":{"Type":"Choice","Choices":[{"Next":"A",` + repeated(30_000, `"f%d":1`) + `}]}`,
		"long names":         repeated(180, `"`+long+`%d":{"Type":"Nothing"}`),
		"expressions":        `"A":{"Type":"Pass","QueryLanguage":"JSONata","End":true,"Output":[` + repeated(5_000, `"{%% %d + %%}"`) + `]}`,
		"regular expression": `"A":{"Type":"Pass","QueryLanguage":"JSONata","End":true,"Output":[` + repeated(1_000, `"{%% $match('', /((a{0,30}){0,30}%d)/) %%}"`) + `]}`,
	} {
		definition := `{"StartAt":"A","States":{` + states + `}}`
		m, diagnostics := asl.Parse([]byte(definition))
		text := asl.InvalidDefinition(diagnostics)
		if m != nil || len(text) > 1<<20 || !strings.Contains(text, "more errors are not shown") && name != "long names" && name != "fields of a rule" {
			t.Errorf("%s: %d diagnostics, a message of %d bytes: …%s", name, len(diagnostics), len(text), text[max(0, len(text)-200):])
		}
	}
	_, few := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Nothing"}}}`))
	if text := asl.InvalidDefinition(few); strings.Contains(text, "more") {
		t.Error(text)
	}
}

func repeated(n int, format string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestWeight holds what a machine says that it holds against what it takes.
func TestWeight(t *testing.T) {
	chain := func(fields string) string {
		var b strings.Builder
		for i := range 2000 {
			fmt.Fprintf(&b, `"A%d":{"Type":"Pass",%s"Next":"A%d"},`, i, fields, i+1)
		}
		return `{"StartAt":"A0","States":{` + b.String() + `"A2000":{"Type":"Succeed"}}}`
	}
	for name, definition := range map[string]string{
		"states":     chain(""),
		"results":    chain(`"Result":{"a":[1,2,3,4,5,6,7,8],"b":"some text","c":{"d":null}},`),
		"templates":  chain(`"Parameters":{"a.$":"$.order.items[0].id","b.$":"States.Format('{} of {}', $.a, $.b)","c":1},`),
		"jsonata":    chain(`"QueryLanguage":"JSONata","Output":"{% $map($states.input.items, function($i) { $i.price * $i.count + 1 }) %}",`),
		"one result": `{"StartAt":"A","States":{"A":{"Type":"Pass","Result":[` + repeated(100_000, "%d") + `],"End":true}}}`,
		"regexes":    chain(`"QueryLanguage":"JSONata","Output":"{% $match($states.input, /[a-z]{1,20}x/) %}",`),
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m, diagnostics := asl.Parse([]byte(definition))
		runtime.GC()
		runtime.ReadMemStats(&after)
		if m == nil {
			t.Fatalf("%s: %.300v", name, diagnostics)
		}
		holds, says := int64(after.HeapAlloc)-int64(before.HeapAlloc), m.Weight()
		t.Logf("%s: a definition of %d kB holds %d kB, says %d kB", name, len(definition)>>10, holds>>10, says>>10)
		if says < holds*2/3 || says > 3*holds {
			t.Errorf("%s: it holds %d kB and says %d kB", name, holds>>10, says>>10)
		}
		runtime.KeepAlive(m)
	}
}
