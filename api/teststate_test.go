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

// answered gives the parts of an answer to TestState that a test is about: text
// that holds JSON is shown as that.
func answered(answer value.Value) string {
	shown := value.NewObject(answer.Len())
	for i, name := range answer.Names() {
		member := answer.At(i)
		if name == "inspectionData" {
			member = inspected(member)
		}
		if v, err := value.DecodeString(member.Str()); err == nil && name == "output" {
			member = v
		}
		shown.Set(name, member)
	}
	return shown.Value().String()
}

func inspected(data value.Value) value.Value {
	shown := value.NewObject(data.Len())
	for i, name := range data.Names() {
		member := data.At(i)
		if v, err := value.DecodeString(member.Str()); err == nil && member.Kind() == value.String {
			member = v
		}
		if !slices.Contains([]string{"input", "afterInputPath", "maxConcurrency", "afterResultSelector", "afterResultPath"}, name) {
			shown.Set(name, member)
		}
	}
	return shown.Value()
}

// reading is a Distributed Map with an ItemReader and more fields.
func reading(config, fields string) string {
	return `{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}},
	  "ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key":"k"},"ReaderConfig":` + config + `}` + fields + `}`
}

// TestTrialErrors: what keeps a state from going on is told in the words that an
// execution has.
func TestTrialErrors(t *testing.T) {
	for _, tt := range []struct{ definition, mock, cause string }{
		{`{"Type":"Choice","Choices":[{"Variable":"$.n","NumericEquals":1,"Next":"B"}]}`, "", "Failed to transition out of the state. The state does not point to a next state."},
		{`{"Type":"Choice","QueryLanguage":"JSONata","Choices":[{"Condition":"{% $states.input.n = 1 %}","Next":"B"}]}`, "", "Failed to transition out of the state. The state does not point to a next state."},
		{`{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f","payload":1},"End":true}`, `,"mock":{"result":{"Payload":"{}"}}`, `could not be used to start the Task: [The field "payload" is not supported by Step Functions]`},
	} {
		_, answer := try(t, `{"definition":`+tt.definition+`,"input":{"n":2},"roleArn":"arn:aws:iam::123456789012:role/r"`+tt.mock+`}`)
		if answer.Get("status").Str() != "FAILED" || answer.Get("error").Str() != "States.Runtime" || !strings.HasSuffix(answer.Get("cause").Str(), tt.cause) {
			t.Errorf("%s: %v", tt.definition, answer)
		}
	}
}

// TestMapData shows what becomes of the items that an ItemReader would read.
func TestMapData(t *testing.T) {
	const batch = `,"ItemBatcher":{"MaxItemsPerBatch":2,"BatchInput":{"run.$":"$.run"}}`
	tests := []struct{ config, fields, data, want string }{
		{`{"InputType":"JSON"}`, batch, `[1,2,3]`, `{"afterItemBatcher":[{"BatchInput":{"run":7},"Items":[1,2]},{"BatchInput":{"run":7},"Items":[3]}]}`},
		{
			`{"InputType":"JSON","MaxItems":2}`, `,"ItemSelector":{"v.$":"$$.Map.Item.Value","i.$":"$$.Map.Item.Index","r.$":"$.run"}`, `["a","b","c"]`,
			`{"afterItemSelector":[{"r":7,"v":"a","i":0},{"r":7,"v":"b","i":1}]}`,
		},
		{`{"InputType":"JSON","ItemsPointer":"/a~1b/1"}`, "", `{"a/b":[0,[5]]}`, `{"afterItemsPointer":[5]}`},
		{`{"InputType":"JSON","ItemsPointer":"/no"}`, "", `{}`, "States.ItemReaderFailed: Attempting to map over non-iterable node."},
		{`{"InputType":"JSON"}`, "", `{"Hello":"world"}`, "States.ItemReaderFailed: Attempting to map over non-iterable node."},
		{`{"InputType":"JSONL"}`, batch, "{\"a\":1}\n\n{\"a\":2}\n", `{"afterItemBatcher":[{"BatchInput":{"run":7},"Items":[{"a":1},{"a":2}]}]}`},
		{`{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}`, batch, "A,B\n1,2\n3\n", `{"afterItemBatcher":[{"BatchInput":{"run":7},"Items":[{"A":"1","B":"2"},{"A":"3","B":""}]}]}`},
		{`{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["H"],"CSVDelimiter":"PIPE"}`, batch, "1|2\n   \n", `{"afterItemBatcher":[{"BatchInput":{"run":7},"Items":[{"H":"1"},{"H":"   "}]}]}`},
		{`{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["H","H"]}`, "", "1,2\n", "States.ItemReaderFailed: CSV headers cannot contain duplicates."},
		{
			`{"InputType":"JSON"}`, `,"ItemBatcher":{"MaxInputBytesPerBatch":20}`, `["aaaa","bbbb","cccccccccccccccccccccccc","d"]`,
			`{"afterItemBatcher":[{"Items":["aaaa"]},{"Items":["bbbb"]},{"Items":["cccccccccccccccccccccccc"]},{"Items":["d"]}]}`,
		},
		{`{"InputType":"JSON"}`, `,"ToleratedFailurePercentage":50`, `[1,2]`, `{"toleratedFailurePercentage":50.0}`},
	}
	for _, tt := range tests {
		data, err := json.Marshal(tt.data)
		if err != nil {
			t.Fatal(err)
		}
		status, answer := try(t, `{"definition":`+reading(tt.config, tt.fields)+`,"input":{"run":7},"inspectionLevel":"DEBUG","mock":{"result":[]},"stateConfiguration":{"mapItemReaderData":`+string(data)+`}}`)
		got := inspected(answer.Get("inspectionData")).String()
		if failed := answer.Get("error").Str(); failed != "" {
			got = failed + ": " + answer.Get("cause").Str()
		}
		if status != 200 || got != tt.want {
			t.Errorf("%s %s: status %d\n got %s\nwant %s", tt.config, tt.fields, status, got, tt.want)
		}
	}
}

// TestTestState has what the recorded conversations do not.
func TestTestState(t *testing.T) {
	const task = `{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f","Next":"N",
	  "Retry":[{"ErrorEquals":["A"],"MaxAttempts":0},{"ErrorEquals":["B"],"IntervalSeconds":3,"BackoffRate":2}],
	  "Catch":[{"ErrorEquals":["C"],"Next":"X"},{"ErrorEquals":["States.ALL"],"Next":"Y","ResultPath":"$.e"}]}`
	const nested = `{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Task","End":true,
	  "Resource":"arn:aws:lambda:us-east-1:123456789012:function:f","Parameters":{"i.$":"$$.Map.Item.Index","v.$":"$$.Map.Item.Value"}}}}}}}`
	tests := []struct{ name, members, want string }{
		{
			"no attempt is left, so it is caught",
			`{"definition":` + task + `,"input":{},"inspectionLevel":"DEBUG","mock":{"errorOutput":{"error":"A","cause":"c"}}}`,
			`{"output":{"e":{"Error":"A","Cause":"c"}},"error":"A","cause":"c","inspectionData":{"afterParameters":{},"errorDetails":{"retryIndex":0,"catchIndex":1}},"nextState":"Y","status":"CAUGHT_ERROR"}`,
		},
		{
			"the third wait is four times the first",
			`{"definition":` + task + `,"input":{},"inspectionLevel":"TRACE","mock":{"errorOutput":{"error":"B"}},"stateConfiguration":{"retrierRetryCount":2}}`,
			`{"error":"B","inspectionData":{"afterParameters":{},"errorDetails":{"retryIndex":1,"retryBackoffIntervalSeconds":12}},"status":"RETRIABLE"}`,
		},
		{
			"INFO inspects nothing",
			`{"definition":` + task + `,"input":{},"mock":{"result":1}}`,
			`{"output":1,"nextState":"N","status":"SUCCEEDED"}`,
		},
		{
			"a state of a Map has an item",
			`{"definition":` + nested + `,"stateName":"I","input":{"x":1},"inspectionLevel":"DEBUG","mock":{"result":1}}`,
			`{"output":1,"inspectionData":{"afterParameters":{"v":{"x":1},"i":0},"result":1},"status":"SUCCEEDED"}`,
		},
		{
			"it has one too when the rest of the context is given",
			`{"definition":` + nested + `,"stateName":"I","input":5,"inspectionLevel":"DEBUG","mock":{"result":1},"context":{"State":{"Name":"Z"}}}`,
			`{"output":1,"inspectionData":{"afterParameters":{"v":5,"i":0},"result":1},"status":"SUCCEEDED"}`,
		},
		{
			"a task token stands wherever the task's fields are evaluated",
			`{"definition":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","QueryLanguage":"JSONata","Arguments":{"FunctionName":"f","Payload":{"t":"{% $length($states.context.Task.Token) > 0 %}"}},"End":true},"input":{},"inspectionLevel":"DEBUG","mock":{"result":1}}`,
			`{"output":1,"inspectionData":{"afterArguments":{"FunctionName":"f","Payload":{"t":true}},"result":1},"status":"SUCCEEDED"}`,
		},
		{
			"a task token that the context has",
			`{"definition":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","Parameters":{"FunctionName":"f","Payload":{"t.$":"$$.Task.Token"}},"End":true},"input":{},"inspectionLevel":"DEBUG","mock":{"result":1},"context":{"Task":{"Token":"tt"}}}`,
			`{"output":1,"inspectionData":{"afterParameters":{"FunctionName":"f","Payload":{"t":"tt"}},"result":1},"status":"SUCCEEDED"}`,
		},
		{
			"a state that fails has its variables, too",
			`{"definition":{"Type":"Fail","Error":"E"},"input":{},"variables":{"a":1},"inspectionLevel":"TRACE"}`,
			`{"error":"E","inspectionData":{"variables":{"a":1}},"status":"FAILED"}`,
		},
		{
			"and one that would be tried again",
			`{"definition":` + task + `,"input":{},"inspectionLevel":"DEBUG","variables":{"a":1},"mock":{"errorOutput":{"error":"B"}}}`,
			`{"error":"B","inspectionData":{"afterParameters":{},"errorDetails":{"retryIndex":1,"retryBackoffIntervalSeconds":3},"variables":{"a":1}},"status":"RETRIABLE"}`,
		},
		{
			"variables come and go",
			`{"definition":{"Type":"Pass","QueryLanguage":"JSONata","Output":"{% $a + 1 %}","Assign":{"b":"{% $a %}"},"End":true},"input":{},"variables":{"a":1},"inspectionLevel":"DEBUG"}`,
			`{"output":2,"inspectionData":{"variables":{"a":1,"b":1}},"status":"SUCCEEDED"}`,
		},
	}
	for _, tt := range tests {
		status, answer := try(t, tt.members)
		if got := answered(answer); status != 200 || got != tt.want {
			t.Errorf("%s: status %d\n got %s\nwant %s", tt.name, status, got, tt.want)
		}
	}
}

// TestTestStateRefuses has what cannot be tested, or not so.
func TestTestStateRefuses(t *testing.T) {
	const task = `{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f","End":true}`
	const fan = `{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}}}`
	tests := []struct{ members, typ, want string }{
		{`{"definition":` + task + `,"mock":{}}`, "ValidationException", "A test mock must have one of the following fields: [result, errorOutput]."},
		{`{"definition":` + task + `,"mock":{"errorOutput":{"cause":"c"}}}`, "ValidationException", "A mocked errorOutput must have the following field: [error]."},
		{`{"definition":` + task + `,"mock":{"result":1},"revealSecrets":true}`, "ValidationException", "RevealSecrets is not supported when a mock is specified"},
		{`{"definition":` + fan + `,"input":[],"mock":{"errorOutput":{"error":"E"}},"stateConfiguration":{"errorCausedByState":"Z"}}`, "ValidationException", "State not found in definition"},
		{`{"definition":` + fan + `,"input":[],"mock":{"result":{}}}`, "ValidationException", "Mocked result must be an array."},
		{`{"definition":` + task + `,"context":{}}`, "ValidationException", "Context is only supported when a mock is specified"},
		{`{"definition":` + task + `,"mock":{"result":1},"context":[]}`, "ValidationException", "Invalid Context object provided: Context must be a valid JSON object"},
		{`{"definition":` + task + `,"mock":{"result":1},"context":{"State":{"RetryCount":"x"}}}`, "ValidationException", "Invalid Context object provided: State.RetryCount must be a number"},
		{`{"definition":` + task + `,"mock":{"result":1},"variables":[]}`, "ValidationException", "Variables must be a valid JSON object"},
		{`{"definition":{"Type":"Task","Resource":"arn:aws:states:::ecs:runTask.sync","End":true},"roleArn":"` + role + `"}`, "InvalidDefinition", "TestState API does not support activities, '.sync' or '.waitForTaskToken' service integrations without a mock"},
		{`{"definition":{"Type":"Pass"}}`, "InvalidDefinition", "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: This object should have only one of the following fields: [Next, End] at /States/StateName'"},
		{`{"definition":` + task + `,"mock":{"result":1,"fieldValidationMode":"LOOSE"}}`, "ValidationException", "1 validation error detected: Value 'LOOSE' at 'mock.fieldValidationMode' failed to satisfy constraint: Member must satisfy enum value set: [STRICT, PRESENT, NONE]"},
	}
	for _, tt := range tests {
		status, answer := try(t, tt.members)
		if answer.Get("message").Str() != tt.want || !strings.HasSuffix(answer.Get("__type").Str(), tt.typ) || status != 400 {
			t.Errorf("%s: got %d %v, want %s: %s", tt.members, status, answer, tt.typ, tt.want)
		}
	}
}

// TestValidateDefinition sees that the arguments of the operation have their
// effect.
func TestValidateDefinition(t *testing.T) {
	h := serve(t)
	const definition = `"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"Parameters\":{\"x\":\"$.a\",\"y\":\"$.b\"},\"Next\":\"B\"},\"B\":{\"Type\":\"Map\",\"End\":true,\"Label\":\"l\",\"ItemProcessor\":{\"ProcessorConfig\":{\"Mode\":\"DISTRIBUTED\",\"ExecutionType\":\"EXPRESS\"},\"StartAt\":\"C\",\"States\":{\"C\":{\"Type\":\"Succeed\"}}}}}}"`
	const x = `{"severity":"WARNING","code":"NO_DOLLAR","message":"No .$ on a field that appears to be a JSONPath or Intrinsic Function.","location":"/States/A/Parameters/x"}`
	const y = `{"severity":"WARNING","code":"NO_DOLLAR","message":"No .$ on a field that appears to be a JSONPath or Intrinsic Function.","location":"/States/A/Parameters/y"}`
	const mode = `{"severity":"ERROR","code":"SCHEMA_VALIDATION_FAILED","message":"The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines","location":"/States/B/ItemProcessor/ProcessorConfig/Mode"}`
	const lacking = `{"severity":"WARNING","code":"NOT_PERFORMED","message":"A Map with the mode DISTRIBUTED is valid on AWS, but not performed here.","location":"/States/B"}`
	tests := []struct{ arguments, want string }{
		{``, `{"result":"OK","diagnostics":[],"truncated":false}`},
		{`,"severity":"ERROR","maxResults":1`, `{"result":"OK","diagnostics":[],"truncated":false}`},
		{`,"severity":"WARNING"`, `{"result":"OK","diagnostics":[` + x + `,` + y + `,` + lacking + `],"truncated":false}`},
		{`,"severity":"WARNING","maxResults":0`, `{"result":"OK","diagnostics":[` + x + `,` + y + `,` + lacking + `],"truncated":false}`},
		{`,"severity":"WARNING","maxResults":1`, `{"result":"OK","diagnostics":[` + x + `],"truncated":true}`},
		{`,"severity":"WARNING","maxResults":2`, `{"result":"OK","diagnostics":[` + x + `,` + y + `],"truncated":true}`},
		{`,"severity":"WARNING","maxResults":1,"type":"EXPRESS"`, `{"result":"FAIL","diagnostics":[` + x + `],"truncated":true}`},
		{`,"type":"EXPRESS"`, `{"result":"FAIL","diagnostics":[` + mode + `],"truncated":false}`},
	}
	for _, tt := range tests {
		if got := must(t, h, "ValidateStateMachineDefinition", `{"definition":`+definition+tt.arguments+`}`).String(); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.arguments, got, tt.want)
		}
	}
	if status, answer := post(t, h, "ValidateStateMachineDefinition", `{"definition":`+definition+`,"maxResults":101}`); status != 400 {
		t.Errorf("maxResults 101: %d %v", status, answer)
	}
}
