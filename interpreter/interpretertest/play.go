package interpretertest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/value"
)

// Played is what came of a script.
type Played struct {
	// History is what the script's file of that name holds.
	History string
	// Events and Effects are those of all steps, in order. After a fork, Events are
	// those of the fork.
	Events  []history.Event
	Effects []interpreter.Effect
	// Execution is the live execution at the end.
	Execution *interpreter.Execution
}

// play is one run of a script.
//
// It does what a server does, without the server. After each step it takes the events
// as committed and remembers the effects; lines of the script answer these by the state
// that they are of. What no script can see is checked on the way, and collected in
// errs: that the replay of all events so far is the live execution, with the same
// pending effects; that the stored and the wire form of the events lose nothing; that
// ids have no gap. Where Options.Env interrupts steps, the play continues as a server
// must: it replays what was recorded, and sends the message again if it has had no
// effect.
type play struct {
	script *Script
	o      Options
	info   interpreter.Info
	x      *interpreter.Execution
	now    time.Time
	events []history.Event
	tasks  map[string][]int64 // scheduled tasks, by the name of their state
	out    strings.Builder
	beaten bool // a heartbeat has moved a deadline
	errs   []error

	effects []interpreter.Effect
	sent    interpreter.MessageKind // the message of the step under way; 0 for none
}

// Play plays the script. The error is that of a line that cannot be played, such as
// one about a task that was never scheduled, or names the rules of the interpreter
// that the execution has broken.
func (s *Script) Play(o Options) (Played, error) {
	p := &play{
		script: s, o: o, now: time.UnixMilli(1_700_000_000_000), tasks: make(map[string][]int64),
		info: interpreter.Info{ARN: "arn:execution", Name: "x", StateMachineARN: "arn:machine", MachineName: "m", RoleARN: "arn:role", Region: "us-east-1", Seed: 42},
	}
	x, out := interpreter.Start(s.machine, p.info, value.NewDoc(s.input), p.env())
	p.x = x
	p.took(out)
	for i := range s.lines {
		l := &s.lines[i]
		fmt.Fprintf(&p.out, "> %s\n", l.text)
		if err := l.verb.do(p, l); err != nil {
			return Played{}, fmt.Errorf("%s: line %d: %w", scriptFile, l.number, err)
		}
	}
	damage(s.machine, p.info, p.events)
	return Played{p.out.String(), p.events, p.effects, p.x}, errors.Join(p.errs...)
}

// wrong notes a rule that the execution has broken.
func (p *play) wrong(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

func (p *play) env() interpreter.Env {
	env := interpreter.Env{Now: p.now, Limits: p.script.limits, Token: func(event int64) string { return fmt.Sprintf("token-%d", event) }}
	if p.o.Env != nil {
		env = p.o.Env(env)
	}
	return env
}

func (p *play) step(msg interpreter.Message) {
	p.sent = msg.Kind
	before := p.x.String()
	out := interpreter.Step(p.x, msg, p.env())
	if out.Interrupted != nil && len(out.Events) == 0 { // it has had no effect
		p.again(out)
		p.step(msg)
		return
	}
	if out.Stale {
		p.out.WriteString("stale\n")
		if len(out.Events) > 0 || p.x.String() != before {
			p.wrong("a stale message changed the execution")
		}
		return
	}
	p.took(out)
}

// took prints what a step decided, and compares the live execution with its
// replay. Events of a step that ran ahead are replayed together.
func (p *play) took(out interpreter.Outcome) {
	p.show(out)
	p.events = append(p.events, out.Events...)
	p.effects = append(p.effects, out.Effects...)
	if out.Interrupted != nil {
		p.again(out)
		switch {
		case p.x.Status() != interpreter.Running:
		case p.sent == interpreter.Wake: // not all that was due may have happened
			p.step(interpreter.Message{Kind: interpreter.Wake})
		case p.x.Ready():
			p.step(interpreter.Message{Kind: interpreter.Continue})
		}
		return
	}
	p.compare()
}

// compare holds the live execution against its replay.
func (p *play) compare() {
	last := p.x.Last()
	stored, err := history.Decode(nil, history.Encode(nil, p.events))
	if err != nil {
		p.wrong("after event %d the stored form cannot be read: %w", last, err)
		return
	}
	replayed, err := interpreter.Replay(p.script.machine, p.info, stored)
	if err != nil {
		p.wrong("after event %d the history cannot be replayed: %w", last, err)
		return
	}
	if !p.x.Whole() {
		p.wrong("the step ended in the middle, with event %d", last)
	}
	p.transport(stored)
	if err := p.x.Valid(); err != nil {
		p.wrong("after event %d: %w", last, err)
	}
	if diff := cmp.Diff(p.pending(p.x), p.pending(replayed)); diff != "" {
		p.wrong("after event %d the replay has other pending effects (-live +replayed):\n%s", last, diff)
	}
	live, again := p.x.String(), replayed.String()
	if p.beaten { // a heartbeat is in no event
		live, again = dueTimes.ReplaceAllString(live, ""), dueTimes.ReplaceAllString(again, "")
	}
	if diff := cmp.Diff(live, again); diff != "" {
		p.wrong("after event %d the replay differs (-live +replayed):\n%s", last, diff)
	}
}

var dueTimes = regexp.MustCompile(`due \d+`)

// again puts the replay of what there is, which must be whole, in the place of an
// execution whose step was interrupted.
func (p *play) again(out interpreter.Outcome) {
	if out.More || out.Stale || len(p.events) == 0 {
		p.wrong("interrupted by %v after %d events: more %v, stale %v", out.Interrupted, len(p.events), out.More, out.Stale)
	}
	x, err := interpreter.Replay(p.script.machine, p.info, p.events)
	if err != nil {
		p.wrong("after an interruption at event %d: %w", len(p.events), err)
		return
	}
	if !x.Whole() {
		p.wrong("after an interruption the history ends in the middle, with event %d:\n%v", x.Last(), x)
	}
	p.x = x
}

// pending shows what whoever takes an execution over has to perform.
func (p *play) pending(x *interpreter.Execution) (lines []string) {
	for _, e := range x.Pending(p.env().Token) {
		if !e.Again {
			p.wrong("the pending effect of event %d is not marked as returned before", e.Cause)
		}
		lines = append(lines, effectLine(e))
	}
	if (len(lines) > 0) != x.Owes() {
		p.wrong("%d effects are pending, and Owes is %v", len(lines), x.Owes())
	}
	return lines
}

// transport writes events in their whole wire form and reads them again:
// nothing may be lost.
func (p *play) transport(events []history.Event) {
	same := cmp.Comparer(func(a, b *value.Doc) bool { return (a == nil) == (b == nil) && (a == nil || a.String() == b.String()) })
	var r history.Reader
	for i := range events {
		read, err := r.Event(value.NewScanner(events[i].AppendWhole(nil)))
		if err != nil {
			p.wrong("the wire form of event %d cannot be read: %w", events[i].ID, err)
			return
		}
		if diff := cmp.Diff(events[i], read, same); diff != "" {
			p.wrong("event %d is lost on its way (-want +got):\n%s", events[i].ID, diff)
		}
	}
}
