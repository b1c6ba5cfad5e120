package mock_test

import (
	"strings"
	"testing"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/mock"
	"github.com/steppehq/steppe/value"
)

// TestCase: attempts return the steps of their state in order, the last one for all that follow; the same
// attempt returns the same again; a job and a task that waits for its token are submitted first.
func TestCase(t *testing.T) {
	c := mock.New(map[string][]mock.Step{"A": {{Result: value.Int(1)}, {Error: "Bad", Cause: "no"}, {Result: value.Int(3)}}})
	task := func(state, resource, key string) integration.Task {
		r, ok := asl.ParseResource(resource)
		if !ok {
			t.Fatal(resource)
		}
		return integration.Task{StateName: state, Resource: r, Idempotency: key, Input: value.NewDoc([]byte("{}"))}
	}
	for _, tt := range []struct{ key, want string }{{"a", "1"}, {"a", "1"}, {"b", "Bad: no"}, {"c", "3"}, {"d", "3"}, {"b", "Bad: no"}} {
		out, err := c.Perform(t.Context(), task("A", "arn:aws:states:::sqs:sendMessage", tt.key))
		got := text(err)
		if err == nil {
			got = out.String()
		}
		if got != tt.want {
			t.Errorf("the attempt %s returned %s, want %s", tt.key, got, tt.want)
		}
	}
	for _, resource := range []string{"arn:aws:states:::glue:startJobRun.sync", "arn:aws:states:::sqs:sendMessage.waitForTaskToken"} {
		waits := task("A", resource, "e"+resource)
		out, err := c.Perform(t.Context(), waits)
		if err != nil || out.String() != "{}" {
			t.Errorf("%s was submitted as %v, %v", resource, out, err)
		}
		if progress, err := c.Poll(t.Context(), waits, out); err != nil || !progress.Done || progress.Output.String() != "3" {
			t.Errorf("%s: %+v, %v", resource, progress, err)
		}
	}
	if _, err := c.Perform(t.Context(), task("B", "arn:aws:states:::sqs:sendMessage", "f")); !integration.IsFailure(err) || c.States("B") {
		t.Error(err)
	}
	if missing := c.Missing(); len(missing) != 1 || !strings.Contains(missing[0], "the state B has no mock") {
		t.Error(missing)
	}
}

// TestReadConfig: a file says what is wrong with it, and where.
func TestReadConfig(t *testing.T) {
	head := `{"StateMachines":{"m":{"TestCases":{"C":{"A":"R"}}}},`
	for _, tt := range []struct{ text, want string }{
		{head + `"MockedResponses":{"R":{"0":{"Return":1},"1-2":{"Throw":{"Error":"E","Cause":"c"}}}}}`, ""},
		{head + `"MockedResponses":{}}`, `case m#C: there is no mocked response "R"`},
		{head + `"MockedResponses":{"R":{"x":{"Return":1}}}}`, `case m#C: mocked response "R": "x" is no number of an attempt`},
		{`{"StateMachines":[]}`, "line 1: StateMachines: an object is wanted, not array"},
	} {
		config, err := mock.ReadConfig([]byte(tt.text))
		if got := text(err); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.text, got, tt.want)
		}
		if steps := config["m"]["C"]["A"]; err == nil && (len(steps) != 3 || steps[2].Error != "E" || steps[0].Error != "") {
			t.Errorf("%+v", steps)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
