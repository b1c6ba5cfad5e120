package interpreter

import (
	"fmt"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/value"
)

// Replayer rebuilds an execution from its events as [Replay] does, some of them
// at a time, so that a long history need not be in memory as a whole.
type Replayer struct{ x *Execution }

// NewReplayer begins with no events.
func NewReplayer(m *asl.StateMachine, info Info) *Replayer {
	return &Replayer{newExecution(m, info)}
}

// Add applies the events that follow. After an error the replayer is of no use.
func (r *Replayer) Add(events []history.Event) (err error) {
	var at *history.Event
	defer func() {
		// Events of another definition, or of none, can break anything.
		if broken := recover(); broken != nil {
			err = fmt.Errorf("interpreter: replay: event %d (%v) does not fit the definition: %v", at.ID, at.Type, broken)
		}
	}()
	for i := range events {
		at = &events[i]
		if err := r.x.replay(at); err != nil {
			return err
		}
	}
	return nil
}

// Unread is a running execution of which nothing is known but how many events it
// has and how often it was redriven, the last time at redriven (Unix
// milliseconds). It can be stopped, which takes no more, and nothing else: the
// tasks that its end cancels are not told.
func Unread(info Info, last, redrives, redriven int64) *Execution {
	x := newExecution(nil, info)
	x.last, x.redrives, x.redriven = last, redrives, redriven
	return x
}

// Execution is what the events so far add up to.
func (r *Replayer) Execution() *Execution { return r.x }

// largeDefinition is the weight, in bytes of memory, from which on an execution
// answers for its definition, too, though others may share it.
const largeDefinition = 8 << 20

// Held estimates the memory, in bytes, that the payloads of the execution hold, and
// its definition when that is a large one.
func (x *Execution) Held() int {
	w := holding{seen: make(map[*value.Doc]bool, 8)}
	if x.machine != nil && x.machine.Weight() > largeDefinition {
		w.bytes = int(x.machine.Weight())
	}
	w.add(x.input, x.output)
	for _, branches := range [][]*branch{x.live, x.over} {
		for _, b := range branches {
			w.branch(b)
		}
	}
	return w.bytes
}

// holding adds up documents, each counted once.
type holding struct {
	seen  map[*value.Doc]bool
	bytes int
}

func (w *holding) add(docs ...*value.Doc) {
	for _, d := range docs {
		if d != nil && !w.seen[d] {
			w.seen[d] = true
			w.bytes += d.Held()
		}
	}
}

// branchBytes is about what a branch takes without its payloads.
const branchBytes = 512

func (w *holding) branch(b *branch) {
	w.bytes += branchBytes
	w.add(b.input, b.output)
	for i := range b.vars {
		w.add(b.vars[i].Value)
	}
	if b.task != nil {
		w.add(b.task.input, b.task.submitted)
	}
	if b.join != nil {
		w.add(b.join.outputs...)
	}
	if b.fallen != nil {
		for _, inner := range b.fallen.inside {
			w.branch(inner)
		}
	}
}

// TaskInput is the input of the task that an event scheduled; nil when no branch
// awaits it.
func (x *Execution) TaskInput(cause int64) *value.Doc {
	if b := x.tasked(cause); b != nil {
		return b.task.input
	}
	return nil
}
