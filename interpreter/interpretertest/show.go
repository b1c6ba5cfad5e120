package interpretertest

import (
	"fmt"
	"time"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
)

// show prints what a step decided.
func (p *play) show(out interpreter.Outcome) {
	for i := range out.Events {
		p.event(&out.Events[i])
	}
	for _, e := range out.Effects {
		if e.Kind == interpreter.Invoke {
			p.tasks[e.StateName] = append(p.tasks[e.StateName], e.Cause)
		}
		fmt.Fprintf(&p.out, "  %s\n", effectLine(e))
	}
	if wake := p.x.Wake(); wake != 0 {
		fmt.Fprintf(&p.out, "  wake in %v\n", time.UnixMilli(wake).Sub(p.now))
	}
	if out.More {
		p.out.WriteString("  more\n")
	}
}

// effectLine shows an effect in a line.
func effectLine(e interpreter.Effect) string {
	line := fmt.Sprintf("%s %s #%d", [...]string{"", "invoke", "await", "cancel"}[e.Kind], e.StateName, e.Cause)
	if e.Kind == interpreter.Invoke {
		line += fmt.Sprintf(" %s %s", e.Resource.ARN, e.Input)
	}
	if e.Submitted != nil {
		line += fmt.Sprintf(" submitted %s", e.Submitted)
	}
	if e.Token != "" {
		line += " with " + e.Token
	}
	return line
}

// event shows an event in a line.
func (p *play) event(ev *history.Event) {
	if ev.ID != int64(len(p.events))+1 && ev.ID <= int64(len(p.events)) || ev.Previous >= ev.ID {
		p.wrong("event %d follows %d", ev.ID, ev.Previous)
	}
	fmt.Fprintf(&p.out, "%3d <- %-3d %v", ev.ID, ev.Previous, ev.Type)
	if ev.Name != "" {
		fmt.Fprintf(&p.out, " %s", ev.Name)
	}
	switch ev.Type {
	case history.MapIterationStarted, history.MapIterationSucceeded, history.MapIterationFailed, history.MapIterationAborted:
		fmt.Fprintf(&p.out, "[%d]", ev.Index)
	default:
	}
	if ev.Failure.Error != nil {
		fmt.Fprintf(&p.out, " error=%s", *ev.Failure.Error)
	}
	if ev.Failure.Cause != nil {
		fmt.Fprintf(&p.out, " cause=%q", *ev.Failure.Cause)
	}
	if ev.Input != nil {
		fmt.Fprintf(&p.out, " in=%s", ev.Input)
	}
	if ev.Output != nil {
		fmt.Fprintf(&p.out, " out=%s", ev.Output)
	}
	for _, v := range ev.Assigned {
		fmt.Fprintf(&p.out, " $%s=%s", v.Name, v.Value)
	}
	if ev.Type == history.ExecutionRedriven {
		fmt.Fprintf(&p.out, " count=%d", ev.RedriveCount)
		if ev.Fork != nil {
			fmt.Fprintf(&p.out, " fork=%s#%d", ev.Fork.ExecutionArn, ev.Fork.Event)
		}
	}
	if ev.Retry != nil {
		fmt.Fprintf(&p.out, " retry=%v", time.Duration(ev.Retry.Due-ev.Millis)*time.Millisecond)
	}
	p.out.WriteString("\n")
}
