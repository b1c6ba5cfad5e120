package api_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/steppehq/steppe/value"
)

// try calls TestState. Members that the API takes as JSON text are given as
// JSON here.
func try(t *testing.T, members string) (int, value.Value) {
	t.Helper()
	body := quoted(t, []byte(members), "definition", "input", "variables", "context", "result")
	return post(t, serve(t), "TestState", string(body))
}

// quoted makes texts of the named members of an object, and of the objects in
// it.
func quoted(t *testing.T, object json.RawMessage, names ...string) json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	for name, member := range members {
		if slices.Contains(names, name) {
			members[name], _ = json.Marshal(string(member))
		} else if member[0] == '{' {
			members[name] = quoted(t, member, names...)
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestMockedResult holds mocks against the models of the APIs.
func TestMockedResult(t *testing.T) {
	const prefix = "Mock result schema validation error: "
	tests := []struct{ resource, mock, want string }{
		{"arn:aws:states:::sqs:sendMessage", `{"result":{"MessageId":1}}`, prefix + "Field 'MessageId' must be a string"},
		{"arn:aws:states:::sqs:sendMessage", `{"result":{"MessageId":1},"fieldValidationMode":"NONE"}`, ""},
		{"arn:aws:states:::sqs:sendMessage", `{"result":[1]}`, "Mocked result must be a JSON object."},
		{"arn:aws:states:::sqs:sendMessage", `{"result":[1],"fieldValidationMode":"NONE"}`, ""},
		{"arn:aws:states:::sqs:sendMessage.waitForTaskToken", `{"result":[1]}`, ""},
		{"arn:aws:states:::states:startExecution", `{"result":{}}`, prefix + "Required field 'ExecutionArn' is missing"},
		{"arn:aws:states:::states:startExecution", `{"result":{},"fieldValidationMode":"PRESENT"}`, ""},
		{"arn:aws:states:::states:startExecution.sync", `{"result":{"ExecutionArn":"e"}}`, prefix + "Required field 'StateMachineArn' is missing"},
		{"arn:aws:states:::http:invoke", `{"result":{"StatusCode":"x"}}`, ""},
		{"arn:aws:states:us-east-1:123456789012:activity:a", `{"result":"x"}`, ""},
		{"arn:aws:lambda:us-east-1:123456789012:function:f", `{"result":"x"}`, ""},
	}
	for _, tt := range tests {
		status, answer := try(t, `{"definition":{"Type":"Task","Resource":"`+tt.resource+`","End":true},"mock":`+tt.mock+`}`)
		if got := answer.Get("message").Str(); got != tt.want || (status == 200) != (tt.want == "") {
			t.Errorf("%s %s: got %d %v, want %q", tt.resource, tt.mock, status, answer, tt.want)
		}
		if tt.want != "" && !strings.HasSuffix(answer.Get("__type").Str(), "ValidationException") {
			t.Errorf("%s %s: %v", tt.resource, tt.mock, answer)
		}
	}
}
