package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/value"
)

// quarry is a service whose jobs never end. All that were polled at once are due at once again.
type quarry struct {
	polls atomic.Int64
	after atomic.Int64 // the pause that polls ask for
}

func (*quarry) Supports(asl.Resource) error { return nil }

func (*quarry) Perform(_ context.Context, task integration.Task) (*value.Doc, error) {
	return value.DocOf(value.Str(task.Idempotency)), nil
}

func (q *quarry) Poll(context.Context, integration.Task, *value.Doc) (integration.Progress, error) {
	q.polls.Add(1)
	return integration.Progress{After: time.Duration(q.after.Load())}, nil
}

func (*quarry) Stop(context.Context, integration.Task, *value.Doc) error { return nil }

// heapInUse is the memory in use.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkWaitingJobs has jobs wait, and all of them asked about at once: what each of them
// holds in the engine, and how long starts take meanwhile.
func BenchmarkWaitingJobs(b *testing.B) {
	for _, waiting := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) { waitingJobs(b, waiting) })
	}
}

func waitingJobs(b *testing.B, waiting int) {
	for b.Loop() {
		q, clock := new(quarry), engine.NewVirtualClock(time.Now())
		q.after.Store(int64(time.Hour))
		db := memory.New(memory.Options{})
		var registry integration.Registry
		registry.Register("hall", q)
		e, err := engine.Open(b.Context(), engine.Config{Store: db, Integrations: &registry, Clock: clock.Now})
		if err != nil {
			b.Fatal(err)
		}
		m := create(b, e, catalogue.Standard, oneJob)
		start := func() {
			if _, err := e.Start(b.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)}); err != nil {
				b.Fatal(err)
			}
		}
		goroutines := runtime.NumGoroutine()
		for i := range waiting {
			start()
			if i%1000 == 999 {
				for q.polls.Load() < int64(i+1) {
					e.Tick(b.Context(), clock.Now().Add(time.Second))
					runtime.Gosched()
				}
			}
		}
		held := heapInUse()
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		calm := time.Duration(0) // what the machine does to starts without a storm
		for range 2000 {
			began := time.Now()
			start()
			calm = max(calm, time.Since(began))
		}
		b.ReportMetric(float64(calm.Microseconds())/1000, "ms-longest-calm-start")
		longest := stormOf(b, e, q, clock.Now().Add(2*time.Hour), int64(waiting), start)
		b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest-start")
		if err := e.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
		runtime.KeepAlive(e)
		e = nil
		b.ReportMetric(float64(held-heapInUse())/float64(waiting), "B/job")
		runtime.KeepAlive(db)
	}
}

// stormOf has all jobs asked about, and measures how long starts take until so many were.
func stormOf(b *testing.B, e *engine.Engine, q *quarry, at time.Time, storm int64, start func()) (longest time.Duration) {
	before, starts := q.polls.Load(), 0
	var all time.Duration
	var ticking sync.WaitGroup
	ticking.Go(func() { e.Tick(b.Context(), at) })
	for q.polls.Load() < before+storm {
		began := time.Now()
		start()
		took := time.Since(began)
		longest, all, starts = max(longest, took), all+took, starts+1
	}
	b.ReportMetric(float64(all.Microseconds())/float64(1000*max(starts, 1)), "ms-mean-start")
	ticking.Wait()
	return longest
}
