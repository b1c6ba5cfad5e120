package asl_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/asl"
)

// one makes a machine of one state.
func one(state string) string { return `{"StartAt":"A","States":{"A":` + state + `}}` }

// onata is one for JSONata.
func onata(state string) string {
	return `{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":` + state + `}}`
}

// task makes a machine of a Task state with more fields.
func task(fields string) string {
	return one(`{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true,` + fields + `}`)
}

// fan makes a machine of a Map state with more fields.
func fan(fields string) string {
	return one(`{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}},` + fields + `}`)
}

// distributed makes a machine of a Distributed Map state with more fields.
func distributed(fields string) string {
	return one(`{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"B","States":{"B":{"Type":"Succeed"}}},` + fields + `}`)
}

// reader makes a machine of a Distributed Map with a ReaderConfig.
func reader(config string) string {
	return distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key":"k"},"ReaderConfig":` + config + `}`)
}

const schema = "SCHEMA_VALIDATION_FAILED: "

// TestDiagnostics tells for each mistake all that is said about it.
func TestDiagnostics(t *testing.T) {
	long := strings.Repeat("x", 81)
	tests := []struct{ definition, want string }{
		// The document.
		{``, schema + "Definition must be a valid JSON object at null"},
		{`[]`, schema + "Definition must be a valid JSON object at null"},
		{`{}`, schema + "These fields are required: [StartAt, States] at /"},
		{`{"StartAt":"A"}`, schema + "These fields are required: [States] at /"},
		{`{"StartAt":"A","States":[]}`, schema + "Expected value of type [OBJECT] at /States"},
		{`{"StartAt":"A","States":{}}`, schema + "Value cannot be empty at /States\nMISSING_TRANSITION_TARGET: Missing 'Next' target: A at /StartAt\nMISSING_END_STATE: Workflow has no terminal state at null"},
		{`{"StartAt":"A","Version":"2.0","Color":1,"TimeoutSeconds":100000000,"States":{"A":{"Type":"Succeed"}}}`, schema + "Value should be one of the following: [1.0] at /Version\n" +
			schema + "Maximum value is 99999999 at /TimeoutSeconds\n" + schema + "Field 'Color' is not supported at /"},
		// Transitions.
		{`{"StartAt":"B","States":{"A":{"Type":"Succeed"}}}`, "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /StartAt\nMISSING_TRANSITION_TARGET: State \"A\" is not reachable. at /States/A"},
		{`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}`, "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next\nMISSING_END_STATE: Workflow has no terminal state at null"},
		{
			`{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"Next":"B"}],"Default":"C"},"D":{"Type":"Succeed"}}}`,
			"MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Choices[0]/Next\nMISSING_TRANSITION_TARGET: Missing 'Next' target: C at /States/A/Default\nMISSING_TRANSITION_TARGET: State \"D\" is not reachable. at /States/D",
		},
		{`{"StartAt":"A","States":{"A":{"Type":"Succeed"},"B":{"Type":"Succeed"}}}`, `MISSING_TRANSITION_TARGET: State "B" is not reachable. at /States/B`},
		{`{"StartAt":"A","States":{"A":{"Type":"Succeed"},"B":{"Type":"Pass","Next":"C"},"C":{"Type":"Pass","Next":"B"}}}`, "MISSING_TRANSITION_TARGET: State \"B\" is not reachable. at /States/B\nMISSING_TRANSITION_TARGET: State \"C\" is not reachable. at /States/C"},
		{`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"A"},"B":{"Type":"Pass","Next":"A"}}}`, "MISSING_END_STATE: Workflow has no terminal state at null"},
		{one(`{"Type":"Map","End":true,"Iterator":{"StartAt":"B","States":{"B":{"Type":"Pass","Next":"B"}}}}`), ""},
		{one(`{"Type":"Map","End":true,"Iterator":{"StartAt":"B","States":{"B":{"Type":"Succeed"},"C":{"Type":"Succeed"}}}}`), `MISSING_TRANSITION_TARGET: State "C" is not reachable. at /States/A/Iterator/States/C`},
		{task(`"Catch":[{"ErrorEquals":["X"],"Next":"B"}]`), "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Catch[0]/Next"},
		// Names.
		{`{"StartAt":"","States":{"":{"Type":"Succeed"}}}`, "INVALID_STATE_NAME: State name cannot be empty at /States/"},
		{`{"StartAt":"` + long + `","States":{"` + long + `":{"Type":"Succeed"}}}`, "INVALID_STATE_NAME: State name '" + long + "' exceeds the 80-character limit allowed by the service at /States/" + long},
		{one(`{"Type":"Parallel","End":true,"Branches":[{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}]}`), "DUPLICATE_STATE_NAME: Duplicate State name: A at /States/A/Branches[0]/States/A"},
		{one(`{"Type":"Pass","End":true,"Assign":{"1x":1,"states":2,"` + long + `":3}}`), "INVALID_VARIABLE_NAME: Invalid variable name '1x': the variable name contains invalid characters. at /States/A/Assign/1x\n" +
			"RESERVED_VARIABLE_NAME: Cannot assign to reserved variable '$states'. at /States/A/Assign/states\nINVALID_VARIABLE_NAME: Invalid variable name '" + long + "': the variable name exceeds 80 characters. at /States/A/Assign/" + long},
		{fan(`"Label":"a/b"`), "INVALID_LABEL_NAME: Label name 'a/b' contains invalid characters at /States/A/Label"},
		{fan(`"Label":""`), "INVALID_LABEL_NAME: Label name cannot be empty at /States/A/Label"},
		{fan(`"Label":"` + long[:41] + `"`), "INVALID_LABEL_NAME: Label name '" + long[:41] + "' exceeds the 40-character limit allowed by the service at /States/A/Label"},
		// Fields of all states.
		{one(`1`), schema + "Expected value of type [OBJECT] at /States/A"},
		{one(`{"End":true}`), schema + "These fields are required: [Type] at /States/A"},
		{one(`{"Type":"Dance","End":true}`), schema + "Value should be one of the following: [Task, Pass, Choice, Wait, Succeed, Fail, Parallel, Map] at /States/A/Type"},
		{one(`{"Type":"Pass"}`), schema + "This object should have only one of the following fields: [Next, End] at /States/A"},
		{one(`{"Type":"Pass","End":false}`), schema + "This object should have only one of the following fields: [Next, End] at /States/A"},
		{`{"StartAt":"A","States":{"A":{"Type":"Pass","End":true,"Next":"B"},"B":{"Type":"Succeed"}}}`, schema + "There should only be one of the following fields: [Next, End] at /States/A"},
		{one(`{"Type":"Pass","End":true,"Color":"red"}`), schema + "Field 'Color' is not supported at /States/A"},
		{one(`{"Type":"Pass","End":true,"TimeoutSeconds":5,"Catch":[],"Retry":[]}`), schema + "Field 'TimeoutSeconds' is not supported at /States/A\n" + schema + "Field 'Catch' is not supported at /States/A\n" + schema + "Field 'Retry' is not supported at /States/A"},
		{fan(`"TimeoutSeconds":5`), schema + "Field 'TimeoutSeconds' is not supported at /States/A"},
		{one(`{"Type":"Pass","End":"yes"}`), schema + "Expected value of type [BOOLEAN] at /States/A/End"},
		{one(`{"Type":"Pass","End":true,"InputPath":"a"}`), schema + "Value must be a valid JSONPath. at /States/A/InputPath"},
		{one(`{"Type":"Pass","End":true,"Parameters":{"a.$":"nope"}}`), schema + "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/A/Parameters"},
		{one(`{"Type":"Pass","End":true,"ResultPath":"$.a[*]"}`), schema + "Value is not a Reference Path at /States/A/ResultPath"},
		// Query languages.
		{one(`{"Type":"Pass","End":true,"Output":{}}`), schema + "The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage at /States/A"},
		{onata(`{"Type":"Map","End":true,"MaxConcurrencyPath":"$.a","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`), schema + "The QueryLanguage is set to 'JSONata', but field 'MaxConcurrencyPath' is only supported for the 'JSONPath' QueryLanguage at /States/A"},
		{onata(`{"Type":"Pass","QueryLanguage":"JSONPath","Output":1,"End":true}`), schema + "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at /States/A"},
		{one(`{"Type":"Pass","QueryLanguage":"jsonata","InputPath":"$.a","Output":{"v":"{% 1 %}"},"End":true}`), schema + "The QueryLanguage is set to 'JSONata', but field 'InputPath' is only supported for the 'JSONPath' QueryLanguage at /States/A\n" +
			schema + "Value should be one of the following: [JSONPath, JSONata] at /States/A/QueryLanguage"},
		{`{"QueryLanguage":5,"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`, schema + "Expected value of type [STRING] at /QueryLanguage"},
		{
			one(`{"Type":"Map","QueryLanguage":"JSONata","End":true,"ItemProcessor":{"QueryLanguage":"JSONata","StartAt":"B","States":{"B":{"Type":"Pass","Output":1,"End":true}}}}`),
			schema + "The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage at /States/A/ItemProcessor/States/B\n" + schema + "Field 'QueryLanguage' is not supported at /States/A/ItemProcessor",
		},
		{one(`{"Type":"Choice","Choices":[{"Condition":true,"Next":"A"}]}`), schema + "The QueryLanguage is set to 'JSONPath', but field 'Condition' is only supported for the 'JSONata' QueryLanguage at /States/A/Choices[0]\n" +
			schema + "The object must have only one of the following fields, [And, Or, Not, Variable, Condition] at /States/A/Choices[0]\nMISSING_END_STATE: Workflow has no terminal state at null"},
		{onata(`{"Type":"Pass","End":true,"Output":{"a":"{% phone %}","b":["{% 1 + %}","{% $$ %}"],"c":"{% open"}}`), "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported. at /States/A/Output/a\n" +
			"INVALID_JSONATA_EXPRESSION: Unexpected end of expression at /States/A/Output/b[0]\nUNSUPPORTED_JSONATA_EXPRESSION: Reference to '$$' is not supported. at /States/A/Output/b[1]\n" + schema + "JSONata string must start with {% and end with %} at /States/A/Output/c"},
		{onata(`{"Type":"Pass","End":true,"Output":"{% $states.errorOutput %}"}`), "UNSUPPORTED_JSONATA_EXPRESSION: Field '$states.errorOutput' does not exist. at /States/A/Output"},
		// Task.
		{one(`{"Type":"Task","End":true}`), schema + "These fields are required: [Resource] at /States/A"},
		{one(`{"Type":"Task","End":true,"Resource":"lambda"}`), schema + "Value is not a valid resource ARN at /States/A/Resource"},
		{one(`{"Type":"Task","End":true,"Resource":"arn:aws:states:::lambda:invoke.sync"}`), schema + "The resource provided arn:aws:states:::lambda:invoke.sync is not recognized. The value is not a valid resource ARN, or the resource is not available in this region. at /States/A/Resource"},
		{one(`{"Type":"Task","End":true,"Resource":"arn:aws:states:::batch:submitJob.sync:2"}`), schema + "The resource provided arn:aws:states:::batch:submitJob.sync:2 is not recognized. The value is not a valid resource ARN, or the resource is not available in this region. at /States/A/Resource"},
		{one(`{"Type":"Task","End":true,"Resource":"arn:aws:states:::batch:submitJob.waitForTaskToken"}`), schema + "The resource provided arn:aws:states:::batch:submitJob.waitForTaskToken is not recognized. The value is not a valid resource ARN, or the resource is not available in this region. at /States/A/Resource"},
		{one(`{"Type":"Task","End":true,"Resource":"arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken"}`), ""},
		{one(`{"Type":"Task","End":true,"Resource":"arn:aws:states:::states:startExecution.sync:2"}`), ""},
		{task(`"TimeoutSeconds":0`), schema + "Minimum value is 1 at /States/A/TimeoutSeconds"},
		{task(`"TimeoutSeconds":"5"`), schema + "Expected value of type Integer at /States/A/TimeoutSeconds"},
		{task(`"TimeoutSeconds":1.5`), schema + "Expected value of type Integer at /States/A/TimeoutSeconds"},
		{task(`"TimeoutSeconds":99999999999999999999`), schema + "Maximum value is 99999999 at /States/A/TimeoutSeconds"},
		{task(`"TimeoutSeconds":-99999999999999999999`), schema + "Minimum value is 1 at /States/A/TimeoutSeconds"},
		{task(`"TimeoutSeconds":5,"TimeoutSecondsPath":"$.a"`), schema + "There should only be one of the following fields: [TimeoutSeconds, TimeoutSecondsPath] at /States/A"},
		{task(`"TimeoutSeconds":5,"HeartbeatSeconds":5`), schema + "'HeartbeatSeconds' must be smaller than 'TimeoutSeconds' at /States/A"},
		{task(`"Credentials":{}`), schema + "The field 'RoleArn' is required but was missing at /States/A/Credentials"},
		{one(`{"Type":"Task","End":true,"Resource":"arn:aws:states:us-east-1:123456789012:activity:a","Credentials":{"RoleArn":"r"}}`), schema + "The field 'Credentials' is not supported for activities at /States/A/Credentials"},
		// Retry and Catch.
		{task(`"Retry":[{}],"Catch":[{}]`), schema + "These fields are required: [ErrorEquals] at /States/A/Retry[0]\n" + schema + "These fields are required: [ErrorEquals] at /States/A/Catch[0]\n" + schema + "These fields are required: [Next] at /States/A/Catch[0]"},
		{task(`"Retry":[{"ErrorEquals":[]}]`), schema + "Value cannot be empty at /States/A/Retry[0]/ErrorEquals"},
		{task(`"Retry":[{"ErrorEquals":["States.ALL"]},{"ErrorEquals":["X"]}]`), schema + "States.ALL must appear alone and at end of list at /States/A/Retry[0]/ErrorEquals"},
		{task(`"Retry":[{"ErrorEquals":["X","States.ALL"]}]`), schema + "States.ALL must appear alone and at end of list at /States/A/Retry[0]/ErrorEquals"},
		{
			task(`"Retry":[{"ErrorEquals":["X"],"BackoffRate":0.5,"MaxAttempts":-1,"IntervalSeconds":0,"MaxDelaySeconds":31622401,"JitterStrategy":"SOME","Color":1}]`),
			schema + "Minimum value is 0 at /States/A/Retry[0]/MaxAttempts\n" + schema + "Maximum value is 31622400 at /States/A/Retry[0]/MaxDelaySeconds\n" + schema + "Minimum value is 1 at /States/A/Retry[0]/BackoffRate\n" +
				schema + "Value should be one of the following: [NONE, FULL] at /States/A/Retry[0]/JitterStrategy\n" + schema + "Field 'Color' is not supported at /States/A/Retry[0]",
		},
		{task(`"Retry":[{"ErrorEquals":["X"],"IntervalSeconds":5,"MaxDelaySeconds":5}]`), schema + "MaxDelaySeconds must be greater than IntervalSeconds at /States/A/Retry[0]/MaxDelaySeconds"},
		// Wait, Fail, Parallel.
		{one(`{"Type":"Wait","End":true}`), schema + "This object should have only one of the following fields: [SecondsPath, Seconds, TimestampPath, Timestamp] at /States/A"},
		{one(`{"Type":"Wait","End":true,"Seconds":1,"SecondsPath":"$.a"}`), schema + "There should only be one of the following fields: [SecondsPath, Seconds, TimestampPath, Timestamp] at /States/A"},
		{one(`{"Type":"Wait","End":true,"Timestamp":"2016-12-05 21:29:29Z"}`), schema + "String does not match RFC3339 timestamp at /States/A/Timestamp"},
		{one(`{"Type":"Fail","Error":"a","ErrorPath":"$.b"}`), schema + "There should only be one of the following fields: [Error, ErrorPath] at /States/A"},
		{one(`{"Type":"Parallel","End":true,"Branches":[]}`), schema + "Value cannot be empty at /States/A/Branches"},
		// Choice rules.
		{one(`{"Type":"Choice","Choices":[]}`), schema + "Value cannot be empty at /States/A/Choices\nMISSING_END_STATE: Workflow has no terminal state at null"},
		{`{"StartAt":"A","States":{"B":{"Type":"Succeed"},"A":{"Type":"Choice","Choices":[{"Variable":"a","NumericEquals":"x","Next":"B"}]}}}`, schema + "Value is not a Reference Path: Reference path didn't start with '$' at /States/A/Choices[0]/Variable\n" +
			schema + "Expected value of type [NUMBER] at /States/A/Choices[0]/NumericEquals"},
		{`{"StartAt":"A","States":{"B":{"Type":"Succeed"},"A":{"Type":"Choice","Choices":[{"Variable":"$.a","StringEquals":"x","IsNull":true,"Next":"B"}]}}}`, schema + "There should only be one of the following fields: [StringEquals, IsNull] at /States/A/Choices[0]"},
		{`{"StartAt":"A","States":{"B":{"Type":"Succeed"},"A":{"Type":"Choice","Choices":[{"Not":{"Variable":"$.a","IsNull":true,"Next":"B"},"Next":"B"}]}}}`, schema + "Field 'Next' is not supported at /States/A/Choices[0]/Not"},
		{`{"StartAt":"A","States":{"B":{"Type":"Succeed"},"A":{"Type":"Choice","Choices":[{"Not":{"Variable":"$.a","IsNull":true},"And":[],"Next":"B"}]}}}`, schema + "The object must have only one of the following fields, [And, Or, Not, Variable, Condition] at /States/A/Choices[0]"},
		// Map.
		{one(`{"Type":"Map","End":true}`), schema + "This object should have only one of the following fields: [ItemProcessor, Iterator] at /States/A"},
		{fan(`"ItemsPath":"$.a[*]"`), schema + "Value is not a Reference Path at /States/A/ItemsPath"},
		{fan(`"MaxConcurrency":9223372036854775807,"ToleratedFailurePercentage":101`), schema + "Maximum value is 100 at /States/A/ToleratedFailurePercentage"},
		{one(`{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE","ExecutionType":"STANDARD"},"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`), schema + "Field 'ExecutionType' is not supported at /States/A/ItemProcessor/ProcessorConfig"},
		{one(`{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED"},"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`), schema + "These fields are required: [ExecutionType] at /States/A/ItemProcessor/ProcessorConfig"},
		{one(`{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"FAST"},"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`), schema + "Value should be one of the following: [STANDARD, EXPRESS] at /States/A/ItemProcessor/ProcessorConfig/ExecutionType"},
		{
			one(`{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"B","States":{"B":{"Type":"Task","Resource":"arn:aws:states:::ecs:runTask.sync","End":true}}}}`),
			schema + "Express state machine does not support '.sync' service integration  at /States/A/ItemProcessor/States/B/Resource",
		},
		{distributed(`"ItemReader":{}`), schema + "These fields are required: [Resource] at /States/A/ItemReader"},
		{distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:putObject","Arguments":{}}`), schema + "The field 'Resource' does not match any of the allowed values at /States/A/ItemReader\n" +
			schema + "The QueryLanguage is set to 'JSONPath', but field 'Arguments' is only supported for the 'JSONata' QueryLanguage at /States/A/ItemReader"},
		{distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:listObjectsV2","Parameters":{"Bucket":"b"}}`), ""},
		{reader(`{"InputType":"XML"}`), schema + "Value should be one of the following: [CSV, JSON, JSONL, PARQUET, MANIFEST] at /States/A/ItemReader/ReaderConfig/InputType"},
		{reader(`{"MaxItems":1}`), schema + "These fields are required: [InputType] at /States/A/ItemReader/ReaderConfig"},
		{reader(`{"InputType":"CSV"}`), schema + "The field 'CSVHeaderLocation' is required at /States/A/ItemReader/ReaderConfig"},
		{reader(`{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVDelimiter":"DASH"}`), schema + "Value should be one of the following: [COMMA, PIPE, SEMICOLON, SPACE, TAB] at /States/A/ItemReader/ReaderConfig/CSVDelimiter\n" +
			schema + "These fields are required: [CSVHeaders] at /States/A/ItemReader/ReaderConfig"},
		{reader(`{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["a","b"],"MaxItems":100000001}`), schema + "Maximum value is 100000000 at /States/A/ItemReader/ReaderConfig/MaxItems"},
		{reader(`{"InputType":"JSON","CSVHeaderLocation":"FIRST_ROW","ItemsPointer":"a"}`), schema + "Value is not a valid JSON Pointer at /States/A/ItemReader/ReaderConfig/ItemsPointer\n" +
			schema + "Field 'CSVHeaderLocation' is not supported at /States/A/ItemReader/ReaderConfig"},
		{reader(`{"ManifestType":"S3_INVENTORY","InputType":"CSV"}`), schema + "Field 'InputType' is not supported at /States/A/ItemReader/ReaderConfig"},
		{distributed(`"ItemBatcher":{}`), schema + "This object should have at least one of the following fields: [MaxItemsPerBatch, MaxItemsPerBatchPath, MaxInputBytesPerBatch, MaxInputBytesPerBatchPath] at /States/A/ItemBatcher"},
		{distributed(`"ItemBatcher":{"MaxItemsPerBatch":0,"MaxInputBytesPerBatch":262145,"BatchInput":{"a.$":"$.b"}}`), schema + "Minimum value is 1 at /States/A/ItemBatcher/MaxItemsPerBatch\n" + schema + "Maximum value is 262144 at /States/A/ItemBatcher/MaxInputBytesPerBatch"},
		{distributed(`"ResultWriter":{}`), schema + "Value cannot be empty at /States/A/ResultWriter"},
		{distributed(`"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject"}`), schema + "These fields are required: [Parameters] at /States/A/ResultWriter"},
		{distributed(`"ResultWriter":{"WriterConfig":{"Transformation":"COMPACT"}}`), schema + "These fields are required: [OutputType] at /States/A/ResultWriter/WriterConfig"},
		{distributed(`"ResultWriter":{"WriterConfig":{"Transformation":"COMPACT","OutputType":"JSONL"}}`), ""},
	}
	for _, tt := range tests {
		m, diagnostics := asl.Parse([]byte(tt.definition))
		var said []string
		for _, d := range diagnostics {
			said = append(said, d.String())
		}
		if diff := cmp.Diff(tt.want, strings.Join(said, "\n")); diff != "" || (m == nil) != (tt.want != "") {
			t.Errorf("%s (-want +got):\n%s", tt.definition, diff)
		}
	}
}

// TestWarnings has what is said only to those who ask.
func TestWarnings(t *testing.T) {
	tests := []struct{ definition, want string }{
		{one(`{"Type":"Pass","End":true,"Parameters":{"a":"$.b","c":["States.UUID()"],"d":"$x","e":"costs $5","f.$":"$.g"}}`), "NO_DOLLAR /States/A/Parameters/a, NO_DOLLAR /States/A/Parameters/c[0]"},
		{one(`{"Type":"Pass","End":true,"Result":"$.a"}`), "PASS_RESULT_IS_STATIC /States/A/Result"},
		{one(`{"Type":"Fail","Error":"$.a","Cause":"$$.Execution.Id"}`), "NO_PATH /States/A/Error, NO_PATH /States/A/Cause"},
		{`{"StartAt":"A","States":{"B":{"Type":"Succeed"},"A":{"Type":"Choice","Choices":[{"Variable":"$.a","StringEquals":"$.b","Next":"B"}]}}}`, "NO_PATH /States/A/Choices[0]/StringEquals"},
		{onata(`{"Type":"Fail","Error":"$.a"}`), ""},
	}
	for _, tt := range tests {
		r := asl.Validate([]byte(tt.definition), asl.ValidateOptions{Warnings: true})
		var said []string
		for _, d := range r.Diagnostics {
			said = append(said, string(d.Code)+" "+d.Location)
		}
		if got := strings.Join(said, ", "); got != tt.want || r.Failed {
			t.Errorf("%s: got %s, want %s", tt.definition, got, tt.want)
		}
	}
}

// TestExpress has what a Standard machine may have and an Express machine not.
func TestExpress(t *testing.T) {
	tests := []struct{ definition, want string }{
		{one(`{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","End":true}`), schema + "Express state machine does not support '.waitForTaskToken' service integration  at /States/A/Resource"},
		{one(`{"Type":"Task","Resource":"arn:aws:states:us-east-1:123456789012:activity:a","End":true}`), schema + "Express state machine does not support Activity ARN at /States/A/Resource"},
		{distributed(`"Label":"x"`), schema + "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines at /States/A/ItemProcessor/ProcessorConfig/Mode"},
		{
			one(`{"Type":"Map","End":true,"Iterator":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`),
			schema + "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines at /States/A/Iterator/ProcessorConfig/Mode",
		},
	}
	for _, tt := range tests {
		if r := asl.Validate([]byte(tt.definition), asl.ValidateOptions{}); r.Failed {
			t.Errorf("%s: %v", tt.definition, r.Diagnostics)
		}
		r := asl.Validate([]byte(tt.definition), asl.ValidateOptions{Express: true})
		if !r.Failed || len(r.Diagnostics) != 1 || r.Diagnostics[0].String() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.definition, r.Diagnostics, tt.want)
		}
	}
}

// TestExamplesOfCodes runs the example in the comment of each code.
func TestExamplesOfCodes(t *testing.T) {
	source, err := os.ReadFile("diagnostic.go")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile(`// Example: (.*)\n\t\w+ +Code = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(examples) < 8 {
		t.Errorf("only %d codes have an example", len(examples))
	}
	for _, e := range examples {
		_, diagnostics := asl.Parse([]byte(e[1]))
		found := false
		for _, d := range diagnostics {
			found = found || string(d.Code) == e[2]
		}
		if !found {
			t.Errorf("the example of %s gives %v", e[2], diagnostics)
		}
	}
}
