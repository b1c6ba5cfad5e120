package stored

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// chunksAtOnce is how many chunks of a history are read at once. They hold the
// payloads of a step each.
const chunksAtOnce = 8

// eachChunk visits the events of an execution, those of a chunk at a time. The
// slice is used again for the next; the payloads may be kept.
func (x *Executions) eachChunk(ctx context.Context, id store.ExecutionID, visit func([]history.Event) error) error {
	var events []history.Event
	for from := int64(1); ; {
		chunks, err := x.store.History(ctx, id, from, chunksAtOnce, false)
		if err != nil {
			return fmt.Errorf("stored: read history: %w", err)
		}
		for i := range chunks {
			clear(events)
			if events, err = x.DecodeChunk(ctx, events[:0], id, &chunks[i]); err != nil {
				return err
			}
			if err := visit(events); err != nil {
				return err
			}
			from = chunks[i].Last + 1
		}
		if len(chunks) < chunksAtOnce {
			return nil
		}
	}
}

// Events reads the whole history of an execution.
func (x *Executions) Events(ctx context.Context, id store.ExecutionID) ([]history.Event, error) {
	var all []history.Event
	err := x.eachChunk(ctx, id, func(events []history.Event) error {
		all = append(all, events...)
		return nil
	})
	return all, err
}

// NewReplayer begins the replay of an execution.
func (x *Executions) NewReplayer(ctx context.Context, m *Meta) (*interpreter.Replayer, error) {
	machine, err := x.catalogue.ParsedRevision(ctx, m.RevisionKey())
	if err != nil {
		return nil, err
	}
	return interpreter.NewReplayer(machine, m.Info()), nil
}

// ReplayStored replays what is committed of an execution.
func (x *Executions) ReplayStored(ctx context.Context, id store.ExecutionID, replay *interpreter.Replayer) error {
	return x.eachChunk(ctx, id, func(events []history.Event) error {
		if err := replay.Add(events); err != nil {
			return damaged(err)
		}
		return nil
	})
}

// Replay rebuilds an execution from all that is committed of its history, for which it
// reads the definition that the execution runs by. store.ErrDamaged,
// [*catalogue.KeyError].
func (x *Executions) Replay(ctx context.Context, id store.ExecutionID, m Meta) (*interpreter.Execution, error) {
	replay, err := x.NewReplayer(ctx, &m)
	if err == nil {
		err = x.ReplayStored(ctx, id, replay)
	}
	if err != nil {
		return nil, err
	}
	return replay.Execution(), nil
}

// Unread returns an execution that can be stopped only.
func Unread(m *Meta, record *store.Record) *interpreter.Execution {
	var redriven int64
	if record.Redrives > 0 {
		redriven = record.Redriven.UnixMilli()
	}
	return interpreter.Unread(m.Info(), record.Last, int64(record.Redrives), redriven)
}

var statuses = map[interpreter.Status]store.Status{
	interpreter.Running: store.Running, interpreter.Succeeded: store.Succeeded, interpreter.Failed: store.Failed,
	interpreter.TimedOut: store.TimedOut, interpreter.Aborted: store.Aborted,
}

// StatusOf is the status of an execution as its record has it.
func StatusOf(s interpreter.Status) store.Status { return statuses[s] }

// Waits returns when a running execution wants to be woken, and whether it has
// something to do before.
func Waits(x *interpreter.Execution) (wake time.Time, busy bool) {
	if at := x.Wake(); at != 0 {
		wake = time.UnixMilli(at)
	}
	return wake, x.Ready() || x.Owes()
}

// Commit has a store commit a transition, again until it is not busy. When stop
// ends first its cause is the error, and nothing was written.
func Commit(ctx, stop context.Context, handle store.Shard, t *store.Transition) error {
	pause := time.Millisecond
	for {
		err := handle.Commit(ctx, t)
		if !errors.Is(err, store.ErrBusy) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-stop.Done():
			return context.Cause(stop)
		case <-time.After(pause):
		}
		pause = min(2*pause, 100*time.Millisecond)
	}
}

// Payloads is the size of all payloads of events, each counted once.
func Payloads(events []history.Event) int {
	w := NewWeight()
	for i := range events {
		w.Add(&events[i])
	}
	return w.Bytes
}

// Weight adds up the payloads of events, each counted once.
type Weight struct {
	seen  map[*value.Doc]bool
	Bytes int
}

// NewWeight returns the weight of no events.
func NewWeight() Weight { return Weight{seen: make(map[*value.Doc]bool)} }

// Add adds the payloads of an event that were not added before: a payload that passes
// through several events is one document in memory.
func (w *Weight) Add(ev *history.Event) {
	for _, d := range []*value.Doc{ev.Input, ev.Output, ev.Items} {
		if d != nil && !w.seen[d] {
			w.seen[d] = true
			w.Bytes += d.Size()
		}
	}
}

// endings are the events that end an execution.
var endings = map[history.Type]store.Status{
	history.ExecutionSucceeded: store.Succeeded, history.ExecutionFailed: store.Failed,
	history.ExecutionTimedOut: store.TimedOut, history.ExecutionAborted: store.Aborted,
}

// EndOf is the status of an execution that an event of a type ends; 0 for the
// other types.
func EndOf(t history.Type) store.Status { return endings[t] }

// left returns the names of the states that were, by a history, entered and not
// left, in the order in which they were entered.
func left(events []history.Event) []string {
	var in []string
	for i := range events {
		switch ev := &events[i]; {
		case ev.Type.Entered():
			in = append(in, ev.Name)
		case ev.Type.Exited():
			if at := slices.Index(in, ev.Name); at >= 0 {
				in = slices.Delete(in, at, at+1)
			}
		}
	}
	return in
}
