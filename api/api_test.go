package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steppehq/steppe/api"
	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/engine/enginetest"
	"github.com/steppehq/steppe/front"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/value"
)

const role = "arn:aws:iam::000000000000:role/r"

// serve makes a handler with an engine that keeps nothing.
func serve(t testing.TB) http.Handler {
	t.Helper()
	return serveStore(t, memory.New(memory.Options{}))
}

// serveStore makes a handler with an engine on a store, with encryption keys of
// some ids.
func serveStore(t testing.TB, db store.Store, keys ...string) http.Handler {
	t.Helper()
	return serveConfig(t, db, api.Config{ActivityPoll: 10 * time.Millisecond}, keys...)
}

// serveConfig makes a handler with more of a configuration.
func serveConfig(t testing.TB, db store.Store, config api.Config, keys ...string) http.Handler {
	t.Helper()
	registry := new(integration.Registry)
	cfg := engine.Config{Store: db, Integrations: registry}
	for _, id := range keys {
		sum := sha256.Sum256([]byte(id))
		cfg.EncryptionKeys = append(cfg.EncryptionKeys, catalogue.EncryptionKey{ID: id, Key: sum[:]})
	}
	e := enginetest.Open(t, cfg)
	config.Engine, config.Integrations = e, registry
	return handler(t, config)
}

// handler makes the handler of a port that serves the API, its own one where the
// configuration has none.
func handler(t testing.TB, config api.Config) http.Handler {
	t.Helper()
	if config.Port == nil {
		config.Port = newPort()
	}
	config.Port.Turn = func(ctx context.Context, r *server.Request, bytes int) (func(), error) {
		return config.Engine.Turn(ctx, catalogue.Tenant{Account: r.Account, Region: r.Region}, bytes)
	}
	a := api.New(config)
	prefix, resources := a.Resources()
	h, err := front.New(front.Config{Port: config.Port, Services: []front.Service{a}, Resources: map[string]http.Handler{prefix: resources}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// newPort makes a port where callers are believed.
func newPort() *server.Port {
	return server.NewPort(&server.Authorizer{Account: "000000000000", Region: "us-east-1"}, 0, slog.New(slog.DiscardHandler))
}

// post makes a call and gives status and answer.
func post(t testing.TB, h http.Handler, operation, body string) (int, value.Value) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	v, err := value.Decode(w.Body.Bytes())
	if err != nil {
		t.Fatalf("%s answers %q", operation, w.Body)
	}
	return w.Code, v
}

func must(t testing.TB, h http.Handler, operation, body string) value.Value {
	t.Helper()
	status, v := post(t, h, operation, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: status %d, %v", operation, body, status, v)
	}
	return v
}

// machine creates a state machine of one Pass state.
func machine(t testing.TB, h http.Handler, name, typ string) string {
	t.Helper()
	return must(t, h, "CreateStateMachine", fmt.Sprintf(`{"name":%q,"type":%q,"roleArn":%q,"definition":"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"End\":true}}}"}`, name, typ, role)).Get("stateMachineArn").Str()
}

// TestExceptions tells for wrong calls what they are answered.
func TestExceptions(t *testing.T) {
	h := serve(t)
	arn := machine(t, h, "m", "STANDARD")
	express := machine(t, h, "x", "EXPRESS")
	nobody := "arn:aws:states:us-east-1:000000000000:stateMachine:nobody"
	ended := must(t, h, "StartExecution", `{"stateMachineArn":"`+arn+`"}`).Get("executionArn").Str()
	tests := []struct{ operation, body, exception, message string }{
		{"DescribeStateMachine", `{"stateMachineArn":"not_a_valid_arn"}`, "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: not_a_valid_arn'"},
		{"DescribeStateMachine", `{"stateMachineArn":"` + nobody + `"}`, "StateMachineDoesNotExist", "State Machine Does Not Exist: '" + nobody + "'"},
		{"DescribeStateMachine", `{}`, "ValidationException", "1 validation error detected: Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be null"},
		{"CreateStateMachine", `{"name":"a b","roleArn":"` + role + `","definition":"{}"}`, "InvalidName", "Invalid Name: 'a b'"},
		{"CreateStateMachine", `{"name":"a","roleArn":"` + role + `","definition":"{}"}`, "InvalidDefinition", "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [StartAt, States] at /'"},
		{"CreateStateMachine", `{"name":"m","roleArn":"` + role + `","definition":"{\"StartAt\":\"B\",\"States\":{\"B\":{\"Type\":\"Succeed\"}}}"}`, "StateMachineAlreadyExists", "State Machine Already Exists: '" + arn + "'"},
		{"CreateStateMachine", `{"name":"a","roleArn":"` + role + `","definition":"{\"StartAt\":\"B\",\"States\":{\"B\":{\"Type\":\"Task\",\"Resource\":\"arn:aws:states:::sqs:sendMessage\",\"End\":true}}}"}`, "InvalidDefinition", "Invalid State Machine Definition: 'NOT_PERFORMED: The resource provided arn:aws:states:::sqs:sendMessage is valid on AWS, but not performed here: there is no integration for sqs; there are activities. at /States/B/Resource'"},
		{"StartExecution", `{"stateMachineArn":"` + arn + `","input":"{"}`, "InvalidExecutionInput", ""},
		{"StartExecution", `{"stateMachineArn":"` + arn + `","name":"a/b"}`, "InvalidName", "Invalid Name: 'a/b'"},
		{"StartExecution", `{"stateMachineArn":"` + arn + `","input":"\"` + strings.Repeat("x", 262144) + `\""}`, "ValidationException", ""},
		{"StartSyncExecution", `{"stateMachineArn":"` + arn + `"}`, "StateMachineTypeNotSupported", "This operation is not supported by this type of state machine"},
		{"ListExecutions", `{"stateMachineArn":"` + express + `"}`, "StateMachineTypeNotSupported", "This operation is not supported by this type of state machine"},
		{"ListExecutions", `{"stateMachineArn":"` + arn + `","maxResults":1001}`, "ValidationException", "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"},
		{"ListExecutions", `{"stateMachineArn":"` + arn + `","statusFilter":"succeeded"}`, "ValidationException", "1 validation error detected: Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]"},
		{"ListExecutions", `{"stateMachineArn":"` + arn + `","nextToken":"stolen"}`, "InvalidToken", "Invalid Token: 'Invalid token'"},
		{"DescribeExecution", `{"executionArn":"arn:aws:states:us-east-1:000000000000:express:m:a:b"}`, "InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'"},
		{"SendTaskSuccess", `{"taskToken":"x","output":"1"}`, "InvalidToken", "Invalid Token: 'Invalid token'"},
		{"SendTaskSuccess", `{"taskToken":"x","output":"{"}`, "InvalidOutput", ""},
		{"GetActivityTask", `{"activityArn":"arn:aws:states:us-east-1:000000000000:activity:a"}`, "ActivityDoesNotExist", "Activity Does Not Exist: 'arn:aws:states:us-east-1:000000000000:activity:a'"},
		{"TagResource", `{"resourceArn":"` + nobody + `","tags":[]}`, "ResourceNotFound", "Resource not found: '" + nobody + "'"},
		{"UpdateStateMachine", `{"stateMachineArn":"` + arn + `"}`, "MissingRequiredParameter", "Either the definition, the role ARN, the LoggingConfiguration, the EncryptionConfiguration or the TracingConfiguration must be specified"},
		{"RedriveExecution", `{"executionArn":"x"}`, "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: x'"},
		{"RedriveExecution", `{"executionArn":"arn:aws:states:us-east-1:000000000000:express:m:a:b"}`, "InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'"},
		{"RedriveExecution", `{"executionArn":"` + ended + `"}`, "ExecutionNotRedrivable", "Execution is not redrivable: 'Execution is SUCCEEDED and cannot be redriven'"},
		{"RedriveExecution", `{"executionArn":"` + ended + `","clientToken":"a b"}`, "ValidationException", ""},
	}
	for _, tt := range tests {
		status, v := post(t, h, tt.operation, tt.body)
		if got := v.Get("__type").Str(); status != http.StatusBadRequest || got != tt.exception || tt.message != "" && v.Get("message").Str() != tt.message {
			t.Errorf("%s %.200s: status %d, %v, want %s %q", tt.operation, tt.body, status, v, tt.exception, tt.message)
		}
	}
}

// TestHostile sends what no client sends. Each call is answered with a 4xx
// within a second, and the server lives on with flat memory.
func TestHostile(t *testing.T) {
	h := serve(t)
	arn := machine(t, h, "m", "STANDARD")
	deep := strings.Repeat("[", 100_000)
	quoted := strings.Repeat(`\"`, 1000)
	bodies := []struct{ operation, body string }{
		{"StartExecution", ``},
		{"StartExecution", `{`},
		{"StartExecution", `null`},
		{"StartExecution", `[]`},
		{"StartExecution", `"x"`},
		{"StartExecution", `{"stateMachineArn":7}`},
		{"StartExecution", `{"stateMachineArn":null}`},
		{"StartExecution", `{"stateMachineArn":["` + arn + `"]}`},
		{"StartExecution", `{"stateMachineArn":""}`},
		{"StartExecution", `{"stateMachineArn":"arn:aws:states"}`},
		{"StartExecution", `{"stateMachineArn":"arn:aws:states:::stateMachine:m"}`},
		{"StartExecution", `{"stateMachineArn":"` + arn + `:1"}`},
		{"StartExecution", `{"stateMachineArn":"` + arn + `","input":"` + deep + `"}`},
		{"StartExecution", `{"stateMachineArn":"` + arn + `","input":{"a":1}}`},
		{"StartExecution", `{"stateMachineArn":"` + arn + `","input":"\u0000"}`},
		{"StartExecution", "{\"stateMachineArn\":\"\xff\xfe\"}"},
		{"StartExecution", `{"stateMachineArn":"` + arn + `","name":"` + strings.Repeat("n", 81) + `"}`},
		{"StartExecution", `{"stateMachineArn":"x","stateMachineArn":"y"}`},
		{"StartExecution", deep},
		{"StartExecution", strings.Repeat(`{"a":`, 100_000)},
		{"StartExecution", `{"stateMachineArn":"` + strings.Repeat("a", 10<<20) + `"}`},
		{"CreateStateMachine", `{"name":"a","roleArn":"` + role + `","definition":"` + deep + `"}`},
		{"CreateStateMachine", `{"name":"a","roleArn":"` + role + `","definition":"{\"StartAt\":` + quoted + `"}`},
		{"CreateStateMachine", `{"name":"` + quoted + `","roleArn":"` + role + `","definition":"{}"}`},
		{"CreateStateMachine", `{"name":"a","roleArn":"` + role + `","definition":"{}","type":"FAST"}`},
		{"CreateStateMachine", `{"name":"a","roleArn":"` + role + `","definition":"{}","tags":{"a":"b"}}`},
		{"CreateStateMachine", `{"name":"a","roleArn":"` + role + `","definition":"{}","tags":[{"key":1}]}`},
		{"GetExecutionHistory", `{"executionArn":"` + arn + `","maxResults":-1}`},
		{"GetExecutionHistory", `{"executionArn":"` + arn + `","maxResults":1e99}`},
		{"SendTaskSuccess", `{"taskToken":"` + strings.Repeat("A", 2048) + `","output":"1"}`},
		{"SendTaskHeartbeat", `{"taskToken":""}`},
		{"Nothing", `{}`},
		{"", `{}`},
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, b := range bodies {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/any/prefix", bytes.NewReader([]byte(b.body)))
		r.Header.Set("X-Amz-Target", "AWSStepFunctions."+b.operation)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=////,,=")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		v, err := value.Decode(w.Body.Bytes())
		if err != nil || w.Code < 400 || w.Code > 499 || v.Get("__type").Str() == "" || w.Header().Get("X-Amzn-Requestid") == "" {
			t.Errorf("%s %.100q: status %d, %.200s", b.operation, b.body, w.Code, w.Body)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > before.HeapAlloc+(8<<20) {
		t.Errorf("the heap grew from %d to %d bytes", before.HeapAlloc, after.HeapAlloc)
	}
	must(t, h, "StartExecution", `{"stateMachineArn":"`+arn+`"}`)
}

func TestPages(t *testing.T) {
	h := serve(t)
	arn := machine(t, h, "m", "STANDARD")
	for i := range 7 {
		must(t, h, "StartExecution", fmt.Sprintf(`{"stateMachineArn":%q,"name":"x%d"}`, arn, i))
		machine(t, h, fmt.Sprintf("machine-%d", i), "STANDARD")
		must(t, h, "CreateActivity", fmt.Sprintf(`{"name":"a%d"}`, i))
	}
	tests := []struct {
		operation, asked, list, name string
		want                         int
	}{
		{"ListExecutions", `"stateMachineArn":"` + arn + `"`, "executions", "executionArn", 7},
		{"ListStateMachines", `"maxResults":3`, "stateMachines", "stateMachineArn", 8},
		{"ListActivities", `"maxResults":3`, "activities", "activityArn", 7},
		{"GetExecutionHistory", `"executionArn":"arn:aws:states:us-east-1:000000000000:execution:m:x1"`, "events", "id", 4},
		{"GetExecutionHistory", `"reverseOrder":true,"executionArn":"arn:aws:states:us-east-1:000000000000:execution:m:x1"`, "events", "id", 4},
	}
	for _, tt := range tests {
		seen := make(map[string]bool)
		body := "{" + tt.asked + `,"maxResults":3}`
		for {
			page := must(t, h, tt.operation, body)
			if n := page.Get(tt.list).Len(); n > 3 {
				t.Errorf("%s: a page of %d", tt.operation, n)
			}
			for _, item := range page.Get(tt.list).Items() {
				seen[item.Get(tt.name).String()] = true
			}
			token := page.Get("nextToken").Str()
			if token == "" {
				break
			}
			body = "{" + tt.asked + `,"maxResults":3,"nextToken":"` + token + `"}`
			if status, _ := post(t, h, "ListExecutions", `{"stateMachineArn":"`+arn+`","statusFilter":"FAILED","nextToken":"`+token+`"}`); status == http.StatusOK {
				t.Errorf("%s: the token was taken for another list", tt.operation)
			}
		}
		if len(seen) != tt.want {
			t.Errorf("%s %s: %d items, want %d", tt.operation, tt.asked, len(seen), tt.want)
		}
	}
}

func TestTags(t *testing.T) {
	h := serve(t)
	arn := machine(t, h, "m", "STANDARD")
	must(t, h, "TagResource", `{"resourceArn":"`+arn+`","tags":[{"key":"a","value":"1"},{"key":"b","value":"2"}]}`)
	must(t, h, "TagResource", `{"resourceArn":"`+arn+`","tags":[{"key":"a","value":"3"}]}`)
	must(t, h, "UntagResource", `{"resourceArn":"`+arn+`","tagKeys":["b","c"]}`)
	if got := must(t, h, "ListTagsForResource", `{"resourceArn":"`+arn+`"}`).String(); got != `{"tags":[{"key":"a","value":"3"}]}` {
		t.Error(got)
	}
	act := must(t, h, "CreateActivity", `{"name":"a","tags":[{"key":"a","value":"1"},{"key":"b","value":"2"},{"key":"a","value":"3"}]}`).Get("activityArn").Str()
	if got := must(t, h, "ListTagsForResource", `{"resourceArn":"`+act+`"}`).String(); got != `{"tags":[{"key":"a","value":"3"},{"key":"b","value":"2"}]}` {
		t.Errorf("one key twice: %s", got)
	}
}

func TestTenantsByAccessKey(t *testing.T) {
	h := serve(t)
	r := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(`{"name":"a"}`))
	r.Header.Set("X-Amz-Target", "AWSStepFunctions.CreateActivity")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=123456789012/20260101/eu-west-1/states/aws4_request, SignedHeaders=host, Signature=x")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), "arn:aws:states:eu-west-1:123456789012:activity:a") {
		t.Error(w.Body)
	}
}

// BenchmarkStartExecution is the API without a network: five states.
func BenchmarkStartExecution(b *testing.B) {
	h := serve(b)
	arn := must(b, h, "CreateStateMachine", fmt.Sprintf(`{"name":"m","roleArn":%q,"definition":%q}`, role,
		`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"C"},"C":{"Type":"Pass","Next":"D"},"D":{"Type":"Pass","Next":"E"},"E":{"Type":"Succeed"}}}`)).Get("stateMachineArn").Str()
	body := `{"stateMachineArn":"` + arn + `","input":"{\"n\":7}"}`
	b.ReportAllocs()
	for b.Loop() {
		must(b, h, "StartExecution", body)
	}
}

// TestTimedOut: that it was States.Timeout stands in the history only, as on AWS.
func TestTimedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t)
		must(t, h, "CreateStateMachine", `{"name":"m","roleArn":"`+role+`","definition":"{\"StartAt\":\"A\",\"TimeoutSeconds\":3,\"States\":{\"A\":{\"Type\":\"Wait\",\"Seconds\":25,\"End\":true}}}"}`)
		must(t, h, "StartExecution", `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m","name":"x"}`)
		time.Sleep(10 * time.Second) // of the bubble's clock
		synctest.Wait()
		const x = "arn:aws:states:us-east-1:000000000000:execution:m:x"
		converse(t, h, []call{
			{"DescribeExecution", `{"executionArn":"` + x + `"}`, `{"executionArn":"` + x + `","stateMachineArn":"SM","name":"x","status":"TIMED_OUT","input":"{}","inputDetails":{"included":true},"redriveCount":0,"redriveStatus":"REDRIVABLE"}`},
		})
		last := must(t, h, "GetExecutionHistory", `{"executionArn":"`+x+`","reverseOrder":true}`).Get("events").At(0)
		if got := last.Get("executionTimedOutEventDetails").String(); got != `{"error":"States.Timeout"}` {
			t.Errorf("the history ends with %v", last)
		}
	})
}

func decoded(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}
