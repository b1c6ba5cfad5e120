package transfer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// exportedParent names a task of an execution.
type exportedParent struct {
	ID    string `json:"id"`
	Event int64  `json:"event"`
}

// exportedOwed is a letter that an execution sent and whose effect is not known yet: one
// of the members.
type exportedOwed struct {
	Stop *exportedStop   `json:"stop,omitempty"`
	Ask  *exportedParent `json:"ask,omitempty"`
}

// exportedStop is a job that is to be stopped. Payloads are JSON as text.
type exportedStop struct {
	Resource    string  `json:"resource"`
	State       string  `json:"state"`
	Event       int64   `json:"event"`
	Retry       int64   `json:"retry,omitempty"`
	Timeout     int64   `json:"timeoutInSeconds,omitempty"`
	Input       *string `json:"input,omitempty"`
	Credentials *string `json:"credentials,omitempty"`
	Submitted   *string `json:"submitted,omitempty"`
}

// owed is a letter on its way from one store to another: a job that is to be stopped,
// or an event of another execution that is to be asked about.
type owed struct {
	stop  *stored.Stop
	to    store.ExecutionID
	event int64
}

// owedBy reads what an execution owes by its events up to the last of a record.
func (s *source) owedBy(ctx context.Context, r *store.Record) ([]owed, error) {
	letters, err := s.store.LettersOf(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	var all []owed
	for _, l := range letters {
		if l.ID.Event > r.Last {
			continue // it went on since
		}
		if event, ok := stored.AskOf(l.Body); ok {
			all = append(all, owed{to: l.To, event: event})
			continue
		}
		stop, err := s.stored.DecodeStop(ctx, r.ID, l.Body)
		if errors.Is(err, stored.ErrLetter) {
			err = fmt.Errorf("%w: %w", errUnreadable, err)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, owed{stop: stop})
	}
	return all, nil
}

// lettersOf are the letters that the commit of an imported execution sends.
func (s *source) lettersOf(p *portable) []store.Letter {
	letters := make([]store.Letter, len(p.owed))
	for i, o := range p.owed {
		if o.stop == nil {
			letters[i] = store.Letter{To: o.to, Body: stored.EncodeAsk(o.event)}
			continue
		}
		o.stop.Meta = p.meta
		letters[i] = store.Letter{Body: s.stored.EncodeStop(p.record.ID, o.stop)}
	}
	return letters
}

func exportParent(id store.ExecutionID, event int64) *exportedParent {
	return &exportedParent{ID: hex.EncodeToString(id[:]), Event: event}
}

// read returns the execution and the event that x names.
func (x *exportedParent) read() (id store.ExecutionID, err error) {
	b, err := hex.DecodeString(x.ID)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("id %q: it has 32 hexadecimal digits", x.ID)
	}
	if x.Event < 1 {
		return id, fmt.Errorf("event %d: events count from 1", x.Event)
	}
	return store.ExecutionID(b), nil
}

func exportOwed(all []owed) (exported []exportedOwed) {
	for _, o := range all {
		if o.stop == nil {
			exported = append(exported, exportedOwed{Ask: exportParent(o.to, o.event)})
			continue
		}
		exported = append(exported, exportedOwed{Stop: &exportedStop{
			Resource: o.stop.Resource, State: o.stop.State, Event: o.stop.Event, Retry: o.stop.Retry, Timeout: o.stop.Timeout,
			Input: textOf(o.stop.Input), Credentials: textOf(o.stop.Credentials), Submitted: textOf(o.stop.Submitted),
		}})
	}
	return exported
}

// readOwed reads what an execution owes, by its line.
func readOwed(exported []exportedOwed) (all []owed, err error) {
	for i, x := range exported {
		var o owed
		switch {
		case x.Ask != nil && x.Stop == nil:
			o.event = x.Ask.Event
			o.to, err = x.Ask.read()
		case x.Stop != nil && x.Ask == nil:
			o.stop, err = x.Stop.read()
		default:
			err = errors.New("it has either stop or ask")
		}
		if err != nil {
			return nil, fmt.Errorf("owes[%d]: %w", i, err)
		}
		all = append(all, o)
	}
	return all, nil
}

func (x *exportedStop) read() (*stored.Stop, error) {
	if _, ok := asl.ParseResource(x.Resource); !ok || x.Event < 1 {
		return nil, fmt.Errorf("event %d, resource %q: they name no task", x.Event, x.Resource)
	}
	s := &stored.Stop{Resource: x.Resource, State: x.State, Event: x.Event, Retry: x.Retry, Timeout: x.Timeout}
	for _, payload := range []struct {
		of   **value.Doc
		text *string
	}{{&s.Input, x.Input}, {&s.Credentials, x.Credentials}, {&s.Submitted, x.Submitted}} {
		if payload.text == nil {
			continue
		}
		doc, err := value.ParseDoc([]byte(*payload.text))
		if err != nil {
			return nil, err
		}
		*payload.of = doc
	}
	return s, nil
}

// textOf is a payload as text; nil for none.
func textOf(d *value.Doc) *string {
	if d == nil {
		return nil
	}
	return new(value.EscapeHalves(string(d.Raw())))
}
