package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/stored"
)

const waits = `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":10,"Next":"B"},"B":{"Type":"Pass","End":true}}}`

// faulty opens an engine on a store with faults.
func faulty(t *testing.T, fault func(tr *store.Transition) memory.Fault) (*engine.Engine, *memory.Store) {
	t.Helper()
	s := memory.New(memory.Options{Shards: 1, Fault: fault})
	return open(t, engine.Config{Store: s}), s
}

// interrupted opens an engine in the middle of whose next commit something is
// done, once it is set; that commit has a fault.
func interrupted(t *testing.T, between *func(), fault memory.Fault) (*engine.Engine, *memory.Store) {
	t.Helper()
	return faulty(t, func(*store.Transition) memory.Fault {
		do := *between
		if do == nil {
			return memory.None
		}
		*between = nil
		do()
		return fault
	})
}

// TestLostAnswerToStart: a start whose commit was lost is made again, and one
// that was written although nobody was told so goes on, both without a restart.
func TestLostAnswerToStart(t *testing.T) {
	for _, fault := range []memory.Fault{memory.LoseBefore, memory.LoseAfter} {
		synctest.Test(t, func(t *testing.T) {
			lost := false
			e, _ := faulty(t, func(*store.Transition) memory.Fault {
				if lost {
					return memory.None
				}
				lost = true
				return fault
			})
			m := create(t, e, catalogue.Standard, waits)
			started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: "x", Input: doc("{}")})
			if err != nil {
				t.Fatal(err)
			}
			if d := end(t, e, started.ARN, store.Succeeded); d.Stop.Sub(started.At) != 10*time.Second {
				t.Errorf("it took %v", d.Stop.Sub(started.At))
			}
		})
	}
}

// TestLostAnswerToEnd: when the answer to the last commit is lost, whoever waits
// for the end is told all the same, and so is the deletion of the machine.
func TestLostAnswerToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := faulty(t, func(tr *store.Transition) memory.Fault {
			if tr.Status != store.Running {
				return memory.LoseAfter
			}
			return memory.None
		})
		m := create(t, e, catalogue.Standard, waits)
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.DeleteMachine(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		end(t, e, started.ARN, store.Aborted)
		synctest.Wait()
		if _, err := e.Catalogue().Machine(t.Context(), m.ARN()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the machine is there: %v", err)
		}
	})
}

// TestLostAnswer: an answer whose commit was lost, and that nobody awaits when
// it is delivered again, was not taken.
func TestLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var between func()
		e, s := interrupted(t, &between, memory.LoseBefore)
		arn := activity(t, e)
		m := create(t, e, catalogue.Standard, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"`+arn+`","End":true}}}`)
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := e.ActivityTask(t.Context(), arn, "w")
		if err != nil {
			t.Fatal(err)
		}
		between = func() { // another engine ends the execution
			rival := open(t, engine.Config{Store: s})
			if _, err := rival.Stop(t.Context(), started.ARN, stored.Description{}.Failure); err != nil {
				t.Error(err)
			}
		}
		if err := e.SendTask(t.Context(), token, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: doc("1")}); !errors.Is(err, engine.ErrStale) {
			t.Errorf("the answer was taken: %v", err)
		}
	})
}

// TestLostAnswerOfAnother: when another engine had the shard meanwhile and wrote
// the very same, nobody can tell whether the lost commit was written.
func TestLostAnswerOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var between func()
		e, s := interrupted(t, &between, memory.LoseBefore)
		m := create(t, e, catalogue.Standard, waits)
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
		if err != nil {
			t.Fatal(err)
		}
		between = func() {
			rival := open(t, engine.Config{Store: s})
			_, stopped := rival.Stop(t.Context(), started.ARN, stored.Description{}.Failure)
			_, redriven := rival.Redrive(t.Context(), started.ARN, "")
			if err := errors.Join(stopped, redriven); err != nil {
				t.Error(err)
			}
		}
		if _, err := e.Stop(t.Context(), started.ARN, stored.Description{}.Failure); !errors.Is(err, store.ErrUnknown) {
			t.Errorf("the execution runs, and its stop gave %v", err)
		}
		end(t, e, started.ARN, store.Succeeded)
	})
}

// TestDeleteWhileStarting: a machine that is deleted while an execution of it
// starts, or goes on, waits for that.
func TestDeleteWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var between func()
		e, _ := interrupted(t, &between, memory.None)
		m := create(t, e, catalogue.Standard, waits)
		remove := func() {
			if err := e.DeleteMachine(t.Context(), m); err != nil {
				t.Error(err)
			}
		}
		between = remove
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
		if err != nil {
			t.Fatal(err)
		}
		if now, err := e.Catalogue().Machine(t.Context(), m.ARN()); err != nil || !now.Deleting {
			t.Errorf("while its execution runs the machine is %+v, %v", now, err)
		}
		if d := end(t, e, started.ARN, store.Aborted); story(t, e, d) != "ExecutionStarted WaitStateEntered WaitStateExited ExecutionAborted" {
			t.Error(story(t, e, d))
		}
		if _, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")}); !errors.Is(err, catalogue.ErrDeleting) {
			t.Errorf("a start of a machine that is gone: %v", err)
		}
	})
}

// TestRedriveOfForgotten: an execution that is forgotten while it is redriven is
// not there, and the shard goes on.
func TestRedriveOfForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var between func()
		e, s := interrupted(t, &between, memory.None)
		m := create(t, e, catalogue.Standard, waits)
		begin := func(name string) string {
			started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: name, Input: doc("{}")})
			if err != nil {
				t.Fatal(err)
			}
			return started.ARN
		}
		gone, other := begin("gone"), begin("other")
		if _, err := e.Stop(t.Context(), gone, stored.Description{}.Failure); err != nil {
			t.Fatal(err)
		}
		between = func() {
			if ids, err := s.Retain(t.Context(), time.Now().Add(365*24*time.Hour), 10); err != nil || len(ids) != 1 {
				t.Error(ids, err)
			}
		}
		if _, err := e.Redrive(t.Context(), gone, ""); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("redrive: %v", err)
		}
		end(t, e, other, store.Succeeded)
	})
}

// lossy is a store whose edits of the catalogue all have one fault.
type lossy struct {
	store.Store
	fault atomic.Int32 // a memory.Fault
}

// Put edits the catalogue.
func (l *lossy) Put(ctx context.Context, edits ...store.Edit) error {
	fault := memory.Fault(l.fault.Load())
	if fault == memory.LoseBefore {
		return store.ErrUnknown
	}
	if err := l.Store.Put(ctx, edits...); err != nil {
		return err
	}
	if fault == memory.LoseAfter {
		return store.ErrUnknown
	}
	return nil
}

// TestLostAnswerOfCatalogue: what an edit has changed is seen, also when the
// answer to it was lost; and a deletion that could not be ended is ended later.
func TestLostAnswerOfCatalogue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &lossy{Store: memory.New(memory.Options{})}
		e := open(t, engine.Config{Store: s})
		m := create(t, e, catalogue.Standard, waits)
		s.fault.Store(int32(memory.LoseAfter))
		next := *m
		next.Tags = []catalogue.Tag{{Key: "k", Value: "v"}}
		if _, err := e.Catalogue().PutMachine(t.Context(), next, m.Parsed(), false); err != nil {
			t.Fatal(err)
		}
		if m, _ = e.Catalogue().Machine(t.Context(), m.ARN()); len(m.Tags) != 1 {
			t.Errorf("the tags are %v", m.Tags)
		}
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.DeleteMachine(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		s.fault.Store(int32(memory.LoseBefore))
		end(t, e, started.ARN, store.Aborted)
		synctest.Wait()
		s.fault.Store(int32(memory.None))
		time.Sleep(15 * time.Minute) // of the bubble's clock
		synctest.Wait()
		if _, err := e.Catalogue().Machine(t.Context(), m.ARN()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the machine is there: %v", err)
		}
	})
}

// TestDeletedMachineLeavesNothing: its definitions go with its last execution.
func TestDeletedMachineLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		e := open(t, engine.Config{Store: s, Retention: 24 * time.Hour})
		m := create(t, e, catalogue.Standard, waits)
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
		if err != nil {
			t.Fatal(err)
		}
		d := end(t, e, started.ARN, store.Succeeded)
		if err := e.DeleteMachine(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Hour)
		synctest.Wait()
		if _, err := e.Catalogue().Revision(t.Context(), d.RevisionKey()); err != nil {
			t.Errorf("while the execution is there: %v", err)
		}
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		entries, err := s.Scan(t.Context(), "", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if !strings.HasPrefix(entry.Key, "counter/") && !strings.HasPrefix(entry.Key, "secret/") {
				t.Errorf("left in the catalogue: %s", entry.Key)
			}
		}
	})
}

// TestTakenBack: an engine that has lost a shard and takes it back goes on with
// what was under way, each execution once.
func TestTakenBack(t *testing.T) {
	s := memory.New(memory.Options{Shards: 1})
	var jobs []func()
	var registry integration.Registry
	registry.Register("moody", new(moody))
	e, err := engine.Open(t.Context(), engine.Config{Store: s, Integrations: &registry, Go: func(work func()) { jobs = append(jobs, work) }})
	if err != nil {
		t.Fatal(err)
	}
	arn := activity(t, e)
	m := create(t, e, catalogue.Standard, `{"StartAt":"A","States":{
		"A":{"Type":"Task","Resource":"arn:aws:states:::moody:work","Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"Next":"B"},
		"B":{"Type":"Task","Resource":"`+arn+`","End":true}}}`)
	started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
	if err != nil {
		t.Fatal(err)
	}
	rival, err := engine.Open(t.Context(), engine.Config{Store: s, Integrations: &registry, Go: func(func()) {}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Stop(t.Context(), started.ARN, stored.Description{}.Failure); !errors.Is(err, engine.ErrNotOwner) { // it notices
		t.Errorf("stop: %v", err)
	}
	if _, err := e.Stop(t.Context(), started.ARN, stored.Description{}.Failure); !errors.Is(err, engine.ErrNotOwner) {
		t.Errorf("stop of what another engine has: %v", err)
	}
	if err := e.Acquire(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	for len(jobs) > 0 { // the first of before, then those of now
		work := jobs[0]
		jobs = jobs[1:]
		work()
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	token, _, err := e.ActivityTask(ended, arn, "w")
	if err != nil || token == "" {
		t.Fatalf("the task of the activity is lost: %v", err)
	}
	if err := e.SendTask(t.Context(), token, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: doc("1")}); err != nil {
		t.Error(err)
	}
	if d, err := rival.Describe(t.Context(), started.ARN); err != nil || d.Status != store.Succeeded {
		t.Errorf("%+v, %v", d, err)
	}
}
