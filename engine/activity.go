package engine

import (
	"errors"
	"sync"

	"github.com/steppehq/steppe/store"
)

// activityTask is a task in line for a worker.
type activityTask struct {
	id    effectID
	token string
}

// activities holds the lines of tasks, one for each activity. They derive from
// the running executions, as timers do.
type activities struct {
	mu      sync.Mutex
	lines   map[string]*activityLine
	waiting map[effectID]string // the tasks in all lines, with their activity
}

type activityLine struct {
	tasks   []activityTask
	pollers []chan activityTask
}

func (a *activities) init() {
	a.lines = make(map[string]*activityLine)
	a.waiting = make(map[effectID]string)
}

func (a *activities) line(arn string) *activityLine {
	l := a.lines[arn]
	if l == nil {
		l = new(activityLine)
		a.lines[arn] = l
	}
	return l
}

func (a *activities) has(id store.ExecutionID, event int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.waiting[effectID{id, event}]
	return ok
}

// add puts a task in line, or hands it to a worker that waits.
func (a *activities) add(arn string, t activityTask) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, twice := a.waiting[t.id]; twice {
		return
	}
	l := a.line(arn)
	if len(l.pollers) > 0 {
		l.pollers[0] <- t
		l.pollers = l.pollers[1:]
		return
	}
	l.tasks = append(l.tasks, t)
	a.waiting[t.id] = arn
}

// cancel takes a task out of its line.
func (a *activities) cancel(arn string, id effectID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.waiting[id]; !ok {
		return
	}
	delete(a.waiting, id)
	l := a.lines[arn]
	for i := range l.tasks {
		if l.tasks[i].id == id {
			l.tasks = append(l.tasks[:i], l.tasks[i+1:]...)
			break
		}
	}
	if len(l.tasks) == 0 && len(l.pollers) == 0 {
		delete(a.lines, arn)
	}
}

// cancelAll takes the tasks of an execution out of their lines.
func (a *activities) cancelAll(id store.ExecutionID) {
	a.mu.Lock()
	var tasks []effectID
	for task := range a.waiting {
		if task.execution == id {
			tasks = append(tasks, task)
		}
	}
	arns := make([]string, len(tasks))
	for i, task := range tasks {
		arns[i] = a.waiting[task]
	}
	a.mu.Unlock()
	for i, task := range tasks {
		a.cancel(arns[i], task)
	}
}

// MaxPollers is how many workers may poll one activity at once (AWS's quota).
const MaxPollers = 1000

// ErrTooManyPollers reports that [MaxPollers] workers poll the activity already.
var ErrTooManyPollers = errors.New("engine: too many workers poll the activity")

// next returns the first task in line, or a channel on which one will come.
func (a *activities) next(arn string) (activityTask, chan activityTask, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.line(arn)
	if len(l.tasks) > 0 {
		t := l.tasks[0]
		l.tasks = l.tasks[1:]
		delete(a.waiting, t.id)
		return t, nil, nil
	}
	if len(l.pollers) >= MaxPollers {
		return activityTask{}, nil, ErrTooManyPollers
	}
	c := make(chan activityTask, 1)
	l.pollers = append(l.pollers, c)
	return activityTask{}, c, nil
}

// leave ends a worker's waiting. It returns the task that had come in between.
func (a *activities) leave(arn string, c chan activityTask) (activityTask, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.line(arn)
	for i, p := range l.pollers {
		if p == c {
			l.pollers = append(l.pollers[:i], l.pollers[i+1:]...)
			break
		}
	}
	if len(l.tasks) == 0 && len(l.pollers) == 0 {
		delete(a.lines, arn)
	}
	select {
	case t := <-c:
		return t, true
	default:
		return activityTask{}, false
	}
}
