package transfer

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// The form of an export (docs/export.md): a JSON object a line, of which member
// "kind" says what it is; the first names format and version. Words and times
// are those of the API.
const (
	exportFormat  = "steppe-export"
	exportVersion = 1
)

// The kinds of lines after the first.
const (
	kindSecret    = "secret"
	kindActivity  = "activity"
	kindMachine   = "stateMachine"
	kindExecution = "execution"
	kindEnd       = "end"
)

type exportedHeader struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

// exportedEnd is the last line: what an export holds. One without it is cut.
type exportedEnd struct {
	Kind       string `json:"kind"`
	Machines   int    `json:"stateMachines"`
	Activities int    `json:"activities"`
	Executions int    `json:"executions"`
}

type exportedSecret struct {
	Kind         string `json:"kind"`
	TaskTokenKey []byte `json:"taskTokenKey"`
}

type exportedActivity struct {
	Kind       string          `json:"kind"`
	ARN        string          `json:"activityArn"`
	Created    seconds         `json:"creationDate"`
	Encryption json.RawMessage `json:"encryptionConfiguration,omitempty"`
	Tags       []catalogue.Tag `json:"tags,omitempty"`
}

// exportedMachine is a state machine with all that hangs on it. What it is now
// is one of its revisions.
type exportedMachine struct {
	Kind string `json:"kind"`
	// Number is what the executions of the export name it by.
	Number int    `json:"number"`
	ARN    string `json:"stateMachineArn"`
	// Status is ACTIVE, DELETING, or DELETED: of such a one there is nothing
	// but the revisions that executions were started with.
	Status    string                `json:"status"`
	Type      catalogue.MachineType `json:"type"`
	Created   seconds               `json:"creationDate,omitzero"`
	Updated   seconds               `json:"updateDate,omitzero"`
	Revision  decimal               `json:"revision"`
	Tags      []catalogue.Tag       `json:"tags,omitempty"`
	Published *string               `json:"publishedAtCreation,omitempty"` // a version's description
	Revisions []exportedRevision    `json:"revisions"`
	// LastVersion is the greatest number of a version that was given so far.
	LastVersion uint32            `json:"lastVersion,omitempty"`
	Versions    []exportedVersion `json:"versions,omitempty"`
	Aliases     []exportedAlias   `json:"aliases,omitempty"`
}

// The statuses of exported state machines.
const (
	machineActive   = "ACTIVE"
	machineDeleting = "DELETING"
	machineDeleted  = "DELETED"
)

type exportedRevision struct {
	Number     decimal         `json:"revision"`
	Definition string          `json:"definition"`
	RevisionID string          `json:"revisionId,omitempty"`
	RoleARN    string          `json:"roleArn,omitempty"`
	Updated    seconds         `json:"updateDate,omitzero"`
	Logging    json.RawMessage `json:"loggingConfiguration,omitempty"`
	Tracing    json.RawMessage `json:"tracingConfiguration,omitempty"`
	Encryption json.RawMessage `json:"encryptionConfiguration,omitempty"`
}

type exportedVersion struct {
	Number      uint32  `json:"version"`
	Revision    decimal `json:"revision"`
	Description string  `json:"description,omitempty"`
	Created     seconds `json:"creationDate"`
}

type exportedAlias struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Routes      []exportedRoute `json:"routingConfiguration"`
	Created     seconds         `json:"creationDate"`
	Updated     seconds         `json:"updateDate"`
	Shift       *exportedShift  `json:"shift,omitempty"` // the last one
}

type exportedRoute struct {
	Version uint32 `json:"version"`
	Weight  int    `json:"weight"`
}

type exportedShift struct {
	From       uint32                `json:"fromVersion"`
	To         uint32                `json:"toVersion"`
	First      int                   `json:"first"`
	Step       int                   `json:"step"`
	Every      string                `json:"every"`
	ErrorRate  *float64              `json:"errorRate,omitempty"`
	Status     catalogue.ShiftStatus `json:"status"`
	Reason     string                `json:"reason,omitempty"`
	Weight     int                   `json:"weight"`
	Started    seconds               `json:"startDate"`
	Next       seconds               `json:"nextStepDate,omitzero"`
	Ended      seconds               `json:"stopDate,omitzero"`
	Executions int64                 `json:"executions"`
	Failed     int64                 `json:"failed"`
}

// exportedExecution is what stands of an execution before its events, which are
// the last member of its line.
type exportedExecution struct {
	Kind        string        `json:"kind"`
	ARN         string        `json:"executionArn"`
	Machine     int           `json:"stateMachine"`
	Revision    decimal       `json:"revision"`
	ID          string        `json:"id"`
	Status      string        `json:"status"`
	Start       seconds       `json:"startDate"`
	Stop        seconds       `json:"stopDate,omitzero"`
	Redrives    int           `json:"redriveCount,omitempty"`
	Redriven    seconds       `json:"redriveDate,omitzero"`
	RoleARN     string        `json:"roleArn,omitempty"`
	VersionARN  string        `json:"stateMachineVersionArn,omitempty"`
	AliasARN    string        `json:"stateMachineAliasArn,omitempty"`
	TraceHeader string        `json:"traceHeader,omitempty"`
	Retention   int64         `json:"retentionInSeconds,omitempty"`
	Fork        *exportedFork `json:"forkOf,omitempty"`
	// Parent is the task that asked for the execution, Owes what is still to be brought
	// about for it elsewhere.
	Parent *exportedParent `json:"parent,omitempty"`
	Owes   []exportedOwed  `json:"owes,omitempty"`
	// Foreign reports that the history was recorded by AWS.
	Foreign bool `json:"foreign,omitempty"`
}

type exportedFork struct {
	ExecutionArn string `json:"executionArn"`
	Event        int64  `json:"event"`
}

// seconds is a time as the API has it: seconds since 1970 with three decimals.
type seconds time.Time

// IsZero is for encoding/json.
func (s seconds) IsZero() bool { return time.Time(s).IsZero() }

// MarshalJSON is for encoding/json.
func (s seconds) MarshalJSON() ([]byte, error) {
	return history.AppendSeconds(nil, time.Time(s).UnixMilli()), nil
}

// UnmarshalJSON is for encoding/json.
func (s *seconds) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.Abs(n) > 1<<43 {
		return fmt.Errorf("%s is no time in seconds since 1970", b)
	}
	*s = seconds(time.UnixMilli(int64(math.Round(n * 1000))).UTC())
	return nil
}

// decimal is a number that may be greater than what programs that read JSON
// keep exactly, so it is written as text.
type decimal uint64

// MarshalJSON is for encoding/json.
func (d decimal) MarshalJSON() ([]byte, error) {
	return append(strconv.AppendUint([]byte{'"'}, uint64(d), 10), '"'), nil
}

// UnmarshalJSON is for encoding/json.
func (d *decimal) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseUint(string(bytes.Trim(b, `"`)), 10, 64)
	if err != nil {
		return fmt.Errorf("%s is no number in quotes", b)
	}
	*d = decimal(n)
	return nil
}

// encodeLine writes a line. Unlike json.Marshal it leaves < > & as they are.
func encodeLine(line any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		panic(err) // plain fields, and JSON that was read before
	}
	return b.Bytes()
}

// decodeLine reads a line. What the line has and the structure has not is an
// error.
func decodeLine(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// portable is an execution on its way from one store to another.
type portable struct {
	meta   stored.Meta
	record store.Record // Machine is 0 in it, Meta is not there
	events []history.Event
	owed   []owed
}

// line writes the execution, of the state machine that has a number in the
// export.
func (p *portable) line(machine int) []byte {
	m, r := &p.meta, &p.record
	head := exportedExecution{
		Kind: kindExecution, ARN: m.ExecutionARN(), Machine: machine, Revision: decimal(m.Revision),
		ID: hex.EncodeToString(r.ID[:]), Status: r.Status.String(), Start: seconds(r.Start), Stop: seconds(r.Stop),
		Redrives: r.Redrives, Redriven: seconds(r.Redriven),
		RoleARN: m.RoleARN, VersionARN: m.VersionARN, AliasARN: m.AliasARN, TraceHeader: m.TraceHeader,
		Retention: m.Retention, Foreign: m.Foreign, Owes: exportOwed(p.owed),
	}
	if m.Parent != nil {
		head.Parent = exportParent(m.Parent.Execution(), m.Parent.Event)
	}
	if m.Fork != nil {
		head.Fork = new(exportedFork(*m.Fork))
	}
	b := bytes.TrimSuffix(encodeLine(&head), []byte("}\n"))
	b = append(b, `,"events":[`...)
	for i := range p.events {
		if i > 0 {
			b = append(b, ',')
		}
		b = p.events[i].AppendWhole(b)
	}
	return append(b, "]}\n"...)
}

// readPortable reads the line of an execution. It returns the number that its state
// machine has in the export.
func readPortable(line []byte, reader *history.Reader) (*portable, int, error) {
	p := new(portable)
	head, err := p.readEvents(value.NewScanner(line), reader)
	if err != nil {
		return nil, 0, err
	}
	var x exportedExecution
	if err := decodeLine(head, &x); err != nil {
		return nil, 0, err
	}
	if err := p.read(&x); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", x.ARN, err)
	}
	p.record.Last = int64(len(p.events))
	return p, x.Machine, nil
}

// readEvents reads the events of a line, and returns an object of all other
// members.
func (p *portable) readEvents(s *value.Scanner, reader *history.Reader) (head []byte, err error) {
	if s.Kind() != value.Object {
		return nil, errors.New("a line is an object")
	}
	err = s.Object(func(name string) error {
		if name == "events" && s.Kind() == value.Array {
			return s.Array(func() error {
				ev, err := reader.Event(s)
				if err != nil {
					return fmt.Errorf("event %d: %w", len(p.events)+1, err)
				}
				p.events = append(p.events, ev)
				return nil
			})
		}
		raw, err := s.Raw()
		head = append(append(value.AppendString(append(head, ','), name), ':'), raw...)
		return err
	})
	if err == nil {
		err = s.End()
	}
	if len(head) > 0 {
		head[0] = '{'
	}
	return append(head, '}'), err
}

// maxRetention is a hundred years, in seconds.
const maxRetention = 100 * 365 * 24 * 60 * 60

// parseExported reads the ARN of a kind of things in an export. Its parts become
// parts of keys: none may be what no tenant or name can be.
func parseExported(arn, kind string, parts int) (catalogue.Name, bool) {
	name, ok := catalogue.ParseARN(arn)
	if !ok || name.Kind != kind || len(name.Path) != parts {
		return name, false
	}
	for _, part := range append([]string{name.Account, name.Region}, name.Path...) {
		if part == "" || len(part) > 128 || strings.ContainsFunc(part, func(c rune) bool { return c == '/' || c == '#' || unicode.IsControl(c) }) {
			return name, false
		}
	}
	return name, true
}

// read takes what stands before the events.
func (p *portable) read(head *exportedExecution) error {
	name, ok := parseExported(head.ARN, "execution", 2)
	express := !ok
	if express {
		name, ok = parseExported(head.ARN, "express", 3)
	}
	switch {
	case !ok:
		return errors.New("executionArn is no ARN of an execution")
	case head.Retention < 0 || head.Retention > maxRetention:
		return fmt.Errorf("retentionInSeconds is %d, and cannot be", head.Retention)
	}
	p.meta = stored.Meta{
		Account: name.Account, Region: name.Region, MachineName: name.Path[0], Name: name.Path[1], Revision: uint64(head.Revision),
		RoleARN: head.RoleARN, VersionARN: head.VersionARN, AliasARN: head.AliasARN, TraceHeader: head.TraceHeader,
		Retention: head.Retention, Foreign: head.Foreign,
	}
	if express {
		p.meta.Type, p.meta.ID = catalogue.Express, name.Path[2]
	}
	if head.Fork != nil {
		p.meta.Fork = new(history.Fork(*head.Fork))
	}
	if head.Parent != nil {
		id, err := head.Parent.read()
		if err != nil {
			return fmt.Errorf("parent: %w", err)
		}
		p.meta.Parent = stored.NewParent(id, head.Parent.Event)
	}
	var err error
	if p.owed, err = readOwed(head.Owes); err != nil {
		return err
	}
	r := &p.record
	id, err := hex.DecodeString(head.ID)
	if err != nil || len(id) != len(r.ID) {
		return fmt.Errorf("id %q: it has 32 hexadecimal digits", head.ID)
	}
	r.ID = store.ExecutionID(id)
	if r.Status = store.StatusOf(head.Status); r.Status == 0 {
		return fmt.Errorf("there is no status %q", head.Status)
	}
	r.Start, r.Stop = time.Time(head.Start), time.Time(head.Stop)
	r.Redrives, r.Redriven = head.Redrives, time.Time(head.Redriven)
	if r.ID.Start().UnixMilli() != r.Start.UnixMilli() {
		return errors.New("id and startDate tell different times")
	}
	return nil
}
