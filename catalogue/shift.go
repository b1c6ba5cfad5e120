package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/steppehq/steppe/store"
)

// ShiftStatus is how far a shift is.
type ShiftStatus string

// The statuses of shifts.
const (
	ShiftRunning   ShiftStatus = "RUNNING"
	ShiftSucceeded ShiftStatus = "SUCCEEDED"
	// ShiftRolledBack reports that the rule was broken.
	ShiftRolledBack ShiftStatus = "ROLLED_BACK"
	// ShiftCancelled reports that a caller had it rolled back.
	ShiftCancelled ShiftStatus = "CANCELLED"
	// ShiftOverruled reports that a caller changed the alias's routes before its end;
	// they stay.
	ShiftOverruled ShiftStatus = "OVERRULED"
)

// ShiftPlan says how an alias is brought from one version to another.
type ShiftPlan struct {
	// First is the new version's weight at once, Step what is added to it each
	// time after Every; at 100 the shift is over.
	First, Step int
	Every       time.Duration
	// Rule rolls the shift back as soon as it is broken; nil: nothing does.
	Rule *ErrorRate `json:",omitempty"`
}

// ErrorRate is broken when more than Percent of the executions that the alias
// started with the new version, since the shift began, have failed or timed out.
type ErrorRate struct{ Percent float64 }

// Shift brings an alias from one version to another in steps. It lives in the
// catalogue: the engine goes on with it after a restart.
type Shift struct {
	Tenant
	Machine string // its name
	Number  uint32 // its number
	Alias   string
	// From is the version that the alias led to, To the one it is to lead to.
	From, To uint32
	ShiftPlan
	Status ShiftStatus
	// Reason reports why it ended as it did, "" when there is nothing to report.
	Reason string `json:",omitempty"`
	// Weight is the new version's now.
	Weight  int
	Started time.Time
	// Next is when the next step is due, Ended when the shift did.
	Next  time.Time `json:",omitzero"`
	Ended time.Time `json:",omitzero"`
	// Tally is of the executions that the alias started with the new version
	// since the shift began: up to its end, or now.
	Tally

	entry uint64 // version of the catalogue's entry
}

// Tally counts executions: all, and those that failed or timed out.
type Tally struct{ Executions, Failed int64 }

func (t Tally) Plus(u Tally) Tally { return Tally{t.Executions + u.Executions, t.Failed + u.Failed} }

// Broken reports how executions break the rule, "" when they do not.
func (r *ErrorRate) Broken(t Tally) string {
	if r == nil || t.Executions == 0 {
		return ""
	}
	rate := 100 * float64(t.Failed) / float64(t.Executions)
	if rate <= r.Percent {
		return ""
	}
	return fmt.Sprintf("%d of %d executions failed or timed out: %.3g%%, more than %.3g%%", t.Failed, t.Executions, rate, r.Percent)
}

// MachineARN is the ARN of the alias's state machine.
func (s *Shift) MachineARN() string { return s.ARN("stateMachine", s.Machine) }

// AliasARN is the ARN of the alias that is shifted.
func (s *Shift) AliasARN() string { return s.MachineARN() + ":" + s.Alias }

// Routes are those of the alias at the shift's present weight.
func (s *Shift) Routes() []Route {
	switch s.Weight {
	case 0:
		return []Route{{s.From, 100}}
	case 100:
		return []Route{{s.To, 100}}
	}
	return []Route{{s.From, 100 - s.Weight}, {s.To, s.Weight}}
}

const shiftPrefix = "shift/"

func machineShifts(t Tenant, machine string) string {
	return shiftPrefix + t.Account + "/" + t.Region + "/" + machine + "/"
}

func (s *Shift) Key() string { return machineShifts(s.Tenant, s.Machine) + s.Alias }

func (s *Shift) edit() store.Edit {
	encoded, _ := json.Marshal(s) // plain fields
	return store.Edit{Key: s.Key(), Version: s.entry, Value: encoded}
}

// RefusedShiftError reports why a shift cannot begin.
type RefusedShiftError struct{ Reason string }

// Error is the reason.
func (e *RefusedShiftError) Error() string { return e.Reason }

// BeginShift writes that an alias is brought from the version that it leads to, to
// another one, with the first weight; the engine makes the steps that follow. store.ErrNotFound for an alias or version that is not there,
// store.ErrVersion, [*RefusedShiftError].
func (c *Catalogue) BeginShift(ctx context.Context, m *Machine, alias string, to uint32, plan ShiftPlan) (*Shift, error) {
	a, err := c.Alias(ctx, m, alias)
	if err != nil {
		return nil, err
	}
	plan.Every = plan.Every.Truncate(time.Millisecond) // as timers are
	s := &Shift{
		Tenant: m.Tenant, Machine: m.Name, Number: m.Number, Alias: alias, From: a.Main(), To: to, ShiftPlan: plan,
		Status: ShiftRunning, Weight: min(plan.First, 100), Started: c.Now().Truncate(time.Millisecond),
	}
	old, err := c.ReadShift(ctx, m, alias)
	switch {
	case err == nil && old.Status == ShiftRunning:
		return nil, &RefusedShiftError{fmt.Sprintf("The alias is being shifted to version %d; cancel that first.", old.To)}
	case err == nil:
		s.entry = old.entry
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	switch {
	case a.Weight(s.From) != 100:
		return nil, &RefusedShiftError{"The alias leads to two versions; a shift begins from one with a weight of 100."}
	case s.From == to:
		return nil, &RefusedShiftError{fmt.Sprintf("The alias leads to version %d already.", to)}
	}
	s.Next = s.Started.Add(plan.Every)
	s.Arrive(s.Started)
	if err := c.PutShift(ctx, m, *a, s); err != nil {
		return nil, err
	}
	return s, nil
}

// Arrive ends a shift that has come to its end.
func (s *Shift) Arrive(now time.Time) {
	if s.Weight == 100 {
		s.Status, s.Next, s.Ended = ShiftSucceeded, time.Time{}, now
	}
}

// RollBack ends a shift where it began.
func (s *Shift) RollBack(status ShiftStatus, reason string, now time.Time) {
	s.Status, s.Reason, s.Weight, s.Next, s.Ended = status, reason, 0, time.Time{}, now
}

// PutShift writes a shift, and has the alias lead where it says.
func (c *Catalogue) PutShift(ctx context.Context, m *Machine, a Alias, s *Shift) error {
	a.Routes, a.Updated = s.Routes(), c.Now()
	if _, err := c.putAlias(ctx, m, a, s.edit()); err != nil {
		return err
	}
	s.entry++
	return nil
}

// ReadShift returns the last shift of an alias as it was written last: one that is
// under way is not counted. store.ErrNotFound.
func (c *Catalogue) ReadShift(ctx context.Context, m *Machine, alias string) (*Shift, error) {
	return c.ShiftAt(ctx, machineShifts(m.Tenant, m.Name)+alias)
}

func (c *Catalogue) ShiftAt(ctx context.Context, key string) (*Shift, error) {
	entry, err := c.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return decodeShift(entry)
}

func decodeShift(entry store.Entry) (*Shift, error) {
	s := &Shift{entry: entry.Version}
	return s, DecodeEntry(entry, s)
}

// Overrule ends a shift whose alias a caller has led elsewhere.
func (c *Catalogue) Overrule(ctx context.Context, s *Shift) error {
	s.Status, s.Reason, s.Next, s.Ended = ShiftOverruled, "The alias was changed meanwhile.", time.Time{}, c.Now()
	err := c.Put(ctx, s.edit())
	s.entry++
	return err
}

// Shifts lists the last shifts of the tenant's aliases, in the order of their
// machines' names and their own, limit of them (0: all) after MACHINE/ALIAS. Those under way are counted only when they are asked for.
func (c *Catalogue) Shifts(ctx context.Context, t Tenant, after string, limit int) ([]*Shift, error) {
	prefix := shiftPrefix + t.Account + "/" + t.Region + "/"
	if after != "" {
		after = prefix + after
	}
	return c.scanShifts(ctx, prefix, after, limit)
}

// AllShifts lists the last shifts of all aliases of all tenants.
func (c *Catalogue) AllShifts(ctx context.Context) ([]*Shift, error) {
	return c.scanShifts(ctx, shiftPrefix, "", 0)
}

func (c *Catalogue) scanShifts(ctx context.Context, prefix, after string, limit int) ([]*Shift, error) {
	entries, err := c.store.Scan(ctx, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	shifts := make([]*Shift, len(entries))
	for i, entry := range entries {
		if shifts[i], err = decodeShift(entry); err != nil {
			return nil, err
		}
	}
	return shifts, nil
}

// shiftWatch is how often the rule of a shift is looked at.
const shiftWatch = 2 * time.Second

// Due is when a shift is to be looked at next.
func (s *Shift) Due(now time.Time) time.Time {
	watch := now.Add(shiftWatch).Truncate(time.Millisecond)
	if s.Rule != nil && watch.Before(s.Next) {
		return watch
	}
	return s.Next
}
