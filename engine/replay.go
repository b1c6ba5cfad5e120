package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// longHistory is the number of events from which on a stop does not wait for the
// replay of an execution that memory does not have: they can hold more than a
// stop has time to read. One that may have a job is replayed all the same, or nobody
// would know of the job that is to be stopped.
const longHistory = 64

// load returns the resident's execution for a batch, rebuilt by replay when it was
// parked; fresh reports that it was. One that has ended is loaded for a redrive
// only, and of a long one that is to be stopped no more than that takes.
func (e *Engine) load(ctx context.Context, r *resident, batch []delivery) (l *loaded, fresh bool, err error) {
	r.mu.Lock()
	l = r.loaded
	if l != nil && l.dropped {
		l, r.loaded = nil, nil
	}
	r.mu.Unlock()
	if l != nil {
		return l, false, nil
	}
	if r.express != nil {
		return nil, false, ErrNotRunning
	}
	s := e.shards[r.id.Shard()]
	handle := s.handle()
	if handle == nil {
		return nil, false, ErrNotOwner
	}
	record, err := e.store.Execution(ctx, r.id)
	redrive := func(d delivery) bool { return d.msg.Kind == interpreter.Redrive }
	if errors.Is(err, store.ErrNotFound) || err == nil && record.Status != store.Running && !slices.ContainsFunc(batch, redrive) {
		e.endedElsewhere(r, record)
		return nil, false, ErrNotRunning
	}
	if err != nil {
		return nil, false, fmt.Errorf("engine: load execution: %w", err)
	}
	l = &loaded{handle: handle}
	if l.meta, err = stored.DecodeMeta(record.Meta); err != nil {
		return nil, false, err
	}
	if err = e.catalogue.NeedKey(l.meta.Encryption); err != nil {
		return nil, false, err
	}
	blind := batch[0].msg.Kind == interpreter.Stop && record.Status == store.Running && record.Last >= longHistory
	if blind && (!r.jobs.Load() || e.suspects.held(r.id)) {
		l.x, l.unread = stored.Unread(&l.meta, record), true
	} else {
		if l.x, err = e.revive(ctx, r, &l.meta); err != nil {
			return nil, false, err
		}
		s.applyHeartbeats(r, l.x)
		fresh = true
	}
	r.mu.Lock()
	r.loaded = l
	r.mu.Unlock()
	return l, fresh, nil
}

// revive replays an execution, not many at once: what it holds is counted before
// the next is replayed.
func (e *Engine) revive(ctx context.Context, r *resident, m *stored.Meta) (*interpreter.Execution, error) {
	if e.simulated {
		return e.stored.Replay(ctx, r.id, *m)
	}
	if err := e.pacer.replays.take(ctx, m.Tenant()); err != nil {
		return nil, err
	}
	defer e.pacer.replays.give(m.Tenant())
	x, err := e.stored.Replay(ctx, r.id, *m)
	if err != nil {
		return nil, err
	}
	if held := x.Held(); held > lightBytes {
		p, err := r.paced(e, m)
		if err == nil {
			err = p.revived(int64(held))
		}
		if err != nil && !errors.Is(err, errStopping) {
			return nil, err
		}
	}
	return x, nil
}

// unreadable logs, once for each, an execution that stands still because what is
// stored of it is damaged.
func (e *Engine) unreadable(r *resident, err error) {
	if r.told.Swap(true) || e.closing.Err() != nil {
		return
	}
	e.log.Error("an execution cannot be read, for the data is damaged: it stands still, although it counts as running; restore a backup",
		slog.String("executionArn", e.suspects.name(e.closing, r.id)), slog.Any("error", err))
}

// rebuild makes the execution again after a step was interrupted: of what is
// committed, and the events since.
func (st *stepping) rebuild(ctx context.Context) error {
	if st.r.express != nil {
		return nil // nothing of it is kept; it ends
	}
	replay, err := st.e.stored.NewReplayer(ctx, &st.l.meta)
	if err == nil && st.new == nil {
		err = st.e.stored.ReplayStored(ctx, st.r.id, replay)
	}
	if err == nil {
		err = replay.Add(st.events)
	}
	if err != nil {
		return err
	}
	st.l.x = replay.Execution()
	st.e.shards[st.r.id.Shard()].applyHeartbeats(st.r, st.l.x)
	return nil
}

// givesWay reports whether a step was interrupted so that the execution is
// stopped, and nothing else waits to be committed: then the step is forgotten, and
// the stop does not wait until the execution is made again.
func (st *stepping) givesWay(out interpreter.Outcome) bool {
	if st.r.express != nil || st.new != nil || len(st.events) > 0 || !errors.Is(out.Interrupted, errStopping) {
		return false
	}
	clear(out.Events)
	st.r.drop()
	return true
}
