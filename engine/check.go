package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
)

// Checker checks what the histories of a store mean. Its methods may be called
// from any goroutine.
type Checker struct {
	e        *Engine
	machines sync.Map // revisions that cannot be read, so that each is told once
}

// NewChecker makes a checker of a store. It takes no shard and changes nothing.
func NewChecker(s store.Store) *Checker {
	return &Checker{e: &Engine{store: s, catalogue: newCatalogue(s)}}
}

// Check tells what is wrong with an execution, "" when nothing is: events are
// numbered without a gap and link to earlier ones, the execution that they add
// up to is the one that its record tells of, and its definition is there.
func (c *Checker) Check(ctx context.Context, r *store.Record, chunks []store.Chunk) string {
	m, err := decodeMeta(r.Meta)
	if err != nil {
		return err.Error()
	}
	problem := c.check(ctx, r, &m, chunks)
	if problem == "" {
		return ""
	}
	return m.executionARN() + ": " + problem
}

func (c *Checker) check(ctx context.Context, r *store.Record, m *meta, chunks []store.Chunk) string {
	var events []history.Event
	for _, chunk := range chunks {
		before := len(events)
		var err error
		if events, err = history.Decode(events, chunk.Data); err != nil {
			return err.Error()
		}
		if len(events) == before || events[before].ID != chunk.First || events[len(events)-1].ID != chunk.Last {
			return fmt.Sprintf("the chunk of the events %d to %d holds others", chunk.First, chunk.Last)
		}
	}
	for i := range events {
		if ev := &events[i]; ev.ID != int64(i)+1 || ev.Previous >= ev.ID {
			return fmt.Sprintf("event %d has the number %d and links to event %d", i+1, ev.ID, ev.Previous)
		}
	}
	key := revisionKey{m.Machine, m.Revision}
	parsed, err := c.e.parsedRevision(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return "its definition (" + key.String() + ") is not there"
	}
	if err != nil {
		if _, told := c.machines.LoadOrStore(key, true); told {
			return ""
		}
		return err.Error()
	}
	x, err := interpreter.Replay(parsed, m.info(), events)
	if err != nil {
		return err.Error()
	}
	if status := statuses[x.Status()]; status != r.Status {
		return fmt.Sprintf("its history says %v, its record %v", status, r.Status)
	}
	return ""
}
