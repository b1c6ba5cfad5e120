package interpreter

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/value"
)

// redriven asks for an execution to continue from where it failed, or from where
// another one was at some event.
type redriven struct {
	count int64
	input *value.Doc
	fork  *history.Fork
	token string
}

// redrive has an execution that failed, timed out or was aborted continue: every
// branch that had not come to its end does the work of its state again, with
// the same input, fresh Retriers and a fresh clock (RedriveExecution).
func (s *step) redrive(token string) {
	if s.x.status == Running || s.x.status == Succeeded || s.x.redrivenWith(token, s.now) {
		s.out.Stale = true
		return
	}
	s.revive(redriven{count: s.x.redrives + 1, token: token})
}

// A client token stands for the redrive it was given with as long as that is
// one of the last RedriveTokens and not older than RedriveTokenLife
// (RedriveExecution, clientToken).
const (
	RedriveTokens    = 10
	RedriveTokenLife = 15 * time.Minute
)

type redriveToken struct {
	text string
	at   int64 // milliseconds
}

// redrivenWith reports whether a client token stands for a redrive that was.
func (x *Execution) redrivenWith(token string, now int64) bool {
	return token != "" && slices.ContainsFunc(x.tokens, func(t redriveToken) bool {
		return t.text == token && now-t.at <= RedriveTokenLife.Milliseconds()
	})
}

func (s *step) revive(r redriven) {
	ev := history.Event{
		Type: history.ExecutionRedriven, Previous: s.x.last, RedriveCount: r.count,
		Private: history.Private{Items: r.input, Fork: r.fork, Token: r.token},
	}
	if seconds := s.x.machine.TimeoutSeconds; seconds > 0 {
		ev.Due = s.now + seconds*1000
	}
	s.record(nil, &ev)
}

// Fork begins an execution that takes up where another one, of a definition
// with the same states, was at the last of the given events: they become the
// first ones of its own history. What was under way then is begun again. input,
// where it is not nil, stands instead of the input of the state that the last
// event's branch is in or arrives at. The outcome holds only what follows the
// given events. The error tells why the events do not fit the definition.
func Fork(m *asl.StateMachine, info Info, events []history.Event, from history.Fork, input *value.Doc, env Env) (*Execution, Outcome, error) {
	x, err := Replay(m, info, events)
	if err != nil {
		return nil, Outcome{}, err
	}
	s := newStep(x, env)
	s.revive(redriven{input: input, fork: &from})
	if b := x.branch(x.at); input != nil && (b == nil || b.phase == ending || b.join != nil) {
		return nil, Outcome{}, fmt.Errorf("interpreter: after event %d no state begins that could take another input", from.Event)
	}
	s.run()
	return x, s.out, nil
}

// fallen is the inside of a Parallel or Map state that failed, kept for a
// redrive, which continues with what had not come to its end.
type fallen struct {
	join   *join
	inside []*branch
}

// fall takes a state's inside out of the execution after it failed.
func (x *Execution) fall(b *branch) {
	f := &fallen{join: b.join}
	for _, o := range x.live {
		if o.within(b) {
			f.inside = append(f.inside, o)
		}
	}
	x.abandon(b)
	if f.join != nil {
		b.fallen = f
	}
}

// applyRedrive opens an execution again.
func (x *Execution) applyRedrive(ev *history.Event) {
	if x.status != Running {
		x.live = x.over
	}
	x.status, x.failure, x.output, x.over = Running, history.ErrorOutput{}, nil, nil
	x.due = ev.Due
	if ev.Fork != nil {
		x.started = ev.Millis
	} else {
		x.redrives, x.redriven = ev.RedriveCount, ev.Millis
		x.tokens = append(x.tokens[max(0, len(x.tokens)-RedriveTokens+1):], redriveToken{ev.Token, ev.Millis})
	}
	x.ready = nil
	for i := 0; i < len(x.live); i++ {
		b := x.live[i]
		if b.fallen == nil {
			continue
		}
		// A state that failed after all inside of it had come to its end is
		// done again as a whole (AWS: States.DataLimitExceeded).
		if f := b.fallen; f.join.done < int64(len(f.join.outputs)) {
			b.join = f.join
			x.live = append(x.live, f.inside...)
		}
		b.fallen = nil
	}
	slices.SortFunc(x.live, func(a, b *branch) int { return cmp.Compare(a.number, b.number) })
	x.recount()
	for _, b := range x.live {
		if ev.Items != nil && b.number == x.at {
			b.input = ev.Items
		}
		x.takeUp(b, ev)
	}
}

// takeUp has a branch continue after a redrive.
func (x *Execution) takeUp(b *branch, ev *history.Event) {
	b.prev, b.attempts, b.retries, b.task = ev.ID, nil, 0, nil
	if b.phase == ended || b.phase == ending || b.join != nil && b.join.done == int64(len(b.join.outputs)) {
		x.enqueue(b, ending)
		return
	}
	if b.join != nil {
		b.join.link = ev.ID
		b.phase = joining
		if _, isMap := b.state.(*asl.Map); isMap {
			x.spawnOrJoin(b)
		}
		return
	}
	if b.to != nil {
		x.enqueue(b, arriving)
		return
	}
	switch st := b.state.(type) {
	case *asl.Fail:
		b.to = st
		x.enqueue(b, arriving)
	case *asl.Wait:
		if b.due == 0 { // it failed
			b.to = st
			x.enqueue(b, arriving)
			return
		}
		if st.Seconds != nil {
			b.due = ev.Millis + b.span
		}
		b.phase = waiting
	case *asl.Pass, *asl.Task, *asl.Choice, *asl.Succeed, *asl.Parallel, *asl.Map:
		b.due = 0
		x.enqueue(b, redoing)
	}
}

// finishEnding ends a branch, or joins a state, that had come to its end when
// the event was recorded from which an execution continues.
func (s *step) finishEnding(b *branch) {
	if b.phase != ending {
		return
	}
	if b.join == nil {
		s.ended(b)
		return
	}
	switch st := b.state.(type) {
	case *asl.Parallel:
		s.joinParallel(b, st)
	case *asl.Map:
		s.joinMap(b, st)
	case *asl.Pass, *asl.Task, *asl.Choice, *asl.Wait, *asl.Succeed, *asl.Fail:
	}
}
