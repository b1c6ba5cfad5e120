package jsonata_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/value"
)

// suiteEnv names the folder of the official test suite of jsonata-js, in one
// file of cases and one of data sets. It is not part of this repository.
const suiteEnv = "STEPPE_JSONATA_SUITE"

// suiteCase is one case of the suite.
type suiteCase struct {
	ID, Group, Expr string
	Data            json.RawMessage
	Dataset         *string
	Bindings        map[string]json.RawMessage
	Result          json.RawMessage
	UndefinedResult bool
	Code            string
	Error           json.RawMessage
	Token           json.RawMessage
	Unordered       bool
	Depth           int
}

// exclusions are the cases that do not pass, with the reason.
var exclusions = map[string]string{}

func decode(t testing.TB, raw []byte) value.Value {
	t.Helper()
	v, err := value.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSuite(t *testing.T) {
	dir := os.Getenv(suiteEnv)
	if dir == "" {
		t.Logf("the official suite is not there; %s names its folder", suiteEnv)
		return
	}
	raw, err := os.ReadFile(filepath.Join(dir, "datasets.json"))
	if err != nil {
		t.Fatal(err)
	}
	datasets := decode(t, raw)
	file, err := os.Open(filepath.Join(dir, "cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	passed, total := 0, 0
	for lines.Scan() {
		var c suiteCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		total++
		input := datasets.Get(deref(c.Dataset))
		if c.Data != nil {
			input = decode(t, c.Data)
		}
		wrong := c.run(t, input)
		reason, excluded := exclusions[c.ID]
		switch {
		case wrong == "":
			passed++
			if excluded {
				t.Errorf("%s passes now; it was excluded because %s", c.ID, reason)
			}
		case !excluded:
			t.Errorf("%s: %s\n\t%s", c.ID, strings.ReplaceAll(c.Expr, "\n", " "), wrong)
		}
	}
	t.Logf("%d of %d cases pass", passed, total)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// run gives what is wrong with a case, "" for nothing.
func (c *suiteCase) run(t *testing.T, input value.Value) string {
	options := jsonata.Options{Coalescing: strings.Contains(c.Expr, "??") || strings.Contains(c.Expr, "?:")}
	var got value.Value
	x, err := jsonata.Compile(c.Expr, options)
	if err == nil {
		vars := make(map[string]value.Value)
		for name, raw := range c.Bindings {
			vars[name] = decode(t, raw)
		}
		got, err = x.Eval(&jsonata.Env{
			Input: input, Millis: 1700000000000,
			Vars:   func(name string) (value.Value, bool) { v, ok := vars[name]; return v, ok },
			Limits: jsonata.Limits{Depth: c.Depth},
		})
	}
	failed, _ := errors.AsType[*jsonata.Error](err)
	switch {
	case c.Code != "" || c.Error != nil:
		code := c.Code
		if code == "" {
			var e struct{ Code string }
			_ = json.Unmarshal(c.Error, &e)
			code = e.Code
		}
		if err == nil {
			return "got " + short(got) + ", want the error " + code
		}
		if failed.Code != code {
			return "got " + err.Error() + ", want the error " + code
		}
	case err != nil:
		return "got the error " + err.Error() + ", want " + string(c.Result)
	case c.UndefinedResult:
		if !got.IsUndefined() {
			return "got " + short(got) + ", want undefined"
		}
	default:
		want := decode(t, c.Result)
		if c.Unordered {
			want, got = sorted(want), sorted(got)
		}
		if !same(want, got) {
			return "got " + short(got) + ", want " + short(want)
		}
	}
	return ""
}

// same compares as JavaScript would: numbers as floats.
func same(a, b value.Value) bool {
	if a.Kind() == value.Number && b.Kind() == value.Number {
		return a.Float64() == b.Float64()
	}
	if a.Kind() != b.Kind() || a.Len() != b.Len() {
		return false
	}
	if a.Len() == 0 {
		return value.Equal(a, b)
	}
	for i, item := range a.Items() {
		other := b.At(i)
		if a.Kind() == value.Object {
			other = b.Get(a.Names()[i])
		}
		if !same(item, other) {
			return false
		}
	}
	return true
}

func short(v value.Value) string {
	s := v.String()
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return s
}

func sorted(v value.Value) value.Value {
	items := slices.Clone(v.Items())
	slices.SortFunc(items, func(a, b value.Value) int { return strings.Compare(a.String(), b.String()) })
	return value.Arr(items...)
}
