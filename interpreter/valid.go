package interpreter

import (
	"fmt"
	"slices"

	"github.com/steppehq/steppe/asl"
)

// Valid reports the first guarantee of the interpreter that the execution breaks
// between two steps, nil if it breaks none: for tests of what drives executions. The
// numbers are those in the documentation of the type branch.
func (x *Execution) Valid() error {
	for i, b := range x.live {
		if err := b.valid(); err != nil {
			return fmt.Errorf("interpreter: branch %d (%v): %w", b.number, b.phase, err)
		}
		if i > 0 && x.live[i-1].number >= b.number || b.number >= x.branches || b.parent != nil && !slices.Contains(x.live, b.parent) {
			return fmt.Errorf("interpreter: branch %d (%v): 1: it has the number of another one, or its parent is not live", b.number, b.phase)
		}
		if slices.Contains(x.ready, b) != b.phase.ready() {
			return fmt.Errorf("interpreter: branch %d (%v): 2: it is among those that can move, or is not", b.number, b.phase)
		}
	}
	return nil
}

// check panics where the execution breaks a guarantee. It is called in builds with
// the tag "invariants" only.
func (x *Execution) check() {
	if err := x.Valid(); err != nil {
		panic(err.Error() + "\n" + x.String())
	}
}

// ready reports whether a branch in that phase can move without news.
func (p phase) ready() bool {
	return p == arriving || p == spawning || p == starting || p == redoing || p == ending
}

// valid reports the first guarantee that the branch breaks, of those that need
// nothing but the branch itself.
func (b *branch) valid() error {
	_, isTask := b.state.(*asl.Task)
	_, isMap := b.state.(*asl.Map)
	_, isParallel := b.state.(*asl.Parallel)
	switch hasTask, joins := b.task != nil, b.phase == spawning || b.phase == joining; {
	case (b.parent == nil) != (b.number == 0):
		return fmt.Errorf("1: parent %v", b.parent)
	case b.parent != nil && b.parent.join == nil:
		return fmt.Errorf("1: its parent %d is %v and joins nothing", b.parent.number, b.parent.phase)
	case (b.to != nil) != (b.phase == arriving):
		return fmt.Errorf("3: to %v", b.to)
	case b.state == nil && b.phase != arriving:
		return fmt.Errorf("3: it is in no state")
	case hasTask != (b.phase == starting || b.phase == tasking):
		return fmt.Errorf("4: task %v", b.task)
	case hasTask && !isTask:
		return fmt.Errorf("4: it has a task in %T", b.state)
	case hasTask && b.task.submitted != nil && (!b.task.started || !job(b.task.resource)):
		return fmt.Errorf("5: the task of event %d has an answer to its submission", b.task.scheduled)
	case joins && (b.join == nil || !isMap && !isParallel):
		return fmt.Errorf("6: it joins nothing in %T", b.state)
	case joins && isMap && b.join.mayStart() != (b.phase == spawning):
		return fmt.Errorf("6: that it may start an iteration is %v", b.join.mayStart())
	case (b.phase == waiting || b.phase == retrying) && b.due == 0:
		return fmt.Errorf("7: it waits for no time")
	}
	return nil
}
