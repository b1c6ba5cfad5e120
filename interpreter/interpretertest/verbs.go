package interpretertest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/value"
)

// verb is a word that lines of a script begin with.
type verb struct {
	usage string
	// least and most bound the number of words after it; a most of -1 is no bound.
	least, most int
	// document is the word from which on the line is a JSON document, 0 for none.
	document int
	do       func(*play, *line) error
}

// verbs are the words of the language.
var verbs = map[string]verb{
	"succeed":  {"succeed TASK OUTPUT", 2, -1, 2, answered(interpreter.TaskSucceeded)},
	"submit":   {"submit TASK OUTPUT", 2, -1, 2, answered(interpreter.TaskSubmitted)},
	"fail":     {"fail TASK [ERROR [CAUSE…]]", 1, -1, 0, (*play).fail},
	"start":    {"start TASK WORKER", 2, 2, 0, (*play).start},
	"beat":     {"beat TASK", 1, 1, 0, (*play).beat},
	"gone":     {"gone TASK", 1, 1, 0, (*play).gone},
	"advance":  {"advance DURATION", 1, 1, 0, (*play).advance},
	"stop":     {"stop [ERROR [CAUSE…]]", 0, -1, 0, (*play).stop},
	"redrive":  {"redrive", 0, 0, 0, sent(interpreter.Redrive)},
	"continue": {"continue", 0, 0, 0, sent(interpreter.Continue)},
	"fork":     {"fork EVENT [INPUT]", 1, -1, 2, (*play).fork},
	"takeover": {"takeover", 0, 0, 0, (*play).takeover},
}

// sent is a message without more to it.
func sent(kind interpreter.MessageKind) func(*play, *line) error {
	return func(p *play, _ *line) error {
		p.step(interpreter.Message{Kind: kind})
		return nil
	}
}

// answered is a message about a task that carries a document.
func answered(kind interpreter.MessageKind) func(*play, *line) error {
	return func(p *play, l *line) error {
		return p.news(l, interpreter.Message{Kind: kind, Output: value.NewDoc([]byte(l.rest(2)))})
	}
}

// news sends a message about the task that the line names.
func (p *play) news(l *line, msg interpreter.Message) (err error) {
	if msg.Cause, err = p.task(l.words[1]); err == nil {
		p.step(msg)
	}
	return err
}

func (p *play) fail(l *line) error {
	return p.news(l, interpreter.Message{Kind: interpreter.TaskFailed, Failure: failure(l.words[2:])})
}

func (p *play) start(l *line) error {
	return p.news(l, interpreter.Message{Kind: interpreter.TaskStarted, Worker: l.words[2]})
}

func (p *play) beat(l *line) error {
	p.beaten = true
	return p.news(l, interpreter.Message{Kind: interpreter.TaskHeartbeat})
}

func (p *play) gone(l *line) error {
	return p.news(l, interpreter.Message{Kind: interpreter.TaskUnscheduled, Failure: failure([]string{"", "It is gone."})})
}

func (p *play) advance(l *line) error {
	d, err := time.ParseDuration(l.words[1])
	if err != nil {
		return err
	}
	p.now = p.now.Add(d)
	p.step(interpreter.Message{Kind: interpreter.Wake})
	return nil
}

func (p *play) stop(l *line) error {
	p.step(interpreter.Message{Kind: interpreter.Stop, Failure: failure(l.words[1:])})
	return nil
}

func (p *play) takeover(*line) error {
	for _, effect := range p.pending(p.x) {
		fmt.Fprintf(&p.out, "  %s\n", effect)
	}
	return nil
}

// fork continues with an execution that takes up where this one was at an event.
// A fork that the interpreter refuses is part of the history.
func (p *play) fork(l *line) error {
	at, err := strconv.ParseInt(l.words[1], 10, 64)
	if err != nil || at < 1 || at > int64(len(p.events)) {
		return fmt.Errorf("want the number of an event, 1 to %d, not %s", len(p.events), l.words[1])
	}
	var input *value.Doc
	if len(l.words) > 2 {
		input = value.NewDoc([]byte(l.rest(2)))
	}
	from := history.Fork{ExecutionArn: p.info.ARN, Event: at}
	p.info.ARN += "-fork"
	p.events = p.events[:at:at]
	p.sent = 0
	x, out, err := interpreter.Fork(p.script.machine, p.info, p.events, from, input, p.env())
	if out.Interrupted != nil && len(out.Events) == 0 {
		x, out, err = interpreter.Fork(p.script.machine, p.info, p.events, from, input, p.env())
	}
	if err != nil {
		fmt.Fprintf(&p.out, "  %v\n", err)
		return nil
	}
	p.x = x
	p.took(out)
	return nil
}

// task finds a scheduled task: NAME is the last of its state, NAME#n the nth.
func (p *play) task(name string) (int64, error) {
	name, number, numbered := strings.Cut(name, "#")
	tasks := p.tasks[name]
	if len(tasks) == 0 {
		return 0, fmt.Errorf("no task of the state %s has been scheduled", name)
	}
	if !numbered {
		return tasks[len(tasks)-1], nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(tasks) {
		return 0, fmt.Errorf("%s#%s: the state has had %d tasks", name, number, len(tasks))
	}
	return tasks[n-1], nil
}

// failure is an Error Output in words: its Error Name, and the rest as its cause.
func failure(words []string) history.ErrorOutput {
	var f history.ErrorOutput
	if len(words) > 0 {
		f.Error = &words[0]
	}
	if len(words) > 1 {
		f.Cause = new(strings.Join(words[1:], " "))
	}
	return f
}
