package pebble_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/pebble"
)

// fifty is a directory with the log of fifty executions, closed or left as by a kill.
func fifty(t *testing.T, clean bool) *vfs.MemFS {
	t.Helper()
	disk := vfs.NewMem()
	s := open(t, "data", pebble.Options{FS: disk})
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if err := h.Commit(t.Context(), bulky(nth(i))); err != nil {
			t.Fatal(err)
		}
	}
	left := died(t, disk)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if clean {
		return disk
	}
	return left
}

// present is how many of the fifty are there, which must be the first ones.
func present(t *testing.T, s *pebble.DB) int {
	t.Helper()
	there := 0
	for i := range 50 {
		_, err := s.Execution(t.Context(), nth(i))
		switch {
		case err == nil && there < i:
			t.Errorf("execution %d is there, and %d is not", i, there)
		case err == nil:
			there++
		case !errors.Is(err, store.ErrNotFound):
			t.Error(err)
		}
	}
	return there
}

// TestAcceptLoss: what is lost is named and counted, and the directory refused until
// somebody says that he goes on with what is left.
func TestAcceptLoss(t *testing.T) {
	for name, harm := range map[string]func([]byte) []byte{
		"cut":      func(text []byte) []byte { return text[:len(text)/2] },
		"rotten":   func(text []byte) []byte { text[len(text)/2] ^= 4; return text },
		"all gone": func([]byte) []byte { return nil },
	} {
		for _, clean := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				disk := fifty(t, clean)
				log := newestLog(t, disk, "data")
				replace(t, disk, log, harm(contents(t, disk, log)))
				before := everything(t, disk)
				_, err := pebble.Open("data", pebble.Options{FS: disk})
				lost, ok := errors.AsType[*pebble.LossError](err)
				if !ok || len(lost.Losses) != 1 {
					t.Fatalf("it opens: %v", err)
				}
				for _, want := range []string{log, "51 commits", "--accept-loss", "backup"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("no %q in %v", want, err)
					}
				}
				if after := everything(t, disk); after != before {
					t.Error("a directory that is refused was changed")
				}
				var told bytes.Buffer
				s := open(t, "data", pebble.Options{FS: disk, AcceptLoss: true, Logger: slog.New(slog.NewTextHandler(&told, nil))})
				there := present(t, s)
				if name == "all gone" && there != 0 || name != "all gone" && (there < 10 || there > 40) {
					t.Errorf("%d executions are there", there)
				}
				if err := s.Close(); err != nil { // the tables are read in the background
					t.Fatal(err)
				}
				if !strings.Contains(told.String(), "level=ERROR") || !strings.Contains(told.String(), log) {
					t.Errorf("the logger is told: %s", told.String())
				}
				if s = open(t, "data", pebble.Options{FS: disk}); present(t, s) != there {
					t.Error("more is lost afterwards")
				}
			})
		}
	}
}

// everything is a text of all files.
func everything(t *testing.T, fs vfs.FS) string {
	t.Helper()
	names, err := fs.List("data")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + "\n" + string(contents(t, fs, name)))
	}
	return b.String()
}

// TestReadOnly: a directory that is only read stays as it is, and cannot be written.
func TestReadOnly(t *testing.T) {
	disk := fifty(t, false)
	before := everything(t, disk)
	s := open(t, "data", pebble.Options{FS: disk, ReadOnly: true})
	if n := present(t, s); n != 50 {
		t.Errorf("%d executions are there", n)
	}
	if _, err := s.Acquire(t.Context(), 0, store.Owner{}); err == nil {
		t.Error("a shard was acquired")
	}
	if _, err := s.Check(t.Context(), func(store.Record, []store.Chunk) {}, func(text string) { t.Error(text) }); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if everything(t, disk) != before {
		t.Error("the directory was changed")
	}
}

// TestOlderDirectory: one that an older program wrote has no trail, and is opened; from
// then on it has one.
func TestOlderDirectory(t *testing.T) {
	disk := fifty(t, false)
	replace(t, disk, "steppe-state", nil)
	replace(t, disk, "in-step", nil)
	s := open(t, "data", pebble.Options{FS: disk})
	if n := present(t, s); n != 50 || len(s.Findings()) > 0 {
		t.Errorf("%d executions are there, findings %q", n, s.Findings())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	log := newestLog(t, disk, "data")
	replace(t, disk, log, nil)
	if _, err := pebble.Open("data", pebble.Options{FS: disk}); !strings.Contains(err.Error(), log) {
		t.Errorf("a log is lost: %v", err)
	}
}

// TestOlderMarker: a marker of an older MANIFEST, both put back, are noticed.
func TestOlderMarker(t *testing.T) {
	disk := fifty(t, true)
	older := died(t, disk)
	for range 2 {
		s := open(t, "data", pebble.Options{FS: disk})
		if err := s.Raw().Flush(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	each(t, disk, func(name string) {
		if strings.HasPrefix(name, "marker.manifest") {
			replace(t, disk, name, nil)
		}
	})
	each(t, older, func(name string) {
		if strings.Contains(name, "MANIFEST") {
			replace(t, disk, name, contents(t, older, name))
		}
	})
	if _, err := pebble.Open("data", pebble.Options{FS: disk}); err == nil || !strings.Contains(err.Error(), "marker.manifest") {
		t.Errorf("an older MANIFEST: %v", err)
	}
}

func each(t *testing.T, fs vfs.FS, visit func(name string)) {
	t.Helper()
	names, err := fs.List("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		visit(name)
	}
}

// TestTornTail: a log that ends in the middle of a commit after a power cut is told of.
func TestTornTail(t *testing.T) {
	disk := fifty(t, false)
	log := newestLog(t, disk, "data")
	replace(t, disk, log, append(contents(t, disk, log), 1, 2, 3))
	var told bytes.Buffer
	s := open(t, "data", pebble.Options{FS: disk, Logger: slog.New(slog.NewTextHandler(&told, nil))})
	if n := present(t, s); n != 50 {
		t.Errorf("%d executions are there", n)
	}
	if err := s.Close(); err != nil { // the tables are read in the background
		t.Fatal(err)
	}
	for _, want := range []string{"level=WARN", "commits=51", "bytes-left-out=3", log} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("no %q in %s", want, told.String())
		}
	}
}

// TestOpenOnFullDisk: a directory whose log cannot be written into tables is refused,
// by its space, and can be read.
func TestOpenOnFullDisk(t *testing.T) {
	disk := &smallDisk{FS: fifty(t, false)}
	disk.free.Store(1 << 20)
	if _, err := pebble.Open("data", pebble.Options{FS: disk}); err == nil || !strings.Contains(err.Error(), "full") || !strings.Contains(err.Error(), "1048576 are left") {
		t.Errorf("a full disk: %v", err)
	}
	s := open(t, "data", pebble.Options{FS: disk, ReadOnly: true})
	if n := present(t, s); n != 50 {
		t.Errorf("%d executions are there", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	disk.free.Store(10 << 30)
	if n := present(t, open(t, "data", pebble.Options{FS: disk})); n != 50 {
		t.Errorf("%d executions are there when there is space", n)
	}
}

// TestReserveGrows: what running executions have written is kept free for their end,
// also when the store is opened again.
func TestReserveGrows(t *testing.T) {
	disk := &smallDisk{FS: vfs.NewMem()}
	disk.free.Store(10 << 30)
	s := open(t, "data", pebble.Options{FS: disk, Reserve: 1 << 20})
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	begin := step(nth(0), 0)
	begin.Chunk.Data = make([]byte, 1<<20)
	more := step(nth(0), 2)
	more.Chunk.Data = make([]byte, 1<<20)
	for _, tr := range []*store.Transition{begin, more} {
		if err := h.Commit(t.Context(), tr); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.RunningBytes(); n != 2<<20 {
		t.Errorf("%d bytes are kept for running executions", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, "data", pebble.Options{FS: disk, Reserve: 1 << 20})
	if n := s.RunningBytes(); n != 2<<20 {
		t.Errorf("%d bytes are kept after opening", n)
	}
	if h, err = s.Acquire(t.Context(), 0, store.Owner{}); err != nil {
		t.Fatal(err)
	}
	disk.free.Store(5 << 19) // 2.5 MiB: more than the reserve alone
	if err := h.Commit(t.Context(), step(nth(1), 0)); !errors.Is(err, store.ErrFull) {
		t.Errorf("a start: %v", err)
	}
	end := step(nth(0), 4)
	end.Status = store.Succeeded
	if err := h.Commit(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	if n := s.RunningBytes(); n != 0 {
		t.Errorf("%d bytes are kept for nothing that runs", n)
	}
}

// TestPause: what fails in the background waits longer each time, up to ten seconds,
// and is told of once.
func TestPause(t *testing.T) {
	var told bytes.Buffer
	var waited []time.Duration
	p := pebble.NewPause(slog.New(slog.NewTextHandler(&told, nil)), func(d time.Duration) { waited = append(waited, d) })
	for range 10 {
		p.Wait()
		p.Failed("000009.sst", &injected{"000009.sst", syscall.ENOSPC})
	}
	p.Done()
	p.Wait()
	want := []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000}
	for i := range want {
		want[i] *= time.Millisecond
	}
	if len(waited) != len(want) {
		t.Fatalf("waited %v", waited)
	}
	for i := range want {
		if waited[i] != want[i] {
			t.Errorf("pause %d is %v, want %v", i, waited[i], want[i])
		}
	}
	if n := strings.Count(told.String(), "\n"); n != 1 || !strings.Contains(told.String(), "full") || !strings.Contains(told.String(), "000009.sst") {
		t.Errorf("told %d times: %s", n, told.String())
	}
}

// TestTablesRetried: a table that cannot be written for want of space is written when
// there is some, and commits go on meanwhile.
func TestTablesRetried(t *testing.T) {
	disk := &filling{FS: vfs.NewMem()}
	s := open(t, "data", pebble.Options{FS: disk, Fatal: func(message string) { t.Error(message) }})
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Commit(t.Context(), step(nth(0), 0)); err != nil {
		t.Fatal(err)
	}
	disk.refuse.Store(2)
	flushed, err := s.Raw().AsyncFlush()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Commit(t.Context(), step(nth(1), 0)); err != nil {
		t.Error(err)
	}
	<-flushed
	if n := disk.refuse.Load(); n > 0 {
		t.Errorf("%d tables were still to fail", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// filling is a disk without space for the next so many tables.
type filling struct {
	vfs.FS
	refuse atomic.Int64
}

// Create creates a file.
func (d *filling) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") && d.refuse.Add(-1) >= 0 {
		return nil, &injected{name, syscall.ENOSPC}
	}
	return d.FS.Create(name, category)
}

// TestRemnants: a directory that lost most of its files does not count as empty,
// whichever are left, and nor does one of something else. One whose making was
// interrupted does.
func TestRemnants(t *testing.T) {
	whole := t.TempDir()
	s := open(t, whole, pebble.Options{})
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := h.Commit(t.Context(), bulky(nth(i))); err != nil {
			t.Fatal(err)
		}
		if err := s.Raw().Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(whole)
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]string)
	for _, e := range entries {
		kinds[kind(e.Name())] = e.Name()
	}
	refused := func(left ...string) {
		t.Helper()
		dir := t.TempDir()
		for _, name := range left {
			text, err := os.ReadFile(filepath.Join(whole, name))
			if err != nil {
				text = []byte("something else")
			}
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := pebble.Open(dir, pebble.Options{AcceptLoss: true})
		if err == nil {
			t.Errorf("%v: opened", left)
			_ = s.Close()
		} else if !strings.Contains(err.Error(), dir) {
			t.Errorf("%v: the error does not name the directory: %v", left, err)
		}
	}
	for k, name := range kinds {
		refused(name)
		for other, second := range kinds {
			if k < other && !(k == "MANIFEST-#" && strings.HasPrefix(other, "marker.manifest")) {
				refused(name, second)
			}
		}
	}
	refused("MANIFEST-000001")
	refused("MANIFEST-1.txt")
	refused("MANIFEST-000001", "steppe-state")
	if len(kinds) < 8 {
		t.Errorf("only these kinds of files: %v", kinds)
	}
}

// TestMadeInPart: a directory whose making was interrupted, anywhere since its trail
// was written, is made.
func TestMadeInPart(t *testing.T) {
	moments := &moments{FS: vfs.NewMem(), t: t}
	s := open(t, "data", pebble.Options{FS: moments})
	moments.mu.Lock()
	copies := slices.Clone(moments.copies)
	moments.mu.Unlock()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(copies) < 5 {
		t.Errorf("%d moments", len(copies))
	}
	for i, dir := range copies {
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := pebble.Open(dir, pebble.Options{MemTableSize: 4 << 20, CacheSize: 4 << 20})
		if err != nil {
			t.Errorf("moment %d, %v: %v", i, left, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// moments is a file system that copies its directory to the disk whenever a file is
// about to be made, from the first lock on.
type moments struct {
	vfs.FS
	t      *testing.T
	mu     sync.Mutex
	copies []string
}

func (m *moments) copy() {
	m.mu.Lock()
	defer m.mu.Unlock()
	names, err := m.List("data")
	if err != nil {
		m.t.Error(err)
	}
	dir := m.t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), contents(m.t, m.FS, name), 0o600); err != nil {
			m.t.Error(err)
		}
	}
	m.copies = append(m.copies, dir)
}

// Lock locks a file.
func (m *moments) Lock(name string) (io.Closer, error) {
	m.copy()
	return m.FS.Lock(name)
}

// Create creates a file.
func (m *moments) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	m.copy()
	return m.FS.Create(name, category)
}
