package pebble_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
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

// told is what somebody was told of rows before the power was cut.
type told struct {
	mu sync.Mutex
	// versions are those that rows, or their deletions, had at least.
	versions map[string]uint64
	// gone are versions that rows had before they were read and not found.
	gone map[string]uint64
}

func (o *told) of(key string) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.versions[key]
}

func (o *told) tell(key string, version uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.versions[key] = max(o.versions[key], version)
}

func (o *told) missed(key string, version uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gone[key] = max(o.gone[key], version)
}

// work writes rows of its own, each with a twin, and reads those of all, until it is
// stopped. Every second worker also deletes.
func (o *told) work(t *testing.T, table store.Table, worker int, random *rand.Rand, stop <-chan struct{}) {
	for n := 1; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		a, value := fmt.Sprint("a", random.IntN(4), "-", worker), []byte(fmt.Sprint(worker, n))
		if worker%2 == 0 && n%3 == 0 {
			value = nil
		}
		version, err := table.Write(t.Context(), store.Edit{Key: a, Version: store.Blind, Value: value}, store.Edit{Key: "b" + a, Version: store.Blind, Value: value})
		if err != nil {
			t.Error(err)
			return
		}
		o.tell(a, version)
		key := fmt.Sprint("a", random.IntN(4), "-", random.IntN(8))
		before := o.of(key)
		row, err := table.Get(t.Context(), key)
		switch {
		case err == nil:
			o.tell(key, row.Version)
		case errors.Is(err, store.ErrNotFound):
			o.missed(key, before)
		default:
			t.Error(err)
			return
		}
	}
}

// holds reports what the table of a directory does not have although somebody was
// told so.
func (o *told) holds(t *testing.T, table store.Table, seed uint64) {
	newest := uint64(0)
	for key, version := range o.versions {
		newest = max(newest, version)
		row, err := table.Get(t.Context(), key)
		deleter := int(key[len(key)-1]-'0')%2 == 0
		switch {
		case errors.Is(err, store.ErrNotFound) && deleter:
		case err != nil || row.Version < version:
			t.Errorf("seed %d: %s: version %d, %v; somebody was told of %d", seed, key, row.Version, err, version)
		case o.gone[key] > 0 && row.Version <= o.gone[key]:
			t.Errorf("seed %d: %s: version %d; somebody has not found it after %d", seed, key, row.Version, o.gone[key])
		}
		twin, err := table.Get(t.Context(), "b"+key)
		if err != nil && !errors.Is(err, store.ErrNotFound) || string(twin.Value) != string(row.Value) || twin.Version != row.Version {
			t.Errorf("seed %d: %s is %s, and its twin %s, %v", seed, key, row.Value, twin.Value, err)
		}
	}
	if version, err := table.Write(t.Context(), store.Edit{Key: "new", Version: store.Blind, Value: []byte("x")}); err != nil || version <= newest {
		t.Errorf("seed %d: version %d after a restart, and somebody was told of %d, %v", seed, version, newest, err)
	}
}

// TestTablePowerCut cuts the power while rows are written, deleted and read: what
// was acknowledged, or read, is there; writes are there as a whole or not at all.
func TestTablePowerCut(t *testing.T) {
	for seed := range uint64(12) {
		fs := vfs.NewCrashableMem()
		s := open(t, "data", pebble.Options{FS: fs})
		table := s.Table("rows")
		all := told{versions: make(map[string]uint64), gone: make(map[string]uint64)}
		var work sync.WaitGroup
		stop := make(chan struct{})
		for i := range 8 {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			work.Go(func() { all.work(t, table, i, random, stop) })
		}
		for { // until most was told of
			all.mu.Lock()
			n, gone := len(all.versions), len(all.gone)
			all.mu.Unlock()
			if n > 20 && gone > 8 || t.Failed() {
				break
			}
			runtime.Gosched()
		}
		all.mu.Lock()
		before := told{versions: maps.Clone(all.versions), gone: maps.Clone(all.gone)}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
		all.mu.Unlock()
		close(stop)
		work.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, "data", pebble.Options{FS: crashed})
		before.holds(t, s.Table("rows"), seed)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTableWithoutCeiling opens a table of a program whose rows counted their own
// versions: the next one is above all of them.
func TestTableWithoutCeiling(t *testing.T) {
	s := open(t, t.TempDir(), pebble.Options{})
	defer s.Close()
	if err := s.Raw().Set([]byte("t\x04rowsa"), []byte("\x00\x00\x00\x00\x00\x00\x00\x09value"), nil); err != nil {
		t.Fatal(err)
	}
	table := s.Table("rows")
	if _, err := table.Write(t.Context(), store.Edit{Key: "a", Version: 8, Value: []byte("x")}); !errors.Is(err, store.ErrVersion) {
		t.Errorf("a write by version 8 of a row of version 9: %v", err)
	}
	for _, e := range []store.Edit{{Key: "a", Version: 9, Value: []byte("x")}, {Key: "b", Value: []byte("x")}} {
		if version, err := table.Write(t.Context(), e); err != nil || version < 10 {
			t.Errorf("%s: version %d, %v", e.Key, version, err)
		}
	}
}

// TestTableCeiling writes beyond the ceiling, and begins above all that was given
// when the store is killed and opened again.
func TestTableCeiling(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, "data", pebble.Options{FS: fs})
	if err := s.Raw().Set([]byte("u\x04rows"), []byte("\x00\x00\x00\x00\x00\x00\x00\x64"), nil); err != nil {
		t.Fatal(err)
	}
	last := uint64(100)
	for range 3 {
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		fs, s = crashed, open(t, "data", pebble.Options{FS: crashed})
		for range 3 {
			version, err := s.Table("rows").Write(t.Context(), store.Edit{Key: "a", Version: store.Blind, Value: []byte("x")})
			if err != nil || version <= last {
				t.Fatalf("version %d after %d, %v", version, last, err)
			}
			last = version
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
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
