package stored

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// The kinds of letters: the first byte of a body (docs/storage.md).
const (
	stopKind = 1 // a header, its length before it as uvarint; then a chunk of events
	askKind  = 2 // the event of the receiver that scheduled the task, as uvarint
)

// Stop is what a letter holds that asks for a job to be stopped. The job was submitted,
// or was about to be, by a task of the execution that sent the letter.
type Stop struct {
	// Meta is the sender's, which may be forgotten before the job is stopped.
	Meta Meta
	// Resource is the task's ARN, State the name of its state. Event scheduled it.
	Resource, State string
	Event           int64
	// Retry counts the attempts before this one. Timeout is in seconds, 0 for none.
	Retry, Timeout int64
	// Input and Credentials are those of the task. Submitted is what the submission
	// returned, nil where that is not known.
	Input, Credentials, Submitted *value.Doc
}

// stopHeader is what a letter says of a job beside its payloads. These are in events
// after it, which are encrypted where the execution's history is.
type stopHeader struct {
	Meta     Meta
	Resource string
	State    string
	Event    int64
	Retry    int64 `json:",omitempty"`
	Timeout  int64 `json:",omitempty"`
}

// letterEvents is what the numbers of the events in a letter begin at, so that
// what is encrypted for a letter can never be taken for a chunk of the history.
const letterEvents = 1 << 62

// ErrLetter reports that a letter cannot be read.
var ErrLetter = errors.New("stored: a letter cannot be read; it may be of a newer version")

// EncodeStop returns the body of a letter that an execution sends. If its history is
// encrypted, the key must be there.
func (x *Executions) EncodeStop(from store.ExecutionID, s *Stop) []byte {
	header, err := json.Marshal(stopHeader{s.Meta, s.Resource, s.State, s.Event, s.Retry, s.Timeout})
	if err != nil {
		panic(err) // it has no value that JSON has not
	}
	events := []history.Event{{ID: letterEvents + s.Event, Type: history.TaskScheduled, Input: s.Input, Credentials: s.Credentials}}
	if s.Submitted != nil {
		events = append(events, history.Event{ID: letterEvents + s.Event + 1, Type: history.TaskSubmitted, Output: s.Submitted})
	}
	body := binary.AppendUvarint([]byte{stopKind}, uint64(len(header)))
	return append(append(body, header...), x.EncodeChunk(nil, s.Meta.Encryption, from, events)...)
}

// DecodeStop reads a letter that EncodeStop has written. ErrLetter for another one;
// [*catalogue.KeyError].
func (x *Executions) DecodeStop(ctx context.Context, from store.ExecutionID, body []byte) (*Stop, error) {
	header, chunk, err := splitStop(body)
	if err != nil {
		return nil, err
	}
	first := letterEvents + header.Event
	events, err := x.DecodeChunk(ctx, nil, from, &store.Chunk{First: first, Last: first, Data: bytes.Clone(chunk)})
	if err != nil {
		return nil, err
	}
	if len(events) == 0 || len(events) > 2 {
		return nil, ErrLetter
	}
	s := &Stop{
		Meta: header.Meta, Resource: header.Resource, State: header.State, Event: header.Event, Retry: header.Retry, Timeout: header.Timeout,
		Input: events[0].Input, Credentials: events[0].Credentials,
	}
	if len(events) == 2 {
		s.Submitted = events[1].Output
	}
	return s, nil
}

// StopOf returns the event that scheduled the task whose job a letter stops; false for
// a letter that stops none. It needs no key.
func StopOf(body []byte) (event int64, ok bool) {
	header, _, err := splitStop(body)
	if err != nil {
		return 0, false
	}
	return header.Event, true
}

// splitStop reads the header of a letter that stops a job, and returns the chunk behind
// it.
func splitStop(body []byte) (*stopHeader, []byte, error) {
	if len(body) == 0 || body[0] != stopKind {
		return nil, nil, ErrLetter
	}
	size, n := binary.Uvarint(body[1:])
	if rest := body[1+max(n, 0):]; n > 0 && size <= uint64(len(rest)) {
		header := new(stopHeader)
		if err := json.Unmarshal(rest[:size], header); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrLetter, err)
		}
		return header, rest[size:], nil
	}
	return nil, nil, ErrLetter
}

// EncodeAsk returns the body of a letter by which a child tells its parent that the job
// has news which an event of the parent scheduled.
func EncodeAsk(event int64) []byte {
	return binary.AppendUvarint([]byte{askKind}, uint64(event))
}

// AskOf returns the event of a letter that EncodeAsk has written; false for another one.
func AskOf(body []byte) (event int64, ok bool) {
	if len(body) == 0 || body[0] != askKind {
		return 0, false
	}
	n, size := binary.Uvarint(body[1:])
	return int64(n), size > 0 && n < 1<<62 //nolint:gosec // it is in range
}
