package main

import (
	"slices"
	"strings"
	"sync"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/value"
)

// chaosEventPage is what the checker reads of a history.
type chaosEventPage struct {
	Events []struct {
		ID        int64   `json:"id"`
		Previous  int64   `json:"previousEventId"`
		Type      string  `json:"type"`
		Timestamp float64 `json:"timestamp"`
	} `json:"events"`
	NextToken string `json:"nextToken"`
}

// checkAll checks every execution by what the API tells of it.
func (x *chaos) checkAll(arns []string) {
	work := make(chan string)
	var checkers sync.WaitGroup
	const atOnce = 8
	for range atOnce {
		checkers.Go(func() {
			for arn := range work {
				x.checkEnd(arn)
				x.checkHistory(arn)
			}
		})
	}
	for _, arn := range arns {
		work <- arn
	}
	close(work)
	checkers.Wait()
}

// checkEnd holds the end of an execution against its case.
func (x *chaos) checkEnd(arn string) {
	var d struct{ Status, Output, Error, Cause string }
	if err := x.client().call("DescribeExecution", map[string]string{"executionArn": arn}, &d); err != nil {
		return // that was told before
	}
	var failed error
	if d.Status != "SUCCEEDED" {
		failed = &steppe.ExecutionError{Status: d.Status, Name: d.Error, Cause: d.Cause}
	}
	c := *x.caseOf(arn[strings.LastIndexByte(arn, ':')+1:])
	c.Expect.Path = nil
	// What runs side by side may come in another order than in a test.
	if got, err := value.DecodeString(d.Output); err == nil && !c.Expect.output.IsUndefined() && unordered(got) == unordered(c.Expect.output) {
		c.Expect.output = got
	}
	for _, wrong := range c.check([]byte(d.Output), failed, nil) {
		x.violation("%s: %s", arn, wrong)
	}
}

// unordered is a value as text, its lists sorted.
func unordered(v value.Value) string {
	switch v.Kind() {
	case value.Array:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = unordered(v.At(i))
		}
		slices.Sort(items)
		return "[" + strings.Join(items, ",") + "]"
	case value.Object:
		members := make([]string, v.Len())
		for i, name := range v.Names() {
			members[i] = name + ":" + unordered(v.At(i))
		}
		slices.Sort(members)
		return "{" + strings.Join(members, ",") + "}"
	default:
		return v.String()
	}
}

var (
	terminal = []string{"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"}
	results  = []string{"TaskSucceeded", "TaskFailed", "TaskTimedOut", "LambdaFunctionSucceeded", "LambdaFunctionFailed", "LambdaFunctionTimedOut"}
)

// checkHistory looks for gaps, for what follows the end, for tasks with two
// results, and for tasks that were asked for after their result was recorded.
func (x *chaos) checkHistory(arn string) {
	in := map[string]any{"executionArn": arn, "maxResults": 1000, "includeExecutionData": false}
	next := int64(1)
	previous := make(map[int64]int64)
	scheduled := make(map[int64]bool)
	result := make(map[int64]bool)
	ended := false
	for {
		var page chaosEventPage
		if err := x.client().call("GetExecutionHistory", in, &page); err != nil {
			x.violation("%s: its history cannot be read: %v", arn, err)
			return
		}
		for _, ev := range page.Events {
			if ev.ID != next || ev.Previous >= ev.ID {
				x.violation("%s: event %d stands where event %d must be, and links to %d", arn, ev.ID, next, ev.Previous)
			}
			if ended {
				x.violation("%s: event %d (%s) follows the end", arn, ev.ID, ev.Type)
			}
			next++
			previous[ev.ID] = ev.Previous
			ended = ended || slices.Contains(terminal, ev.Type)
			if strings.HasSuffix(ev.Type, "Scheduled") {
				scheduled[ev.ID] = true
			}
			if slices.Contains(results, ev.Type) {
				task := ev.Previous
				for task > 0 && !scheduled[task] {
					task = previous[task]
				}
				if result[task] {
					x.violation("%s: the task of event %d has two results", arn, task)
				}
				result[task] = true
				x.checkCalls(arn, task, ev.Timestamp)
			}
		}
		x.mu.Lock()
		x.report.Events += len(page.Events)
		x.mu.Unlock()
		if page.NextToken == "" {
			break
		}
		in["nextToken"] = page.NextToken
	}
	if !ended {
		x.violation("%s: its history has no end", arn)
	}
}

// checkCalls sees that a task was not asked for after its result was recorded:
// the clocks are one.
func (x *chaos) checkCalls(arn string, task int64, recorded float64) {
	x.target.mu.Lock()
	c := x.target.calls[chaosEvent{arn, task}]
	x.target.mu.Unlock()
	if c != nil && c.last.UnixMilli() > int64(recorded*1000+0.5) {
		x.violation("%s: the task of event %d (%s) was asked for %d times, the last time after its result was recorded", arn, task, c.state, c.n)
	}
}
