package pebble_test

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/pebble"
)

// nth is the id of an execution.
func nth(i int) (id store.ExecutionID) {
	binary.BigEndian.PutUint64(id[8:], uint64(i))
	return id
}

// TestDiskErrors has one write or sync after the other fail, of any file. The
// store either answers with an error or says that it cannot go on; what it
// acknowledged is there when it is opened again.
func TestDiskErrors(t *testing.T) {
	failed := 0
	for _, kind := range []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpCreate} {
		for at := int64(0); at < 40; at += 3 {
			if diskError(t, kind, at) {
				failed++
			}
		}
	}
	if failed < 20 {
		t.Errorf("only %d of the faults were met: the test is blind", failed)
	}
}

// diskError commits until the operation of a kind and number fails, and checks
// what is there then. It is false when there was no such operation.
func diskError(t *testing.T, kind errorfs.OpKind, at int64) bool {
	t.Helper()
	disk := vfs.NewCrashableMem()
	var seen atomic.Int64
	var armed, hit atomic.Bool
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind != kind || !armed.Load() || seen.Add(1)-1 != at {
			return nil
		}
		hit.Store(true)
		return &injected{op.Path, syscall.EIO}
	}))
	fatal := make(chan string, 16)
	s := open(t, "data", pebble.Options{FS: fs, Fatal: func(message string) {
		fatal <- message
		select {} // it must not return; a process would end here
	}})
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	var mu sync.Mutex
	acknowledged := make(map[store.ExecutionID]int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 300 {
			if err := h.Commit(t.Context(), step(nth(i), 0)); err != nil {
				return
			}
			mu.Lock()
			acknowledged[nth(i)] = 2
			mu.Unlock()
		}
	}()
	select {
	case <-done:
	case message := <-fatal:
		if !strings.Contains(message, syscall.EIO.Error()) {
			t.Errorf("%v %d: the message %q does not tell of the error", kind, at, message)
		}
	}
	armed.Store(false)
	mu.Lock()
	defer mu.Unlock()
	cut := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(uint64(at), 3))})
	if lost := check(t, open(t, "data", pebble.Options{FS: cut}), acknowledged); lost > 0 {
		t.Errorf("%v %d: %d acknowledged commits were lost", kind, at, lost)
	}
	return hit.Load()
}

// injected is an error of the disk with its file.
type injected struct {
	path  string
	errno syscall.Errno
}

func (e *injected) Error() string { return e.path + ": " + e.errno.Error() }
func (e *injected) Unwrap() error { return e.errno }

// TestFullDisk: new executions are refused while little space is left, those
// that run go on, and all is well when there is space again.
func TestFullDisk(t *testing.T) {
	disk := &smallDisk{FS: vfs.NewMem()}
	disk.free.Store(10 << 30)
	s := open(t, "data", pebble.Options{FS: disk, Reserve: 1 << 30})
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Commit(t.Context(), step(nth(0), 0)); err != nil {
		t.Fatal(err)
	}
	next := 1
	begin := func(want error) {
		t.Helper()
		// The disk is not asked at every commit.
		for deadline := time.Now().Add(5 * time.Second); ; next++ {
			err := h.Commit(t.Context(), step(nth(next), 0))
			if errors.Is(err, want) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("a start: %v, want %v", err, want)
			}
		}
	}
	disk.free.Store(1 << 20)
	begin(store.ErrFull)
	if err := h.Commit(t.Context(), step(nth(0), 2)); err != nil {
		t.Errorf("a running execution: %v", err)
	}
	disk.free.Store(10 << 30)
	begin(nil)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// smallDisk is a disk of which a test says how much is free.
type smallDisk struct {
	vfs.FS
	free atomic.Uint64
}

// GetDiskUsage tells what the test says.
func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load(), TotalBytes: 20 << 30}, nil
}

// logged is a store with commits in its log, and how long the log was after
// each.
type logged struct {
	disk  *vfs.MemFS
	file  string
	sizes []int64
}

// writeLog commits executions one after the other and crashes.
func writeLog(t *testing.T, commits int) logged {
	t.Helper()
	disk := vfs.NewCrashableMem()
	s := open(t, "data", pebble.Options{FS: disk})
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	l := logged{}
	for i := range commits {
		if err := h.Commit(t.Context(), step(nth(i), 0)); err != nil {
			t.Fatal(err)
		}
		l.file = newestLog(t, disk, "data")
		info, err := disk.Stat("data/" + l.file)
		if err != nil {
			t.Fatal(err)
		}
		l.sizes = append(l.sizes, info.Size())
	}
	l.disk = disk.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return l
}

func newestLog(t *testing.T, fs vfs.FS, dir string) string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	newest := ""
	for _, name := range names {
		if strings.HasSuffix(name, ".log") && name > newest {
			newest = name
		}
	}
	return newest
}

// rewrite replaces the log by an edited copy, in a copy of the disk.
func (l *logged) rewrite(t *testing.T, edit func([]byte) []byte) vfs.FS {
	t.Helper()
	copied := vfs.NewMem()
	if ok, err := vfs.Clone(l.disk, copied, "data", "data"); err != nil || !ok {
		t.Fatal(ok, err)
	}
	path := "data/" + l.file
	f, err := copied.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	w, err := copied.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(edit(text))
	if err = errors.Join(err, w.Sync(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return copied
}

// prefix opens the store and checks that it has the first commits, at least so
// many, and none after one that it has not.
func prefix(t *testing.T, fs vfs.FS, all, least int) (refused bool) {
	t.Helper()
	s, err := pebble.Open("data", pebble.Options{FS: fs, MemTableSize: 4 << 20, CacheSize: 4 << 20})
	if err != nil {
		if !strings.Contains(err.Error(), "data") {
			t.Errorf("refused without naming the directory: %v", err)
		}
		return true
	}
	there := 0
	for i := range all {
		_, err := s.Execution(t.Context(), nth(i))
		switch {
		case err == nil && there != i:
			t.Errorf("execution %d is there, and %d is not", i, there)
		case err == nil:
			there++
		case !errors.Is(err, store.ErrNotFound):
			t.Error(err)
		}
	}
	if there < least {
		t.Errorf("%d executions are there; %d were acknowledged before the damage", there, least)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	return false
}

// acknowledgedBefore is how many commits were written before a place of the log.
func (l *logged) acknowledgedBefore(place int64) int {
	n := 0
	for n < len(l.sizes) && l.sizes[n] <= place {
		n++
	}
	return n
}

// TestTornLog cuts the log at every record and inside of it, as a crash in the
// middle of a write does: what was written before is there.
func TestTornLog(t *testing.T) {
	l := writeLog(t, 40)
	random := rand.New(rand.NewPCG(4, 4))
	for i := range l.sizes {
		for _, at := range []int64{l.sizes[i], l.sizes[i] - 1 - random.Int64N(20), l.sizes[i] + random.Int64N(200)} {
			at = min(max(at, 0), l.sizes[len(l.sizes)-1])
			fs := l.rewrite(t, func(text []byte) []byte { return text[:min(at, int64(len(text)))] })
			if prefix(t, fs, len(l.sizes), l.acknowledgedBefore(at)) {
				t.Errorf("a log of %d bytes is refused", at)
			}
		}
	}
}

// TestRottenLog flips bits of the log. Damage before the last block of 32 KiB is
// told from the end of the log, and the store refuses to open; in the last
// block it may pass for the torn end, but nothing before it is lost.
func TestRottenLog(t *testing.T) {
	l := writeLog(t, 330)
	size := l.sizes[len(l.sizes)-1]
	last := size / (32 << 10) * (32 << 10)
	if last < 64<<10 {
		t.Fatalf("the log has %d bytes only", size)
	}
	random := rand.New(rand.NewPCG(5, 5))
	const rounds = 60
	for range rounds {
		at := random.Int64N(size)
		fs := l.rewrite(t, func(text []byte) []byte {
			text[at] ^= 1 << random.IntN(8)
			return text
		})
		if refused := prefix(t, fs, len(l.sizes), l.acknowledgedBefore(at)); !refused && at < last {
			t.Errorf("damage at byte %d of %d passes for the end of the log", at, size)
		}
	}
}
