package steppe_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/value"
)

// answers is a test case that answers some states with their names.
type answers []string

func (a answers) States(name string) bool {
	return slices.Contains(a, name)
}

func (answers) Supports(asl.Resource) error { return nil }

func (answers) Perform(_ context.Context, task integration.Task) (*value.Doc, error) {
	return value.DocOf(value.Str("mocked " + task.StateName)), nil
}

func (a answers) Poll(ctx context.Context, task integration.Task, _ *value.Doc) (integration.Progress, error) {
	output, err := a.Perform(ctx, task)
	return integration.Progress{Done: true, Output: output}, err
}

func (answers) Stop(context.Context, integration.Task, *value.Doc) error { return nil }

// TestTestCases: StartExecution with #CASE has the states of the case mocked, and
// the others performed; with a bare # all are performed.
func TestTestCases(t *testing.T) {
	real := steppe.GoFunction("real", func(context.Context, json.RawMessage) (string, error) { return "performed", nil })
	server, err := steppe.Open(steppe.Config{
		Functions: []steppe.Function{real},
		TestCases: func(machine, testCase string) steppe.TestCase {
			if machine != "m" || testCase != "Happy" {
				return nil
			}
			return answers{"A", "Token", "Work"}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	call := func(operation, body string) (int, value.Value) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
		w := httptest.NewRecorder()
		server.Handler().ServeHTTP(w, r)
		v, err := value.Decode(w.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return w.Code, v
	}
	// A and Token have no integration here, and Work no worker.
	definition := value.Str(`{"StartAt":"A","States":{
	  "A":{"Type":"Task","Resource":"arn:aws:states:::dynamodb:getItem","Parameters":{},"ResultPath":"$.a","Next":"Token"},
	  "Token":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Parameters":{"MessageBody.$":"$$.Task.Token","QueueUrl":"q"},"ResultPath":"$.t","Next":"Work"},
	  "Work":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:w","ResultPath":"$.w","Next":"B"},
	  "B":{"Type":"Task","Resource":"` + server.FunctionARN("real") + `","ResultPath":"$.b","End":true}}}`).String()
	const role = "arn:aws:iam::000000000000:role/r"
	status, made := call("CreateStateMachine", `{"name":"m","roleArn":"`+role+`","definition":`+definition+`}`)
	if status != 200 {
		t.Fatal(made)
	}
	machine := made.Get("stateMachineArn").Str()
	end := func(suffix string) value.Value {
		t.Helper()
		status, started := call("StartExecution", `{"stateMachineArn":"`+machine+suffix+`"}`)
		if status != 200 {
			t.Fatal(started)
		}
		arn := started.Get("executionArn").Str()
		if _, err := server.Engine().Wait(t.Context(), arn); err != nil {
			t.Fatal(err)
		}
		_, described := call("DescribeExecution", `{"executionArn":"`+arn+`"}`)
		return described
	}
	if got := end("#Happy").Get("output").Str(); got != `{"a":"mocked A","t":"mocked Token","w":"mocked Work","b":"performed"}` {
		t.Error(got)
	}
	if got := end("#"); got.Get("status").Str() != "FAILED" || !strings.Contains(got.Get("cause").Str(), "there is no integration for dynamodb") {
		t.Error(got)
	}
	if status, got := call("StartExecution", `{"stateMachineArn":"`+machine+`#Sad"}`); status != 400 || got.Get("message").Str() != "The state machine m has no test case 'Sad' in the file of mocks." {
		t.Errorf("%d %v", status, got)
	}
	if _, err := steppe.Open(steppe.Config{Dir: t.TempDir(), TestCases: func(string, string) steppe.TestCase { return nil }}); err == nil || !strings.Contains(err.Error(), "keeps nothing") {
		t.Error(err)
	}
}
