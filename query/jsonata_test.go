package query_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

func TestJSONata(t *testing.T) {
	s := scope(t, `{"n":2,"list":[1,2,3],"one":1.0}`)
	s.Result, s.Millis = decode(t, `{"r":true}`), 1_700_000_000_000
	tests := []struct{ template, want string }{
		{`"plain"`, `"plain"`},
		{`{"a":"{% $states.input.n %}","b":["x","{%$states.result.r%}"],"c":"{%"}`, `{"a":2,"b":["x",true],"c":"{%"}`},
		{`"{% $v.a[0] + $states.input.n %}"`, `3`},
		{`"{% $states.context.Execution.Name %}"`, `"x"`},
		{`"{% $states %}"`, `{"input":{"n":2,"list":[1,2,3],"one":1},"result":{"r":true},"context":{"Execution":{"Name":"x"},"StateMachine":{"Id":"arn","Name":"m"}}}`},
		{`"{% $now() %}"`, `"2023-11-14T22:13:20.000Z"`},
		{`"{% null %}"`, `null`},
		{`"{% $partition([1..5], 2) %}"`, `[[1,2],[3,4],[5]]`},
		{`"{% $random(42) %}"`, `0.7275636800328681`},
		{`"{% $range(0, 10, 5) %}"`, `[0,5,10]`},
		{`"{% $hash('x', 'MD5') %}"`, `"9dd4e461268c8034f5c8564e155c67a6"`},
		{`"{% $parse('{\"a\":[1]}').a %}"`, `[1]`},
		{`"{% 1/0 %}"`, `"Infinity"`},
		{`"{% -0 %}"`, `0`},
	}
	for _, tt := range tests {
		template, err := new(query.Compiler).JSONata("Output", decode(t, tt.template))
		if err != nil {
			t.Errorf("%s: %v", tt.template, err)
			continue
		}
		got, err := template.Eval(s)
		if err != nil || got.String() != tt.want {
			t.Errorf("%s: got %s, %v, want %s", tt.template, got, err, tt.want)
		}
	}
}

func TestJSONataFails(t *testing.T) {
	tests := []struct{ template, field, what string }{
		{`{"a":{"b":[1,"{% $no %}"]}}`, "Output/a/b[1]", "'$no' specified for the field 'Output/a/b[1]' returned nothing (undefined)."},
		{`"{% $eval('1') %}"`, "Output", "'$eval('1')' specified for the field 'Output' threw an error during evaluation. T1006: Attempted to invoke a non-function"},
		{`"{% 'a' + 1 %}"`, "Output", "''a' + 1' specified for the field 'Output' threw an error during evaluation. T2001: The left side of the \"+\" operator must evaluate to a number"},
		{`"{% function($x){$x} %}"`, "Output", "'function($x){$x}' specified for the field 'Output' returned an unsupported result type."},
		{`"{% $error('why') %}"`, "Output", "'$error('why')' specified for the field 'Output' threw an error during evaluation. D3137: why"},
	}
	for _, tt := range tests {
		template, err := new(query.Compiler).JSONata("Output", decode(t, tt.template))
		if err != nil {
			t.Errorf("%s: %v", tt.template, err)
			continue
		}
		_, err = template.Eval(scope(t, `{}`))
		got, _ := errors.AsType[*query.Error](err)
		want := &query.Error{Name: "States.QueryEvaluationError", Cause: "The JSONata expression " + tt.what, Location: tt.field}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(query.Error{})); diff != "" {
			t.Errorf("%s: %s", tt.template, diff)
		}
	}
	array, err := new(query.Compiler).JSONata("Items", value.Str("{% 1 %}"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = array.EvalAs(scope(t, `{}`), value.Array)
	const want = "States.QueryEvaluationError: The JSONata expression '1' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'number' for value: 1"
	if err == nil || err.Error() != want {
		t.Error(err)
	}
}

func TestJSONataRefuses(t *testing.T) {
	tests := []struct {
		expr        string
		unsupported bool
		message     string
	}{
		{"phone", true, "Reference to 'phone' at the top level is not supported."},
		{"$", true, "Reference to '$' at the top level is not supported."},
		{"$$.a", true, "Reference to '$$' is not supported."},
		{"$map([1], function($x){ $x + a })", true, "Reference to 'a' at the top level is not supported."},
		{"$states.errorOutput", true, "Field '$states.errorOutput' does not exist."},
		// As the service words them, but for the code in front.
		{"1 +", false, "Unexpected end of expression"},
		{"a[1,2)", false, `Expected "]", got ","`},
		{`"unterminated`, false, "String literal must be terminated by a matching quote"},
		{"$x :=", false, "Unexpected end of expression"},
		{`$match("a", /abc`, false, "No terminating / in regular expression"},
		{"phone %.other", false, `The symbol "." cannot be used as a unary operator`},
		{"", false, "Unexpected end of expression"},
	}
	for _, tt := range tests {
		_, err := new(query.Compiler).JSONata("Output", value.Str("{% "+tt.expr+" %}"))
		got, _ := errors.AsType[*query.ExpressionError](err)
		if diff := cmp.Diff(&query.ExpressionError{Unsupported: tt.unsupported, Message: tt.message}, got, cmpopts.IgnoreUnexported(query.ExpressionError{})); diff != "" {
			t.Errorf("%s: %s", tt.expr, diff)
		}
	}
	for _, expr := range []string{"$states.input[id = 3].name", "$x.(a & b)", "$filter($x, function($i){$i.a = 1})", "{'a': $x.{'b': c}}", "$x ~> |$|{'n': n}|", "$x^(>price)"} {
		if _, err := new(query.Compiler).JSONata("Output", value.Str("{% "+expr+" %}")); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

// TestUnwrap: who uses the package as a library gets at the position of what is
// wrong in an expression, and at what JSONPath says.
func TestUnwrap(t *testing.T) {
	template, err := new(query.Compiler).JSONata("Output", value.Str("{% 1 + $states.input.name %}"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = template.Eval(scope(t, `{"name":"x"}`))
	if failed, ok := errors.AsType[*jsonata.Error](err); !ok || failed.Code != "T2002" || failed.Position != 3 {
		t.Errorf("an evaluation: %v is %+v", err, failed)
	}
	_, err = new(query.Compiler).JSONata("Output", decode(t, `{"a":["{% 1 + %}"]}`))
	if failed, ok := errors.AsType[*jsonata.Error](err); !ok || failed.Code != "S0207" || failed.Position != 3 {
		t.Errorf("a compilation: %v is %+v", err, failed)
	}
	function, err := new(query.Compiler).JSONata("Output", value.Str("{% $sum %}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = function.Eval(scope(t, `{}`)); !errors.Is(err, jsonata.ErrFunction) {
		t.Errorf("a function: %v", err)
	}
	path, err := new(query.Compiler).Path("$.a.b")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = (&query.Flow{InputPath: path}).Arguments(scope(t, `{"a":{}}`))
	if failed, ok := errors.AsType[*jsonpath.Error](err); !ok || !failed.NotFound {
		t.Errorf("a path: %v is %+v", err, failed)
	}
}
