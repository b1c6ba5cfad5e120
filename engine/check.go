package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

	mu     sync.Mutex
	locked map[KeyError]lockedCount
}

// lockedCount counts what cannot be read for want of a key.
type lockedCount struct{ executions, definitions int }

// NewChecker makes a checker of a store, with the keys for what is encrypted. It
// takes no shard and changes nothing.
func NewChecker(s store.Store, keys []EncryptionKey) (*Checker, error) {
	ring, err := newKeyring(keys, nil)
	return &Checker{e: &Engine{store: s, catalogue: newCatalogue(s), keys: ring}, locked: make(map[KeyError]lockedCount)}, err
}

// Check tells what is wrong with an execution, "" when nothing is: events are
// numbered without a gap and link to earlier ones, the execution that they add
// up to is the one that its record tells of, and its definition is there. One
// that is encrypted with a key that is not there is counted instead
// ([Checker.Locked]).
func (c *Checker) Check(ctx context.Context, r *store.Record, chunks []store.Chunk) string {
	m, err := decodeMeta(r.Meta)
	if err != nil {
		return err.Error()
	}
	problem := c.check(ctx, r, &m, chunks)
	if problem == nil || c.lock(problem, lockedCount{executions: 1}) {
		return ""
	}
	return m.executionARN() + ": " + problem.Error()
}

// CheckDefinitions tells of definitions that cannot be read, and counts those
// whose key is not there.
func (c *Checker) CheckDefinitions(ctx context.Context, problem func(string)) error {
	return c.e.eachDefinition(ctx, func(entry store.Entry) error {
		var kept definitionEntry
		err := decodeEntry(entry, &kept)
		if err == nil {
			_, locked, opened := c.e.openDefinition(entry.Key, kept.definition, kept.Encryption)
			err = errors.Join(locked, opened)
		}
		if err != nil && !c.lock(err, lockedCount{definitions: 1}) {
			problem(err.Error())
		}
		return nil
	})
}

// lock counts what cannot be read for want of a key. It is false when that is
// not what is wrong.
func (c *Checker) lock(problem error, n lockedCount) bool {
	missing, ok := errors.AsType[*KeyError](problem)
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := c.locked[*missing]
	c.locked[*missing] = lockedCount{sum.executions + n.executions, sum.definitions + n.definitions}
	return true
}

// Locked tells, for each key that is not there, how much could not be checked.
func (c *Checker) Locked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	told := make([]string, 0, len(c.locked))
	for missing, n := range c.locked {
		told = append(told, fmt.Sprintf("%d executions and %d definitions cannot be read: %v", n.executions, n.definitions, &missing))
	}
	slices.Sort(told)
	return told
}

func (c *Checker) check(ctx context.Context, r *store.Record, m *meta, chunks []store.Chunk) error {
	var events []history.Event
	for i := range chunks {
		chunk, before := &chunks[i], len(events)
		if m.Encryption != nil && !sealed(chunk.Data) {
			return fmt.Errorf("the events %d to %d are not encrypted, and all of the execution's are to be", chunk.First, chunk.Last)
		}
		var err error
		if events, err = c.e.decodeChunk(ctx, events, r.ID, chunk); err != nil {
			return err
		}
		if len(events) == before || events[before].ID != chunk.First || events[len(events)-1].ID != chunk.Last {
			return fmt.Errorf("the chunk of the events %d to %d holds others", chunk.First, chunk.Last)
		}
	}
	for i := range events {
		if ev := &events[i]; ev.ID != int64(i)+1 || ev.Previous >= ev.ID {
			return fmt.Errorf("event %d has the number %d and links to event %d", i+1, ev.ID, ev.Previous)
		}
	}
	key := revisionKey{m.Machine, m.Revision}
	parsed, err := c.e.parsedRevision(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("its definition (%v) is not there", key)
	}
	if _, locked := errors.AsType[*KeyError](err); locked {
		return nil // definitions are counted for themselves
	}
	if err != nil {
		if _, told := c.machines.LoadOrStore(key, true); told {
			return nil
		}
		return err
	}
	x, err := interpreter.Replay(parsed, m.info(), events)
	if err != nil {
		return err
	}
	if status := statuses[x.Status()]; status != r.Status {
		return fmt.Errorf("its history says %v, its record %v", status, r.Status)
	}
	return nil
}
