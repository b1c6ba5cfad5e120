package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// moody is a service that fails as long as it is told to.
type moody struct{ good atomic.Bool }

func (*moody) Supports(asl.Resource) error { return nil }

func (m *moody) Perform(_ context.Context, task integration.Task) (*value.Doc, error) {
	if !m.good.Load() {
		return nil, integration.Failed("Moody", "not today")
	}
	return task.Input, nil
}

const oneTask = `{"StartAt":"A","States":{
  "A":{"Type":"Pass","Next":"B"},
  "B":{"Type":"Task","Resource":"arn:aws:states:::moody:work","Next":"C"},
  "C":{"Type":"Pass","End":true}}}`

func openMoody(t *testing.T) (*engine.Engine, *moody, *catalogue.Machine) {
	m := new(moody)
	var registry integration.Registry
	registry.Register("moody", m)
	e := open(t, engine.Config{Integrations: &registry})
	return e, m, create(t, e, catalogue.Standard, oneTask)
}

func end(t *testing.T, e *engine.Engine, arn string, want store.Status) *stored.Description {
	t.Helper()
	d, err := e.Wait(t.Context(), arn)
	if err != nil {
		t.Fatal(err)
	}
	if d.Status != want {
		t.Fatalf("%s is %v %+v, want %v", arn, d.Status, d.Failure, want)
	}
	return d
}

// TestRedrive: a failed execution goes on from where it failed, is told by its
// record, and cannot once it has succeeded. A client token counts for fifteen
// minutes.
func TestRedrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, service, m := openMoody(t)
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: "x", Input: doc(`{"n":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		end(t, e, started.ARN, store.Failed)
		<-time.After(time.Minute)
		at, err := e.Redrive(t.Context(), started.ARN, "token")
		if err != nil || !at.Equal(started.At.Add(time.Minute)) {
			t.Fatalf("redriven at %v, %v", at, err)
		}
		end(t, e, started.ARN, store.Failed)
		<-time.After(time.Minute)
		if again, err := e.Redrive(t.Context(), started.ARN, "token"); err != nil || !again.Equal(at) {
			t.Errorf("the same token: %v, %v; want %v", again, err, at)
		}
		service.good.Store(true)
		<-time.After(15 * time.Minute)
		if again, err := e.Redrive(t.Context(), started.ARN, "token"); err != nil || again.Equal(at) {
			t.Errorf("the same token, too late: %v, %v", again, err)
		}
		d := end(t, e, started.ARN, store.Succeeded)
		if d.Redrives != 2 || d.Output.String() != `{"n":1}` || !d.Redriven.Equal(at.Add(16*time.Minute)) {
			t.Errorf("%d redrives, the last at %v, output %v", d.Redrives, d.Redriven, d.Output)
		}
		_, err = e.Redrive(t.Context(), started.ARN, "")
		if refused, ok := errors.AsType[*engine.NotRedrivableError](err); !ok || refused.Reason != "Execution is SUCCEEDED and cannot be redriven" {
			t.Errorf("redrive of a success: %v", err)
		}
		if all, _ := e.Residents(); all != 0 {
			t.Errorf("%d executions are left in memory", all)
		}
	})
}

// TestRedriveOnce: of many redrives at once, one has the execution go on.
func TestRedriveOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, m := openMoody(t)
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		for round := range 20 {
			end(t, e, started.ARN, store.Failed)
			results := make(chan error)
			for range 8 {
				go func() {
					_, err := e.Redrive(t.Context(), started.ARN, fmt.Sprint("round ", round))
					results <- err
				}()
			}
			for range 8 {
				err := <-results
				if _, refused := errors.AsType[*engine.NotRedrivableError](err); err != nil && !refused {
					t.Errorf("redrive: %v", err)
				}
			}
			if d := end(t, e, started.ARN, store.Failed); d.Redrives != round+1 {
				t.Fatalf("%d redrives after round %d", d.Redrives, round)
			}
		}
	})
}

// TestNotRedrivable: the reasons of AWS.
func TestNotRedrivable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, engine.Config{})
		now := time.Now()
		const day = 24 * time.Hour
		tests := []struct {
			d    stored.Description
			want string
		}{
			{stored.Description{Status: store.Running, Start: now}, "Execution is RUNNING and cannot be redriven"},
			{stored.Description{Status: store.Succeeded, Start: now}, "Execution is SUCCEEDED and cannot be redriven"},
			{stored.Description{Status: store.Failed, Start: now, Stop: now, Last: 24_999}, "Execution history event limit exceeded"},
			{stored.Description{Status: store.TimedOut, Start: now.Add(-366 * day), Stop: now}, "Execution has exceeded the max execution time"},
			{stored.Description{Status: store.Aborted, Start: now.Add(-20 * day), Stop: now.Add(-15 * day)}, "Execution redrivable period exceeded"},
			{stored.Description{Status: store.Aborted, Start: now.Add(-20 * day), Stop: now.Add(-13 * day), Last: 24_998}, ""},
		}
		for _, tt := range tests {
			if got := e.NotRedrivable(&tt.d); got != tt.want {
				t.Errorf("%+v: %q, want %q", tt.d, got, tt.want)
			}
		}
	})
}

// TestFork: an execution takes up where another one was, with another
// definition and input if they are given, and both know of it.
func TestFork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, service, m := openMoody(t)
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: "x", Input: doc(`{"n":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		failed := end(t, e, started.ARN, store.Failed)
		service.good.Store(true)
		const other = `{"StartAt":"A","States":{
		  "A":{"Type":"Pass","Next":"B"},
		  "B":{"Type":"Pass","Result":"instead","Next":"C"},
		  "C":{"Type":"Pass","End":true}}}`
		tests := []struct {
			req    engine.ForkRequest
			output string
		}{
			{engine.ForkRequest{Name: "last"}, `{"n":1}`},
			{engine.ForkRequest{Name: "changed", At: 3, Input: doc(`{"n":2}`)}, `{"n":2}`},
			{engine.ForkRequest{Name: "started", At: 1, Input: doc(`{"n":3}`)}, `{"n":3}`},
			{engine.ForkRequest{Name: "defined", At: 3, Definition: other}, `"instead"`},
		}
		for _, tt := range tests {
			tt.req.ARN = started.ARN
			f, err := e.Fork(t.Context(), tt.req)
			if err != nil {
				t.Fatalf("%s: %v", tt.req.Name, err)
			}
			d := end(t, e, f.ARN, store.Succeeded)
			at := tt.req.At
			if at == 0 {
				at = failed.Last
			}
			if d.Output.String() != tt.output || d.Fork == nil || *d.Fork != (history.Fork{ExecutionArn: started.ARN, Event: at}) || d.Redrives != 0 {
				t.Errorf("%s: output %v, fork %v, %d redrives", tt.req.Name, d.Output, d.Fork, d.Redrives)
			}
			if again, err := e.Fork(t.Context(), tt.req); !errors.Is(err, engine.ErrAlreadyExists) {
				t.Errorf("%s again: %v %v", tt.req.Name, again, err)
			}
		}
		forks, err := e.Forks(t.Context(), failed)
		if err != nil || len(forks) != len(tests) {
			t.Errorf("%d forks, %v", len(forks), err)
		}
		for _, bad := range []engine.ForkRequest{{At: failed.Last + 1}, {At: 3, Definition: "{}"}, {At: 2, Definition: `{"StartAt":"Z","States":{"Z":{"Type":"Pass","End":true}}}`}} {
			bad.ARN = started.ARN
			if _, err := e.Fork(t.Context(), bad); err == nil {
				t.Errorf("%+v is no error", bad)
			} else if _, ok := errors.AsType[*engine.InvalidForkError](err); !ok {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}
