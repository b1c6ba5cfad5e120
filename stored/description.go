package stored

import (
	"context"
	"fmt"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// Description is what can be told of an execution.
type Description struct {
	ID                   store.ExecutionID
	ARN, Name            string
	MachineARN           string
	Status               store.Status
	Start, Stop          time.Time
	Input, Output        *value.Doc // Input is nil in lists, Output too
	Failure              history.ErrorOutput
	RoleARN              string
	VersionARN, AliasARN string
	TraceHeader          string
	Last                 int64 // number of the last event
	Redrives             int
	Redriven             time.Time
	// Fork names of which execution, and of which of its events, this one is a
	// fork; nil when it is none.
	Fork *history.Fork

	Meta Meta
}

// MachineName is the name of the execution's state machine.
func (d *Description) MachineName() string { return d.Meta.MachineName }

// Summary is what a list shows of an execution.
func Summary(r *store.Record) (*Description, error) {
	m, err := DecodeMeta(r.Meta)
	if err != nil {
		return nil, err
	}
	return &Description{
		ID: r.ID, ARN: m.ExecutionARN(), Name: m.Name, MachineARN: m.MachineARN(),
		Status: r.Status, Start: r.Start, Stop: r.Stop,
		RoleARN: m.RoleARN, VersionARN: m.VersionARN, AliasARN: m.AliasARN, TraceHeader: m.TraceHeader,
		Last: r.Last, Redrives: r.Redrives, Redriven: r.Redriven, Fork: m.Fork, Meta: m,
	}, nil
}

// Describe returns what can be said of an execution, with its input and, once it has
// ended, its output or failure. It reads two chunks of the history at most.
// store.ErrNotFound, store.ErrDamaged, [*catalogue.KeyError].
func (x *Executions) Describe(ctx context.Context, id store.ExecutionID) (*Description, error) {
	record, err := x.store.Execution(ctx, id)
	if err != nil {
		return nil, err
	}
	return x.DescribeRecord(ctx, record)
}

// DescribeRecord describes an execution whose record was read.
func (x *Executions) DescribeRecord(ctx context.Context, record *store.Record) (*Description, error) {
	id := record.ID
	d, err := Summary(record)
	if err != nil {
		return nil, err
	}
	first, err := x.store.History(ctx, id, 1, 1, false)
	if err != nil {
		return nil, fmt.Errorf("stored: read history: %w", err)
	}
	if len(first) == 0 {
		return nil, store.ErrNotFound
	}
	events, err := x.DecodeChunk(ctx, nil, id, &first[0])
	if err != nil {
		return nil, err
	}
	d.Input = events[0].Input
	if d.Status == store.Running {
		return d, nil
	}
	if record.Last != first[0].Last {
		last, err := x.store.History(ctx, id, record.Last, 1, true)
		if err != nil || len(last) == 0 {
			return nil, fmt.Errorf("stored: read the end of a history: %w", err)
		}
		if events, err = x.DecodeChunk(ctx, nil, id, &last[0]); err != nil {
			return nil, err
		}
	}
	end := &events[len(events)-1]
	d.Output, d.Failure = end.Output, end.Failure
	return d, nil
}

// RevisionKey names the revision of the state machine that the execution runs by.
func (d *Description) RevisionKey() catalogue.RevisionKey { return d.Meta.RevisionKey() }
