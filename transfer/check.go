package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// Checker checks what the histories of a store mean. Its methods may be called
// from any goroutine.
type Checker struct {
	db       *source
	machines sync.Map // revisions that cannot be read, so that each is reported once

	mu     sync.Mutex
	locked map[catalogue.KeyError]lockedCount
}

// lockedCount counts what cannot be read for want of a key.
type lockedCount struct{ executions, definitions int }

// NewChecker makes a checker of a store, with the keys for what is encrypted. It
// takes no shard and changes nothing.
func NewChecker(s store.Store, keys []catalogue.EncryptionKey) (*Checker, error) {
	db, err := open(s, keys)
	return &Checker{db: db, locked: make(map[catalogue.KeyError]lockedCount)}, err
}

// Check reports what is wrong with an execution, "" when nothing is: events are
// numbered without a gap and link to earlier ones, the execution that they add
// up to is the one that its record names, and its definition is there. Of an
// execution that AWS recorded the events are all that can be looked at. One that
// is encrypted with a key that is not there is counted instead
// ([Checker.Locked]).
func (c *Checker) Check(ctx context.Context, r *store.Record, chunks []store.Chunk) string {
	m, err := stored.DecodeMeta(r.Meta)
	if err != nil {
		return err.Error()
	}
	problem := c.check(ctx, r, &m, chunks)
	if problem == nil || c.lock(problem, lockedCount{executions: 1}) {
		return ""
	}
	return m.ExecutionARN() + ": " + problem.Error()
}

// CheckDefinitions reports definitions that cannot be read, and counts those
// whose key is not there.
func (c *Checker) CheckDefinitions(ctx context.Context, problem func(string)) error {
	return c.db.catalogue.EachUnreadable(ctx, func(err error) {
		if !c.lock(err, lockedCount{definitions: 1}) {
			problem(err.Error())
		}
	})
}

// lock counts what cannot be read for want of a key. It is false when that is
// not what is wrong.
func (c *Checker) lock(problem error, n lockedCount) bool {
	missing, ok := errors.AsType[*catalogue.KeyError](problem)
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := c.locked[*missing]
	c.locked[*missing] = lockedCount{sum.executions + n.executions, sum.definitions + n.definitions}
	return true
}

// Locked reports, for each key that is not there, how much could not be checked.
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

func (c *Checker) check(ctx context.Context, r *store.Record, m *stored.Meta, chunks []store.Chunk) error {
	var events []history.Event
	for i := range chunks {
		chunk, before := &chunks[i], len(events)
		if m.Encryption != nil && !catalogue.Sealed(chunk.Data) {
			return fmt.Errorf("the events %d to %d are not encrypted, and all of the execution's are to be", chunk.First, chunk.Last)
		}
		var err error
		if events, err = c.db.stored.DecodeChunk(ctx, events, r.ID, chunk); err != nil {
			return err
		}
		if len(events) == before || events[before].ID != chunk.First || events[len(events)-1].ID != chunk.Last {
			return fmt.Errorf("the chunk of the events %d to %d holds others", chunk.First, chunk.Last)
		}
	}
	if err := tells(events, r); err != nil || m.Foreign {
		return err
	}
	key := m.RevisionKey()
	parsed, err := c.db.catalogue.ParsedRevision(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("its definition (%v) is not there", key)
	}
	if _, locked := errors.AsType[*catalogue.KeyError](err); locked {
		return nil // definitions are counted for themselves
	}
	if err != nil {
		if _, told := c.machines.LoadOrStore(key, true); told {
			return nil
		}
		return err
	}
	_, err = replayed(parsed, m, r, events)
	return err
}

// replayed replays a history that says what its record does, and reports what is
// wrong with that.
func replayed(parsed *asl.StateMachine, m *stored.Meta, r *store.Record, events []history.Event) (*interpreter.Execution, error) {
	x, err := interpreter.Replay(parsed, m.Info(), events)
	switch {
	case err != nil:
		return nil, err
	case stored.StatusOf(x.Status()) != r.Status:
		return nil, fmt.Errorf("its history adds up to %v, its record says %v", stored.StatusOf(x.Status()), r.Status)
	case !x.Whole():
		return nil, fmt.Errorf("its history ends in the middle of a step, with event %d", r.Last)
	}
	return x, nil
}

// life is what the events of an execution say without its definition.
type life struct {
	status      store.Status
	start, stop int64 // milliseconds; stop is 0 while it is running
	last        int64
	redrives    int64
	redriven    int64
}

// lifeOf sums up events, and reports what is wrong with their numbers and their
// order.
func lifeOf(events []history.Event) (life, error) {
	var l life
	for i := range events {
		ev := &events[i]
		if ev.ID != int64(i)+1 || ev.Previous >= ev.ID {
			return l, fmt.Errorf("event %d has the number %d and links to event %d", i+1, ev.ID, ev.Previous)
		}
		again := ev.Type == history.ExecutionRedriven
		if (i == 0) != (ev.Type == history.ExecutionStarted) || (l.stop != 0) != again && (!again || ev.Fork == nil) {
			return l, fmt.Errorf("event %d (%v) cannot stand there", ev.ID, ev.Type)
		}
		l.last = ev.ID
		switch ev.Type {
		case history.ExecutionStarted:
			l.status, l.start = store.Running, ev.Millis
		case history.ExecutionRedriven:
			l.status, l.stop = store.Running, 0
			if ev.Fork != nil {
				l.start = ev.Millis
			} else {
				l.redrives, l.redriven = ev.RedriveCount, ev.Millis
			}
		default:
			if status := stored.EndOf(ev.Type); status != 0 {
				l.status, l.stop = status, ev.Millis
			}
		}
	}
	if len(events) == 0 {
		return l, errors.New("it has no events")
	}
	return l, nil
}

// tells is an error if events do not say what the execution's record says.
func tells(events []history.Event, r *store.Record) error {
	l, err := lifeOf(events)
	if err != nil {
		return err
	}
	millis := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMilli()
	}
	recorded := life{r.Status, millis(r.Start), millis(r.Stop), r.Last, int64(r.Redrives), millis(r.Redriven)}
	if l != recorded {
		return fmt.Errorf("its history says %v; its record says %v", l, recorded)
	}
	return nil
}

func (l life) String() string {
	return fmt.Sprintf("%v, start %d, end %d, %d events, %d redrives, the last at %d", l.status, l.start, l.stop, l.last, l.redrives, l.redriven)
}
