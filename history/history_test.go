package history_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/value"
)

// full is an event with every field set, so that a field that is forgotten in
// the stored form shows.
func full(id int64, t history.Type) history.Event {
	doc := func(s string) *value.Doc { return value.NewDoc([]byte(s)) }
	return history.Event{
		ID: id, Previous: id - 1, Millis: 1_700_000_000_123 + id, Type: t,
		Name: "State", Input: doc(`{"a":1}`), Output: doc(`[1.0]`),
		Failure:  history.ErrorOutput{Error: new("E"), Cause: new("")},
		Resource: "invoke", ResourceType: "lambda", Region: "us-east-1",
		Timeout: 5, Heartbeat: 3, Index: 7, Length: 9,
		Assigned: []history.Variable{{Name: "x", Value: doc("42")}},
		Location: "Output/a", Worker: "w", MapRunArn: "arn", RoleArn: "role",
		VersionArn: "version", AliasArn: "alias", RedriveCount: 2, Credentials: doc(`{"RoleArn":"r"}`),
		Private: history.Private{
			Branch: 3, Due: 1_700_000_009_999, Retry: &history.Retry{Branch: 1, Retrier: 2, Due: 1_700_000_008_888, Previous: 4},
			Next: "B", Items: doc(`[]`), Limit: 40, Fork: &history.Fork{ExecutionArn: "other", Event: 3}, Token: "t",
		},
	}
}

func equalDocs(a, b *value.Doc) bool {
	return (a == nil) == (b == nil) && (a == nil || a.String() == b.String())
}

func TestStoredFormKeepsEveryField(t *testing.T) {
	var events []history.Event
	for i, typ := range history.Types() {
		events = append(events, full(int64(i+5), typ))
	}
	for i, n := 0, reflect.TypeFor[history.Event]().NumField(); i < n; i++ {
		if reflect.ValueOf(events[3]).Field(i).IsZero() {
			t.Fatalf("field %d of the event is zero: extend the test", i)
		}
	}
	data := history.Encode(nil, events)
	got, err := history.Decode(nil, data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(events, got, cmp.Comparer(equalDocs)); diff != "" {
		t.Errorf("decoded events differ (-want +got):\n%s", diff)
	}
}

func TestStoredFormHoldsAPayloadOnce(t *testing.T) {
	doc := value.NewDoc([]byte(`"payload payload payload payload"`))
	var events []history.Event
	for id := int64(1); id <= 20; id++ {
		events = append(events, history.Event{ID: id, Previous: id - 1, Millis: 1, Type: history.PassStateEntered, Name: "A", Input: doc})
	}
	one, twenty := len(history.Encode(nil, events[:1])), len(history.Encode(nil, events))
	if grown := twenty - one; grown > 19*8 {
		t.Errorf("19 more events with the same payload take %d bytes more", grown)
	}
}

func TestDecodeRefusesDamage(t *testing.T) {
	data := history.Encode(nil, []history.Event{full(1, history.TaskScheduled), full(2, history.TaskStarted)})
	if _, err := history.Decode(nil, nil); !errors.Is(err, history.ErrCorrupt) {
		t.Errorf("empty chunk: %v", err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		bad := append([]byte(nil), data...)
		bad[r.IntN(len(bad))] ^= byte(1 + r.IntN(255))
		_, _ = history.Decode(nil, bad[:r.IntN(len(bad)+1)]) // no panic, no hang
	}
}

func TestAppendJSON(t *testing.T) {
	doc := value.NewDoc([]byte(`{"k":"v"}`))
	tests := []struct {
		name  string
		event history.Event
		data  bool
		want  string
	}{
		{
			"entered",
			history.Event{ID: 2, Millis: 1700000000005, Type: history.PassStateEntered, Name: "A", Input: doc},
			true,
			`{"timestamp":1700000000.005,"type":"PassStateEntered","id":2,"previousEventId":0,"stateEnteredEventDetails":{"name":"A","input":"{\"k\":\"v\"}","inputDetails":{"truncated":false}}}`,
		},
		{
			"without data",
			history.Event{ID: 2, Type: history.PassStateEntered, Name: "A", Input: doc},
			false,
			`{"timestamp":0.000,"type":"PassStateEntered","id":2,"previousEventId":0,"stateEnteredEventDetails":{"name":"A"}}`,
		},
		{
			"no details",
			history.Event{ID: 5, Previous: 4, Type: history.MapStateFailed},
			true,
			`{"timestamp":0.000,"type":"MapStateFailed","id":5,"previousEventId":4}`,
		},
		{
			"empty failure",
			history.Event{ID: 5, Type: history.ExecutionAborted},
			true,
			`{"timestamp":0.000,"type":"ExecutionAborted","id":5,"previousEventId":0,"executionAbortedEventDetails":{}}`,
		},
		{
			"variables",
			history.Event{ID: 3, Previous: 2, Type: history.PassStateExited, Name: "A", Output: doc, Assigned: []history.Variable{{Name: "x", Value: value.NewDoc([]byte(`"s"`))}}},
			true,
			`{"timestamp":0.000,"type":"PassStateExited","id":3,"previousEventId":2,"stateExitedEventDetails":{"name":"A","output":"{\"k\":\"v\"}","outputDetails":{"truncated":false},"assignedVariables":{"x":"\"s\""},"assignedVariablesDetails":{"truncated":false}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := string(tt.event.AppendJSON(nil, tt.data))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryTypeHasItsDetails(t *testing.T) {
	for i, typ := range history.Types() {
		ev := full(int64(i+2), typ)
		v, err := value.Decode(ev.AppendJSON(nil, true))
		if err != nil {
			t.Errorf("%v: %v", typ, err)
		}
		if got := v.Get("type").Str(); got != typ.String() {
			t.Errorf("type = %q, want %q", got, typ)
		}
	}
	if n := len(history.Types()); n != 62 {
		t.Errorf("%d types, the model has 62", n)
	}
}

// TestWholeFormIsRead: what is written of an event is read again, of each type.
func TestWholeFormIsRead(t *testing.T) {
	var r history.Reader
	for i, typ := range history.Types() {
		ev := full(int64(i+2), typ)
		whole := ev.AppendWhole(nil)
		got, err := r.Event(value.NewScanner(whole))
		if err != nil {
			t.Errorf("%v: %v", typ, err)
			continue
		}
		if diff := cmp.Diff(string(whole), string(got.AppendWhole(nil))); diff != "" {
			t.Errorf("%v is written another way after it was read (-want +got):\n%s", typ, diff)
		}
		if diff := cmp.Diff(ev.Private, got.Private, cmp.Comparer(equalDocs)); diff != "" || !equalDocs(ev.Credentials, got.Credentials) {
			t.Errorf("%v: private facts differ (-want +got):\n%s", typ, diff)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	const head = `"timestamp":1.5,"id":2,"previousEventId":1,`
	for _, tt := range []struct{ name, event, want string }{
		{"no object", `7`, "an event is an object"},
		{"an unknown type", `{` + head + `"type":"StateEntered"}`, `there is no event type "StateEntered"`},
		{"no type", `{"timestamp":1.5,"id":2}`, "an event has timestamp, id and type"},
		{"no details", `{` + head + `"type":"PassStateEntered"}`, "stateEnteredEventDetails: it is missing"},
		{"details", `{` + head + `"type":"MapStateFailed","taskFailedEventDetails":{}}`, "taskFailedEventDetails: events of the type MapStateFailed have none"},
		{"other details", `{` + head + `"type":"PassStateEntered","taskFailedEventDetails":{}}`, "stateEnteredEventDetails: it is missing"},
		{"two details", `{` + head + `"type":"PassStateEntered","taskFailedEventDetails":{},"stateEnteredEventDetails":{}}`, "stateEnteredEventDetails: there are taskFailedEventDetails, too"},
		{"less than all", `{` + head + `"type":"PassStateEntered","stateEnteredEventDetails":{}}`, "stateEnteredEventDetails: not all is there"},
		{"more than all", `{` + head + `"type":"PassStateEntered","stateEnteredEventDetails":{"name":"A","index":7}}`, "stateEnteredEventDetails: there is more than events of the type PassStateEntered have"},
		{"an unknown member", `{` + head + `"type":"PassStateEntered","stateEnteredEventDetails":{"name":"A","colour":"red"}}`, "stateEnteredEventDetails: colour: it is not known here"},
		{"another kind", `{` + head + `"type":"PassStateEntered","stateEnteredEventDetails":{"name":7}}`, "stateEnteredEventDetails: name: its type is number, not string"},
		{"no object", `{` + head + `"type":"PassStateEntered","stateEnteredEventDetails":[]}`, "stateEnteredEventDetails: its type is array, not object"},
		{"no JSON", `{` + head + `"type":"PassStateEntered","stateEnteredEventDetails":{"name":"A","input":"{"}}`, "input: invalid JSON at byte 1: unexpected end of input"},
		{"a cut payload", `{` + head + `"type":"PassStateEntered","stateEnteredEventDetails":{"name":"A","input":"1","inputDetails":{"truncated":true}}}`, "truncated: what the history has is cut"},
		{"half of a payload", `{` + head + `"type":"PassStateEntered","stateEnteredEventDetails":{"name":"A","input":"1"}}`, "a payload and what is told of it come together"},
		{"no time", `{"timestamp":"yesterday","id":2,"previousEventId":1,"type":"MapStateFailed"}`, `timestamp: "yesterday" is no time`},
		{"a far time", `{"timestamp":1e300,"id":2,"previousEventId":1,"type":"MapStateFailed"}`, "timestamp: 1e300 is no time"},
		{"half a number", `{"timestamp":1,"id":2.5,"previousEventId":1,"type":"MapStateFailed"}`, "id: 2.5 is no whole number"},
		{"an unknown fact", `{` + head + `"type":"MapStateFailed","private":{"branch":1,"twig":2}}`, "private: twig: it is not known here"},
		{"half an event", `{` + head + `"type":"MapState`, "unexpected end of input"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r history.Reader
			if _, err := r.Event(value.NewScanner([]byte(tt.event))); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// TestReaderTakesTimesAsText, as the AWS CLI prints them.
func TestReaderTakesTimesAsText(t *testing.T) {
	var r history.Reader
	for text, want := range map[string]int64{
		`"2026-03-01T12:00:00.125000+00:00"`: 1772366400125, `"2026-03-01T14:00:00.125000+02:00"`: 1772366400125,
		`"2026-03-01T12:00:00Z"`: 1772366400000, `1772366400.125`: 1772366400125, `1772366400`: 1772366400000, `-1.5`: -1500,
	} {
		event := `{"timestamp":` + text + `,"id":1,"previousEventId":0,"type":"MapStateFailed"}`
		if ev, err := r.Event(value.NewScanner([]byte(event))); err != nil || ev.Millis != want {
			t.Errorf("%s: %d, %v; want %d", text, ev.Millis, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(history.Encode(nil, []history.Event{full(1, history.TaskScheduled)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := history.Decode(nil, data)
		if err == nil && len(events) > len(data) {
			t.Errorf("%d events of %d bytes", len(events), len(data))
		}
	})
}

// FuzzReader reads events that may be none: what is read can be written and read
// again.
func FuzzReader(f *testing.F) {
	for _, typ := range []history.Type{history.ExecutionStarted, history.TaskScheduled, history.MapStateStarted} {
		ev := full(2, typ)
		f.Add(ev.AppendWhole(nil))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var r history.Reader
		ev, err := r.Event(value.NewScanner(text))
		if err != nil {
			return
		}
		whole := ev.AppendWhole(nil)
		again, err := r.Event(value.NewScanner(whole))
		if err != nil || string(again.AppendWhole(nil)) != string(whole) {
			t.Errorf("%s is read as %s, %v", text, whole, err)
		}
	})
}
