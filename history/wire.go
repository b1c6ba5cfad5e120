package history

import (
	"strconv"

	"github.com/steppehq/steppe/value"
)

// # The wire form
//
// An event on the wire is the API's HistoryEvent: head (timestamp, type, id,
// previousEventId) and one member that is named after the type and holds its details. Which details
// these are depends on the shape of the type; the table anatomy says which members a shape must and
// may have, and the reader refuses an event with others, so that no import loses
// anything without a word.
//
// A payload is a string that holds JSON, with a sibling that says whether it was truncated
// (inputDetails, outputDetails; it never is here). TaskScheduled has its parameters without
// one, as in the model.
//
// AppendWhole adds a member "private" with what AWS does not show. Exports need it, since
// a history without it cannot be replayed while it runs.

// shape says which fields the details of an event have.
type shape uint8

const (
	noShape shape = iota
	failureShape
	activityScheduledShape
	workerShape
	outputShape
	enteredShape
	exitedShape
	startedShape
	lambdaScheduledShape
	iterationShape
	lengthShape
	taskFailureShape
	taskScheduledShape
	taskShape
	taskOutputShape
	mapRunShape
	redrivenShape
	mapRunRedrivenShape
	evaluationShape
)

// AppendJSON writes the event as the API's HistoryEvent. Without data, inputs
// and outputs are left out, as GetExecutionHistory does when
// includeExecutionData is false; a task's parameters stay, as on AWS.
func (ev *Event) AppendJSON(dst []byte, data bool) []byte {
	w := writer{dst: append(dst, '{'), data: data}
	w.event(ev)
	return append(w.dst, '}')
}

// AppendWhole writes the event as the API's HistoryEvent with one member more,
// "private", that has what the API leaves out. [Reader.Event] reads it.
func (ev *Event) AppendWhole(dst []byte) []byte {
	w := writer{dst: append(dst, '{'), data: true}
	w.event(ev)
	if ev.mask()&private != 0 {
		w.begin("private")
		w.private(ev)
		w.end()
	}
	return append(w.dst, '}')
}

// event writes the members that all events have, and the details.
func (w *writer) event(ev *Event) {
	w.dst = append(w.dst, `"timestamp":`...)
	w.dst = AppendSeconds(w.dst, ev.Millis)
	w.first = false
	w.str("type", ev.Type.String())
	w.num("id", ev.ID)
	w.num("previousEventId", ev.Previous)
	if v := vocabulary[ev.Type]; v.member != "" {
		w.begin(v.member)
		w.details(ev, v.shape)
		w.end()
	}
}

// AppendSeconds writes a time in milliseconds as the API does: seconds with
// three decimals.
func AppendSeconds(dst []byte, millis int64) []byte {
	if millis < 0 {
		dst, millis = append(dst, '-'), -millis
	}
	dst = strconv.AppendInt(dst, millis/1000, 10)
	rest := millis % 1000
	return append(dst, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
}

// writer appends JSON. first says that the next member is the first of its object.
type writer struct {
	dst   []byte
	data  bool
	first bool
}

// details writes the members of a shape, in the order in which AWS has them.
func (w *writer) details(e *Event, s shape) {
	switch s {
	case noShape:
	case failureShape:
		w.failure(e.Failure)
	case activityScheduledShape:
		w.str("resource", e.Resource)
		w.payload("input", e.Input)
		w.timeouts(e)
	case workerShape:
		w.opt("workerName", e.Worker)
	case outputShape:
		w.payload("output", e.Output)
	case enteredShape:
		w.str("name", e.Name)
		w.payload("input", e.Input)
	case exitedShape:
		w.str("name", e.Name)
		w.payload("output", e.Output)
		w.assigned(e.Assigned)
	case startedShape:
		w.payload("input", e.Input)
		w.opt("roleArn", e.RoleArn)
		w.opt("stateMachineAliasArn", e.AliasArn)
		w.opt("stateMachineVersionArn", e.VersionArn)
	case lambdaScheduledShape:
		w.str("resource", e.Resource)
		w.payload("input", e.Input)
		w.timeouts(e)
		w.credentials(e.Credentials)
	case iterationShape:
		w.str("name", e.Name)
		w.num("index", e.Index)
	case lengthShape:
		w.num("length", e.Length)
	case taskFailureShape:
		w.task(e)
		w.failure(e.Failure)
	case taskScheduledShape:
		w.task(e)
		w.str("region", e.Region)
		w.doc("parameters", e.Input)
		w.timeouts(e)
		w.credentials(e.Credentials)
	case taskShape:
		w.task(e)
	case taskOutputShape:
		w.task(e)
		w.payload("output", e.Output)
	case mapRunShape:
		w.str("mapRunArn", e.MapRunArn)
	case redrivenShape:
		w.num("redriveCount", e.RedriveCount)
	case mapRunRedrivenShape:
		w.str("mapRunArn", e.MapRunArn)
		w.num("redriveCount", e.RedriveCount)
	case evaluationShape:
		w.failure(e.Failure)
		w.opt("location", e.Location)
		w.str("state", e.Name)
	}
}

// private writes the facts that the API leaves out. Times are written as in the
// API, payloads as text.
func (w *writer) private(ev *Event) {
	w.positive("branch", ev.Branch)
	w.time("due", ev.Due)
	if r := ev.Retry; r != nil {
		w.begin("retry")
		w.num("branch", r.Branch)
		w.num("retrier", r.Retrier)
		w.time("due", r.Due)
		w.num("previousEventId", r.Previous)
		w.end()
	}
	w.opt("next", ev.Next)
	w.doc("items", ev.Items)
	w.positive("limit", ev.Limit)
	if f := ev.Fork; f != nil {
		w.begin("fork")
		w.str("executionArn", f.ExecutionArn)
		w.num("event", f.Event)
		w.end()
	}
	w.opt("token", ev.Token)
	w.doc("credentials", ev.Credentials)
}

// positive writes a number that is not 0.
func (w *writer) positive(name string, n int64) {
	if n != 0 {
		w.num(name, n)
	}
}

// time writes a time in milliseconds that is not 0.
func (w *writer) time(name string, millis int64) {
	if millis != 0 {
		w.name(name)
		w.dst = AppendSeconds(w.dst, millis)
	}
}

func (w *writer) name(name string) {
	if !w.first {
		w.dst = append(w.dst, ',')
	}
	w.first = false
	w.dst = append(append(append(w.dst, '"'), name...), '"', ':')
}

// begin begins a member that is an object, which ends with end.
func (w *writer) begin(name string) {
	w.name(name)
	w.dst = append(w.dst, '{')
	w.first = true
}

func (w *writer) end() {
	w.dst = append(w.dst, '}')
	w.first = false
}

func (w *writer) str(name, s string) {
	w.name(name)
	w.dst = value.AppendString(w.dst, s)
}

func (w *writer) opt(name, s string) {
	if s != "" {
		w.str(name, s)
	}
}

func (w *writer) num(name string, n int64) {
	w.name(name)
	w.dst = strconv.AppendInt(w.dst, n, 10)
}

// doc writes a payload as the text that the API's members hold.
func (w *writer) doc(name string, d *value.Doc) {
	if d != nil {
		w.str(name, d.String())
	}
}

func (w *writer) payload(name string, d *value.Doc) {
	if !w.data || d == nil {
		return
	}
	w.doc(name, d)
	w.truncated(name + "Details")
}

func (w *writer) truncated(name string) {
	w.name(name)
	w.dst = append(w.dst, `{"truncated":false}`...)
}

func (w *writer) failure(f ErrorOutput) {
	if f.Error != nil {
		w.str("error", *f.Error)
	}
	if f.Cause != nil {
		w.str("cause", *f.Cause)
	}
}

func (w *writer) timeouts(e *Event) {
	w.positive("timeoutInSeconds", e.Timeout)
	w.positive("heartbeatInSeconds", e.Heartbeat)
}

func (w *writer) task(e *Event) {
	w.str("resourceType", e.ResourceType)
	w.str("resource", e.Resource)
}

// credentials writes a task's credentials as the structure that the model has
// for them, which knows the role only.
func (w *writer) credentials(d *value.Doc) {
	if d == nil {
		return
	}
	w.begin("taskCredentials")
	if role := d.Value().Get("RoleArn"); role.Kind() == value.String {
		w.str("roleArn", role.Str())
	}
	w.end()
}

func (w *writer) assigned(vars []Variable) {
	if len(vars) == 0 || !w.data {
		return
	}
	w.begin("assignedVariables")
	for _, v := range vars {
		if !w.first {
			w.dst = append(w.dst, ',')
		}
		w.first = false
		w.dst = value.AppendString(w.dst, v.Name)
		w.dst = append(w.dst, ':')
		w.dst = value.AppendString(w.dst, v.Value.String())
	}
	w.end()
	w.truncated("assignedVariablesDetails")
}
