package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// delivery is a message on its way to an execution.
type delivery struct {
	msg interpreter.Message
	// resume asks for nothing but that effects without outcome are performed.
	resume bool
	// look is shown the execution, before it is told the message.
	look func(*loaded)
	done chan result // nil for the goroutine that does the work itself
}

type result struct {
	at  time.Time
	err error
}

// Deliver hands a message to a running execution and returns when what it
// brought about is durable. ErrNotRunning, ErrStale, ErrNotOwner, [*KeyError].
func (e *Engine) Deliver(ctx context.Context, id store.ExecutionID, msg interpreter.Message) (time.Time, error) {
	r, err := e.running(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	return e.deliver(ctx, r, delivery{msg: msg})
}

// running gives the resident of a running execution. ErrNotRunning, ErrNotOwner.
func (e *Engine) running(ctx context.Context, id store.ExecutionID) (*resident, error) {
	s, err := e.shard(id)
	if err != nil {
		return nil, err
	}
	if r := s.resident(id); r != nil {
		return r, nil
	}
	return nil, e.elsewhere(ctx, id)
}

// elsewhere tells why memory does not know an execution: it has ended, or
// another engine has it.
func (e *Engine) elsewhere(ctx context.Context, id store.ExecutionID) error {
	record, err := e.store.Execution(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrNotRunning
	case err != nil:
		return fmt.Errorf("engine: read execution: %w", err)
	case record.Status == store.Running:
		return ErrNotOwner
	}
	return ErrNotRunning
}

// deliver puts a delivery in the resident's line, and works the line off when
// nobody else is at it.
func (e *Engine) deliver(ctx context.Context, r *resident, d delivery) (time.Time, error) {
	e.under.begin()
	defer e.under.end()
	r.mu.Lock()
	if r.busy {
		d.done = make(chan result, 1)
		r.queue = append(r.queue, d)
		if d.msg.Kind == interpreter.Stop {
			r.interrupt(errStopping)
		}
		r.mu.Unlock()
		select {
		case res := <-d.done:
			return res.at, res.err
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
	r.busy = true
	r.mu.Unlock()
	if current := e.claim(r); current != r {
		e.handOver(r, current)
		return e.deliver(ctx, current, d)
	}
	own := e.work1(r, []delivery{d})
	e.workOff(r)
	return own.at, own.err
}

// claim makes sure that the resident to work on is the one that memory has: its
// shard may have been lost and taken back since somebody got hold of it. It
// gives the one that memory has.
func (e *Engine) claim(r *resident) *resident {
	if r.express != nil {
		return r
	}
	s := e.shards[r.id.Shard()]
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.residents[r.id]
	if current == nil {
		if current = r; s.owned != nil {
			s.residents[r.id] = r
		}
	}
	return current
}

// handOver delivers what waits for a resident that is not the one that memory
// has.
func (e *Engine) handOver(r, current *resident) {
	r.mu.Lock()
	waiting := r.takeQueue()
	r.busy = false
	r.calm()
	r.mu.Unlock()
	for _, d := range waiting {
		done := d.done
		d.done = nil
		at, err := e.deliver(e.closing, current, d)
		done <- result{at, err}
	}
}

// workOff does what came in while a delivery was worked on.
func (e *Engine) workOff(r *resident) {
	for {
		r.mu.Lock()
		batch := r.takeQueue()
		if len(batch) == 0 {
			r.busy = false
			r.calm()
			r.mu.Unlock()
			if r.express == nil {
				e.shards[r.id.Shard()].leave(r)
			}
			return
		}
		r.mu.Unlock()
		e.work1(r, batch)
	}
}

// work1 delivers a batch in one step and one commit and tells everybody. It
// gives the result of the first delivery.
func (e *Engine) work1(r *resident, batch []delivery) result {
	// The commit must not be given up when one of the callers is.
	results := e.process(e.closing, r, batch)
	for i, d := range batch {
		if d.done != nil {
			d.done <- results[i]
		}
	}
	return results[0]
}

// try does a batch once. When a step is interrupted, the results are those of the
// deliveries before, and the error is an [*interruptedError].
func (e *Engine) try(ctx context.Context, r *resident, batch []delivery) (_ []result, _ attempt, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = e.broke(r, p, debug.Stack())
		}
	}()
	if e.suspects.held(r.id) && !slices.ContainsFunc(batch, func(d delivery) bool { return d.msg.Kind == interpreter.Stop }) {
		return e.all(batch, ErrHeld), attempt{}, nil
	}
	l, fresh, err := e.load(ctx, r, batch)
	if err != nil {
		if errors.Is(err, ErrNotRunning) {
			return e.all(batch, err), attempt{}, nil
		}
		return nil, attempt{}, err
	}
	results := make([]result, len(batch))
	st := e.stepping(r, l)
	defer st.release()
	var interrupted error
	for i, d := range batch {
		if d.look != nil {
			if d.look(l); d.msg.Kind == 0 {
				continue
			}
		}
		if d.resume {
			st.resume = true
			continue
		}
		if d.msg.Kind == interpreter.Redrive && !fresh {
			results[i].err = ErrNotRunning // this resident saw the end; the next one is to go on
			continue
		}
		out := st.step(d.msg)
		if out.Interrupted != nil {
			interrupted = &interruptedError{out.Interrupted}
			if st.givesWay(out) {
				return results[:i], st.tried, interrupted
			}
			if len(out.Events) == 0 {
				results = results[:i]
			} else {
				results = results[:i+1]
				results[i].at = st.now
			}
			st.take(out)
			if err := st.rebuild(ctx); err != nil {
				return nil, attempt{}, err
			}
			break
		}
		results[i].at = st.now
		if d.msg.Kind == interpreter.TaskHeartbeat && !out.Stale {
			r.heard(d.msg.Cause, st.now.UnixMilli())
		}
		switch {
		case out.Stale && l.x.Status() != interpreter.Running && l.x.Last() == st.last():
			results[i].err = ErrNotRunning
		case out.Stale:
			results[i].err = ErrStale
		}
		st.take(out)
	}
	if fresh || st.resume {
		st.effects = append(st.effects, e.unperformed(l, r, st.effects)...)
	}
	if err = st.finish(ctx, interrupted != nil); err == nil {
		err = interrupted
	}
	return results, st.tried, err
}

// last is the event up to which the execution was before this batch.
func (st *stepping) last() int64 {
	if len(st.events) > 0 {
		return st.events[0].ID - 1
	}
	return st.l.x.Last()
}

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

// step steps the execution through one message.
func (st *stepping) step(msg interpreter.Message) interpreter.Outcome {
	if msg.Kind != interpreter.Stop && msg.Kind != interpreter.Redrive && st.e.deletions.has(st.l.meta.Machine) {
		return st.lastStep(msg)
	}
	return interpreter.Step(st.l.x, msg, st.env())
}

func (st *stepping) take(out interpreter.Outcome) {
	st.events = append(st.events, out.Events...)
	if st.effects == nil {
		st.effects = out.Effects // which is nobody else's
	} else {
		st.effects = append(st.effects, out.Effects...)
	}
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
		st.take(out)
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
// execution that somebody stops does not wait: the stop follows it.
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

// settle brings about what was committed: it tells the listener, sets the
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
		r.end(x)
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
			e.residency.gone(r)
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
	e.hurryDeletion(machine)
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

func (e *Engine) token(r *resident, m *stored.Meta) func(int64) string {
	return func(event int64) string { return e.tokens.make(m.Tenant(), r.id, event) }
}

// retryDelivery is the pause before a delivery that nobody waits for is tried
// again.
const retryDelivery = time.Second

// deliveryFailed sees to it that a message that nobody waits for is not lost
// with the error: the execution is woken again, and then resumed. One whose key
// is missing is resumed by the next engine, which may have it, and so is one that is
// damaged, whose directory may have been restored.
func (e *Engine) deliveryFailed(r *resident, err error) {
	switch {
	case errors.Is(err, ErrNotRunning), errors.Is(err, ErrStale), errors.Is(err, ErrNotOwner), errors.Is(err, ErrHeld), e.closing.Err() != nil:
		return
	}
	if missing, ok := errors.AsType[*catalogue.KeyError](err); ok {
		e.awaitKey(missing)
		return
	}
	if errors.Is(err, store.ErrDamaged) {
		e.unreadable(r, err)
		return
	}
	e.log.Error("delivery failed; trying again", slog.Any("error", err))
	e.timers.set(r, e.Now().Add(retryDelivery).UnixMilli())
}
