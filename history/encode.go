package history

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/value"
)

// The stored form of a run of events ("chunk"):
//
//	version (1 byte)
//	for each event:
//	  type (1 byte), then uvarints: id (the first event's, then left out),
//	  distance to previous+1 (0: no previous), milliseconds since the event
//	  before (zigzag), a mask of the fields that follow, the fields
//
// A string or payload is a uvarint: 0 and then length and bytes where it stands
// for the first time in the chunk, else the number of the earlier one. So a
// payload that passes through ten states is stored once.
//
// A chunk is what one commit adds to a history, so it must be read without the chunks
// before it: it begins with its own first id, its first time counts from 0, and its
// references lead nowhere but into itself. Payloads are compared by their document's
// identity, not by their bytes: the interpreter hands the same document on where a
// payload passes through, and comparing 256 KiB at each event would cost more than it
// saves. Strings are compared, but only with the last few.
//
// A reader of a later version must read every chunk that was ever written:
//
//   - event types and bits of the mask have fixed numbers; new ones go to the end, and
//     the order in which fields follow is that of their bits;
//   - a field that is zero has no bit and takes no room, so a new field costs nothing
//     in events that do not have it;
//   - another layout needs another version byte.
//
// Decode trusts nothing: lengths, references, types and numbers are checked before
// anything is made of them, since a disk may have damaged what it holds.
const version = 1

// The bits of an event's field mask, in the order of the fields.
const (
	hasName = 1 << iota
	hasInput
	hasOutput
	hasError
	hasCause
	hasResource
	hasTimeout
	hasHeartbeat
	hasIndex
	hasLength
	hasAssigned
	hasLocation
	hasWorker
	hasMapRun
	hasRole
	hasVersion
	hasAlias
	hasRedrive
	hasCredentials
	hasBranch
	hasDue
	hasRetry
	hasNext
	hasItems
	hasLimit
	hasFork
	hasToken
)

// private are the fields that the API leaves out, or does not show as a whole.
const private = hasCredentials | hasBranch | hasDue | hasRetry | hasNext | hasItems | hasLimit | hasFork | hasToken

// Encode appends the stored form of events, which must be consecutive.
func Encode(dst []byte, events []Event) []byte {
	if len(events) == 0 {
		return dst
	}
	var (
		strings [16]string
		docs    [16]*value.Doc
	)
	e := encoder{append(dst, version), strings[:0], docs[:0]} // most chunks have no more of them
	e.uint(uint64(events[0].ID))
	millis := int64(0)
	for i := range events {
		e.event(&events[i], millis)
		millis = events[i].Millis
	}
	return e.dst
}

// encoder appends one chunk. strings and docs are those that the chunk has so far;
// references are their numbers, from 1.
type encoder struct {
	dst     []byte
	strings []string
	docs    []*value.Doc
}

// uint and int append numbers as varints: most are one byte.
func (e *encoder) uint(n uint64) { e.dst = binary.AppendUvarint(e.dst, n) }
func (e *encoder) int(n int64)   { e.dst = binary.AppendVarint(e.dst, n) }

// str writes a string, or the number of the equal one before it. Chunks have
// few distinct strings, and equal ones mostly follow each other closely.
func (e *encoder) str(s string) {
	const window = 32
	for i := len(e.strings) - 1; i >= 0 && i >= len(e.strings)-window; i-- {
		if e.strings[i] == s {
			e.uint(uint64(i + 1))
			return
		}
	}
	e.strings = append(e.strings, s)
	e.uint(0)
	e.uint(uint64(len(s)))
	e.dst = append(e.dst, s...)
}

// doc writes a payload, or the number of the same document before it.
func (e *encoder) doc(d *value.Doc) {
	const window = 64
	for i := len(e.docs) - 1; i >= 0 && i >= len(e.docs)-window; i-- {
		if e.docs[i] == d {
			e.uint(uint64(i + 1))
			return
		}
	}
	e.docs = append(e.docs, d)
	e.uint(0)
	e.uint(uint64(d.Size()))
	e.dst = append(e.dst, d.Raw()...)
}

// event writes an event that follows one at the given time.
func (e *encoder) event(ev *Event, millis int64) {
	e.dst = append(e.dst, byte(ev.Type))
	if ev.Previous == 0 {
		e.uint(0)
	} else {
		e.uint(uint64(ev.ID - ev.Previous))
	}
	e.int(ev.Millis - millis)
	mask := ev.mask()
	e.uint(mask)
	for bit := uint64(1); bit <= mask; bit <<= 1 {
		if mask&bit != 0 {
			e.field(ev, bit)
		}
	}
}

// mask says which fields the event has: those that are not zero.
func (ev *Event) mask() uint64 {
	var mask uint64
	set := func(bit uint64, on bool) {
		if on {
			mask |= bit
		}
	}
	set(hasName, ev.Name != "")
	set(hasInput, ev.Input != nil)
	set(hasOutput, ev.Output != nil)
	set(hasError, ev.Failure.Error != nil)
	set(hasCause, ev.Failure.Cause != nil)
	set(hasResource, ev.Resource != "" || ev.ResourceType != "" || ev.Region != "")
	set(hasTimeout, ev.Timeout != 0)
	set(hasHeartbeat, ev.Heartbeat != 0)
	set(hasIndex, ev.Index != 0)
	set(hasLength, ev.Length != 0)
	set(hasAssigned, len(ev.Assigned) != 0)
	set(hasLocation, ev.Location != "")
	set(hasWorker, ev.Worker != "")
	set(hasMapRun, ev.MapRunArn != "")
	set(hasRole, ev.RoleArn != "")
	set(hasVersion, ev.VersionArn != "")
	set(hasAlias, ev.AliasArn != "")
	set(hasRedrive, ev.RedriveCount != 0)
	set(hasCredentials, ev.Credentials != nil)
	set(hasBranch, ev.Branch != 0)
	set(hasDue, ev.Due != 0)
	set(hasRetry, ev.Retry != nil)
	set(hasNext, ev.Next != "")
	set(hasItems, ev.Items != nil)
	set(hasLimit, ev.Limit != 0)
	set(hasFork, ev.Fork != nil)
	set(hasToken, ev.Token != "")
	return mask
}

// field writes one field; the decoder reads it by the same switch.
func (e *encoder) field(ev *Event, bit uint64) {
	switch bit {
	case hasName:
		e.str(ev.Name)
	case hasInput:
		e.doc(ev.Input)
	case hasOutput:
		e.doc(ev.Output)
	case hasError:
		e.str(*ev.Failure.Error)
	case hasCause:
		e.str(*ev.Failure.Cause)
	case hasResource:
		e.str(ev.ResourceType)
		e.str(ev.Resource)
		e.str(ev.Region)
	case hasTimeout:
		e.int(ev.Timeout)
	case hasHeartbeat:
		e.int(ev.Heartbeat)
	case hasIndex:
		e.int(ev.Index)
	case hasLength:
		e.int(ev.Length)
	case hasAssigned:
		e.uint(uint64(len(ev.Assigned)))
		for _, v := range ev.Assigned {
			e.str(v.Name)
			e.doc(v.Value)
		}
	case hasLocation:
		e.str(ev.Location)
	case hasWorker:
		e.str(ev.Worker)
	case hasMapRun:
		e.str(ev.MapRunArn)
	case hasRole:
		e.str(ev.RoleArn)
	case hasVersion:
		e.str(ev.VersionArn)
	case hasAlias:
		e.str(ev.AliasArn)
	case hasRedrive:
		e.int(ev.RedriveCount)
	case hasCredentials:
		e.doc(ev.Credentials)
	case hasBranch:
		e.int(ev.Branch)
	case hasDue:
		e.int(ev.Due - ev.Millis)
	case hasRetry:
		e.int(ev.Retry.Branch)
		e.int(ev.Retry.Retrier)
		e.int(ev.Retry.Due - ev.Millis)
		e.int(ev.Retry.Previous)
	case hasNext:
		e.str(ev.Next)
	case hasItems:
		e.doc(ev.Items)
	case hasLimit:
		e.int(ev.Limit)
	case hasFork:
		e.str(ev.Fork.ExecutionArn)
		e.int(ev.Fork.Event)
	case hasToken:
		e.str(ev.Token)
	}
}

// ErrCorrupt is wrapped by the error of a chunk that cannot be read.
var ErrCorrupt = errors.New("history: corrupt chunk")

// Decode reads the stored form of events and appends them to events. The
// documents of the events keep parts of data. ErrCorrupt.
func Decode(events []Event, data []byte) ([]Event, error) {
	if len(data) == 0 || data[0] != version {
		return events, fmt.Errorf("%w: unknown version", ErrCorrupt)
	}
	d := decoder{data: data[1:]}
	id := int64(d.uint())
	millis := int64(0)
	for len(d.data) > 0 && !d.bad {
		ev := d.event(id, millis)
		if d.bad {
			break
		}
		events = append(events, ev)
		millis = ev.Millis
		id++
	}
	if d.bad {
		return events, fmt.Errorf("%w: event %d", ErrCorrupt, id)
	}
	return events, nil
}

type decoder struct {
	data    []byte
	bad     bool
	strings []string
	docs    []*value.Doc
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.data)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.data = d.data[size:]
	return n
}

func (d *decoder) int() int64 {
	n, size := binary.Varint(d.data)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.data = d.data[size:]
	return n
}

func (d *decoder) fail() {
	d.bad = true
	d.data = nil
}

func (d *decoder) bytes() []byte {
	size := d.uint()
	if size > uint64(len(d.data)) {
		d.fail()
		return nil
	}
	b := d.data[:size:size]
	d.data = d.data[size:]
	return b
}

func (d *decoder) str() string {
	n := d.uint()
	if n > uint64(len(d.strings)) {
		d.fail()
		return ""
	}
	if n > 0 {
		return d.strings[n-1]
	}
	s := string(d.bytes())
	d.strings = append(d.strings, s)
	return s
}

func (d *decoder) doc() *value.Doc {
	n := d.uint()
	if n > uint64(len(d.docs)) {
		d.fail()
		return nil
	}
	if n > 0 {
		return d.docs[n-1]
	}
	doc := value.NewDoc(d.bytes())
	d.docs = append(d.docs, doc)
	return doc
}

func (d *decoder) event(id, millis int64) Event {
	ev := Event{ID: id}
	if len(d.data) == 0 || d.data[0] == 0 || int(d.data[0]) >= len(vocabulary) {
		d.fail()
		return ev
	}
	ev.Type = Type(d.data[0])
	d.data = d.data[1:]
	if back := d.uint(); back > 0 {
		ev.Previous = id - int64(back)
	}
	ev.Millis = millis + d.int()
	mask := d.uint()
	if mask >= hasToken<<1 {
		d.fail()
	}
	for bit := uint64(1); bit <= mask && !d.bad; bit <<= 1 {
		if mask&bit != 0 {
			d.field(&ev, bit)
		}
	}
	return ev
}

func (d *decoder) field(ev *Event, bit uint64) {
	switch bit {
	case hasName:
		ev.Name = d.str()
	case hasInput:
		ev.Input = d.doc()
	case hasOutput:
		ev.Output = d.doc()
	case hasError:
		ev.Failure.Error = new(d.str())
	case hasCause:
		ev.Failure.Cause = new(d.str())
	case hasResource:
		ev.ResourceType = d.str()
		ev.Resource = d.str()
		ev.Region = d.str()
	case hasTimeout:
		ev.Timeout = d.int()
	case hasHeartbeat:
		ev.Heartbeat = d.int()
	case hasIndex:
		ev.Index = d.int()
	case hasLength:
		ev.Length = d.int()
	case hasAssigned:
		ev.Assigned = d.assigned()
	case hasLocation:
		ev.Location = d.str()
	case hasWorker:
		ev.Worker = d.str()
	case hasMapRun:
		ev.MapRunArn = d.str()
	case hasRole:
		ev.RoleArn = d.str()
	case hasVersion:
		ev.VersionArn = d.str()
	case hasAlias:
		ev.AliasArn = d.str()
	case hasRedrive:
		ev.RedriveCount = d.int()
	case hasCredentials:
		ev.Credentials = d.doc()
	case hasBranch:
		ev.Branch = d.int()
	case hasDue:
		ev.Due = ev.Millis + d.int()
	case hasRetry:
		ev.Retry = &Retry{d.int(), d.int(), ev.Millis + d.int(), d.int()}
	case hasNext:
		ev.Next = d.str()
	case hasItems:
		ev.Items = d.doc()
	case hasLimit:
		ev.Limit = d.int()
	case hasFork:
		ev.Fork = &Fork{d.str(), d.int()}
	case hasToken:
		ev.Token = d.str()
	}
}

func (d *decoder) assigned() []Variable {
	n := d.uint()
	if n > uint64(len(d.data)) {
		d.fail()
		return nil
	}
	vars := make([]Variable, n)
	for i := range vars {
		vars[i] = Variable{d.str(), d.doc()}
	}
	return vars
}
