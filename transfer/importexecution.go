package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// execution imports the line of an execution.
func (im *importer) execution(ctx context.Context, x *exportRead, text []byte, reader *history.Reader) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p, machine, err := readPortable(text, reader)
	if err != nil {
		return refuse("%v", err)
	}
	return im.take(ctx, p, x.machine(machine))
}

// take imports an execution of a machine.
func (im *importer) take(ctx context.Context, p *portable, of *placed) error {
	arn := p.meta.ExecutionARN()
	switch {
	case of == nil:
		return refuse("%s: its state machine stands in no line before", arn)
	case of.refused:
		return nil // which was reported
	case p.meta.MachineARN() != of.arn:
		return refuse("%s is no execution of %s", arn, of.arn)
	}
	rev := of.revisions[p.meta.Revision]
	if rev == nil {
		return refuse("%s: its state machine has no revision %d", arn, p.meta.Revision)
	}
	p.meta.Machine = of.number
	var err error
	if p.meta.Encryption, err = im.db.catalogue.EncryptionOf(rev.encryption); err != nil {
		return err
	}
	live, err := im.verify(p, rev)
	if err != nil {
		return refuse("%s: %v", arn, err)
	}
	if there, err := im.metThere(ctx, p, arn); there || err != nil {
		return err
	}
	if !rev.usable {
		im.count(func(n *Imported) { n.Skipped++ })
		return nil
	}
	if !im.DryRun {
		err := im.commit(ctx, p, live)
		if errors.Is(err, store.ErrFenced) || errors.Is(err, store.ErrExists) {
			// Another line of the same execution may have been taken at the same time.
			if there, err := im.metThere(ctx, p, arn); there || err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
	im.count(func(n *Imported) {
		n.Writes++
		n.Executions++
		if live != nil && live.Status() == interpreter.Running {
			n.Running++
			if !im.key.Load() {
				n.Tokens += live.Tokens()
			}
		}
	})
	return nil
}

// verify looks at an execution as [Checker.Check] does. It returns the live one,
// nil for one that AWS recorded.
func (im *importer) verify(p *portable, rev *placedRevision) (*interpreter.Execution, error) {
	if err := tells(p.events, &p.record); err != nil {
		return nil, err
	}
	switch {
	case int(p.record.ID.Shard()) >= im.db.store.Shards():
		return nil, fmt.Errorf("it is of shard %d, and the store has %d", p.record.ID.Shard(), im.db.store.Shards())
	case p.meta.Foreign && p.record.Status == store.Running:
		return nil, errors.New("AWS recorded it, and it has not ended")
	case p.meta.Foreign:
		return nil, nil
	}
	parsed, err := rev.parse()
	if err != nil {
		return nil, err
	}
	return replayed(parsed, &p.meta, &p.record, p.events)
}

// metThere meets an execution that is in the store, and reports whether it is.
func (im *importer) metThere(ctx context.Context, p *portable, arn string) (bool, error) {
	there, same, err := im.there(ctx, p)
	if err == nil && there {
		err = im.met(arn, same)
	}
	return there, err
}

// there looks for an execution in the store: by its id, and by its name.
func (im *importer) there(ctx context.Context, p *portable) (there, same bool, err error) {
	r, err := im.db.store.Execution(ctx, p.record.ID)
	if errors.Is(err, store.ErrNotFound) {
		var id store.ExecutionID
		id, err = im.db.store.Lookup(ctx, p.meta.Key())
		switch {
		case errors.Is(err, store.ErrNotFound):
			return false, false, nil
		case err != nil || id != p.record.ID:
			return true, false, err
		}
		r, err = im.db.store.Execution(ctx, id) // it has been written since
	}
	if err != nil {
		return true, false, err
	}
	m, err := stored.DecodeMeta(r.Meta)
	if err != nil {
		return true, false, err
	}
	old, err := im.db.portable(ctx, r, &m)
	if err != nil {
		return true, false, err
	}
	// What is owed may have been paid since.
	now := *p
	now.owed, old.owed = nil, nil
	return true, m.Machine == p.meta.Machine && bytes.Equal(old.line(0), now.line(0)), nil
}

// commit writes an execution.
func (im *importer) commit(ctx context.Context, p *portable, live *interpreter.Execution) error {
	m, r := &p.meta, &p.record
	encoded, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("transfer: encode record: %w", err)
	}
	chunks := im.db.chunksOf(p)
	t := &store.Transition{
		Execution: r.ID, Status: r.Status, Stop: r.Stop, Redrives: r.Redrives, Redriven: r.Redriven,
		New:   &store.NewExecution{Key: m.Key(), Start: r.Start, Meta: encoded},
		Chunk: chunks[len(chunks)-1], Earlier: chunks[:len(chunks)-1], Terms: im.index.AllTerms(m, p.events),
		Send: im.db.lettersOf(p),
	}
	if m.Type != catalogue.Express {
		t.New.Group = m.Machine
	}
	if r.Status == store.Running {
		t.Wake, t.Busy = stored.Waits(live)
	} else {
		t.Expire = m.Expiry(r.Stop)
	}
	if err := stored.Commit(ctx, ctx, im.shards[r.ID.Shard()], t); err != nil {
		return fmt.Errorf("%s: %w", m.ExecutionARN(), err)
	}
	return nil
}

// Chunks of imported histories are about as large as steps make them.
const (
	chunkEvents = 1000
	chunkBytes  = 1 << 20
)

// chunksOf splits a history into chunks as they are stored.
func (s *source) chunksOf(p *portable) []store.Chunk {
	var (
		chunks []store.Chunk
		w      = stored.NewWeight()
		from   int
	)
	for i := range p.events {
		w.Add(&p.events[i])
		if i+1-from < chunkEvents && w.Bytes < chunkBytes && i+1 < len(p.events) {
			continue
		}
		events := p.events[from : i+1]
		chunks = append(chunks, store.Chunk{First: events[0].ID, Last: events[len(events)-1].ID, Data: s.stored.EncodeChunk(nil, p.meta.Encryption, p.record.ID, events)})
		from, w = i+1, stored.NewWeight()
	}
	return chunks
}
