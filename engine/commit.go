package engine

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// step steps the execution through one message.
func (st *stepping) step(msg interpreter.Message) interpreter.Outcome {
	if msg.Kind != interpreter.Stop && msg.Kind != interpreter.Redrive && st.e.deletions.has(st.l.meta.Machine) {
		return st.lastStep(msg)
	}
	return interpreter.Step(st.l.x, msg, st.env())
}

// finish commits what was decided, lets branches that can go on do so, and
// has the effects performed. It returns before no branch can go on any more when
// there are other messages: who delivers them has the branches go on, too.
func (st *stepping) finish(ctx context.Context, once bool) error {
	for {
		st.unschedule()
		recorded := len(st.events)
		st.r.pauses(recorded)
		err := st.commit(ctx)
		st.r.rests(st.l.x)
		if err != nil {
			return err
		}
		st.tried.committed = true
		st.settle()
		if once || !st.l.x.Ready() || st.r.waits() {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err // the next engine goes on
		}
		st.now = st.e.Now()
		out := st.goOn()
		if out.Interrupted != nil && st.givesWay(out) {
			return &interruptedError{out.Interrupted}
		}
		st.collect(out)
		if out.Interrupted != nil {
			if st.r.express != nil {
				return &interruptedError{out.Interrupted}
			}
			if err := st.rebuild(ctx); err != nil {
				return err
			}
			once = true
		}
	}
}

// goOn steps the execution on. One that has come here needs more than a step.
func (st *stepping) goOn() interpreter.Outcome {
	if !st.e.simulated {
		if err := st.pace(0, 0); err != nil {
			return interpreter.Outcome{Interrupted: err}
		}
	}
	return st.step(interpreter.Message{Kind: interpreter.Continue})
}

// commit makes the events durable.
func (st *stepping) commit(ctx context.Context) error {
	if len(st.events) == 0 || st.r.express != nil {
		return nil
	}
	x := st.l.x
	st.scratch.chunk = st.e.stored.EncodeChunk(st.scratch.chunk[:0], st.l.meta.Encryption, st.r.id, st.events)
	t := store.Transition{
		Execution: st.r.id,
		New:       st.new,
		Status:    stored.StatusOf(x.Status()),
		Chunk: store.Chunk{
			First: st.events[0].ID, Last: x.Last(),
			Data: st.scratch.chunk,
		},
	}
	if count, last := x.Redrives(); count > 0 {
		t.Redrives, t.Redriven = int(count), time.UnixMilli(last)
	}
	t.Terms = st.e.index.Terms(&st.l.meta, x, st.new != nil)
	if x.Status() != interpreter.Running {
		t.Stop = st.events[len(st.events)-1].Time()
		t.Expire = st.l.meta.Expiry(t.Stop)
	} else {
		t.Wake, t.Busy = stored.Waits(x)
	}
	st.letters(&t)
	committed := st.e.cfg.Listener.Committed
	var began time.Time
	if committed != nil {
		began = st.e.Now()
	}
	err := st.send(ctx, &t)
	if committed != nil && err == nil {
		committed(CommitInfo{Shard: st.r.id.Shard(), Events: len(st.events), Bytes: len(t.Chunk.Data), Took: st.e.Now().Sub(began)})
	}
	if errors.Is(err, store.ErrUnknown) {
		st.tried.lost = &store.Chunk{First: t.Chunk.First, Last: t.Chunk.Last, Data: bytes.Clone(t.Chunk.Data)}
	}
	return err
}

// largeCommit is the size from which on commits wait for each other, tenant by
// tenant, so that small ones get through.
const largeCommit = 64 << 10

// send has the store commit a transition, a large one in its turn. One of an
// execution that a caller stops does not wait: the stop follows it.
func (st *stepping) send(ctx context.Context, t *store.Transition) error {
	e, r := st.e, st.r
	if len(t.Chunk.Data) < largeCommit || e.simulated {
		return stored.Commit(ctx, ctx, st.l.handle, t)
	}
	p, err := r.paced(e, &st.l.meta)
	if err == nil {
		if err = e.pacer.commits.take(p.ctx, p.tenant); err == nil {
			defer e.pacer.commits.give(p.tenant)
			err = stored.Commit(ctx, p.ctx, st.l.handle, t)
		}
	}
	if errors.Is(err, errStopping) {
		t.Hurry = true
		err = stored.Commit(ctx, ctx, st.l.handle, t)
	}
	return err
}

// settle brings about what was committed: it calls the listener, sets the
// timer, starts the effects, and parks or removes the resident.
func (st *stepping) settle() {
	e, r, x := st.e, st.r, st.l.x
	if e.cfg.Listener.Step != nil && len(st.events) > 0 {
		e.cfg.Listener.Step(Step{Info: x.Info(), Events: slices.Clone(st.events), Token: e.token(r, &st.l.meta)})
	}
	if r.express != nil && len(st.events) > 0 {
		r.express.stop = st.events[len(st.events)-1].Time()
	}
	clear(st.events)
	st.new, st.events = nil, st.events[:0]
	effects := st.effects
	st.effects = nil
	for _, l := range st.sent {
		e.letters.add(st.l.handle, l)
	}
	st.sent = nil
	if x.Status() != interpreter.Running {
		r.finish()
		if st.l.unread {
			e.cancelAll(r.id)
		}
		e.ended(r, st.l.meta.Machine)
	} else {
		e.watchers.changed(r.id, false)
		wake := x.Wake()
		e.timers.set(r, wake)
		e.owes(r, e.virtual.clock != nil && e.isOwed(x))
		switch {
		case x.Ready():
		case e.parks(r, wake, effects):
			r.drop()
			e.residency.remove(r)
		case r.express == nil:
			e.residency.used(r, x.Held())
		}
	}
	for i := range effects {
		e.perform(r, st.l.meta, &effects[i])
	}
}

// ended has done what waits for the end of an execution.
func (e *Engine) ended(r *resident, machine uint32) {
	e.remove(e.shards[r.id.Shard()], r)
	e.watchers.changed(r.id, true)
	e.suspects.ended(r.id)
	e.scheduleDeletion(machine)
}

// parkAfter is how long nothing must be due for an execution to be parked.
const parkAfter = time.Minute

// parks reports whether an execution is better dropped from memory: nothing is
// due soon, and no task of it is being performed here.
func (e *Engine) parks(r *resident, wake int64, effects []interpreter.Effect) bool {
	if r.express != nil || wake != 0 && wake < e.Now().Add(parkAfter).UnixMilli() || len(effects) > 0 {
		return false
	}
	return !e.pools.performing(r.id)
}

// endedElsewhere removes a resident whose execution has ended, or was forgotten (record is
// nil then), without this engine being told: the answer to a commit was lost, or
// another engine made it.
func (e *Engine) endedElsewhere(r *resident, record *store.Record) {
	e.cancelAll(r.id)
	if record != nil {
		if m, err := stored.DecodeMeta(record.Meta); err == nil {
			e.ended(r, m.Machine)
		}
	}
	e.remove(e.shards[r.id.Shard()], r)
}

// cancelAll ends all tasks of an execution that has ended, for which no step named
// their cancelling.
func (e *Engine) cancelAll(id store.ExecutionID) {
	e.jobs.removeAll(func(of store.ExecutionID) bool { return of == id })
	e.pools.cancelAll(id)
	e.activities.cancelAll(id)
}

func (e *Engine) remove(s *shard, r *resident) {
	e.timers.clear(r)
	e.residency.remove(r)
	e.owes(r, false)
	e.forgetAbsences(r.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.residents[r.id] == r {
		delete(s.residents, r.id)
	}
}

// lastStep steps an execution of a machine that is being deleted: it is aborted
// as soon as it goes from one state to another.
func (st *stepping) lastStep(msg interpreter.Message) interpreter.Outcome {
	env := st.env()
	env.Limits.RunAhead = 1
	out := interpreter.Step(st.l.x, msg, env)
	env.Buffer = nil
	more := func(kind interpreter.MessageKind) {
		next := interpreter.Step(st.l.x, interpreter.Message{Kind: kind}, env)
		out.Events, out.Effects = append(out.Events, next.Events...), append(out.Effects, next.Effects...)
	}
	for st.l.x.Ready() && !moves(out.Events) {
		more(interpreter.Continue)
	}
	if st.l.x.Status() == interpreter.Running && moves(out.Events) {
		more(interpreter.Stop)
		// What the state that was entered would have done is not done.
		out.Effects = slices.DeleteFunc(out.Effects, func(f interpreter.Effect) bool { return f.Kind == interpreter.Invoke })
	}
	return out
}

// moves reports whether there are events of going from one state to another.
func moves(events []history.Event) bool {
	for i := range events {
		name := events[i].Type.String()
		if strings.HasSuffix(name, "StateEntered") || strings.HasSuffix(name, "StateExited") {
			return true
		}
	}
	return false
}
