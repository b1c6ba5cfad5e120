package bench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// call is one execution, from start to end.
type call func() error

// span is when a call began, or was to begin, and when it ended, from the start
// of the load.
type span struct{ begin, end time.Duration }

// pace tells the callers of a load when to begin.
type pace struct {
	interval time.Duration // between two calls of all callers; 0: at once
	next     atomic.Int64
}

// wait returns the time at which the caller's next call begins. With a pace, that
// is when it was to begin: a server that is late is not asked less.
func (p *pace) wait(begin time.Time) time.Duration {
	if p.interval == 0 {
		return time.Since(begin)
	}
	at := time.Duration(p.next.Add(1)-1) * p.interval
	time.Sleep(at - time.Since(begin))
	return at
}

// load has the clients call for a time, each as soon as it was answered, or as
// often in a second as the result's pace says.
func load(ctx context.Context, calls []call, w *Workload, d time.Duration, r *Result) error {
	spans := make([][]span, len(calls))
	failed := make([]error, len(calls))
	p := new(pace)
	if r.Pace > 0 {
		p.interval = time.Duration(float64(time.Second) / r.Pace)
	}
	var wg sync.WaitGroup
	begin := time.Now()
	for i, call := range calls {
		wg.Go(func() {
			for ctx.Err() == nil {
				at := p.wait(begin)
				if at >= d {
					return
				}
				if failed[i] = call(); failed[i] != nil {
					return
				}
				spans[i] = append(spans[i], span{at, time.Since(begin)})
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(begin).Seconds()
	if err := errors.Join(errors.Join(failed...), ctx.Err()); err != nil {
		return err
	}
	r.took(slices.Concat(spans...), elapsed, w)
	return nil
}

// took notes the calls of a load.
func (r *Result) took(all []span, elapsed float64, w *Workload) {
	durations, ends := make([]time.Duration, len(all)), make([]time.Duration, len(all))
	for i, s := range all {
		durations[i], ends[i] = s.end-s.begin, s.end
	}
	slices.Sort(durations)
	slices.Sort(ends)
	var stall, last time.Duration
	for _, end := range ends {
		stall, last = max(stall, end-last), end
	}
	r.Executions = len(all)
	r.Rate = float64(len(all)) / elapsed
	r.Transitions = r.Rate * float64(w.Transitions)
	r.P50, r.P99, r.Max = millis(percentile(durations, 50)), millis(percentile(durations, 99)), millis(percentile(durations, 100))
	r.Stall = millis(stall)
}

// percentile returns a percentile of sorted durations.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
