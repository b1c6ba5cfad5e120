package stored

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
)

// chunkPlace is the place of an encrypted chunk.
func chunkPlace(id store.ExecutionID, first int64) []byte {
	b := append(make([]byte, 0, 1+len(id)+8), 'h')
	return binary.BigEndian.AppendUint64(append(b, id[:]...), uint64(first))
}

// EncodeChunk appends a chunk of an execution to dst, which is empty. If it is to
// be encrypted, the key must be there.
func (x *Executions) EncodeChunk(dst []byte, with *catalogue.Encryption, id store.ExecutionID, events []history.Event) []byte {
	if with == nil {
		return history.Encode(dst, events)
	}
	b := history.Encode(append(dst, make([]byte, catalogue.SealedHead)...), events)
	return x.keys.Seal(b, *with, chunkPlace(id, events[0].ID), x.catalogue.Now())
}

// DecodeChunk reads a chunk of an execution and appends its events to events.
// [*catalogue.KeyError].
func (x *Executions) DecodeChunk(ctx context.Context, events []history.Event, id store.ExecutionID, chunk *store.Chunk) ([]history.Event, error) {
	data, err := chunk.Data, error(nil)
	if catalogue.Sealed(data) {
		data, err = x.keys.Open(data, chunkPlace(id, chunk.First))
	}
	if err == nil {
		if events, err = history.Decode(events, data); err == nil {
			return events, nil
		}
	}
	if !errors.Is(err, catalogue.ErrNoKey) {
		return events, fmt.Errorf("events %d to %d: %w", chunk.First, chunk.Last, damaged(err))
	}
	record, err := x.store.Execution(ctx, id)
	if err != nil {
		return events, err
	}
	m, err := DecodeMeta(record.Meta)
	if err != nil {
		return events, err
	}
	return events, x.catalogue.MissingKey(m.Encryption)
}
