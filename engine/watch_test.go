package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
)

// watched follows an execution and sends the id of each event.
func watched(ctx context.Context, e *engine.Engine, arn string, after int64) (ids chan int64, failed chan error) {
	ids, failed = make(chan int64), make(chan error, 1)
	go func() {
		defer close(ids)
		for ev, err := range e.Watch(ctx, arn, after) {
			if err != nil {
				failed <- err
				return
			}
			ids <- ev.ID
		}
		failed <- nil
	}()
	return ids, failed
}

// Events come as soon as they are durable, the sequence ends with the execution, and
// whoever was interrupted goes on where it was.
func TestWatch(t *testing.T) {
	e := open(t, engine.Config{})
	worker := activity(t, e)
	m := create(t, e, catalogue.Standard, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"`+worker+`","Next":"B"},"B":{"Type":"Pass","End":true}}}`)
	started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	ids, failed := watched(t.Context(), e, started.ARN, 0)
	for want := int64(1); want <= 3; want++ { // started, entered, scheduled
		if got := <-ids; got != want {
			t.Fatalf("event %d, not %d", got, want)
		}
	}
	token, _, err := e.ActivityTask(t.Context(), worker, "w")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SendTask(t.Context(), token, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: doc(`1`)}); err != nil {
		t.Fatal(err)
	}
	var rest []int64
	for id := range ids {
		rest = append(rest, id)
	}
	if diff := cmp.Diff([]int64{4, 5, 6, 7, 8, 9}, rest); diff != "" {
		t.Error(diff)
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
	ids, failed = watched(t.Context(), e, started.ARN, 7)
	if got := fmt.Sprint(<-ids, <-ids); got != "8 9" {
		t.Error("after event 7 come", got)
	}
	if _, more := <-ids; more {
		t.Error("an event comes after the last one")
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
	if n := e.Watchers(); n != 0 {
		t.Errorf("%d watchers are left", n)
	}
}

// A caller that leaves, or asks for what is not there, leaves nothing behind.
func TestWatchGivenUp(t *testing.T) {
	e := open(t, engine.Config{})
	m := create(t, e, catalogue.Standard, `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1000,"End":true}}}`)
	started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ids, failed := watched(ctx, e, started.ARN, 0)
	<-ids
	<-ids
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := e.Wait(ctx, started.ARN); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for range e.Watch(t.Context(), started.ARN, 0) {
		break
	}
	for _, err := range e.Watch(t.Context(), started.ARN+"y", 0) {
		if !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	}
	if n := e.Watchers(); n != 0 {
		t.Errorf("%d watchers are left", n)
	}
}
