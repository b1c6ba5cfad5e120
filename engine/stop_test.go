package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
)

// readings counts how often histories are read.
type readings struct {
	store.Store
	histories atomic.Int64
}

func (r *readings) History(ctx context.Context, id store.ExecutionID, from int64, limit int, reverse bool) ([]store.Chunk, error) {
	r.histories.Add(1)
	return r.Store.History(ctx, id, from, limit, reverse)
}

// TestStopReadsNothing: an execution that memory does not have is stopped without
// reading its history, which may be long; its task is cancelled, and what it did is
// there to be redriven.
func TestStopReadsNothing(t *testing.T) {
	const arn = "arn:aws:states:us-east-1:000000000000:activity:a"
	counted := &readings{Store: memory.New(memory.Options{})}
	e := open(t, engine.Config{Store: counted, Memory: 4 << 20})
	if err := e.Catalogue().PutActivity(t.Context(), catalogue.Activity{Tenant: tenant, Name: "a"}); err != nil {
		t.Fatal(err)
	}
	m := create(t, e, catalogue.Standard, `{"StartAt":"M","States":{
		"M":{"Type":"Map","ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}},"Next":"A"},
		"A":{"Type":"Task","Resource":"`+arn+`","End":true}}}`)
	items := strings.TrimSuffix(strings.Repeat("1,", 40), ",")
	started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("[" + items + "]")})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 { // these push it out of memory
		if _, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: fmt.Sprintf("o%d", i), Input: doc(`["` + strings.Repeat("x", 100_000) + `"]`)}); err != nil {
			t.Fatal(err)
		}
	}
	counted.histories.Store(0)
	cause := "enough"
	if _, err := e.Stop(t.Context(), started.ARN, history.ErrorOutput{Cause: &cause}); err != nil {
		t.Fatal(err)
	}
	if n := counted.histories.Load(); n != 0 {
		t.Errorf("the history was read %d times", n)
	}
	d, err := e.Describe(t.Context(), started.ARN)
	if err != nil || d.Status != store.Aborted || d.Failure.Cause == nil || *d.Failure.Cause != cause {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := e.Redrive(t.Context(), started.ARN, ""); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		if token, _, err := e.ActivityTask(t.Context(), arn, "w"); token == "" || err != nil {
			t.Fatal(err)
		}
	}
	token, input, err := e.ActivityTask(t.Context(), arn, "w")
	if err != nil || input.String() != "["+items+"]" {
		t.Fatalf("after the redrive a worker is given %v, %v", input, err)
	}
	if err := e.SendTask(t.Context(), token, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: doc(`"done"`)}); err != nil {
		t.Fatal(err)
	}
	if d, err := e.Wait(t.Context(), started.ARN); err != nil || d.Status != store.Succeeded {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestStopBehindSteps: executions whose steps follow each other without end, with
// large payloads, are stopped where they are.
func TestStopBehindSteps(t *testing.T) {
	e := open(t, engine.Config{})
	m := create(t, e, catalogue.Standard, endless)
	for i := range 20 {
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: fmt.Sprintf("e%d", i), Input: doc(`{"a":"` + strings.Repeat("x", 200_000) + `"}`)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Stop(t.Context(), started.ARN, history.ErrorOutput{}); err != nil {
			t.Fatal(err)
		}
		if d, err := e.Describe(t.Context(), started.ARN); err != nil || d.Status != store.Aborted {
			t.Fatalf("%+v, %v", d, err)
		}
	}
}
