package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// gaps are the times between the answer of an execution's task and the start of
// its next, as the function that performs them sees it. The executions are told
// apart by their inputs, which the function answers with.
type gaps struct {
	mu       sync.Mutex
	answered map[string]answered
	took     []time.Duration
}

type answered struct {
	at    time.Time
	tasks int
}

// maxGaps bounds how many are kept.
const maxGaps = 1 << 21

// numbered begins the inputs of executions of which each has its own.
var numbered = []byte(`{"execution":`)

// echo is the function of the workloads.
func (g *gaps) echo(_ context.Context, in json.RawMessage) (json.RawMessage, error) {
	if bytes.HasPrefix(in, numbered) {
		begin := time.Now()
		defer g.task(string(in), begin)
	}
	return in, nil
}

// task notes a task that began at a time and ends now.
func (g *gaps) task(execution string, begin time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.answered[execution]
	if before.tasks > 0 && len(g.took) < maxGaps {
		g.took = append(g.took, begin.Sub(before.at))
	}
	if before.tasks+1 == tasks {
		delete(g.answered, execution)
		return
	}
	g.answered[execution] = answered{time.Now(), before.tasks + 1}
}

// percentiles returns two of all that were seen, 0 of none.
func (g *gaps) percentiles() (p50, p99 time.Duration) {
	g.mu.Lock()
	took := slices.Clone(g.took)
	g.mu.Unlock()
	slices.Sort(took)
	return percentile(took, 50), percentile(took, 99)
}
