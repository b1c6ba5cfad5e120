package history

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/steppehq/steppe/value"
)

// Reader reads events in their wire form: as GetExecutionHistory returns them, as
// the AWS CLI prints them (with times as text), and as [Event.AppendWhole]
// writes them. Payloads with the same text become one document. The zero value
// is ready; it may not be used from two goroutines at once.
type Reader struct {
	// Lax has the reader pass over what it does not know or does not find, and
	// take payloads that are no JSON for text.
	Lax bool

	docs map[string]*value.Doc
	s    *value.Scanner // of the event that is being read
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

// Event reads the event that comes next. The error names the member that is not
// right. Members that the event's type has not are an error too, so that nothing
// is lost; after an error nothing more can be read.
func (r *Reader) Event(s *value.Scanner) (ev Event, err error) {
	if s.Kind() != value.Object {
		return ev, errors.New("an event is an object")
	}
	r.s = s
	var (
		typ, details string // the names of the type, and of the member with its details
		found        members
		head         int
	)
	err = r.object(func(name string) (bool, error) {
		switch name {
		case "timestamp":
			head++
			return r.time(&ev.Millis)
		case "id":
			head++
			return r.whole(&ev.ID)
		case "previousEventId":
			return r.whole(&ev.Previous)
		case "type":
			head++
			return r.str(&typ)
		case "private":
			return r.inside(func(name string) (bool, error) { return r.private(&ev, name) })
		}
		if !detailed[name] {
			return false, nil
		}
		if details != "" {
			return false, fmt.Errorf("there are %s, too", details)
		}
		details = name
		return r.inside(func(name string) (bool, error) { return r.detail(&ev, name, &found) })
	})
	ev.Type = types[typ]
	switch {
	case err != nil || r.Lax:
		return ev, err
	case head != 3:
		return ev, errors.New("an event has timestamp, id and type")
	case ev.Type == 0:
		return ev, fmt.Errorf("there is no event type %q", typ)
	}
	return ev, vocabulary[ev.Type].fits(details, found)
}

// detailed are the names of the members that hold details.
var detailed = func() map[string]bool {
	names := make(map[string]bool)
	for _, v := range vocabulary {
		names[v.member] = v.member != ""
	}
	return names
}()

// members is a set of the members that details have.
type members uint32

const (
	withName members = 1 << iota
	withState
	withInput
	withOutput
	withParameters
	withAssigned
	withError
	withCause
	withResource
	withResourceType
	withRegion
	withTimeout
	withHeartbeat
	withCredentials
	withIndex
	withLength
	withLocation
	withWorker
	withMapRun
	withRole
	withVersion
	withAlias
	withRedrives
	// inputDetails and its like: whether a payload was truncated.
	aboutInput
	aboutOutput
	aboutAssigned
)

// Members that come together.
const (
	aFailure  = withError | withCause
	anInput   = withInput | aboutInput
	anOutput  = withOutput | aboutOutput
	aTask     = withResourceType | withResource
	itsClocks = withTimeout | withHeartbeat
)

// anatomy holds which members details of a shape must have, and which they may.
var anatomy = [...]struct{ must, may members }{
	noShape:                {},
	failureShape:           {0, aFailure},
	activityScheduledShape: {withResource, anInput | itsClocks},
	workerShape:            {0, withWorker},
	outputShape:            {0, anOutput},
	enteredShape:           {withName, anInput},
	exitedShape:            {withName, anOutput | withAssigned | aboutAssigned},
	startedShape:           {0, anInput | withRole | withAlias | withVersion},
	lambdaScheduledShape:   {withResource, anInput | itsClocks | withCredentials},
	iterationShape:         {withName | withIndex, 0},
	lengthShape:            {withLength, 0},
	taskFailureShape:       {aTask, aFailure},
	taskScheduledShape:     {aTask | withRegion, withParameters | itsClocks | withCredentials},
	taskShape:              {aTask, 0},
	taskOutputShape:        {aTask, anOutput},
	mapRunShape:            {withMapRun, 0},
	redrivenShape:          {withRedrives, 0},
	mapRunRedrivenShape:    {withMapRun | withRedrives, 0},
	evaluationShape:        {withState, aFailure | withLocation},
}

// fits reports what details lack, or have that is not theirs.
func (k *kind) fits(details string, found members) error {
	a := anatomy[k.shape]
	switch {
	case details != k.member && k.member == "":
		return fmt.Errorf("%s: events of the type %s have none", details, k.name)
	case details != k.member:
		return fmt.Errorf("%s: it is missing", k.member)
	case found&a.must != a.must:
		return fmt.Errorf("%s: not all is there", details)
	case found&^(a.must|a.may) != 0:
		return fmt.Errorf("%s: there is more than events of the type %s have", details, k.name)
	}
	for _, both := range [...]members{anInput, anOutput, withAssigned | aboutAssigned} {
		if found&both != 0 && found&both != both {
			return fmt.Errorf("%s: a payload and what is told of it come together", details)
		}
	}
	return nil
}

// object reads an object, member by member. What read does not know is an error.
func (r *Reader) object(read func(name string) (known bool, err error)) error {
	return r.s.Object(func(name string) error {
		known, err := read(name)
		if err == nil && !known {
			if r.Lax {
				_, err = r.s.Raw()
				return err
			}
			err = errors.New("it is not known here")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// inside reads a member that is an object.
func (r *Reader) inside(read func(name string) (known bool, err error)) (bool, error) {
	if k := r.s.Kind(); k != value.Object {
		return true, wrongKind(k, value.Object)
	}
	return true, r.object(read)
}

// wrongKind is the error of a member of another JSON type.
func wrongKind(is, must value.Kind) error { return fmt.Errorf("its type is %v, not %v", is, must) }

// of reads a member of a kind.
func (r *Reader) of(kind value.Kind) (value.Value, error) {
	v, err := r.s.Value()
	if err == nil && v.Kind() != kind {
		err = wrongKind(v.Kind(), kind)
	}
	return v, err
}

// str reads a string.
func (r *Reader) str(to *string) (bool, error) {
	v, err := r.of(value.String)
	*to = v.Str()
	return true, err
}

// ptr reads a string that may be absent.
func (r *Reader) ptr(to **string) (bool, error) {
	*to = new(string)
	return r.str(*to)
}

// whole reads a number without decimals that is not negative.
func (r *Reader) whole(to *int64) (bool, error) {
	v, err := r.of(value.Number)
	if err != nil {
		return true, err
	}
	n, whole := v.Int64()
	if !whole || n < 0 {
		return true, fmt.Errorf("%v is no whole number", v)
	}
	*to = n
	return true, nil
}

// time reads seconds since 1970 with decimals, or a time as text, and gives
// milliseconds.
func (r *Reader) time(to *int64) (bool, error) {
	v, err := r.s.Value()
	if err != nil {
		return true, err
	}
	if seconds := v.Float64(); v.Kind() == value.Number && math.Abs(seconds) < 1<<43 {
		*to = int64(math.Round(seconds * 1000))
		return true, nil
	}
	at, err := time.Parse(time.RFC3339Nano, v.Str())
	if err != nil {
		return true, fmt.Errorf("%v is no time", v)
	}
	*to = at.UnixMilli()
	return true, nil
}

// doc reads a payload, which is JSON as text.
func (r *Reader) doc(to **value.Doc) (bool, error) {
	v, err := r.of(value.String)
	if err != nil {
		return true, err
	}
	text := v.Str()
	if *to = r.docs[text]; *to != nil {
		return true, nil
	}
	d, err := value.ParseText(text)
	switch {
	case err != nil && r.Lax:
		d = value.DocOf(v)
	case err != nil:
		return true, err
	}
	if r.docs == nil {
		r.docs = make(map[string]*value.Doc)
	}
	r.docs[text] = d
	*to = d
	return true, nil
}

// untruncated reads what the API tells of a payload, which is always the same.
func (r *Reader) untruncated() (bool, error) {
	return r.inside(func(name string) (bool, error) {
		if name != "truncated" {
			return false, nil
		}
		v, err := r.of(value.Bool)
		if v.Bool() {
			err = errors.New("what the history has is cut")
		}
		return true, err
	})
}

// credentials reads a task's credentials, of which the API shows the role.
func (r *Reader) credentials(to **value.Doc) (bool, error) {
	creds := value.NewObject(1)
	known, err := r.inside(func(name string) (bool, error) {
		if name != "roleArn" {
			return false, nil
		}
		role, err := r.of(value.String)
		creds.Set("RoleArn", role)
		return true, err
	})
	if *to == nil { // else the private facts have them all
		*to = value.DocOf(creds.Value())
	}
	return known, err
}

func (r *Reader) assigned(to *[]Variable) (bool, error) {
	return r.inside(func(name string) (bool, error) {
		v := Variable{Name: name}
		known, err := r.doc(&v.Value)
		*to = append(*to, v)
		return known, err
	})
}

// detail reads a member of the details.
func (r *Reader) detail(ev *Event, name string, found *members) (bool, error) {
	is := func(m members) { *found |= m }
	switch name {
	case "name":
		is(withName)
		return r.str(&ev.Name)
	case "state":
		is(withState)
		return r.str(&ev.Name)
	case "input":
		is(withInput)
		return r.doc(&ev.Input)
	case "inputDetails":
		is(aboutInput)
		return r.untruncated()
	case "output":
		is(withOutput)
		return r.doc(&ev.Output)
	case "outputDetails":
		is(aboutOutput)
		return r.untruncated()
	case "parameters":
		is(withParameters)
		return r.doc(&ev.Input)
	case "assignedVariables":
		is(withAssigned)
		return r.assigned(&ev.Assigned)
	case "assignedVariablesDetails":
		is(aboutAssigned)
		return r.untruncated()
	case "error":
		is(withError)
		return r.ptr(&ev.Failure.Error)
	case "cause":
		is(withCause)
		return r.ptr(&ev.Failure.Cause)
	case "resource":
		is(withResource)
		return r.str(&ev.Resource)
	case "resourceType":
		is(withResourceType)
		return r.str(&ev.ResourceType)
	case "region":
		is(withRegion)
		return r.str(&ev.Region)
	case "timeoutInSeconds":
		is(withTimeout)
		return r.whole(&ev.Timeout)
	case "heartbeatInSeconds":
		is(withHeartbeat)
		return r.whole(&ev.Heartbeat)
	case "taskCredentials":
		is(withCredentials)
		return r.credentials(&ev.Credentials)
	}
	return r.rareDetail(ev, name, is)
}

func (r *Reader) rareDetail(ev *Event, name string, is func(members)) (bool, error) {
	switch name {
	case "index":
		is(withIndex)
		return r.whole(&ev.Index)
	case "length":
		is(withLength)
		return r.whole(&ev.Length)
	case "location":
		is(withLocation)
		return r.str(&ev.Location)
	case "workerName":
		is(withWorker)
		return r.str(&ev.Worker)
	case "mapRunArn":
		is(withMapRun)
		return r.str(&ev.MapRunArn)
	case "roleArn":
		is(withRole)
		return r.str(&ev.RoleArn)
	case "stateMachineVersionArn":
		is(withVersion)
		return r.str(&ev.VersionArn)
	case "stateMachineAliasArn":
		is(withAlias)
		return r.str(&ev.AliasArn)
	case "redriveCount":
		is(withRedrives)
		return r.whole(&ev.RedriveCount)
	}
	return false, nil
}

// private reads a fact that the API leaves out.
func (r *Reader) private(ev *Event, name string) (bool, error) {
	switch name {
	case "branch":
		return r.whole(&ev.Branch)
	case "due":
		return r.time(&ev.Due)
	case "retry":
		ev.Retry = new(Retry)
		return r.inside(func(name string) (bool, error) { return r.retry(ev.Retry, name) })
	case "next":
		return r.str(&ev.Next)
	case "items":
		return r.doc(&ev.Items)
	case "limit":
		return r.whole(&ev.Limit)
	case "fork":
		ev.Fork = new(Fork)
		return r.inside(func(name string) (bool, error) {
			switch name {
			case "executionArn":
				return r.str(&ev.Fork.ExecutionArn)
			case "event":
				return r.whole(&ev.Fork.Event)
			}
			return false, nil
		})
	case "token":
		return r.str(&ev.Token)
	case "credentials":
		return r.doc(&ev.Credentials)
	}
	return false, nil
}

func (r *Reader) retry(to *Retry, name string) (bool, error) {
	switch name {
	case "branch":
		return r.whole(&to.Branch)
	case "retrier":
		return r.whole(&to.Retrier)
	case "due":
		return r.time(&to.Due)
	case "previousEventId":
		return r.whole(&to.Previous)
	}
	return false, nil
}
