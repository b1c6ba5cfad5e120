package steppe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cockroach "github.com/cockroachdb/pebble/v2"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/catalogue"
)

// customerKey is the key of the tests.
var customerKey = catalogue.EncryptionKey{ID: "alias/k", Key: bytes.Repeat([]byte{7}, 32)}

// TestEncryptedAtRest has the marker in all that may hold a payload of an
// encrypted machine, and looks for it in all bytes of the data directory: in its
// files, of which the log is not compressed, and in keys and values. The same
// machine without encryption shows that it would be found.
func TestEncryptedAtRest(t *testing.T) {
	const marker = "SECRETMARKER"
	for _, encrypt := range []bool{false, true} {
		dir := t.TempDir()
		configuration := `"encryptionConfiguration":{"type":"AWS_OWNED_KEY"}`
		if encrypt {
			configuration = `"encryptionConfiguration":{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"alias/k","kmsDataKeyReusePeriodSeconds":60}`
		}
		server, err := steppe.Open(steppe.Config{
			Dir: dir, VirtualTime: true, EncryptionKeys: []catalogue.EncryptionKey{customerKey}, Index: []string{"input.id", "output"},
		})
		if err != nil {
			t.Fatal(err)
		}
		places := fillWithSecrets(t, server, marker, configuration)
		files := inFiles(t, dir, marker)
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		found, terms := inKeys(t, dir, marker, places)
		if encrypt {
			const ofFork = 1
			if files || len(found) > 0 || terms > ofFork {
				t.Errorf("the marker is found: in files %v, in keys and values as %q; %d terms", files, found, terms)
			}
			continue
		}
		if !files || terms == 0 {
			t.Error("nothing is found where nothing is encrypted: the test is blind")
		}
		for _, place := range places {
			if !slices.Contains(found, place) {
				t.Errorf("%s of a machine that is not encrypted is not found: the test is blind", place)
			}
		}
	}
}

// secretive has a MARK in all that a definition, and executions of it, may hold.
const secretive = `{
  "Comment": "MARKComment", "QueryLanguage": "JSONata", "StartAt": "MARKState",
  "States": {
    "MARKState": {"Type": "Pass", "Assign": {"MARKName": "{% 'MARK' & 'Variable' %}"}, "Next": "Task"},
    "Task": {"Type": "Task", "Resource": "ECHO", "Arguments": {"a": "{% 'MARK' & 'TaskInput' %}"}, "Output": "{% $states.input %}", "Next": "Caught"},
    "Caught": {"Type": "Task", "Resource": "ECHO", "Arguments": "Fail", "Output": "{% $states.input %}", "Next": "Map",
      "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}], "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.input %}", "Next": "Map"}]},
    "Map": {"Type": "Map", "Items": "{% ['MARK' & 'Item'] %}", "Output": "{% $states.input %}", "Next": "Ask",
      "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}},
    "Ask": {"Type": "Task", "Resource": "ACTIVITY", "Arguments": "{% 'MARK' & 'ActivityInput' %}", "Output": "{% 'MARK' & 'Output' %}", "Next": "End"},
    "End": {"Type": "Choice", "Choices": [{"Condition": "{% $states.context.Execution.Input.fail %}", "Next": "Fail"}], "Default": "Done"},
    "Done": {"Type": "Succeed"},
    "Fail": {"Type": "Fail", "Error": "{% 'MARK' & 'Error' %}", "Cause": "{% 'MARK' & 'Cause' %}"}
  }}`

// fillWithSecrets stores payloads that begin with a marker, and returns what
// follows it in each.
func fillWithSecrets(t *testing.T, server *steppe.Server, marker, configuration string) []string {
	t.Helper()
	steppe.RegisterFunction(server, "echo", func(_ context.Context, in json.RawMessage) (json.RawMessage, error) {
		if bytes.Contains(in, []byte("Fail")) {
			return nil, errors.New(marker + "TaskCause")
		}
		return json.RawMessage(`"` + marker + `TaskResult"`), nil
	})
	call := func(operation, body string) map[string]string {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(strings.ReplaceAll(body, "MARK", marker)))
		r.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
		return answer(t, server, r)
	}
	activity := call("CreateActivity", `{"name":"a",`+configuration+`}`)["activityArn"]
	definition, _ := json.Marshal(strings.NewReplacer("ECHO", server.FunctionARN("echo"), "ACTIVITY", activity).Replace(secretive))
	create := func(kind, definition string) string {
		return call("CreateStateMachine", `{"name":"`+kind+`","type":"`+kind+`","publish":true,"roleArn":"arn:aws:iam::000000000000:role/r","definition":`+definition+`,`+configuration+`}`)["stateMachineArn"]
	}
	express := create("EXPRESS", strings.Replace(string(definition), activity, server.FunctionARN("echo"), 1)) // it may have no activity
	call("StartExecution", `{"stateMachineArn":"`+express+`","input":"{\"id\":\"MARKExpressInput\"}"}`)
	arn := create("STANDARD", string(definition))
	start := func(input string) string {
		return call("StartExecution", `{"stateMachineArn":"`+arn+`","input":"`+input+`"}`)["executionArn"]
	}
	end := func(execution, operation, with, want string) {
		t.Helper()
		token := call("GetActivityTask", `{"activityArn":"`+activity+`"}`)["taskToken"]
		call(operation, `{"taskToken":"`+token+`",`+with+`}`)
		if d, err := server.Engine().Wait(t.Context(), execution); err != nil || d.Status.String() != want {
			t.Fatalf("%+v, %v, want %s", d, err, want)
		}
	}
	origin := start(`{\"id\":\"MARKInput\",\"fail\":false}`)
	end(origin, "SendTaskSuccess", `"output":"\"MARKTokenOutput\""`, "SUCCEEDED")
	end(start(`{\"id\":\"MARKInput\",\"fail\":true}`), "SendTaskSuccess", `"output":"\"MARKTokenOutput\""`, "FAILED")
	end(start(`{\"id\":\"MARKInput\"}`), "SendTaskFailure", `"error":"MARKTokenError","cause":"MARKTokenCause"`, "FAILED")
	call("StopExecution", `{"executionArn":"`+start(`{\"id\":\"MARKInput\"}`)+`","error":"MARKStopError","cause":"MARKStopCause"}`)
	forked := strings.Replace(string(definition), "MARKComment", "MARKForkedComment", 1)
	body := strings.ReplaceAll(`{"executionArn":"`+origin+`","event":1,"definition":`+forked+`,"input":"\"MARKForkInput\""}`, "MARK", marker)
	fork := httptest.NewRequest(http.MethodPost, "http://localhost/api/v1/forks", strings.NewReader(body))
	fork.Header.Set("Content-Type", "application/json")
	answer(t, server, fork)
	return []string{
		"Comment", "State", "Name", "Variable", "TaskInput", "TaskResult", "TaskCause", "Item", "ActivityInput", "Output", "Error", "Cause", "Input",
		"ForkedComment", "ForkInput", "TokenOutput", "TokenError", "TokenCause", "StopError", "StopCause",
	}
}

// answer makes a request and returns what of the answer is text.
func answer(t *testing.T, server *steppe.Server, r *http.Request) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	server.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s%s: %s", r.Header.Get("X-Amz-Target"), r.URL, w.Body)
	}
	var members map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	for name, member := range members {
		texts[name], _ = member.(string)
	}
	return texts
}

// inFiles reports whether the files of a directory have a text.
func inFiles(t *testing.T, dir, text string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || bytes.Contains(b, []byte(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// inKeys looks for a marker in the keys and values of a database. It returns which
// of the texts follow it, or "?", and the number of terms.
func inKeys(t *testing.T, dir, marker string, texts []string) (found []string, terms int) {
	t.Helper()
	db, err := cockroach.Open(dir, &cockroach.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if it.Key()[0] == 'q' {
			terms++
		}
		both := string(it.Key()) + "\x00" + string(it.Value())
		if !strings.Contains(both, marker) {
			continue
		}
		found = append(found, "?")
		for _, text := range texts {
			if strings.Contains(both, marker+text) {
				found = append(found, text)
			}
		}
	}
	return found, terms
}
