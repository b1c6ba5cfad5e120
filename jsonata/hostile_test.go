package jsonata_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/value"
)

// deepData is arrays and objects nested as deep as data may.
func deepData() value.Value {
	v := value.Int(1)
	for i := range value.MaxDepth - 1 {
		if i%2 == 0 {
			v = value.Arr(v)
		} else {
			v = value.Obj(value.Member{Name: "a", Value: v})
		}
	}
	return v
}

// hostile are expressions that would take all memory, all stack, or for ever.
var hostile = map[string]string{
	"parentheses":        strings.Repeat("(", 5_000_000) + strings.Repeat(")", 5_000_000),
	"brackets":           strings.Repeat("[", 1_000_000),
	"braces":             strings.Repeat("{'a':", 1_000_000),
	"conditions":         strings.Repeat("1?", 1_000_000),
	"minus":              strings.Repeat("-", 1_000_000) + "1",
	"long path":          "$" + strings.Repeat(".a", 100_000) + strings.Repeat("[0]", 100_000) + "(",
	"operators":          "1" + strings.Repeat("+1", 100_000),
	"recursion":          "($f := function($x){1 + $f($x)}; $f(1))",
	"mutual recursion":   "($f := function($x){1 + $g($x)}; $g := function($x){1 + $f($x)}; $f(1))",
	"tail recursion":     "($f := function($x){$f($x + 1)}; $f(1))",
	"range":              "[1..1000000000]",
	"many ranges":        "[1..800000] ~> $map(function($x){[1..800000]}) ~> $count()",
	"range function":     "$range(0, 1e12, 1)",
	"doubling":           "($f := function($s, $n){$n = 0 ? $s : $f($s & $s, $n - 1)}; $length($f('xxxxxxxxxx', 34)))",
	"appending":          "($f := function($a, $n){$n = 0 ? $a : $f($append($a, $a), $n - 1)}; $count($f([1..10], 34)))",
	"cross product":      "($a := [1..10000]; $a.($x := $; $a.($x * $)))",
	"joins":              "($a := {'b': [1..10000]}; $a.b@$x.$a.b@$y.$a.b[$ = $x + $y])",
	"pad":                "$pad('x', 1000000000)",
	"pad left":           "$pad('x', -1000000000, 'abc')",
	"regular expression": "$match($pad('a', 50000, 'a'), /(a+)+$/) ~> $count() > 5",
	"many matches":       "$replace($pad('a', 800000, 'a'), /a/, function($m){'bbbbbbbbbbbbbbbbbbbb'})",
	"nested arrays":      "($f := function($a, $n){$n = 0 ? $a : $f([[$a]], $n - 1)}; $f([], 1000000))",
	"descendants":        "($d := $states; [1..1000].($d.**) ~> $count()) > 1e9",
	"eval":               "($e := '$eval($e)'; $eval($e))",
	"sorting":            "$sort([1..300000], function($a, $b){$random() > 0.5})",
	"roman":              "$formatInteger(1e15, 'I')",
	"join":               "$join([1..100000].$pad('x', 1000))",
	"grouping":           "[1..200000]{$string($): $pad('x', 1000)}",
	"number picture":     "$formatNumber(1, $pad('0', 5000000, '0'))",
}

func TestHostile(t *testing.T) {
	data := deepData()
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			x, err := jsonata.Compile(text, jsonata.Options{StepFunctions: true})
			if err == nil {
				_, err = x.Eval(&jsonata.Env{Vars: func(string) (value.Value, bool) { return data, true }})
			}
			if _, ok := errors.AsType[*jsonata.Error](err); !ok {
				t.Errorf("got %v, want an error", err)
			}
		})
	}
}

func FuzzCompile(f *testing.F) {
	for _, text := range []string{"a.b[0]", "$sum(a.(b*c))", "function($x)<n:n>{$x}", "a@$x#$i^(>b){c: d}", "|a|{'b': 1},'c'|", "/a(b)?/i", "a ?: b ?? c", "$f(?, 1)", "'\\u00e9'", "%.%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, err := jsonata.Compile(text, jsonata.Options{Coalescing: true})
		if err != nil {
			if failed, ok := errors.AsType[*jsonata.Error](err); !ok || failed.Message == "" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		x.References()
		_, err = x.Eval(&jsonata.Env{Input: value.Obj(value.Member{Name: "a", Value: value.Arr(value.Int(1), value.Str("b"))}), Limits: jsonata.Limits{Steps: 10_000, Bytes: 1 << 20, Depth: 100}})
		if failed, ok := errors.AsType[*jsonata.Error](err); ok && failed.Message == "" {
			t.Fatalf("%q: the error %s has no message", text, failed.Code)
		}
	})
}

func FuzzEval(f *testing.F) {
	for _, pair := range [][2]string{{"a.b", `{"a":{"b":1}}`}, {"$.**", `[[1]]`}, {"$sort($)", `[3,1]`}, {"${a: $}", `{"a":"x"}`}, {"$string($, true)", `{"a":[1e300]}`}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, text, input string) {
		v, err := value.DecodeString(input)
		if err != nil {
			return
		}
		x, err := jsonata.Compile(text, jsonata.Options{StepFunctions: true})
		if err != nil {
			return
		}
		env := jsonata.Env{Input: v, Limits: jsonata.Limits{Steps: 10_000, Bytes: 1 << 20, Depth: 100}}
		one, errOne := x.Eval(&env)
		two, errTwo := x.Eval(&env)
		if one.String() != two.String() || (errOne == nil) != (errTwo == nil) {
			t.Fatalf("%q on %s: %v, %v, then %v, %v", text, input, one, errOne, two, errTwo)
		}
		if errOne == nil && !one.IsUndefined() {
			if _, err := value.Decode(one.Append(nil)); err != nil && !errors.Is(err, value.ErrTooDeep) {
				t.Fatalf("%q on %s gives %s: %v", text, input, one, err)
			}
		}
	})
}
