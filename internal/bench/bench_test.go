package bench

import (
	"slices"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	run := func(rate float64, resident int64, cpu ...float64) StoredResult {
		return StoredResult{Executions: 7, Rate: rate, Resident: resident, CPU: cpu, Reads: []Read{{What: "a", P50: rate}}}
	}
	m := median([]StoredResult{run(3, 10, 1, 9), run(1, 30, 2, 8), run(2, 20, 3, 7)})
	if m.Executions != 7 || m.Rate != 2 || m.Resident != 20 || !slices.Equal(m.CPU, []float64{2, 8}) || m.Reads[0] != (Read{What: "a", P50: 2}) {
		t.Errorf("the median is %+v", m)
	}
}

func TestTook(t *testing.T) {
	const ms = time.Millisecond
	var r Result
	r.took([]span{{0, 10 * ms}, {0, 20 * ms}, {10 * ms, 90 * ms}, {20 * ms, 95 * ms}}, 0.1, &Workload{Transitions: 5})
	if r.Executions != 4 || r.Rate != 40 || r.Transitions != 200 || r.P50 != 75 || r.Max != 80 || r.Stall != 70 {
		t.Errorf("the result is %+v", r)
	}
}

func TestGaps(t *testing.T) {
	g := gaps{answered: make(map[string]answered)}
	var w Workload
	for range 2 { // executions, the one after the other
		w = Workload{Input: `{"n":1}`, Numbered: true}
		in := []byte(w.input())
		for range tasks {
			if out, err := g.echo(t.Context(), in); err != nil || string(out) != string(in) {
				t.Fatalf("the function gives %s, %v", out, err)
			}
		}
	}
	if len(g.took) != 2*(tasks-1) || len(g.answered) != 0 {
		t.Errorf("%d gaps, %d executions left", len(g.took), len(g.answered))
	}
}
