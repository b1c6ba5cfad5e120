package steppe_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/value"
)

// The benchmarks of whole executions: five states, from start to finish,
// through the library, with the data on disk. The command steppe bench measures
// them over HTTP too.

const fiveStates = `{"StartAt":"A","States":{
  "A":{"Type":"Pass","Next":"B"},
  "B":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericGreaterThan":5,"Next":"C"}],"Default":"D"},
  "C":{"Type":"Pass","Result":{"big":true},"ResultPath":"$.c","Next":"D"},
  "D":{"Type":"Pass","Parameters":{"n.$":"$.n","text":"done"},"Next":"E"},
  "E":{"Type":"Succeed"}}}`

const benchInput = `{"n":7,"text":"some payload of an order"}`

// clients are how many executions are under way at once.
var clients = []int{1, 64, 1000}

func BenchmarkLibrary(b *testing.B) {
	for _, kind := range []catalogue.MachineType{catalogue.Standard, catalogue.Express} {
		for _, n := range clients {
			b.Run(fmt.Sprintf("%s/clients=%d", kind, n), func(b *testing.B) {
				server, err := steppe.Open(steppe.Config{Dir: b.TempDir()})
				if err != nil {
					b.Fatal(err)
				}
				defer server.Close()
				e := server.Engine()
				m, err := server.StateMachine(b.Context(), "bench", kind, fiveStates)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				measure(b, n, func() (func() error, error) {
					return func() error {
						request := engine.StartRequest{Machine: m, Input: value.NewDoc([]byte(benchInput))}
						if kind == catalogue.Express {
							_, err := e.StartSync(context.Background(), request)
							return err
						}
						_, err := e.Start(context.Background(), request)
						return err
					}, nil
				})
			})
		}
	}
}

// measure has n clients do b.N calls, and reports rate and latencies.
func measure(b *testing.B, n int, client func() (func() error, error)) {
	b.Helper()
	var next atomic.Int64
	took := make([]time.Duration, b.N)
	var wg sync.WaitGroup
	calls := make([]func() error, n)
	for i := range calls {
		var err error
		if calls[i], err = client(); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for _, call := range calls {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(b.N) {
					return
				}
				start := time.Now()
				if err := call(); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
	b.ReportMetric(float64(took[b.N/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "p99-µs")
}
