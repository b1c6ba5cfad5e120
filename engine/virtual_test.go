package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/value"
)

// lost fails every task.
type lost struct{}

func (lost) Supports(asl.Resource) error { return nil }

func (lost) Perform(context.Context, integration.Task) (*value.Doc, error) {
	return nil, integration.Failed("Lost", "nobody is there")
}

// TestVirtualTime runs machines that take a year, by a clock that jumps.
func TestVirtualTime(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := engine.NewVirtualClock(start)
	var registry integration.Registry
	registry.Register(integration.FunctionService, lost{})
	e, err := engine.Open(t.Context(), engine.Config{Store: memory.New(memory.Options{}), Integrations: &registry, Virtual: clock})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.Run(ctx)
	}()
	m := create(t, e, catalogue.Standard, `{"StartAt":"Day","States":{
	  "Day":{"Type":"Wait","Seconds":86400,"Next":"Ask"},
	  "Ask":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:nobody","TimeoutSeconds":3600,"End":true,
	    "Retry":[{"ErrorEquals":["Lost"],"IntervalSeconds":1000,"MaxAttempts":2,"BackoffRate":2}]}}}`)
	var arns []string
	for range 10 {
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		arns = append(arns, started.ARN)
	}
	for _, arn := range arns {
		d, err := e.Wait(t.Context(), arn)
		if err != nil {
			t.Fatal(err)
		}
		if want := 24*time.Hour + 3000*time.Second; d.Status != store.Failed || d.Stop.Sub(d.Start) != want {
			t.Errorf("%v after %v, want %v", d.Status, d.Stop.Sub(d.Start), want)
		}
	}
	cancel()
	<-done
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// inVirtualTime opens an engine with a virtual clock and runs it until the test
// ends, or stop is called.
func inVirtualTime(t *testing.T, db store.Store, clock *engine.VirtualClock, tokens chan<- string) (e *engine.Engine, stop func()) {
	t.Helper()
	var registry integration.Registry
	registry.Register("*", answers{})
	e, err := engine.Open(t.Context(), engine.Config{
		Store: db, Integrations: &registry, Virtual: clock,
		Listener: engine.Listener{Step: func(s engine.Step) {
			for i := range s.Events {
				if s.Events[i].Type == history.TaskSubmitted {
					tokens <- s.Token(s.Events[i].Previous - 1)
				}
			}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { e.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		done.Wait()
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return e, stop
}

// answers succeeds with every task.
type answers struct{}

func (answers) Supports(asl.Resource) error { return nil }

func (answers) Perform(context.Context, integration.Task) (*value.Doc, error) { return doc(`{}`), nil }

// asking waits for a day, then for its token, and then for another day.
const asking = `{"StartAt":"Day","States":{
  "Day":{"Type":"Wait","Seconds":86400,"Next":"Ask"},
  "Ask":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","TimeoutSeconds":3600,
    "Parameters":{"QueueUrl":"q","MessageBody":{"token.$":"$$.Task.Token"}},"Next":"Other"},
  "Other":{"Type":"Wait","Seconds":86400,"End":true}}}`

// TestTokenHoldsClock: while a task waits for its token nothing passes of a
// virtual clock, also where another engine has made the token; and all the rest
// passes by itself.
func TestTokenHoldsClock(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock, db, tokens := engine.NewVirtualClock(start), memory.New(memory.Options{}), make(chan string, 1)
	first, stop := inVirtualTime(t, db, clock, tokens)
	started, err := first.Start(t.Context(), engine.StartRequest{Machine: create(t, first, catalogue.Standard, asking), Input: doc(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	token := <-tokens
	stop()
	e, _ := inVirtualTime(t, db, clock, tokens)
	// What is delivered is delivered after the executions were taken up.
	if now, err := e.Advance(t.Context(), time.Hour-time.Second); err != nil || now.Sub(start) != 25*time.Hour-time.Second {
		t.Fatalf("%v, %v", now, err)
	}
	if virtual, owed := e.Virtual(); !virtual || owed != 1 {
		t.Errorf("virtual: %v, owed: %d", virtual, owed)
	}
	if err := e.SendTask(t.Context(), token, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: doc(`1`)}); err != nil {
		t.Fatal(err)
	}
	d, err := e.Wait(t.Context(), started.ARN)
	if err != nil || d.Status != store.Succeeded || d.Stop.Sub(start) != 49*time.Hour-time.Second {
		t.Errorf("%v, %v", d, err)
	}
}

// TestAdvance has a task time out whose token nobody answers, to the second, and
// all pass that comes before.
func TestAdvance(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock, tokens := engine.NewVirtualClock(start), make(chan string, 1)
	e, _ := inVirtualTime(t, memory.New(memory.Options{}), clock, tokens)
	started, err := e.Start(t.Context(), engine.StartRequest{Machine: create(t, e, catalogue.Standard, asking), Input: doc(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	<-tokens
	if _, err := e.Advance(t.Context(), time.Hour-time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if d, err := e.Describe(t.Context(), started.ARN); err != nil || d.Status != store.Running {
		t.Fatalf("%v, %v", d, err)
	}
	if _, err := e.Advance(t.Context(), time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if d, err := e.Describe(t.Context(), started.ARN); err != nil || d.Status != store.Failed || d.Stop.Sub(start) != 25*time.Hour {
		t.Errorf("%v, %v", d, err)
	}
	if _, owed := e.Virtual(); owed != 0 {
		t.Errorf("owed: %d", owed)
	}
	if _, err := e.Advance(t.Context(), -time.Second); err == nil {
		t.Error("a clock went back")
	}
}

// TestActivityHoldsClock: the clock stands from when a task is in line until its
// worker has answered.
func TestActivityHoldsClock(t *testing.T) {
	clock := engine.NewVirtualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	e, _ := inVirtualTime(t, memory.New(memory.Options{}), clock, nil)
	const arn = "arn:aws:states:us-east-1:000000000000:activity:work"
	if err := e.Catalogue().PutActivity(t.Context(), catalogue.Activity{Tenant: catalogue.Tenant{Account: "000000000000", Region: "us-east-1"}, Name: "work"}); err != nil {
		t.Fatal(err)
	}
	m := create(t, e, catalogue.Standard, `{"StartAt":"Work","TimeoutSeconds":600,"States":{
	  "Work":{"Type":"Task","Resource":"`+arn+`","TimeoutSeconds":60,"HeartbeatSeconds":5,"End":true}}}`)
	started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Advance(t.Context(), 0); err != nil { // after the clock was looked at
		t.Fatal(err)
	}
	token, _, err := e.ActivityTask(t.Context(), arn, "worker")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Advance(t.Context(), 4*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := e.SendTask(t.Context(), token, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: doc(`1`)}); err != nil {
		t.Fatal(err)
	}
	if d, err := e.Wait(t.Context(), started.ARN); err != nil || d.Status != store.Succeeded || d.Stop.Sub(d.Start) != 4*time.Second {
		t.Errorf("%v, %v", d, err)
	}
}

// TestAdvanceRealTime: nobody moves the clock on the wall.
func TestAdvanceRealTime(t *testing.T) {
	e, err := engine.Open(t.Context(), engine.Config{Store: memory.New(memory.Options{}), Integrations: new(integration.Registry)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Advance(t.Context(), time.Hour); !errors.Is(err, engine.ErrRealTime) {
		t.Error(err)
	}
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
