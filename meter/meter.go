// Package meter counts what an evaluation does and what it builds, and ends it at its
// limits: before the work is done and before the memory is taken.
//
// One [Meter] goes with everything that is evaluated for one message. A loop that may
// be long calls Work, whatever builds a value calls Hold first.
//
//	m := meter.New(meter.Config{Work: 1_000_000, Bytes: 8 << 20})
//	v, err := path.EvalMetered(m, document) // of package jsonpath
//	if errors.Is(err, meter.ErrWork) {
//		// it would have taken more than about 50 ms
//	}
//	work, peak := m.Used()
//
// A meter ends an evaluation by a panic with a [*Stop], so that nothing between the
// loop that counts and the entry point of the package has to handle it;
// [Meter.Caught] turns it into an error there. An interruption, which is the error of
// Config.Pace, is not caught: it reaches the caller that made the meter.
//
// Counting must be cheap, for it is done in the innermost loops: an addition and a
// comparison with the next count at which anything happens, a limit or the next call of Pace.
//
// Work is in units of about 50 ns. It is an estimate, proportional to what is done
// and not measured, so that an execution fails at the same place on each machine and
// in each replay.
//
// A nil meter counts nothing and ends nothing.
//
// Stability: promised after 1.0.
package meter

import (
	"errors"
	"math"
)

// The limits that an evaluation can reach.
var (
	ErrWork  = errors.New("the evaluation takes too long")
	ErrBytes = errors.New("the evaluation builds too much")
)

// Stop is what a meter panics with.
type Stop struct {
	// Err is [ErrWork], [ErrBytes], or the error of Pace.
	Err error
	// Interrupted reports that Err is Pace's: nothing has failed.
	Interrupted bool
}

// Error returns the reason.
func (s *Stop) Error() string { return s.Err.Error() }

// Unwrap returns Err.
func (s *Stop) Unwrap() error { return s.Err }

// Config says what a meter allows. The zero Config allows everything.
type Config struct {
	// Work bounds what is done from one [Meter.Renew] to the next, in units of
	// about 50 ns of processor time; Bytes what is built in that time, in bytes of memory.
	// 0 is no bound.
	Work, Bytes int64
	// Pace is called at least each PaceWork units, and whenever what is held has
	// grown by PaceBytes, with the work done and the bytes held in all. It may
	// block. Its error interrupts. nil: it is not called.
	Pace                func(work, held int64) error
	PaceWork, PaceBytes int64
}

// Meter counts. It is for one goroutine.
type Meter struct {
	work, held int64
	// Where the counters need to be looked at next.
	workNext, heldNext int64
	workEnd, heldEnd   int64 // the limits
	workPace, heldPace int64 // when Pace is due
	peak               int64
	config             Config
}

// New makes a meter that has counted nothing.
func New(c Config) *Meter {
	m := &Meter{}
	m.Begin(c)
	return m
}

// Begin makes m a meter that has counted nothing.
func (m *Meter) Begin(c Config) {
	*m = Meter{config: c, workPace: math.MaxInt64, heldPace: math.MaxInt64}
	if c.Pace != nil {
		m.workPace, m.heldPace = c.PaceWork, c.PaceBytes
	}
	m.Renew(0)
}

// Renew begins the next evaluation: the limits count from here. held is what is
// left of what was built so far.
func (m *Meter) Renew(held int64) {
	if m == nil {
		return
	}
	m.peak = max(m.peak, m.held)
	m.held = held
	m.workEnd, m.heldEnd = math.MaxInt64, math.MaxInt64
	if m.config.Work > 0 {
		m.workEnd = m.work + m.config.Work
	}
	if m.config.Bytes > 0 {
		m.heldEnd = m.held + m.config.Bytes
	}
	if m.config.Pace != nil {
		m.heldPace = min(m.heldPace, held+m.config.PaceBytes)
	}
	m.aim()
}

// aim sets the counts at which a limit or the next call of Pace may be due.
func (m *Meter) aim() {
	m.workNext, m.heldNext = min(m.workEnd, m.workPace), min(m.heldEnd, m.heldPace)
}

// Work counts work that is about to be done.
func (m *Meter) Work(units int64) {
	if m != nil {
		if m.work += units; m.work >= m.workNext {
			m.look()
		}
	}
}

// Hold counts bytes that are about to be built.
func (m *Meter) Hold(bytes int64) {
	if m != nil {
		if m.held += bytes; m.held >= m.heldNext {
			m.full(bytes)
		}
	}
}

// builtBytes is how many bytes are built, and thrown away again, in a unit of work.
const builtBytes = 64

// Release counts bytes that were built and are not held any more. That they were is
// work, which no limit of bytes bounds now.
func (m *Meter) Release(bytes int64) {
	if m != nil {
		m.work += bytes / builtBytes
		m.peak = max(m.peak, m.held)
		m.held -= bytes
	}
}

// full is Hold when it has reached heldNext. Bytes beyond the limit are not built, so
// they do not count.
func (m *Meter) full(bytes int64) {
	if m.held > m.heldEnd || m.held < 0 {
		m.held -= bytes // they are not built
		panic(&Stop{Err: ErrBytes})
	}
	m.look()
}

// look stops at the limit of work, and calls Pace if it is due. Later counting goes
// on from a full account, so that one more unit stops again.
func (m *Meter) look() {
	if m.work > m.workEnd || m.work < 0 {
		m.work = max(m.work, m.workEnd)
		panic(&Stop{Err: ErrWork})
	}
	if m.work >= m.workPace || m.held >= m.heldPace {
		m.workPace, m.heldPace = m.work+m.config.PaceWork, m.held+m.config.PaceBytes
		if err := m.config.Pace(m.work, m.held); err != nil {
			panic(&Stop{Err: err, Interrupted: true})
		}
	}
	m.aim()
}

// Built returns how many bytes are held now.
func (m *Meter) Built() int64 {
	if m == nil {
		return 0
	}
	return m.held
}

// Used returns the work done in all, and the most that was held at once.
func (m *Meter) Used() (work, peak int64) {
	if m == nil {
		return 0, 0
	}
	return m.work, max(m.peak, m.held)
}

// Caught is deferred at the entry point of an evaluation: if a limit was reached it
// sets err, to a [*Stop]. An interruption, and any other panic, continues.
func (m *Meter) Caught(err *error) {
	r := recover()
	if r == nil {
		return
	}
	if stop, ok := r.(*Stop); ok && !stop.Interrupted {
		*err = stop
		return
	}
	panic(r)
}
