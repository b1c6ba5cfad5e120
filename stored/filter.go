package stored

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// Search selects executions of Standard state machines of a tenant. All that is
// set must hold.
type Search struct {
	Tenant catalogue.Tenant
	// Machines are names of state machines; none: all.
	Machines []string
	Statuses []store.Status // none: any
	// Name is an execution's name, or with Prefix what it begins with.
	Name   string
	Prefix bool
	// Error is the Error Name that an execution failed with, State the name of
	// a state that it is in, or was in when it ended without success.
	Error, State string
	// From and To bound the start: From <= start < To.
	From, To time.Time
	// Shortest and Longest bound how long an execution took, or has been
	// running; 0 is no bound.
	Shortest, Longest time.Duration
	Values            []Comparison
	// Limit is how many executions are asked for, 100 when 0.
	Limit int
	// After is where the page before ended, "" for the first.
	After string
}

// Comparison is what a value of an input or output must be. Op is one of = !=
// < <= > >=; values of different types are different, and in no order.
type Comparison struct {
	Field Field
	Op    string
	Value value.Value
}

// OnlyMachines reports whether a search asks for machines at most.
func (q *Search) OnlyMachines() bool {
	return len(q.Statuses) == 0 && q.Name == "" && q.Error == "" && q.State == "" && q.From.IsZero() && q.To.IsZero() &&
		q.Shortest == 0 && q.Longest == 0 && len(q.Values) == 0
}

// Match returns the description of an execution if a search selects it, whatever
// its state machine, and otherwise nil; read is how many histories that took.
func (x *Executions) Match(ctx context.Context, s *Search, r *store.Record) (d *Description, read int, err error) {
	end := r.Stop
	if end.IsZero() {
		end = x.catalogue.Now()
	}
	took := end.Sub(r.Start)
	switch {
	case len(s.Statuses) > 0 && !slices.Contains(s.Statuses, r.Status),
		!s.From.IsZero() && r.Start.Before(s.From), !s.To.IsZero() && !r.Start.Before(s.To),
		took < s.Shortest, s.Longest > 0 && took > s.Longest:
		return nil, 0, nil
	}
	d, err = Summary(r)
	if err != nil || s.Name != "" && d.Name != s.Name && !(s.Prefix && strings.HasPrefix(d.Name, s.Name)) {
		return nil, 0, err
	}
	if s.Error != "" || len(s.Values) > 0 {
		read++
		if d, err = x.Describe(ctx, r.ID); err != nil || !s.described(d) {
			return nil, read, err
		}
	}
	if s.State != "" {
		read++
		in, err := x.states(ctx, d)
		if err != nil || !slices.Contains(in, s.State) {
			return nil, read, err
		}
	}
	return d, read, nil
}

// described reports whether the Error Name and values are those searched for.
func (q *Search) described(d *Description) bool {
	if q.Error != "" && (d.Failure.Error == nil || *d.Failure.Error != q.Error) {
		return false
	}
	for i := range q.Values {
		if !q.Values[i].holds(d) {
			return false
		}
	}
	return true
}

func (c *Comparison) holds(d *Description) bool {
	doc := d.Input
	if c.Field.Output {
		doc = d.Output
	}
	v := c.Field.in(doc)
	switch c.Op {
	case "=":
		return value.Equal(v, c.Value)
	case "!=":
		return !value.Equal(v, c.Value)
	}
	n, comparable := order(v, c.Value)
	switch {
	case !comparable:
		return false
	case c.Op == "<":
		return n < 0
	case c.Op == "<=":
		return n <= 0
	case c.Op == ">":
		return n > 0
	}
	return n >= 0
}

// order compares two numbers or two strings.
func order(a, b value.Value) (n int, comparable bool) {
	switch {
	case a.Kind() != b.Kind():
		return 0, false
	case a.Kind() == value.String:
		return strings.Compare(a.Str(), b.Str()), true
	case a.Kind() == value.Number:
		switch x, y := a.Float64(), b.Float64(); {
		case x < y:
			return -1, true
		case x > y:
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// states are the names of the states that an execution is in, or was in when
// it ended without success.
func (x *Executions) states(ctx context.Context, d *Description) ([]string, error) {
	if d.Meta.Foreign {
		events, err := x.Events(ctx, d.ID)
		if d.Status == store.Succeeded {
			events = nil
		}
		return left(events), err
	}
	live, err := x.Replay(ctx, d.ID, d.Meta)
	if err != nil {
		return nil, err
	}
	return live.States(), nil
}
