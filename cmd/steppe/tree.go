package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/steppehq/steppe/history"
)

// tree shows events as a tree: what happens inside of a Parallel or Map state
// is indented.
type tree struct {
	con   *console
	depth map[int64]int  // of events
	inner map[int64]bool // events whose followers are one deeper
	state map[string]int // depth of the states entered, by name
	start int64          // milliseconds
}

func newTree(con *console) *tree {
	return &tree{con: con, depth: make(map[int64]int), inner: make(map[int64]bool), state: make(map[string]int)}
}

// show prints one event.
func (t *tree) show(ev *history.Event) {
	if t.start == 0 {
		t.start = ev.Millis
	}
	depth := t.depthOf(ev)
	t.depth[ev.ID] = depth
	t.inner[ev.ID] = ev.Type == history.ParallelStateStarted || ev.Type == history.MapIterationStarted
	if ev.Type.Entered() {
		t.state[ev.Name] = depth
	}
	mark, colour := markOf(ev.Type)
	after := time.Duration(ev.Millis-t.start) * time.Millisecond
	lead := fmt.Sprintf("%8.3fs %4d  %s", after.Seconds(), ev.ID, strings.Repeat("  ", depth))
	payload := len([]rune(lead)) + len(mark) + len(ev.Type.String()) + 2
	fmt.Fprintf(t.con.out, "%s%s %s%s\n", lead, t.paint(colour, mark), ev.Type, t.details(ev, payload))
}

// depthOf reports how far an event is indented.
func (t *tree) depthOf(ev *history.Event) int {
	if ev.Type.Exited() {
		return t.state[ev.Name]
	}
	depth := t.depth[ev.Previous]
	if t.inner[ev.Previous] {
		depth++
	}
	switch ev.Type {
	case history.ParallelStateSucceeded, history.MapStateSucceeded, history.ParallelStateFailed, history.MapStateFailed,
		history.MapIterationSucceeded, history.MapIterationFailed, history.MapIterationAborted:
		return max(depth-1, 0)
	case history.MapIterationStarted:
		if name, ok := t.state[ev.Name]; ok {
			return name + 1
		}
	case history.ExecutionFailed, history.ExecutionSucceeded, history.ExecutionAborted, history.ExecutionTimedOut:
		return 0
	default: // all others stand at the depth of the event before
	}
	return depth
}

// colours of marks.
const (
	grey  = "90"
	green = "32"
	red   = "31"
	blue  = "34"
)

func markOf(typ history.Type) (mark, colour string) {
	name := typ.String()
	switch {
	case strings.HasSuffix(name, "Failed"), strings.HasSuffix(name, "TimedOut"), strings.HasSuffix(name, "Aborted"):
		return "✗", red
	case strings.HasSuffix(name, "Succeeded"):
		return "✓", green
	case typ.Exited():
		return "←", green
	case typ.Entered():
		return "→", blue
	}
	return "·", grey
}

func (t *tree) paint(colour, text string) string {
	if !t.con.colours {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// details is what a line says after the type of the event, which ends at a column.
// What says why is never cut; payloads are, at the end of a terminal's line.
func (t *tree) details(ev *history.Event, column int) string {
	var b strings.Builder
	shown := column
	add := func(text string) {
		if text != "" {
			b.WriteString(" " + t.paint(grey, text))
			shown += 1 + len([]rune(text))
		}
	}
	if ev.Name != "" {
		b.WriteString(" " + ev.Name)
	}
	if ev.Type == history.MapIterationStarted || ev.Type == history.MapIterationSucceeded {
		fmt.Fprintf(&b, "[%d]", ev.Index)
	}
	add(strings.Trim(ev.ResourceType+":"+ev.Resource, ":"))
	if ev.Failure.Error != nil {
		b.WriteString(" " + t.paint(red, *ev.Failure.Error))
	}
	if ev.Failure.Cause != nil {
		add(oneLine(*ev.Failure.Cause))
	}
	if ev.Retry != nil {
		add(fmt.Sprintf("tried again in %.1fs", float64(ev.Retry.Due-ev.Millis)/1000))
	}
	if ev.Due != 0 {
		add("until " + time.UnixMilli(ev.Due).UTC().Format(time.RFC3339))
	}
	switch {
	case ev.Output != nil:
		add(t.shorten(ev.Output.String(), shown+len(ev.Name)))
	case ev.Input != nil:
		add(t.shorten(ev.Input.String(), shown+len(ev.Name)))
	}
	return b.String()
}

// oneLine is a text without line breaks.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }

// leastShown is how much of a payload is shown however little place there is.
const leastShown = 40

// shorten is as much of a payload as a line has place for after so many columns.
func (t *tree) shorten(text string, column int) string {
	text = oneLine(text)
	if t.con.width == 0 {
		return text
	}
	place := max(t.con.width-column-2, leastShown)
	if r := []rune(text); len(r) > place {
		return string(r[:place-1]) + "…"
	}
	return text
}
