package pebble_test

import (
	"bytes"
	"errors"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/pebble"
)

// lines are those of a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// with gives the lines that hold a text.
func (l *lines) with(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(strings.Split(l.text.String(), "\n"), func(line string) bool { return !strings.Contains(line, text) })
}

// tabled is a closed directory with tables, and their names.
func tabled(t *testing.T) (disk *vfs.MemFS, tables []string) {
	t.Helper()
	disk = leave(t, true).disk
	names, err := disk.List("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if path.Ext(name) == ".sst" {
			tables = append(tables, name)
		}
	}
	if len(tables) == 0 {
		t.Fatalf("no table: %v", names)
	}
	return disk, tables
}

// TestScrub: every byte of a table that counts is looked at after a start, without
// anybody reading; each damaged file is told once, and the sum at the end.
func TestScrub(t *testing.T) {
	disk, tables := tabled(t)
	whole := new(lines)
	s := open(t, "data", pebble.Options{FS: died(t, disk), Logger: whole.logger()})
	s.Scrubbed()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := whole.with("level=ERROR"); len(got) > 0 {
		t.Errorf("a whole directory: %q", got)
	}
	if got := whole.with("are whole"); len(got) != 1 || strings.Contains(got[0], "tables=0") {
		t.Errorf("the sum: %q", got)
	}
	name := tables[0]
	text := contents(t, disk, name)
	const footer = 53 // which has no checksum in this format
	for at := 0; at < len(text)-footer; at += 1 + len(text)/40 {
		damaged := died(t, disk)
		flipped := bytes.Clone(text)
		flipped[at] ^= 0x10
		replace(t, damaged, name, flipped)
		told := new(lines)
		s, err := pebble.Open("data", pebble.Options{FS: damaged, Logger: told.logger(), MemTableSize: 4 << 20, CacheSize: 4 << 20})
		if err != nil {
			continue // it was needed at once
		}
		s.Scrubbed()
		for i := range 240 { // reads tell nothing twice
			_, _ = s.History(t.Context(), nth(i), 1, 0, false)
			_, _ = s.Execution(t.Context(), nth(i))
		}
		if got := told.with(name); len(got) != 1 || !strings.Contains(got[0], "level=ERROR") || !strings.Contains(got[0], "steppe check") {
			t.Errorf("byte %d of %d: %q", at, len(text), got)
		}
		if got := told.with("some are damaged"); len(got) != 1 || !strings.Contains(got[0], "damaged=1") {
			t.Errorf("byte %d of %d: the sum: %q", at, len(text), got)
		}
		_ = s.Close() // what is damaged may not be closed well
	}
}

// TestCheckNamesTables: a check names each damaged table, whatever else it finds.
func TestCheckNamesTables(t *testing.T) {
	disk, tables := tabled(t)
	for _, name := range tables {
		text := contents(t, disk, name)
		text[len(text)/3] ^= 1
		replace(t, disk, name, text)
	}
	s := open(t, "data", pebble.Options{FS: disk, ReadOnly: true})
	defer s.Close()
	var problems []string
	_, err := s.Check(t.Context(), func(store.Record, []store.Chunk) {}, func(text string) { problems = append(problems, text) })
	for _, name := range tables {
		if !slices.ContainsFunc(problems, func(text string) bool { return strings.HasPrefix(text, name+": the table is damaged") }) {
			t.Errorf("%s is not named: %v, %q", name, err, problems)
		}
	}
}

// TestScrubYields: no more than 100 MiB a second are read, no more than half of the
// time, and nothing after the end.
func TestScrubYields(t *testing.T) {
	s := open(t, "data", pebble.Options{FS: vfs.NewMem()})
	s.Scrubbed()
	var waited []time.Duration
	over := make(chan time.Time)
	close(over)
	s.SetAfter(func(d time.Duration) <-chan time.Time {
		waited = append(waited, d)
		return over
	})
	for _, took := range []time.Duration{0, time.Second} {
		if err := s.Yield(10<<20, took); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(waited, []time.Duration{100 * time.Millisecond, time.Second}) {
		t.Errorf("waited %v", waited)
	}
	s.SetAfter(func(time.Duration) <-chan time.Time { return nil })
	ended := make(chan error)
	go func() { ended <- s.Yield(1, 0) }()
	if err := errors.Join(s.Close(), <-ended); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after the end: %v", err)
	}
}

// TestDamagedCompaction: where a damaged table cannot be compacted, that is what is
// said, and commits go on.
func TestDamagedCompaction(t *testing.T) {
	disk, tables := tabled(t)
	for _, name := range tables {
		text := contents(t, disk, name)
		text[len(text)/3] ^= 1
		replace(t, disk, name, text)
	}
	told := new(lines)
	s := open(t, "data", pebble.Options{FS: disk, Logger: told.logger()})
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(t.Context()); err == nil {
		t.Error("a damaged table was compacted")
	}
	if err := h.Commit(t.Context(), bulky(nth(1000))); err != nil {
		t.Error(err)
	}
	s.Scrubbed()
	if got := told.with("cannot be compacted"); len(got) != 1 {
		t.Errorf("told %q", got)
	}
	if got := told.with("cannot be written"); len(got) != 0 {
		t.Errorf("told %q", got)
	}
	_ = s.Close() // what is damaged may not be closed well
}
