package api

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// TestParseSearch reads texts of searches.
func TestParseSearch(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	compare := func(path, op string, v value.Value) stored.Comparison {
		f, err := stored.ParseField(path)
		if err != nil {
			t.Fatal(err)
		}
		return stored.Comparison{Field: f, Op: op, Value: v}
	}
	tests := []struct {
		text string
		want stored.Search
	}{
		{"", stored.Search{}},
		{"  status:failed,timed-out error:States.Timeout since:2h ", stored.Search{
			Statuses: []store.Status{store.Failed, store.TimedOut}, Error: "States.Timeout", From: now.Add(-2 * time.Hour),
		}},
		{"status:running,failed status:failed,aborted", stored.Search{Statuses: []store.Status{store.Failed}}},
		{"status:running status:failed", stored.Search{Statuses: []store.Status{0}}},
		{"machine:a,arn:aws:states:us-east-1:1:stateMachine:b name:order-*", stored.Search{Machines: []string{"a", "b"}, Name: "order-", Prefix: true}},
		{`name:"with blank" state:"Charge it"`, stored.Search{Name: "with blank", State: "Charge it"}},
		{"until:2026-02-01 since:1d", stored.Search{From: now.Add(-24 * time.Hour), To: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}},
		{"duration>5m duration <= 1h", stored.Search{Shortest: 5*time.Minute + 1, Longest: time.Hour}},
		{`input.orderId = "A-17" output.total>=100.5 input['a b'].c:x`, stored.Search{Values: []stored.Comparison{
			compare("input.orderId", "=", value.Str("A-17")), compare("output.total", ">=", value.Float(100.5)), compare("input['a b'].c", "=", value.Str("x")),
		}}},
		{`input.text != "a \"quoted\" = text" input=null`, stored.Search{Values: []stored.Comparison{
			compare("input.text", "!=", value.Str(`a "quoted" = text`)), compare("input", "=", value.Value{}),
		}}},
	}
	equal := cmp.Comparer(func(a, b stored.Comparison) bool {
		return a.Field.String() == b.Field.String() && a.Op == b.Op && (a.Value.String() == b.Value.String() || b.Value.IsUndefined() && a.Value.Kind() == value.Null || a.Value.IsUndefined() && b.Value.Kind() == value.Null)
	})
	for _, tt := range tests {
		got, err := ParseSearch(tt.text, now)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, equal); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

// TestParseSearchFails tells what is wrong with a text, and where.
func TestParseSearchFails(t *testing.T) {
	for text, want := range map[string]string{
		"orders":            "'orders' is no condition: write name:orders",
		"status:done":       "status 'DONE': it is one of running",
		"name>x":            "'name>x': name can only be compared with ':'",
		"since:yesterday":   "'yesterday' is neither a time",
		"duration>long":     "duration 'long': it is given as in",
		"duration:5m":       "it is compared with <, <=, > or >=",
		"colour:red":        "'colour': what can be searched for is machine",
		"name:":             "'name:': what it is compared with is missing",
		`input.a = "x`:      "the quote is not closed",
		"input..[?( = 1":    "input..[?(",
		"inputs.a = 1":      "'inputs.a': what can be searched for is",
		`state:"\q"`:        `"\q"`,
		"=5":                "is no condition",
		"status:failed bad": "'bad' is no condition",
	} {
		if _, err := ParseSearch(text, time.Time{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
