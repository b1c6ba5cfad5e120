package engine

import (
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// letters adds what a transition sends: the jobs that it abandons are to be stopped, and
// who asked for an execution that ends may ask about it.
func (st *stepping) letters(t *store.Transition) {
	for i := range st.effects {
		if effect := &st.effects[i]; effect.Kind == interpreter.Cancel && isJob(&effect.Resource) {
			body := st.e.stored.EncodeStop(st.r.id, &stored.Stop{
				Meta: st.l.meta, Resource: effect.Resource.ARN, State: effect.StateName, Event: effect.Cause, Retry: effect.Retry, Timeout: effect.Timeout,
				Input: effect.Input, Credentials: effect.Credentials, Submitted: effect.Submitted,
			})
			t.Send = append(t.Send, store.Letter{Body: body})
		}
	}
	if parent := st.l.meta.Parent; parent != nil && t.Status != store.Running {
		t.Send = append(t.Send, store.Letter{To: parent.Execution(), Body: stored.EncodeAsk(parent.Event)})
	}
	for i := range t.Send {
		t.Send[i].ID = t.LetterID(i)
	}
	st.sent = t.Send
}
