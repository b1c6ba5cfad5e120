package api_test

import (
	"fmt"
	"slices"
	"strings"
)

// script is what a state machine of the model does: its states one after the
// other.
type script struct {
	name    string
	quick   bool  // it ends in its first step
	timeout int64 // TimeoutSeconds, 0 for none
	stages  []stage
}

// stage is one state of a script.
type stage struct {
	kind      string // Pass, Wait, Fail, Activity; Ask is a task that waits for its token
	seconds   int64  // of a Wait
	activity  string // the name of an Activity's
	timeout   int64  // of a task, in seconds, 0 for none; heartbeat likewise
	heartbeat int64
	retries   int // of the error Flaky, after retryAfter seconds each
}

const (
	retryAfter = 211
	flaky      = "Flaky"
)

// scripts are all that machines of the model do. No two clocks of one of them
// are due at the same time.
var scripts = []script{
	{name: "pass", quick: true, stages: []stage{{kind: "Pass"}}},
	{name: "fail", quick: true, stages: []stage{{kind: "Pass"}, {kind: "Fail"}}},
	{name: "wait", stages: []stage{{kind: "Wait", seconds: 3607}}},
	{name: "waits", stages: []stage{{kind: "Wait", seconds: 613}, {kind: "Pass"}, {kind: "Wait", seconds: 86413}}},
	{name: "long", stages: []stage{{kind: "Wait", seconds: 30_900_007}, {kind: "Fail"}}},
	{name: "timed", timeout: 7207, stages: []stage{{kind: "Wait", seconds: 613}, {kind: "Wait", seconds: 100_003}}},
	{name: "work", stages: []stage{{kind: "Activity", activity: "a0", heartbeat: 1801, timeout: 20_011}, {kind: "Pass"}}},
	{name: "rework", stages: []stage{{kind: "Pass"}, {kind: "Activity", activity: "a1", retries: 1}}},
	{name: "beats", timeout: 400_009, stages: []stage{{kind: "Activity", activity: "a0", heartbeat: 7213}}},
	{name: "ask", stages: []stage{{kind: "Ask", heartbeat: 3593, retries: 1}, {kind: "Pass"}}},
	{name: "asks", stages: []stage{{kind: "Ask", timeout: 50_021}, {kind: "Activity", activity: "a1", heartbeat: 907}, {kind: "Fail"}}},
}

// express reports whether an Express machine can do a script: it knows neither
// activities nor task tokens.
func (s *script) express() bool {
	return !slices.ContainsFunc(s.stages, func(st stage) bool { return st.kind == "Activity" || st.kind == "Ask" })
}

// definition writes a script in the States Language, for an account.
func (s *script) definition(account, comment string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"Comment":"%s %s","StartAt":"S0",`, s.name, comment)
	if s.timeout > 0 {
		fmt.Fprintf(&b, `"TimeoutSeconds":%d,`, s.timeout)
	}
	b.WriteString(`"States":{`)
	for i, st := range s.stages {
		fmt.Fprintf(&b, `"S%d":{`, i)
		switch st.kind {
		case "Pass":
			b.WriteString(`"Type":"Pass"`)
		case "Wait":
			fmt.Fprintf(&b, `"Type":"Wait","Seconds":%d`, st.seconds)
		case "Fail":
			b.WriteString(`"Type":"Fail","Error":"Bad","Cause":"because"}`)
			continue
		case "Activity":
			fmt.Fprintf(&b, `"Type":"Task","Resource":"%s","Parameters":{"execution.$":"$$.Execution.Id","input.$":"$"}`, arnOf(account, "activity", st.activity))
		case "Ask":
			b.WriteString(`"Type":"Task","Resource":"arn:aws:states:::fake:ask.waitForTaskToken","Parameters":{"execution.$":"$$.Execution.Id","token.$":"$$.Task.Token"}`)
		}
		if st.timeout > 0 {
			fmt.Fprintf(&b, `,"TimeoutSeconds":%d`, st.timeout)
		}
		if st.heartbeat > 0 {
			fmt.Fprintf(&b, `,"HeartbeatSeconds":%d`, st.heartbeat)
		}
		if st.retries > 0 {
			fmt.Fprintf(&b, `,"Retry":[{"ErrorEquals":["%s"],"IntervalSeconds":%d,"MaxAttempts":%d}]`, flaky, retryAfter, st.retries)
		}
		if i == len(s.stages)-1 {
			b.WriteString(`,"End":true}`)
		} else {
			fmt.Fprintf(&b, `,"Next":"S%d"},`, i+1)
		}
	}
	b.WriteString("}}")
	return b.String()
}

// execution is one of a Standard machine. Times are milliseconds since 1970, 0
// for none.
type execution struct {
	arn, name             string
	machine               *stateMachine
	revision              *machineRevision
	script                *script
	versionARN, aliasARN  string
	input                 string
	status                string
	start, stop           int64
	output, failed, cause *string
	events                []event

	at        int    // the stage that it is in
	data      string // the stage's input
	waiting   bool   // in a Wait
	retrying  bool   // between two attempts of a task
	task      *task  // that was scheduled
	due       int64  // when the Wait or the pause ends
	timeout   int64  // when the execution times out
	attempts  int
	redrives  int
	redriven  int64
	redriving []redriving // the newest last
	retention int64       // milliseconds
}

type event struct {
	kind string
	at   int64
}

type redriving struct {
	token string
	at    int64
}

// task is one attempt of a task.
type task struct {
	of       *execution
	stage    *stage
	activity string // its ARN, "" for an Ask
	token    string // "" as long as nobody knows it
	working  bool   // a worker has it, or it was asked
	due      int64
	beat     int64
}

func (x *execution) account() string { return x.machine.account }

func (x *execution) running() bool { return x.status == "RUNNING" }

func (x *execution) record(m *model, kinds ...string) {
	for _, kind := range kinds {
		x.events = append(x.events, event{kind, m.now})
	}
}

// begin starts an execution.
func (x *execution) begin(m *model) {
	x.status, x.start, x.data = "RUNNING", m.now, x.input
	if x.script.timeout > 0 {
		x.timeout = m.now + x.script.timeout*1000
	}
	x.record(m, "ExecutionStarted")
	x.walk(m)
}

// walk enters states until one has to wait.
func (x *execution) walk(m *model) {
	for x.running() && !x.blocked() {
		if x.at == len(x.script.stages) {
			x.output = &x.data
			x.close(m, "SUCCEEDED", "ExecutionSucceeded")
			return
		}
		x.enter(m)
	}
}

func (x *execution) blocked() bool { return x.waiting || x.retrying || x.task != nil }

func (x *execution) stage() *stage { return &x.script.stages[x.at] }

func (x *execution) enter(m *model) {
	switch st := x.stage(); st.kind {
	case "Pass":
		x.record(m, "PassStateEntered")
		x.leave(m, "PassStateExited")
	case "Wait":
		x.record(m, "WaitStateEntered")
		x.wait(m)
	case "Fail":
		x.record(m, "FailStateEntered")
		x.fail(m, new("Bad"), new("because"))
	case "Activity", "Ask":
		x.record(m, "TaskStateEntered")
		x.schedule(m)
	}
}

func (x *execution) wait(m *model) { x.waiting, x.due = true, m.now+x.stage().seconds*1000 }

// leave leaves a state. An execution whose machine is being deleted does not
// enter the next one.
func (x *execution) leave(m *model, exited string) {
	x.record(m, exited)
	x.waiting, x.due, x.task, x.attempts = false, 0, nil, 0
	x.at++
	if x.machine.deleting && x.at < len(x.script.stages) {
		x.close(m, "ABORTED", "ExecutionAborted")
	}
}

func (x *execution) schedule(m *model) {
	x.retrying, x.due = false, 0
	st := x.stage()
	x.task = &task{of: x, stage: st}
	if st.kind == "Activity" {
		x.task.activity = arnOf(x.account(), "activity", st.activity)
		if m.activities[x.task.activity] == nil {
			x.gone(m)
			return
		}
		m.lines[x.task.activity] = append(m.lines[x.task.activity], x.task)
		x.record(m, "ActivityScheduled")
		return
	}
	x.record(m, "TaskScheduled", "TaskStarted", "TaskSubmitted")
	m.asking = append(m.asking, x.task)
	x.task.clocks(m)
}

// gone ends an execution whose activity is not there.
func (x *execution) gone(m *model) {
	entered := 0
	for i := range x.events {
		if x.events[i].kind == "TaskStateEntered" {
			entered = i + 1
		}
	}
	cause := fmt.Sprintf("An error occurred while executing the state 'S%d' (entered at the event id #%d). Internal Error. "+
		"The activity '%s' does not exist in the account and region of the execution.", x.at, entered, x.task.activity)
	x.record(m, "ActivityScheduled", "ActivityScheduleFailed")
	x.fail(m, new("States.Runtime"), &cause)
}

// clocks start when a worker takes the task of an activity, and when any other
// is scheduled.
func (t *task) clocks(m *model) {
	t.working = true
	if t.stage.timeout > 0 {
		t.due = m.now + t.stage.timeout*1000
	}
	t.sign(m)
}

// sign takes a sign of life of a task.
func (t *task) sign(m *model) {
	if t.stage.heartbeat > 0 && t.working {
		t.beat = m.now + t.stage.heartbeat*1000
	}
}

// kind is the prefix of the task's events.
func (t *task) kind() string {
	if t.activity != "" {
		return "Activity"
	}
	return "Task"
}

func (t *task) succeed(m *model, output string) {
	x := t.of
	x.record(m, t.kind()+"Succeeded")
	x.data = output
	x.leave(m, "TaskStateExited")
	x.walk(m)
}

func (t *task) fail(m *model, how string, failed, cause *string) {
	x := t.of
	x.record(m, t.kind()+how)
	m.unline(t)
	x.task = nil
	if failed != nil && *failed == flaky && x.attempts < t.stage.retries {
		x.attempts++
		x.retrying, x.due = true, m.now+retryAfter*1000
		return
	}
	x.fail(m, failed, cause)
}

func (x *execution) fail(m *model, failed, cause *string) {
	x.failed, x.cause = failed, cause
	x.close(m, "FAILED", "ExecutionFailed")
}

// close ends an execution. Where it was is kept for a redrive.
func (x *execution) close(m *model, status, kind string) {
	x.record(m, kind)
	if x.task != nil {
		m.unline(x.task)
	}
	x.status, x.stop, x.due, x.timeout, x.task, x.waiting, x.retrying = status, m.now, 0, 0, nil, false, false
	m.closed(x)
}

// redrive has an execution go on: its last state does its work again.
func (x *execution) redrive(m *model, token string) {
	x.redrives++
	x.redriven = m.now
	x.redriving = append(x.redriving, redriving{token, m.now})
	x.status, x.stop, x.failed, x.cause, x.attempts = "RUNNING", 0, nil, nil, 0
	if x.script.timeout > 0 {
		x.timeout = m.now + x.script.timeout*1000
	}
	x.record(m, "ExecutionRedriven")
	switch x.stage().kind {
	case "Wait":
		x.wait(m)
	case "Activity", "Ask":
		x.schedule(m)
	default:
		x.walk(m)
	}
}

// next is when something is due.
func (x *execution) next() int64 {
	next := int64(0)
	clocks := []int64{x.due, x.timeout}
	if x.task != nil {
		clocks = append(clocks, x.task.due, x.task.beat)
	}
	for _, at := range clocks {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

// fire does what is due now.
func (x *execution) fire(m *model) {
	switch {
	case x.timeout == m.now:
		x.failed, x.cause = nil, nil
		x.close(m, "TIMED_OUT", "ExecutionTimedOut")
	case x.task != nil:
		x.task.fail(m, "TimedOut", new("States.Timeout"), nil)
	case x.waiting:
		x.leave(m, "WaitStateExited")
		x.walk(m)
	case x.retrying:
		x.schedule(m)
	}
}

// notRedrivable tells why an execution cannot be redriven.
func (x *execution) notRedrivable(m *model) string {
	const day = 24 * 3600 * 1000
	switch {
	case x.status == "RUNNING", x.status == "SUCCEEDED":
		return "Execution is " + x.status + " and cannot be redriven"
	case m.machines[x.machine.arn] != x.machine || x.machine.deleting:
		return "State machine is in DELETING status"
	case m.now-x.start > 365*day:
		return "Execution has exceeded the max execution time"
	case m.now-x.stop > 14*day:
		return "Execution redrivable period exceeded"
	}
	return ""
}

// listed is what a list tells of an execution.
func (x *execution) listed() obj {
	item := obj{
		"executionArn": x.arn, "stateMachineArn": x.machine.arn, "name": x.name, "status": x.status,
		"startDate": seconds(x.start), "redriveCount": float64(x.redrives),
	}
	item.time("stopDate", x.stop)
	item.time("redriveDate", x.redriven)
	item.text("stateMachineVersionArn", x.versionARN)
	item.text("stateMachineAliasArn", x.aliasARN)
	return item
}

// described is what DescribeExecution tells of an execution.
func (x *execution) described(m *model, data bool) obj {
	d := x.listed()
	d["redriveStatus"] = "REDRIVABLE"
	if reason := x.notRedrivable(m); reason != "" {
		d["redriveStatus"], d["redriveStatusReason"] = "NOT_REDRIVABLE", reason
	}
	if !data {
		return d
	}
	included := obj{"included": true}
	d["input"], d["inputDetails"] = x.input, included
	if x.output != nil {
		d["output"], d["outputDetails"] = *x.output, included
	}
	if x.failed != nil {
		d["error"] = *x.failed
	}
	if x.cause != nil {
		d["cause"] = *x.cause
	}
	return d
}
