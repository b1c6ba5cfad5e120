package jsonata_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/steppehq/steppe/value"
)

var (
	differential     = flag.Int("differential", 0, "number of generated expressions to hold against jsonata-js")
	differentialSeed = flag.Uint64("differential-seed", 1, "seed of the first of them")
)

// TestDifferential holds generated expressions against jsonata-js, which
// testdata/oracle/answer.mjs runs. It needs Node.js, and the package beside that
// file (make differential).
func TestDifferential(t *testing.T) {
	if *differential == 0 {
		t.Log("no expressions are generated; make differential does it")
		return
	}
	raw, err := os.ReadFile("testdata/oracle/documents.json")
	if err != nil {
		t.Fatal(err)
	}
	input := decode(t, raw)
	oracle := exec.Command("node", "--stack-size=4000", "testdata/oracle/answer.mjs")
	oracle.Stderr = os.Stderr
	in, err := oracle.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := oracle.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := oracle.Start(); err != nil {
		t.Fatal(err)
	}
	last := *differentialSeed + uint64(*differential)
	go func() {
		defer in.Close()
		for seed := *differentialSeed; seed < last; seed++ {
			line, _ := json.Marshal(map[string]string{"expr": generate(seed)}) // one string
			if _, err := in.Write(append(line, '\n')); err != nil {
				return
			}
		}
	}()
	answers := bufio.NewScanner(out)
	answers.Buffer(nil, 16<<20)
	counts := make(map[string]int)
	wrong := 0
	for seed := *differentialSeed; seed < last && answers.Scan(); seed++ {
		var r struct {
			recorded
			Message string
		}
		if err := json.Unmarshal(answers.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		r.Expr = generate(seed)
		difference := r.compare(input, t)
		if difference == "" {
			counts["equal"]++
			continue
		}
		if reason := explain(&r.recorded, r.Message, difference); reason != "" {
			counts[reason]++
			continue
		}
		if wrong++; wrong <= 40 {
			t.Errorf("seed %d: %s\n %s", seed, r.Expr, difference+" "+r.Message)
		}
	}
	if err := oracle.Wait(); err != nil {
		t.Error(err)
	}
	for reason, n := range counts {
		t.Logf("%7d %s", n, reason)
	}
	if wrong > 0 {
		t.Errorf("%d unexplained differences", wrong)
	}
}

// explain gives the reason of a difference that is meant to be, "" of any other.
func explain(r *recorded, message, difference string) string {
	ours, found := strings.CutPrefix(difference, "got ")
	ours, _, _ = strings.Cut(ours, ", want ")
	code, _, _ := strings.Cut(ours, ": ")
	failed := found && errorCode.MatchString(code)
	want := string(r.Result)
	switch {
	case r.Code == "none" && strings.Contains(message, "Maximum call stack"):
		return "the reference overflows its stack"
	case r.Code == "none" && crashed.MatchString(message):
		return "the reference crashes"
	case code == "U1001":
		return "a limit of ours"
	case failed && r.Code != "" && r.Code != "none" && strings.ContainsAny(r.Expr, "[{"):
		return "two errors: the reference evaluates the parts of a constructor side by side, and tells the one that came first"
	case strings.Contains(r.Expr, "(?"):
		return "a function that was applied in part: the reference calls it without its signature"
	case strings.Contains(r.Expr, `"#,##,##0"`):
		return "an irregular grouping on few digits: the reference's slices wrap around"
	case strings.Contains(r.Expr, "$round(") && fraction.MatchString(r.Expr):
		return "the reference rounds to a place that is no whole number as NaN, and goes on"
	case strings.Contains(want, "NaN"), strings.Contains(want, "N:aN"), strings.Contains(r.Expr, "$fromMillis(") && strings.Contains(want, "undefined"):
		return "the reference shows NaN in a time"
	case notANumber.MatchString(r.Expr):
		return "the reference goes on with NaN where a text is no number or time"
	case strings.Contains(r.Expr, "$format") && strings.Contains(r.Expr, "1e21"):
		return "the reference shows large numbers with an exponent, or without their last digits"
	case strings.Contains(r.Expr, "$power(") && closeTo(ours, want):
		return "the last digit of a power"
	case numberedNames.MatchString(want):
		return "JavaScript puts members whose names are numbers first"
	case strings.Contains(r.Expr, "[") && ours == withoutNulls(r.Result):
		return "a predicate lets an undefined item pass, and the reference keeps it"
	case listOfPlaces.MatchString(r.Expr), strings.Contains(r.Expr, "[") && (ours == "undefined" || r.Code != "" && !failed):
		return "a predicate lets an undefined item pass, and the reference goes on with it"
	case strings.Contains(want, "async function"):
		return "the reference shows the source of a function"
	case strings.Contains(r.Expr, "[") && strings.Contains(want, `[null`):
		return "a predicate lets an undefined item pass, and the reference keeps it"
	case strings.Contains(r.Expr, ".["):
		return "an array that a step constructs is kept one step longer by the reference"
	case strings.Contains(r.Expr, "$ in ") || strings.Contains(r.Expr, ") in "):
		return "in compares objects by their identity in the reference"
	}
	return ""
}

// withoutNulls is a result as it is shown, without the items of arrays that
// were undefined.
func withoutNulls(raw json.RawMessage) string {
	v, err := value.Decode(raw)
	if err != nil {
		return ""
	}
	if v = dropNulls(v); v.IsUndefined() {
		return "undefined"
	}
	return short(v)
}

// closeTo compares two numbers but for their last digit.
func closeTo(ours, want string) bool {
	a, errA := strconv.ParseFloat(ours, 64)
	b, errB := strconv.ParseFloat(want, 64)
	return errA == nil && errB == nil && math.Abs(a-b) <= math.Abs(b)*1e-15
}

func dropNulls(v value.Value) value.Value {
	switch v.Kind() {
	case value.Array:
		var kept []value.Value
		for _, item := range v.Items() {
			if item = dropNulls(item); item.Kind() != value.Null {
				kept = append(kept, item)
			}
		}
		switch len(kept) {
		case 0:
			return value.Value{}
		case 1:
			return kept[0]
		}
		return value.Arr(kept...)
	case value.Object:
		o := value.NewObject(v.Len())
		for i, name := range v.Names() {
			if member := dropNulls(v.At(i)); !member.IsUndefined() {
				o.Set(name, member)
			}
		}
		return o.Value()
	default:
		return v
	}
}

var (
	errorCode = regexp.MustCompile(`^[A-Z][0-9]{4}$`)
	// crashed are messages of JavaScript itself.
	crashed    = regexp.MustCompile(`Cannot (read|create|set|assign|convert)|is not a function|is not iterable|Invalid array length|Invalid string length|not extensible|URI malformed|Invalid time value|Invalid count|on non-object|circular structure`)
	notANumber = regexp.MustCompile(`\$(parseInteger|toMillis)\(`)
	fraction   = regexp.MustCompile(`\d\.\d|\de\d`)
	// listOfPlaces picks items by their places, also undefined ones.
	listOfPlaces = regexp.MustCompile(`\[\[.*\]\]`)
	// numberedNames is an object in a string, with names that are numbers.
	numberedNames = regexp.MustCompile(`^".*\{\\"\d+\\":`)
)
