package asl_test

import (
	"fmt"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// A definition becomes a tree. Transitions are pointers, and each state has its
// own type.
func Example() {
	m, diagnostics := asl.Parse([]byte(`{
		"StartAt": "Charge",
		"States": {
			"Charge": {
				"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
				"Parameters": {"FunctionName": "charge", "Payload": {"token.$": "$$.Task.Token"}},
				"TimeoutSeconds": 60, "Next": "Done"
			},
			"Done": {"Type": "Succeed"}
		}
	}`))
	if m == nil {
		fmt.Println(asl.InvalidDefinition(diagnostics))
		return
	}
	for st := m.States.Start; st != nil; st = st.Base().To {
		fmt.Println(st.Base().Type, st.Base().Name)
		if task, ok := st.(*asl.Task); ok {
			resource, _ := asl.ParseResource(task.Resource)
			fmt.Println(resource.Service, resource.Action, resource.Pattern == asl.WaitForTaskToken, task.Timeout.Literal)
		}
	}
	// Output:
	// Task Charge
	// lambda invoke true 60
	// Succeed Done
}

// All errors of a definition are reported at once, in AWS's words, and can be
// found in its text.
func ExampleParse() {
	definition := []byte(`{"StartAt": "A", "States": {
  "A": {"Type": "Wait", "Seconds": -1, "Next": "C"},
  "B": {"Type": "Succeed"}
}}`)
	_, diagnostics := asl.Parse(definition)
	for _, d := range diagnostics {
		at := d.Locate(definition)
		fmt.Printf("%d:%d %s\n", at.Line, at.Column, d)
	}
	// Output:
	// 2:25 SCHEMA_VALIDATION_FAILED: Minimum value is 0 at /States/A/Seconds
	// 2:40 MISSING_TRANSITION_TARGET: Missing 'Next' target: C at /States/A/Next
	// 3:3 MISSING_TRANSITION_TARGET: State "B" is not reachable. at /States/B
}

// The rules of a Choice state can be evaluated by themselves.
func ExampleChoice() {
	m, diagnostics := asl.Parse([]byte(`{"StartAt": "Size", "States": {
		"Size": {"Type": "Choice", "Default": "Small", "Choices": [
			{"And": [{"Variable": "$.n", "IsPresent": true}, {"Variable": "$.n", "NumericGreaterThan": 100}], "Next": "Large"}
		]},
		"Small": {"Type": "Succeed"},
		"Large": {"Type": "Succeed"}
	}}`))
	if m == nil {
		fmt.Println(asl.InvalidDefinition(diagnostics))
		return
	}
	choice := m.States.State("Size").(*asl.Choice)
	for _, text := range []string{`{"n":500}`, `{"n":5}`, `{}`} {
		input, _ := value.DecodeString(text)
		holds, err := choice.Choices[0].Rule.Holds(&query.Scope{Input: input})
		fmt.Println(text, holds, err)
	}
	// Output:
	// {"n":500} true <nil>
	// {"n":5} false <nil>
	// {} false <nil>
}
