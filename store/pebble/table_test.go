package pebble_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/pebble"
	"github.com/steppehq/steppe/store/storetest"
)

func TestTables(t *testing.T) {
	storetest.RunTables(t, func(t *testing.T, dir string) store.Store { return open(t, dir, pebble.Options{}) }, true)
}

// TestTablePowerCut cuts the power while rows are written and read: what was
// acknowledged, or read, is there; batches are there as a whole or not at all.
func TestTablePowerCut(t *testing.T) {
	for seed := range uint64(12) {
		fs := vfs.NewCrashableMem()
		s := open(t, "data", pebble.Options{FS: fs})
		table := s.Table("rows")
		var mu sync.Mutex
		told := make(map[string]uint64) // versions that somebody was told
		var work sync.WaitGroup
		stop := make(chan struct{})
		for i := range 8 {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			work.Go(func() {
				for n := uint64(1); ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					a := fmt.Sprint("a", random.IntN(4), "-", i)
					if _, err := table.Write(t.Context(), store.Edit{Key: a, Version: store.Blind, Value: []byte(fmt.Sprint(i, n))}, store.Edit{Key: "b" + a, Version: store.Blind, Value: []byte(fmt.Sprint(i, n))}); err != nil {
						t.Error(err)
						return
					}
					row, err := table.Get(t.Context(), fmt.Sprint("a", random.IntN(4), "-", random.IntN(8)))
					if err == nil {
						mu.Lock()
						told[row.Key] = max(told[row.Key], row.Version)
						mu.Unlock()
					}
				}
			})
		}
		for { // until something was read
			mu.Lock()
			n := len(told)
			mu.Unlock()
			if n > 20 {
				break
			}
		}
		mu.Lock()
		expected := maps.Clone(told)
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
		mu.Unlock()
		close(stop)
		work.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, "data", pebble.Options{FS: crashed})
		table = s.Table("rows")
		for key, version := range expected {
			row, err := table.Get(t.Context(), key)
			if err != nil || row.Version < version {
				t.Errorf("seed %d: %s: version %d, %v; somebody read %d", seed, key, row.Version, err, version)
			}
			twin, err := table.Get(t.Context(), "b"+key)
			if err != nil || string(twin.Value) != string(row.Value) {
				t.Errorf("seed %d: %s is %s, and its twin %s, %v", seed, key, row.Value, twin.Value, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkTable writes rows of 200 bytes by many at once, each durable before the
// next of its writer: whatever was there before, new ones, and the same few of each
// writer by the version that it wrote last.
func BenchmarkTable(b *testing.B) {
	value := make([]byte, 200)
	spread := func(i int64) string { return fmt.Sprintf("%012d", i*7919%1_000_003) }
	for _, kind := range []struct {
		name string
		edit func(writer int, i int64, last []uint64) store.Edit
	}{
		{"blind", func(_ int, i int64, _ []uint64) store.Edit {
			return store.Edit{Key: spread(i), Version: store.Blind, Value: value}
		}},
		{"insert", func(_ int, i int64, _ []uint64) store.Edit {
			return store.Edit{Key: spread(i) + fmt.Sprint(i/1_000_003), Value: value}
		}},
		{"update", func(writer int, i int64, last []uint64) store.Edit {
			of := i % int64(len(last))
			return store.Edit{Key: fmt.Sprint(writer, "-", of), Version: last[of], Value: value}
		}},
	} {
		for _, writers := range []int{1, 64, 1000} {
			b.Run(fmt.Sprint(kind.name, "/writers=", writers), func(b *testing.B) {
				s, err := pebble.Open(b.TempDir(), pebble.Options{})
				if err != nil {
					b.Fatal(err)
				}
				table := s.Table("rows")
				var next atomic.Int64
				var work sync.WaitGroup
				b.ResetTimer()
				for writer := range writers {
					work.Go(func() {
						last := make([]uint64, 10)
						for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
							version, err := table.Write(b.Context(), kind.edit(writer, i, last))
							if err != nil {
								b.Error(err)
								return
							}
							last[i%10] = version
						}
					})
				}
				work.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
				b.StopTimer()
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
