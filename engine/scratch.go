package engine

import (
	"sync"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
)

// scratch is memory that a stepping uses and the next one uses again.
type scratch struct {
	stepping
	events []history.Event
	chunk  []byte
	memory interpreter.Memory
	// What interpreter.Env has of the stepping.
	pace  func(work, held int64) error
	token func(event int64) string
}

var scratches = sync.Pool{New: func() any {
	s := &scratch{events: make([]history.Event, 0, 32)}
	s.pace, s.token = s.stepping.pace, s.stepping.token
	return s
}}

// What a scratch may hold when it is kept for the next.
const (
	maxScratchEvents = 2048
	maxScratchBytes  = 1 << 20
)

func (e *Engine) stepping(r *resident, l *loaded) *stepping {
	s := scratches.Get().(*scratch)
	s.stepping = stepping{e: e, r: r, l: l, now: e.Now(), scratch: s, events: s.events}
	e.pacer.seen(l.meta.Tenant())
	return &s.stepping
}

// release returns the scratch, without what it held: st is not used after it.
func (st *stepping) release() {
	s := st.scratch
	if cap(st.events) <= maxScratchEvents && cap(s.chunk) <= maxScratchBytes {
		clear(st.events)
		s.events, s.stepping = st.events[:0], stepping{}
		s.memory.Forget()
		scratches.Put(s)
	}
}

// token returns the token of the task that an event schedules.
func (st *stepping) token(event int64) string {
	return st.e.tokens.make(st.l.meta.Tenant(), st.r.id, event)
}

func (st *stepping) env() interpreter.Env {
	env := interpreter.Env{
		Now: st.now, Limits: st.e.cfg.Limits, Token: st.scratch.token,
		Memory: &st.scratch.memory, Buffer: st.events[len(st.events):],
	}
	if !st.e.simulated {
		env.Pace = st.scratch.pace
	}
	return env
}
