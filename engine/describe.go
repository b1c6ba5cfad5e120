package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// Find returns the id of the execution of that ARN. store.ErrNotFound.
func (e *Engine) Find(ctx context.Context, arn string) (store.ExecutionID, error) {
	name, ok := catalogue.ParseARN(arn)
	if !ok || name.Kind != "execution" || len(name.Path) != 2 || !catalogue.Visible(ctx, name.Tenant) {
		return store.ExecutionID{}, store.ErrNotFound
	}
	return e.store.Lookup(ctx, stored.NameKey(name.Tenant, name.Path[0], name.Path[1]))
}

// Summary returns what lists show of an execution: no payload. store.ErrNotFound.
func (e *Engine) Summary(ctx context.Context, arn string) (*stored.Description, error) {
	id, err := e.Find(ctx, arn)
	if err != nil {
		return nil, err
	}
	record, err := e.store.Execution(ctx, id)
	if err != nil {
		return nil, err
	}
	return stored.Summary(record)
}

// Describe returns what there is of an execution. store.ErrNotFound, [*KeyError].
func (e *Engine) Describe(ctx context.Context, arn string) (*stored.Description, error) {
	id, err := e.Find(ctx, arn)
	if err != nil {
		return nil, err
	}
	return e.stored.Describe(ctx, id)
}

// List returns the executions of a state machine, newest first; status 0 is
// any. The token, returned with the page before, is for the next page, ""
// at the end.
func (e *Engine) List(ctx context.Context, m *catalogue.Machine, status store.Status, limit int, token string) ([]*stored.Description, string, error) {
	q := store.ListQuery{Groups: []uint32{m.Number}, Limit: limit, After: parsePlace(token)}
	if status != 0 {
		q.Statuses = []store.Status{status}
	}
	return e.list(ctx, q, func(*store.Record, *stored.Description) bool { return true })
}

// ListQualified is [Engine.List] of the executions that were started by a version
// or an alias, whose ARN is given. A page may have fewer executions than were
// asked for, and yet not be the last.
func (e *Engine) ListQualified(ctx context.Context, m *catalogue.Machine, arn string, status store.Status, limit int, token string) ([]*stored.Description, string, error) {
	q := store.ListQuery{Term: stored.QualifierTerm(m.Number, arn), Limit: limit, After: parsePlace(token)}
	return e.list(ctx, q, func(r *store.Record, d *stored.Description) bool {
		return r.Group == m.Number && (d.VersionARN == arn || d.AliasARN == arn) && (status == 0 || r.Status == status)
	})
}

// list returns a page of executions that hold. It looks at about maxLooked others
// at most.
func (e *Engine) list(ctx context.Context, q store.ListQuery, holds func(*store.Record, *stored.Description) bool) ([]*stored.Description, string, error) {
	limit := q.Limit
	list := make([]*stored.Description, 0, limit)
	for looked := 0; ; looked += q.Limit {
		records, more, err := e.store.List(ctx, q)
		if err != nil {
			return nil, "", err
		}
		for i := range records {
			d, err := stored.Summary(&records[i])
			if err != nil {
				return nil, "", err
			}
			if holds(&records[i], d) {
				list = append(list, d)
			}
			if len(list) == limit && (more || i+1 < len(records)) {
				return list, placeToken(records[i].Place()), nil
			}
		}
		if !more {
			return list, "", nil
		}
		last := records[len(records)-1].Place()
		if looked >= maxLooked {
			return list, placeToken(last), nil
		}
		q.After, q.Limit = &last, max(limit, 200)
	}
}

// placeToken is a place in a list as text.
func placeToken(p store.Place) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(p.Start.UnixMilli()))
	return string(append(b, p.ID[:]...))
}

// parsePlace reads what placeToken makes; nil for anything else.
func parsePlace(token string) *store.Place {
	b := []byte(token)
	if len(b) != 8+len(store.ExecutionID{}) {
		return nil
	}
	return &store.Place{Start: time.UnixMilli(int64(binary.BigEndian.Uint64(b))), ID: store.ExecutionID(b[8:])}
}

// historyChunks is how many chunks of a history are read at once. They hold the
// payloads of a step each.
const historyChunks = 8

// History reads events of an execution: limit of them from number from on, or
// from there backwards when reverse; from 0 is the first, or the last. It ends
// before that when the payloads of what was read have maxBytes, 0 for no bound;
// there is one event at least, unless there are no more. more reports that others
// follow. store.ErrNotFound, [*KeyError].
func (e *Engine) History(ctx context.Context, id store.ExecutionID, from int64, limit, maxBytes int, reverse bool) (events []history.Event, more bool, err error) {
	if from == 0 {
		from = 1
		if reverse {
			record, err := e.store.Execution(ctx, id)
			if err != nil {
				return nil, false, err
			}
			from = record.Last
		}
	}
	bytes := 0
	events = make([]history.Event, 0, min(limit, 1000))
	read := historyReader{e: e, id: id, reverse: reverse}
	for {
		chunks, last, err := read.next(ctx, from)
		if err != nil {
			return nil, false, err
		}
		for _, decoded := range chunks {
			had := len(events)
			events, from = appendFrom(events, decoded, from, reverse)
			for n := had; n < len(events); n++ {
				bytes += payloadBytes(&events[n])
				if n == limit || n > 0 && maxBytes > 0 && bytes > maxBytes {
					return events[:n], true, nil
				}
			}
		}
		if last {
			return events, false, nil
		}
	}
}

// historyReader reads the chunks of a history. After a few it knows whether they
// are large, and reads others in turn.
type historyReader struct {
	e       *Engine
	id      store.ExecutionID
	reverse bool
	bytes   int // of the chunks before; 0 at the beginning
}

// next returns the events of some chunks from an event on, and whether they are the
// last.
func (r *historyReader) next(ctx context.Context, from int64) (decoded [][]history.Event, last bool, err error) {
	n := historyChunks
	if r.bytes == 0 {
		n = 2
	}
	done, err := r.e.Turn(ctx, catalogue.Caller(ctx), r.bytes)
	if err != nil {
		return nil, false, err
	}
	chunks, err := r.e.store.History(ctx, r.id, from, n, r.reverse)
	done()
	if err != nil {
		return nil, false, fmt.Errorf("engine: read history: %w", err)
	}
	decoded, err = r.decode(ctx, chunks)
	return decoded, len(chunks) < n, err
}

// decode decodes chunks, in turn when they are large.
func (r *historyReader) decode(ctx context.Context, chunks []store.Chunk) ([][]history.Event, error) {
	r.bytes = 0
	for i := range chunks {
		r.bytes += len(chunks[i].Data)
	}
	done, err := r.e.Turn(ctx, catalogue.Caller(ctx), r.bytes)
	if err != nil {
		return nil, err
	}
	defer done()
	all := make([][]history.Event, len(chunks))
	for i := range chunks {
		if all[i], err = r.e.stored.DecodeChunk(ctx, nil, r.id, &chunks[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// PayloadBytes is the size of what an answer shows of events beside their types and
// their numbers.
func PayloadBytes(events []history.Event) (n int) {
	for i := range events {
		n += payloadBytes(&events[i])
	}
	return n
}

// payloadBytes is the size of what an answer shows of an event beside its type
// and its numbers.
func payloadBytes(ev *history.Event) (n int) {
	for _, d := range []*value.Doc{ev.Input, ev.Output} {
		if d != nil {
			n += d.Size()
		}
	}
	for i := range ev.Assigned {
		n += ev.Assigned[i].Value.Size()
	}
	if ev.Failure.Cause != nil {
		n += len(*ev.Failure.Cause)
	}
	return n
}

// appendFrom appends the events of a chunk from number from on, in the order
// asked for, and returns the number that follows.
func appendFrom(events, chunk []history.Event, from int64, reverse bool) ([]history.Event, int64) {
	if reverse {
		for _, ev := range slices.Backward(chunk) {
			if ev.ID <= from {
				events = append(events, ev)
			}
		}
		return events, chunk[0].ID - 1
	}
	for i := range chunk {
		if chunk[i].ID >= from {
			events = append(events, chunk[i])
		}
	}
	return events, chunk[len(chunk)-1].ID + 1
}

// Stop ends a running execution. An execution that has ended already returns
// the time at which it did. store.ErrNotFound.
func (e *Engine) Stop(ctx context.Context, arn string, failure history.ErrorOutput) (time.Time, error) {
	id, err := e.Find(ctx, arn)
	if err != nil {
		return time.Time{}, err
	}
	at, err := e.Deliver(ctx, id, interpreter.Message{Kind: interpreter.Stop, Failure: failure})
	if !errors.Is(err, ErrNotRunning) {
		return at, err
	}
	record, err := e.store.Execution(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	return record.Stop, nil
}
