package engine_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// heard collects what a listener is told.
type heard struct {
	mu                   sync.Mutex
	steps                []engine.Step
	begun, ended, polled []engine.TaskInfo
	commits              []engine.CommitInfo
	taken, lost          []engine.ShardInfo
}

func collect[T any](l *heard, all *[]T) func(T) {
	return func(t T) {
		l.mu.Lock()
		defer l.mu.Unlock()
		*all = append(*all, t)
	}
}

func (l *heard) listener() engine.Listener {
	return engine.Listener{
		Step: collect(l, &l.steps), TaskBegun: collect(l, &l.begun), TaskEnded: collect(l, &l.ended), JobPolled: collect(l, &l.polled),
		Committed: collect(l, &l.commits), ShardTaken: collect(l, &l.taken), ShardLost: collect(l, &l.lost),
	}
}

// tired is a service that takes two seconds, and fails at the second call.
type tired struct{ calls int }

func (*tired) Supports(asl.Resource) error { return nil }

func (s *tired) Perform(ctx context.Context, _ integration.Task) (*value.Doc, error) {
	s.calls++
	select {
	case <-time.After(2 * time.Second): // of the test's own clock
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.calls == 2 {
		return nil, integration.Failed("Slow.Tired", "no")
	}
	return doc("1"), nil
}

// TestListenerTasks: what is told of tasks is what they are, how long they stood in
// line behind each other and took, and how they ended.
func TestListenerTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l heard
		var registry integration.Registry
		registry.Register("slow", new(tired))
		e := open(t, engine.Config{Integrations: &registry, Concurrency: 1, Listener: l.listener()})
		m := create(t, e, catalogue.Standard, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::slow:work","End":true}}}`)
		var arns []string
		for range 3 {
			arns = append(arns, begin(t, e, m))
			synctest.Wait() // they stand in line in this order
		}
		time.Sleep(5 * time.Second) // of the test's own clock: the third is at it
		if _, err := e.Stop(t.Context(), arns[2], stored.Description{}.Failure); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := []engine.TaskInfo{
			{Outcome: engine.Succeeded, Performed: 2 * time.Second},
			{Outcome: engine.Failed, Error: "Slow.Tired", InLine: 2 * time.Second, Performed: 2 * time.Second},
			{Outcome: engine.Cancelled, InLine: 4 * time.Second, Performed: time.Second},
		}
		for i := range want {
			w := &want[i]
			w.ExecutionARN, w.Service, w.Resource, w.State, w.Event, w.Attempt = arns[i], "slow", "arn:aws:states:::slow:work", "A", 3, 1
		}
		if !slices.Equal(l.ended, want) {
			t.Errorf("ended:\n%+v, want\n%+v", l.ended, want)
		}
		for i := range want {
			want[i].Outcome, want[i].Error, want[i].Performed = 0, "", 0
		}
		if !slices.Equal(l.begun, want) {
			t.Errorf("begun:\n%+v, want\n%+v", l.begun, want)
		}
	})
}

// TestListenerJobs: a job is submitted and asked about, each of which is told.
func TestListenerJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l heard
		h := newHall()
		h.mute = 1
		e, _ := inHall(t, h, engine.Config{Store: memory.New(memory.Options{}), Listener: l.listener()})
		arn := begin(t, e, create(t, e, catalogue.Standard, oneJob))
		time.Sleep(5 * time.Second) // of the test's own clock: asked twice, the first time without answer
		h.end(integration.Failed("Hall.Broken", "it broke"))
		end(t, e, arn, store.Failed)
		if len(l.ended) != 1 || l.ended[0].Outcome != engine.Submitted {
			t.Errorf("submissions: %+v", l.ended)
		}
		var got []string
		for i, p := range l.polled {
			if p.Attempt != i+1 || p.Service != "hall" || p.State != "A" || p.ExecutionARN != arn {
				t.Errorf("%+v", p)
			}
			got = append(got, p.Outcome.String()+p.Error)
		}
		if want := []string{"unknown", "pending", "failedHall.Broken"}; !slices.Equal(got, want) {
			t.Errorf("polls: %v, want %v", got, want)
		}
	})
}

// TestListenerCommits: the commits that are told are those in the store.
func TestListenerCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l heard
		db := memory.New(memory.Options{})
		e := open(t, engine.Config{Store: db, Listener: l.listener()})
		m := create(t, e, catalogue.Standard, waits)
		arn := begin(t, e, m)
		end(t, e, arn, store.Succeeded)
		id, err := e.Find(t.Context(), arn)
		if err != nil {
			t.Fatal(err)
		}
		chunks, err := db.History(t.Context(), id, 1, 1000, false)
		if err != nil {
			t.Fatal(err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.commits) != len(chunks) || len(l.steps) != len(chunks) {
			t.Fatalf("%d commits and %d steps, want %d", len(l.commits), len(l.steps), len(chunks))
		}
		for i, c := range chunks {
			events := int(c.Last - c.First + 1)
			want := engine.CommitInfo{Shard: id.Shard(), Events: events, Bytes: len(c.Data), Took: l.commits[i].Took}
			if l.commits[i] != want || len(l.steps[i].Events) != events || l.steps[i].Info.ARN != arn {
				t.Errorf("%+v and %d events, want %+v", l.commits[i], len(l.steps[i].Events), want)
			}
		}
	})
}

// TestListenerShards: an engine takes all shards, loses one to a rival, and takes it back.
func TestListenerShards(t *testing.T) {
	var l, ofRival heard
	db := memory.New(memory.Options{Shards: 1})
	e := open(t, engine.Config{Store: db, Listener: l.listener()})
	arn := begin(t, e, create(t, e, catalogue.Standard, waits))
	open(t, engine.Config{Store: db, Listener: ofRival.listener()})
	if _, err := e.Stop(t.Context(), arn, stored.Description{}.Failure); !errors.Is(err, engine.ErrNotOwner) {
		t.Fatal(err)
	}
	if err := e.Acquire(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	first := l.taken[0].Epoch
	for _, c := range []struct {
		what      string
		got, want []engine.ShardInfo
	}{
		{"taken", l.taken, []engine.ShardInfo{{Epoch: first}, {Epoch: first + 2, Running: 1}}},
		{"lost", l.lost, []engine.ShardInfo{{Epoch: first}}},
		{"taken by the rival", ofRival.taken, []engine.ShardInfo{{Epoch: first + 1, Running: 1}}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.what, c.got, c.want)
		}
	}
}

// TestTee: both listeners are told, the first one first; and what neither has costs
// nothing.
func TestTee(t *testing.T) {
	if both := engine.Tee(engine.Listener{}, engine.Listener{}); !reflect.ValueOf(both).IsZero() {
		t.Errorf("of two zero values: %+v", both)
	}
	var order []string
	of := reflect.TypeFor[engine.Listener]()
	make := func(name string) (l engine.Listener) {
		for i := range of.NumField() {
			reflect.ValueOf(&l).Elem().Field(i).Set(reflect.MakeFunc(of.Field(i).Type, func([]reflect.Value) []reflect.Value {
				order = append(order, fmt.Sprint(name, i))
				return nil
			}))
		}
		return l
	}
	a, b := make("a"), make("b")
	for _, both := range []engine.Listener{engine.Tee(a, b), engine.Tee(a, engine.Listener{}), engine.Tee(engine.Listener{}, b)} {
		for i := range of.NumField() {
			reflect.ValueOf(both).Field(i).Call([]reflect.Value{reflect.Zero(of.Field(i).Type.In(0))})
		}
	}
	var want []string
	for i := range of.NumField() {
		want = append(want, fmt.Sprint("a", i), fmt.Sprint("b", i))
	}
	for _, name := range []string{"a", "b"} {
		for i := range of.NumField() {
			want = append(want, fmt.Sprint(name, i))
		}
	}
	if !slices.Equal(order, want) {
		t.Errorf("called: %v, want %v", order, want)
	}
}
