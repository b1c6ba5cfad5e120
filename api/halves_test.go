package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/steppehq/steppe/value"
)

// The halves of a surrogate pair, as texts of JSON have them and as strings do.
const (
	escaped = `\ud83d`
	bare    = "\xed\xa0\xbd"
)

// texted makes a call whose members are texts.
func texted(t *testing.T, h http.Handler, operation string, members ...string) value.Value {
	t.Helper()
	body := value.NewObject(len(members) / 2)
	for i := 0; i < len(members); i += 2 {
		body.Set(members[i], value.Str(members[i+1]))
	}
	return must(t, h, operation, body.Value().String())
}

// TestHalves sends half of a surrogate pair through every door: it comes out as it
// went in. Where the text itself holds it, not its escape, it comes out as that.
func TestHalves(t *testing.T) {
	h := serve(t)
	activity := texted(t, h, "CreateActivity", "name", "a").Get("activityArn").Str()
	definition := `{"Comment":"` + escaped + `","StartAt":"Work","States":{"Work":{"Type":"Task","Resource":"` + activity +
		`","ResultPath":"$.` + `result","Next":"` + escaped + `"},"` + escaped + `":{"Type":"Pass","Result":"\ude00","ResultPath":"$.l","End":true}}}`
	machine := texted(t, h, "CreateStateMachine", "name", "m", "roleArn", role, "definition", definition).Get("stateMachineArn").Str()
	if got := texted(t, h, "DescribeStateMachine", "stateMachineArn", machine).Get("definition").Str(); got != definition {
		t.Errorf("the definition is %s", got)
	}
	for i, text := range []string{escaped, `\uD83D`, bare} {
		input := `{"h" : "` + text + `"}`
		want := strings.ReplaceAll(input, bare, escaped)
		arn := texted(t, h, "StartExecution", "stateMachineArn", machine, "input", input).Get("executionArn").Str()
		task := texted(t, h, "GetActivityTask", "activityArn", activity)
		if got := task.Get("input").Str(); got != want {
			t.Errorf("%d: the worker is given %s", i, got)
		}
		texted(t, h, "SendTaskSuccess", "taskToken", task.Get("taskToken").Str(), "output", `["`+text+`"]`)
		described := texted(t, h, "DescribeExecution", "executionArn", arn)
		if got := described.Get("input").Str(); got != want {
			t.Errorf("%d: the input is %s", i, got)
		}
		if got := described.Get("output").Str(); got != `{"h":"`+escaped+`","result":["`+escaped+`"],"l":"\ude00"}` {
			t.Errorf("%d: the output is %s", i, got)
		}
		history := must(t, h, "GetExecutionHistory", `{"executionArn":"`+arn+`"}`).String()
		if !strings.Contains(history, strconv.Quote(want)) || !strings.Contains(history, `"name":"`+escaped+`"`) || strings.Contains(history, "\uFFFD") {
			t.Errorf("%d: the history is %s", i, history)
		}
	}
	failing := texted(t, h, "StartExecution", "stateMachineArn", machine).Get("executionArn").Str()
	token := texted(t, h, "GetActivityTask", "activityArn", activity).Get("taskToken").Str()
	texted(t, h, "SendTaskFailure", "taskToken", token, "error", "E"+bare, "cause", bare+"why")
	if got := texted(t, h, "DescribeExecution", "executionArn", failing); got.Get("error").Str() != "E"+bare || got.Get("cause").Str() != bare+"why" {
		t.Errorf("the failure is %s", got)
	}
}

func TestHalvesInTests(t *testing.T) {
	h := serve(t)
	tests := []struct{ members, want string }{
		{`{"definition":"{\"Type\":\"Pass\",\"End\":true}","input":"\"\ud83d\""}`, `{"output":"\"\\ud83d\"","status":"SUCCEEDED"}`},
		{`{"definition":"{\"Type\":\"Pass\",\"Result\":\"\ud83d\",\"End\":true}"}`, `{"output":"\"\\ud83d\"","status":"SUCCEEDED"}`},
		{`{"definition":"{\"Type\":\"Pass\",\"QueryLanguage\":\"JSONata\",\"Output\":\"{% $v & '\\\\ude00' %}\",\"End\":true}","variables":"{\"v\":\"\\ud83d\"}"}`, `{"output":"\"😀\"","status":"SUCCEEDED"}`},
		{`{"definition":"{\"Type\":\"Task\",\"Resource\":\"arn:aws:states:::lambda:invoke\",\"Parameters\":{\"FunctionName\":\"f\"},\"End\":true}","mock":{"result":"{\"Payload\":\"\ud83d\"}"}}`, `{"output":"{\"Payload\":\"\\ud83d\"}","status":"SUCCEEDED"}`},
		{`{"definition":"{\"Type\":\"Task\",\"Resource\":\"arn:aws:states:::lambda:invoke\",\"Parameters\":{\"FunctionName\":\"f\"},\"End\":true}","mock":{"errorOutput":{"error":"\ud83d","cause":"\ud83d"}}}`, `{"error":"\ud83d","cause":"\ud83d","status":"FAILED"}`},
	}
	for _, tt := range tests {
		if got := must(t, h, "TestState", tt.members).String(); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.members, got, tt.want)
		}
	}
	diagnosed := must(t, h, "ValidateStateMachineDefinition", `{"definition":"{\"StartAt\":\"\ud83d\",\"States\":{\"\ud83d\":{\"Type\":\"Succeed\"}}}"}`)
	if got := diagnosed.Get("result").Str(); got != "OK" {
		t.Error(diagnosed)
	}
	// A name of the API must not have them (API reference, "name").
	status, refused := post(t, h, "CreateActivity", `{"name":"a\ud83d"}`)
	if status == http.StatusOK || refused.Get("__type").Str() != "InvalidName" {
		t.Errorf("a name with half of a pair: %v", refused)
	}
}

func TestTagCharacters(t *testing.T) {
	h := serve(t)
	arn := machine(t, h, "m", "STANDARD")
	for _, tt := range []struct {
		tag     string
		refused bool
	}{
		{`{"key":"größe 1","value":"日本 +-=._:/@"}`, false},
		{`{"key":"","value":"x"}`, true},
		{`{"key":"a","value":""}`, false},
		{`{"key":"a!b","value":"x"}`, true},
		{`{"key":"a","value":"x;y"}`, true},
		{`{"key":"a<","value":"x"}`, true},
		{`{"key":"a","value":"#"}`, true},
		{`{"key":"a","value":"\u0000"}`, true},
		{`{"key":"a","value":"\ud83d"}`, true},
		{`{"key":"a","value":"😀"}`, true},
		{`{"key":"aws:x","value":"x"}`, true},
	} {
		for operation, body := range map[string]string{
			"TagResource":        `{"resourceArn":"` + arn + `","tags":[` + tt.tag + `]}`,
			"CreateActivity":     `{"name":"a","tags":[` + tt.tag + `]}`,
			"CreateStateMachine": `{"name":"n","roleArn":"` + role + `","definition":"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Succeed\"}}}","tags":[` + tt.tag + `]}`,
		} {
			status, answer := post(t, h, operation, body)
			if (status != http.StatusOK) != tt.refused || tt.refused && answer.Get("__type").Str() != "ValidationException" {
				t.Errorf("%s with the tag %s: %v", operation, tt.tag, answer)
			}
		}
	}
}
