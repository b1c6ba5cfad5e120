package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"runtime/debug"
	"time"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// meta is what the store keeps of an execution beside its history.
type meta struct {
	Account, Region string
	Name            string // the execution's
	MachineName     string
	Machine         uint32 // its number
	Revision        uint64
	Type            MachineType `json:",omitempty"` // "" is Standard
	RoleARN         string
	VersionARN      string `json:",omitempty"`
	AliasARN        string `json:",omitempty"`
	TraceHeader     string `json:",omitempty"`
	ID              string `json:",omitempty"` // the last part of an Express execution's ARN
	// Retention is how long the execution is kept after its end, in seconds.
	Retention int64 `json:",omitempty"`
	// Encryption says what the history is encrypted with, from its first event to
	// its last; nil when it is not.
	Encryption *encryption `json:",omitempty"`
	// Fork tells of which execution, and of which of its events, this one is a fork.
	Fork *history.Fork `json:",omitempty"`
	// Parent is the task that asked for the execution, nil for none.
	Parent *parent `json:",omitempty"`
	// Foreign tells that AWS recorded the history: it is whole, but has nothing
	// of what a replay needs beside the events.
	Foreign bool `json:",omitempty"`
}

func (m *meta) tenant() Tenant { return Tenant{m.Account, m.Region} }

func (m *meta) machineARN() string { return m.tenant().ARN("stateMachine", m.MachineName) }

func (m *meta) executionARN() string {
	if m.Type == Express {
		return m.tenant().ARN("express", m.MachineName+":"+m.Name+":"+m.ID)
	}
	return m.tenant().ARN("execution", m.MachineName+":"+m.Name)
}

func (m *meta) info() interpreter.Info {
	arn := m.executionARN()
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(arn)) // never fails
	return interpreter.Info{
		ARN: arn, Name: m.Name,
		StateMachineARN: m.machineARN(), MachineName: m.MachineName,
		RoleARN: m.RoleARN, VersionARN: m.VersionARN, AliasARN: m.AliasARN,
		Region: m.Region, Express: m.Type == Express, Seed: seed.Sum64(),
	}
}

// key is where the store looks the execution up by its name.
func (m *meta) key() store.NameKey { return nameKey(m.tenant(), m.MachineName, m.Name+m.ID) }

// expiry is when the execution, which ended at a time, may be forgotten.
func (m *meta) expiry(stop time.Time) time.Time {
	return stop.Add(time.Duration(m.Retention) * time.Second)
}

func decodeMeta(b []byte) (meta, error) {
	var m meta
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("engine: record of an execution: %w", damaged(err))
	}
	return m, nil
}

// StartRequest asks for an execution.
type StartRequest struct {
	Machine *Machine
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
func (e *Engine) meta(req *StartRequest) (meta, error) {
	m := req.Machine
	if m.locked != nil {
		return meta{}, m.locked
	}
	name := req.Name
	if name == "" {
		name = e.UUID()
	}
	x := meta{
		Account: m.Account, Region: m.Region, Name: name, MachineName: m.Name,
		Machine: m.Number, Revision: m.Revision, RoleARN: m.RoleARN,
		VersionARN: req.VersionARN, AliasARN: req.AliasARN, TraceHeader: req.TraceHeader,
	}
	if m.Type == Express {
		x.Type, x.ID = Express, e.UUID()
	}
	if req.fork != nil {
		x.Revision, x.Fork, x.Retention, x.Encryption = req.fork.revision, &req.fork.from, req.fork.retain, req.fork.encryption
		return x, e.needKey(x.Encryption)
	}
	x.Retention = e.retentionOf(m)
	var err error
	x.Encryption, err = e.encryptionFor(m.Account, m.Encryption)
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
	x, out := interpreter.Start(req.Machine.parsed, info, req.Input, st.env())
	return x, out, nil
}

// Started tells of an execution that was started.
type Started struct {
	ARN string
	At  time.Time
}

// ErrAlreadyExists tells that the name is that of another execution.
var ErrAlreadyExists = errors.New("engine: an execution of that name exists")

// Start begins an execution and returns when its start is durable. A name that
// is taken gives [ErrAlreadyExists], unless the execution of that name is still
// running and has the same input: then its start is told again (StartExecution,
// "idempotent"). ErrBusy, ErrDeleting, [*KeyError].
func (e *Engine) Start(ctx context.Context, req StartRequest) (Started, error) {
	if e.queued.Load() > int64(e.cfg.MaxQueued) {
		return Started{}, ErrBusy
	}
	begun, ok := e.beginStart(req.Machine.Number)
	if !ok {
		return Started{}, ErrDeleting
	}
	defer begun()
	if req.fork == nil {
		var err error
		if req.Machine, err = e.using(ctx, req.Machine); err != nil {
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
	key := m.key()
	s := e.shards[shardOf(key, len(e.shards))]
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
			return e.same(ctx, key, &req)
		case final != nil:
			return Started{}, final
		}
	}
	return Started{}, err
}

// notStarted sees to an execution whose start failed. It tells whether that has
// landed all the same; if not, an error is why it is not to be tried again.
func (e *Engine) notStarted(ctx context.Context, r *resident, s *shard, handle store.Shard, failed error) (landed bool, err error) {
	r.drop()
	switch {
	case errors.Is(failed, store.ErrUnknown):
		// Once the shard is taken anew, what has not landed never will.
		if err = e.reacquire(e.closing, s, handle); err == nil {
			landed, err = e.landedStart(ctx, r)
		}
		if err != nil {
			err = errors.Join(failed, err)
		}
	case errors.Is(failed, store.ErrFenced):
		if s.handle() == handle {
			e.lost(s, handle)
			err = ErrNotOwner
		}
	default:
		err = failed
	}
	if !landed {
		e.remove(s, r)
	}
	e.workOff(r) // what somebody told it meanwhile
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
	e.work1(r, []delivery{{resume: true}})
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
	r.id = e.newID(s.id, now)
	st.new = &store.NewExecution{Key: key, Unnamed: req.Name == "" || m.Type == Express, Start: now, Meta: encoded}
	if m.Type != Express {
		st.new.Group = m.Machine
	}
	x, out, err := req.begin(m.info(), st)
	if err != nil {
		st.release()
		return Started{}, err
	}
	l.x = x
	st.take(out)
	if out.Interrupted != nil {
		if err := st.rebuild(e.closing); err != nil {
			st.release()
			return Started{}, err
		}
		x = l.x
	}
	st.unschedule()
	started = Started{ARN: m.executionARN(), At: time.UnixMilli(now.UnixMilli())}
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
		// The start is durable; nobody need wait for what follows.
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

// brokeStart sees to a start that panicked: an execution that is durable all the
// same is held.
func (e *Engine) brokeStart(r *resident, m *meta, panicked any) (Started, error) {
	err := e.broke(r, panicked, debug.Stack())
	record, lookup := e.store.Execution(e.closing, r.id)
	if lookup != nil {
		return Started{}, err
	}
	r.drop()
	e.shards[r.id.Shard()].add(r)
	e.workOff(r)
	return Started{ARN: m.executionARN(), At: record.Start}, nil
}

// runOn continues a resident that its caller is at work on.
func (e *Engine) runOn(r *resident) error {
	return e.work1(r, []delivery{{msg: interpreter.Message{Kind: interpreter.Continue}}}).err
}

// same answers the start of an execution whose name is taken.
func (e *Engine) same(ctx context.Context, key store.NameKey, req *StartRequest) (Started, error) {
	id, err := e.store.Lookup(ctx, key)
	if err != nil {
		return Started{}, err
	}
	d, err := e.describe(ctx, id)
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

// shardOf spreads executions over shards by their names.
func shardOf(key store.NameKey, shards int) int {
	h := fnv.New32a()
	_, _ = h.Write(key.Scope[:]) // never fails
	_, _ = io.WriteString(h, key.Name)
	return int(h.Sum32() % uint32(shards))
}

// newID makes the id of an execution that starts now.
func (e *Engine) newID(s store.ShardID, now time.Time) store.ExecutionID {
	var id store.ExecutionID
	binary.BigEndian.PutUint64(id[:8], uint64(s)<<48|uint64(now.UnixMilli())&(1<<48-1))
	e.random(id[8:])
	below := uint32(now.Nanosecond()%1e6) << 12
	binary.BigEndian.PutUint32(id[8:], below|binary.BigEndian.Uint32(id[8:])&(1<<12-1))
	return id
}

// express is the run of a synchronous Express execution: it lives in memory.
type express struct {
	ctx    context.Context // of who waits for it
	stop   time.Time
	failed error // it was interrupted
	done   chan struct{}
}

// newSynchronous makes a synchronous execution, in one piece of memory: it lives
// and goes as a whole.
func newSynchronous(ctx context.Context, m meta) *resident {
	whole := &struct {
		resident
		loaded
		express
	}{loaded: loaded{meta: m}, express: express{ctx: ctx, done: make(chan struct{})}}
	r := &whole.resident
	r.busy, r.loaded, r.express = true, &whole.loaded, &whole.express
	return r
}

// end tells whoever waits for a synchronous execution that it is over.
func (r *resident) end(*interpreter.Execution) {
	if r.express != nil {
		close(r.express.done)
	}
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
	r.id = e.newID(s.id, st.now)
	started, info := st.now, m.info()
	x, out := interpreter.Start(req.Machine.parsed, info, req.Input, st.env())
	r.loaded.x = x
	st.take(out)
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
// when nobody waits any more.
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
