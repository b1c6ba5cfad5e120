package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// StartRequest asks for an execution.
type StartRequest struct {
	Machine *catalogue.Machine
	// Name is "" for one made at random.
	Name                 string
	Input                *value.Doc
	TraceHeader          string
	VersionARN, AliasARN string
	// Parent, where it is set, is the task that the execution is the job of.
	Parent *Parent

	fork *fork
}

// meta is the record of the execution that a request asks for. [*KeyError].
func (e *Engine) meta(req *StartRequest) (stored.Meta, error) {
	m := req.Machine
	if m.Locked() != nil {
		return stored.Meta{}, m.Locked()
	}
	name := req.Name
	if name == "" {
		name = e.catalogue.UUID()
	}
	x := stored.Meta{
		Account: m.Account, Region: m.Region, Name: name, MachineName: m.Name,
		Machine: m.Number, Revision: m.Revision, RoleARN: m.RoleARN,
		VersionARN: req.VersionARN, AliasARN: req.AliasARN, TraceHeader: req.TraceHeader,
	}
	if m.Type == catalogue.Express {
		x.Type, x.ID = catalogue.Express, e.catalogue.UUID()
	}
	if req.fork != nil {
		x.Revision, x.Fork, x.Retention, x.Encryption = req.fork.revision, &req.fork.from, req.fork.retain, req.fork.encryption
		return x, e.catalogue.NeedKey(x.Encryption)
	}
	x.Retention = e.retentionOf(m)
	var err error
	x.Encryption, err = e.catalogue.EncryptionFor(m.Account, m.Encryption)
	return x, err
}

// begin has the interpreter start the execution, or take up another one's
// events.
func (req *StartRequest) begin(info interpreter.Info, st *stepping) (*interpreter.Execution, interpreter.Outcome, error) {
	if f := req.fork; f != nil {
		st.events = append(st.events, f.events...)
		x, out, err := interpreter.Fork(f.parsed, info, f.events, f.from, f.input, st.env())
		if err != nil {
			err = invalidFork("The execution cannot be forked at event %d: %v", f.from.Event, err)
		}
		return x, out, err
	}
	x, out := interpreter.Start(req.Machine.Parsed(), info, req.Input, st.env())
	return x, out, nil
}

// Started describes an execution that was started.
type Started struct {
	ARN string
	At  time.Time
}

// ErrAlreadyExists reports that the name is that of another execution.
var ErrAlreadyExists = errors.New("engine: an execution of that name exists")

// Start begins an execution and returns when its start is durable. A name that
// is taken returns [ErrAlreadyExists], unless the execution of that name is still
// running and has the same input: then its start is returned again (StartExecution,
// "idempotent"). ErrBusy, ErrDeleting, [*KeyError].
func (e *Engine) Start(ctx context.Context, req StartRequest) (Started, error) {
	if e.queued.Load() > int64(e.cfg.MaxQueued) {
		return Started{}, ErrBusy
	}
	begun, ok := e.beginStart(req.Machine.Number)
	if !ok {
		return Started{}, catalogue.ErrDeleting
	}
	defer begun()
	if req.fork == nil {
		var err error
		if req.Machine, err = e.catalogue.Using(ctx, req.Machine); err != nil {
			return Started{}, err
		}
	}
	m, err := e.meta(&req)
	if err == nil {
		m.Parent, err = e.parentOf(ctx, req.Parent)
	}
	if err != nil {
		return Started{}, err
	}
	key := m.Key()
	s := e.shards[stored.ShardOf(key, len(e.shards))]
	for range attempts {
		handle := s.handle()
		if handle == nil {
			return Started{}, ErrNotOwner
		}
		var started Started
		r := &resident{busy: true}
		if started, err = e.start(req, r, &loaded{meta: m, handle: handle}, key); err == nil {
			return started, nil
		}
		landed, final := e.notStarted(ctx, r, s, handle, err)
		switch {
		case landed:
			return started, nil
		case errors.Is(final, store.ErrExists):
			return e.existing(ctx, key, &req)
		case final != nil:
			return Started{}, final
		}
	}
	return Started{}, err
}

// notStarted finds out what became of a start that failed. It reports whether that has
// landed all the same; if not, an error is why it is not to be tried again.
func (e *Engine) notStarted(ctx context.Context, r *resident, s *shard, handle store.Shard, failed error) (landed bool, err error) {
	r.drop()
	switch {
	case errors.Is(failed, store.ErrUnknown):
		// Once the shard is taken again, what has not landed never will.
		if err = e.reacquire(e.closing, s, handle); err == nil {
			landed, err = e.landedStart(ctx, r)
		}
		if err != nil {
			err = errors.Join(failed, err)
		}
	case errors.Is(failed, store.ErrFenced):
		if s.handle() == handle {
			e.loseShard(s, handle)
			err = ErrNotOwner
		}
	default:
		err = failed
	}
	if !landed {
		e.remove(s, r)
	}
	e.workOff(r) // what was delivered to it in between
	return landed, err
}

// landedStart reports whether a start has landed, and has it go on.
func (e *Engine) landedStart(ctx context.Context, r *resident) (bool, error) {
	_, err := e.store.Execution(ctx, r.id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	e.runBatch(r, []delivery{{resume: true}})
	return true, nil
}

func (e *Engine) start(req StartRequest, r *resident, l *loaded, key store.NameKey) (started Started, err error) {
	e.under.begin()
	defer e.under.end()
	defer func() {
		if p := recover(); p != nil {
			started, err = e.brokeStart(r, &l.meta, p)
		}
	}()
	m := &l.meta
	encoded, err := json.Marshal(m)
	if err != nil {
		return Started{}, fmt.Errorf("engine: encode record: %w", err)
	}
	st := e.stepping(r, l)
	now := st.now
	s := e.shards[l.handle.ID()]
	r.id = stored.NewID(s.id, now, e.catalogue.Random)
	st.new = &store.NewExecution{Key: key, Unnamed: req.Name == "" || m.Type == catalogue.Express, Start: now, Meta: encoded}
	if m.Type != catalogue.Express {
		st.new.Group = m.Machine
	}
	x, out, err := req.begin(m.Info(), st)
	if err != nil {
		st.release()
		return Started{}, err
	}
	l.x = x
	st.collect(out)
	if out.Interrupted != nil {
		if err := st.rebuild(e.closing); err != nil {
			st.release()
			return Started{}, err
		}
		x = l.x
	}
	st.unschedule()
	started = Started{ARN: m.ExecutionARN(), At: time.UnixMilli(now.UnixMilli())}
	if x.Status() == interpreter.Running {
		r.loaded = l
		s.add(r)
	}
	r.pauses(len(st.events))
	err = st.commit(e.closing)
	r.rests(x)
	if err == nil {
		st.settle()
	}
	st.release()
	if err != nil {
		return started, err
	}
	if x.Ready() {
		// The start is durable; the caller need not wait for what follows.
		e.spawn(func() {
			if err := e.runOn(r); err != nil {
				e.deliveryFailed(r, err)
			}
			e.workOff(r)
		})
		return started, nil
	}
	e.workOff(r)
	return started, nil
}

// brokeStart handles a start that panicked: an execution that is durable all the
// same is held.
func (e *Engine) brokeStart(r *resident, m *stored.Meta, panicked any) (Started, error) {
	err := e.broke(r, panicked, debug.Stack())
	record, lookup := e.store.Execution(e.closing, r.id)
	if lookup != nil {
		return Started{}, err
	}
	r.drop()
	e.shards[r.id.Shard()].add(r)
	e.workOff(r)
	return Started{ARN: m.ExecutionARN(), At: record.Start}, nil
}

// runOn continues a resident that its caller is at work on.
func (e *Engine) runOn(r *resident) error {
	return e.runBatch(r, []delivery{{msg: interpreter.Message{Kind: interpreter.Continue}}}).err
}

// existing answers the start of an execution whose name is taken.
func (e *Engine) existing(ctx context.Context, key store.NameKey, req *StartRequest) (Started, error) {
	id, err := e.store.Lookup(ctx, key)
	if err != nil {
		return Started{}, err
	}
	d, err := e.stored.Describe(ctx, id)
	if err != nil {
		return Started{}, err
	}
	if req.fork != nil && (d.Fork == nil || *d.Fork != req.fork.from) {
		return Started{ARN: d.ARN}, ErrAlreadyExists
	}
	input := req.Input
	if d.Status != store.Running || d.Input == nil || !value.Equal(d.Input.Value(), input.Value()) {
		return Started{ARN: d.ARN}, ErrAlreadyExists
	}
	return Started{ARN: d.ARN, At: d.Start}, nil
}

// SyncResult is the end of a synchronous execution.
type SyncResult struct {
	ARN, Name   string
	Status      interpreter.Status
	Start, Stop time.Time
	Output      *value.Doc
	Failure     history.ErrorOutput
}

// StartSync runs an Express execution to its end. It lives in memory only, at
// most once; when the context ends it is stopped. ErrBusy, [*KeyError].
func (e *Engine) StartSync(ctx context.Context, req StartRequest) (*SyncResult, error) {
	if e.queued.Load() > int64(e.cfg.MaxQueued) {
		return nil, ErrBusy
	}
	m, err := e.meta(&req)
	if err != nil {
		return nil, err
	}
	e.under.begin()
	s := e.shards[0]
	r := newSynchronous(ctx, m)
	st := e.stepping(r, r.loaded)
	r.id = stored.NewID(s.id, st.now, e.catalogue.Random)
	started, info := st.now, m.Info()
	x, out := interpreter.Start(req.Machine.Parsed(), info, req.Input, st.env())
	r.loaded.x = x
	st.collect(out)
	if x.Status() == interpreter.Running {
		s.add(r)
	}
	if out.Interrupted != nil {
		e.endExpress(r, out.Interrupted)
	} else {
		st.settle()
	}
	st.release()
	if out.Interrupted == nil && x.Ready() {
		_ = e.runOn(r) // nothing is stored, so nothing can fail
	}
	e.workOff(r)
	e.under.end()
	if err := e.awaitSync(ctx, r); err != nil {
		return nil, err
	}
	return &SyncResult{
		ARN: info.ARN, Name: m.Name, Status: x.Status(), Start: started, Stop: r.express.stop,
		Output: x.Output(), Failure: x.Failure(),
	}, nil
}

// awaitSync waits for the end of a synchronous execution, and brings it about
// when the caller waits no more.
func (e *Engine) awaitSync(ctx context.Context, r *resident) error {
	select {
	case <-r.express.done:
		return r.express.failed
	case <-ctx.Done():
	case <-e.closing.Done():
		return e.closing.Err()
	}
	_, _ = e.deliver(e.closing, r, delivery{msg: interpreter.Message{Kind: interpreter.Stop}})
	return ctx.Err()
}

// StartOf makes the request that starts an execution of what an ARN leads to.
// An alias picks one of its versions at random. store.ErrNotFound, ErrDeleting.
func (e *Engine) StartOf(ctx context.Context, arn string) (StartRequest, error) {
	var (
		t   catalogue.Target
		err error
	)
	for range attempts {
		if t, err = e.catalogue.Resolve(ctx, arn); err != nil {
			return StartRequest{}, err
		}
		req, number := StartRequest{Machine: t.Machine}, t.Version
		if t.Alias != nil {
			number, req.AliasARN = e.catalogue.Pick(t.Alias), t.Machine.AliasARN(t.Alias.Name)
			req.Machine, err = e.catalogue.MachineAt(ctx, t.Machine, number)
			if errors.Is(err, store.ErrNotFound) {
				continue // the alias has been changed, and the version deleted
			}
		}
		if number > 0 {
			req.VersionARN = t.Machine.VersionARN(number)
		}
		return req, err
	}
	return StartRequest{}, err
}

// endExpress ends a synchronous execution that was interrupted: nothing of it is
// kept.
func (e *Engine) endExpress(r *resident, why error) {
	r.express.failed = why
	e.pools.cancelAll(r.id)
	r.drop()
	e.remove(e.shards[r.id.Shard()], r)
	r.finish()
}
