// Package hostile attacks a server as a tenant would who means harm, and sees
// what another tenant notices of it.
//
// Stability: internal.
package hostile

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Bomb is a definition, with an input, that takes more than it should get.
type Bomb struct {
	Name       string
	Definition string
	Input      string
	// Express reports that it is run synchronously, as an Express execution.
	Express bool
	// Ends are the Error Names by which it may end; none: it runs on to a limit of
	// the service, and is stopped. "" among them stands for success.
	Ends []string
	// Operation and Request are a call of the API that is the bomb, in place of an
	// execution.
	Operation string
	Request   object
	// Refused reports that the definition may be refused when it is created.
	Refused bool
}

// The Error Names by which what is too large or too long ends.
const (
	tooLarge = "States.DataLimitExceeded"
	query    = "States.QueryEvaluationError"
	broken   = "States.Runtime"
)

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

type object = map[string]any

// after is a definition of one state, which is entered a moment after the start:
// what it does is done by the server alone, not by who starts it.
func after(state object) string {
	return text(object{"StartAt": "W", "States": object{"W": object{"Type": "Wait", "Seconds": 1, "Next": "P"}, "P": state}})
}

// parameters is a Pass state in JSONPath.
func parameters(p any) string {
	return after(object{"Type": "Pass", "Parameters": p, "End": true})
}

// jsonata is a Pass state with an Output in JSONata.
func jsonata(expression string) string {
	return after(object{"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% " + expression + " %}", "End": true})
}

// each makes n members.
func each(n int, name, value string) object {
	o := make(object, n)
	for i := range n {
		o[fmt.Sprintf(name, i)] = value
	}
	return o
}

// large is an input of about 250,000 bytes: {"a":"yyy…"}.
func large() string { return `{"a":"` + strings.Repeat("y", 250_000) + `"}` }

// list is an input {"l":[item,item,…]} of about 200,000 bytes.
func list(item string) string {
	return `{"l":[` + item + strings.Repeat(","+item, 200_000/(len(item)+1)) + `]}`
}

func call(name, argument string, n int) string {
	return name + "(" + argument + strings.Repeat(","+argument, n-1) + ")"
}

// forever is a loop of a Pass state and a Choice.
func forever(pass object) string {
	pass["Type"], pass["Next"] = "Pass", "B"
	return text(object{"StartAt": "W", "States": object{
		"W": object{"Type": "Wait", "Seconds": 1, "Next": "D"}, "D": pass,
		"B": object{"Type": "Choice", "Choices": []object{{"Variable": "$.nowhere", "IsPresent": true, "Next": "E"}}, "Default": "D"},
		"E": object{"Type": "Succeed"},
	}})
}

// nested calls a function on what it gives.
func nested(function, argument string, depth int) string {
	return strings.Repeat(function+"(", depth) + argument + strings.Repeat(")", depth)
}

// Bombs are all that are known: those of one state, then those that run on.
func Bombs() []Bomb {
	return append(append(append(intrinsics(), expressions()...), machines()...), operations()...)
}

func intrinsics() []Bomb {
	format := "States.Format('" + strings.Repeat("{}", 20_000) + "'," + "$.a" + strings.Repeat(",$.a", 19_999) + ")"
	return []Bomb{
		{Name: "Format", Definition: parameters(object{"x.$": format}), Input: large(), Ends: []string{tooLarge}},
		{Name: "Array", Definition: parameters(object{"x.$": call("States.Array", "$.a", 20_000)}), Input: large(), Ends: []string{tooLarge}},
		{Name: "Parameters", Definition: parameters(each(20_000, "x%d.$", "$.a")), Input: large(), Ends: []string{tooLarge}},
		{Name: "StringToJson", Definition: parameters(each(1000, "x%d.$", "States.StringToJson($.t)")), Input: `{"t":` + text("["+strings.Repeat("0,", 75_000)+"0]") + `}`, Ends: []string{tooLarge}},
		{Name: "JsonToString", Definition: parameters(object{"x.$": nested("States.JsonToString", "$", 9)}), Input: `{"a":"` + strings.Repeat(`\"`, 100_000) + `"}`, Ends: []string{tooLarge, broken}},
		{Name: "JsonMerge", Definition: parameters(each(300, "x%d.$", "States.JsonMerge($.l[0],$.l[0],false)")), Input: `{"l":[` + text(each(8000, "k%d", "v")) + `]}`, Ends: []string{tooLarge}},
		{Name: "ArrayPartition", Definition: parameters(each(500, "x%d.$", "States.ArrayPartition($.l,1)")), Input: list("0"), Ends: []string{tooLarge}},
		{Name: "ArrayUnique", Definition: parameters(each(500, "x%d.$", "States.ArrayUnique($.l)")), Input: list(`"a"`), Ends: []string{tooLarge, broken, ""}},
		{Name: "ArrayContains", Definition: parameters(each(2000, "x%d.$", "States.ArrayContains($.l,$.l)")), Input: list("7"), Ends: []string{tooLarge, broken}},
		{Name: "StringSplit", Definition: parameters(each(1000, "x%d.$", "States.StringSplit($.a,'y,;')")), Input: `{"a":"` + strings.Repeat("xy", 120_000) + `"}`, Ends: []string{tooLarge, broken}},
		{Name: "filters", Definition: parameters(each(24_000, "x%d.$", "$.l[?(@.a==-1)]")), Input: list(`{"a":1}`), Ends: []string{broken}},
		{Name: "descents", Definition: parameters(each(2000, "x%d.$", "$..*")), Input: list(`[[[1]]]`), Ends: []string{tooLarge, broken}},
		{Name: "nested descents", Definition: parameters(object{"x.$": "$..*..*..*..*..*"}), Input: list(`[[[[1]]]]`), Ends: []string{tooLarge, broken}},
		{Name: "StringMatches", Definition: text(object{"StartAt": "W", "States": object{
			"W": object{"Type": "Wait", "Seconds": 1, "Next": "P"}, "E": object{"Type": "Succeed"},
			"P": object{"Type": "Choice", "Choices": []object{{"Or": repeated(2000, object{"Variable": "$.a", "StringMatches": strings.Repeat("*y*z", 20)}), "Next": "E"}}, "Default": "P"},
		}}), Input: large(), Ends: []string{broken}},
	}
}

func repeated(n int, o object) []object {
	all := make([]object, n)
	for i := range all {
		all[i] = o
	}
	return all
}

func expressions() []Bomb {
	var bombs []Bomb
	for _, b := range []struct{ name, expression, input string }{
		{"regex", `($p:=$pad('a',200000,'a'); $count([1..100000].$match($p,/((a{0,30}){0,30}b)/)))`, "{}"},
		{"contains", `$count([1..100000].$contains($states.input.a,/z+b/))`, large()},
		{"replace", `$length($join([1..1000].$replace($states.input.a,/y/,'yy')))`, large()},
		{"split", `$count([1..1000].$split($pad('',2000000,'x'),''))`, "{}"},
		{"split regex", `$count([1..1000].$split($states.input.a,/(y)/))`, large()},
		{"cross product", `$count([1..3000].($a:=$;[1..3000].{'a':$a,'b':$}))`, "{}"},
		{"join", `$count(($d:=$states.input; $d.l@$x.$d.l@$y[$x=$y]))`, list("1")},
		{"sort", `$count($sort([1..200000],function($l,$r){$random()>0.5}))`, "{}"},
		{"tail recursion", `($f:=function($n){$f($n+1)};$f(0))`, "{}"},
		{"doubling", `$reduce([1..40],function($s){$s&$s},'xxxxxxxxxx')`, "{}"},
		{"parse", `$count([1..2000].$parse($states.input.a))`, `{"a":` + text("["+strings.Repeat("0,", 60_000)+"0]") + `}`},
		{"strings", `$count([1..2000].$string($states.input))`, list("[1]")},
		{"group by", `($d:=$states.input; $d.l{$string($random()):$count($d.**)})`, list("1")},
		{"wildcards", `($d:=$states.input; $count([1..1000].($d.**.**.**)))`, list("[[[1]]]")},
		{"distinct", `$count([1..200].$distinct($states.input.l))`, list(`{"a":[1,2]}`)},
		{"zip", `$count([1..2000].$zip($states.input.l,$states.input.l,$states.input.l))`, list("1")},
		{"transform", `$count([1..5000].($states.input ~> |l|{'b':1}|))`, list(`{"a":1}`)},
		{"hash", `$count([1..100000].$hash($states.input.a,'SHA-512'))`, large()},
		{"order by", `$count([1..300].$states.input.l^(a,b,c))`, list(`{"a":1}`)},
	} {
		bombs = append(bombs, Bomb{Name: b.name, Definition: jsonata(b.expression), Input: b.input, Ends: []string{query, tooLarge}})
	}
	bombs = append(bombs, Bomb{Name: "regexes of a definition", Refused: true, Ends: []string{""}, Input: "{}", Definition: after(object{
		"Type": "Pass", "QueryLanguage": "JSONata", "End": true, "Output": regexes(4000),
	})})
	return bombs
}

// regexes are different expressions, each a regular expression of a large program.
func regexes(n int) object {
	o := make(object, n)
	for i := range n {
		o[fmt.Sprintf("o%d", i)] = fmt.Sprintf("{%% $exists(/((a{0,30}){0,30}%d)/) %%}", i)
	}
	return o
}

func machines() []Bomb {
	pad := "{% $pad('x',250000,'x') %}"
	variables := each(35, "v%d", pad)
	work := object{"StartAt": "I", "States": object{"I": object{"Type": "Pass", "Parameters": object{"a.$": "$.a", "u.$": "States.UUID()"}, "End": true}}}
	selector := object{"a.$": "$.a"}
	branches := make([]object, 40)
	for i := range branches {
		name := fmt.Sprint("I", i)
		branches[i] = object{"StartAt": name, "States": object{name: object{"Type": "Pass", "Parameters": object{"a.$": "$.a", "u.$": "States.UUID()"}, "End": true}}}
	}
	return []Bomb{
		{Name: "variables", Definition: forever(object{"QueryLanguage": "JSONata", "Assign": variables}), Input: "{}"},
		{Name: "variables, Express", Express: true, Definition: forever(object{"QueryLanguage": "JSONata", "Assign": variables}), Input: "{}"},
		{Name: "loop", Definition: forever(object{"Result": 1}), Input: "{}"},
		{Name: "loop, Express", Express: true, Definition: forever(object{"Result": object{}}), Input: "{}"},
		{Name: "loop of large payloads", Definition: forever(object{"Parameters": object{"a.$": "$.a", "u.$": "States.UUID()"}}), Input: large()},
		{Name: "loop of regexes", Definition: forever(object{"QueryLanguage": "JSONata", "Assign": object{"a": `{% $count([1..300].$match($pad('a',20000,'a'),/((a{0,30}){0,30}b)/)) %}`}}), Input: "{}", Ends: []string{query}},
		{Name: "Map of large items", Definition: after(object{"Type": "Map", "ItemsPath": "$.l", "ItemSelector": selector, "ItemProcessor": work, "End": true}), Input: `{"l":[0` + strings.Repeat(",0", 9999) + `],"a":"` + strings.Repeat("y", 200_000) + `"}`, Ends: []string{tooLarge, broken}},
		{Name: "Parallel of large inputs", Definition: after(object{"Type": "Parallel", "Branches": branches, "End": true}), Input: large(), Ends: []string{tooLarge}},
		{Name: "catch to itself", Definition: after(object{"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:111111111111:function:nowhere", "Catch": []object{{"ErrorEquals": []string{"States.ALL"}, "ResultPath": "$.e", "Next": "P"}}, "End": true}), Input: large()},
		{Name: "waits with large payloads", Definition: text(object{"StartAt": "W", "States": object{"W": object{"Type": "Wait", "Seconds": 50, "End": true}}}), Input: large()},
	}
}
