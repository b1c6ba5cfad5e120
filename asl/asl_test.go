package asl_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

func TestValidate(t *testing.T) {
	definition := []byte(one(`{"Type":"Pass","Parameters":{"x":"$.a","y":"$.b"},"Result":"$.c","End":true}`))
	r := asl.Validate(definition, asl.ValidateOptions{})
	if r.Failed || len(r.Diagnostics) != 0 {
		t.Errorf("without warnings: %+v", r)
	}
	r = asl.Validate(definition, asl.ValidateOptions{Warnings: true, MaxResults: 2})
	if r.Failed || len(r.Diagnostics) != 2 || !r.Truncated || r.Diagnostics[0].Severity != asl.SeverityWarning {
		t.Errorf("with warnings: %+v", r)
	}
	r = asl.Validate([]byte(one(`{"Type":"Pass","Parameters":{"x":"$.a"},"End":true,"Color":1}`)), asl.ValidateOptions{Warnings: true, MaxResults: 1})
	if !r.Failed || len(r.Diagnostics) != 1 || !r.Truncated {
		t.Errorf("an error behind a warning: %+v", r)
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

// TestRunnable: what is valid on AWS and not performed is refused, all of it at
// once; what AWS does not have is told in AWS's words; what is performed need not
// be AWS's.
func TestRunnable(t *testing.T) {
	const text = `{"StartAt":"A","States":{
	  "A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Next":"B"},
	  "B":{"Type":"Map","Next":"P","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"C","States":{
	    "C":{"Type":"Task","Resource":"arn:aws:states:::sns:publish","End":true}}}},
	  "P":{"Type":"Parallel","Next":"E","Branches":[{"StartAt":"D","States":{"D":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMesage","End":true}}}]},
	  "E":{"Type":"Task","Resource":"arn:aws:states:::mine:own","Next":"F"},
	  "F":{"Type":"Task","Resource":"arn:aws:states:us-east-1:123456789012:activity:a","End":true}}}`
	lacks := func(r asl.Resource) string {
		if r.Service == "mine" || r.Kind == asl.ActivityResource {
			return ""
		}
		return "no " + r.Service
	}
	m, diagnostics := asl.Runnable([]byte(text), false, asl.Offer{Recognized: func(r asl.Resource) bool { return r.Kind != asl.ServiceResource || r.Optimized() }, Lacks: lacks})
	var got []string
	for _, d := range diagnostics {
		got = append(got, strings.TrimSpace(d.String()+" "+d.Help))
	}
	want := []string{
		"SCHEMA_VALIDATION_FAILED: The resource provided arn:aws:states:::sqs:sendMesage is not recognized. The value is not a valid resource ARN, or the resource is not available in this region. at /States/P/Branches[0]/States/D/Resource did you mean arn:aws:states:::sqs:sendMessage?",
		"NOT_PERFORMED: The resource provided arn:aws:states:::sqs:sendMessage is valid on AWS, but not performed here: no sqs. at /States/A/Resource",
		"NOT_PERFORMED: A Map with the mode DISTRIBUTED is valid on AWS, but not performed here. at /States/B",
		"NOT_PERFORMED: The resource provided arn:aws:states:::sns:publish is valid on AWS, but not performed here: no sns. at /States/B/ItemProcessor/States/C/Resource",
	}
	if diff := cmp.Diff(want, got); m != nil || diff != "" {
		t.Errorf("tree %v, %s", m != nil, diff)
	}
	// What AWS does not take in an Express machine is not valid on AWS.
	got = nil
	const express = `{"StartAt":"A","States":{
	  "A":{"Type":"Task","Resource":"arn:aws:states:::sns:publish.waitForTaskToken","Next":"B"},
	  "B":{"Type":"Task","Resource":"arn:aws:states:::ecs:runTask.sync","Next":"C"},
	  "C":{"Type":"Task","Resource":"arn:aws:states:::sns:publish","End":true}}}`
	_, diagnostics = asl.Runnable([]byte(express), true, asl.Offer{Recognized: func(asl.Resource) bool { return true }, Lacks: lacks})
	for _, d := range diagnostics {
		got = append(got, d.String())
	}
	want = []string{
		"SCHEMA_VALIDATION_FAILED: Express state machine does not support '.waitForTaskToken' service integration  at /States/A/Resource",
		"SCHEMA_VALIDATION_FAILED: Express state machine does not support '.sync' service integration  at /States/B/Resource",
		"NOT_PERFORMED: The resource provided arn:aws:states:::sns:publish is valid on AWS, but not performed here: no sns. at /States/C/Resource",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// To examine it is no refusal.
	fine := strings.Replace(text, "sendMesage", "sendMessage", 1)
	if r := asl.Validate([]byte(fine), asl.ValidateOptions{Warnings: true, Offer: asl.Offer{Lacks: lacks}}); r.Failed || len(r.Diagnostics) != 4 || r.Diagnostics[0].Severity != asl.SeverityWarning {
		t.Errorf("%+v", r)
	}
	if m, diagnostics := asl.Runnable([]byte(strings.Replace(fine, `"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"`, `"Mode":"INLINE"`, 1)), false, asl.Offer{}); m == nil {
		t.Error(diagnostics)
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
	f.Add([]byte(distributed(`"Label":"l","ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key":"k"},"ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["a"],"MaxItems":1}},"ItemBatcher":{"MaxItemsPerBatch":2,"BatchInput":{}},"ResultWriter":{"WriterConfig":{"Transformation":"COMPACT","OutputType":"JSONL"}}`)))
	f.Add([]byte(onata(`{"Type":"Pass","Output":{"a":"{% $states.input %}","b":["{% 1 + %}"]},"End":true}`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, diagnostics := asl.Parse(text)
		if (m == nil) != (asl.InvalidDefinition(diagnostics) != "") {
			t.Errorf("%q: tree %v, diagnostics %v", text, m != nil, diagnostics)
		}
		for _, d := range asl.Validate(text, asl.ValidateOptions{Warnings: true, Lint: true}).Diagnostics {
			_ = d.Locate(text)
		}
		if m != nil {
			asl.Runnable(text, true, asl.Offer{})
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
