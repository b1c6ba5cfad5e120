package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// Recording is an execution that AWS ran, as GetExecutionHistory and
// DescribeExecution say of it.
type Recording struct {
	// ARN is the execution's.
	ARN                               string
	VersionARN, AliasARN, TraceHeader string
	Events                            []history.Event
	// Definition is what it was started with; "" stands for what its state machine
	// has in the store.
	Definition string
	// Keep is how long the execution is kept from now on, 90 days when 0.
	Keep time.Duration
}

// defaultKeep is how long a recorded execution is kept where no option says.
const defaultKeep = 90 * 24 * time.Hour

// ReadRecording reads what GetExecutionHistory answers, or the AWS CLI prints of
// it: all events, in order or backwards. description is what DescribeExecution
// answers; nil where there is none. What the recording has no place for is an
// error, as nothing may be lost.
func ReadRecording(answer, description []byte) (*Recording, error) {
	rec := new(Recording)
	if err := rec.readEvents(answer); err != nil {
		return nil, err
	}
	if n := len(rec.Events); n > 1 && rec.Events[0].ID > rec.Events[n-1].ID {
		slices.Reverse(rec.Events)
	}
	if description == nil {
		return rec, nil
	}
	d, err := value.Decode(description)
	if err != nil {
		return nil, fmt.Errorf("the description of the execution: %w", err)
	}
	rec.ARN, rec.TraceHeader = d.Get("executionArn").Str(), d.Get("traceHeader").Str()
	rec.VersionARN, rec.AliasARN = d.Get("stateMachineVersionArn").Str(), d.Get("stateMachineAliasArn").Str()
	if rec.ARN == "" {
		return nil, errors.New("the description of the execution has no executionArn; it is what describe-execution prints")
	}
	l, err := lifeOf(rec.Events)
	if err != nil {
		return nil, err
	}
	if status := d.Get("status").Str(); status != l.status.String() {
		return nil, fmt.Errorf("the history tells of an execution that is %v, the description of one that is %s", l.status, status)
	}
	return rec, nil
}

func (rec *Recording) readEvents(answer []byte) error {
	var reader history.Reader
	s := value.NewScanner(answer)
	if s.Kind() != value.Object {
		return errors.New(`a history is {"events": [...]}, as get-execution-history prints it`)
	}
	err := s.Object(func(name string) error {
		switch {
		case name == "events" && s.Kind() == value.Array:
			return s.Array(func() error {
				raw, err := s.Raw()
				if err != nil {
					return err
				}
				ev, err := readRecorded(&reader, raw)
				if err != nil {
					return fmt.Errorf("event %d: %w", len(rec.Events)+1, err)
				}
				rec.Events = append(rec.Events, ev)
				return nil
			})
		case name == "nextToken" && s.Kind() == value.String:
			return errors.New("the history goes on: it has a nextToken; the AWS CLI reads all pages without --no-paginate and --max-items")
		}
		_, err := s.Raw() // what a program adds of its own
		return err
	})
	if err != nil {
		return err
	}
	return s.End()
}

// readRecorded reads an event, and sees to it that it is shown again as it is.
func readRecorded(reader *history.Reader, raw []byte) (history.Event, error) {
	ev, err := reader.Event(value.NewScanner(raw))
	if err != nil {
		return ev, err
	}
	given, err := value.Decode(raw)
	if err != nil {
		return ev, err
	}
	if _, ok := given.Lookup("private"); ok {
		return ev, errors.New("private: AWS has no such member")
	}
	told, err := value.Decode(ev.AppendJSON(nil, true))
	if err != nil {
		return ev, err
	}
	at := told.Get("timestamp") // which is the same time, however it is written
	if given = given.With("timestamp", at); !value.Equal(given, told) {
		return ev, fmt.Errorf("it could not be told again as it is, but as %v", told)
	}
	return ev, nil
}

// ImportRecording puts an execution that AWS ran into a store that no engine has
// open: it is listed, described and searched for like others, and its history is
// shown as AWS showed it. It cannot be redriven, nor forked but at its start, as
// AWS does not say all that is needed to go on. Its state machine is made when it
// is not there. One that is there already and has the same history is left as it
// is.
func ImportRecording(ctx context.Context, s store.Store, rec *Recording, opts ImportOptions) (Imported, error) {
	im, err := newImporter(ctx, s, opts)
	if err != nil {
		return Imported{}, err
	}
	p, of, err := im.recorded(ctx, rec)
	if err == nil {
		err = im.take(ctx, p, of)
	}
	return im.Imported, errors.Join(err, im.release())
}

// recorded makes an execution of a recording, and places its machine.
func (im *importer) recorded(ctx context.Context, rec *Recording) (*portable, *placed, error) {
	name, ok := parseExported(rec.ARN, "execution", 2)
	if !ok {
		return nil, nil, fmt.Errorf("%q is no ARN of an execution", rec.ARN)
	}
	l, err := lifeOf(rec.Events)
	if err != nil {
		return nil, nil, err
	}
	if l.status == store.Running {
		return nil, nil, errors.New("the execution has not ended: only AWS can go on with it")
	}
	p := &portable{
		meta: stored.Meta{
			Account: name.Account, Region: name.Region, MachineName: name.Path[0], Name: name.Path[1],
			RoleARN: rec.Events[0].RoleArn, VersionARN: rec.VersionARN, AliasARN: rec.AliasARN, TraceHeader: rec.TraceHeader, Foreign: true,
		},
		record: store.Record{Status: l.status, Start: time.UnixMilli(l.start), Stop: time.UnixMilli(l.stop), Last: l.last, Redrives: int(l.redrives)},
		events: rec.Events,
	}
	if l.redriven != 0 {
		p.record.Redriven = time.UnixMilli(l.redriven)
	}
	of, err := im.placeOf(ctx, p, rec)
	if err != nil {
		return nil, nil, err
	}
	return p, of, im.identify(ctx, p, rec)
}

// identify sets the id of a recorded execution, and the time that it is kept: those
// that it has when it was imported before.
func (im *importer) identify(ctx context.Context, p *portable, rec *Recording) error {
	id, err := im.db.store.Lookup(ctx, p.meta.Key())
	if errors.Is(err, store.ErrNotFound) {
		keep := rec.Keep
		if keep == 0 {
			keep = defaultKeep
		}
		p.meta.Retention = min(int64(im.db.catalogue.Now().Sub(p.record.Stop)/time.Second)+int64(keep/time.Second), maxRetention)
		p.record.ID = stored.NewID(store.ShardID(stored.ShardOf(p.meta.Key(), im.db.store.Shards())), p.record.Start, im.db.catalogue.Random)
		return nil
	}
	if err != nil {
		return err
	}
	r, err := im.db.store.Execution(ctx, id)
	if err != nil {
		return err
	}
	m, err := stored.DecodeMeta(r.Meta)
	p.record.ID, p.meta.Retention = id, m.Retention
	return err
}

// placeOf finds the machine of a recorded execution, or makes it, and returns the
// execution the revision with its definition.
func (im *importer) placeOf(ctx context.Context, p *portable, rec *Recording) (*placed, error) {
	t, arn := p.meta.Tenant(), p.meta.MachineARN()
	m, err := im.db.catalogue.Machine(ctx, arn)
	if errors.Is(err, store.ErrNotFound) {
		if rec.Definition == "" {
			return nil, fmt.Errorf("%s is not there, and no definition was given", arn)
		}
		start := seconds(p.record.Start)
		line := &exportedMachine{Kind: kindMachine, ARN: arn, Status: machineActive, Type: catalogue.Standard, Created: start, Updated: start, Revisions: []exportedRevision{{
			Definition: rec.Definition, RoleARN: p.meta.RoleARN, Updated: start,
		}}}
		of := newPlaced(line)
		return of, im.create(ctx, of, line, t, p.meta.MachineName)
	}
	if err != nil {
		return nil, err
	}
	known, err := im.known(ctx, m.Number)
	if err != nil {
		return nil, err
	}
	p.meta.Revision = m.Revision
	of := newPlaced(&exportedMachine{ARN: arn, Revisions: known})
	of.number = m.Number
	if rec.Definition == "" {
		return of, nil
	}
	if at := slices.IndexFunc(known, func(r exportedRevision) bool { return r.Definition == rec.Definition }); at >= 0 {
		p.meta.Revision = uint64(known[at].Number)
		return of, nil
	}
	// It stands beside the machine's own, as those of forks do.
	p.meta.Revision = catalogue.ForkRevision(rec.Definition, m.Encryption)
	given := []exportedRevision{{Number: decimal(p.meta.Revision), Definition: rec.Definition, RoleARN: p.meta.RoleARN, Encryption: m.Encryption}}
	of.revisions[p.meta.Revision] = newPlaced(&exportedMachine{Revisions: given}).revisions[p.meta.Revision]
	if _, err := of.revisions[p.meta.Revision].parse(); err != nil {
		return nil, err
	}
	return of, im.add(ctx, of, given, known, m.Name, m.Type)
}
