package engine

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe/catalogue"
)

// RetentionTag is the tag of a state machine that says how long its
// executions are kept after their end: a duration as time.ParseDuration reads
// it, or days ("30d"). It counts for executions that start when it is set.
const RetentionTag = "steppe:retention"

// retentionOf is how long the executions of a machine are kept after their
// end, in seconds. Those of an Express machine are not: AWS keeps no record of
// them either.
func (e *Engine) retentionOf(m *catalogue.Machine) int64 {
	if m.Type == catalogue.Express {
		return 0
	}
	for _, tag := range m.Tags {
		if tag.Key != RetentionTag {
			continue
		}
		if d, err := ParseDays(tag.Value); err == nil && d >= 0 {
			return int64(d / time.Second)
		}
	}
	return int64(e.cfg.Retention / time.Second)
}

// ParseDays reads a duration that may be given in days: "36h", "30d".
func ParseDays(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		d, err := time.ParseDuration(days + "h")
		return 24 * d, err
	}
	return time.ParseDuration(text)
}

const (
	// retainEvery is often, so that little is forgotten at once: shards do not
	// commit while it lasts, and others have the processor. Where nothing has expired,
	// the time is doubled, up to retainIdle.
	retainEvery = 5 * time.Second
	retainIdle  = time.Minute
	// retainBite bounds how many executions are forgotten at once.
	retainBite = 1000
	// tidyEvery is how often machines are looked for that are gone.
	tidyEvery = 10 * time.Minute
)

// retainer forgets expired executions when it is time to.
type retainer struct {
	e     *Engine
	mu    sync.Mutex
	due   time.Time
	every time.Duration
	tidy  time.Time // when machines that are gone are looked for next
	busy  bool
}

// next is when expired executions are looked for, in milliseconds since 1970; 0 where
// that was not done yet: the first tick does it.
func (r *retainer) next() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.due.IsZero() || r.busy {
		return 0
	}
	return r.due.UnixMilli()
}

// begin reports whether it is time, and takes the turn.
func (r *retainer) begin(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy || now.Before(r.due) {
		return false
	}
	r.every = min(max(2*r.every, retainEvery), retainIdle)
	r.busy, r.due = true, now.Add(r.every)
	return true
}

// tidies reports whether it is time to look for machines that are gone.
func (r *retainer) tidies(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.tidy) {
		return false
	}
	r.tidy = now.Add(tidyEvery)
	return true
}

// found has what expires looked for soon again: there was some.
func (r *retainer) found(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.every, r.due = retainEvery, now.Add(retainEvery)
}

func (r *retainer) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
}

// tick forgets the executions that have expired, when it is time to.
func (r *retainer) tick(_ context.Context, now time.Time) {
	e := r.e
	if !r.begin(now) {
		return
	}
	e.spawn(func() {
		defer e.retainer.end()
		for e.closing.Err() == nil {
			ids, err := e.store.Retain(e.closing, now, retainBite)
			if len(ids) > 0 {
				e.retainer.found(now)
			}
			if err == nil && len(ids) == retainBite {
				continue
			}
			for _, machine := range e.deletions.failed() {
				e.tryDeletion(e.closing, machine)
			}
			if err == nil && e.retainer.tidies(now) {
				err = e.forgetMachines(e.closing, now)
			}
			if err != nil && e.closing.Err() == nil {
				e.log.Error("forget what has expired", slog.Any("error", err))
			}
			return
		}
	})
}
