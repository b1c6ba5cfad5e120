package transfer_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/engine/enginetest"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

var (
	seeds = flag.Int("seeds", 80, "number of seeds of the worlds that are moved")
	first = flag.Uint64("seed", 1, "first seed")
)

func doc(text string) *value.Doc { return value.NewDoc([]byte(text)) }

// reader reads random bytes that follow from a seed.
type reader struct{ random *rand.Rand }

func (r reader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.random.Uint32())
	}
	return len(b), nil
}

// world is a store with all that a catalogue can have.
type world struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	jobs   []func()
	store  *memory.Store
	e      *engine.Engine
	names  int
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 3)), now: time.UnixMilli(1_700_000_000_000), store: memory.New(memory.Options{})}
	w.e = w.open(w.store)
	return w
}

func (w *world) open(s store.Store) *engine.Engine {
	e, err := engine.Open(w.t.Context(), engine.Config{
		Store: s, Integrations: new(integration.Registry), EncryptionKeys: worldKeys, Index: []string{"input.n", "output.n"},
		Clock: func() time.Time { return w.now }, Random: reader{w.random}, Go: func(work func()) { w.jobs = append(w.jobs, work) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// run does what the engine wants done.
func (w *world) run() {
	for len(w.jobs) > 0 {
		work := w.jobs[0]
		w.jobs = w.jobs[1:]
		work()
	}
}

var worldTenants = []catalogue.Tenant{enginetest.Tenant, {Account: "111122223333", Region: "cn-north-1"}}

var worldKeys = []catalogue.EncryptionKey{{ID: "alias/k", Key: make([]byte, 32)}}

const activityMachine = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:a1","TimeoutSeconds":600,"End":true}}}`

var worldDefinitions = []string{
	`{"StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"a":"{% $states.input.n %}","b":"<&>"},"End":true}},"QueryLanguage":"JSONata"}`,
	`{"Comment":"<b>\u00fc\\\"</b>","StartAt":"A","TimeoutSeconds":500,"States":{"A":{"Type":"Wait","Seconds":900,"End":true}}}`,
	`{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericGreaterThan":2,"Next":"F"}],"Default":"S"},"F":{"Type":"Fail","Error":"TooMany","Cause":"more than 2"},"S":{"Type":"Succeed"}}}`,
	activityMachine,
}

// move makes one thing happen. What cannot be is refused, which is all the same.
func (w *world) move() {
	ctx, of := w.t.Context(), worldTenants[w.random.IntN(2)]
	name := fmt.Sprintf("m%d", w.random.IntN(3))
	m, err := w.e.Catalogue().Machine(ctx, of.ARN("stateMachine", name))
	switch n := w.random.IntN(100); {
	case n < 10:
		_ = w.e.Catalogue().PutActivity(ctx, catalogue.Activity{Tenant: of, Name: fmt.Sprintf("a%d", w.random.IntN(3)), Created: w.now, Tags: []catalogue.Tag{{Key: "k", Value: "<v>"}}})
	case n < 20:
		w.now = w.now.Add(time.Duration(w.random.IntN(200)) * time.Second)
		w.e.Tick(ctx, w.now)
	case err != nil:
		w.create(of, name)
	case m.Deleting: // the API does nothing with it
		w.disturb(m)
	case n < 30:
		w.change(m)
	case n < 40:
		w.alias(m)
	case n < 43:
		_ = w.e.DeleteMachine(ctx, m)
	case n < 46:
		_ = w.e.Catalogue().DeleteVersion(ctx, m, 1+w.random.Uint32N(3))
	case n < 80:
		w.start(m)
	default:
		w.disturb(m)
	}
	w.run()
}

func (w *world) parsed(definition string) *asl.StateMachine {
	parsed, diagnostics := asl.Parse([]byte(definition))
	if parsed == nil {
		w.t.Fatal(diagnostics)
	}
	return parsed
}

func (w *world) create(of catalogue.Tenant, name string) {
	definition := worldDefinitions[w.random.IntN(len(worldDefinitions))]
	m := catalogue.Machine{Tenant: of, Name: name, Type: catalogue.Standard, RoleARN: "arn:aws:iam::1:role/<r>", Definition: definition, Created: w.now, Updated: w.now}
	if w.random.IntN(5) == 0 {
		m.Type = catalogue.Express
	}
	if w.random.IntN(2) == 0 {
		m.Tags = []catalogue.Tag{{Key: engine.RetentionTag, Value: "1h"}, {Key: "b", Value: ""}}
		m.Logging, m.Tracing = []byte(`{ "level": "ALL", "x": "\u003c" }`), []byte(`{"enabled":true}`)
	}
	if w.random.IntN(3) == 0 {
		m.Encryption = []byte(`{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"alias/k","kmsDataKeyReusePeriodSeconds":300}`)
	}
	if w.random.IntN(2) == 0 {
		m.Published = new("first")
		_, _, _ = w.e.Catalogue().CreatePublished(w.t.Context(), m, w.parsed(definition), "first")
		return
	}
	_, _ = w.e.Catalogue().CreateMachine(w.t.Context(), m, w.parsed(definition))
}

// change updates a machine, its tags only, or publishes it.
func (w *world) change(m *catalogue.Machine) {
	ctx, next := w.t.Context(), *m
	next.Updated = w.now
	switch w.random.IntN(3) {
	case 0:
		if w.random.IntN(4) == 0 {
			next.Encryption = nil
		}
		next.Definition, next.RevisionID = worldDefinitions[w.random.IntN(len(worldDefinitions))], w.e.Catalogue().UUID()
		_, _, _ = w.e.Catalogue().PutPublished(ctx, next, w.parsed(next.Definition), true, "changed")
	case 1:
		next.Tags = append(slices.Clip(next.Tags), catalogue.Tag{Key: fmt.Sprint(w.names), Value: "v"})
		_, _ = w.e.Catalogue().PutMachine(ctx, next, m.Parsed(), false)
	case 2:
		_, _ = w.e.Catalogue().Publish(ctx, m, "")
	}
}

// alias makes, changes, shifts or deletes an alias.
func (w *world) alias(m *catalogue.Machine) {
	ctx, name := w.t.Context(), fmt.Sprintf("l%d", w.random.IntN(2))
	a, err := w.e.Catalogue().Alias(ctx, m, name)
	if err != nil {
		a = &catalogue.Alias{Name: name, Created: w.now}
	}
	next := *a
	next.Updated, next.Description = w.now, fmt.Sprint(w.names)
	switch w.random.IntN(4) {
	case 0:
		next.Routes = []catalogue.Route{{Version: 1, Weight: 100}}
		_, _ = w.e.Catalogue().PutAlias(ctx, m, next)
	case 1:
		next.Routes = []catalogue.Route{{Version: 1, Weight: 60}, {Version: 2, Weight: 40}}
		_, _ = w.e.Catalogue().PutAlias(ctx, m, next)
	case 2:
		plan := catalogue.ShiftPlan{First: 10, Step: 30, Every: 90 * time.Second, Rule: &catalogue.ErrorRate{Percent: 12.5}}
		_, _ = w.e.BeginShift(ctx, m, name, 1+w.random.Uint32N(3), plan)
	case 3:
		_ = w.e.Catalogue().DeleteAlias(ctx, m, name)
	}
}

// start starts an execution of a machine, a version or an alias.
func (w *world) start(m *catalogue.Machine) {
	arn := m.ARN() + []string{"", "", ":1", ":2", ":l0", ":l1"}[w.random.IntN(6)]
	req, err := w.e.StartOf(w.t.Context(), arn)
	if err != nil {
		return
	}
	w.names++
	req.Input, req.TraceHeader = doc(fmt.Sprintf(`{"n":%d, "text":"\u00fc <&> \"q\"" }`, w.random.IntN(5))), "Root=1"
	if w.random.IntN(3) > 0 {
		req.Name = fmt.Sprintf("x%d", w.names)
	}
	_, _ = w.e.Start(w.t.Context(), req)
}

// disturb stops, redrives or forks some execution of a machine, or begins the
// task of one.
func (w *world) disturb(m *catalogue.Machine) {
	ctx := w.t.Context()
	list, _, err := w.e.List(ctx, m, 0, 1+w.random.IntN(5), "")
	if err != nil || len(list) == 0 {
		return
	}
	d := list[w.random.IntN(len(list))]
	switch w.random.IntN(4) {
	case 0:
		_, _ = w.e.Stop(ctx, d.ARN, d.Failure)
	case 1:
		_, _ = w.e.Redrive(ctx, d.ARN, "token")
	case 2:
		req := engine.ForkRequest{ARN: d.ARN, At: 1}
		if w.random.IntN(2) == 0 {
			req.Definition = worldDefinitions[w.random.IntN(3)]
		}
		_, _ = w.e.Fork(ctx, req)
	case 3:
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, _, _ = w.e.ActivityTask(ended, enginetest.Tenant.ARN("activity", "a1"), "worker")
	}
}

// TestTransferCatalogue moves stores with everything that a catalogue can have:
// tenants, revisions, versions, aliases, shifts, deletions that wait, machines
// that are gone, forks by other definitions, Express executions. In the other
// store the API tells the same.
func TestTransferCatalogue(t *testing.T) {
	for seed := *first; seed < *first+uint64(*seeds); seed++ {
		w := newWorld(t, seed)
		for range 60 + w.random.IntN(200) {
			w.move()
		}
		other := memory.New(memory.Options{})
		if seed%2 == 0 { // values are indexed there, from the beginning
			if err := other.Put(t.Context(), store.Edit{Key: "index/input.n", Value: []byte("0")}); err != nil {
				t.Fatal(err)
			}
		}
		enginetest.Moved(t, w.store, other, worldKeys...)
		w.now = w.now.Add(time.Second)
		e := w.open(other)
		w.jobs = nil
		if diff := cmp.Diff(told(t, w.e), told(t, e)); diff != "" {
			t.Errorf("the other store tells otherwise (-first +second):\n%s", diff)
		}
		if t.Failed() {
			t.Fatalf("seed %d (repeat it with -seeds 1 -seed %d)", seed, seed)
		}
	}
}

// told is what the engine tells of machines and executions.
func told(t *testing.T, e *engine.Engine) map[string]any {
	all := make(map[string]any)
	names := func(ds []*stored.Description) (names []string) {
		for _, d := range ds {
			names = append(names, d.ARN)
		}
		return names
	}
	for _, of := range worldTenants {
		machines, err := e.Catalogue().Machines(t.Context(), of, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range machines {
			whole, err := e.Catalogue().Machine(t.Context(), m.ARN())
			if err != nil {
				t.Fatal(err)
			}
			all[m.ARN()] = whole.Definition
			list, _, err := e.List(t.Context(), m, 0, 1000, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list {
				forks, err := e.Forks(t.Context(), d)
				if err != nil {
					t.Fatal(err)
				}
				all[d.ARN] = []any{d.Status.String(), d.Start.UnixMilli(), d.Stop.UnixMilli(), d.Redrives, d.RoleARN, d.TraceHeader, names(forks)}
			}
			for _, q := range []string{"1", "2", "l0", "l1"} {
				list, _, err := e.ListQualified(t.Context(), m, m.ARN()+":"+q, 0, 1000, "")
				if err != nil {
					t.Fatal(err)
				}
				all[m.ARN()+":"+q] = names(list)
			}
		}
		for what, q := range map[string]stored.Search{"failed": {Error: "TooMany"}, "indexed": {Values: []stored.Comparison{{Field: field(t, "input.n"), Op: "=", Value: doc("3").Value()}}}} {
			q.Tenant = of
			q.Limit = 1000
			found, err := e.Search(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			all[of.Region+" "+what] = names(found.Executions)
		}
		shifts, err := e.Catalogue().Shifts(t.Context(), of, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range shifts {
			all["shift of "+s.AliasARN()] = []any{s.Status, s.Weight, s.Next.UnixMilli(), s.Every, s.Rule}
		}
	}
	return all
}

func field(t *testing.T, text string) stored.Field {
	f, err := stored.ParseField(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
