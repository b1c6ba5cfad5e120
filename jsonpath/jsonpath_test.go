package jsonpath_test

import (
	"bytes"
	"errors"
	"iter"
	"os"
	"strings"
	"testing"

	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/value"
)

// differences lists the paths that this package refuses although Jayway makes
// something of them, each with its reason.
var differences = map[string]string{
	"$['b].x":                    "a quote without its pair: Jayway takes it for no name at all",
	"$[b'].x":                    "a quote without its pair",
	"$...a":                      "a third point: Jayway passes over it",
	"$[?]":                       "a filter without a condition: Jayway fails when it is applied",
	"$[?].s":                     "a filter without a condition",
	"$[?(@.s =~ /A(?= b).*/)].s": "Go's regular expressions cannot look ahead, in return for linear time",
}

// TestFind holds Find against what Jayway gave over plain Java values.
func TestFind(t *testing.T) {
	documents := documents(t)
	for want := range recording(t) {
		document, path := want.Get("document").Str(), want.Get("path").Str()
		if differences[path] != "" || path == "$[?(@.b == $.b)].s" { // which asks whether two paths lead to one Java object
			continue
		}
		p, err := jsonpath.Compile(path)
		var got value.Value
		if err == nil {
			got, err = p.FindMetered(nil, documents[document])
		}
		found, differs := want.Lookup("find")
		if !differs {
			found = value.Arr(want.Get("result"))
		}
		if ok := found.At(0).IsUndefined(); ok != (err != nil) || !ok && !same(got, found.At(0)) {
			t.Errorf("%s %s: got %v, %v, want %v", document, path, got, err, found)
		}
	}
}

// TestOracle holds the package against what Jayway json-path 2.0.0 gave for
// testdata/oracle/cases.txt (record.sh makes the recording again).
func TestOracle(t *testing.T) {
	documents := documents(t)
	count := 0
	for want := range recording(t) {
		count++
		document, path := want.Get("document").Str(), want.Get("path").Str()
		got, err := eval(path, documents[document])
		if differences[path] != "" {
			if err == nil {
				t.Errorf("%s %s is no difference any more: %v", document, path, got)
			}
			continue
		}
		if result, ok := want.Lookup("result"); ok {
			if err != nil || !same(got, result) {
				t.Errorf("%s %s: got %v, %v, want %v", document, path, got, err, result)
			}
			continue
		}
		message := want.Get("error").Str()
		switch {
		case err == nil:
			t.Errorf("%s %s: got %v, want the error %q", document, path, got, message)
		case !refusedAtOnce(message) && !strings.HasPrefix(message, err.Error()):
			t.Errorf("%s %s: got the error %q, want %q", document, path, err, message)
		}
	}
	if count < 300 {
		t.Errorf("only %d recorded cases", count)
	}
}

// refusedAtOnce reports whether a message of Jayway's is of a text that is no
// path. Its words, Java exceptions mostly, are not AWS's.
func refusedAtOnce(message string) bool {
	return strings.HasPrefix(message, "com.jayway") || strings.HasPrefix(message, "java.")
}

// TestEvalIsBounded: scans inside of scans would take for ever, and hold the
// memory of it.
func TestEvalIsBounded(t *testing.T) {
	document := value.Str("leaf")
	for range 200 {
		document = value.Obj(value.Member{Name: "a", Value: document}, value.Member{Name: "b", Value: value.Arr(document)})
		if len(document.String()) > 100_000 {
			break
		}
	}
	for _, path := range []string{"$..*..*..*..*..*", "$..*" + strings.Repeat("[?(@..a)]", 3), "$" + strings.Repeat("..*", 400)} {
		if v, err := eval(path, document); err == nil {
			t.Errorf("%s gives %d values", path, v.Len())
		}
	}
	if _, err := eval("$..a", document); err != nil {
		t.Errorf("one scan: %v", err)
	}
}

// TestLimits: what would exhaust the stack or the heap is no path.
func TestLimits(t *testing.T) {
	for name, path := range map[string]string{
		"long":  "$." + strings.Repeat("a", 65<<10),
		"steps": "$" + strings.Repeat(".a", 1001),
		"deep":  "$" + strings.Repeat("[?(@", 11) + strings.Repeat(")]", 11),
	} {
		var refused *jsonpath.SyntaxError
		if _, err := jsonpath.Compile(path); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func eval(path string, document value.Value) (value.Value, error) {
	p, err := jsonpath.Compile(path)
	if err != nil {
		return value.Value{}, err
	}
	return p.Eval(document)
}

// same compares in order: what a path picks comes as it stands in the document.
func same(a, b value.Value) bool {
	if !value.Equal(a, b) {
		return false
	}
	if a.Kind() == value.Object {
		return strings.Join(a.Names(), "\x00") == strings.Join(b.Names(), "\x00")
	}
	return true
}

// recording gives the recorded cases.
func recording(t *testing.T) iter.Seq[value.Value] {
	t.Helper()
	text, err := os.ReadFile("testdata/oracle.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(value.Value) bool) {
		for line := range bytes.Lines(text) {
			want, err := value.Decode(line)
			if err != nil {
				t.Fatal(err)
			}
			if !yield(want) {
				return
			}
		}
	}
}

func documents(t *testing.T) map[string]value.Value {
	t.Helper()
	text, err := os.ReadFile("testdata/oracle/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	documents := make(map[string]value.Value)
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "doc "); ok {
			name, json, _ := strings.Cut(rest, " ")
			if documents[name], err = value.DecodeString(json); err != nil {
				t.Fatal(err)
			}
		}
	}
	return documents
}

func TestReferenceSet(t *testing.T) {
	tests := []struct{ path, root, want string }{
		{"$", `{"a":1}`, `"v"`},
		{"$.a", `{"a":1,"b":2}`, `{"a":"v","b":2}`},
		{"$.c", `{"a":1}`, `{"a":1,"c":"v"}`},
		{"$.c.d", `{"a":1}`, `{"a":1,"c":{"d":"v"}}`},
		{"$['x y'].z", `{}`, `{"x y":{"z":"v"}}`},
		{"$.a[1]", `{"a":[1,2,3]}`, `{"a":[1,"v",3]}`},
		{"$.a[0].b", `{"a":[{}]}`, `{"a":[{"b":"v"}]}`},
		{"$.a[3]", `{"a":[1,2,3]}`, ``},
		{"$.a.b", `{"a":1}`, ``},
		{"$.a", `[1]`, ``},
		{"$.a", `null`, ``},
		{"$.a[0]", `{}`, ``},
	}
	for _, tt := range tests {
		r, err := jsonpath.CompileReference(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		root, err := value.DecodeString(tt.root)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Set(root, value.Str("v"))
		if text := got.String(); (err == nil) != (tt.want != "") || err == nil && text != tt.want {
			t.Errorf("set %s in %s: got %s, %v, want %s", tt.path, tt.root, text, err, tt.want)
		}
		if root.String() != tt.root {
			t.Errorf("set %s changed the document to %s", tt.path, root)
		}
	}
	for _, path := range []string{"$.a[*]", "$..a", "$.a[0:1]", "$.a[?(@.b)]", "$['a','b']", "$.a[(@.length-1)]", "$.a[-1]", ""} {
		if _, err := jsonpath.CompileReference(path); err == nil {
			t.Errorf("%s was taken for a reference path", path)
		}
	}
}

func FuzzPath(f *testing.F) {
	text, err := os.ReadFile("testdata/oracle/cases.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if _, path, ok := strings.Cut(line, " "); ok {
			f.Add(path)
		}
	}
	document, err := value.DecodeString(`{"a":[{"b":1,"c":"x"},[1,2,[3]],null,"s"],"b":{"a":{"b":true}}}`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p, err := jsonpath.Compile(path)
		if err != nil {
			return
		}
		v, err := p.Eval(document)
		if err == nil && !p.Definite() && v.Kind() != value.Array {
			t.Errorf("the indefinite path %q gives %v", path, v)
		}
	})
}

func BenchmarkEval(b *testing.B) {
	document, err := value.DecodeString(`{"order":{"id":"A-17","items":[{"sku":"x","qty":1},{"sku":"y","qty":2},{"sku":"z","qty":3}]}}`)
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range []string{"$.order.id", "$.order.items[*].sku", "$..qty", "$.order.items[?(@.qty > 1)].sku"} {
		p, err := jsonpath.Compile(path)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval(document); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
