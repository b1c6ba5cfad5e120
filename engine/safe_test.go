package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
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

func parse(t testing.TB, definition string) *asl.StateMachine {
	t.Helper()
	m, diagnostics := asl.Parse([]byte(definition))
	if m == nil {
		t.Fatal(diagnostics)
	}
	return m
}

const endless = `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Choice","Choices":[{"Variable":"$.nowhere","IsPresent":true,"Next":"E"}],"Default":"A"},"E":{"Type":"Succeed"}}}`

// TestStopEndless: the start of an execution that never rests is answered, and the
// execution can be stopped.
func TestStopEndless(t *testing.T) {
	e := open(t, engine.Config{Limits: interpreter.Limits{PayloadBytes: 1000}})
	m := create(t, e, catalogue.Standard, endless)
	started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Stop(t.Context(), started.ARN, history.ErrorOutput{}); err != nil {
		t.Fatal(err)
	}
	if d, err := e.Describe(t.Context(), started.ARN); err != nil || d.Status != store.Aborted {
		t.Errorf("%+v, %v", d, err)
	}
}

// long is a state whose evaluation takes minutes where nothing bounds it.
func long() (definition, input string) {
	var fields strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&fields, `"x%d.$":"$.l[?(@.a==-1)]",`, i)
	}
	definition = `{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{` + strings.TrimSuffix(fields.String(), ",") + `},"End":true}}}`
	return definition, `{"l":[0` + strings.Repeat(`,{"a":1}`, 25_000) + `]}`
}

// TestStopInterrupts: a stop does not wait for the end of an evaluation, and
// neither does the end of the engine.
func TestStopInterrupts(t *testing.T) {
	e := open(t, engine.Config{Limits: interpreter.Limits{Events: 1000}})
	definition, input := long()
	m := create(t, e, catalogue.Standard, definition)
	for range 2 { // the other is under way when the engine is closed
		if _, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: "other", Input: doc(input)}); err != nil && !errors.Is(err, engine.ErrAlreadyExists) {
			t.Fatal(err)
		}
	}
	started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(input)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Stop(t.Context(), started.ARN, history.ErrorOutput{}); err != nil {
		t.Fatal(err)
	}
	d, err := e.Describe(t.Context(), started.ARN)
	if err != nil || d.Status != store.Aborted {
		t.Errorf("%+v, %v", d, err)
	}
	events, _, err := e.History(t.Context(), d.ID, 0, 100, 0, false)
	if err != nil || len(events) != 2 {
		t.Errorf("%d events, %v: the start and the end are durable, and nothing of what was interrupted", len(events), err)
	}
}

// TestSynchronousIsLeft: an Express execution ends when nobody waits for it.
func TestSynchronousIsLeft(t *testing.T) {
	e := open(t, engine.Config{Limits: interpreter.Limits{Events: 1000}})
	definition, input := long()
	m := create(t, e, catalogue.Express, definition)
	ctx, leave := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, leave)
	if _, err := e.StartSync(ctx, engine.StartRequest{Machine: m, Input: doc(input)}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if all, _ := e.Residents(); all != 0 {
		t.Errorf("%d executions are still there", all)
	}
}

// gated performs tasks when it is told to.
type gated struct {
	begun chan string
	open  chan struct{}
	limit int
}

func (g *gated) Supports(asl.Resource) error { return nil }

func (g *gated) Lane(t integration.Task) (string, int) {
	name := t.Input.Value().Get("lane").Str()
	if name == "slow" {
		return name, g.limit
	}
	return name, 0
}

func (g *gated) Perform(ctx context.Context, t integration.Task) (*value.Doc, error) {
	name, _ := g.Lane(t)
	g.begun <- name
	if name == "slow" {
		select {
		case <-g.open:
		case <-ctx.Done():
		}
	}
	return t.Input, nil
}

// TestLanes: tasks of one function that wait for each other keep those of another
// one not waiting, and hold no input in line.
func TestLanes(t *testing.T) {
	g := &gated{begun: make(chan string, 1000), open: make(chan struct{}), limit: 2}
	registry := new(integration.Registry)
	registry.Register("*", g)
	e := open(t, engine.Config{Integrations: registry, Concurrency: 8})
	m := create(t, e, catalogue.Standard, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::fake:work","End":true}}}`)
	large := strings.Repeat("x", 10_000)
	var arns []string
	start := func(lane string) {
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{"lane":"` + lane + `","a":"` + large + `"}`)})
		if err != nil {
			t.Fatal(err)
		}
		arns = append(arns, started.ARN)
	}
	for range 100 {
		start("slow")
	}
	for range 2 {
		if <-g.begun != "slow" {
			t.Fatal("the slow ones have not begun")
		}
	}
	start("quick")
	if name := <-g.begun; name != "quick" {
		t.Fatalf("a third %s one has begun", name)
	}
	if d, err := e.Wait(t.Context(), arns[100]); err != nil || d.Status != store.Succeeded {
		t.Fatalf("%+v, %v", d, err)
	}
	close(g.open)
	for _, arn := range arns {
		if d, err := e.Wait(t.Context(), arn); err != nil || d.Status != store.Succeeded || d.Output.Size() < len(large) {
			t.Fatalf("%+v, %v", d, err)
		}
	}
}

// marks are those that a run before has left.
type marks struct {
	mu   sync.Mutex
	left []store.ExecutionID
	set  map[int]store.ExecutionID
}

func (m *marks) Set(slot int, id store.ExecutionID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set[slot] = id
	return nil
}

func (m *marks) Clear(slot int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.set, slot)
	return nil
}

func (m *marks) Left() []store.ExecutionID { return m.left }

// TestSuspectIsHeld: an execution in the middle of whose steps the process died
// twice is not stepped by the third, which serves others.
func TestSuspectIsHeld(t *testing.T) {
	s := memory.New(memory.Options{})
	definition := `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"Next":"A"},"A":{"Type":"Pass","End":true}}}`
	now := time.UnixMilli(1_000_000)
	clock := func() time.Time { return now }
	run := func(left []store.ExecutionID, work func(e *engine.Engine)) {
		e, err := engine.Open(t.Context(), engine.Config{
			Store: s, Integrations: new(integration.Registry), Clock: clock, Marks: &marks{left: left, set: make(map[int]store.ExecutionID)},
		})
		if err != nil {
			t.Fatal(err)
		}
		work(e)
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var poison, other engine.Started
	var id store.ExecutionID
	run(nil, func(e *engine.Engine) {
		m := create(t, e, catalogue.Standard, definition)
		var err error
		if poison, err = e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)}); err != nil {
			t.Fatal(err)
		}
		if other, err = e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)}); err != nil {
			t.Fatal(err)
		}
		if id, err = e.Find(t.Context(), poison.ARN); err != nil {
			t.Fatal(err)
		}
	})
	died := []store.ExecutionID{id, {9, 9, 9}} // one that was never durable is passed over
	run(died, func(e *engine.Engine) {
		if x := e.Suspected(id); x == nil || x.Held || x.Deaths != 1 {
			t.Errorf("after the first death: %+v", x)
		}
	})
	run(died, func(e *engine.Engine) {
		if x := e.Suspected(id); x == nil || !x.Held || !strings.Contains(x.Reason, "2 times") {
			t.Errorf("after the second death: %+v", x)
		}
		now = now.Add(time.Minute)
		e.Tick(t.Context(), now)
		if d, err := e.Wait(t.Context(), other.ARN); err != nil || d.Status != store.Succeeded {
			t.Errorf("the other one: %+v, %v", d, err)
		}
		if _, err := e.Deliver(t.Context(), id, interpreter.Message{Kind: interpreter.Wake}); !errors.Is(err, engine.ErrHeld) {
			t.Errorf("a message: %v", err)
		}
	})
	run(nil, func(e *engine.Engine) {
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { e.Run(ctx) })
		defer running.Wait()
		defer cancel()
		if err := e.Resume(t.Context(), poison.ARN); err != nil {
			t.Fatal(err)
		}
		if d, err := e.Wait(t.Context(), poison.ARN); err != nil || d.Status != store.Succeeded {
			t.Errorf("resumed: %+v, %v", d, err)
		}
	})
}

// TestHeldIsStopped: an execution that is held can be stopped.
func TestHeldIsStopped(t *testing.T) {
	registry := new(integration.Registry)
	registry.Register("*", breaking{})
	e := open(t, engine.Config{Integrations: registry})
	m := create(t, e, catalogue.Standard, `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":0,"Next":"A"},"A":{"Type":"Task","Resource":"arn:aws:states:::fake:work","End":true}}}`)
	started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	id, err := e.Find(t.Context(), started.ARN)
	if err != nil {
		t.Fatal(err)
	}
	for e.Suspected(id) == nil || !e.Suspected(id).Held { //nolint:revive // it breaks soon
	}
	if _, err := e.Stop(t.Context(), started.ARN, history.ErrorOutput{}); err != nil {
		t.Fatal(err)
	}
	if d, err := e.Describe(t.Context(), started.ARN); err != nil || d.Status != store.Aborted {
		t.Errorf("%+v, %v", d, err)
	}
}

// breaking is an integration with a bug.
type breaking struct{}

func (breaking) Supports(asl.Resource) error         { return nil }
func (breaking) Lane(integration.Task) (string, int) { panic("a bug") }
func (breaking) Perform(context.Context, integration.Task) (*value.Doc, error) {
	return nil, errors.New("it is not performed")
}

// handClock is a clock that a test sets.
type handClock struct{ millis atomic.Int64 }

func newHandClock() *handClock {
	c := new(handClock)
	c.millis.Store(1_000_000)
	return c
}

func (c *handClock) now() time.Time { return time.UnixMilli(c.millis.Load()) }

func (c *handClock) pass(d time.Duration) { c.millis.Add(d.Milliseconds()) }

// TestResidency: executions that wait hold no more memory than they may, and go on
// all the same.
func TestResidency(t *testing.T) {
	clock := newHandClock()
	e := open(t, engine.Config{Memory: 4 << 20, Clock: clock.now})
	m := create(t, e, catalogue.Standard, `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":30,"Next":"A"},"A":{"Type":"Pass","End":true}}}`)
	large := `{"a":"` + strings.Repeat("x", 100_000) + `"}`
	var arns []string
	for range 100 {
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(large)})
		if err != nil {
			t.Fatal(err)
		}
		arns = append(arns, started.ARN)
	}
	if all, loaded := e.Residents(); all != 100 || loaded > 20 || loaded == 0 {
		t.Errorf("of %d executions %d are in memory", all, loaded)
	}
	clock.pass(time.Minute)
	e.Tick(t.Context(), clock.now())
	for _, arn := range arns {
		if d, err := e.Wait(t.Context(), arn); err != nil || d.Status != store.Succeeded || d.Output.Size() != len(large) {
			t.Fatalf("%+v, %v", d, err)
		}
	}
}

// TestCreateAtOnce: machines of different names do not conflict.
func TestCreateAtOnce(t *testing.T) {
	e := open(t, engine.Config{})
	const definition = `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`
	m := parse(t, definition)
	var all sync.WaitGroup
	numbers := make([]uint32, 64)
	for i := range numbers {
		all.Go(func() {
			created, err := e.Catalogue().CreateMachine(t.Context(), catalogue.Machine{Tenant: tenant, Name: fmt.Sprint("m", i), Type: catalogue.Standard, Definition: definition}, m)
			if err != nil {
				t.Error(err)
				return
			}
			numbers[i] = created.Number
		})
	}
	all.Wait()
	seen := make(map[uint32]bool)
	for _, n := range numbers {
		if n == 0 || seen[n] {
			t.Errorf("the number %d was given twice, or none was", n)
		}
		seen[n] = true
	}
}

// TestUnusedRevisions: of a machine that is updated again and again those
// revisions are kept by which something has run, or that are published.
func TestUnusedRevisions(t *testing.T) {
	s := memory.New(memory.Options{})
	e := open(t, engine.Config{Store: s})
	definition := func(i int) string {
		return fmt.Sprintf(`{"Comment":"%d","StartAt":"A","States":{"A":{"Type":"Wait","Seconds":1000,"End":true}}}`, i)
	}
	m := create(t, e, catalogue.Standard, definition(0))
	stale := m
	var arns []string
	for i := range 50 {
		switch i {
		case 10:
			started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)})
			if err != nil {
				t.Fatal(err)
			}
			arns = append(arns, started.ARN)
		case 20:
			if _, err := e.Catalogue().Publish(t.Context(), m, ""); err != nil {
				t.Fatal(err)
			}
		}
		next := *m
		next.Definition = definition(i + 1)
		var err error
		if m, err = e.Catalogue().PutMachine(t.Context(), next, parse(t, next.Definition), true); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := s.Scan(t.Context(), "revision/", "", 0)
	if err != nil || len(entries) != 3 {
		t.Errorf("%d revisions are kept, not that of the execution, that of the version, and the last: %v", len(entries), err)
	}
	// Who has read the machine long ago starts it as it is.
	started, err := e.Start(t.Context(), engine.StartRequest{Machine: stale, Input: doc(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	for i, arn := range append(arns, started.ARN) {
		d, err := e.Describe(t.Context(), arn)
		if err != nil {
			t.Fatal(err)
		}
		rev, err := e.Catalogue().Revision(t.Context(), d.RevisionKey())
		if want := definition([]int{10, 50}[i]); err != nil || rev.Definition != want {
			t.Errorf("%v, %v; want %s", rev, err, want)
		}
	}
}

// TestQuotas: an account has no more than it may; what it deletes counts no more.
func TestQuotas(t *testing.T) {
	clock := newHandClock()
	e := open(t, engine.Config{Quotas: catalogue.Quotas{Machines: 3, Activities: 2, DefinitionBytes: 10_000}, Clock: clock.now})
	definition := `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`
	add := func(of catalogue.Tenant, name, definition string) error {
		_, err := e.Catalogue().CreateMachine(t.Context(), catalogue.Machine{Tenant: of, Name: name, Type: catalogue.Standard, Definition: definition}, parse(t, definition))
		return err
	}
	full := func(err error, of string) {
		t.Helper()
		if q, ok := errors.AsType[*catalogue.QuotaError](err); !ok || q.Of != of {
			t.Errorf("%v; want the quota of %s", err, of)
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := add(tenant, name, definition); err != nil {
			t.Fatal(err)
		}
	}
	full(add(tenant, "d", definition), "state machines")
	other := catalogue.Tenant{Account: "111111111111", Region: tenant.Region}
	full(add(other, "a", `{"Comment":"`+strings.Repeat("x", 10_000)+`",`+definition[1:]), "bytes of definitions")
	if err := add(other, "a", definition); err != nil {
		t.Error(err)
	}
	m, err := e.Catalogue().Machine(t.Context(), tenant.ARN("stateMachine", "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.DeleteMachine(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	clock.pass(time.Minute)
	if err := add(tenant, "d", definition); err != nil {
		t.Errorf("after a deletion: %v", err)
	}
	for _, name := range []string{"a", "b"} {
		if err := e.Catalogue().PutActivity(t.Context(), catalogue.Activity{Tenant: tenant, Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	full(e.Catalogue().PutActivity(t.Context(), catalogue.Activity{Tenant: tenant, Name: "c"}), "activities")
}

// TestHistoryPages: a page of a history is bounded in bytes, and pages give all
// events once.
func TestHistoryPages(t *testing.T) {
	e := open(t, engine.Config{})
	m := create(t, e, catalogue.Standard, `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"C"},"C":{"Type":"Pass","End":true}}}`)
	started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{"a":"` + strings.Repeat("x", 10_000) + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	d, err := e.Wait(t.Context(), started.ARN)
	if err != nil {
		t.Fatal(err)
	}
	for _, reverse := range []bool{false, true} {
		for _, bound := range []int{1, 25_000, 0} {
			var ids []int64
			for from, more := int64(0), true; more; {
				var events []history.Event
				if events, more, err = e.History(t.Context(), d.ID, from, 100, bound, reverse); err != nil || len(events) == 0 {
					t.Fatal(err)
				}
				if most := map[int]int{1: 1, 25_000: 2, 0: 8}[bound]; len(events) > most {
					t.Errorf("%d events in a page of %d bytes", len(events), bound)
				}
				for _, ev := range events {
					ids = append(ids, ev.ID)
				}
				from = ids[len(ids)-1] + 1
				if reverse {
					from -= 2
				}
			}
			want := "[1 2 3 4 5 6 7 8]"
			if reverse {
				want = "[8 7 6 5 4 3 2 1]"
			}
			if fmt.Sprint(ids) != want {
				t.Errorf("events %v, want %v", ids, want)
			}
		}
	}
}

// TestKeyOfAnother: an encryption key of another account is as one that is not
// there.
func TestKeyOfAnother(t *testing.T) {
	id := "arn:aws:kms:us-east-1:222222222222:key/a"
	k := key(id, 1)
	e := open(t, engine.Config{EncryptionKeys: []catalogue.EncryptionKey{k}})
	configuration := []byte(`{"kmsKeyId":"` + id + `","type":"CUSTOMER_MANAGED_KMS_KEY"}`)
	missing := []byte(strings.Replace(string(configuration), "key/a", "key/b", 1))
	for account, want := range map[string]bool{"222222222222": true, "111111111111": false} {
		err := e.Catalogue().CheckEncryption(account, configuration)
		none, ok := errors.AsType[*catalogue.KeyError](e.Catalogue().CheckEncryption(account, missing))
		if !ok || none.Other {
			t.Errorf("%s: a key that is not there: %v", account, none)
		}
		if _, refused := errors.AsType[*catalogue.KeyError](err); refused == want {
			t.Errorf("%s: %v", account, err)
		}
	}
}
