package query_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// halves is an input with the halves of a character, and the character.
const halves = `{"h":"\ud83d","l":"\ude00","e":"😀","k":{"\ud83d":1}}`

// TestHalvesInJSONata holds functions on texts with half of a surrogate pair
// against what they give in JavaScript, whose texts are UTF-16; what is encoded as
// bytes, against Java.
func TestHalvesInJSONata(t *testing.T) {
	for expr, want := range map[string]string{
		`$h`:                                 `"\ud83d"`,
		`$h & $l`:                            `"😀"`,
		`"\\ud83d"`:                          `"\ud83d"`,
		`"\\ud83d" & "\\ude00"`:              `"😀"`,
		`$h = "\\ud83d"`:                     `true`,
		`$length($h)`:                        `1`,
		`$length("a" & $h & "b")`:            `3`,
		`$length($h & $l)`:                   `1`,
		`$substring("a" & $h & "b", 1, 1)`:   `"\ud83d"`,
		`$substring($h & $l, 0, 1)`:          `"😀"`,
		`$split($e, "")`:                     `["\ud83d","\ude00"]`,
		`$split("a" & $h & "b", $h)`:         `["a","b"]`,
		`$join([$h, $l])`:                    `"😀"`,
		`$join($split($e, ""))`:              `"😀"`,
		`$contains($e, $h)`:                  `true`,
		`$contains("a", $h)`:                 `false`,
		`$substringBefore($e, $l)`:           `"\ud83d"`,
		`$substringAfter($e, $h)`:            `"\ude00"`,
		`$replace("x" & $h, /x/, $l)`:        `"\ude00\ud83d"`,
		`$replace($h & "x", /x/, $l)`:        `"😀"`,
		`$replace($h & "x", "x", $l)`:        `"😀"`,
		`$replace($e, $h, "x")`:              `"x\ude00"`,
		`$replace($h & "z", /\\ud83d/, "y")`: `"yz"`,
		`$replace($e, /\\ud83d\\ude00/, "")`: `""`,
		`$match("a" & $h, /./).match`:        `["a","\ud83d"]`,
		`$match("a" & $h & "b", /b/).index`:  `2`,
		`$uppercase("é" & $h & "ß")`:         `"É\ud83dSS"`,
		`$lowercase("É" & $h)`:               `"é\ud83d"`,
		`$pad($h, 3, $l)`:                    `"😀\ude00"`,
		`$pad($l, -2, $h)`:                   `"😀"`,
		`$trim(" " & $h & " ")`:              `"\ud83d"`,
		`$base64encode($h)`:                  `"Pw=="`, // a question mark
		`$base64decode("7aC9")`:              `"` + strings.Repeat("\uFFFD", 3) + `"`,
		`$base64decode("4oI=")`:              `"` + "\uFFFD" + `"`, // one character that is cut
		`$hash($h, "MD5")`:                   `"d1457b72c3fb323a2671125aef3eab5d"`,
		`$decodeUrl($h & "%20")`:             `"\ud83d "`,
		`$string([$h])`:                      `"[\"\\ud83d\"]"`,
		`$parse("\"\\ud83d\"") & $l`:         `"😀"`,
		`$parse("[\"" & $h & "\"]")`:         `["\ud83d"]`,
		`$sort([$e, "\uFFFD", $h, "", "a"])`: `["","a","\ud83d","😀","` + "\uFFFD" + `"]`,
		`$h < $e`:                            `true`,
		`$keys($k)`:                          `"\ud83d"`,
		`$lookup($k, $h)`:                    `1`,
		`{$h: 1}`:                            `{"\ud83d":1}`,
		`$distinct([$h, $h, $l])`:            `["\ud83d","\ude00"]`,
		`$formatNumber(1, "0" & $h)`:         `"1\ud83d"`,
		`$formatInteger(10, "0" & $h & "0")`: `"1\ud83d0"`,
		`$fromMillis(0, "[Y]" & $h)`:         `"1970\ud83d"`,
		`$toMillis($h & "1970-01-02", $h & "[Y0001]-[M01]-[D01]")`: `86400000`,
	} {
		text := "($h := $states.input.h; $l := $states.input.l; $e := $states.input.e; $k := $states.input.k; " + expr + ")"
		if got, err := evaluated(t, strings.ReplaceAll(text, `\\`, `\`)); err != nil || got.String() != want {
			t.Errorf("%s is %v, %v, want %s", expr, got, err, want)
		}
	}
}

// evaluated evaluates JSONata on an input with halves.
func evaluated(t *testing.T, expr string) (value.Value, error) {
	t.Helper()
	template, err := new(query.Compiler).JSONata("Output", value.Str("{% "+expr+" %}"))
	if err != nil {
		return value.Value{}, err
	}
	return template.Eval(scope(t, halves))
}

func TestLimitsAndNumbersInMessages(t *testing.T) {
	const during = "threw an error during evaluation"
	const stack = ": Stack overflow error: Check for non-terminating recursive function.  Consider rewriting as tail-recursive. Depth=101 max=100"
	const memory = ": Expression evaluation memory limit exceeded: Check for excessive memory usage"
	for expr, want := range map[string]string{
		"1" + strings.Repeat("+1", 99):                      "",
		"1" + strings.Repeat("+1", 100):                     stack,
		"1" + strings.Repeat("&1", 100):                     stack,
		strings.Repeat("[", 101) + strings.Repeat("]", 101): stack,
		"($f := function($x){1 + $f($x)}; $f(1))":           stack,
		"$count($range(1, 360145, 1))":                      "",
		"$count($range(1, 360146, 1))":                      memory,
		"$count($range(360146, 1, -1))":                     memory,
		"$range(0, 1e12, 1)":                                memory,
		"$count([1..873782])":                               "",
		"$count([1..873783])":                               memory,
		"$encodeUrl('\xed\xa0\xbd')":                        `. D3140: Malformed URL passed to $"encodeUrl"(): "\ud83d"`,
		"$encodeUrlComponent('\xed\xa0\xbd')":               `. D3140: Malformed URL passed to $"encodeUrlComponent"(): "\ud83d"`,
		"$decodeUrlComponent('%ED%A0%BD')":                  `. D3140: Malformed URL passed to $"decodeUrlComponent"(): "%ED%A0%BD"`,
		"$string(1/0)":                                      ". D3001: Attempting to invoke string function on Infinity or NaN",
		"$string(0/0)":                                      ". D3001: Attempting to invoke string function on Infinity or NaN",
		"'a' & 1/0":                                         ". D3001: Attempting to invoke string function on Infinity or NaN",
		"$string([1/0])":                                    `. D1001: Number out of range: "Infinity"`,
		"1/0 + 1":                                           `. D1001: Number out of range: "Infinity"`,
		"-(1/0)":                                            `. D1001: Number out of range: "Infinity"`,
		"1/0 > 5":                                           "",
		"$type(1/0) = 'number'":                             "",
		"0/0 + 1":                                           `. T2001: The left side of the "+" operator must evaluate to a number`,
	} {
		_, err := evaluated(t, expr)
		failed, _ := errors.AsType[*query.Error](err)
		switch {
		case want == "" && err != nil:
			t.Errorf("%.60s: %v", expr, err)
		case want != "" && (failed == nil || !strings.HasSuffix(failed.Cause, "' "+during+want)):
			t.Errorf("%.60s: %v, want %s", expr, err, want)
		}
	}
	for expr, want := range map[string]string{
		"1/0": `"Infinity"`, "[-1/0, {'a': 0/0}]": `["-Infinity",{"a":"NaN"}]`, "$boolean(0/0)": "false", "0/0 = 0/0": "false", "$count([0/0, 1/0])": "2",
	} {
		if got, err := evaluated(t, expr); err != nil || got.String() != want {
			t.Errorf("%s is %v, %v, want %s", expr, got, err, want)
		}
	}
}

func TestHalvesInPaths(t *testing.T) {
	for expr, want := range map[string]string{
		"$.h":                             `"\ud83d"`,
		"$..h":                            `["\ud83d"]`,
		"$.k.*":                           `[1]`,
		"$.k['\xed\xa0\xbd']":             `1`,
		"$[?(@.h == '\xed\xa0\xbd')].l":   `["\ude00"]`,
		"States.Format('{}{}', $.h, $.l)": `"😀"`,
		"States.Format('{}', $.k)":        `"{` + `\ud83d` + `=1}"`,
		"States.StringSplit($.h, 'x')":    `["\ud83d"]`,
		"States.StringSplit('a\xed\xa0\xbdb\xed\xa0\xbd', $.h)": `["a","b"]`,
		"States.StringSplit($.e, $.h)":                          `["😀"]`,
		"States.Base64Encode($.h)":                              `"Pw=="`,
		"States.Base64Decode('7aC9')":                           `"` + strings.Repeat("\uFFFD", 3) + `"`,
		"States.Hash($.h, 'MD5')":                               `"d1457b72c3fb323a2671125aef3eab5d"`,
		"States.JsonToString($.h)":                              `"\"\\ud83d\""`,
		`States.StringToJson('"\\ud83d"')`:                      `"\ud83d"`,
		"States.ArrayContains(States.Array($.h), $.h)":          `true`,
		"States.ArrayUnique(States.Array($.h, $.h, $.e))":       `["😀","\ud83d"]`,
	} {
		p, err := new(query.Compiler).Expr(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got, err := p.Eval(scope(t, halves)); err != nil || got.String() != want {
			t.Errorf("%s is %v, %v, want %s", expr, got, err, want)
		}
	}
}
