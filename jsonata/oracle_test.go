package jsonata_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/value"
)

// recorded is what jsonata-js 2.2.2 gives for an expression
// (testdata/oracle/record.mjs).
type recorded struct {
	Expr, Input string
	Result      json.RawMessage
	Undefined   bool
	Code        string
}

// differences are the expressions for which the recording is not met, with the
// reason.
var differences = map[string]string{
	"(/b/)('abc')":                      "a regular expression may stand wherever an operand may",
	`$formatInteger(999999999, "I")`:    "the reference overflows its stack",
	`$formatInteger(999999999, "i")`:    "the reference overflows its stack",
	"$toMillis('2017-13-01')":           notATime,
	"$toMillis('2017-11-07T25:00:00Z')": notATime,
}

const notATime = "the reference gives NaN, which becomes null"

// TestOracle holds results, and the codes of errors, against a recording.
func TestOracle(t *testing.T) {
	raw, err := os.ReadFile("testdata/oracle/documents.json")
	if err != nil {
		t.Fatal(err)
	}
	documents := decode(t, raw)
	file, err := os.Open("testdata/oracle.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	total := 0
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		total++
		wrong := r.compare(documents.Get(r.Input), t)
		if _, known := differences[r.Expr]; known {
			if wrong == "" {
				t.Errorf("%s is met now", r.Expr)
			}
			continue
		}
		if wrong != "" {
			t.Errorf("%s on %s: %s", r.Expr, r.Input, wrong)
		}
	}
	if total < 1000 {
		t.Errorf("only %d recordings", total)
	}
}

func (r *recorded) compare(input value.Value, t *testing.T) string {
	var got value.Value
	x, err := jsonata.Compile(r.Expr, jsonata.Options{})
	if err == nil {
		got, err = x.Eval(&jsonata.Env{Input: input, Millis: 1700000000000})
	}
	failed, _ := errors.AsType[*jsonata.Error](err)
	switch {
	case r.Code != "":
		if failed == nil {
			return "got " + short(got) + ", want the error " + r.Code
		}
		if failed.Code != r.Code {
			return "got " + failed.Error() + ", want the error " + r.Code
		}
	case failed != nil:
		return "got " + failed.Error() + ", want " + string(r.Result)
	case r.Undefined:
		if !got.IsUndefined() {
			return "got " + short(got) + ", want undefined"
		}
	case got.Kind() == value.Number && got.Float64()-got.Float64() != 0:
		if string(r.Result) != "null" { // what JSON.stringify makes of what is no number of JSON
			return "got " + short(got) + ", want " + string(r.Result)
		}
	case !same(decode(t, r.Result), got):
		return "got " + short(got) + ", want " + string(r.Result)
	}
	return ""
}
