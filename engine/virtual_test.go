package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/value"
)

// lost fails every task.
type lost struct{}

func (lost) Supports(asl.Resource) bool { return true }

func (lost) Perform(context.Context, integration.Task) (*value.Doc, error) {
	return nil, integration.Failed("Lost", "nobody is there")
}

// TestVirtualTime runs machines that take a year, by a clock that jumps.
func TestVirtualTime(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := engine.NewVirtualClock(start)
	var registry integration.Registry
	registry.Register(integration.FunctionService, lost{})
	e, err := engine.Open(t.Context(), engine.Config{Store: memory.New(memory.Options{}), Integrations: &registry, Clock: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.RunVirtual(ctx, clock)
	}()
	m := create(t, e, engine.Standard, `{"StartAt":"Day","States":{
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
