// Package interpreter is what a state machine means: a pure function from
// (state machine, execution, message) to (events, effects).
//
// [Start] and [Step] decide what happens and record it as events; [Replay]
// rebuilds an execution from its events. Inside, one function applies events to
// an execution and nothing else changes one, so an execution is what its
// history adds up to. Effects are values: nothing here reads a clock, touches
// the world or waits.
//
// The rules that callers rest on:
//
//  1. Event ids are 1, 2, 3 … without a gap; Previous is smaller than ID.
//  2. Replay of the events gives the execution, at every event.
//  3. Effects must be performed only after the events of the same [Outcome]
//     are durable. Each must be performed at least once, and may be performed
//     twice, with the same Cause ([EffectKind] says what has to be kept for that).
//  4. A message whose cause no branch awaits changes nothing (Outcome.Stale).
//  5. After a terminal event nothing but a redrive follows.
//  6. The same arguments give the same bytes.
//
// The one exception to "only events change an execution" is a heartbeat: AWS
// records none, so it moves a deadline that a replay does not know
// ([Execution.Alive]).
//
// Stability: promised after 1.0.
package interpreter

import (
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/value"
)

// Env is the whole outside world of one step.
type Env struct {
	Now    time.Time
	Limits Limits
	// Token makes the task token of the task that the event with that id
	// schedules.
	Token func(event int64) string
	// Pace is called now and then while a step works: about each PaceWork units
	// of work, and whenever what it holds has grown by PaceBytes; not at all in
	// a step that does less. work and held are what this step has done and holds
	// so far, in all. Pace may block. An error interrupts the step
	// ([Outcome.Interrupted]). nil: no step is interrupted.
	Pace func(work, held int64) error
	// paceWork is how often it is called; 0 for PaceWork.
	paceWork int64
	// Memory is where the step works, as long as it lasts. nil is as good, and
	// slower.
	Memory *Memory
	// Buffer is empty; its capacity is the place for the outcome's events, as
	// long as it lasts. nil is as good, and slower.
	Buffer []history.Event
}

// Limits bounds an execution. The zero value of a field is no bound, but for
// RunAhead.
type Limits struct {
	// PayloadBytes bounds every input, output and result, encoded.
	PayloadBytes int
	// Events bounds a history, the last event included.
	Events int64
	// RunAhead is the number of events after which a step stops although
	// branches could continue; Outcome.More is set then. 0 counts as 1000.
	RunAhead int
	// RunAheadBytes is how many bytes of payloads the events of a step may hold
	// before the step stops, as at RunAhead. 0 counts as 1 MiB.
	RunAheadBytes int
	// Iterations bounds how many iterations of one inline Map run at once
	// where the Map itself has a higher limit or none.
	Iterations int64
	// VariableBytes bounds all variables of an execution, encoded. One variable,
	// and all of one Assign, are bounded by PayloadBytes.
	VariableBytes int
	// Work and Bytes bound what the evaluations of one state may do, in units of
	// about 50 ns of processor time, and what they may build, in bytes of memory,
	// each time that the state does something: when it is entered or tried again,
	// when its result is there, when an error of it is caught, and for each iteration
	// of a Map. What JSONata does beyond them ends in its own errors, the rest in
	// States.Runtime and States.DataLimitExceeded.
	Work, Bytes int64
}

// How often Env.Pace is called at least.
const (
	PaceWork  = 16384
	PaceBytes = 256 << 10
)

// AWSLimits are the service's quotas, and bounds of Steppe's own where the
// service tells none: half a second and 48 MiB for the evaluations of a state.
var AWSLimits = Limits{
	PayloadBytes: 262144, Events: 25000, RunAhead: defaultRunAhead, RunAheadBytes: defaultRunAheadBytes, Iterations: 40,
	VariableBytes: 10 << 20, Work: 10_000_000, Bytes: 48 << 20,
}

// Info is what an execution knows of itself beside its history. It never
// changes.
type Info struct {
	// ARN and Name are the execution's, the others those of its state machine
	// at the start.
	ARN, Name                    string
	StateMachineARN, MachineName string
	RoleARN                      string
	VersionARN, AliasARN         string
	Region                       string
	// Express tells the type of the state machine.
	Express bool
	// Seed is where States.UUID, States.MathRandom and jitter draw from,
	// together with the event id. Two executions should not share it.
	Seed uint64
}

// MessageKind says what happened in the outside world.
type MessageKind uint8

// The kinds of messages.
const (
	// Wake: time has passed. All that is due by Env.Now happens.
	Wake MessageKind = iota + 1
	// Continue: the step before stopped at Limits.RunAhead.
	Continue
	// TaskStarted: an activity worker took the task.
	TaskStarted
	// TaskSubmitted: the job was started, or the request that carries the
	// task token was accepted. Output is the answer, which a job is asked about by
	// from then on ([Effect.Submitted]).
	TaskSubmitted
	// TaskSucceeded and TaskFailed: the task is done.
	TaskSucceeded
	TaskFailed
	// TaskHeartbeat: the task is alive.
	TaskHeartbeat
	// TaskUnscheduled: the activity is not there; Failure.Cause tells of that.
	TaskUnscheduled
	// Stop: a caller ends the execution.
	Stop
	// Redrive: an execution that ended without success is to continue from
	// there. Token is the caller's client token.
	Redrive
)

// Message is news for an execution.
type Message struct {
	Kind MessageKind
	// Cause is the event that scheduled the task; 0 for Wake, Continue, Stop.
	Cause   int64
	Output  *value.Doc
	Failure history.ErrorOutput
	Worker  string
	Token   string
	// FromToken marks an answer that came by task token, which only tasks that
	// wait for one (and activities) take.
	FromToken bool
}

// Outcome is what a step decided: what to record, and what to bring about once
// that is durable. The caller owns its slices.
type Outcome struct {
	// Events MUST be durable BEFORE any of Effects is performed, and before anybody
	// is told of them. They are recorded whole or not at all.
	Events []history.Event
	// Effects MUST be performed AFTER Events are durable, each at least once. Those
	// of Kind Invoke and Await need not be kept: [Execution.Pending] returns them
	// again until a message says how they went. What a Cancel asks for is in no
	// event and is not returned again: whoever must not lose it keeps it together
	// with Events, in the same commit.
	Effects []Effect
	// More reports that branches could continue: AFTER Events are durable, send Continue.
	// It is not told of an interrupted step.
	More bool
	// Stale reports that no branch awaited the message; there are no events.
	Stale bool
	// Interrupted is the error by which Env.Pace interrupted the step. Events
	// and Effects are those of whole turns that were done before: each a state that
	// was worked off, a branch that was due, or the message. They may be
	// committed: the history is [Execution.Whole], and continues as that of the step that
	// was not interrupted. The execution is of no use any more: [Replay] of its
	// events returns it as it is. The message has not come to pass if there are no
	// events, and has if there are: a Continue continues, or a Wake where a Wake was
	// interrupted. A Fork has not come to pass if there are no events.
	Interrupted error
}

// EffectKind says what to bring about. All kinds are performed at least once,
// never before the commit of the events that they come with.
type EffectKind uint8

// The kinds of effects.
const (
	// Invoke: have the task's resource do its work, or submit its job (.sync). It is
	// pending BEFORE a message TaskStarted, TaskSubmitted, TaskSucceeded or TaskFailed
	// is recorded, and never AFTER: what has submitted a job once, and recorded
	// that, is not invoked again.
	Invoke EffectKind = iota + 1
	// Await: ask about the job that was submitted, until it has ended. It is
	// pending AFTER TaskSubmitted is recorded and BEFORE TaskSucceeded or TaskFailed is.
	// The job may be asked about as often as one likes.
	Await
	// Cancel: the execution does not wait for the task any more. Work that is still being done may
	// continue, if it cannot be ended; a job (.sync) MUST be stopped, at least
	// once, AFTER the commit, since nothing else will: it is not pending, so
	// whoever commits the events keeps it with them until the job is stopped. The job may have
	// ended, or may never have been submitted.
	Cancel
)

// Effect is one thing to bring about in the outside world. Which fields it has
// depends on nothing but the task, except for Submitted and Again.
type Effect struct {
	Kind EffectKind
	// Cause is the event that scheduled the task: messages about the task
	// carry it back, and idempotency tokens derive from it. It is the same each time
	// that the effect is returned, and differs between attempts of a state.
	Cause    int64
	Resource asl.Resource
	// Input is the function's or activity's input, or the parameters.
	Input *value.Doc
	// Submitted is what the service answered when the job was submitted: in
	// each Await, and in a Cancel of a job whose TaskSubmitted is recorded. nil in a
	// Cancel: it is not known whether the job was submitted.
	Submitted *value.Doc
	// Token is the task token of activities and of tasks that wait for one; "" in a
	// Cancel.
	Token string
	// Timeout is in seconds, 0 for none. Heartbeat likewise. They are for the
	// service to know: the execution's own clock ([Execution.Wake]) ends the task, by a
	// Cancel.
	Timeout, Heartbeat int64
	Credentials        *value.Doc
	// StateName names the Task state. Retry counts the attempts before this one.
	StateName string
	Retry     int64
	// Again reports that the effect was returned before, by [Execution.Pending] or
	// with the commit that asked for it.
	Again bool
}

// job reports whether a resource runs a job.
func job(r asl.Resource) bool { return r.Kind == asl.ServiceResource && r.Pattern == asl.RunJob }

// expressLimit is how long an Express execution may run, in milliseconds,
// whatever its definition says (AWS's quota).
const expressLimit = 5 * 60 * 1000

// Start begins an execution. The input must be within limits.
func Start(m *asl.StateMachine, info Info, input *value.Doc, env Env) (*Execution, Outcome) {
	x := newExecution(m, info)
	s := newStep(x, env)
	started := history.Event{
		Type: history.ExecutionStarted, Input: input,
		RoleArn: info.RoleARN, VersionArn: info.VersionARN, AliasArn: info.AliasARN,
	}
	limit := m.TimeoutSeconds * 1000
	if info.Express && (limit == 0 || limit > expressLimit) {
		limit = expressLimit
	}
	if limit > 0 {
		started.Due = s.now + limit
	}
	s.emit(nil, &started)
	s.run()
	if invariants && s.out.Interrupted == nil {
		x.check()
	}
	return x, s.out
}

// Step delivers a message to an execution, which it changes.
func Step(x *Execution, msg Message, env Env) Outcome {
	s := newStep(x, env)
	if msg.Kind == Redrive {
		s.redrive(msg.Token)
	} else if x.status != Running {
		s.out.Stale = true
		return s.out
	}
	switch msg.Kind {
	case Wake:
		s.wake()
	case Continue, Redrive:
	case Stop:
		s.end(&history.Event{Type: history.ExecutionAborted, Failure: msg.Failure})
	case TaskStarted, TaskSubmitted, TaskSucceeded, TaskFailed, TaskHeartbeat, TaskUnscheduled:
		s.taskMessage(msg)
	}
	if !s.out.Stale && s.out.Interrupted == nil {
		s.run()
	}
	if invariants && s.out.Interrupted == nil {
		x.check()
	}
	return s.out
}

// Replay rebuilds an execution from its events, which must be whole from the
// first one on. Events that no execution of the definition can have had are an
// error where they cannot be applied; Replay does not look for more.
func Replay(m *asl.StateMachine, info Info, events []history.Event) (*Execution, error) {
	r := NewReplayer(m, info)
	if err := r.Add(events); err != nil {
		return nil, err
	}
	return r.Execution(), nil
}
