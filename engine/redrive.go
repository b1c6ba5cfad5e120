package engine

import (
	"context"
	"errors"
	"time"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// The bounds of a redrive (RedriveExecution, quotas).
const (
	redrivable    = 14 * 24 * time.Hour
	longestOpen   = 365 * 24 * time.Hour
	redriveEvents = 24_999
)

// NotRedrivableError reports why an execution cannot be redriven, in AWS's words.
type NotRedrivableError struct{ Reason string }

// Error returns the reason.
func (e *NotRedrivableError) Error() string { return e.Reason }

const deletingReason = "State machine is in DELETING status"

// NotRedrivable returns why an execution cannot be redriven at the given time, ""
// when it can (DescribeExecution, redriveStatusReason).
func (e *Engine) NotRedrivable(d *stored.Description) string {
	now := e.Now()
	switch {
	case d.Status == store.Running, d.Status == store.Succeeded:
		return "Execution is " + d.Status.String() + " and cannot be redriven"
	case d.Meta.Foreign:
		return "AWS recorded the execution, and does not tell all that is needed to go on with it"
	case e.deleted(e.closing, d):
		return deletingReason
	case d.Last >= redriveEvents && e.cfg.Limits.Events > 0:
		return "Execution history event limit exceeded"
	case now.Sub(d.Start) > longestOpen:
		return "Execution has exceeded the max execution time"
	case now.Sub(d.Stop) > redrivable:
		return "Execution redrivable period exceeded"
	}
	return ""
}

// redriveAttempts bounds how often a redrive waits for the end of an execution
// to pass before it goes on from there.
const redriveAttempts = 100

// Redrive has an execution that failed, timed out or was aborted go on from
// there, and returns the time at which it does, durably. A client token that was
// used before returns the time of that redrive. store.ErrNotFound,
// [*NotRedrivableError].
func (e *Engine) Redrive(ctx context.Context, arn, clientToken string) (time.Time, error) {
	id, err := e.Find(ctx, arn)
	if err != nil {
		return time.Time{}, err
	}
	s, err := e.shard(id)
	if err != nil {
		return time.Time{}, err
	}
	for range redriveAttempts {
		d, err := e.stored.Describe(ctx, id)
		if err != nil {
			return time.Time{}, err
		}
		if at, err := e.redrivenWith(ctx, d, clientToken); err != nil || !at.IsZero() {
			return at, err
		}
		if reason := e.NotRedrivable(d); reason != "" {
			return time.Time{}, &NotRedrivableError{reason}
		}
		begun, ok := e.beginStart(d.Meta.Machine)
		if !ok {
			return time.Time{}, &NotRedrivableError{deletingReason}
		}
		_, err = e.deliver(ctx, s.residentOrNew(id), delivery{msg: interpreter.Message{Kind: interpreter.Redrive, Token: clientToken}})
		begun()
		switch {
		case err == nil:
			record, err := e.store.Execution(ctx, id)
			if err != nil {
				return time.Time{}, err
			}
			return record.Redriven, nil
		case !errors.Is(err, ErrNotRunning) && !errors.Is(err, ErrStale): // else another caller was faster
			return time.Time{}, err
		}
	}
	return time.Time{}, store.ErrBusy
}

// residentOrNew returns the resident of an execution, a new one when memory
// knows none.
func (s *shard) residentOrNew(id store.ExecutionID) *resident {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.residents[id]
	if r == nil {
		r = &resident{id: id}
		s.residents[id] = r
	}
	return r
}

// redrivenWith returns the time of the redrive that a client token was given
// with, zero when there is none that still counts.
func (e *Engine) redrivenWith(ctx context.Context, d *stored.Description, clientToken string) (time.Time, error) {
	if clientToken == "" || d.Redrives == 0 || e.Now().Sub(d.Redriven) > interpreter.RedriveTokenLife {
		return time.Time{}, nil
	}
	events, err := e.stored.Events(ctx, d.ID)
	if err != nil {
		return time.Time{}, err
	}
	seen := 0
	for i := len(events) - 1; i >= 0 && seen < interpreter.RedriveTokens; i-- {
		ev := &events[i]
		if ev.Type != history.ExecutionRedriven {
			continue
		}
		seen++
		if ev.Token == clientToken && e.Now().Sub(ev.Time()) <= interpreter.RedriveTokenLife {
			return ev.Time(), nil
		}
	}
	return time.Time{}, nil
}
