package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/engine/enginetest"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/value"
)

var tenant = enginetest.Tenant

// open starts an engine that runs until the test ends.
func open(t testing.TB, cfg engine.Config) *engine.Engine {
	t.Helper()
	return enginetest.Open(t, cfg)
}

func create(t testing.TB, e *engine.Engine, typ catalogue.MachineType, definition string) *catalogue.Machine {
	t.Helper()
	m, err := e.Catalogue().CreateMachine(t.Context(), catalogue.Machine{Tenant: tenant, Name: "m", Type: typ, Definition: definition}, parse(t, definition))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func doc(text string) *value.Doc { return value.NewDoc([]byte(text)) }

// TestEffectsWaitForTheirCommit: a task whose schedule could not be made
// durable is not performed.
func TestEffectsWaitForTheirCommit(t *testing.T) {
	jobs := 0
	var registry integration.Registry
	e, err := engine.Open(t.Context(), engine.Config{
		Store:        memory.New(memory.Options{Fault: func(*store.Transition) memory.Fault { return memory.LoseBefore }}),
		Integrations: &registry, Go: func(func()) { jobs++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	m := create(t, e, catalogue.Standard, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::fake:work","End":true}}}`)
	if _, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")}); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("start: %v", err)
	}
	if jobs > 0 {
		t.Error("the task was performed")
	}
}

// TestStartIsIdempotentByName follows StartExecution's rule: the same name and
// input while the execution runs tells the first start again.
func TestStartIsIdempotentByName(t *testing.T) {
	e := open(t, engine.Config{})
	m := create(t, e, catalogue.Standard, `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":1000,"End":true}}}`)
	first, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: "x", Input: doc(`{"a":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: "x", Input: doc(`{ "a": 1 }`)})
	if err != nil || again.ARN != first.ARN || !again.At.Equal(first.At) {
		t.Errorf("the same start: %+v, %v; want %+v", again, err, first)
	}
	if _, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: "x", Input: doc(`{"a":2}`)}); !errors.Is(err, engine.ErrAlreadyExists) {
		t.Errorf("another input: %v", err)
	}
	if _, err := e.Stop(t.Context(), first.ARN, history.ErrorOutput{}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: "x", Input: doc(`{"a":1}`)}); !errors.Is(err, engine.ErrAlreadyExists) {
		t.Errorf("after its end: %v", err)
	}
}

// TestYearOfWaiting: an execution that waits for a year is parked, costs no
// memory to speak of, and goes on in time.
func TestYearOfWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, engine.Config{})
		m := create(t, e, catalogue.Standard, `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":31536000,"End":true}}}`)
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{"a":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		if all, loaded := e.Residents(); all != 1 || loaded != 0 {
			t.Errorf("%d executions in memory, %d of them loaded", all, loaded)
		}
		d, err := e.Wait(t.Context(), started.ARN)
		if err != nil {
			t.Fatal(err)
		}
		if took := d.Stop.Sub(d.Start); took != 31536000*time.Second || d.Status != store.Succeeded {
			t.Errorf("%v after %v", d.Status, took)
		}
	})
}

// TestTimers: retries, heartbeats, task and execution timeouts fire when they
// are due and not before.
func TestTimers(t *testing.T) {
	tests := []struct {
		name, definition string
		want             time.Duration
		status           store.Status
		failure          string
	}{
		{"wait", `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":90,"End":true}}}`, 90 * time.Second, store.Succeeded, ""},
		{
			"task timeout", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::slow:work","TimeoutSeconds":7,"End":true}}}`,
			7 * time.Second, store.Failed, "States.Timeout",
		},
		{
			"heartbeat", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::slow:ask.waitForTaskToken","HeartbeatSeconds":5,"End":true}}}`,
			5 * time.Second, store.Failed, "States.Timeout",
		},
		{
			"execution timeout", `{"StartAt":"A","TimeoutSeconds":11,"States":{"A":{"Type":"Wait","Seconds":90,"End":true}}}`,
			11 * time.Second, store.TimedOut, "States.Timeout",
		},
		{
			"retries", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::slow:work","TimeoutSeconds":1,"End":true,
			  "Retry":[{"ErrorEquals":["States.Timeout"],"IntervalSeconds":2,"BackoffRate":3,"MaxAttempts":3,"MaxDelaySeconds":10}]}}}`,
			(4 + 2 + 6 + 10) * time.Second, store.Failed, "States.Timeout",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var registry integration.Registry
				registry.Register("slow", slow{})
				e := open(t, engine.Config{Integrations: &registry})
				m := create(t, e, catalogue.Standard, tt.definition)
				started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
				if err != nil {
					t.Fatal(err)
				}
				d, err := e.Wait(t.Context(), started.ARN)
				if err != nil {
					t.Fatal(err)
				}
				name := ""
				if d.Failure.Error != nil {
					name = *d.Failure.Error
				}
				if took := d.Stop.Sub(d.Start); took != tt.want || d.Status != tt.status || name != tt.failure {
					t.Errorf("%v %q after %v, want %v %q after %v", d.Status, name, took, tt.status, tt.failure, tt.want)
				}
			})
		})
	}
}

// slow is a service that never answers.
type slow struct{}

func (slow) Supports(asl.Resource) error { return nil }

func (slow) Perform(ctx context.Context, task integration.Task) (*value.Doc, error) {
	if task.Resource.Pattern == asl.WaitForTaskToken {
		return doc("{}"), nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// activity makes the activity a, and gives its ARN.
func activity(t testing.TB, e *engine.Engine) string {
	t.Helper()
	if err := e.Catalogue().PutActivity(t.Context(), catalogue.Activity{Tenant: tenant, Name: "a"}); err != nil {
		t.Fatal(err)
	}
	return tenant.ARN("activity", "a")
}

// TestActivityGone: a task of an activity that is not there, or another tenant's,
// fails the execution at once; one that is in line stays there.
func TestActivityGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, engine.Config{})
		start := func(name, resource string) string {
			t.Helper()
			definition := fmt.Sprintf(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":%q,"Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"End":true},"B":{"Type":"Pass","End":true}}}`, resource)
			m, err := e.Catalogue().CreateMachine(t.Context(), catalogue.Machine{Tenant: tenant, Name: name, Type: catalogue.Standard, Definition: definition}, parse(t, definition))
			if err != nil {
				t.Fatal(err)
			}
			started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
			if err != nil {
				t.Fatal(err)
			}
			return started.ARN
		}
		gone := func(name, resource string) {
			t.Helper()
			d := end(t, e, start(name, resource), store.Failed)
			if *d.Failure.Error != "States.Runtime" || d.Stop != d.Start || !strings.Contains(*d.Failure.Cause, "Internal Error. The activity '"+resource+"' does not exist") {
				t.Errorf("%s: %v %q after %v", resource, *d.Failure.Error, *d.Failure.Cause, d.Stop.Sub(d.Start))
			}
		}
		gone("never", tenant.ARN("activity", "never"))
		gone("foreign", catalogue.Tenant{Account: "111122223333", Region: tenant.Region}.ARN("activity", "a"))
		arn := activity(t, e)
		waiting := start("waits", arn)
		a, err := e.Catalogue().Activity(t.Context(), tenant, "a")
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Catalogue().DeleteActivity(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		gone("deleted", arn)
		token, _, err := e.ActivityTask(t.Context(), arn, "w")
		if err != nil {
			t.Fatal(err)
		}
		if err := e.SendTask(t.Context(), token, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: doc("1")}); err != nil {
			t.Fatal(err)
		}
		end(t, e, waiting, store.Succeeded)
	})
}

// TestActivity: a worker polls, beats and answers; a poll without work ends
// empty after its time.
func TestActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, engine.Config{})
		arn := activity(t, e)
		m := create(t, e, catalogue.Standard, fmt.Sprintf(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":%q,"HeartbeatSeconds":60,"End":true}}}`, arn))
		poll, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if token, _, err := e.ActivityTask(poll, arn, "w"); token != "" || err != nil {
			t.Errorf("an idle poll: %q, %v", token, err)
		}
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{"a":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		token, input, err := e.ActivityTask(t.Context(), arn, "w")
		if err != nil || input.String() != `{"a":1}` {
			t.Fatalf("poll: %v, %v", input, err)
		}
		for range 5 {
			<-time.After(50 * time.Second)
			if err := e.SendTask(t.Context(), token, interpreter.Message{Kind: interpreter.TaskHeartbeat}); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.SendTask(t.Context(), token, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: doc(`"done"`)}); err != nil {
			t.Fatal(err)
		}
		if err := e.SendTask(t.Context(), token, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: doc(`"twice"`)}); !errors.Is(err, engine.ErrStale) {
			t.Errorf("a second answer: %v", err)
		}
		if err := e.SendTask(t.Context(), "nonsense", interpreter.Message{Kind: interpreter.TaskHeartbeat}); !errors.Is(err, engine.ErrInvalidToken) {
			t.Errorf("a token of nobody: %v", err)
		}
		d, err := e.Wait(t.Context(), started.ARN)
		if err != nil || d.Output.String() != `"done"` {
			t.Errorf("output %v, %v", d.Output, err)
		}
	})
}

// TestHeartbeats: what a sign of life puts off stays put off when the execution
// is parked and woken for something else, and when another engine takes it up.
func TestHeartbeats(t *testing.T) {
	const definition = `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
	  {"StartAt":"A","States":{"A":{"Type":"Task","Resource":"%s","HeartbeatSeconds":3600,"End":true}}},
	  {"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":4000,"End":true}}}]}}}`
	for _, handover := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := memory.New(memory.Options{})
			e := open(t, engine.Config{Store: s})
			arn := activity(t, e)
			started, err := e.Start(t.Context(), engine.StartRequest{Machine: create(t, e, catalogue.Standard, fmt.Sprintf(definition, arn)), Input: doc("{}")})
			if err != nil {
				t.Fatal(err)
			}
			token, _, err := e.ActivityTask(t.Context(), arn, "w")
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(50 * time.Minute)
			if err := e.SendTask(t.Context(), token, interpreter.Message{Kind: interpreter.TaskHeartbeat}); err != nil {
				t.Fatal(err)
			}
			last := time.Now()
			if handover {
				<-time.After(40 * time.Minute)
				e = open(t, engine.Config{Store: s})
				last = time.Now() // it cannot know better
			}
			d := end(t, e, started.ARN, store.Failed)
			if got := d.Stop.Sub(last); got != time.Hour || *d.Failure.Error != "States.Timeout" {
				t.Errorf("handed over: %v: %v %v after the last sign of life", handover, *d.Failure.Error, got)
			}
		})
	}
}

// TestSync runs an Express execution: it leaves nothing in the store.
func TestSync(t *testing.T) {
	events := 0
	e := open(t, engine.Config{Listener: engine.Listener{Step: func(s engine.Step) { events += len(s.Events) }}})
	m := create(t, e, catalogue.Express, `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Fail","Error":"No","Cause":"because"}}}`)
	r, err := e.StartSync(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != interpreter.Failed || *r.Failure.Error != "No" || events != 5 {
		t.Errorf("%v %v, %d events", r.Status, r.Failure, events)
	}
	if all, _ := e.Residents(); all != 0 {
		t.Errorf("%d executions are left", all)
	}
}

const fiveStates = `{"StartAt":"A","States":{
  "A":{"Type":"Pass","Next":"B"},
  "B":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericGreaterThan":5,"Next":"C"}],"Default":"D"},
  "C":{"Type":"Pass","Result":{"big":true},"ResultPath":"$.c","Next":"D"},
  "D":{"Type":"Pass","Parameters":{"n.$":"$.n","text":"done"},"Next":"E"},
  "E":{"Type":"Succeed"}}}`

// BenchmarkStandard starts executions of five states that end in their first
// step, in memory: the engine without disk and HTTP.
func BenchmarkStandard(b *testing.B) { benchmarkStandard(b, nil) }

// BenchmarkEncrypted is the same with a customer's key.
func BenchmarkEncrypted(b *testing.B) { benchmarkStandard(b, encrypted("k")) }

func benchmarkStandard(b *testing.B, configuration json.RawMessage) {
	e := open(b, engine.Config{EncryptionKeys: []catalogue.EncryptionKey{key("k", 1)}})
	m := createEncrypted(b, e, "m", fiveStates, configuration)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := e.Start(b.Context(), engine.StartRequest{Machine: m, Input: doc(`{"n":7,"text":"some payload of an order"}`)}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
}

// BenchmarkExpress is the same without a store.
func BenchmarkExpress(b *testing.B) {
	e := open(b, engine.Config{})
	m := create(b, e, catalogue.Express, fiveStates)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := e.StartSync(b.Context(), engine.StartRequest{Machine: m, Input: doc(`{"n":7,"text":"some payload of an order"}`)}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
}

// echo is a service whose results are its inputs.
type echo struct{}

func (echo) Supports(asl.Resource) error { return nil }

func (echo) Perform(_ context.Context, task integration.Task) (*value.Doc, error) {
	return task.Input, nil
}

// BenchmarkTasks runs executions of five tasks to their end, in memory: each
// result is a delivery of its own.
func BenchmarkTasks(b *testing.B) {
	var registry integration.Registry
	registry.Register("echo", echo{})
	e := open(b, engine.Config{Integrations: &registry})
	const task = `{"Type":"Task","Resource":"arn:aws:states:::echo:say",`
	m := create(b, e, catalogue.Standard, `{"StartAt":"A","States":{"A":`+task+`"Next":"B"},"B":`+task+`"Next":"C"},"C":`+task+`"Next":"D"},"D":`+task+`"Next":"E"},"E":`+task+`"End":true}}}`)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			started, err := e.Start(b.Context(), engine.StartRequest{Machine: m, Input: doc(`{"n":7,"text":"some payload of an order"}`)})
			if err != nil {
				b.Error(err)
				return
			}
			if d, err := e.Wait(b.Context(), started.ARN); err != nil || d.Status != store.Succeeded {
				b.Error(d, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
}

// TestExpressLimit: an Express execution ends after five minutes, whoever waits
// for it, or sooner when its definition says so.
func TestExpressLimit(t *testing.T) {
	for timeout, want := range map[string]time.Duration{"": 5 * time.Minute, `"TimeoutSeconds":1000,`: 5 * time.Minute, `"TimeoutSeconds":7,`: 7 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			ended := make(chan time.Duration, 2)
			e := open(t, engine.Config{Listener: engine.Listener{Step: func(s engine.Step) {
				if s.Events[len(s.Events)-1].Type == history.ExecutionTimedOut {
					ended <- time.Since(began)
				}
			}}})
			m := create(t, e, catalogue.Express, `{"StartAt":"A",`+timeout+`"States":{"A":{"Type":"Wait","Seconds":2000,"End":true}}}`)
			req := engine.StartRequest{Machine: m, Input: doc("{}")}
			if _, err := e.Start(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			result, err := e.StartSync(t.Context(), req)
			if err != nil || result.Status != interpreter.TimedOut || result.Stop.Sub(result.Start) != want {
				t.Errorf("%q: synchronous: %+v, %v; want a timeout after %v", timeout, result, err, want)
			}
			for range 2 {
				if got := <-ended; got != want {
					t.Errorf("%q: ended after %v, want %v", timeout, got, want)
				}
			}
		})
	}
}
