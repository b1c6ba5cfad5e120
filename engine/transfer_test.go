package engine_test

import (
	"testing"

	"github.com/steppehq/steppe/engine/enginetest"
	"github.com/steppehq/steppe/store/memory"
)

// TestTransfer has the simulation's world move to another store at some moment,
// where everything goes on: timers, retries, branches, task tokens, redrives and
// forks.
func TestTransfer(t *testing.T) {
	for seed := *first; seed < *first+uint64(*seeds)/5; seed++ {
		s := newSimulation(t.Context(), seed, func(*simulation) {})
		s.moves(50 + s.random.IntN(250))
		for i, n := range s.nodes {
			if n != nil {
				n.dead, s.nodes[i] = true, nil
			}
		}
		other := memory.New(memory.Options{Shards: simulatedShards})
		enginetest.Moved(t, s.base, other)
		if err := s.base.Close(); err != nil {
			t.Error(err)
		}
		s.base, s.disk, s.jobs, s.late = other, nil, nil, nil
		s.truth.transferred()
		s.nodes[0] = s.open()
		s.moves(100)
		s.end()
		for _, problem := range s.problems {
			t.Error(problem)
		}
		if t.Failed() {
			t.Fatalf("seed %d (repeat it with -seeds 5 -seed %d)", seed, seed)
		}
	}
}
