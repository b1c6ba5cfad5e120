package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/value"
)

// What the machines below say of time and concurrency.
const (
	standardWait        = 30 * time.Second
	standardLimit       = 200_000 * time.Second
	standardConcurrency = 1
	longestRetry        = 3 * time.Second
	expressWait         = 2 * time.Second
	expressLimit        = 5 * time.Minute // AWS's
)

// standard has every kind of waiting: a task that is retried, branches and
// iterations with tasks, a Wait, a branch that fails until the execution is
// redriven, the task of an activity, a task token, a failure that is caught, jobs
// that are abandoned by a branch beside them and by a timeout, and a child. What it
// returns tells its edition.
const standard = `{
  "StartAt": "First", "TimeoutSeconds": 200000,
  "States": {
    "First": {
      "Type": "Task", "Resource": "arn:aws:states:::fake:work", "ResultPath": "$.first",
      "Parameters": {"n.$": "$.n", "failures": 1, "attempt.$": "$$.State.RetryCount"},
      "Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 3, "JitterStrategy": "FULL"}],
      "Next": "Both"
    },
    "Both": {
      "Type": "Parallel", "ResultPath": "$.both", "Next": "Each",
      "Branches": [
        {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::fake:work", "Parameters": {"n.$": "$.n"}, "End": true}}},
        {"StartAt": "B", "States": {"B": {"Type": "Wait", "Seconds": 30, "Next": "B2"}, "B2": {"Type": "Pass", "Result": "waited", "End": true}}},
        {"StartAt": "C", "States": {"C": {"Type": "Task", "Resource": "arn:aws:states:::fake:work", "Parameters": {"n.$": "$.n", "refusals.$": "$.refusals", "redrives.$": "$$.Execution.RedriveCount"}, "End": true}}},
        {"StartAt": "D", "States": {"D": {"Type": "Task", "Resource": "arn:aws:states:::fake:run.sync", "Parameters": {"n.$": "$.n", "refusals.$": "$.refusals", "redrives.$": "$$.Execution.RedriveCount"}, "End": true}}}
      ]
    },
    "Each": {
      "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 1, "ResultPath": "$.each", "Next": "Work",
      "ItemSelector": {"n.$": "$$.Map.Item.Value", "failures": 1, "attempt": 0},
      "ItemProcessor": {"StartAt": "Item", "States": {
        "Item": {"Type": "Task", "Resource": "arn:aws:states:::fake:work", "Catch": [{"ErrorEquals": ["Flaky"], "Next": "Caught"}], "End": true},
        "Caught": {"Type": "Pass", "Parameters": {"caught.$": "$.Error"}, "End": true}
      }}
    },
    "Work": {
      "Type": "Task", "Resource": "ACTIVITY", "ResultPath": "$.work", "HeartbeatSeconds": 100, "TimeoutSeconds": 1000,
      "Parameters": {"n.$": "$.n"}, "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 99, "BackoffRate": 1}], "Next": "Ask"
    },
    "Ask": {
      "Type": "Task", "Resource": "arn:aws:states:::fake:ask.waitForTaskToken", "ResultPath": "$.answer",
      "Parameters": {"token.$": "$$.Task.Token", "n.$": "$.n"}, "Next": "Job"
    },
    "Job": {
      "Type": "Task", "Resource": "arn:aws:states:::fake:run.sync", "ResultPath": null, "TimeoutSeconds": 1000,
      "Parameters": {"n.$": "$.n", "endless": 1, "attempt.$": "$$.State.RetryCount"},
      "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 99, "BackoffRate": 1}], "Next": "Child"
    },
    "Child": {
      "Type": "Task", "Resource": "arn:aws:states:::fake:start.sync", "ResultPath": null, "Parameters": {"n.$": "$.n"},
      "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 99, "BackoffRate": 1}], "Next": "Sum"
    },
    "Sum": {"Type": "Pass", "Parameters": {"edition": EDITION, "first.$": "$.first.twice", "both.$": "$.both", "each.$": "$.each", "work.$": "$.work", "answer.$": "$.answer"}, "End": true}
  }
}`

// express is what an Express machine does.
const express = `{"StartAt": "A", "States": {
  "A": {"Type": "Task", "Resource": "arn:aws:states:::fake:work", "Parameters": {"n.$": "$.n"}, "Next": "B"},
  "B": {"Type": "Wait", "Seconds": 2, "Next": "C"},
  "C": {"Type": "Task", "Resource": "arn:aws:states:::fake:work", "Parameters": {"n.$": "$.twice"}, "End": true}}}`

// quick is an Express machine that ends in its first step.
const quick = `{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 2, "Next": "F"}], "Default": "S"},
  "F": {"Type": "Fail", "Error": "Large"}, "S": {"Type": "Succeed"}}}`

var activityARN = tenant.ARN("activity", "a")

// editions are the definitions that a machine may have.
var editions = func() (all [3]string) {
	for i := range all {
		var compact bytes.Buffer // it is read often
		_ = json.Compact(&compact, []byte(strings.NewReplacer("ACTIVITY", activityARN, "EDITION", fmt.Sprint(i)).Replace(standard)))
		all[i] = compact.String()
	}
	return all
}()

// parsed gives a definition parsed; what is parsed never changes.
func parsed(definition string) *asl.StateMachine {
	if known, ok := parsedOnce.Load(definition); ok {
		return known.(*asl.StateMachine)
	}
	m, diagnostics := asl.Parse([]byte(definition))
	if m == nil {
		panic(fmt.Sprint(diagnostics))
	}
	parsedOnce.Store(definition, m)
	return m
}

var parsedOnce sync.Map

// input is that of an execution; odd ones are refused by a branch until they
// are redriven.
func input(n int) *value.Doc {
	return value.NewDoc(fmt.Appendf(nil, `{"n":%d,"items":[1,2],"refusals":%d}`, n, n%2))
}

// expected is the output of an execution with input n, in the order of names
// that payload templates have.
func expected(n, edition int) string {
	return fmt.Sprintf(`{"edition":%d,"answer":{"to":%d},"work":{"did":%d},"first":%d,"each":[{"caught":"Flaky"},{"caught":"Flaky"}],"both":[{"twice":%d},"waited",{"twice":%d},{"ran":%d}]}`,
		edition, n, n, 2*n, 2*n, 2*n, n)
}

// fake is a service whose results depend on nothing but the task.
type fake struct {
	s *simulation
	n *node
}

func (fake) Supports(asl.Resource) error { return nil }

func (f fake) Perform(_ context.Context, task integration.Task) (*value.Doc, error) {
	f.s.performed(f.n, &task)
	in := task.Input.Value()
	switch task.Resource.Action {
	case "run":
		return f.run(&task)
	case "start":
		return f.start(&task)
	}
	if strings.HasPrefix(task.Resource.Name, "ask") {
		f.s.tokens = append(f.s.tokens, token{text: in.Get("token").Str(), arn: task.ExecutionARN, event: task.Event, member: "to", n: in.Get("n")})
		return value.NewDoc([]byte(`{}`)), nil
	}
	number := func(name string) int64 {
		n, _ := in.Get(name).Int64()
		return n
	}
	if number("attempt") < number("failures") {
		return nil, integration.Failed("Flaky", "once more")
	}
	if number("redrives") < number("refusals") {
		return nil, integration.Failed("Refused", "not before a redrive")
	}
	return value.NewDoc(fmt.Appendf(nil, `{"twice":%d}`, 2*number("n"))), nil
}

// token is a task that waits for somebody's answer.
type token struct {
	text   string
	arn    string // of the execution
	event  int64  // that scheduled the task
	member string // of the answer
	n      value.Value
}
