package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// ExportOptions says what to export.
type ExportOptions struct {
	// Search selects executions, and what they need; nil: everything. A search
	// for nothing but machines selects these machines with all that they have.
	// Its tenant, limit and place do not count.
	Search *stored.Search
	// Account and Region are whose things to export, "" for all.
	Account, Region string
	// Secret exports the keys that task tokens are made with, too.
	Secret bool
	// EncryptionKeys are those of what is encrypted. An export is not.
	EncryptionKeys []catalogue.EncryptionKey
	// Problem receives what cannot be exported.
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
// move on in the meantime are exported as they were at some moment.
func Export(ctx context.Context, s store.Store, w io.Writer, opts ExportOptions) (Exported, error) {
	db, err := open(s, opts.EncryptionKeys)
	if err != nil {
		return Exported{}, err
	}
	x := &exporter{db: db, w: bufio.NewWriterSize(w, 1<<20), ExportOptions: opts, numbers: make(map[uint32]int), activities: make(map[string]bool)}
	if err := x.all(ctx); err != nil {
		return x.Exported, err
	}
	return x.Exported, x.w.Flush()
}

// exporter is an export under way.
type exporter struct {
	ExportOptions
	Exported
	db         *source
	w          *bufio.Writer
	numbers    map[uint32]int  // of exported machines, in the export
	activities map[string]bool // exported ones, by their ARNs
}

// exportPage is how many records are read at once.
const exportPage = 500

func (x *exporter) all(ctx context.Context) error {
	x.write(exportedHeader{exportFormat, exportVersion})
	if x.Secret {
		keys, err := x.db.catalogue.TokenKeys(ctx)
		if err != nil {
			return err
		}
		for _, key := range keys {
			x.write(exportedSecret{kindSecret, key})
		}
	}
	if err := x.catalogue(ctx); err != nil {
		return err
	}
	for after := (store.ExecutionID{}); ; {
		page, err := x.db.store.Executions(ctx, after, exportPage)
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
		if err := x.db.catalogue.EachActivity(ctx, x.activity); err != nil {
			return err
		}
	}
	if x.Search != nil && !x.Search.OnlyMachines() {
		return nil
	}
	return x.db.catalogue.EachMachine(ctx, func(m *catalogue.Machine) error {
		if !x.wants(m.Tenant, m.Name) {
			return nil
		}
		return x.unless(m.ARN(), x.machine(ctx, m.Number, m, m.Tenant, m.Name))
	})
}

// unless reports something that cannot be exported because it cannot be read.
// Any other error is given back.
func (x *exporter) unless(what string, err error) error {
	_, locked := errors.AsType[*catalogue.KeyError](err)
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
func (x *exporter) wants(t catalogue.Tenant, machine string) bool {
	return x.of(t) && (x.Search == nil || len(x.Search.Machines) == 0 || slices.Contains(x.Search.Machines, machine))
}

// of reports whether a tenant's things are asked for.
func (x *exporter) of(t catalogue.Tenant) bool {
	return (x.Account == "" || x.Account == t.Account) && (x.Region == "" || x.Region == t.Region)
}

// activity writes the line of an activity.
func (x *exporter) activity(a *catalogue.Activity) error {
	if x.activities[a.ARN()] || !x.of(a.Tenant) {
		return nil
	}
	x.activities[a.ARN()] = true
	x.Activities++
	x.write(exportActivity(a))
	return nil
}

func exportActivity(a *catalogue.Activity) *exportedActivity {
	return &exportedActivity{kindActivity, a.ARN(), seconds(a.Created), a.Encryption, a.Tags}
}

// machine writes a machine, unless it was; m is nil for one that was deleted.
// Where not everything is exported the activities of its definitions go before.
func (x *exporter) machine(ctx context.Context, number uint32, m *catalogue.Machine, t catalogue.Tenant, name string) error {
	if x.numbers[number] != 0 {
		return nil
	}
	line, err := x.db.exportMachine(ctx, number, m, t, name)
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
	var names []catalogue.Name
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
			if name, ok := catalogue.ParseARN(task.Resource); ok && name.Kind == "activity" && len(name.Path) == 1 {
				names = append(names, name)
			}
		})
	}
	for _, name := range names {
		a, err := x.db.catalogue.Activity(ctx, name.Tenant, name.Path[0])
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err == nil {
			err = x.activity(a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// execution writes an execution that is asked for, and its machine before it.
func (x *exporter) execution(ctx context.Context, r *store.Record) error {
	m, err := stored.DecodeMeta(r.Meta)
	if err != nil {
		return x.unless(fmt.Sprintf("execution %x", r.ID[:]), fmt.Errorf("%w: %w", errUnreadable, err))
	}
	if !x.wants(m.Tenant(), m.MachineName) {
		return nil
	}
	return x.unless(m.ExecutionARN(), x.executionOf(ctx, r, &m))
}

func (x *exporter) executionOf(ctx context.Context, r *store.Record, m *stored.Meta) error {
	if x.Search != nil {
		if d, _, err := x.db.stored.Match(ctx, x.Search, r); err != nil || d == nil {
			return err
		}
	}
	p, err := x.db.portable(ctx, r, m)
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
func (x *exporter) machineOf(ctx context.Context, m *stored.Meta) error {
	if x.numbers[m.Machine] != 0 {
		return nil
	}
	now, err := x.db.catalogue.Machine(ctx, m.MachineARN())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil || now.Number != m.Machine {
		now = nil
	}
	return x.machine(ctx, m.Machine, now, m.Tenant(), m.MachineName)
}

// errUnreadable is wrapped by the error of an execution of which not all is
// there.
var errUnreadable = errors.New("it cannot be read")

// portable returns an execution as it goes into an export.
func (s *source) portable(ctx context.Context, r *store.Record, m *stored.Meta) (*portable, error) {
	events, err := s.stored.Events(ctx, r.ID)
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
	p.owed, err = s.owedBy(ctx, r)
	return p, err
}

// exportMachine returns a machine as it goes into an export, without its number
// there; m is nil for one that was deleted.
func (s *source) exportMachine(ctx context.Context, number uint32, m *catalogue.Machine, t catalogue.Tenant, name string) (*exportedMachine, error) {
	w, err := s.catalogue.Whole(ctx, number, m)
	if err != nil {
		return nil, err
	}
	x := &exportedMachine{Kind: kindMachine, ARN: t.ARN("stateMachine", name), Status: machineDeleted}
	if len(w.Revisions) == 0 {
		return nil, fmt.Errorf("%w: the definition of %s is not there", errUnreadable, x.ARN)
	}
	x.Type = w.Revisions[0].Type
	for _, rev := range w.Revisions {
		x.Revisions = append(x.Revisions, exportRevision(rev))
	}
	if m == nil {
		return x, nil
	}
	x.Status, x.Created, x.Updated = machineActive, seconds(m.Created), seconds(m.Updated)
	x.Revision, x.Tags, x.Published = decimal(m.Revision), m.Tags, m.Published
	if m.Deleting {
		x.Status = machineDeleting
	}
	x.LastVersion = w.LastVersion
	for _, v := range w.Versions {
		x.Versions = append(x.Versions, exportedVersion{v.Number, decimal(v.Revision), v.Description, seconds(v.Created)})
	}
	for _, a := range w.Aliases {
		x.Aliases = append(x.Aliases, exportAlias(a, w.Shifts[a.Name]))
	}
	return x, nil
}

func exportRevision(r catalogue.NumberedRevision) exportedRevision {
	return exportedRevision{
		Number: decimal(r.Number), Definition: r.Definition, RevisionID: r.RevisionID, RoleARN: r.RoleARN, Updated: seconds(r.Updated),
		Logging: r.Logging, Tracing: r.Tracing, Encryption: r.Encryption,
	}
}

// exportAlias returns an alias as it goes into an export, with its last shift, nil
// for none.
func exportAlias(a *catalogue.Alias, s *catalogue.Shift) exportedAlias {
	x := exportedAlias{Name: a.Name, Description: a.Description, Created: seconds(a.Created), Updated: seconds(a.Updated)}
	for _, r := range a.Routes {
		x.Routes = append(x.Routes, exportedRoute(r))
	}
	if s == nil {
		return x
	}
	x.Shift = &exportedShift{
		From: s.From, To: s.To, First: s.First, Step: s.Step, Every: s.Every.String(), Status: s.Status, Reason: s.Reason, Weight: s.Weight,
		Started: seconds(s.Started), Next: seconds(s.Next), Ended: seconds(s.Ended), Executions: s.Executions, Failed: s.Failed,
	}
	if s.Rule != nil {
		x.Shift.ErrorRate = &s.Rule.Percent
	}
	return x
}
