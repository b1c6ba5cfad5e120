package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/stored"
)

// story is the types of an execution's events.
func story(t *testing.T, e *engine.Engine, d *stored.Description) string {
	t.Helper()
	events, _, err := e.History(t.Context(), d.ID, 0, 1000, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	types := make([]string, len(events))
	for i := range events {
		types[i] = events[i].Type.String()
	}
	return strings.Join(types, " ")
}

// TestDeleteMachine: a machine with running executions stays until they have
// ended, and they end at their next transition.
func TestDeleteMachine(t *testing.T) {
	tests := []struct {
		name, definition string
		want             store.Status
		after            time.Duration
		story            string
	}{
		{
			"at a transition", `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":10,"Next":"B"},"B":{"Type":"Task","Resource":"arn:aws:states:::moody:work","End":true}}}`,
			store.Aborted, 10 * time.Second, "ExecutionStarted WaitStateEntered WaitStateExited ExecutionAborted",
		},
		{
			"not at a retry", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::moody:work","Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":20,"MaxAttempts":1,"BackoffRate":1}],"Next":"B"},"B":{"Type":"Pass","End":true}}}`,
			store.Failed, 20 * time.Second, "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskFailed TaskScheduled TaskStarted TaskFailed ExecutionFailed",
		},
		{
			"when a branch moves", `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
				{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":5,"Next":"B"},"B":{"Type":"Pass","End":true}}},
				{"StartAt":"C","States":{"C":{"Type":"Wait","Seconds":50,"End":true}}}]}}}`,
			store.Aborted, 5 * time.Second, "ExecutionStarted ParallelStateEntered ParallelStateStarted WaitStateEntered WaitStateEntered WaitStateExited ExecutionAborted",
		},
		{
			"its last state ends", `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":10,"End":true}}}`,
			store.Succeeded, 10 * time.Second, "ExecutionStarted WaitStateEntered WaitStateExited ExecutionSucceeded",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var registry integration.Registry
				registry.Register("moody", new(moody))
				e := open(t, engine.Config{Integrations: &registry})
				m := create(t, e, catalogue.Standard, tt.definition)
				started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if err := e.DeleteMachine(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				if _, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")}); !errors.Is(err, catalogue.ErrDeleting) {
					t.Errorf("a start while it is being deleted: %v", err)
				}
				if m, err := e.Catalogue().Machine(t.Context(), m.ARN()); err != nil || !m.Deleting {
					t.Errorf("while the execution runs the machine is %+v, %v", m, err)
				}
				d := end(t, e, started.ARN, tt.want)
				if got := story(t, e, d); got != tt.story || d.Stop.Sub(d.Start) != tt.after {
					t.Errorf("after %v: %s", d.Stop.Sub(d.Start), got)
				}
				synctest.Wait()
				if _, err := e.Catalogue().Machine(t.Context(), m.ARN()); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("after the execution the machine is there: %v", err)
				}
				if d.Status == store.Succeeded {
					return
				}
				var refused *engine.NotRedrivableError
				if _, err := e.Redrive(t.Context(), started.ARN, ""); !errors.As(err, &refused) || refused.Reason != "State machine is in DELETING status" {
					t.Errorf("redrive: %v", err)
				}
			})
		})
	}
}

// TestDeletionSurvives: a deletion goes on where another engine left it.
func TestDeletionSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		first, err := engine.Open(t.Context(), engine.Config{Store: s, Integrations: new(integration.Registry)})
		if err != nil {
			t.Fatal(err)
		}
		m := create(t, first, catalogue.Standard, `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":10,"Next":"B"},"B":{"Type":"Pass","End":true}}}`)
		started, err := first.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
		if err != nil {
			t.Fatal(err)
		}
		if err := first.DeleteMachine(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if err := first.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		e := open(t, engine.Config{Store: s})
		end(t, e, started.ARN, store.Aborted)
		synctest.Wait()
		for _, prefix := range []string{"machine/", "deleting/", "published/"} {
			if left, err := s.Scan(t.Context(), prefix, "", 0); err != nil || len(left) > 0 {
				t.Errorf("left in the catalogue: %v, %v", left, err)
			}
		}
	})
}

// TestDeletionWaitsForAll: many executions that end at once.
func TestDeletionWaitsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, engine.Config{})
		m := create(t, e, catalogue.Standard, `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":10,"Next":"B"},"B":{"Type":"Pass","End":true}}}`)
		var arns []string
		for i := range 200 {
			started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: fmt.Sprint(i), Input: doc("{}")})
			if err != nil {
				t.Fatal(err)
			}
			arns = append(arns, started.ARN)
		}
		if err := e.DeleteMachine(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Stop(t.Context(), arns[0], history.ErrorOutput{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := e.Catalogue().Machine(t.Context(), m.ARN()); err != nil {
			t.Errorf("the machine went with its first execution: %v", err)
		}
		for _, arn := range arns {
			end(t, e, arn, store.Aborted)
		}
		synctest.Wait()
		if _, err := e.Catalogue().Machine(t.Context(), m.ARN()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the machine is there: %v", err)
		}
	})
}
