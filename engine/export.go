package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
)

// ExportOptions tells what to export.
type ExportOptions struct {
	// Search selects executions, and what they need; nil: everything. A search
	// for nothing but machines selects these machines with all that they have.
	// Its tenant, limit and place do not count.
	Search *Search
	// Account and Region are whose things to export, "" for anybody's.
	Account, Region string
	// Secret exports the keys that task tokens are made with, too.
	Secret bool
	// EncryptionKeys are those of what is encrypted. An export is not.
	EncryptionKeys []EncryptionKey
	// Problem is told of what cannot be exported.
	Problem func(text string)
}

// Exported counts what was exported.
type Exported struct {
	Machines, Activities int
	// Executions are all, Running those of them that have not ended.
	Executions, Running int
	// Problems are machines and executions that could not be exported.
	Problems int
}

// Export writes what a store holds, in the form that docs/export.md describes
// and [Import] reads. It takes no shard and changes nothing. Executions that
// move on meanwhile are exported as they were at some moment.
func Export(ctx context.Context, s store.Store, w io.Writer, opts ExportOptions) (Exported, error) {
	e, err := unopened(s, opts.EncryptionKeys)
	if err != nil {
		return Exported{}, err
	}
	x := &exporter{e: e, w: bufio.NewWriterSize(w, 1<<20), ExportOptions: opts, numbers: make(map[uint32]int), activities: make(map[string]bool)}
	if err := x.all(ctx); err != nil {
		return x.Exported, err
	}
	return x.Exported, x.w.Flush()
}

// unopened is an engine that runs nothing, for looking at a store.
func unopened(s store.Store, keys []EncryptionKey) (*Engine, error) {
	e := &Engine{cfg: Config{Store: s}.withDefaults(), store: s, catalogue: newCatalogue(s)}
	var err error
	e.keys, err = newKeyring(keys, e.random)
	return e, err
}

// exporter is an export under way.
type exporter struct {
	ExportOptions
	Exported
	e          *Engine
	w          *bufio.Writer
	numbers    map[uint32]int  // of exported machines, in the export
	activities map[string]bool // exported ones, by their keys
}

// exportPage is how many records are read at once.
const exportPage = 500

func (x *exporter) all(ctx context.Context) error {
	x.write(exportedHeader{exportFormat, exportVersion})
	if x.Secret {
		keys, err := x.e.store.Scan(ctx, tokenKey, "", 0)
		if err != nil {
			return err
		}
		for _, key := range keys {
			x.write(exportedSecret{kindSecret, key.Value})
		}
	}
	if err := x.catalogue(ctx); err != nil {
		return err
	}
	for after := (store.ExecutionID{}); ; {
		page, err := x.e.store.Executions(ctx, after, exportPage)
		if err != nil {
			return err
		}
		for i := range page {
			if err := x.execution(ctx, &page[i]); err != nil {
				return err
			}
		}
		if len(page) < exportPage {
			break
		}
		after = page[len(page)-1].ID
	}
	x.write(exportedEnd{kindEnd, x.Machines, x.Activities, x.Executions})
	return nil
}

// write writes a line. Its error stays with the writer.
func (x *exporter) write(line any) { _, _ = x.w.Write(encodeLine(line)) }

// catalogue writes what is exported whether or not an execution needs it.
func (x *exporter) catalogue(ctx context.Context) error {
	if x.Search == nil {
		if err := x.e.eachEntry(ctx, activityPrefix, x.activity); err != nil {
			return err
		}
	}
	if x.Search != nil && !x.Search.onlyMachines() {
		return nil
	}
	return x.e.eachEntry(ctx, machinePrefix, func(entry store.Entry) error {
		m, err := x.e.decodeMachine(entry)
		if err != nil || !x.wants(m.Tenant, m.Name) {
			return err
		}
		return x.unless(m.ARN(), x.machine(ctx, m.Number, m, m.Tenant, m.Name))
	})
}

// unless tells of something that cannot be exported because it cannot be read.
// Any other error is given back.
func (x *exporter) unless(what string, err error) error {
	_, locked := errors.AsType[*KeyError](err)
	if !locked && !errors.Is(err, errUnreadable) {
		return err
	}
	x.Problems++
	if x.Problem != nil {
		text := fmt.Sprintf("%s: %v", what, err)
		if locked {
			text += " (--encryption-keys)"
		}
		x.Problem(text)
	}
	return nil
}

// wants reports whether a machine and its executions are asked for.
func (x *exporter) wants(t Tenant, machine string) bool {
	return x.of(t) && (x.Search == nil || len(x.Search.Machines) == 0 || slices.Contains(x.Search.Machines, machine))
}

// of reports whether a tenant's things are asked for.
func (x *exporter) of(t Tenant) bool {
	return (x.Account == "" || x.Account == t.Account) && (x.Region == "" || x.Region == t.Region)
}

// onlyMachines reports whether a search asks for machines at most.
func (q *Search) onlyMachines() bool {
	return len(q.Statuses) == 0 && q.Name == "" && q.Error == "" && q.State == "" && q.From.IsZero() && q.To.IsZero() &&
		q.Shortest == 0 && q.Longest == 0 && len(q.Values) == 0
}

func (x *exporter) activity(entry store.Entry) error {
	if x.activities[entry.Key] {
		return nil
	}
	a, err := decodeActivity(entry)
	if err != nil || !x.of(a.Tenant) {
		return err
	}
	x.activities[entry.Key] = true
	x.Activities++
	x.write(exportActivity(a))
	return nil
}

func exportActivity(a *Activity) *exportedActivity {
	return &exportedActivity{kindActivity, a.ARN(), seconds(a.Created), a.Encryption, a.Tags}
}

// machine writes a machine, unless it was; m is nil for one that was deleted.
// Where not everything is exported the activities of its definitions go before.
func (x *exporter) machine(ctx context.Context, number uint32, m *Machine, t Tenant, name string) error {
	if x.numbers[number] != 0 {
		return nil
	}
	line, err := x.e.exportMachine(ctx, number, m, t, name)
	if err != nil {
		return err
	}
	if x.Search != nil {
		if err := x.activitiesOf(ctx, line); err != nil {
			return err
		}
	}
	x.Machines++
	x.numbers[number] = x.Machines
	line.Number = x.Machines
	x.write(line)
	return nil
}

func (x *exporter) activitiesOf(ctx context.Context, m *exportedMachine) error {
	var keys []string
	for i := range m.Revisions {
		parsed, _ := asl.Parse([]byte(m.Revisions[i].Definition))
		if parsed == nil {
			continue
		}
		parsed.Walk(func(st asl.State) {
			task, ok := st.(*asl.Task)
			if !ok {
				return
			}
			if name, ok := ParseARN(task.Resource); ok && name.Kind == "activity" && len(name.Path) == 1 {
				keys = append(keys, activityKey(name.Tenant, name.Path[0]))
			}
		})
	}
	for _, key := range keys {
		entry, err := x.e.store.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err == nil {
			err = x.activity(entry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// execution writes an execution that is asked for, and its machine before it.
func (x *exporter) execution(ctx context.Context, r *store.Record) error {
	m, err := decodeMeta(r.Meta)
	if err != nil {
		return x.unless(fmt.Sprintf("execution %x", r.ID[:]), fmt.Errorf("%w: %w", errUnreadable, err))
	}
	if !x.wants(m.tenant(), m.MachineName) {
		return nil
	}
	return x.unless(m.executionARN(), x.executionOf(ctx, r, &m))
}

func (x *exporter) executionOf(ctx context.Context, r *store.Record, m *meta) error {
	if x.Search != nil {
		s := &search{e: x.e, Search: x.Search}
		if d, err := s.holds(ctx, r); err != nil || d == nil {
			return err
		}
	}
	p, err := x.e.portable(ctx, r, m)
	if err != nil {
		return err
	}
	if err := x.machineOf(ctx, m); err != nil {
		return err
	}
	x.Executions++
	if r.Status == store.Running {
		x.Running++
	}
	_, err = x.w.Write(p.line(x.numbers[m.Machine]))
	return err
}

// machineOf writes the machine of an execution, unless it was.
func (x *exporter) machineOf(ctx context.Context, m *meta) error {
	if x.numbers[m.Machine] != 0 {
		return nil
	}
	entry, err := x.e.store.Get(ctx, machineKey(m.tenant(), m.MachineName))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil {
		now, err := x.e.decodeMachine(entry)
		if err != nil {
			return err
		}
		if now.Number == m.Machine {
			return x.machine(ctx, m.Machine, now, m.tenant(), m.MachineName)
		}
	}
	return x.machine(ctx, m.Machine, nil, m.tenant(), m.MachineName)
}

// errUnreadable is wrapped by the error of an execution of which not all is
// there.
var errUnreadable = errors.New("it cannot be read")

// portable gives an execution as it goes into an export.
func (e *Engine) portable(ctx context.Context, r *store.Record, m *meta) (*portable, error) {
	events, err := e.events(ctx, r.ID)
	if errors.Is(err, history.ErrCorrupt) {
		err = fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if err != nil {
		return nil, err
	}
	if int64(len(events)) < r.Last {
		return nil, fmt.Errorf("%w: of its %d events %d are there", errUnreadable, r.Last, len(events))
	}
	p := &portable{meta: *m, record: *r, events: events[:r.Last]} // it may have gone on since
	p.record.Group, p.record.Meta = 0, nil
	return p, nil
}

// exportMachine gives a machine as it goes into an export, without its number
// there; m is nil for one that was deleted.
func (e *Engine) exportMachine(ctx context.Context, number uint32, m *Machine, t Tenant, name string) (*exportedMachine, error) {
	first, revisions, err := e.revisions(ctx, number)
	if err != nil {
		return nil, err
	}
	x := &exportedMachine{Kind: kindMachine, ARN: t.ARN("stateMachine", name), Status: machineDeleted, Type: first.Type, Revisions: revisions}
	if len(revisions) == 0 {
		return nil, fmt.Errorf("%w: the definition of %s is not there", errUnreadable, x.ARN)
	}
	if m == nil {
		return x, nil
	}
	x.Status, x.Created, x.Updated = machineActive, seconds(m.Created), seconds(m.Updated)
	x.Revision, x.Tags, x.Published = decimal(m.Revision), m.Tags, m.Published
	if m.Deleting {
		x.Status = machineDeleting
		return x, nil // its versions and aliases are gone
	}
	p, err := e.published(ctx, number)
	if err != nil {
		return nil, err
	}
	x.LastVersion = p.Last
	versions, err := e.Versions(ctx, m, 0, 0)
	if err != nil {
		return nil, err
	}
	for _, v := range slices.Backward(versions) {
		x.Versions = append(x.Versions, exportedVersion{v.Number, decimal(v.Revision), v.Description, seconds(v.Created)})
	}
	aliases, err := e.Aliases(ctx, m, 0, "", 0)
	if err != nil {
		return nil, err
	}
	for _, a := range aliases {
		exported, err := e.exportAlias(ctx, m, a)
		if err != nil {
			return nil, err
		}
		x.Aliases = append(x.Aliases, exported)
	}
	return x, nil
}

// revisions gives the revisions of a machine as they go into an export, and the
// first of them; none when there is no such machine.
func (e *Engine) revisions(ctx context.Context, number uint32) (first Revision, all []exportedRevision, err error) {
	prefix := revisionsOf(number)
	entries, err := e.store.Scan(ctx, prefix, "", 0)
	if err != nil {
		return first, nil, err
	}
	for i, entry := range entries {
		var n uint64
		if _, err := fmt.Sscanf(strings.TrimPrefix(entry.Key, prefix), "%x", &n); err != nil {
			return first, nil, fmt.Errorf("engine: catalogue entry %q: %w", entry.Key, err)
		}
		rev, err := e.decodeRevision(entry)
		if err == nil {
			err = rev.locked
		}
		if err != nil {
			return first, nil, err
		}
		if i == 0 {
			first = *rev
		}
		all = append(all, exportRevision(n, rev))
	}
	return first, all, nil
}

func exportRevision(number uint64, r *Revision) exportedRevision {
	return exportedRevision{
		Number: decimal(number), Definition: r.Definition, RevisionID: r.RevisionID, RoleARN: r.RoleARN, Updated: seconds(r.Updated),
		Logging: r.Logging, Tracing: r.Tracing, Encryption: r.Encryption,
	}
}

func (e *Engine) exportAlias(ctx context.Context, m *Machine, a *Alias) (exportedAlias, error) {
	x := exportedAlias{Name: a.Name, Description: a.Description, Created: seconds(a.Created), Updated: seconds(a.Updated)}
	for _, r := range a.Routes {
		x.Routes = append(x.Routes, exportedRoute(r))
	}
	s, err := e.readShift(ctx, machineShifts(m.Tenant, m.Name)+a.Name)
	if errors.Is(err, store.ErrNotFound) {
		return x, nil
	}
	if err != nil {
		return x, err
	}
	x.Shift = &exportedShift{
		From: s.From, To: s.To, First: s.First, Step: s.Step, Every: s.Every.String(), Status: s.Status, Reason: s.Reason, Weight: s.Weight,
		Started: seconds(s.Started), Next: seconds(s.Next), Ended: seconds(s.Ended), Executions: s.Executions, Failed: s.Failed,
	}
	if s.Rule != nil {
		x.Shift.ErrorRate = &s.Rule.Percent
	}
	return x, nil
}
