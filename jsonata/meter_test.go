package jsonata_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/value"
)

// metered evaluates an expression with what one state has.
func metered(t *testing.T, text string, input value.Value, pace func(work, held int64) error) (value.Value, error) {
	t.Helper()
	x, err := jsonata.Compile(text, jsonata.Options{StepFunctions: true})
	if err != nil {
		t.Fatal(err)
	}
	m := meter.New(meter.Config{Work: 10_000_000, Bytes: 48 << 20, Pace: pace, PaceWork: 16384, PaceBytes: 256 << 10})
	return x.Eval(&jsonata.Env{Input: input, Meter: m})
}

// TestLargeWork: what people do with large inputs is within the limits, also where
// it leaves much behind.
func TestLargeWork(t *testing.T) {
	items := make([]value.Value, 2000)
	for i := range items {
		items[i] = value.Obj(value.Member{Name: "id", Value: value.Int(int64(i))}, value.Member{Name: "name", Value: value.Str("the name of an item")})
	}
	input := value.Obj(value.Member{Name: "items", Value: value.Arr(items...)}, value.Member{Name: "text", Value: value.Str(strings.Repeat("some words, 12345; ", 13_000))})
	for text, want := range map[string]string{
		"$count($keys($reduce(items, function($all, $i) {$merge([$all, {$string($i.id): $i}])}, {})))":     "2000",
		"$count($reduce(items, function($all, $i) {$append($all, $i.id)}, []))":                            "2000",
		"($f := function($all, $n) {$n = 2000 ? $count($all) : $f($append($all, $n), $n + 1)}; $f([], 0))": "2000",
		"$count($distinct(items.name))":                                  "1",
		"$count($match(text, /[0-9]+/))":                                 "13000",
		"$length($replace(text, /(\\w+) words/, '$1 things'))":           "260000",
		"$count($split(text, /[;,] */))":                                 "26001",
		"$count([1..40000].{'n': $, 'square': $ * $})":                   "40000",
		"$sum($map(items, function($i) {$length($uppercase($i.name))}))": "38000",
		"$count($sort(items, function($a, $b) {$a.id < $b.id}))":         "2000",
		"$count(items^(>name, id))":                                      "2000",
		"$length($string($$)) > 100000":                                  "true",
		"$count($keys(items{$string(id % 100): $count(id)}))":            "100",
		"$count((items ~> |$|{'more': id}|)[more = id])":                 "2000",
	} {
		got, err := metered(t, text, input, nil)
		if err != nil || got.String() != want {
			t.Errorf("%s: %v, %v, want %s", text, got, err, want)
		}
	}
}

// TestInterruption: an interruption is thrown through an evaluation, as often as
// it comes, and leaves the Env good for the next one.
func TestInterruption(t *testing.T) {
	interruption := errors.New("interrupted")
	x, err := jsonata.Compile("$sum($map([1..20000], function($x) {$x * 2}))", jsonata.Options{StepFunctions: true})
	if err != nil {
		t.Fatal(err)
	}
	env := &jsonata.Env{}
	for n := 1; n < 5; n++ {
		calls := 0
		env.Meter = meter.New(meter.Config{PaceWork: 1000, PaceBytes: 1 << 20, Pace: func(_, _ int64) error {
			if calls++; calls == n {
				return interruption
			}
			return nil
		}})
		func() {
			defer func() {
				stop, ok := recover().(*meter.Stop)
				if !ok || !stop.Interrupted || !errors.Is(stop, interruption) {
					t.Errorf("call %d: %v", n, stop)
				}
			}()
			v, err := x.Eval(env)
			t.Errorf("call %d: it goes on to %v, %v", n, v, err)
		}()
		env.Meter = nil
		if v, err := x.Eval(env); err != nil || v.String() != "400020000" {
			t.Errorf("afterwards: %v, %v", v, err)
		}
	}
}
