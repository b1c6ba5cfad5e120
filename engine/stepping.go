package engine

import (
	"time"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// stepping collects what steps decide until it is committed. All of them
// happen at one time.
type stepping struct {
	e       *Engine
	r       *resident
	l       *loaded
	now     time.Time
	new     *store.NewExecution
	scratch *scratch
	events  []history.Event
	effects []interpreter.Effect
	resume  bool
	tried   attempt
	sent    []store.Letter // by the commit
}

// last is the event up to which the execution was before this batch.
func (st *stepping) last() int64 {
	if len(st.events) > 0 {
		return st.events[0].ID - 1
	}
	return st.l.x.Last()
}

func (st *stepping) collect(out interpreter.Outcome) {
	st.events = append(st.events, out.Events...)
	if st.effects == nil {
		st.effects = out.Effects // which nothing else refers to
	} else {
		st.effects = append(st.effects, out.Effects...)
	}
}

// pace is interpreter.Env.Pace of the stepping's steps.
func (st *stepping) pace(work, held int64) error {
	if st.new != nil && work > startWork && st.r.express == nil {
		return errLongStart
	}
	p, err := st.r.paced(st.e, &st.l.meta)
	if err != nil {
		return err
	}
	return p.on(work, held)
}

// paced returns what paces the work on the resident. It is called by the goroutine that is at
// work on it.
func (r *resident) paced(e *Engine, m *stored.Meta) (*paced, error) {
	if r.pacing != nil {
		return r.pacing, nil
	}
	ctx := e.closing
	if r.express != nil {
		ctx = r.express.ctx
	}
	p := e.pace(ctx, m.Tenant(), r.id)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pacing = p
	if r.stops {
		return nil, errStopping
	}
	return p, nil
}

// attempt is how far a delivery has come.
type attempt struct {
	committed bool         // its messages are
	lost      *store.Chunk // the one whose commit has an unknown outcome
}
