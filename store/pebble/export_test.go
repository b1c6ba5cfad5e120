package pebble

import (
	"log/slog"
	"time"

	cockroach "github.com/cockroachdb/pebble/v2"
)

// Raw is the database below, for tests that damage it.
func (s *DB) Raw() *cockroach.DB { return s.db }

// Watched is the database whose backlog those who write tables look at.
func (s *DB) Watched() *cockroach.DB { return s.tables.db.Load() }

// Look reports what is no longer the store's own, as it looks itself every second.
func (s *DB) Look() error { return s.guard.own.look() }

// Spares is how many descriptors are kept.
func (s *DB) Spares() int {
	s.guard.spares.mu.Lock()
	defer s.guard.spares.mu.Unlock()
	return len(s.guard.spares.held)
}

// RunningBytes is what is kept free for running executions, once it is counted.
func (s *DB) RunningBytes() int64 {
	s.counting.Wait()
	return s.space.running.Load()
}

// Scrubbed waits until all tables have been read.
func (s *DB) Scrubbed() { s.counting.Wait() }

// Yield waits as after a piece of a table.
func (s *DB) Yield(n int, took time.Duration) error { return s.yield(n, took) }

// SetAfter replaces the clock of what waits in the background.
func (s *DB) SetAfter(after func(time.Duration) <-chan time.Time) { s.guard.pause.after = after }

// Pause is a pause that tells how long it would wait.
type Pause struct{ p pause }

// NewPause makes one.
func NewPause(log *slog.Logger, waits func(time.Duration)) *Pause {
	return &Pause{pause{log: log, after: func(d time.Duration) <-chan time.Time {
		waits(d)
		over := make(chan time.Time)
		close(over)
		return over
	}}}
}

// Wait waits.
func (p *Pause) Wait() { p.p.wait() }

// Failed makes the next wait longer.
func (p *Pause) Failed(name string, err error) { p.p.failed(name, err) }

// Done ends the waiting.
func (p *Pause) Done() { p.p.done() }
