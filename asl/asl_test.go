package asl_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// one makes a machine of one state.
func one(state string) string { return `{"StartAt":"A","States":{"A":` + state + `}}` }

// TestDiagnostics tells for each mistake what is said about it.
func TestDiagnostics(t *testing.T) {
	tests := []struct{ definition, want string }{
		{``, "SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object"},
		{`[]`, "SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object"},
		{`{}`, "SCHEMA_VALIDATION_FAILED: These fields are required: [StartAt, States] at /"},
		{`{"StartAt":"A"}`, "SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /"},
		{`{"StartAt":"A","States":{}}`, "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States"},
		{`{"StartAt":"B","States":{"A":{"Type":"Succeed"}}}`, "MISSING_TRANSITION_TARGET: Missing 'StartAt' target: B at /StartAt"},
		{`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}`, "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next"},
		{`{"StartAt":"A","States":{"A":{"Type":"Succeed"},"B":{"Type":"Succeed"}}}`, `MISSING_TRANSITION_TARGET: State "B" is not reachable. at /States/B`},
		{`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"A"}}}`, "MISSING_END_STATE: No terminal state found in machine at /States"},
		{one(`{"Type":"Dance","End":true}`), "SCHEMA_VALIDATION_FAILED: Value is not valid, must be one of [Choice, Fail, Map, Parallel, Pass, Succeed, Task, Wait] at /States/A/Type"},
		{one(`{"Type":"Pass"}`), "SCHEMA_VALIDATION_FAILED: Exactly one of these fields is required: [End, Next] at /States/A"},
		{one(`{"Type":"Pass","End":true,"Color":"red"}`), "SCHEMA_VALIDATION_FAILED: Field is not supported at /States/A/Color"},
		{one(`{"Type":"Pass","End":"yes"}`), "SCHEMA_VALIDATION_FAILED: Expected value of type Boolean at /States/A/End"},
		{one(`{"Type":"Pass","End":true,"Parameters":{"a.$":"nope"}}`), "SCHEMA_VALIDATION_FAILED: The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/A/Parameters"},
		{one(`{"Type":"Pass","End":true,"ResultPath":"$.a[*]"}`), "SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/A/ResultPath"},
		{one(`{"Type":"Pass","End":true,"Output":{}}`), "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage at /States/A"},
		{one(`{"Type":"Task","End":true}`), "SCHEMA_VALIDATION_FAILED: These fields are required: [Resource] at /States/A"},
		{one(`{"Type":"Task","End":true,"Resource":"lambda"}`), "SCHEMA_VALIDATION_FAILED: Value is not a valid resource ARN at /States/A/Resource"},
		{one(`{"Type":"Task","End":true,"Resource":"arn:aws:states:::lambda:invoke","TimeoutSeconds":0}`), "SCHEMA_VALIDATION_FAILED: Numeric value must be greater than or equal to 1 at /States/A/TimeoutSeconds"},
		{one(`{"Type":"Task","End":true,"Resource":"arn:aws:states:::lambda:invoke","TimeoutSeconds":5,"HeartbeatSeconds":5}`), "SCHEMA_VALIDATION_FAILED: 'HeartbeatSeconds' must be smaller than 'TimeoutSeconds' at /States/A"},
		{one(`{"Type":"Task","End":true,"Resource":"arn:aws:states:::lambda:invoke","Credentials":{}}`), "SCHEMA_VALIDATION_FAILED: The field 'RoleArn' is required but was missing at /States/A/Credentials"},
		{one(`{"Type":"Task","End":true,"Resource":"arn:aws:states:::lambda:invoke","Retry":[{"ErrorEquals":["States.ALL"]},{"ErrorEquals":["X"]}]}`), "SCHEMA_VALIDATION_FAILED: States.ALL must appear alone and must be in the last entry at /States/A/Retry[0]/ErrorEquals"},
		{one(`{"Type":"Task","End":true,"Resource":"arn:aws:states:::lambda:invoke","Retry":[{"ErrorEquals":["X"],"BackoffRate":0.5}]}`), "SCHEMA_VALIDATION_FAILED: Numeric value must be greater than or equal to 1.0 at /States/A/Retry[0]/BackoffRate"},
		{one(`{"Type":"Task","End":true,"Resource":"arn:aws:states:::lambda:invoke","Catch":[{"ErrorEquals":["X"],"Next":"B"}]}`), "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Catch[0]/Next"},
		{one(`{"Type":"Wait","End":true}`), "SCHEMA_VALIDATION_FAILED: Exactly one of these fields is required: [Seconds, SecondsPath, Timestamp, TimestampPath] at /States/A"},
		{one(`{"Type":"Wait","End":true,"Timestamp":"2016-12-05 21:29:29Z"}`), "SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at /States/A/Timestamp"},
		{one(`{"Type":"Parallel","End":true,"Branches":[]}`), "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/A/Branches"},
		{one(`{"Type":"Parallel","End":true,"Branches":[{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}]}`), "DUPLICATE_STATE_NAME: Duplicate State name: A at /States/A/Branches[0]/States/A"},
		{one(`{"Type":"Map","End":true}`), "SCHEMA_VALIDATION_FAILED: Exactly one of these fields is required: [ItemProcessor, Iterator] at /States/A"},
		{one(`{"Type":"Choice","Choices":[{"Variable":"$.a","Next":"A"}]}`), "SCHEMA_VALIDATION_FAILED: A Choice Rule must contain exactly one comparison operator at /States/A/Choices[0]"},
		{one(`{"Type":"Choice","Choices":[{"Variable":"$.a","NumericEquals":"x","Next":"A"}]}`), "SCHEMA_VALIDATION_FAILED: Expected value of type Number at /States/A/Choices[0]/NumericEquals"},
		{one(`{"Type":"Pass","End":true,"Assign":{"1x":1}}`), "SCHEMA_VALIDATION_FAILED: Variable name '1x' is invalid: it must be a Unicode identifier of at most 80 characters at /States/A/Assign"},
		{`{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Pass","QueryLanguage":"JSONPath","End":true}}}`, "SCHEMA_VALIDATION_FAILED: 'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at /States/A"},
		{`{"StartAt":"","States":{"":{"Type":"Succeed"}}}`, "INVALID_STATE_NAME: State names must be between 1 and 80 characters long at /States/"},
	}
	for _, tt := range tests {
		m, diagnostics := asl.Parse([]byte(tt.definition))
		var said []string
		for _, d := range diagnostics {
			said = append(said, d.String())
		}
		if m != nil || len(said) == 0 || !slices.Contains(said, tt.want) {
			t.Errorf("%s:\n got %s\nwant %s", tt.definition, strings.Join(said, "\n     "), tt.want)
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

func TestValidate(t *testing.T) {
	definition := []byte(one(`{"Type":"Pass","Parameters":{"x":"$.a","y":"$.b"},"Result":"$.c","End":true}`))
	r := asl.Validate(definition, asl.ValidateOptions{})
	if r.Failed || len(r.Diagnostics) != 0 {
		t.Errorf("without warnings: %+v", r)
	}
	r = asl.Validate(definition, asl.ValidateOptions{Warnings: true, MaxResults: 2})
	if r.Failed || len(r.Diagnostics) != 2 || !r.Truncated {
		t.Errorf("with warnings: %+v", r)
	}
	r = asl.Validate([]byte(one(`{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","End":true}`)), asl.ValidateOptions{Express: true})
	if !r.Failed || r.Diagnostics[0].Location != "/States/A/Resource" {
		t.Errorf("Express: %+v", r)
	}
}

func TestLocate(t *testing.T) {
	text := []byte("{\n  \"StartAt\": \"A\",\n  \"States\": {\n    \"A\": {\"Type\": \"Pass\", \"Next\": \"B\"}\n  }\n}")
	_, diagnostics := asl.Parse(text)
	at := diagnostics[0].Locate(text)
	if at.Line != 4 || at.Column != 27 {
		t.Errorf("%v is shown at %d:%d", diagnostics[0], at.Line, at.Column)
	}
}

func TestUnsupported(t *testing.T) {
	m, diagnostics := asl.Parse([]byte(`{"StartAt":"A","States":{
	  "A":{"Type":"Pass","QueryLanguage":"JSONata","Output":"{% $states.input %}","Next":"B"},
	  "B":{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"C","States":{"C":{"Type":"Succeed"}}}}}}`))
	if m == nil {
		t.Fatal(diagnostics)
	}
	var where []string
	for _, d := range asl.Unsupported(m) {
		where = append(where, d.Location)
	}
	if diff := cmp.Diff([]string{"/States/B"}, where); diff != "" {
		t.Error(diff)
	}
}

func TestOperators(t *testing.T) {
	tests := []struct {
		rule, input string
		want        bool
	}{
		{`"StringEquals":"a"`, `"a"`, true},
		{`"StringEquals":"a"`, `1`, false},
		{`"StringLessThan":"b"`, `"a"`, true},
		{`"StringGreaterThanEquals":"b"`, `"b"`, true},
		{`"StringMatches":"a*c"`, `"abbbc"`, true},
		{`"StringMatches":"a*c"`, `"abbb"`, false},
		{`"StringMatches":"*.log"`, `"x.log"`, true},
		{`"StringMatches":"a\\*c"`, `"a*c"`, true},
		{`"StringMatches":"a\\*c"`, `"abc"`, false},
		{`"StringMatches":"**"`, `""`, true},
		{`"NumericEquals":1.0`, `1`, true},
		{`"NumericGreaterThan":9007199254740992`, `9007199254740993`, true},
		{`"NumericLessThanEquals":1`, `"0"`, false},
		{`"BooleanEquals":true`, `true`, true},
		{`"BooleanEquals":true`, `"true"`, false},
		{`"TimestampEquals":"2016-08-18T17:33:00Z"`, `"2016-08-18T19:33:00+02:00"`, true},
		{`"TimestampLessThan":"2016-08-18T17:33:00Z"`, `"2016-08-18T17:32:59.999Z"`, true},
		{`"TimestampLessThan":"2016-08-18T17:33:00Z"`, `"yesterday"`, false},
		{`"IsNull":true`, `null`, true},
		{`"IsNumeric":false`, `"1"`, true},
		{`"IsTimestamp":true`, `"2016-08-18T17:33:00Z"`, true},
		{`"IsTimestamp":true`, `"2016-08-18 17:33:00Z"`, false},
		{`"IsString":true`, `""`, true},
		{`"IsBoolean":true`, `false`, true},
		{`"IsPresent":true`, `null`, true},
		{`"StringEqualsPath":"$.other"`, `"o"`, true},
	}
	for _, tt := range tests {
		m, diagnostics := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Variable":"$.v",` + tt.rule + `,"Next":"B"}],"Default":"B"},"B":{"Type":"Succeed"}}}`))
		if m == nil {
			t.Errorf("%s: %v", tt.rule, diagnostics)
			continue
		}
		input, err := value.DecodeString(`{"v":` + tt.input + `,"other":"o"}`)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.States.Start.(*asl.Choice).Choices[0].Rule.Holds(&query.Scope{Input: input})
		if err != nil || got != tt.want {
			t.Errorf("%s of %s: %v, %v", tt.rule, tt.input, got, err)
		}
	}
}

func TestLogic(t *testing.T) {
	m, diagnostics := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Choice","Default":"B","Choices":[
	  {"Or":[{"And":[{"Variable":"$.a","IsPresent":true},{"Variable":"$.a","NumericEquals":1}]},{"Not":{"Variable":"$.b","IsPresent":true}}],"Next":"B"}]},"B":{"Type":"Succeed"}}}`))
	if m == nil {
		t.Fatal(diagnostics)
	}
	for input, want := range map[string]bool{`{"a":1,"b":0}`: true, `{"a":2,"b":0}`: false, `{"b":0}`: false, `{}`: true} {
		v, _ := value.DecodeString(input)
		got, err := m.States.Start.(*asl.Choice).Choices[0].Rule.Holds(&query.Scope{Input: v})
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", input, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("../examples/*/*.asl.json")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(one(`{"Type":"Map","ItemsPath":"$.a","MaxConcurrencyPath":"$.b","Iterator":{"StartAt":"B","States":{"B":{"Type":"Fail","ErrorPath":"$.e"}}},"End":true}`)))
	f.Add([]byte(one(`{"Type":"Choice","Choices":[{"Not":{"Variable":"$.a","IsPresent":true},"Next":"A"}],"Default":"A"}`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, diagnostics := asl.Parse(text)
		if (m == nil) != (asl.InvalidDefinition(diagnostics) != "") {
			t.Errorf("%q: tree %v, diagnostics %v", text, m != nil, diagnostics)
		}
		for _, d := range diagnostics {
			_ = d.Locate(text)
		}
		if m != nil {
			asl.Unsupported(m)
			asl.ExpressUnsupported(m)
			asl.VariableReferences(m)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text, err := os.ReadFile("../examples/order-approval/order-approval.asl.json")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if m, diagnostics := asl.Parse(text); m == nil {
			b.Fatal(diagnostics)
		}
	}
}
