package engine_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// call makes one of the calls that callers make.
func (s *simulation) call() {
	n := s.alive()
	if s.solo && s.random.IntN(3) == 0 {
		s.edit(n)
		return
	}
	some := len(s.arns) > 0
	switch k := s.random.IntN(20); {
	case k < 9 && s.starts < 6:
		s.start(n)
	case k < 11 && some:
		s.stop(n)
	case k < 14 && some:
		s.redrive(n, s.arns[s.random.IntN(len(s.arns))])
	case k < 16 && some && s.forks < 3:
		s.fork(n)
	case k < 17 && s.solo:
		s.startExpress(n)
	case k < 18 && s.solo && s.depth == 0:
		s.startSync(n)
	case k < 19:
		s.acquire()
	}
}

// transient reports whether a call may fail so in the course of faults.
func (s *simulation) transient(n *node, err error) bool {
	return n.dead || errors.Is(err, engine.ErrNotOwner) || errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrFenced) ||
		errors.Is(err, engine.ErrNotRunning) || errors.Is(err, store.ErrBusy) || errors.Is(err, errLost)
}

// machineName is the machine that callers know; in solo worlds it comes and goes.
const machineName = "m"

var machineARN = tenant.ARN("stateMachine", machineName)

// request makes a start request of the machine, or of a version or an alias of
// it. It is false when there is none.
func (s *simulation) request(n *node) (engine.StartRequest, bool) {
	if !s.solo {
		m, err := n.Catalogue().Machine(s.ctx, machineARN)
		if errors.Is(err, store.ErrNotFound) {
			m, err = s.nodes[0].Catalogue().CreateMachine(s.ctx, newMachine(s, machineName, catalogue.Standard, editions[0]), parsed(editions[0]))
		}
		return engine.StartRequest{Machine: m}, err == nil
	}
	arn := machineARN
	switch s.random.IntN(3) {
	case 0:
		arn += ":prod"
	case 1:
		arn += fmt.Sprintf(":%d", 1+s.random.IntN(4))
	}
	req, err := n.StartOf(s.ctx, arn)
	return req, err == nil
}

func newMachine(s *simulation, name string, kind catalogue.MachineType, definition string) catalogue.Machine {
	return catalogue.Machine{Tenant: tenant, Name: name, Type: kind, Definition: definition, Created: s.now, Updated: s.now}
}

// start starts an execution, or one that there is again.
func (s *simulation) start(n *node) {
	req, ok := s.request(n)
	if !ok {
		return
	}
	k := 1 + s.random.IntN(s.starts+1)
	if k > s.starts {
		s.starts = k
	}
	req.Name, req.Input = fmt.Sprintf("x%d", k), input(k)
	arn := tenant.ARN("execution", machineName+":"+req.Name)
	before, between := s.truth.byARN[arn], s.between
	s.note("start %s of %s %s by %d", req.Name, req.VersionARN, req.AliasARN, n.number)
	begun, err := n.Start(s.ctx, req)
	after := s.truth.byARN[arn]
	switch {
	case errors.Is(err, engine.ErrAlreadyExists), errors.Is(err, catalogue.ErrDeleting), s.transient(n, err) && err != nil:
	case err != nil:
		s.wrong("start: %v", err)
	case after == nil && !s.truth.retired[arn]:
		s.wrong("the start of %s was acknowledged, and it is not there", arn)
	case after != nil && !begun.At.Equal(after.start):
		s.wrong("the start of %s was at %v, not %v", arn, after.start, begun.At)
	case before == nil && after != nil && (after.version != req.VersionARN || after.alias != req.AliasARN) && s.between == between:
		s.wrong("%s was started of %s %s, not of %s %s", arn, after.version, after.alias, req.VersionARN, req.AliasARN)
	}
	if after != nil {
		s.know(arn)
	}
}

// know remembers an execution that was started.
func (s *simulation) know(arn string) {
	if !slices.Contains(s.arns, arn) {
		s.arns = append(s.arns, arn)
	}
}

// stop ends an execution that may have ended before.
func (s *simulation) stop(n *node) {
	arn := s.arns[s.random.IntN(len(s.arns))]
	if s.busy(arn) {
		return
	}
	s.note("stop %s by %d", arn, n.number)
	between := s.between
	_, err := n.Stop(s.ctx, arn, history.ErrorOutput{})
	x := s.truth.byARN[arn]
	switch {
	case errors.Is(err, store.ErrNotFound) && x == nil, err != nil && s.transient(n, err):
	case err != nil:
		s.wrong("stop: %v", err)
	case x != nil && x.status == store.Running && s.between == between:
		s.wrong("%s was stopped and runs", arn)
	}
}

// redrive has an execution go on that may run, or have succeeded.
func (s *simulation) redrive(n *node, arn string) {
	if s.busy(arn) {
		return
	}
	s.note("redrive %s by %d", arn, n.number)
	_, err := n.Redrive(s.ctx, arn, fmt.Sprint(s.random.IntN(3)))
	x := s.truth.byARN[arn]
	_, refused := errors.AsType[*engine.NotRedrivableError](err)
	switch {
	case errors.Is(err, store.ErrNotFound) && x == nil, refused, err != nil && s.transient(n, err):
	case err != nil:
		s.wrong("redrive: %v", err)
	case x != nil && !slices.ContainsFunc(x.events, func(ev history.Event) bool { return ev.Type == history.ExecutionRedriven && ev.Fork == nil }):
		s.wrong("%s was redriven, and its history does not say so", arn)
	}
}

// fork takes an execution up again at some event of it.
func (s *simulation) fork(n *node) {
	origin := s.arns[s.random.IntN(len(s.arns))]
	x := s.truth.byARN[origin]
	if x == nil || x.express {
		return
	}
	name := fmt.Sprintf("f%d", s.forks+1)
	arn := tenant.ARN("execution", machineName+":"+name)
	at := 1 + s.random.Int64N(int64(len(x.events)))
	if x.fork != nil && s.random.IntN(2) == 0 {
		at = min(x.fork.Event+1, int64(len(x.events))) // where it began itself
	}
	req := engine.ForkRequest{ARN: origin, At: at, Name: name}
	if edition := s.random.IntN(2 * len(editions)); edition < len(editions) {
		req.Definition = editions[edition]
	}
	s.note("fork %s at %d as %s with %.70q", origin, at, name, req.Definition)
	_, err := n.Fork(s.ctx, req)
	forked := s.truth.byARN[arn]
	switch {
	case errors.Is(err, engine.ErrAlreadyExists), errors.Is(err, catalogue.ErrDeleting), errors.Is(err, store.ErrNotFound), err != nil && s.transient(n, err):
	case err != nil:
		s.wrong("fork: %v", err)
	case forked == nil && !s.truth.retired[arn]:
		s.wrong("the fork %s was acknowledged, and is not there", arn)
	}
	if forked != nil {
		s.forks++
		s.know(arn)
	}
}

// answer sends a task token back: to any engine, sometimes twice, sometimes
// after it was sent before, sometimes a sign of life instead.
func (s *simulation) answer() {
	i := s.random.IntN(len(s.tokens))
	tok := s.tokens[i]
	if s.busy(tok.arn) {
		return
	}
	n := s.alive()
	msg := interpreter.Message{Kind: interpreter.TaskSucceeded, Output: value.DocOf(value.Obj(value.Member{Name: tok.member, Value: tok.n}))}
	if !s.calm && s.random.IntN(3) == 0 {
		msg = interpreter.Message{Kind: interpreter.TaskHeartbeat}
	}
	if x := s.truth.byARN[tok.arn]; s.calm || (x == nil || x.done[tok.event] || x.status != store.Running) && s.random.IntN(3) == 0 {
		s.tokens = slices.Delete(s.tokens, i, i+1) // for the last time
	}
	for range 1 + s.random.IntN(2) {
		between := s.between
		err := n.SendTask(s.ctx, tok.text, msg)
		s.note("%v to event %d of %s: %v", msg.Kind, tok.event, tok.arn, err)
		x := s.truth.byARN[tok.arn]
		switch {
		case errors.Is(err, engine.ErrStale), err != nil && s.transient(n, err):
		case err != nil:
			s.wrong("send task: %v", err)
		case msg.Kind == interpreter.TaskHeartbeat:
			if s.solo { // nothing is written, so an engine that has lost the shard may take it
				s.truth.sign(tok.arn, tok.event, s.now.UnixMilli())
			}
		case x != nil && !x.done[tok.event] && s.between == between:
			s.wrong("the answer to the task of event %d of %s was acknowledged, and is not written", tok.event, tok.arn)
		}
	}
}

// poll has a worker take a task, if there is one.
func (s *simulation) poll() bool {
	impatient, cancel := context.WithCancel(s.ctx)
	cancel()
	n := s.alive()
	text, in, err := n.ActivityTask(impatient, activityARN, "w")
	if err != nil && !s.transient(n, err) {
		s.wrong("poll: %v", err)
	}
	if text == "" {
		return false
	}
	id, event := tokenTask(text)
	x := s.truth.executions[id]
	if x == nil || int64(len(x.events)) < event || x.events[event-1].Type != history.ActivityScheduled || x.signs[event] == 0 {
		s.wrong("a worker was given the task of event %d of %x, which was not begun", event, id)
		return false
	}
	s.note("poll %s %d", x.arn, event)
	s.tokens = append(s.tokens, token{text: text, arn: x.arn, event: event, member: "did", n: in.Value().Get("n")})
	return true
}

// tokenTask reads the form of a task token: whose task it is.
func tokenTask(text string) (id store.ExecutionID, event int64) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < 1+len(id)+8 {
		panic(text)
	}
	copy(id[:], b[1:])
	return id, int64(binary.BigEndian.Uint64(b[1+len(id):]))
}

// startExpress starts an Express execution, which runs at least once.
func (s *simulation) startExpress(n *node) {
	m, ok := s.machine(n, "express", catalogue.Express, express)
	if !ok {
		return
	}
	s.syncs++
	name := fmt.Sprintf("e%d", s.syncs)
	s.note("start express %s", name)
	begun, err := n.Start(s.ctx, engine.StartRequest{Machine: m, Name: name, Input: input(s.syncs)})
	if err != nil && !s.transient(n, err) && !errors.Is(err, catalogue.ErrDeleting) {
		s.wrong("start express: %v", err)
	}
	if err == nil && s.truth.byARN[begun.ARN] == nil && !s.truth.retired[begun.ARN] {
		s.wrong("the start of %s was acknowledged, and it is not there", begun.ARN)
	}
}

// startSync runs an Express execution that ends in its first step.
func (s *simulation) startSync(n *node) {
	m, ok := s.machine(n, "quick", catalogue.Express, quick)
	if !ok {
		return
	}
	k := s.random.IntN(5)
	result, err := n.StartSync(s.ctx, engine.StartRequest{Machine: m, Input: input(k)})
	want := interpreter.Succeeded
	if k > 2 {
		want = interpreter.Failed
	}
	if err != nil || result.Status != want || want == interpreter.Succeeded && result.Output.String() != input(k).String() {
		s.wrong("a synchronous execution of %d: %+v, %v", k, result, err)
	}
}

// machine gives the machine of a name, made when it is not there.
func (s *simulation) machine(n *node, name string, kind catalogue.MachineType, definition string) (*catalogue.Machine, bool) {
	m, err := n.Catalogue().Machine(s.ctx, tenant.ARN("stateMachine", name))
	if errors.Is(err, store.ErrNotFound) {
		m, err = n.Catalogue().CreateMachine(s.ctx, newMachine(s, name, kind, definition), parsed(definition))
	}
	if err != nil && !s.transient(n, err) && !errors.Is(err, store.ErrVersion) {
		s.wrong("create: %v", err)
	}
	return m, err == nil
}

// edit changes the catalogue.
func (s *simulation) edit(n *node) {
	m, err := n.Catalogue().Machine(s.ctx, machineARN)
	if errors.Is(err, store.ErrNotFound) {
		number := s.random.IntN(len(editions))
		s.note("create with edition %d", number)
		_, _, err = n.Catalogue().CreatePublished(s.ctx, newMachine(s, machineName, catalogue.Standard, editions[number]), parsed(editions[number]), "")
		s.edited(n, "create", err)
		return
	}
	if err != nil {
		s.edited(n, "read", err)
		return
	}
	s.view(n, m)
	if m.Deleting {
		return
	}
	switch k := s.random.IntN(20); {
	case k < 6:
		s.update(n, m)
	case k < 10:
		s.putAlias(n, m)
	case k < 15:
		s.shift(n, m)
	case k < 16:
		s.note("cancel shift")
		_, err = n.CancelShift(s.ctx, m, "prod")
		s.edited(n, "cancel", err)
	case k < 17:
		s.note("delete alias")
		s.edited(n, "delete alias", n.Catalogue().DeleteAlias(s.ctx, m, "prod"))
	case k < 19:
		number := uint32(1 + s.random.IntN(4))
		s.note("delete version %d", number)
		s.edited(n, "delete version", n.Catalogue().DeleteVersion(s.ctx, m, number))
	default:
		s.note("delete machine")
		s.edited(n, "delete machine", n.DeleteMachine(s.ctx, m))
	}
}

// edited checks how an edit failed.
func (s *simulation) edited(n *node, what string, err error) {
	_, refused := errors.AsType[*catalogue.RefusedShiftError](err)
	_, referenced := errors.AsType[*catalogue.ReferencedError](err)
	if err != nil && !refused && !referenced && !s.transient(n, err) && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrVersion) {
		s.wrong("%s: %v", what, err)
	}
}

// update publishes another edition, or changes the tags.
func (s *simulation) update(n *node, m *catalogue.Machine) {
	next := *m
	if s.random.IntN(4) == 0 {
		next.Tags = []catalogue.Tag{{Key: "k", Value: fmt.Sprint(s.random.IntN(10))}}
		s.note("tag")
		_, err := n.Catalogue().PutMachine(s.ctx, next, m.Parsed(), false)
		s.edited(n, "tag", err)
		return
	}
	number := s.random.IntN(len(editions))
	next.Definition, next.Updated = editions[number], s.now
	s.note("update to edition %d", number)
	_, _, err := n.Catalogue().PutPublished(s.ctx, next, parsed(next.Definition), next.Definition != m.Definition, "")
	s.edited(n, "update", err)
}

// putAlias leads the alias to one or two versions.
func (s *simulation) putAlias(n *node, m *catalogue.Machine) {
	a := catalogue.Alias{Name: "prod", Created: s.now}
	if old, err := n.Catalogue().Alias(s.ctx, m, "prod"); err == nil {
		if s.random.IntN(3) > 0 {
			return // shifts want to go on
		}
		a = *old
	}
	a.Updated = s.now
	a.Routes = []catalogue.Route{{Version: uint32(1 + s.random.IntN(4)), Weight: 100}}
	if s.random.IntN(4) == 0 {
		a.Routes = []catalogue.Route{{Version: 1, Weight: 30}, {Version: 2, Weight: 70}}
	}
	s.note("alias to %v", a.Routes)
	between := s.between
	put, err := n.Catalogue().PutAlias(s.ctx, m, a)
	s.edited(n, "alias", err)
	if err == nil && s.between == between {
		if now, err := n.Catalogue().Alias(s.ctx, m, "prod"); err != nil || !slices.Equal(now.Routes, put.Routes) {
			s.wrong("the alias was led to %v, and leads to %+v, %v", put.Routes, now, err)
		}
	}
}

// shift begins to shift the alias.
func (s *simulation) shift(n *node, m *catalogue.Machine) {
	plan := catalogue.ShiftPlan{First: 1 + s.random.IntN(100), Step: 15 + s.random.IntN(60), Every: time.Duration(1+s.random.IntN(600)) * time.Second}
	if s.random.IntN(3) == 0 {
		plan.Every /= 30 // the rule is looked at every two seconds
		plan.Rule = &catalogue.ErrorRate{Percent: float64(s.random.IntN(60))}
	}
	to := uint32(1 + s.random.IntN(4))
	s.note("shift to %d: %+v", to, plan)
	_, err := n.BeginShift(s.ctx, m, "prod", to, plan)
	s.edited(n, "shift", err)
}

// view compares what an engine tells of the machine with what is written.
func (s *simulation) view(n *node, m *catalogue.Machine) {
	if s.depth > 0 || n.dead {
		return
	}
	entry := s.truth.catalogue["machine/"+tenant.Account+"/"+tenant.Region+"/"+machineName]
	if entry == nil {
		s.wrong("the engine tells of a machine that is not there")
		return
	}
	written := decodeAs[catalogue.Machine](s, entry)
	if written.Number != m.Number || written.Revision != m.Revision || written.Deleting != m.Deleting || !slices.Equal(written.Tags, m.Tags) {
		s.wrong("the engine tells of the machine %d of revision %d, %v, %v; it is %d of revision %d, %v, %v",
			m.Number, m.Revision, m.Deleting, m.Tags, written.Number, written.Revision, written.Deleting, written.Tags)
	}
	told, err := n.Catalogue().Alias(s.ctx, m, "prod")
	entry = s.truth.catalogue[fmt.Sprintf("alias/%08x/prod", m.Number)]
	switch {
	case entry == nil && errors.Is(err, store.ErrNotFound):
	case entry == nil || err != nil:
		s.wrong("the engine tells of the alias %+v, %v; it is %q", told, err, entry)
	default:
		if a := decodeAs[catalogue.Alias](s, entry); !slices.Equal(a.Routes, told.Routes) {
			s.wrong("the engine tells that the alias leads to %v; it leads to %v", told.Routes, a.Routes)
		}
	}
}
