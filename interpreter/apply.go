package interpreter

import (
	"fmt"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/value"
)

// # What events do
//
// apply is the fold of a history: the execution after an event is a function of the
// execution before it and of the event. Steps call it for each event that they record,
// and a replay for each event that was stored, so the two cannot differ.
//
// Three rules keep it that way.
//
// It evaluates nothing. Outputs, inputs, variables, the items of a Map, the time at which
// a wait ends: all are fields of events, some of them private ([history.Private]),
// because the definition, the limits and the clock may be other ones when the history
// is replayed. The definition is asked for its shape only: which state has that name,
// which states the branches of a Parallel state have, what follows a state that names
// its Next.
//
// It cannot fail. What a recorded event must look like is checked by replay before it
// gets here, since a stored history may be damaged or come from another service. A
// check that apply would need for its own events is a bug of the step.
//
// It does not look ahead. An event may say only what has happened: that an iteration
// has failed comes after the failure of its state, and the branches inside of a state
// that failed are gone with the event that says so, or with the retry that follows
// (applyRetry), not earlier. So the history is whole after each turn, and a process
// that stops there leaves nothing undecided.
//
// Most events belong to the branch whose number they carry and change that one; those
// of a Parallel or Map state also open, end and drop the branches inside. The events
// that abort states change nothing: what they report was done by the event that failed.

// replay applies an event that was recorded earlier, after checking that it
// can follow.
func (x *Execution) replay(ev *history.Event) error {
	again := ev.Type == history.ExecutionRedriven && (ev.Fork != nil || x.status != Running && x.status != Succeeded)
	if ev.ID != x.last+1 || x.status != Running && !again || (ev.ID == 1) != (ev.Type == history.ExecutionStarted) {
		return fmt.Errorf("interpreter: replay: event %d (%v) cannot follow event %d", ev.ID, ev.Type, x.last)
	}
	b := x.branch(ev.Branch)
	if b == nil && ev.ID > 1 && !again {
		return fmt.Errorf("interpreter: replay: event %d (%v) is of branch %d, which is not there", ev.ID, ev.Type, ev.Branch)
	}
	if ev.Type.Entered() && b.group.State(ev.Name) == nil {
		return fmt.Errorf("interpreter: replay: event %d enters the state %q, which the definition has not", ev.ID, ev.Name)
	}
	// Numbers that apply makes room for must not be made up.
	if ev.Type == history.MapStateStarted && ev.Length != int64(ev.Items.Value().Len()) || ev.Retry != nil && ev.Retry.Retrier >= maxRetriers {
		return fmt.Errorf("interpreter: replay: event %d (%v) has numbers that cannot be", ev.ID, ev.Type)
	}
	x.apply(b, ev)
	return nil
}

// maxRetriers is more than a state in a definition of the greatest size has.
const maxRetriers = 1 << 16

// apply changes the execution by one event of branch b. Nothing else does.
func (x *Execution) apply(b *branch, ev *history.Event) {
	x.last = ev.ID
	if ev.Type == history.ExecutionRedriven {
		x.applyRedrive(ev)
		return
	}
	x.at = ev.Branch
	switch ev.Type {
	case history.ExecutionStarted:
		x.started, x.input, x.due = ev.Millis, ev.Input, ev.Due
		x.open(nil, x.machine.States, 0, 0, ev.Input)
	case history.ExecutionSucceeded:
		x.output = ev.Output
		x.close(Succeeded, ev)
	case history.ExecutionFailed:
		x.close(Failed, ev)
	case history.ExecutionTimedOut:
		x.close(TimedOut, ev)
	case history.ExecutionAborted:
		x.close(Aborted, ev)
	default:
		x.applyToBranch(b, ev)
	}
	if ev.Retry != nil {
		x.applyRetry(ev)
	}
}

func (x *Execution) close(status Status, ev *history.Event) {
	x.status, x.failure, x.due = status, ev.Failure, 0
	x.over, x.live, x.ready = x.live, nil, nil
}

func (x *Execution) applyToBranch(b *branch, ev *history.Event) {
	if b.phase == redoing || b.phase == ending {
		x.dequeue(b)
		b.phase = inside
	}
	switch t := ev.Type; {
	case t.Entered():
		x.enter(b, ev)
	case t.Exited():
		x.exit(b, ev)
	case t.Scheduled():
		x.schedule(b, ev)
	default:
		x.applyInside(b, ev)
	}
}

// applyInside applies the events between a state's Entered and Exited.
func (x *Execution) applyInside(b *branch, ev *history.Event) {
	switch ev.Type {
	case history.ActivityStarted:
		b.prev = ev.ID
		b.task.clock(ev.Millis)
		b.task.handOver(ev.Millis)
	case history.TaskSubmitted:
		b.prev = ev.ID
		b.task.handOver(ev.Millis)
		if job(b.task.resource) {
			b.task.submitted = ev.Output
		}
	case history.TaskStarted, history.LambdaFunctionStarted:
		x.dequeue(b)
		b.prev, b.phase = ev.ID, tasking
	case history.EvaluationFailed:
		b.prev = ev.ID
	case history.ParallelStateStarted:
		b.prev = ev.ID
		x.fork(b, ev)
	case history.ParallelStateFailed, history.MapStateFailed:
		b.prev = ev.ID
		x.fall(b)
	case history.MapStateStarted:
		b.prev, b.due = ev.ID, 0
		b.join = &join{outputs: make([]*value.Doc, ev.Length), items: ev.Items.Value(), limit: ev.Limit, link: ev.ID}
		x.spawnOrJoin(b)
	case history.MapIterationStarted:
		x.iterate(b, ev)
	case history.MapIterationSucceeded:
		x.finish(b, ev)
	case history.ParallelStateSucceeded, history.MapStateSucceeded,
		history.MapIterationFailed, history.MapIterationAborted,
		history.TaskStateAborted, history.WaitStateAborted, history.MapStateAborted, history.ParallelStateAborted:
		// They say what other events have done already.
	default:
		// The rest are the ends of a task: …Succeeded, …Failed, …TimedOut.
		b.prev = ev.ID
		b.task = nil
		b.phase = inside
	}
}

func (x *Execution) enter(b *branch, ev *history.Event) {
	x.dequeue(b)
	b.state = b.group.State(ev.Name)
	b.to = nil
	b.phase = inside
	b.before, b.prev = b.prev, ev.ID
	b.entered, b.since, b.input = ev.ID, ev.Millis, ev.Input
	b.attempts, b.retries = nil, 0
	if ev.Due != 0 {
		b.phase, b.due, b.span = waiting, ev.Due, ev.Due-ev.Millis
	}
}

func (x *Execution) exit(b *branch, ev *history.Event) {
	base := b.state.Base()
	x.assign(b, ev.Assigned)
	x.unjoin(b)
	b.prev, b.task, b.fallen, b.due = ev.ID, nil, nil, 0
	to := base.To
	if ev.Next != "" {
		to = b.group.State(ev.Next)
	}
	if to != nil {
		b.to, b.input = to, ev.Output
		x.enqueue(b, arriving)
		return
	}
	b.phase, b.output = ended, ev.Output
	if b.parent != nil {
		if _, parallel := b.parent.state.(*asl.Parallel); parallel {
			x.finish(b, ev)
		}
	}
}

func (x *Execution) schedule(b *branch, ev *history.Event) {
	resource, _ := asl.ParseResource(b.state.(*asl.Task).Resource)
	b.prev, b.phase, b.due = ev.ID, tasking, 0
	b.task = &task{
		scheduled: ev.ID, resource: resource, input: ev.Input, name: b.state.Base().Name,
		timeout: ev.Timeout, heartbeat: ev.Heartbeat, creds: ev.Credentials, retry: b.retries,
	}
	// TimeoutSeconds of an activity's task count from when a worker has taken it.
	if resource.Kind != asl.ActivityResource {
		b.task.clock(ev.Millis)
		x.enqueue(b, starting)
	}
}

// clock begins to count the task's TimeoutSeconds.
func (t *task) clock(now int64) {
	if t.timeout > 0 {
		t.due = now + t.timeout*1000
	}
}

// handOver records that the task is with one who can send heartbeats: a worker
// of an activity, a job, or whoever was sent the task token. HeartbeatSeconds count
// from here: "the heartbeat timeout doesn't start counting until after the Lambda
// function has completed executing and returned a result" (developer guide, "Invoke
// an AWS Lambda function with Step Functions"). A task that is done when its
// service answers is never handed over.
func (t *task) handOver(now int64) {
	t.started = true
	if t.heartbeat > 0 {
		t.beat = now + t.heartbeat*1000
	}
}

func (x *Execution) fork(b *branch, ev *history.Event) {
	branches := b.state.(*asl.Parallel).Branches
	b.phase, b.due = joining, 0
	b.join = &join{outputs: make([]*value.Doc, len(branches))}
	for i, group := range branches {
		x.open(b, group, int64(i), ev.ID, ev.Items)
	}
}

// iterate opens the branch of an iteration of b.
func (x *Execution) iterate(b *branch, ev *history.Event) {
	j := b.join
	child := x.open(b, b.state.(*asl.Map).Processor, ev.Index, ev.ID, ev.Items)
	child.item = &item{j.items.At(int(ev.Index))}
	j.next++
	j.running++
	x.spawnOrJoin(b)
}

// spawnOrJoin makes a Map ready if it may start another iteration.
func (x *Execution) spawnOrJoin(b *branch) {
	if b.join.mayStart() {
		x.enqueue(b, spawning)
		return
	}
	x.dequeue(b)
	b.phase = joining
}

// finish ends a branch of a Parallel or an iteration of a Map: its last event
// is ev.
func (x *Execution) finish(b *branch, ev *history.Event) {
	parent := b.parent
	j := parent.join
	j.outputs[b.index] = b.output
	if b.output != nil {
		j.bytes += int64(b.output.Size())
		x.outputs += int64(b.output.Size())
	}
	j.done++
	j.running--
	j.link = b.prev
	parent.prev = ev.ID
	x.drop(func(o *branch) bool { return o == b })
	if _, isMap := parent.state.(*asl.Map); isMap {
		x.spawnOrJoin(parent)
	}
}

// abandon drops all branches inside of b.
func (x *Execution) abandon(b *branch) {
	x.drop(func(o *branch) bool { return o.within(b) })
	x.dequeue(b)
	x.unjoin(b)
	b.task, b.phase = nil, inside
}

func (x *Execution) applyRetry(ev *history.Event) {
	r := ev.Retry
	b := x.branch(r.Branch)
	if b == nil {
		return
	}
	x.abandon(b)
	b.fallen = nil
	b.phase, b.due, b.prev = retrying, r.Due, r.Previous
	for int64(len(b.attempts)) <= r.Retrier {
		b.attempts = append(b.attempts, 0)
	}
	b.attempts[r.Retrier]++
	b.retries++
}
