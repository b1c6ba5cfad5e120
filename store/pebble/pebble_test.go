package pebble_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/pebble"
	"github.com/steppehq/steppe/store/storetest"
)

func open(t testing.TB, dir string, opts pebble.Options) *pebble.DB {
	t.Helper()
	opts.MemTableSize, opts.CacheSize = 4<<20, 4<<20
	s, err := pebble.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir(), pebble.Options{}) })
	storetest.RunDurable(t, func(t *testing.T, dir string) store.Store { return open(t, dir, pebble.Options{}) })
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, pebble.Options{})
	if _, err := pebble.Open(dir, pebble.Options{}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory in use: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pebble.Open(other, pebble.Options{}); err == nil || !strings.Contains(err.Error(), "no data directory") {
		t.Errorf("a directory of something else: %v", err)
	}
}

// TestPowerCut cuts the power at random moments while many executions are
// committed to. What was acknowledged must be there, and nothing torn. The
// same without fsync must lose something, or the test sees nothing.
func TestPowerCut(t *testing.T) {
	lost := 0
	for seed := range uint64(12) {
		lost += powerCut(t, seed, false)
	}
	if lost > 0 {
		t.Errorf("%d acknowledged commits were lost", lost)
	}
	lost = 0
	for seed := range uint64(12) {
		lost += powerCut(t, seed, true)
	}
	if lost == 0 {
		t.Error("without fsync nothing was lost: the test is blind")
	}
}

// powerCut gives the number of acknowledged commits that a power cut lost.
func powerCut(t *testing.T, seed uint64, noSync bool) int {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	disk := vfs.NewCrashableMem()
	s := open(t, "data", pebble.Options{FS: disk, NoSync: noSync})
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	const executions = 16
	var mu sync.Mutex
	acknowledged := make(map[store.ExecutionID]int64)
	var cut *vfs.MemFS
	var atCut map[store.ExecutionID]int64
	after := 50 + random.IntN(400)
	var wg sync.WaitGroup
	commits := 0
	for i := range executions {
		wg.Go(func() {
			var id store.ExecutionID
			binary.BigEndian.PutUint64(id[8:], uint64(i))
			for last := int64(0); last < 60; last += 2 {
				if err := h.Commit(t.Context(), step(id, last)); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged[id] = last + 2
				if commits++; commits == after {
					atCut = maps.Clone(acknowledged)
					cut = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(80), RNG: random})
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return check(t, open(t, "data", pebble.Options{FS: cut}), atCut)
}

func step(id store.ExecutionID, last int64) *store.Transition {
	t := &store.Transition{
		Execution: id, Status: store.Running,
		Chunk: store.Chunk{First: last + 1, Last: last + 2, Data: fmt.Appendf(nil, "%x %d", id, last)},
	}
	if last == 0 {
		t.New = &store.NewExecution{Key: store.NameKey{Name: string(id[:])}, Group: 1, Start: time.UnixMilli(1)}
	}
	return t
}

// check counts the commits that are missing and looks for torn ones.
func check(t *testing.T, s *pebble.DB, acknowledged map[store.ExecutionID]int64) int {
	t.Helper()
	lost := 0
	for id, last := range acknowledged {
		r, err := s.Execution(t.Context(), id)
		if errors.Is(err, store.ErrNotFound) {
			lost += int(last / 2)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.Last < last {
			lost += int(last-r.Last) / 2
		}
		chunks, err := s.History(t.Context(), id, 1, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		next := int64(1)
		for _, c := range chunks {
			if c.First != next || string(c.Data) != fmt.Sprintf("%x %d", id, c.First-1) {
				t.Errorf("%x: the chunk of event %d is torn", id, c.First)
			}
			next = c.Last + 1
		}
		if next != r.Last+1 {
			t.Errorf("%x: the history ends at %d, the record says %d", id, next-1, r.Last)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return lost
}

// BenchmarkCommit starts executions that end in their first step, with twelve
// events, at several numbers in flight.
func BenchmarkCommit(b *testing.B) {
	for _, flight := range []int{1, 64, 1000} {
		b.Run(fmt.Sprintf("inflight-%d", flight), func(b *testing.B) {
			s, err := pebble.Open(b.TempDir(), pebble.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			h, err := s.Acquire(b.Context(), 0, store.Owner{})
			if err != nil {
				b.Fatal(err)
			}
			data := make([]byte, 1200)
			random := rand.NewChaCha8([32]byte{})
			_, _ = random.Read(data[:400])
			var next sync.Mutex
			n := uint64(0)
			b.SetParallelism(flight)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					next.Lock()
					n++
					var id store.ExecutionID
					binary.BigEndian.PutUint64(id[:8], n)
					next.Unlock()
					binary.BigEndian.PutUint64(id[8:], rand.Uint64())
					t := &store.Transition{
						Execution: id, Status: store.Succeeded, Stop: time.Now(),
						Chunk: store.Chunk{First: 1, Last: 12, Data: data},
						New:   &store.NewExecution{Key: store.NameKey{Name: string(id[:])}, Unnamed: true, Group: 1, Start: time.Now(), Meta: data[:200]},
					}
					if err := h.Commit(b.Context(), t); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// A new data directory is opened twice: what is written into it must look at the
// backlog of the database that is in use.
func TestBacklogIsOfTheDatabaseInUse(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []string{"new", "there already"} {
		s, err := pebble.Open(dir, pebble.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Watched() != s.Raw() {
			t.Errorf("a directory that is %s: the backlog of another database is watched", kind)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
