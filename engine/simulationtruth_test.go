package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
)

// truth is what has been written, and what must be true of it.
type truth struct {
	s          *simulation
	executions map[store.ExecutionID]*known
	byARN      map[string]*known
	retired    map[string]bool // ARNs of executions that were there
	forgotten  []*known        // since the last power cut
	catalogue  map[string][]byte
	gone       map[uint32]bool // numbers of machines that were deleted
	versions   map[string]bool // keys of versions that were there
	epochs     [simulatedShards]uint64
	// Where executions could be found.
	scopes   map[store.Scope]bool
	terms    map[store.Term]bool
	machines map[uint32]bool
}

func newTruth(s *simulation) *truth {
	return &truth{
		s: s, executions: make(map[store.ExecutionID]*known), byARN: make(map[string]*known), retired: make(map[string]bool),
		catalogue: make(map[string][]byte), gone: make(map[uint32]bool), versions: make(map[string]bool),
		scopes: make(map[store.Scope]bool), terms: make(map[store.Term]bool), machines: make(map[uint32]bool),
	}
}

// running counts the executions that run.
func (t *truth) running() int {
	n := 0
	for _, x := range t.executions {
		if x.status == store.Running {
			n++
		}
	}
	return n
}

// executionMeta is what the engine keeps of an execution beside its history.
type executionMeta struct {
	Name, MachineName, ID, VersionARN, AliasARN string
	Machine                                     uint32
	Revision                                    uint64
	Type                                        catalogue.MachineType
	Fork                                        *history.Fork
}

// transferred takes what an import has made of what was written: machines have
// other numbers.
func (t *truth) transferred() {
	entries, err := t.s.base.Scan(t.s.ctx, "", "", 0)
	if err != nil {
		t.s.wrong("%v", err)
	}
	t.catalogue, t.gone, t.versions = make(map[string][]byte), make(map[uint32]bool), make(map[string]bool)
	for _, e := range entries {
		t.catalogue[e.Key] = e.Value
		switch kind, number, _ := numbered(e.Key); kind {
		case "deleted":
			t.gone[number] = true
		case "version":
			t.versions[e.Key] = true
		}
	}
	for _, x := range t.executions {
		r, err := t.s.base.Execution(t.s.ctx, x.id)
		if err != nil {
			t.s.wrong("%s: %v", x.arn, err)
			return
		}
		x.machine = decodeAs[executionMeta](t.s, r.Meta).Machine
		t.machines[r.Group] = true
	}
}

func (t *truth) begin(tr *store.Transition) *known {
	meta := decodeAs[executionMeta](t.s, tr.New.Meta)
	x := &known{
		id: tr.Execution, arn: tenant.ARN("execution", meta.MachineName+":"+meta.Name), machine: meta.Machine, version: meta.VersionARN, alias: meta.AliasARN,
		start: time.UnixMilli(tr.New.Start.UnixMilli()), fork: meta.Fork, events: make([]history.Event, 0, 96),
		scheduled: make(map[int64]int64), done: make(map[int64]bool), submitted: make(map[int64]bool), abandoned: make(map[int64]bool), left: make(map[place]bool), signs: make(map[int64]int64),
		entered: make(map[int64]int64), retry: make(map[int64]int64), iterations: make(map[int64]bool),
	}
	if meta.Type == catalogue.Express {
		x.express, x.arn = true, tenant.ARN("express", meta.MachineName+":"+meta.Name+":"+meta.ID)
	}
	revision := decodeAs[struct{ Definition string }](t.s, t.catalogue[fmt.Sprintf("revision/%08x/%016x", meta.Machine, meta.Revision)])
	x.edition = slices.Index(editions[:], revision.Definition)
	if t.gone[x.machine] {
		t.s.wrong("%s was started after its machine was deleted", x.arn)
	}
	if old := t.byARN[x.arn]; old != nil {
		t.s.wrong("%s was started a second time", x.arn)
	}
	t.executions[x.id], t.byARN[x.arn] = x, x
	t.scopes[tr.New.Key.Scope], t.machines[tr.New.Group] = true, true
	return x
}

// commit takes a transition that was written.
func (t *truth) commit(tr *store.Transition, by *nodeShard) {
	if owner := t.epochs[by.ID()]; by.Epoch() != owner {
		t.s.wrong("a commit to shard %d under epoch %d, while it is %d", by.ID(), by.Epoch(), owner)
	}
	x := t.executions[tr.Execution]
	if tr.New != nil {
		x = t.begin(tr)
	}
	if x == nil {
		t.s.wrong("a commit to the execution %x, which is not there", tr.Execution)
		return
	}
	for _, term := range tr.Terms {
		t.terms[term] = true
	}
	t.s.note("commit %s %d-%d %v by %d", x.arn, tr.Chunk.First, tr.Chunk.Last, tr.Status, by.st.n.number)
	if t.s.record != nil {
		fmt.Fprintf(t.s.record, "%x %d %v %q\n", tr.Execution, tr.Chunk.First, tr.Status, tr.Chunk.Data)
	}
	events, err := history.Decode(x.events, bytes.Clone(tr.Chunk.Data))
	if err != nil {
		t.s.wrong("%s: %v", x.arn, err)
		return
	}
	if tr.Status == store.TimedOut {
		t.unasked(x)
	}
	for i := len(x.events); i < len(events); i++ {
		if problem := x.add(events, i); problem != "" {
			t.s.wrong("%s: event %d (%v): %s", x.arn, events[i].ID, events[i].Type, problem)
		}
	}
	x.events, x.status, x.stop, x.expire = events, tr.Status, tr.Stop, tr.Expire
	if last := events[len(events)-1].Type; terminal(last) != (tr.Status != store.Running) {
		t.s.wrong("%s is %v after %v", x.arn, tr.Status, last)
	}
}

// sign takes an acknowledged sign of life.
func (t *truth) sign(arn string, event, millis int64) {
	if x := t.byARN[arn]; x != nil && int(event) <= len(x.events) && x.events[event-1].Type.Scheduled() {
		x.signs[event] = max(x.signs[event], millis)
	}
}

// retain takes executions that were forgotten.
func (t *truth) retain(ids []store.ExecutionID, now time.Time) {
	for _, id := range ids {
		x := t.executions[id]
		if x == nil {
			continue // its forgetting was not synced before a power cut
		}
		if x.status == store.Running || x.expire.After(now) {
			t.s.wrong("%s is forgotten; it is %v and expires %v", x.arn, x.status, x.expire.Sub(now))
		}
		t.s.note("forgotten: %s", x.arn)
		delete(t.executions, id)
		delete(t.byARN, x.arn)
		t.retired[x.arn] = true
		t.forgotten = append(t.forgotten, x)
	}
}

// after compares what is there after a power cut with what was written. That
// executions were forgotten is not synced: they may be there again.
func (t *truth) after(left store.Store) {
	for _, x := range t.forgotten {
		if _, err := left.Execution(t.s.ctx, x.id); err == nil {
			t.executions[x.id], t.byARN[x.arn] = x, x
		}
	}
	t.forgotten = nil
	for _, x := range t.executions {
		r, err := left.Execution(t.s.ctx, x.id)
		if err != nil || r.Last != int64(len(x.events)) {
			t.s.wrong("%s had %d events before the power cut: %+v, %v", x.arn, len(x.events), r, err)
		}
	}
	entries, err := left.Scan(t.s.ctx, "", "", 0)
	if err != nil || len(entries) != len(t.catalogue) {
		t.s.wrong("the catalogue had %d entries before the power cut, and has %d, %v", len(t.catalogue), len(entries), err)
	}
	for _, e := range entries {
		if !bytes.Equal(e.Value, t.catalogue[e.Key]) {
			t.s.wrong("%s is %q after the power cut, not %q", e.Key, e.Value, t.catalogue[e.Key])
		}
	}
}

// performed checks that a task may be performed: what scheduled it is written,
// and its result is not. An engine that does not know yet that it has lost a
// shard may perform one whose result another one has written; and an answer by
// token may come while the task is in line to be performed again.
func (s *simulation) performed(n *node, task *integration.Task) {
	x := s.truth.byARN[task.ExecutionARN]
	switch {
	case x == nil && s.truth.retired[task.ExecutionARN] && !s.solo:
	case x == nil || task.Event > int64(len(x.events)) || !x.events[task.Event-1].Type.Scheduled():
		s.wrong("the task of event %d of %s is performed before that is written", task.Event, task.ExecutionARN)
	case x.done[task.Event] && s.solo && !n.dead && task.Resource.Pattern != asl.WaitForTaskToken:
		s.wrong("the task of event %d of %s is performed after its result was written", task.Event, task.ExecutionARN)
	}
	if old, again := s.keys[task.Idempotency]; again && old != fmt.Sprint(task.ExecutionARN, task.Event) {
		s.wrong("two tasks have one idempotency key")
	}
	s.keys[task.Idempotency] = fmt.Sprint(task.ExecutionARN, task.Event)
}

// put takes edits of the catalogue that were written.
func (t *truth) put(edits []store.Edit) {
	before := make(map[string][]byte, len(edits))
	for _, e := range edits {
		before[e.Key] = t.catalogue[e.Key]
		if e.Value == nil {
			delete(t.catalogue, e.Key)
		} else {
			t.catalogue[e.Key] = bytes.Clone(e.Value)
		}
		t.s.note("put %s %.200s", e.Key, e.Value)
		if t.s.record != nil {
			fmt.Fprintf(t.s.record, "%s %q\n", e.Key, e.Value)
		}
	}
	for _, e := range edits {
		kind, _, _ := strings.Cut(e.Key, "/")
		switch kind {
		case "machine":
			t.putMachine(before[e.Key], e.Value)
		case "version":
			t.putVersion(e.Key, e.Value)
		case "alias":
			t.putAlias(e.Key, e.Value)
		case "shift":
			t.putShift(before[e.Key], e.Value)
		}
	}
}

// decodeAs reads what the catalogue has; nobody changes what it gives.
func decodeAs[T any](s *simulation, b []byte) *T {
	if v, ok := s.decoded[string(b)].(*T); ok {
		return v
	}
	v := new(T)
	if err := json.Unmarshal(b, v); err != nil {
		s.wrong("%q: %v", b, err)
	}
	s.decoded[string(b)] = v
	return v
}

// putMachine: a machine goes when its executions have ended, and its versions
// and aliases with it.
func (t *truth) putMachine(before, after []byte) {
	if before == nil {
		return
	}
	m := decodeAs[catalogue.Machine](t.s, before)
	deleted := after == nil || decodeAs[catalogue.Machine](t.s, after).Deleting
	if deleted {
		for key := range t.catalogue {
			if kind, of, _ := numbered(key); of == m.Number && (kind == "version" || kind == "alias" || kind == "published") {
				t.s.wrong("the machine of number %d is deleted, and %s is there", m.Number, key)
			}
		}
	}
	if after != nil {
		return
	}
	t.gone[m.Number] = true
	for _, x := range t.executions {
		if x.machine == m.Number && x.status == store.Running && !x.express {
			t.s.wrong("the machine of %s is gone, and it runs", x.arn)
		}
	}
}

// numbered reads a key of the catalogue that begins with a kind and the number
// of a machine.
func numbered(key string) (kind string, machine uint32, rest string) {
	parts := strings.SplitN(key, "/", 3)
	if len(parts) < 2 {
		return "", 0, ""
	}
	if _, err := fmt.Sscanf(parts[1], "%08x", &machine); err != nil || len(parts[1]) != 8 {
		return "", 0, ""
	}
	if len(parts) == 3 {
		rest = parts[2]
	}
	return parts[0], machine, rest
}

// putVersion: a number is never given again, and a version with an alias stays.
func (t *truth) putVersion(key string, after []byte) {
	if after != nil {
		if t.versions[key] {
			t.s.wrong("%s is made again", key)
		}
		t.versions[key] = true
		return
	}
	_, machine, rest := numbered(key)
	var number uint32
	if _, err := fmt.Sscanf(rest, "%08x", &number); err != nil {
		t.s.wrong("%s: %v", key, err)
	}
	for other, b := range t.catalogue {
		if kind, of, _ := numbered(other); kind == "alias" && of == machine {
			for _, r := range decodeAs[catalogue.Alias](t.s, b).Routes {
				if r.Version == ^number {
					t.s.wrong("%s leads to a version that is deleted", other)
				}
			}
		}
	}
}

// putAlias: an alias leads to versions that are there.
func (t *truth) putAlias(key string, after []byte) {
	if after == nil {
		return
	}
	_, machine, _ := numbered(key)
	for _, r := range decodeAs[catalogue.Alias](t.s, after).Routes {
		if t.catalogue[fmt.Sprintf("version/%08x/%08x", machine, ^r.Version)] == nil {
			t.s.wrong("%s leads to version %d, which is not there", key, r.Version)
		}
	}
}

// putShift: the steps of a shift come one after the other, each once and not
// before its time; and the alias leads where the shift tells.
func (t *truth) putShift(before, after []byte) {
	if after == nil {
		return
	}
	now := decodeAs[catalogue.Shift](t.s, after)
	was := new(catalogue.Shift)
	if before != nil {
		was = decodeAs[catalogue.Shift](t.s, before)
	}
	weight, due := min(now.First, 100), now.Started
	switch {
	case was.Status == catalogue.ShiftRunning && was.Started.Equal(now.Started):
		weight, due = min(was.Weight+was.Step, 100), was.Next
		if now.Status == catalogue.ShiftOverruled {
			weight, due = was.Weight, was.Started
		}
	case was.Status == catalogue.ShiftRunning:
		t.s.wrong("%s is shifted anew while it is shifted", now.AliasARN())
	}
	if now.Status == catalogue.ShiftRolledBack || now.Status == catalogue.ShiftCancelled {
		weight, due = 0, was.Started
	}
	if now.Weight != weight || t.s.now.Before(due) || (now.Weight == 100) != (now.Status == catalogue.ShiftSucceeded) && now.Status != catalogue.ShiftOverruled {
		t.s.wrong("%s has weight %d and is %s at %v; %d is due at %v", now.AliasARN(), now.Weight, now.Status, t.s.now, weight, due)
	}
	if now.Status == catalogue.ShiftOverruled {
		return
	}
	routes := decodeAs[catalogue.Alias](t.s, t.catalogue[fmt.Sprintf("alias/%08x/%s", now.Number, now.Alias)]).Routes
	if !slices.ContainsFunc(routes, func(r catalogue.Route) bool { return r.Version == now.To && r.Weight == now.Weight }) && now.Weight > 0 {
		t.s.wrong("%s leads to %v, and its shift has weight %d", now.AliasARN(), routes, now.Weight)
	}
}
