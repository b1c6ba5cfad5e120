package interpreter

import (
	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// # How a step works
//
// A step is the work on one message. It decides what happens, and records that as
// events; it changes nothing itself. Each event is handed to [Execution.apply] as soon as
// it is recorded, and the step reads the outcome from the execution:
//
//	Step ─▶ taskMessage, wake, end, redrive     what the message brings about
//	  └──▶ run ─▶ turn ─▶ turn ─▶ …             what follows from that
//	                │
//	                ├─ decides: evaluates paths and expressions, looks at limits
//	                └─ emit(event) ─▶ apply     the only place where the execution changes
//
// A replay calls apply with the events that were recorded, and decides nothing. This
// is why a replayed execution is the live one: whatever a decision rests on must be an
// event's field or follow from events, and nothing that a step only decided can be left
// behind.
//
// # Branches, phases and turns
//
// An execution is a set of branches: the top level, each branch of a Parallel state,
// each iteration of a Map state. A branch is in one phase. In five of them it is ready,
// which means that it can move without news:
//
//	          ┌────────────────────────── next state ───────────────────────────┐
//	          ▼                                                                  │
//	      arriving ──enter──▶ inside ─┬─ Pass, Choice, Succeed ─────────────────▶ exit ──▶ ended
//	                                  ├─ Wait ──────▶ waiting ──── due ─────────▶  ▲
//	                                  ├─ Task ──────▶ starting ──▶ tasking ─ news ▶│
//	                                  ├─ Map ───────▶ spawning ⇄ joining ─ joined ▶│
//	                                  ├─ Parallel ──────────────▶ joining ─ joined ▶│
//	                                  └─ failed ────▶ retrying ── due ─▶ inside (perform again)
//
//	ready: arriving, spawning, starting, and after a redrive redoing and ending
//
// run moves one ready branch after another, each by a turn: a turn enters a state and
// works until the state is left or waits, starts one iteration, or records that one task
// has started. The branch whose last event is the oldest has its turn first. That is
// the order in which AWS interleaves branches (recorded conversations with Parallel and
// Map states), and it makes a step a function of its arguments alone.
//
// # Where a step ends
//
// When no branch is ready; when there are so many events that a commit of more would
// keep others waiting (Limits.RunAhead, and the caller sends Continue); or when
// Env.Pace interrupts it. A turn is never half recorded: an interruption panics with a
// [meter.Stop], guarded catches it, and interrupt takes back the events since begin.
// The execution has applied them already, so the caller drops it and replays.
//
// The end of a history that is full is a panic as well (overflow): recording one event
// is what every part of a step does, and only the last one must still fit.

const (
	defaultRunAhead      = 1000
	defaultRunAheadBytes = 1 << 20
)

// step is the work on one message.
type step struct {
	x      *Execution
	env    Env
	now    int64
	out    Outcome
	scope  query.Scope
	random query.Entropy // the scope's
	at     *branch       // the branch whose context object scope gives
	token  int64         // the event that schedules the task whose token it has; 0: none
	item   *iteration
	mocked bool // a mock stands for the task that is tried
	meter  meter.Meter
	// whole is how many events and effects there were before the turn under way.
	whole struct{ events, effects int }
	// bytes is what the payloads of the events hold, held the last one counted.
	bytes int64
	held  *value.Doc
}

// iteration is the Map.Item of the context object while an ItemSelector is
// evaluated.
type iteration struct {
	index int64
	value value.Value
}

// Memory is what a step works in. One step after another may use it, whatever
// their executions are; no two at once. The zero value is ready for use.
type Memory struct {
	step step
	used bool // since it was forgotten
}

// Forget drops all that the last step left in the memory.
func (m *Memory) Forget() {
	m.reset()
	m.used = false
}

// reset returns the step, empty but for what depends on its place in memory only.
func (m *Memory) reset() {
	s := &m.step
	context, entropy := s.scope.Context, s.scope.Entropy
	*s = step{}
	s.scope.Context, s.scope.Entropy = context, entropy
}

func newStep(x *Execution, env Env) *step {
	if env.Memory == nil {
		env.Memory = new(Memory)
	}
	s := &env.Memory.step
	if env.Memory.used {
		env.Memory.reset()
	}
	env.Memory.used = true
	s.x, s.env, s.now, s.out.Events = x, env, env.Now.UnixMilli(), env.Buffer
	limits := meter.Config{
		Work: env.Limits.Work, Bytes: env.Limits.Bytes, Pace: env.Pace, PaceWork: PaceWork, PaceBytes: PaceBytes,
	}
	if env.paceWork > 0 {
		limits.PaceWork = env.paceWork
	}
	s.meter.Begin(limits)
	s.scope.Meter = &s.meter
	return s
}

// overflow is thrown when the history is full; nothing but an ending event
// fits then.
type overflow struct{}

// guarded runs what a message brings about. It fails the execution when its
// history overflows on the way, and ends the step when it is interrupted.
func (s *step) guarded(work func()) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case overflow:
			s.overflow()
		case *meter.Stop:
			s.interrupt(r)
		default:
			panic(r)
		}
	}()
	work()
}

// turnWork is what a turn takes beside its evaluations, in the meter's units.
const turnWork = 40

// begin begins a turn of a branch, nil for that of a message: what was recorded
// before it is whole, and stays when the turn is interrupted.
func (s *step) begin(b *branch) {
	// In these phases a turn may record nothing but that the state is tried again,
	// on the event before it, which must be of the same step.
	if b == nil || b.phase != spawning && b.phase != retrying && b.phase != redoing {
		s.whole.events, s.whole.effects = len(s.out.Events), len(s.out.Effects)
	}
	s.renew()
	s.meter.Work(turnWork)
}

// renew begins another evaluation: limits count from here.
func (s *step) renew() { s.meter.Renew(s.bytes) }

// interrupt takes back the turn under way.
func (s *step) interrupt(stop *meter.Stop) {
	if !stop.Interrupted {
		panic(stop) // evaluations make errors of it
	}
	s.out.Events, s.out.Effects = s.out.Events[:s.whole.events], s.out.Effects[:s.whole.effects]
	s.out.Interrupted, s.out.Stale = stop.Err, false
}

// run moves ready branches, the one whose last event is oldest first, until
// all are blocked or the step is long enough.
func (s *step) run() {
	limit := s.env.Limits.RunAhead
	if limit == 0 {
		limit = defaultRunAhead
	}
	bytes := int64(s.env.Limits.RunAheadBytes)
	if bytes == 0 {
		bytes = defaultRunAheadBytes
	}
	s.guarded(func() {
		for len(s.x.ready) > 0 && len(s.out.Events) < limit && s.bytes < bytes {
			s.begin(s.x.ready[0])
			s.turn(s.x.ready[0])
		}
	})
	s.out.More = len(s.x.ready) > 0 && s.out.Interrupted == nil
}

// turn moves a ready branch through one state, or starts iterations of a Map.
// The events that it records take the branch out of the ready ones.
func (s *step) turn(b *branch) {
	switch b.phase {
	case arriving:
		s.enter(b)
	case spawning:
		s.spawn(b)
	case starting:
		s.started(b)
	case redoing:
		s.perform(b)
	case ending:
		s.finishEnding(b)
	case inside, waiting, retrying, tasking, joining, ended:
	}
}

// record adds a copy of an event to the history and applies it. Events are
// large: they go by pointer until they are there.
func (s *step) record(b *branch, ev *history.Event) {
	ev.ID = s.x.last + 1
	ev.Millis = s.now
	if b != nil {
		ev.Branch = b.number
	}
	s.hold(ev)
	s.out.Events = append(s.out.Events, *ev)
	s.x.apply(b, &s.out.Events[len(s.out.Events)-1])
}

// hold counts the payloads of an event: one that passes through once.
func (s *step) hold(ev *history.Event) {
	for _, d := range [...]*value.Doc{ev.Input, ev.Output, ev.Items, ev.Credentials} {
		if d != nil && d != s.held {
			s.held = d
			s.bytes += int64(d.Size())
		}
	}
	for i := range ev.Assigned {
		s.bytes += int64(ev.Assigned[i].Value.Size())
	}
	if cause := ev.Failure.Cause; cause != nil {
		s.bytes += int64(len(*cause))
	}
}

// emit records an event of a branch that links to the branch's last one.
func (s *step) emit(b *branch, ev *history.Event) {
	if b != nil {
		s.emitLinked(b, ev, b.prev)
		return
	}
	s.emitLinked(nil, ev, 0)
}

// emitLinked records an event that links to the given one.
func (s *step) emitLinked(b *branch, ev *history.Event, previous int64) {
	if limit := s.env.Limits.Events; limit > 0 && s.x.last >= limit-1 {
		panic(overflow{})
	}
	ev.Previous = previous
	s.record(b, ev)
}

// end records the last event of the execution. Tasks that nobody waits for any
// more are cancelled.
func (s *step) end(ev *history.Event) {
	s.cancelInside(nil)
	s.record(nil, ev)
}

func (s *step) overflow() {
	cause := "The execution reached the maximum number of history events (" + itoa(s.env.Limits.Events) + ")."
	s.end(&history.Event{
		Type: history.ExecutionFailed, Previous: s.x.last,
		Failure: history.ErrorOutput{Error: new("States.Runtime"), Cause: &cause},
	})
}

// cancelInside asks for the end of the tasks inside of a branch, of all when
// it is nil.
func (s *step) cancelInside(outer *branch) {
	for _, b := range s.x.live {
		if b.task != nil && (outer == nil || b.within(outer)) {
			s.cancel(b.task)
		}
	}
}

func (s *step) cancel(t *task) {
	cancel := t.effect(func(int64) string { return "" })
	cancel.Kind = Cancel
	s.out.Effects = append(s.out.Effects, cancel)
}

// enteredType returns the event type that says that a state was entered.
func enteredType(st asl.State) history.Type {
	switch st.(type) {
	case *asl.Pass:
		return history.PassStateEntered
	case *asl.Task:
		return history.TaskStateEntered
	case *asl.Choice:
		return history.ChoiceStateEntered
	case *asl.Wait:
		return history.WaitStateEntered
	case *asl.Succeed:
		return history.SucceedStateEntered
	case *asl.Fail:
		return history.FailStateEntered
	case *asl.Parallel:
		return history.ParallelStateEntered
	case *asl.Map:
		return history.MapStateEntered
	}
	panic("interpreter: unknown state type")
}

// exitedType returns the event type that says that a state was left. A Fail
// state is not.
func exitedType(st asl.State) history.Type {
	switch st.(type) {
	case *asl.Pass:
		return history.PassStateExited
	case *asl.Task:
		return history.TaskStateExited
	case *asl.Choice:
		return history.ChoiceStateExited
	case *asl.Wait:
		return history.WaitStateExited
	case *asl.Succeed:
		return history.SucceedStateExited
	case *asl.Parallel:
		return history.ParallelStateExited
	case *asl.Map:
		return history.MapStateExited
	case *asl.Fail:
	}
	panic("interpreter: a Fail state has no exit")
}

// enter has a branch enter the state that it arrives at, and does all of the
// state's work that needs no news.
func (s *step) enter(b *branch) {
	st := b.to
	entered := history.Event{Type: enteredType(st), Name: st.Base().Name, Input: b.input}
	if wait, ok := st.(*asl.Wait); ok {
		s.enterWait(b, wait, &entered)
		return
	}
	s.emit(b, &entered)
	s.perform(b)
}

// perform does the work of the state that b is in: after it was entered, and
// again at each retry.
func (s *step) perform(b *branch) {
	switch st := b.state.(type) {
	case *asl.Pass:
		s.pass(b, st)
	case *asl.Task:
		s.schedule(b, st)
	case *asl.Choice:
		s.choose(b, st)
	case *asl.Wait:
	case *asl.Succeed:
		s.succeed(b)
	case *asl.Fail:
		s.failState(b, st)
	case *asl.Parallel:
		s.fork(b, st)
	case *asl.Map:
		s.startMap(b, st)
	}
}

// leave evaluates what a state makes of its result, and leaves it.
func (s *step) leave(b *branch, flow *query.Flow, result value.Value, next string) {
	scope := s.scopeOf(b)
	output, selected, err := flow.Result(scope, result)
	if err != nil {
		s.fail(b, s.evaluation(b, err))
		return
	}
	assigned, err := flow.AssignVariables(scope, selected)
	if err != nil {
		s.fail(b, s.evaluation(b, err))
		return
	}
	vars, ok := s.variables(b, assigned)
	if !ok {
		return
	}
	doc := s.document(b, output)
	if name := s.refused(b, doc); name != "" {
		s.fail(b, dataLimit(name))
		return
	}
	s.exit(b, doc, vars, next)
}

// refused names the state whose output a document is too large for: that which b
// is in, or the one that waits for it; "" for none.
func (s *step) refused(b *branch, output *value.Doc) string {
	switch {
	case s.tooLarge(output):
		return b.state.Base().Name
	case b.parent != nil && s.x.outputs+int64(output.Size()) > s.outputLimit():
		return b.parent.state.Base().Name
	}
	return ""
}

// exit leaves a state. When that ends the branch, what is around it continues.
func (s *step) exit(b *branch, output *value.Doc, assigned []history.Variable, next string) {
	s.emit(b, &history.Event{
		Type: exitedType(b.state), Name: b.state.Base().Name, Output: output, Assigned: assigned,
		Private: history.Private{Next: next},
	})
	if b.phase == ended {
		s.ended(b)
	}
}

// ended continues after a branch reached the end of its group of states.
func (s *step) ended(b *branch) {
	parent := b.parent
	if parent == nil {
		s.emit(b, &history.Event{Type: history.ExecutionSucceeded, Output: b.output})
		return
	}
	switch st := parent.state.(type) {
	case *asl.Parallel:
		if parent.join.done == int64(len(parent.join.outputs)) {
			s.joinParallel(parent, st)
		}
	case *asl.Map:
		s.emit(b, &history.Event{Type: history.MapIterationSucceeded, Name: st.Name, Index: b.index})
		if parent.join.done == int64(len(parent.join.outputs)) {
			s.joinMap(parent, st)
		}
	case *asl.Pass, *asl.Task, *asl.Choice, *asl.Wait, *asl.Succeed, *asl.Fail:
	}
}

// document returns the document of a value; when the value is the state's input,
// the same one, so that a payload that passes through is stored once.
func (s *step) document(b *branch, v value.Value) *value.Doc {
	if v == b.input.Value() {
		return b.input
	}
	return value.DocOf(v)
}

// tooLarge reports whether a payload is beyond the limit. It is encoded up to
// there, so that no more than that is ever built.
func (s *step) tooLarge(d *value.Doc) bool {
	limit := s.env.Limits.PayloadBytes
	return limit > 0 && !d.Within(limit)
}

// wake does all that is due, in the order in which it became due.
func (s *step) wake() {
	s.guarded(func() {
		for s.x.status == Running {
			if s.x.due != 0 && s.x.due <= s.now && s.nextDue(s.x.due) == nil {
				s.timeOutExecution()
				return
			}
			b := s.nextDue(s.now)
			if b == nil {
				return
			}
			s.begin(b)
			s.due(b)
		}
	})
}

func (s *step) timeOutExecution() {
	s.end(&history.Event{Type: history.ExecutionTimedOut, Failure: history.ErrorOutput{Error: new("States.Timeout")}})
}

// nextDue returns the branch that was due first, if one was by the given time.
func (s *step) nextDue(by int64) *branch {
	var first *branch
	for _, b := range s.x.live {
		due := b.wake()
		if due != 0 && due <= by && (first == nil || due < first.wake()) {
			first = b
		}
	}
	return first
}

func (s *step) due(b *branch) {
	switch b.phase {
	case waiting:
		s.endWait(b)
	case retrying:
		s.perform(b)
	case starting: // its time is over before the step went on
		s.started(b)
	case tasking:
		s.timeOut(b)
	case arriving, spawning, inside, joining, ended, redoing, ending:
	}
}
