package asl_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/asl"
)

// TestLint holds each kind of slip, and what is near one and right, against what is
// said.
func TestLint(t *testing.T) {
	onata := func(states string) string {
		return `{"QueryLanguage":"JSONata","StartAt":"A","States":{` + states + `}}`
	}
	pass := func(output string) string { return onata(`"A":{"Type":"Pass","End":true,"Output":` + output + `}`) }
	tests := []struct{ definition, want string }{
		{pass(`"{% $foo(1) %}"`), "UNKNOWN_FUNCTION /States/A/Output"},
		{pass(`"{% $eval('1') %}"`), "UNKNOWN_FUNCTION /States/A/Output"},
		{pass(`"{% $suum([1]) %}"`), "UNKNOWN_FUNCTION /States/A/Output did you mean $sum?"},
		{pass(`"{% $uuid() & $sum([1]) & $map([1], function($v){$v}) & $count($states.input) %}"`), ""},
		{pass(`"{% ($f := function($x){$x}; $f(1)) %}"`), ""},
		{pass(`"{% $y %}"`), "UNKNOWN_VARIABLE /States/A/Output"},
		{pass(`{"a":["{% $states.inputt %}"]}`), "UNKNOWN_VARIABLE /States/A/Output/a[0] did you mean $states.input?"},
		{pass(`"{% $states.context.Execution.Id & $states.result %}"`), ""},
		{pass(`{"a":"$states.input"}`), `NO_EXPRESSION /States/A/Output/a write "{% $states.input %}"`},
		{pass(`{"a":"$.x"}`), `NO_EXPRESSION /States/A/Output/a write "{% $.x %}"`},
		{pass(`{"a":"$5 off"}`), ""},
		{onata(`"A":{"Type":"Pass","Assign":{"total":1},"Next":"B"},"B":{"Type":"Pass","Output":"{% $totl + $total %}","End":true}`), "UNKNOWN_VARIABLE /States/B/Output did you mean $total?"},
		{onata(`"A":{"Type":"Choice","Choices":[{"Condition":"{% $x = 1 %}","Next":"B","Assign":{"x":1}}],"Default":"B"},"B":{"Type":"Succeed"}`), ""},
		{`{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a.$":"$nope"},"End":true}}}`, "UNKNOWN_VARIABLE /States/A"},
		{`{"StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"y":1},"Next":"B"},"B":{"Type":"Pass","Parameters":{"a.$":"$y"},"End":true}}}`, ""},
		{`{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a":"{% $x %}"},"End":true}}}`, `NO_EXPRESSION /States/A/Parameters/a give the state "QueryLanguage": "JSONata"`},
		{invoke(`"Retry":[{"ErrorEquals":["States.Timout","Mine","States.Http.StatusCode.404","States.TaskFailed"]}],"Parameters":{"FunctionName":"f"}`), "UNKNOWN_ERROR_NAME /States/A/Retry[0]/ErrorEquals[0] did you mean States.Timeout?"},
		{invoke(`"Catch":[{"ErrorEquals":["state.timeout"],"Next":"B"}],"Parameters":{"FunctionName":"f"}`), "UNKNOWN_ERROR_NAME /States/A/Catch[0]/ErrorEquals[0] did you mean States.Timeout?"},
		{invoke(`"Parameters":{"FunctionNam":"f","Payload.$":"$","payload":{}}`), "UNKNOWN_PARAMETER /States/A/Parameters/FunctionNam did you mean FunctionName?\nUNKNOWN_PARAMETER /States/A/Parameters/payload did you mean Payload?"},
		{`{"StartAt":"A","StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Fail"},"B":{"Type":"Succeed"}}}`, "DUPLICATE_MEMBER /StartAt take one of them out, or give it another name\nDUPLICATE_MEMBER /States/B take one of them out, or give it another name"},
		{`{"StartAt":"A","States":{"A":{"Type":"Task","Resorce":"x","End":true}}}`, "SCHEMA_VALIDATION_FAILED /States/A\nSCHEMA_VALIDATION_FAILED /States/A did you mean Resource?"},
		{`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"Charge2"},"Charge":{"Type":"Succeed"}}}`, "MISSING_TRANSITION_TARGET /States/A/Next did you mean Charge?\nMISSING_TRANSITION_TARGET /States/Charge"},
		{`{"StartAt":"A","States":{"A":{"Type":"Pass"}}}`, `SCHEMA_VALIDATION_FAILED /States/A say what follows: "Next": "STATE", or "End": true`},
		// What is an error is told beside what is none.
		{`{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a":"$.x"},"Next":"Z"}}}`, "NO_DOLLAR /States/A/Parameters/a\nMISSING_TRANSITION_TARGET /States/A/Next"},
		{onata(`"A":{"Type":"Pass","Output":"{% $foo(1) %}","Next":"Z"}`), "MISSING_TRANSITION_TARGET /States/A/Next\nUNKNOWN_FUNCTION /States/A/Output"},
	}
	for _, tt := range tests {
		var got []string
		for _, d := range asl.Validate([]byte(tt.definition), asl.ValidateOptions{Warnings: true, Lint: true}).Diagnostics {
			if d.Code != asl.MissingEndState {
				got = append(got, strings.TrimSpace(string(d.Code)+" "+d.Location+" "+d.Help))
			}
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" {
			t.Errorf("%s:\n%s", tt.definition, diff)
		}
		if r := asl.Validate([]byte(tt.definition), asl.ValidateOptions{Warnings: true}); slices.ContainsFunc(r.Diagnostics, func(d asl.Diagnostic) bool { return strings.HasPrefix(string(d.Code), "UNKNOWN") }) {
			t.Errorf("%s: told without Lint: %v", tt.definition, r.Diagnostics)
		}
	}
}

func invoke(fields string) string {
	return `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Next":"B",` + fields + `},"B":{"Type":"Succeed"}}}`
}

// TestNearest: what is meant is found by few letters, and nothing by many.
func TestNearest(t *testing.T) {
	names := []string{"Payload", "FunctionName", "Qualifier"}
	for name, want := range map[string]string{"payload": "Payload", "Paylaod": "Payload", "FunctionNam": "FunctionName", "Qualifer": "Qualifier", "TaskToken": "", "": "", "Load": ""} {
		if got := asl.Nearest(name, names); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
