package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
)

// placed is a state machine of an export, and what it is in the store.
type placed struct {
	arn string
	// number is the one it has in the store; 0 as long as it is only looked at.
	number    uint32
	revisions map[uint64]*placedRevision
	// refused reports that its executions are not to be imported.
	refused bool
}

// placedRevision is a definition that executions of an export were started with.
type placedRevision struct {
	definition string
	encryption json.RawMessage
	// usable reports that the store has the definition under the same number, or
	// gets it.
	usable bool

	once   sync.Once
	parsed *asl.StateMachine
	err    error
}

// parse parses the definition once, when the first of its executions needs it.
func (r *placedRevision) parse() (*asl.StateMachine, error) {
	r.once.Do(func() {
		var diagnostics []asl.Diagnostic
		if r.parsed, diagnostics = asl.Parse([]byte(r.definition)); r.parsed == nil {
			r.err = fmt.Errorf("its definition is not valid: %s", asl.InvalidDefinition(diagnostics))
		}
	})
	return r.parsed, r.err
}

// newPlaced is a machine of an export whose place in the store is not known yet.
func newPlaced(line *exportedMachine) *placed {
	p := &placed{arn: line.ARN, revisions: make(map[uint64]*placedRevision)}
	for i := range line.Revisions {
		r := &line.Revisions[i]
		p.revisions[uint64(r.Number)] = &placedRevision{definition: r.Definition, encryption: r.Encryption, usable: true}
	}
	return p
}

// machine imports the line of a state machine.
func (im *importer) machine(ctx context.Context, x *exportRead, text []byte) error {
	var line exportedMachine
	if err := decodeLine(text, &line); err != nil {
		return refuse("%v", err)
	}
	p := newPlaced(&line)
	err := im.place(ctx, x, p, &line)
	p.refused = err != nil
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.machines[line.Number] != nil {
		return refuse("%s: the export has another state machine with the number %d", line.ARN, line.Number)
	}
	x.machines[line.Number] = p
	return err
}

// place finds out what a machine is in the store, and writes what is not there.
func (im *importer) place(ctx context.Context, x *exportRead, p *placed, line *exportedMachine) error {
	t, name, err := line.check()
	if err != nil {
		return refuse("%s: %v", line.ARN, err)
	}
	if line.Status == machineDeleted {
		return im.placeDeleted(ctx, x, p, line, name)
	}
	there, err := im.db.catalogue.Machine(ctx, t.ARN("stateMachine", name))
	if errors.Is(err, store.ErrNotFound) {
		return im.create(ctx, p, line, t, name)
	}
	if err != nil {
		return err
	}
	old, err := im.db.exportMachine(ctx, there.Number, there, t, name)
	if err != nil {
		return err
	}
	p.number = there.Number
	// Revisions for forks come and go with them.
	fresh, known := line.split(), old.split()
	old.Number = line.Number
	same := bytes.Equal(encodeLine(line), encodeLine(old))
	p.compare(line.Revisions, old.Revisions)
	if err := im.met(line.ARN, same); err != nil {
		return err
	}
	return im.add(ctx, p, fresh, known, name, line.Type)
}

// check reports what is wrong with the line of a state machine.
func (x *exportedMachine) check() (catalogue.Tenant, string, error) {
	name, ok := parseExported(x.ARN, "stateMachine", 1)
	if !ok {
		return catalogue.Tenant{}, "", errors.New("stateMachineArn is no ARN of a state machine")
	}
	fail := func(format string, args ...any) (catalogue.Tenant, string, error) {
		return catalogue.Tenant{}, "", fmt.Errorf(format, args...)
	}
	switch {
	case !slices.Contains([]string{machineActive, machineDeleting, machineDeleted}, x.Status):
		return fail("there is no status %q", x.Status)
	case x.Type != catalogue.Standard && x.Type != catalogue.Express:
		return fail("there is no type %q", x.Type)
	case len(x.Revisions) == 0:
		return fail("it has no revisions")
	}
	revisions := make(map[decimal]bool)
	for i := range x.Revisions {
		if revisions[x.Revisions[i].Number] {
			return fail("it has two revisions %d", x.Revisions[i].Number)
		}
		revisions[x.Revisions[i].Number] = true
	}
	if x.Status != machineDeleted && !revisions[x.Revision] {
		return fail("its revision %d is not there", x.Revision)
	}
	versions := make(map[uint32]bool)
	for _, v := range x.Versions {
		if !revisions[v.Revision] || v.Number == 0 || v.Number > x.LastVersion || versions[v.Number] {
			return fail("version %d cannot be: its revision is %d, and the last version %d", v.Number, v.Revision, x.LastVersion)
		}
		versions[v.Number] = true
	}
	for _, a := range x.Aliases {
		total := 0
		for _, r := range a.Routes {
			if total += r.Weight; !versions[r.Version] {
				return fail("the alias %s leads to version %d, which is not there", a.Name, r.Version)
			}
		}
		if a.Name == "" || total != 100 {
			return fail("the weights of the alias %q add up to %d", a.Name, total)
		}
	}
	return name.Tenant, name.Path[0], nil
}

// split takes the revisions that were made for forks out of the line.
func (x *exportedMachine) split() (forks []exportedRevision) {
	own := x.Revisions[:0:0]
	for _, r := range x.Revisions {
		if catalogue.MadeForFork(uint64(r.Number)) {
			forks = append(forks, r)
		} else {
			own = append(own, r)
		}
	}
	x.Revisions = own
	return forks
}

// compare finds out which revisions the store has with the same definition.
func (p *placed) compare(given, known []exportedRevision) {
	for i := range given {
		r := &given[i]
		at := slices.IndexFunc(known, func(k exportedRevision) bool { return k.Number == r.Number })
		p.revisions[uint64(r.Number)].usable = at >= 0 && known[at].Definition == r.Definition
	}
}

// add writes revisions that the store does not have yet, and other entries.
func (im *importer) add(ctx context.Context, p *placed, given, known []exportedRevision, name string, typ catalogue.MachineType, more ...store.Edit) error {
	p.compare(given, known)
	for i := range given {
		r := &given[i]
		if !slices.ContainsFunc(known, func(k exportedRevision) bool { return k.Number == r.Number }) {
			p.revisions[uint64(r.Number)].usable = true
			edit, err := im.db.catalogue.RestoreRevision(p.number, r.build(name, typ))
			if err != nil {
				return err
			}
			more = append(more, edit)
		}
	}
	if len(more) == 0 {
		return nil
	}
	return im.put(ctx, more...)
}

// build makes the revision of a machine of its line.
func (r *exportedRevision) build(name string, typ catalogue.MachineType) catalogue.NumberedRevision {
	return catalogue.NumberedRevision{Number: uint64(r.Number), Revision: &catalogue.Revision{
		Definition: r.Definition, Machine: name, Type: typ, RevisionID: r.RevisionID, RoleARN: r.RoleARN, Updated: time.Time(r.Updated),
		Logging: r.Logging, Tracing: r.Tracing, Encryption: r.Encryption,
	}}
}

// create writes a machine that is not there.
func (im *importer) create(ctx context.Context, p *placed, line *exportedMachine, t catalogue.Tenant, name string) error {
	if _, err := p.revisions[uint64(line.Revision)].parse(); err != nil {
		return refuse("%s: %v", line.ARN, err)
	}
	number, taken, err := im.db.catalogue.NextNumber(ctx)
	if err != nil {
		return err
	}
	w, err := line.build(t, name)
	if err != nil {
		return refuse("%s: %v", line.ARN, err)
	}
	edits, err := im.db.catalogue.Restore(number, w)
	if err != nil {
		return err
	}
	im.count(func(n *Imported) {
		n.Machines++
		if w.Machine.Encrypted && !im.encrypts {
			n.Plain++
		}
	})
	if !im.DryRun {
		p.number = number
	}
	return im.put(ctx, append(edits, taken)...)
}

// build makes the machine of its line, with all that hangs on it.
func (x *exportedMachine) build(t catalogue.Tenant, name string) (*catalogue.Whole, error) {
	m := &catalogue.Machine{
		Tenant: t, Name: name, Type: x.Type, Revision: uint64(x.Revision), Created: time.Time(x.Created), Updated: time.Time(x.Updated),
		Tags: x.Tags, Published: x.Published, Deleting: x.Status == machineDeleting,
	}
	w := &catalogue.Whole{Machine: m, LastVersion: x.LastVersion, Shifts: make(map[string]*catalogue.Shift)}
	for i := range x.Revisions {
		r := &x.Revisions[i]
		w.Revisions = append(w.Revisions, r.build(name, x.Type))
		m.Encrypted = m.Encrypted || len(r.Encryption) > 0
		if r.Number == x.Revision {
			m.Definition, m.RevisionID, m.RoleARN = r.Definition, r.RevisionID, r.RoleARN
			m.Logging, m.Tracing, m.Encryption = r.Logging, r.Tracing, r.Encryption
		}
	}
	for _, v := range x.Versions {
		w.Versions = append(w.Versions, &catalogue.Version{Number: v.Number, Revision: uint64(v.Revision), Description: v.Description, Created: time.Time(v.Created)})
	}
	for i := range x.Aliases {
		a := &x.Aliases[i]
		alias := &catalogue.Alias{Name: a.Name, Description: a.Description, Created: time.Time(a.Created), Updated: time.Time(a.Updated)}
		for _, r := range a.Routes {
			alias.Routes = append(alias.Routes, catalogue.Route(r))
		}
		w.Aliases = append(w.Aliases, alias)
		if a.Shift == nil {
			continue
		}
		shift, err := a.Shift.build()
		if err != nil {
			return nil, fmt.Errorf("the shift of the alias %s: %w", a.Name, err)
		}
		w.Shifts[a.Name] = shift
	}
	return w, nil
}

// build makes the shift of an alias of its line.
func (x *exportedShift) build() (*catalogue.Shift, error) {
	every, err := time.ParseDuration(x.Every)
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]catalogue.ShiftStatus{catalogue.ShiftRunning, catalogue.ShiftSucceeded, catalogue.ShiftRolledBack, catalogue.ShiftCancelled, catalogue.ShiftOverruled}, x.Status) {
		return nil, fmt.Errorf("there is no status %q", x.Status)
	}
	s := &catalogue.Shift{
		From: x.From, To: x.To,
		ShiftPlan: catalogue.ShiftPlan{First: x.First, Step: x.Step, Every: every},
		Status:    x.Status, Reason: x.Reason, Weight: x.Weight,
		Started: time.Time(x.Started), Next: time.Time(x.Next), Ended: time.Time(x.Ended),
		Tally: catalogue.Tally{Executions: x.Executions, Failed: x.Failed},
	}
	if x.ErrorRate != nil {
		s.Rule = &catalogue.ErrorRate{Percent: *x.ErrorRate}
	}
	return s, nil
}

// placeDeleted places a machine of which there are only revisions.
func (im *importer) placeDeleted(ctx context.Context, x *exportRead, p *placed, line *exportedMachine, name string) error {
	gone, err := im.deleted(ctx)
	if err != nil {
		return err
	}
	identity := identityOf(name, line.Revisions[0])
	// Two machines of one export are two.
	same := slices.DeleteFunc(slices.Clone(gone[identity]), x.has)
	if len(same) == 0 {
		number, taken, err := im.db.catalogue.NextNumber(ctx)
		if err != nil {
			return err
		}
		im.count(func(n *Imported) { n.Machines++ })
		if !im.DryRun {
			p.number, gone[identity] = number, append(gone[identity], number)
		}
		return im.add(ctx, p, line.Revisions, nil, name, line.Type, taken, im.db.catalogue.MarkDeleted(number))
	}
	p.number = same[0]
	known, err := im.known(ctx, p.number)
	if err != nil {
		return err
	}
	if err := im.add(ctx, p, line.Revisions, known, name, line.Type); err != nil {
		return err
	}
	usable := true
	for _, r := range p.revisions {
		usable = usable && r.usable
	}
	return im.met(line.ARN, usable)
}

// has reports whether a machine of the export has a number in the store.
func (x *exportRead) has(number uint32) bool {
	for _, p := range x.machines {
		if p.number == number {
			return true
		}
	}
	return false
}

// identityOf distinguishes deleted machines of one name.
func identityOf(name string, first exportedRevision) string {
	return name + string(encodeLine(&first))
}

// known returns the revisions of a machine of the store as they go into an export.
func (im *importer) known(ctx context.Context, machine uint32) ([]exportedRevision, error) {
	revisions, err := im.db.catalogue.Revisions(ctx, machine)
	known := make([]exportedRevision, len(revisions))
	for i, rev := range revisions {
		known[i] = exportRevision(rev)
	}
	return known, err
}

// deleted returns the numbers of machines of which the store has only revisions.
func (im *importer) deleted(ctx context.Context) (map[string][]uint32, error) {
	if im.gone != nil {
		return im.gone, nil
	}
	orphans, err := im.db.catalogue.Orphans(ctx)
	if err != nil {
		return nil, err
	}
	im.gone = make(map[string][]uint32)
	for _, number := range orphans {
		revisions, err := im.db.catalogue.Revisions(ctx, number)
		if err != nil {
			return nil, err
		}
		if len(revisions) > 0 {
			identity := identityOf(revisions[0].Machine, exportRevision(revisions[0]))
			im.gone[identity] = append(im.gone[identity], number)
		}
	}
	return im.gone, nil
}
