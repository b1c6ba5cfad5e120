package engine

import (
	"encoding/binary"
	"encoding/json"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// letters adds what a transition sends: the jobs that it abandons are to be stopped, and
// who asked for an execution that ends may ask about it.
func (st *stepping) letters(t *store.Transition) {
	for i := range st.effects {
		if effect := &st.effects[i]; effect.Kind == interpreter.Cancel && isJob(&effect.Resource) {
			t.Send = append(t.Send, store.Letter{Body: st.e.encodeStop(&st.l.meta, st.r.id, effect)})
		}
	}
	if parent := st.l.meta.Parent; parent != nil && t.Status != store.Running {
		body := binary.AppendUvarint([]byte{askLetter}, uint64(parent.Event))
		t.Send = append(t.Send, store.Letter{To: parent.Execution(), Body: body})
	}
	for i := range t.Send {
		t.Send[i].ID = t.LetterID(i)
	}
	st.sent = t.Send
}

// encodeStop is the body of a letter that stops a job.
func (e *Engine) encodeStop(m *stored.Meta, id store.ExecutionID, effect *interpreter.Effect) []byte {
	header, err := json.Marshal(stopHeader{
		Meta: *m, Resource: effect.Resource.ARN, State: effect.StateName, Event: effect.Cause, Retry: effect.Retry, Timeout: effect.Timeout,
	})
	if err != nil {
		panic(err) // it has no value that JSON has not
	}
	events := []history.Event{{ID: letterEvents + effect.Cause, Type: history.TaskScheduled, Input: effect.Input, Credentials: effect.Credentials}}
	if effect.Submitted != nil {
		events = append(events, history.Event{ID: letterEvents + effect.Cause + 1, Type: history.TaskSubmitted, Output: effect.Submitted})
	}
	body := binary.AppendUvarint([]byte{stopLetter}, uint64(len(header)))
	return append(append(body, header...), e.stored.EncodeChunk(nil, m.Encryption, id, events)...)
}
