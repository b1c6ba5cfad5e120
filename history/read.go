package history

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/steppehq/steppe/value"
)

// Reader reads events in their wire form: as GetExecutionHistory gives them, as
// the AWS CLI prints them (with times as text), and as [Event.AppendWhole]
// writes them. Payloads with the same text become one document. The zero value
// is ready; it may not be used from two goroutines at once.
type Reader struct {
	// Lax has the reader pass over members that it does not know, and take
	// payloads that are no JSON for text.
	Lax bool

	docs map[string]*value.Doc
}

// Forget has the reader keep no more of what it has read.
func (r *Reader) Forget() { clear(r.docs) }

// types finds a type by its name.
var types = func() map[string]Type {
	byName := make(map[string]Type, len(vocabulary))
	for _, t := range Types() {
		byName[t.String()] = t
	}
	return byName
}()

// Event reads an event. The error names the member that is not right. Members
// that the event's type has not are an error too, so that nothing is lost.
func (r *Reader) Event(v value.Value) (Event, error) {
	var ev Event
	if v.Kind() != value.Object {
		return ev, errors.New("an event is an object")
	}
	o := r.object(v)
	ev.Millis = o.time("timestamp")
	ev.ID, ev.Previous = o.num("id"), o.num("previousEventId")
	name := o.str("type")
	ev.Type = types[name]
	if o.err == nil && ev.Type == 0 && !r.Lax {
		return ev, fmt.Errorf("there is no event type %q", name)
	}
	if v := vocabulary[ev.Type]; v.member != "" {
		o.inside(v.member, true, func(o *object) { o.details(&ev, v.shape) })
	}
	o.inside("private", false, func(o *object) { o.private(&ev) })
	return ev, o.end()
}

// object is a JSON object whose members are read one by one. The first that is
// not right is the error.
type object struct {
	r     *Reader
	v     value.Value
	known int // members that were read
	err   error
}

func (r *Reader) object(v value.Value) *object { return &object{r: r, v: v} }

func (o *object) fail(name, format string, args ...any) {
	if o.err == nil {
		o.err = fmt.Errorf("%s: "+format, append([]any{name}, args...)...)
	}
}

// end tells what was not right, or not read.
func (o *object) end() error {
	if o.err != nil || o.r.Lax || o.known == o.v.Len() {
		return o.err
	}
	return fmt.Errorf("of the members %s, %d are not known here", strings.Join(o.v.Names(), ", "), o.v.Len()-o.known)
}

// member gives a member of a kind. It is false when there is none, which is an
// error if it must be there.
func (o *object) member(name string, kind value.Kind, must bool) (value.Value, bool) {
	v, ok := o.v.Lookup(name)
	switch {
	case ok && v.Kind() == kind:
		o.known++
		return v, true
	case ok:
		o.fail(name, "its type is %v, not %v", v.Kind(), kind)
	case must && !o.r.Lax:
		o.fail(name, "it is missing")
	}
	return value.Value{}, false
}

// inside reads a member that is an object.
func (o *object) inside(name string, must bool, read func(*object)) {
	v, ok := o.member(name, value.Object, must)
	if !ok {
		return
	}
	inner := o.r.object(v)
	read(inner)
	if err := inner.end(); err != nil {
		o.fail(name, "%w", err)
	}
}

func (o *object) str(name string) string {
	v, _ := o.member(name, value.String, true)
	return v.Str()
}

func (o *object) opt(name string) string {
	v, _ := o.member(name, value.String, false)
	return v.Str()
}

func (o *object) ptr(name string) *string {
	v, ok := o.member(name, value.String, false)
	if !ok {
		return nil
	}
	return new(v.Str())
}

func (o *object) whole(name string, must bool) int64 {
	v, ok := o.member(name, value.Number, must)
	if !ok {
		return 0
	}
	n, whole := v.Int64()
	if !whole || n < 0 {
		o.fail(name, "%v is no whole number", v)
	}
	return n
}

func (o *object) num(name string) int64      { return o.whole(name, true) }
func (o *object) positive(name string) int64 { return o.whole(name, false) }

// time reads seconds since 1970 with decimals, or a time as text, and gives
// milliseconds; 0 when it is not there.
func (o *object) time(name string) int64 {
	v, ok := o.v.Lookup(name)
	if !ok {
		if name == "timestamp" {
			o.fail(name, "it is missing")
		}
		return 0
	}
	o.known++
	switch v.Kind() {
	case value.Number:
		if seconds := v.Float64(); math.Abs(seconds) < 1<<43 {
			return int64(math.Round(seconds * 1000))
		}
	case value.String:
		if at, err := time.Parse(time.RFC3339Nano, v.Str()); err == nil {
			return at.UnixMilli()
		}
	default:
	}
	o.fail(name, "%v is no time", v)
	return 0
}

// doc reads a payload, which is JSON as text.
func (o *object) doc(name string) *value.Doc {
	v, ok := o.member(name, value.String, false)
	if !ok {
		return nil
	}
	text := v.Str()
	if d := o.r.docs[text]; d != nil {
		return d
	}
	d, err := value.ParseDoc([]byte(text))
	switch {
	case err != nil && o.r.Lax:
		d = value.DocOf(v)
	case err != nil:
		o.fail(name, "%w", err)
	}
	if o.r.docs == nil {
		o.r.docs = make(map[string]*value.Doc)
	}
	o.r.docs[text] = d
	return d
}

// payload reads a payload that the API tells something about.
func (o *object) payload(name string) *value.Doc {
	d := o.doc(name)
	if d != nil {
		o.untruncated(name + "Details")
	}
	return d
}

func (o *object) untruncated(name string) {
	o.inside(name, true, func(o *object) {
		if cut, _ := o.member("truncated", value.Bool, true); cut.Bool() {
			o.fail("truncated", "what the history has is cut")
		}
	})
}

func (o *object) failure(f *ErrorOutput) { f.Error, f.Cause = o.ptr("error"), o.ptr("cause") }

func (o *object) timeouts(e *Event) {
	e.Timeout, e.Heartbeat = o.positive("timeoutInSeconds"), o.positive("heartbeatInSeconds")
}

func (o *object) task(e *Event) {
	e.ResourceType, e.Resource = o.str("resourceType"), o.str("resource")
}

// credentials reads a task's credentials, of which the API shows the role.
func (o *object) credentials(e *Event) {
	o.inside("taskCredentials", false, func(o *object) {
		creds := value.NewObject(1)
		if role := o.ptr("roleArn"); role != nil {
			creds.Set("RoleArn", value.Str(*role))
		}
		e.Credentials = value.DocOf(creds.Value())
	})
}

func (o *object) assigned(e *Event) {
	v, ok := o.member("assignedVariables", value.Object, false)
	if !ok {
		return
	}
	inner := o.r.object(v)
	for _, name := range v.Names() {
		e.Assigned = append(e.Assigned, Variable{name, inner.doc(name)})
	}
	if err := inner.end(); err != nil {
		o.fail("assignedVariables", "%w", err)
	}
	o.untruncated("assignedVariablesDetails")
}

// details reads what the writer's details write.
func (o *object) details(e *Event, s shape) {
	switch s {
	case noShape:
	case failureShape:
		o.failure(&e.Failure)
	case activityScheduledShape:
		e.Resource = o.str("resource")
		e.Input = o.payload("input")
		o.timeouts(e)
	case workerShape:
		e.Worker = o.opt("workerName")
	case outputShape:
		e.Output = o.payload("output")
	case enteredShape:
		e.Name = o.str("name")
		e.Input = o.payload("input")
	case exitedShape:
		e.Name = o.str("name")
		e.Output = o.payload("output")
		o.assigned(e)
	case startedShape:
		e.Input = o.payload("input")
		e.RoleArn, e.AliasArn, e.VersionArn = o.opt("roleArn"), o.opt("stateMachineAliasArn"), o.opt("stateMachineVersionArn")
	case lambdaScheduledShape:
		e.Resource = o.str("resource")
		e.Input = o.payload("input")
		o.timeouts(e)
		o.credentials(e)
	case iterationShape:
		e.Name, e.Index = o.str("name"), o.num("index")
	case lengthShape:
		e.Length = o.num("length")
	case taskFailureShape:
		o.task(e)
		o.failure(&e.Failure)
	case taskScheduledShape:
		o.task(e)
		e.Region, e.Input = o.str("region"), o.doc("parameters")
		o.timeouts(e)
		o.credentials(e)
	case taskShape:
		o.task(e)
	case taskOutputShape:
		o.task(e)
		e.Output = o.payload("output")
	case mapRunShape:
		e.MapRunArn = o.str("mapRunArn")
	case redrivenShape:
		e.RedriveCount = o.num("redriveCount")
	case mapRunRedrivenShape:
		e.MapRunArn, e.RedriveCount = o.str("mapRunArn"), o.num("redriveCount")
	case evaluationShape:
		o.failure(&e.Failure)
		e.Location, e.Name = o.opt("location"), o.str("state")
	}
}

// private reads what the writer's private writes.
func (o *object) private(e *Event) {
	e.Branch, e.Due = o.positive("branch"), o.time("due")
	o.inside("retry", false, func(o *object) {
		e.Retry = &Retry{Branch: o.num("branch"), Retrier: o.num("retrier"), Due: o.time("due"), Previous: o.num("previousEventId")}
	})
	e.Next, e.Items, e.Limit = o.opt("next"), o.doc("items"), o.positive("limit")
	o.inside("fork", false, func(o *object) {
		e.Fork = &Fork{ExecutionArn: o.str("executionArn"), Event: o.num("event")}
	})
	e.Token = o.opt("token")
	if creds := o.doc("credentials"); creds != nil {
		e.Credentials = creds
	}
}
