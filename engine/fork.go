package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// ForkRequest asks for an execution that takes up where another one was.
type ForkRequest struct {
	// ARN is the other execution's, running or ended. At is the last of its
	// events that the new one has too; 0 stands for its last.
	ARN string
	At  int64
	// Name is the new execution's, "" for one made at random.
	Name string
	// Definition, where it is not "", stands instead of the one the other
	// execution runs by. It must have the states that its events name.
	Definition string
	// Input, where it is not nil, stands instead of the input of the state that
	// the event is in or leads to; at event 1, of the execution.
	Input *value.Doc
}

// fork is what a start needs to take up another execution.
type fork struct {
	from     history.Fork
	events   []history.Event
	parsed   *asl.StateMachine
	revision uint64
	input    *value.Doc

	// What the new execution has of the other one: how long it is kept, in
	// seconds, and what it is encrypted with.
	retain     int64
	encryption *catalogue.Encryption
}

// InvalidForkError reports why an execution cannot be forked as asked for.
type InvalidForkError struct{ Reason string }

// Error returns the reason.
func (e *InvalidForkError) Error() string { return e.Reason }

func invalidFork(format string, args ...any) error {
	return &InvalidForkError{fmt.Sprintf(format, args...)}
}

// maxForkBytes bounds the payloads of the events that a fork takes over: they
// are written in one commit.
const maxForkBytes = 256 << 20

// Fork starts an execution of the same state machine whose history begins with
// the first events of another one's, and goes on from there. What was under way
// at that event is done again. The two are linked: [Description].Fork, and
// [Engine.Forks]. store.ErrNotFound, [*InvalidForkError], ErrAlreadyExists,
// [*KeyError].
func (e *Engine) Fork(ctx context.Context, req ForkRequest) (Started, error) {
	id, err := e.Find(ctx, req.ARN)
	if err != nil {
		return Started{}, err
	}
	origin, err := e.stored.Describe(ctx, id)
	if err != nil {
		return Started{}, err
	}
	f, err := e.forkOf(ctx, origin, req)
	if err != nil {
		return Started{}, err
	}
	m := origin.Meta
	return e.Start(ctx, StartRequest{
		Machine: &catalogue.Machine{Tenant: m.Tenant(), Name: m.MachineName, Number: m.Machine, Type: catalogue.Standard, RoleARN: m.RoleARN},
		Name:    req.Name, Input: f.events[0].Input, TraceHeader: m.TraceHeader,
		VersionARN: m.VersionARN, AliasARN: m.AliasARN, fork: f,
	})
}

// forkOf gathers what a fork begins with.
func (e *Engine) forkOf(ctx context.Context, origin *stored.Description, req ForkRequest) (*fork, error) {
	if req.At == 0 {
		req.At = origin.Last
	}
	if req.At < 1 || req.At > origin.Last {
		return nil, invalidFork("The execution has the events 1 to %d; there is no event %d.", origin.Last, req.At)
	}
	if origin.Meta.Foreign && req.At > 1 {
		return nil, invalidFork("AWS recorded the execution, and does not tell all that is needed to go on with it: it can be forked at event 1 only, which begins it again.")
	}
	events, err := e.stored.Events(ctx, origin.ID)
	if err != nil {
		return nil, err
	}
	f := &fork{from: history.Fork{ExecutionArn: origin.ARN, Event: req.At}, events: events[:req.At:req.At], revision: origin.Meta.Revision, input: req.Input, retain: origin.Meta.Retention, encryption: origin.Meta.Encryption}
	if origin.Meta.Foreign {
		f.retain = int64(e.cfg.Retention / time.Second) // the origin's counts from an end that was long ago
	}
	if size := stored.Payloads(f.events); size > maxForkBytes {
		return nil, invalidFork("The events to take over hold %d bytes; at most %d can be.", size, maxForkBytes)
	}
	if req.At == 1 && req.Input != nil {
		f.events[0].Input, f.input = req.Input, nil
	}
	if req.Definition != "" {
		f.revision, err = e.forkRevision(ctx, &origin.Meta, req.Definition)
		if err != nil {
			return nil, err
		}
	}
	f.parsed, err = e.catalogue.ParsedRevision(ctx, catalogue.RevisionKey{Machine: origin.Meta.Machine, Revision: f.revision})
	return f, err
}

// forkRevision keeps a definition that forks of a machine's executions run by,
// beside the machine's own: its number is made of the definition and of what
// encrypts it.
func (e *Engine) forkRevision(ctx context.Context, m *stored.Meta, definition string) (uint64, error) {
	if _, err := e.catalogue.Parse(ctx, definition, catalogue.Standard); err != nil {
		if invalid, ok := errors.AsType[*catalogue.InvalidDefinitionError](err); ok {
			err = &InvalidForkError{invalid.Error()}
		}
		return 0, err
	}
	rev, err := e.catalogue.Revision(ctx, m.RevisionKey())
	if err != nil {
		return 0, err
	}
	rev.Definition, rev.RevisionID, rev.Updated = definition, "", time.Time{}
	number := catalogue.ForkRevision(definition, rev.Encryption)
	edit, err := e.catalogue.RevisionEdit(catalogue.RevisionKey{Machine: m.Machine, Revision: number}, rev)
	if err != nil {
		return 0, err
	}
	err = e.catalogue.Put(ctx, edit)
	if errors.Is(err, store.ErrVersion) {
		err = nil // it is there already
	}
	return number, err
}

// maxForks bounds the forks of one execution that are listed.
const maxForks = 1000

// Forks returns the executions that were forked from one, newest first, as lists
// do: without payloads, and not more than 1000.
func (e *Engine) Forks(ctx context.Context, origin *stored.Description) ([]*stored.Description, error) {
	var forks []*stored.Description
	q := store.ListQuery{Term: stored.ForkTerm(origin.ARN), From: origin.Start} // older ones are of an earlier execution of that name
	_, err := e.visit(ctx, func(r *store.Record) (bool, error) {
		d, err := e.stored.Describe(ctx, r.ID)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		if err == nil && d.Fork != nil && d.Fork.ExecutionArn == origin.ARN {
			d.Input, d.Output = nil, nil
			forks = append(forks, d)
		}
		return len(forks) == maxForks, err
	}, q)
	return forks, err
}
