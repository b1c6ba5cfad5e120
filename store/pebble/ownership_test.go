//go:build unix

package pebble_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/pebble"
)

// ending is a store whose end of the process is told here.
func ending(t *testing.T, dir string, opts pebble.Options) (*pebble.DB, store.Shard, chan string) {
	t.Helper()
	fatal := make(chan string, 16)
	opts.Fatal = func(message string) {
		fatal <- message
		select {} // a process would end here
	}
	s := open(t, dir, opts)
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	return s, h, fatal
}

// TestLogRemoved: nothing is acknowledged after the log was removed under a store.
func TestLogRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	_, h, fatal := ending(t, dir, pebble.Options{})
	if err := h.Commit(t.Context(), step(nth(0), 0)); err != nil {
		t.Fatal(err)
	}
	removed := newestLog(t, vfs.Default, dir)
	if err := os.Remove(filepath.Join(dir, removed)); err != nil {
		t.Fatal(err)
	}
	acknowledged := make(chan error, 1)
	go func() { acknowledged <- h.Commit(t.Context(), step(nth(1), 0)) }()
	select {
	case err := <-acknowledged:
		t.Errorf("a commit into a removed log: %v", err)
	case message := <-fatal:
		if !strings.Contains(message, removed) || !strings.Contains(message, "removed") {
			t.Errorf("the message %q does not name %s", message, removed)
		}
	}
}

// TestTakenAway: what stands under the names of the store is no longer its own.
func TestTakenAway(t *testing.T) {
	for name, take := range map[string]func(dir string) error{
		"LOCK removed":      func(dir string) error { return os.Remove(filepath.Join(dir, "LOCK")) },
		"LOCK replaced":     func(dir string) error { return replaced(filepath.Join(dir, "LOCK")) },
		"state replaced":    func(dir string) error { return replaced(filepath.Join(dir, "steppe-state")) },
		"a table removed":   func(dir string) error { return removed(dir, "*.sst") },
		"MANIFEST removed":  func(dir string) error { return removed(dir, "MANIFEST-*") },
		"directory renamed": func(dir string) error { return os.Rename(dir, dir+"-away") },
		"directory removed": os.RemoveAll,
		"another in its place": func(dir string) error {
			return errors.Join(os.Rename(dir, dir+"-away"), os.CopyFS(dir, os.DirFS(dir+"-away")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := open(t, dir, pebble.Options{}).Close(); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir, pebble.Options{Fatal: func(string) { select {} }})
			if err := s.Raw().Flush(); err != nil {
				t.Fatal(err)
			}
			if err := s.Look(); err != nil {
				t.Fatal(err)
			}
			if err := take(dir); err != nil {
				t.Fatal(err)
			}
			if err := s.Look(); err == nil || !strings.Contains(err.Error(), dir) {
				t.Errorf("it is not noticed: %v", err)
			}
		})
	}
}

// removed removes the files of a pattern, of which there must be some.
func removed(dir, pattern string) error {
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err == nil && len(names) == 0 {
		err = os.ErrNotExist
	}
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// replaced puts a copy in the place of a file.
func replaced(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(path), os.WriteFile(path, text, 0o600))
}

// TestLockTakenAway: removing LOCK lets nobody else in.
func TestLockTakenAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := open(t, dir, pebble.Options{Fatal: func(string) { select {} }})
	if err := os.Remove(filepath.Join(dir, "LOCK")); err != nil {
		t.Fatal(err)
	}
	for _, opts := range []pebble.Options{{}, {ReadOnly: true}} {
		if _, err := pebble.Open(dir, opts); err == nil || !strings.Contains(err.Error(), "another server") {
			t.Errorf("a second opening: %v", err)
		}
	}
	_ = s.Close() // its own LOCK is gone
}

// TestModes: nobody else can read the files, whatever the umask and the directory
// are, and files of older programs are taken from others.
func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	made := filepath.Join(t.TempDir(), "data")
	given := t.TempDir()
	if err := os.Chmod(given, 0o755); err != nil { //nolint:gosec // it is what the test is about
		t.Fatal(err)
	}
	for dir, mode := range map[string]os.FileMode{made: 0o700, given: 0o755} {
		for range 2 {
			s := open(t, dir, pebble.Options{})
			h, err := s.Acquire(t.Context(), 0, store.Owner{})
			if err != nil {
				t.Fatal(err)
			}
			_ = h.Commit(t.Context(), step(nth(0), 0)) // the second time it is there
			if err := s.Raw().Flush(); err != nil {
				t.Fatal(err)
			}
			onlyOurs(t, dir, mode)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			onlyOurs(t, dir, mode)
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries { // as older programs left it
				if err := os.Chmod(filepath.Join(dir, e.Name()), 0o644); err != nil { //nolint:gosec // it is what the test is about
					t.Fatal(err)
				}
			}
		}
	}
}

func onlyOurs(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != mode {
		t.Errorf("the directory has mode %v, want %v", info.Mode().Perm(), mode)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode().Perm())
		}
	}
}

// crowded is a disk on which a process can open only so many more files.
type crowded struct {
	vfs.FS
	left func() bool
}

func (c *crowded) take(name string) error {
	if !c.left() {
		return &os.PathError{Op: "open", Path: name, Err: syscall.EMFILE}
	}
	return nil
}

// Unwrap gives the disk.
func (c *crowded) Unwrap() vfs.FS { return c.FS }

// Create creates a file.
func (c *crowded) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := c.take(name); err != nil {
		return nil, err
	}
	return c.FS.Create(name, category)
}

// ReuseForWrite creates a file.
func (c *crowded) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := c.take(newname); err != nil {
		return nil, err
	}
	return c.FS.ReuseForWrite(oldname, newname, category)
}

// TestNoDescriptors: while others use up the descriptors, the store writes with those
// that it kept, and when there are none it ends with the name of the file.
func TestNoDescriptors(t *testing.T) {
	const plenty, reserve, none = 0, 1, 2
	var mode atomic.Int32
	var s *pebble.DB
	disk := &crowded{FS: vfs.Default, left: func() bool { return mode.Load() == plenty || mode.Load() == reserve && s.Spares() < 8 }}
	dir := filepath.Join(t.TempDir(), "data")
	s, h, fatal := ending(t, dir, pebble.Options{FS: disk})
	if s.Spares() != 8 {
		t.Fatalf("%d descriptors are kept", s.Spares())
	}
	if err := h.Commit(t.Context(), step(nth(0), 0)); err != nil {
		t.Fatal(err)
	}
	mode.Store(reserve)
	if err := s.Raw().Flush(); err != nil {
		t.Fatal(err)
	}
	if err := h.Commit(t.Context(), step(nth(1), 0)); err != nil {
		t.Errorf("with the reserve: %v", err)
	}
	mode.Store(none)
	rotated := make(chan error, 1)
	go func() { rotated <- s.Raw().Flush() }()
	select {
	case err := <-rotated:
		t.Errorf("the log was rotated without a descriptor: %v", err)
	case message := <-fatal:
		if !strings.Contains(message, ".log") || !strings.Contains(message, syscall.EMFILE.Error()) || strings.Contains(message, "goroutine") {
			t.Errorf("the message: %q", message)
		}
	}
}
