package transfer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/engine/enginetest"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/transfer"
)

// smallWorld is a store with an activity, a machine with a version and an alias,
// an execution that has ended and one that runs.
func smallWorld(t *testing.T) *world {
	w := newWorld(t, 1)
	ctx := t.Context()
	definition := `{"StartAt":"A","States":{"A":{"Type":"Wait","SecondsPath":"$.wait","Next":"B"},"B":{"Type":"Pass","End":true}}}`
	m, _, err := w.e.Catalogue().CreatePublished(ctx, catalogue.Machine{Tenant: enginetest.Tenant, Name: "m", Type: catalogue.Standard, Definition: definition, Created: w.now}, w.parsed(definition), "one")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.e.Catalogue().PutActivity(ctx, catalogue.Activity{Tenant: enginetest.Tenant, Name: "a", Created: w.now}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.e.Catalogue().PutAlias(ctx, m, catalogue.Alias{Name: "live", Routes: []catalogue.Route{{Version: 1, Weight: 100}}, Created: w.now, Updated: w.now}); err != nil {
		t.Fatal(err)
	}
	for name, input := range map[string]string{"ended": `{"wait":0}`, "running": `{"wait":1000}`} {
		if _, err := w.e.Start(ctx, engine.StartRequest{Machine: m, Name: name, Input: doc(input)}); err != nil {
			t.Fatal(err)
		}
		w.e.Tick(ctx, w.now)
		w.run()
	}
	return w
}

// problems imports an export and gives what is told of its lines.
func problems(t *testing.T, s store.Store, export string, opts transfer.ImportOptions) (transfer.Imported, string) {
	t.Helper()
	var told []string
	opts.Problem = func(line int, text string) { told = append(told, fmt.Sprintf("%d: %s", line, text)) }
	n, err := transfer.Import(t.Context(), s, strings.NewReader(export), opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != n.Problems {
		t.Errorf("%d problems are counted, and told are %q", n.Problems, told)
	}
	return n, strings.Join(told, "\n")
}

// line gives the line of an export that has a text, with its end.
func line(t *testing.T, export, text string) string {
	for l := range strings.Lines(export) {
		if strings.Contains(l, text) {
			return l
		}
	}
	t.Fatalf("no line has %s", text)
	return ""
}

// TestImportRefuses: no line that an export cannot have gets into a store, and
// whoever reads what is told of it finds the line.
func TestImportRefuses(t *testing.T) {
	export := enginetest.Exported(t, smallWorld(t).store, transfer.ExportOptions{Secret: true})
	machine, ended := line(t, export, `{"kind":"stateMachine"`), line(t, export, ":ended")
	for _, tt := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"no JSON", ended, ended[:len(ended)/2] + "\n", "unexpected end of input"},
		{"no object", ended, "[]\n", "a line is an object with a member kind"},
		{"no kind", ended, "{}\n", "a line is an object with a member kind"},
		{"an unknown kind", `"kind":"activity"`, `"kind":"activities"`, `3: there is no kind "activities"`},
		{"another format", `"version":1`, `"version":2`, "1: the format is steppe-export 2; this program knows steppe-export 1"},
		{"no first line", `{"format":"steppe-export","version":1}` + "\n", "", `1: an export begins with {"format":"steppe-export","version":1}`},
		{"no last line", line(t, export, `{"kind":"end"`), "", "the export is cut"},
		{"less than there was", ended, "", "the export had 1 state machines, 1 activities and 2 executions; here are 1, 1 and 1 of them"},
		{"an unknown member", `"kind":"activity"`, `"kind":"activity","colour":"red"`, `unknown field "colour"`},
		{"a token key that is none", `"taskTokenKey":"`, `"taskTokenKey":"%`, "illegal base64 data"},
		{"no token key", line(t, export, `{"kind":"secret"`), `{"kind":"secret"}` + "\n", "taskTokenKey is missing"},
		{"an activity of no name", `:activity:a"`, `:acts:a"`, "activityArn"},

		{"no machine", machine, `{"kind":"end"}` + "\n", "begins with"},
		{"a machine of no name", `"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m"`, `"stateMachineArn":"m"`, "stateMachineArn is no ARN of a state machine"},
		{"a machine's status", `"status":"ACTIVE"`, `"status":"IDLE"`, `there is no status "IDLE"`},
		{"a machine's type", `"type":"STANDARD"`, `"type":"SLOW"`, `there is no type "SLOW"`},
		{"a machine's date", `"creationDate":1700000000.000,"revision"`, `"creationDate":1e99,"revision"`, "1e99 is no time in seconds since 1970"},
		{"no definition", `\"StartAt\":\"A\"`, `\"StartAt\":\"Z\"`, "its definition is not valid: Invalid State Machine Definition"},
		{"no revision", `"revision":"0","publishedAtCreation"`, `"revision":"1","publishedAtCreation"`, "its revision 1 is not there"},
		{"a version of no revision", `"version":1,"revision":"0"`, `"version":1,"revision":"5"`, "version 1 cannot be: its revision is 5"},
		{"a version after the last", `"lastVersion":1`, `"lastVersion":0`, "and the last version 0"},
		{"an alias of no version", `"routingConfiguration":[{"version":1`, `"routingConfiguration":[{"version":2`, "the alias live leads to version 2, which is not there"},
		{"weights", `"weight":100`, `"weight":99`, `the weights of the alias "live" add up to 99`},
		{"one number twice", machine, machine + machine, "the export has another state machine with the number 1"},

		{"an execution of no machine", `"stateMachine":1`, `"stateMachine":7`, "its state machine stands in no line before"},
		{"an execution of another machine", ":execution:m:ended", ":execution:n:ended", "execution:n:ended is no execution of arn:aws:states:us-east-1:000000000000:stateMachine:m"},
		{"an execution of no revision", `"stateMachine":1,"revision":"0"`, `"stateMachine":1,"revision":"4"`, "has no revision 4"},
		{"an execution of no name", `:execution:m:ended`, `:execution:m`, "executionArn is no ARN of an execution"},
		{"a name that is none", `:execution:m:ended`, `:execution:m:en/ded`, "executionArn is no ARN of an execution"},
		{"an account that is none", `"stateMachineArn":"arn:aws:states:us-east-1:000000000000`, `"stateMachineArn":"arn:aws:states:us-east-1:0/us-east-1`, "stateMachineArn is no ARN of a state machine"},
		{"a long time", `"retentionInSeconds":7776000`, `"retentionInSeconds":7776000000000000000`, "retentionInSeconds is 7776000000000000000, and cannot be"},
		{"an id", `"id":"00`, `"id":"0`, "it has 32 hexadecimal digits"},
		{"an id of another shard", `"id":"00`, `"id":"ff`, "and the store has 16"},
		{"an id of another time", `"startDate":1700000000.000,"stopDate"`, `"startDate":1700000001.000,"stopDate"`, "id and startDate tell different times"},
		{"a status", `"status":"SUCCEEDED"`, `"status":"DONE"`, `there is no status "DONE"`},
		{"another status", `"status":"SUCCEEDED"`, `"status":"FAILED"`, "its history says SUCCEEDED"},
		{"another end", `"stopDate":1700000000.000`, `"stopDate":1700000009.000`, "its record says SUCCEEDED, start 1700000000000, end 1700000009000"},
		{"a redrive that was not", `"status":"SUCCEEDED"`, `"redriveCount":1,"status":"SUCCEEDED"`, "1 redrives"},
		{"no events", ended, ended[:strings.Index(ended, `"events":[`)] + `"events":[]}` + "\n", "it has no events"},
		{"an event less", `,{"timestamp":1700000000.000,"type":"WaitStateExited"`, `,{"timestamp":1700000000.000,"type":"Gone"`, `event 3: there is no event type "Gone"`},
		{"a gap", `"id":3,"previousEventId":2`, `"id":4,"previousEventId":2`, "event 3 has the number 4"},
		{"a link ahead", `"id":3,"previousEventId":2`, `"id":3,"previousEventId":3`, "event 3 has the number 3 and links to event 3"},
		{"an end too early", `"type":"WaitStateExited","id":3,"previousEventId":2,"stateExitedEventDetails"`, `"type":"ExecutionAborted","id":3,"previousEventId":2,"stateExitedEventDetails"`, "executionAbortedEventDetails: it is missing"},
		{"a state that is not there", `"stateEnteredEventDetails":{"name":"B"`, `"stateEnteredEventDetails":{"name":"C"`, `enters the state "C", which the definition has not`},
		{"a branch that is not there", `"type":"PassStateEntered","id":4`, `"private":{"branch":3},"type":"PassStateEntered","id":4`, "is of branch 3, which is not there"},
		{"another end than the events add up to", ended, strings.Replace(ended[:strings.LastIndex(ended, `,{"timestamp"`)]+"]}\n", `"status":"SUCCEEDED"`, `"status":"RUNNING"`, 1), "its record says RUNNING"},
		{"half a step", ended, strings.Replace(strings.Replace(ended[:strings.LastIndex(ended, `,{"timestamp"`)]+"]}\n", `"status":"SUCCEEDED"`, `"status":"RUNNING"`, 1), `"stopDate":1700000000.000,`, "", 1), "its history ends in the middle of a step, with event 5"},
		{"one that AWS recorded and runs", `"status":"RUNNING"`, `"foreign":true,"status":"RUNNING"`, "AWS recorded it, and it has not ended"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := strings.Replace(export, tt.old, tt.new, 1)
			if bad == export && tt.name != "nothing" {
				t.Fatalf("%s is not there", tt.old)
			}
			for _, dry := range []bool{true, false} {
				s := memory.New(memory.Options{})
				n, told := problems(t, s, bad, transfer.ImportOptions{DryRun: dry})
				if !strings.Contains(told, tt.want) || (told == "") != (tt.want == "") {
					t.Errorf("told is\n%s\nwant %s", told, tt.want)
				}
				left, err := s.Executions(t.Context(), store.ExecutionID{}, 0)
				if err != nil || !dry && len(left) != n.Executions || dry && len(left) > 0 {
					t.Errorf("%d executions are there, %v", len(left), err)
				}
			}
		})
	}
}

// TestImportConflicts: what is there already stays as it is; what differs is
// refused by name, or left out.
func TestImportConflicts(t *testing.T) {
	w := smallWorld(t)
	export := enginetest.Exported(t, w.store, transfer.ExportOptions{})
	other := memory.New(memory.Options{})
	enginetest.Imported(t, other, export, transfer.ImportOptions{})
	ended := line(t, export, ":ended")
	id := ended[strings.Index(ended, `"id":"`)+6:][:32]
	for _, tt := range []struct {
		name, old, new, want string
		skip                 transfer.Imported
	}{
		{"an activity", `"activityArn":"arn:aws:states:us-east-1:000000000000:activity:a","creationDate":1700000000.000`, `"activityArn":"arn:aws:states:us-east-1:000000000000:activity:a","creationDate":1600000000.000`, "activity:a is there already, and differs", transfer.Imported{Same: 3, Skipped: 1}},
		{"a machine of the same definition", `"publishedAtCreation":"one"`, `"publishedAtCreation":"two"`, "stateMachine:m is there already, and differs", transfer.Imported{Same: 3, Skipped: 1}},
		{"a machine of another definition", `"definition":"{`, `"definition":"{ `, "stateMachine:m is there already, and differs", transfer.Imported{Same: 3, Skipped: 1}},
		{"a name", id, another(id), "execution:m:ended is there already, and differs", transfer.Imported{Same: 3, Skipped: 1}},
		{"a payload", `{\"wait\":0}`, `{\"wait\": 0}`, "execution:m:ended is there already, and differs", transfer.Imported{Same: 3, Skipped: 1}},
		{"an id of another name", ":execution:m:ended", ":execution:m:other", "execution:m:other is there already, and differs", transfer.Imported{Same: 3, Skipped: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			changed := strings.Replace(export, tt.old, tt.new, 1)
			if changed == export {
				t.Fatalf("%s is not there", tt.old)
			}
			n, told := problems(t, other, changed, transfer.ImportOptions{})
			if n.Problems != 1 || !strings.Contains(told, tt.want) {
				t.Errorf("%+v: %s, want %s", n, told, tt.want)
			}
			if n, told := problems(t, other, changed, transfer.ImportOptions{Skip: true}); n != tt.skip {
				t.Errorf("skipping: %+v, want %+v\n%s", n, tt.skip, told)
			}
			if now := enginetest.Exported(t, other, transfer.ExportOptions{}); now != export {
				t.Error("the store was changed")
			}
		})
	}
	// Executions of a definition that the store has otherwise are left out.
	changed := strings.Replace(strings.Replace(export, `"definition":"{`, `"definition":"{ `, 1), ":ended", ":another", 1)
	changed = strings.Replace(changed, id, another(id), 1)
	if n, told := problems(t, other, changed, transfer.ImportOptions{Skip: true}); n != (transfer.Imported{Same: 2, Skipped: 2}) {
		t.Errorf("%+v\n%s", n, told)
	}
}

// another is another id of an execution that started at the same time.
func another(id string) string {
	last := "0"
	if strings.HasSuffix(id, last) {
		last = "1"
	}
	return id[:31] + last
}

// TestImportTwo: a file may hold several exports, and a cut one is taken when it
// is asked for.
func TestImportTwo(t *testing.T) {
	export := enginetest.Exported(t, smallWorld(t).store, transfer.ExportOptions{})
	first := strings.Replace(strings.Replace(export, line(t, export, ":ended"), "", 1), line(t, export, `"end"`), "", 1)
	s := memory.New(memory.Options{})
	if n, told := problems(t, s, first+export, transfer.ImportOptions{}); n.Problems != 1 || !strings.Contains(told, "6: another export begins, and the last line of the one before is not there") && !strings.Contains(told, "another export begins") {
		t.Errorf("%+v %s", n, told)
	}
	s = memory.New(memory.Options{})
	n := enginetest.Imported(t, s, first+"\n"+export, transfer.ImportOptions{Partial: true})
	if n != (transfer.Imported{Machines: 1, Activities: 1, Executions: 2, Running: 1, Same: 3, Writes: 4}) {
		t.Errorf("%+v", n)
	}
	if enginetest.Exported(t, s, transfer.ExportOptions{}) != export {
		t.Error("the export differs")
	}
}

// TestImportTokens: a task that waits for its token is answered in another store
// that has a key of its own, if the export has that of the first one.
func TestImportTokens(t *testing.T) {
	for _, secret := range []bool{false, true} {
		w := newWorld(t, 2)
		if err := w.e.Catalogue().PutActivity(t.Context(), catalogue.Activity{Tenant: enginetest.Tenant, Name: "a1"}); err != nil {
			t.Fatal(err)
		}
		m, err := w.e.Catalogue().CreateMachine(t.Context(), catalogue.Machine{Tenant: enginetest.Tenant, Name: "m", Type: catalogue.Standard, Definition: activityMachine}, w.parsed(activityMachine))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.e.Start(t.Context(), engine.StartRequest{Machine: m, Name: "x", Input: doc(`{}`)}); err != nil {
			t.Fatal(err)
		}
		token, _, err := w.e.ActivityTask(t.Context(), enginetest.Tenant.ARN("activity", "a1"), "w")
		if err != nil {
			t.Fatal(err)
		}
		export := enginetest.Exported(t, w.store, transfer.ExportOptions{Secret: secret})
		other := memory.New(memory.Options{})
		w.open(other)
		n := enginetest.Imported(t, other, export, transfer.ImportOptions{})
		if want := map[bool]int{false: 1, true: 0}[secret]; n.Tokens != want {
			t.Errorf("%d tokens are not valid, want %d", n.Tokens, want)
		}
		if !secret {
			continue
		}
		enginetest.Imported(t, other, export, transfer.ImportOptions{})
		e := w.open(other)
		if err := e.SendTask(t.Context(), token, succeeded(`"done"`)); err != nil {
			t.Error(err)
		}
		if d, err := e.Describe(t.Context(), enginetest.Tenant.ARN("execution", "m:x")); err != nil || d.Status != store.Succeeded {
			t.Errorf("%+v, %v", d, err)
		}
		third := memory.New(memory.Options{})
		enginetest.Imported(t, third, enginetest.Exported(t, other, transfer.ExportOptions{Secret: true}), transfer.ImportOptions{})
		if err := w.open(third).SendTask(t.Context(), token, succeeded(`"again"`)); !errors.Is(err, engine.ErrStale) {
			t.Errorf("the token in a third store: %v", err)
		}
	}
}

func succeeded(output string) interpreter.Message {
	return interpreter.Message{Kind: interpreter.TaskSucceeded, Output: doc(output)}
}
