package query_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// vars are the variables of tests.
type vars map[string]string

func (v vars) Lookup(name string) (value.Value, bool) {
	text, ok := v[name]
	if !ok {
		return value.Value{}, false
	}
	decoded, err := value.DecodeString(text)
	return decoded, err == nil
}

func decode(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func scope(t testing.TB, input string) *query.Scope {
	return &query.Scope{
		Input: decode(t, input),
		Context: func() value.Value {
			return decode(t, `{"Execution":{"Name":"x"},"StateMachine":{"Id":"arn","Name":"m"}}`)
		},
		Vars:    vars{"v": `{"a":[1,2]}`, "größe": `7`},
		Entropy: query.NewEntropy(1),
	}
}

func TestExpressions(t *testing.T) {
	tests := []struct{ expr, input, want string }{
		{"$", `{"a":1}`, `{"a":1}`},
		{"$.a", `{"a":1}`, `1`},
		{"$$.Execution.Name", `{}`, `"x"`},
		{"$v.a[1]", `{}`, `2`},
		{"$v", `{}`, `{"a":[1,2]}`},
		{"$größe", `{}`, `7`},
		{"States.Format('{} and {}', $.a, $.b)", `{"a":"x","b":{"k":[1,"y",null]}}`, `"x and {k=[1, y, null]}"`},
		{`States.Format('\{{}\} \'{}\' \\', 1, true)`, `{}`, `"{1} 'true' \\"`},
		{"States.Format($.t, 7)", `{"t":"n={}"}`, `"n=7"`},
		{"States.StringToJson('{\"a\": [1]}')", `{}`, `{"a":[1]}`},
		{"States.StringToJson($.s)", `{"s":" "}`, `null`},
		{"States.JsonToString($)", `{"a": 1.0}`, `"{\"a\":1.0}"`},
		{"States.Array()", `{}`, `[]`},
		{"States.Array(1, 'a', null, true, $.a)", `{"a":{}}`, `[1,"a",null,true,{}]`},
		{"States.ArrayPartition($.a, 2)", `{"a":[1,2,3]}`, `[[1,2],[3]]`},
		{"States.ArrayContains($.a, 2)", `{"a":[1,2,3]}`, `true`},
		{"States.ArrayContains($.a, '2')", `{"a":[1,2,3]}`, `true`},
		{"States.ArrayContains($.a, true)", `{"a":["true"]}`, `true`},
		{"States.ArrayContains($.a, false)", `{"a":[0]}`, `false`},
		{"States.ArrayContains($.a, $.b)", `{"a":[{"x":1,"y":2}],"b":{"x":1,"y":2}}`, `true`},
		{"States.ArrayContains($.a, $.b)", `{"a":[{"x":1,"y":2}],"b":{"y":2,"x":1}}`, `false`},
		{"States.ArrayContains($.a, null)", `{"a":[1,null]}`, `true`},
		{"States.ArrayRange(1, 9, 4)", `{}`, `[1,5,9]`},
		{"States.ArrayRange(3, 1, -1)", `{}`, `[3,2,1]`},
		{"States.ArrayGetItem($.a, 1)", `{"a":[1,2,3]}`, `2`},
		{"States.ArrayLength($.a)", `{"a":[1,2,3]}`, `3`},
		{"States.ArrayUnique($.a)", `{"a":[1,1,"1",1.0,"01"]}`, `[1.0,1,"1","01"]`},
		{"States.ArrayUnique($.a)", `{"a":[true,false,true]}`, `[false,true]`},
		{"States.ArrayUnique($.a)", `{"a":[[1,2],[1,2],[2,1]]}`, `[[2,1],[1,2]]`},
		{"States.ArrayUnique($.a)", `{"a":[{"a":1,"b":2},{"b":2,"a":1}]}`, `[{"a":1,"b":2}]`},
		{"States.ArrayUnique($.a)", `{"a":[1,null,null]}`, `[null,1]`},
		{"States.ArrayRange(1.4, 5.6, 2.9)", `{}`, `[1,3,5]`},
		{"States.ArrayRange(5, 1, 1)", `{}`, `[]`},
		{"States.ArrayPartition($.a, 2.6)", `{"a":[1,2,3]}`, `[[1,2],[3]]`},
		{"States.ArrayPartition($.a, 2)", `{"a":[]}`, `[]`},
		{"States.ArrayGetItem($.a, 1.9)", `{"a":[1,2,3]}`, `2`},
		{"States.ArrayGetItem($.a, 999)", `{"a":[]}`, `null`},
		{"States.Base64Decode('!!!aGVsbG8!!!')", `{}`, `"hello"`},
		{"States.Base64Decode('abc')", `{}`, `"i�"`},
		{"States.Base64Decode('aA==bb')", `{}`, `"h"`},
		{"States.Hash(123, 'MD5')", `{}`, `"202cb962ac59075b964b07152d234b70"`},
		{"States.JsonMerge($, $, 'true')", `{}`, `{}`},
		{"States.StringSplit('', ',')", `{}`, `[]`},
		{"States.Format('{} {}', $.n, $.f)", `{"n":null,"f":1.50}`, `"null 1.50"`},
		{"States.ArrayLength($.a[*].no)", `{"a":[1,2]}`, `0`},
		{"States.Array($.a[?(@.s == 'it\\'s, (x)')].n)", `{"a":[{"s":"it's, (x)","n":1}]}`, `[[1]]`},
		{"States.Base64Encode('Data to encode')", `{}`, `"RGF0YSB0byBlbmNvZGU="`},
		{"States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", `{}`, `"Data to encode"`},
		{"States.Hash('input data', 'SHA-1')", `{}`, `"aaff4a450a104cd177d28d18d74485e8cae074b7"`},
		{"States.Hash('a', 'MD5')", `{}`, `"0cc175b9c0f1b6a831c399e269772661"`},
		{"States.JsonMerge($.a, $.b, false)", `{"a":{"x":{"y":1},"z":0},"b":{"x":{"w":2}}}`, `{"x":{"w":2},"z":0}`},
		{"States.MathAdd(111, -1)", `{}`, `110`},
		{"States.MathAdd($.a, $.b)", `{"a":1.6,"b":2.7}`, `5`},
		{"States.MathAdd(2147483646, 1)", `{}`, `2147483647`},
		{"States.StringSplit('1.2,3,,4', ',.')", `{}`, `["1","2","3","4"]`},
		{"States.MathRandom(1, 999, 42)", `{}`, `255`}, // java.util.Random(42) begins with 1562431130
		{"States.ArrayGetItem(States.StringSplit($$.StateMachine.Id, 'r'), 0)", `{}`, `"a"`},
	}
	for _, tt := range tests {
		p, err := new(query.Compiler).Expr(tt.expr)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		got, err := p.Eval(scope(t, tt.input))
		if err != nil || got.String() != tt.want {
			t.Errorf("%s: got %v, %v, want %s", tt.expr, got, err, tt.want)
		}
	}
}

func TestRandomness(t *testing.T) {
	p, err := new(query.Compiler).Expr("States.UUID()")
	if err != nil {
		t.Fatal(err)
	}
	s := scope(t, "{}")
	one, _ := p.Eval(s)
	two, _ := p.Eval(s)
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(one.Str()) || one.Str() == two.Str() {
		t.Errorf("%s, %s", one, two)
	}
	if again, _ := p.Eval(scope(t, "{}")); again.Str() != one.Str() {
		t.Errorf("the same seed gives %s and %s", one, again)
	}
	random, err := new(query.Compiler).Expr("States.MathRandom(-5, 5)")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[int64]bool)
	for range 1000 {
		v, err := random.Eval(s)
		n, _ := v.Int64()
		if err != nil || n < -5 || n >= 5 {
			t.Fatalf("%v, %v", v, err)
		}
		seen[n] = true
	}
	if len(seen) != 10 {
		t.Errorf("only %d of 10 numbers were drawn", len(seen))
	}
}

func TestExpressionsThatFail(t *testing.T) {
	const sentence = "The JsonPath argument for the field '%s' could not be found in the input '%s'"
	missing := func(path, input string) string { return fmt.Sprintf(sentence, path, input) }
	tests := []struct{ expr, input, reason string }{
		{"States.Format('{}')", `{}`, "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}."},
		{"States.Format('x', 1)", `{}`, "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}."},
		{"States.Format('a {', 1)", `{}`, "Invalid template in States.Format: matching '}' not found for '{'."},
		{"States.Format('a }')", `{}`, "Invalid template in States.Format: matching '{' not found for '}'."},
		{"States.Format(1)", `{}`, "Invalid arguments in States.Format"},
		{"States.Format('{}', $.no)", `{"a":1}`, missing("$.no", `{"a":1}`)},
		{"States.Format('{}',States.Format( '{}', $.a.b ))", `{"a":1}`, missing("$.a.b", `{"a":1}`)},
		{"States.Format('{}', $.a[5])", `{"a":[1]}`, missing("$.a[5]", `{"a":[1]}`)},
		{"States.Format('{}', $.a[0])", `{"a":1}`, "Filter: [0] can only be applied to arrays. Current context is: 1"},
		{"States.Format('{}', $$.No.Such)", `{"a":1}`, missing("$.No.Such", `{"a":1}`)},
		{"States.Format('{}', $nobody)", `{}`, missing("$nobody", `{}`)},
		{"States.ArrayRange(1, 1001, 1)", `{}`, "Invalid arguments in States.ArrayRange"},
		{"States.ArrayRange(-2147483648, 2147483647, -1)", `{}`, ""},
		{"States.ArrayRange(1, 2, 0.9)", `{}`, "Invalid arguments in States.ArrayRange"},
		{"States.ArrayRange(1, 3000000000, 1)", `{}`, "Invalid arguments in States.ArrayRange"},
		{"States.ArrayGetItem($.a, 3)", `{"a":[1]}`, "Invalid arguments in States.ArrayGetItem"},
		{"States.ArrayGetItem($.a, -1)", `{"a":[]}`, "Invalid arguments in States.ArrayGetItem"},
		{"States.ArrayGetItem($.a, '0')", `{"a":[1]}`, "Invalid arguments in States.ArrayGetItem"},
		{"States.ArrayLength('x')", `{}`, "Invalid arguments in States.ArrayLength"},
		{"States.ArrayPartition($.a, 0.9)", `{"a":[1]}`, "Invalid arguments in States.ArrayPartition"},
		{"States.ArrayUnique($)", `{}`, "Invalid arguments in States.ArrayUnique"},
		{"States.ArrayContains('x', 'x')", `{}`, "Invalid arguments in States.ArrayContains"},
		{"States.StringToJson('{')", `{}`, "Invalid arguments in States.StringToJson"},
		{"States.StringToJson(1)", `{}`, "Invalid arguments in States.StringToJson"},
		{"States.StringToJson()", `{}`, "Invalid arguments in States.StringToJson"},
		{"States.Hash('a', 'CRC')", `{}`, "Invalid arguments in States.Hash"},
		{"States.Hash('a', 'sha-1')", `{}`, "Invalid arguments in States.Hash"},
		{"States.JsonMerge($, $, true)", `{}`, "Invalid arguments in States.JsonMerge"},
		{"States.JsonMerge($, 1, false)", `{}`, "Invalid arguments in States.JsonMerge"},
		{"States.MathRandom(5, 5)", `{}`, "Invalid arguments in States.MathRandom"},
		{"States.MathRandom(1.4, 1.6)", `{}`, "Invalid arguments in States.MathRandom"},
		{"States.MathRandom(1, 9, null)", `{}`, "Invalid arguments in States.MathRandom"},
		{"States.MathAdd(2147483647, 1)", `{}`, "Invalid arguments in States.MathAdd"},
		{"States.MathAdd(3000000000, 1)", `{}`, "Invalid arguments in States.MathAdd"},
		{"States.MathAdd(true, 1)", `{}`, "Invalid arguments in States.MathAdd"},
		{"States.MathAdd(1)", `{}`, "Invalid arguments in States.MathAdd"},
		{"States.StringSplit(1, ',')", `{}`, "Invalid arguments in States.StringSplit"},
		{"States.Base64Encode($.s)", `{"s":"` + strings.Repeat("a", 10001) + `"}`, "Invalid arguments in States.Base64Encode"},
		{"States.Base64Decode($.s)", `{"s":"` + strings.Repeat("a", 10001) + `"}`, "Invalid arguments in States.Base64Decode"},
		{"States.Hash($.s, 'MD5')", `{"s":"` + strings.Repeat("a", 10001) + `"}`, "Invalid arguments in States.Hash"},
	}
	for _, tt := range tests {
		p, err := new(query.Compiler).Expr(tt.expr)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		v, err := p.Eval(scope(t, tt.input))
		if tt.reason == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.expr, err)
			}
			continue
		}
		want := &query.Error{Name: "States.Runtime", Cause: "The function '" + tt.expr + "' had the following error: " + tt.reason}
		if got, ok := errors.AsType[*query.Error](err); !ok {
			t.Errorf("%s: got %v, %v", tt.expr, v, err)
		} else if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(query.Error{})); diff != "" {
			t.Error(diff)
		}
	}
}

func TestNoExpressions(t *testing.T) {
	nested := strings.Repeat("States.Array(", 11) + strings.Repeat(")", 11)
	for _, text := range []string{
		"", "a", "$a b", "$.a[", "States.Nothing()", "States.Format", "States.Format(", "States.Format('x'", "States.Format('x)",
		`States.StringToJson('{\"a\":1}')`, "States.Array(1,)", "States.Array(x)", "States.UUID() x", `States.Array('\n')`, nested,
	} {
		if p, err := new(query.Compiler).Expr(text); err == nil {
			t.Errorf("%q was taken as %v", text, p)
		}
	}
	if _, err := new(query.Compiler).Expr(strings.Repeat("States.Array(", 10) + strings.Repeat(")", 10)); err != nil {
		t.Errorf("ten functions inside of each other: %v", err)
	}
}

// TestTemplateOrder: fixed members first, then the evaluated ones as a Java
// HashMap iterates (recorded from the service for five and more members).
func TestTemplateOrder(t *testing.T) {
	tmpl, err := new(query.Compiler).Template(decode(t, `{"original_input.$":"$","iteration_input_value.$":"$.v","iteration_index.$":"$.i","from_input_constant.$":"$.c","constant_value":"HelloWorld"}`))
	if err != nil {
		t.Fatal(err)
	}
	v, err := tmpl.Eval(scope(t, `{"v":1,"i":2,"c":3}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"constant_value", "iteration_input_value", "from_input_constant", "iteration_index", "original_input"}
	if diff := cmp.Diff(want, v.Names()); diff != "" {
		t.Error(diff)
	}
}

func TestTemplates(t *testing.T) {
	tests := []struct{ template, input, want, cause string }{
		{`{"a":{"b.$":"$.x","c":"$.x"},"d":[{"e.$":"$.x"}]}`, `{"x":1}`, `{"a":{"c":"$.x","b":1},"d":[{"e":1}]}`, ""},
		{`[1,"$.x"]`, `{}`, `[1,"$.x"]`, ""},
		{`{"a.$":"$.no"}`, `{"x":1}`, ``, `The JSONPath '$.no' specified for the field 'a.$' could not be found in the input '{"x":1}'`},
		{`{"a.$":"$nobody"}`, `{}`, ``, "could not be found"},
		{`{"a.$":"$..no"}`, `{}`, `{"a":[]}`, ""},
	}
	for _, tt := range tests {
		tmpl, err := new(query.Compiler).Template(decode(t, tt.template))
		if err != nil {
			t.Fatal(err)
		}
		v, err := tmpl.Eval(scope(t, tt.input))
		if tt.cause == "" && (err != nil || v.String() != tt.want) || tt.cause != "" && (err == nil || !strings.Contains(err.Error(), tt.cause)) {
			t.Errorf("%s: got %v, %v, want %s%s", tt.template, v, err, tt.want, tt.cause)
		}
	}
	_, err := new(query.Compiler).Template(decode(t, `{"a":[{"b.$":1}]}`))
	var bad *query.TemplateError
	if !errors.As(err, &bad) || bad.Field != "b.$" || strings.Join(bad.Path, "/") != "a/0" {
		t.Errorf("a number for a path: %v", err)
	}
}

func TestFlow(t *testing.T) {
	path := func(text string) *query.Path {
		p, err := new(query.Compiler).Path(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ref := func(text string) *jsonpath.Reference {
		r, err := jsonpath.CompileReference(text)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	tests := []struct {
		name                string
		flow                query.Flow
		input, args, output string
	}{
		{"nothing", query.Flow{}, `{"a":1}`, `{"a":1}`, `"R"`},
		{"paths", query.Flow{InputPath: path("$.a"), ResultPath: ref("$.r"), OutputPath: path("$.r")}, `{"a":{"b":1}}`, `{"b":1}`, `"R"`},
		{"the result goes into the raw input", query.Flow{InputPath: path("$.a"), ResultPath: ref("$.r")}, `{"a":1}`, `1`, `{"a":1,"r":"R"}`},
		{"nulls", query.Flow{NullInputPath: true, NullResultPath: true, NullOutputPath: true}, `{"a":1}`, `{}`, `{}`},
		{"result dropped", query.Flow{NullResultPath: true}, `{"a":1}`, `{"a":1}`, `{"a":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, args, err := tt.flow.Arguments(scope(t, tt.input))
			if err != nil || args.String() != tt.args {
				t.Errorf("arguments %v, %v", args, err)
			}
			output, _, err := tt.flow.Result(scope(t, tt.input), value.Str("R"))
			if err != nil || output.String() != tt.output {
				t.Errorf("output %v, %v", output, err)
			}
		})
	}
	flow := query.Flow{ResultPath: ref("$.a.b")}
	if _, _, err := flow.Result(scope(t, `{"a":1}`), value.Str("R")); err == nil || !strings.HasPrefix(err.Error(), "States.ResultPathMatchFailure") {
		t.Errorf("a ResultPath that does not fit: %v", err)
	}
	flow = query.Flow{InputPath: path("$.no")}
	if _, _, err := flow.Arguments(scope(t, `{}`)); err == nil || err.Error() != "States.Runtime: Invalid path '$.no' : No results for path: $['no']" {
		t.Errorf("an InputPath that leads nowhere: %v", err)
	}
}

func FuzzExpr(f *testing.F) {
	for _, text := range []string{"$.a", "$$.x", "$v.a", "States.Format('{}', $.a)", "States.Array(1,'x',States.UUID())", `States.Format('\{\'', $..a[?(@.b==1)])`, "States.ArrayRange(0,9e9,1)"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := new(query.Compiler).Expr(text)
		if err != nil {
			return
		}
		s := scope(t, `{"a":[1,{"b":"x"}]}`)
		if v, err := p.Eval(s); err == nil && v.IsUndefined() {
			t.Errorf("%q gives undefined", text)
		}
	})
}

func BenchmarkTemplate(b *testing.B) {
	tmpl, err := new(query.Compiler).Template(decode(b, `{"id.$":"$.order.id","n.$":"$.order.n","fixed":{"a":1},"name.$":"$$.Execution.Name","text.$":"States.Format('order {}', $.order.id)"}`))
	if err != nil {
		b.Fatal(err)
	}
	s := scope(b, `{"order":{"id":"A-17","n":3}}`)
	context := s.Context()
	s.Context = func() value.Value { return context }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tmpl.Eval(s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJSONata evaluates the Output of a JSONata state.
func BenchmarkJSONata(b *testing.B) {
	tmpl, err := new(query.Compiler).JSONata("Output", decode(b, `{"id":"{% $states.input.order.id %}","n":"{% $states.input.order.n + 1 %}","text":"{% 'order ' & $states.input.order.id & ' of ' & $states.input.order.n %}"}`))
	if err != nil {
		b.Fatal(err)
	}
	s := scope(b, `{"order":{"id":"A-17","n":3}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tmpl.Eval(s); err != nil {
			b.Fatal(err)
		}
	}
}
