package transfer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/engine/enginetest"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/transfer"
)

const (
	recordedStart = `{"timestamp":1772366400.125,"type":"ExecutionStarted","id":1,"previousEventId":0,"executionStartedEventDetails":{"input":"{ \"n\": 1.0 }","inputDetails":{"truncated":false}}}`
	recordedEnd   = `{"timestamp":"2026-03-01T12:00:01Z","type":"ExecutionAborted","id":2,"previousEventId":0,"executionAbortedEventDetails":{"error":"E"}}`
	recordedAgain = `{"timestamp":1772366500.5,"type":"ExecutionRedriven","id":3,"previousEventId":2,"executionRedrivenEventDetails":{"redriveCount":1}},` +
		`{"timestamp":1772366501.0,"type":"ExecutionSucceeded","id":4,"previousEventId":3,"executionSucceededEventDetails":{"output":"1","outputDetails":{"truncated":false}}}`
)

// TestReadRecordingRefuses: what would be lost, or cannot be, is refused.
func TestReadRecordingRefuses(t *testing.T) {
	for _, tt := range []struct{ name, answer, description, want string }{
		{"no object", `[]`, ``, `a history is {"events": [...]}`},
		{"no JSON", `{"events":[`, ``, "unexpected end of input"},
		{"more than one", `{"events":[]}{}`, ``, "text after the end of the value"},
		{"a page", `{"events":[],"nextToken":"t"}`, ``, "it has a nextToken"},
		{"a zero that would be left out", `{"events":[` + strings.Replace(recordedStart, `"executionStartedEventDetails":{`, `"executionStartedEventDetails":{"roleArn":"",`, 1) + `]}`, ``, "event 1: it could not be told again as it is"},
		{"private facts", `{"events":[` + strings.Replace(recordedStart, `"id":1`, `"id":1,"private":{"branch":1}`, 1) + `]}`, ``, "event 1: private: AWS has no such member"},
		{"another execution's description", `{"events":[` + recordedStart + "," + recordedEnd + `]}`, `{"executionArn":"a","status":"FAILED"}`, "the history tells of an execution that is ABORTED, the description of one that is FAILED"},
		{"another description", `{"events":[` + recordedStart + `]}`, `{"name":"a"}`, "the description of the execution has no executionArn"},
		{"no description", `{"events":[` + recordedStart + `]}`, `{`, "the description of the execution: invalid JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var description []byte
			if tt.description != "" {
				description = []byte(tt.description)
			}
			if _, err := transfer.ReadRecording([]byte(tt.answer), description); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// TestImportRecording: a history that was read backwards and has a redrive is
// told as it was, and the execution is found by what it has.
func TestImportRecording(t *testing.T) {
	answer := `{"events":[` + recordedStart + "," + recordedEnd + "," + recordedAgain + `],"ResponseMetadata":{"HTTPStatusCode":200}}`
	rec, err := transfer.ReadRecording([]byte(answer), []byte(`{"executionArn":"`+enginetest.Tenant.ARN("execution", "m:x")+`","status":"SUCCEEDED","traceHeader":"t"}`))
	if err != nil {
		t.Fatal(err)
	}
	rec.Definition = `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`
	s := memory.New(memory.Options{})
	for _, tt := range []struct {
		opts transfer.ImportOptions
		want transfer.Imported
	}{
		{transfer.ImportOptions{DryRun: true}, transfer.Imported{Machines: 1, Executions: 1, Writes: 2}},
		{transfer.ImportOptions{}, transfer.Imported{Machines: 1, Executions: 1, Writes: 2}},
		{transfer.ImportOptions{}, transfer.Imported{Same: 1}},
	} {
		n, err := transfer.ImportRecording(t.Context(), s, rec, tt.opts)
		if err != nil || n != tt.want {
			t.Errorf("%+v, %v; want %+v", n, err, tt.want)
		}
	}
	e := enginetest.Open(t, engine.Config{Store: s})
	d, err := e.Describe(t.Context(), rec.ARN)
	if err != nil {
		t.Fatal(err)
	}
	if d.Status != store.Succeeded || d.Redrives != 1 || d.Redriven.UnixMilli() != 1772366500500 || d.Input.String() != `{ "n": 1.0 }` || d.TraceHeader != "t" {
		t.Errorf("%+v", d)
	}
	events, _, err := e.History(t.Context(), d.ID, 0, 10, 0, false)
	if err != nil || len(events) != 4 || string(events[0].AppendJSON(nil, true)) != recordedStart {
		t.Errorf("%d events, %v", len(events), err)
	}
	found, err := e.Search(t.Context(), stored.Search{Tenant: enginetest.Tenant, Name: "x", From: time.UnixMilli(1772366400125), To: time.UnixMilli(1772366400126)})
	if err != nil || len(found.Executions) != 1 {
		t.Errorf("%d are found, %v", len(found.Executions), err)
	}
	if _, err := e.Fork(t.Context(), engine.ForkRequest{ARN: rec.ARN, At: 1}); err != nil {
		t.Error(err)
	}
	rec.Events = rec.Events[:2]
	if _, err := transfer.ImportRecording(t.Context(), s, rec, transfer.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "is there already, and differs") {
		t.Errorf("another history: %v", err)
	}
}
