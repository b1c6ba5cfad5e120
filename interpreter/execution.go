package interpreter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/value"
)

// Status is the life of an execution.
type Status uint8

// The statuses.
const (
	Running Status = iota
	Succeeded
	Failed
	TimedOut
	Aborted
)

// Execution is one run of a state machine: the sum of its events. It belongs
// to one goroutine at a time.
type Execution struct {
	machine *asl.StateMachine
	info    Info

	status  Status
	last    int64 // id of the last event
	started int64 // milliseconds
	due     int64 // when it times out; 0: never
	input   *value.Doc
	output  *value.Doc
	failure history.ErrorOutput

	// live holds the branches that have not ended, oldest first; numbers are
	// given out in that order and never again.
	live     []*branch
	branches int64
	// at is the branch of the last event.
	at int64
	// over is what was live when the execution ended without success, for a
	// redrive.
	over     []*branch
	redrives int64
	redriven int64 // when, in milliseconds
	// tokens are the client tokens of the last redrives, the newest last.
	tokens []redriveToken
	// ready holds the branches that can move without news, the one first whose
	// last event is oldest; of those with the same one, the oldest branch.
	ready []*branch
	// variables and outputs are the bytes of all variables, and of all outputs
	// that wait to be joined.
	variables, outputs int64
}

func newExecution(m *asl.StateMachine, info Info) *Execution {
	return &Execution{machine: m, info: info}
}

// Status reports whether and how the execution has ended.
func (x *Execution) Status() Status { return x.status }

// Last is the id of the last event.
func (x *Execution) Last() int64 { return x.last }

// Input is the input of the execution.
func (x *Execution) Input() *value.Doc { return x.input }

// Output is the output of an execution that succeeded.
func (x *Execution) Output() *value.Doc { return x.output }

// Failure is the Error Output of one that did not.
func (x *Execution) Failure() history.ErrorOutput { return x.failure }

// Redrives reports how often the execution was redriven, and when last, in
// milliseconds since 1970.
func (x *Execution) Redrives() (count, last int64) { return x.redrives, x.redriven }

// Info returns what the execution was started with.
func (x *Execution) Info() Info { return x.info }

// Wake is the earliest time, in milliseconds since 1970, at which a Wake
// message would change something; 0 for never.
func (x *Execution) Wake() int64 {
	wake := x.due
	for _, b := range x.live {
		if due := b.wake(); due != 0 && (wake == 0 || due < wake) {
			wake = due
		}
	}
	return wake
}

// Alive records that the task that an event scheduled gave a sign of life at a
// time, in milliseconds since 1970; cause 0 stands for all tasks. No event
// records that, so it is told again after each replay.
func (x *Execution) Alive(cause, at int64) {
	for _, b := range x.live {
		if t := b.task; t != nil && t.beat != 0 && (cause == 0 || t.scheduled == cause) {
			t.beat = max(t.beat, at+t.heartbeat*1000)
		}
	}
}

// States are the names of the states that the execution is in, or was in when it
// ended without success: one for each branch, outer ones first.
func (x *Execution) States() []string {
	var names []string
	for _, b := range append(slices.Clone(x.live), x.over...) {
		if b.state != nil && b.phase != arriving && b.phase != ended {
			names = append(names, b.state.Base().Name)
		}
		if b.fallen != nil {
			for _, inner := range b.fallen.inside {
				if inner.state != nil && inner.phase != arriving {
					names = append(names, inner.state.Base().Name)
				}
			}
		}
	}
	return names
}

// Ready reports that branches can continue: the execution wants a Continue.
func (x *Execution) Ready() bool { return len(x.ready) > 0 }

// Whole reports that the last event ended a step, as it does in every history
// that was committed: each branch waits for something, or can continue.
func (x *Execution) Whole() bool {
	return !slices.ContainsFunc(x.live, func(b *branch) bool {
		return b.phase == inside || b.phase == ended || b.phase == joining && b.join.done == int64(len(b.join.outputs))
	})
}

// Tokens reports how many tasks are under way that end by a task token that
// another one has.
func (x *Execution) Tokens() (n int) {
	for _, b := range x.live {
		if t := b.task; t != nil && (t.resource.Pattern == asl.WaitForTaskToken || t.resource.Kind == asl.ActivityResource && t.started) {
			n++
		}
	}
	return n
}

// Activities reports how many tasks of activities wait for a worker, or are worked
// on.
func (x *Execution) Activities() (n int) {
	for _, b := range x.live {
		if t := b.task; t != nil && t.resource.Kind == asl.ActivityResource {
			n++
		}
	}
	return n
}

// Pending returns the effects whose outcome is not recorded: what must be
// performed again when the execution is taken over. A task that was not handed
// over is to be invoked, a job that was submitted to be asked about. token makes task
// tokens as in [Env].
func (x *Execution) Pending(token func(event int64) string) []Effect {
	var pending []Effect
	for _, b := range x.live {
		if t := b.task; t != nil && (!t.started || job(t.resource)) {
			effect := t.effect(token)
			effect.Again = true
			pending = append(pending, effect)
		}
	}
	return pending
}

// Owes reports whether there are pending effects.
func (x *Execution) Owes() bool {
	return slices.ContainsFunc(x.live, func(b *branch) bool { return b.task != nil && (!b.task.started || job(b.task.resource)) })
}

// phase says what a branch waits for.
type phase uint8

const (
	arriving phase = iota + 1 // ready: about to enter the state in to
	spawning                  // ready: a Map that may start iterations
	starting                  // ready: its task was scheduled and is to start
	inside                    // in a state, in the middle of a step
	waiting                   // in a Wait state until due
	retrying                  // in a state that failed, until due
	tasking                   // in a Task state that was scheduled
	joining                   // in a Parallel or Map whose branches run
	ended                     // at the end of its group of states
	redoing                   // ready: in a state whose work is to be done again, after a redrive
	ending                    // ready: at an end that was reached before a redrive
)

// String is the name of the phase.
func (p phase) String() string {
	return [...]string{"", "arriving", "spawning", "starting", "inside", "waiting", "retrying", "tasking", "joining", "ended", "redoing", "ending"}[p]
}

// branch is one thread of an execution: the top level, a branch of a Parallel
// state, an iteration of a Map state.
//
// Between two steps these hold of each live branch, whatever came before. A step may break them
// while the branch is inside a state. [branch.valid] is their text in Go; builds
// with the tag "invariants" check it after each step, and the golden scripts do always.
//
//  1. Its number was never another branch's. Branch 0 alone has no parent; the
//     parent of another one is live, and joining or spawning, ending too after a redrive.
//  2. It is among the ready ones exactly while it arrives, spawns, starts, redoes or
//     ends: while it can move without news.
//  3. It has a state to enter exactly while it arrives. Before it has entered its
//     first state it has none that it is in; later it always has.
//  4. It has a task exactly while it is starting or tasking, in a Task state.
//  5. The task has what its submission returned only if it was handed over, and
//     only if it is a job.
//  6. It has a join while it spawns or joins, in a Parallel or Map state; spawning is
//     that of a Map that may start an iteration now, joining the other.
//  7. It has a time at which it continues while it waits in a Wait state or for a retry.
type branch struct {
	number int64
	parent *branch
	index  int64 // among the parent's branches or iterations
	group  *asl.States
	phase  phase
	prev   int64 // the branch's last event, which its next one links to
	vars   []history.Variable

	to      asl.State // the state to enter, when arriving
	state   asl.State // the state it is in
	input   *value.Doc
	output  *value.Doc // when ended
	entered int64      // id of the Entered event
	since   int64      // its time
	before  int64      // the event before it
	due     int64      // when a Wait or the pause before a retry ends
	span    int64      // how long a Wait lasts

	attempts []int64 // retries so far, by retrier
	retries  int64   // retries so far of the state
	task     *task
	join     *join
	item     *item   // of a Map's iteration
	fallen   *fallen // of a Parallel or Map state that failed
}

// task is a scheduled task of a Task state.
type task struct {
	scheduled int64 // id of the Scheduled event
	resource  asl.Resource
	input     *value.Doc
	started   bool       // it was handed over: an activity worker, the job, or who has the task token has it
	submitted *value.Doc // what the service answered when it was, of a job
	timeout   int64      // seconds, 0: none
	heartbeat int64
	due       int64 // when it times out
	beat      int64 // when it must have given a sign of life; 0 while nobody can
	creds     *value.Doc
	name      string
	retry     int64 // 0: it is the first attempt
}

// join is the inside of a Parallel or Map state.
type join struct {
	outputs []*value.Doc
	done    int64
	bytes   int64 // of the outputs
	// A Map's:
	items   value.Value
	next    int64 // the iteration to start next
	running int64
	limit   int64 // 0: none
	link    int64 // the event that the next iteration's start links to
}

// mayStart reports whether a Map may start another iteration now.
func (j *join) mayStart() bool {
	return j.next < int64(len(j.outputs)) && (j.limit == 0 || j.running < j.limit)
}

// item is what an iteration of a Map is about.
type item struct {
	value value.Value
}

func (t *task) effect(token func(int64) string) Effect {
	e := Effect{
		Kind: Invoke, Cause: t.scheduled, Resource: t.resource, Input: t.input, Submitted: t.submitted,
		Timeout: t.timeout, Heartbeat: t.heartbeat, Credentials: t.creds, StateName: t.name, Retry: t.retry,
	}
	if t.started && job(t.resource) {
		e.Kind = Await
	}
	if t.resource.Kind == asl.ActivityResource || t.resource.Pattern == asl.WaitForTaskToken {
		e.Token = token(t.scheduled)
	}
	return e
}

// silent reports whether the task must give a sign of life before its time is
// over.
func (t *task) silent() bool { return t.beat != 0 && (t.due == 0 || t.beat < t.due) }

func (b *branch) wake() int64 {
	switch b.phase {
	case waiting, retrying:
		return b.due
	case tasking, starting:
		if b.task.silent() {
			return b.task.beat
		}
		return b.task.due
	case arriving, spawning, inside, joining, ended, redoing, ending:
	}
	return 0
}

// Lookup returns the value of a variable that the branch can see: its own or one
// of an outer scope.
func (b *branch) Lookup(name string) (value.Value, bool) {
	for scope := b; scope != nil; scope = scope.parent {
		for i := range scope.vars {
			if scope.vars[i].Name == name {
				return scope.vars[i].Value.Value(), true
			}
		}
	}
	return value.Value{}, false
}

func (x *Execution) assign(b *branch, vars []history.Variable) {
	for _, v := range vars {
		x.variables += int64(v.Value.Size() - b.own(v.Name))
		i := slices.IndexFunc(b.vars, func(old history.Variable) bool { return old.Name == v.Name })
		if i >= 0 {
			b.vars[i] = v
		} else {
			b.vars = append(b.vars, v)
		}
	}
}

func (x *Execution) branch(number int64) *branch {
	for _, b := range x.live {
		if b.number == number {
			return b
		}
	}
	return nil
}

func (x *Execution) open(parent *branch, group *asl.States, index, prev int64, input *value.Doc) *branch {
	b := &branch{
		number: x.branches, parent: parent, index: index, group: group,
		phase: arriving, prev: prev, to: group.Start, input: input,
	}
	x.branches++
	x.live = append(x.live, b)
	x.enqueue(b, arriving)
	return b
}

// drop takes a branch, or all inside of it, out of the execution.
func (x *Execution) drop(gone func(*branch) bool) {
	x.live = slices.DeleteFunc(x.live, func(b *branch) bool {
		if !gone(b) {
			return false
		}
		x.leave(b)
		return true
	})
	x.ready = slices.DeleteFunc(x.ready, gone)
}

func (b *branch) within(outer *branch) bool {
	for p := b.parent; p != nil; p = p.parent {
		if p == outer {
			return true
		}
	}
	return false
}

// enqueue makes a branch ready.
func (x *Execution) enqueue(b *branch, p phase) {
	x.dequeue(b)
	b.phase = p
	at, _ := slices.BinarySearchFunc(x.ready, b, compareReady)
	x.ready = slices.Insert(x.ready, at, b)
}

// dequeue takes a branch out of the ready ones.
func (x *Execution) dequeue(b *branch) {
	switch at := slices.Index(x.ready, b); {
	case at == 0 && len(x.ready) > 1:
		x.ready = x.ready[1:]
	case at >= 0:
		x.ready = slices.Delete(x.ready, at, at+1)
	}
}

func compareReady(a, b *branch) int {
	return cmp.Or(cmp.Compare(a.prev, b.prev), cmp.Compare(a.number, b.number))
}

// String describes the execution in full, for tests that compare a live one
// with its replay.
func (x *Execution) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "status %d last %d due %d redrives %d at %d", x.status, x.last, x.due, x.redrives, x.redriven)
	for _, b := range append(slices.Clone(x.live), x.over...) {
		fmt.Fprintf(&out, "\nbranch %d.%d %v prev %d", b.number, b.index, b.phase, b.prev)
		if b.state != nil {
			fmt.Fprintf(&out, " in %s #%d", b.state.Base().Name, b.entered)
		}
		if b.phase == arriving {
			fmt.Fprintf(&out, " to %s", b.to.Base().Name)
		}
		fmt.Fprintf(&out, " input %v due %d retries %d %v", b.input, b.wake(), b.retries, b.attempts)
		if t := b.task; t != nil {
			fmt.Fprintf(&out, " task %d %v %v", t.scheduled, t.started, t.submitted)
		}
		if j := b.join; j != nil {
			fmt.Fprintf(&out, " join %d/%d next %d running %d link %d", j.done, len(j.outputs), j.next, j.running, j.link)
			for _, o := range j.outputs {
				fmt.Fprintf(&out, " %v", o)
			}
		}
		if b.fallen != nil {
			fmt.Fprintf(&out, " fallen %d", len(b.fallen.inside))
		}
		for _, v := range b.vars {
			fmt.Fprintf(&out, " $%s=%v", v.Name, v.Value)
		}
	}
	out.WriteString("\nready")
	for _, b := range x.ready {
		fmt.Fprintf(&out, " %d", b.number)
	}
	return out.String()
}
