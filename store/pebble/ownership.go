package pebble

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// errRemoved is reported for a file without a name: what is written to it is gone with
// the process.
var errRemoved = errors.New("the file was removed while it was written: nothing more is acknowledged")

// isNotExist reports that there is no such file.
func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// onDisk reports whether a file system is that of the machine, whose files have
// paths and modes.
func onDisk(fs vfs.FS) bool { return vfs.Root(fs) == vfs.Default }

// ownership holds a directory: by locks, and by looking whether what stands under
// the names is still what was opened.
type ownership struct {
	disk bool
	dir  string
	lock io.Closer // of the directory itself, which cannot be taken away as LOCK can

	mu    sync.Mutex
	fixed map[string]fs.FileInfo // the directory and LOCK
	files []*guarded             // that are written
	names map[string]bool        // of all files of the store
	gone  map[string]bool        // those that the store removed before names were listed
	done  chan struct{}
}

// lockEvery is how often the names are looked at.
const lockEvery = time.Second

// privateFile and privateDirectory are the modes of what the store makes.
const (
	privateFile      = 0o600
	privateDirectory = 0o700
)

// hold locks the directory.
func hold(fsys vfs.FS, dir string) (*ownership, error) {
	o := &ownership{disk: onDisk(fsys), fixed: make(map[string]fs.FileInfo), done: make(chan struct{})}
	if !o.disk {
		return o, nil
	}
	d, err := os.Open(dir)
	if isNotExist(err) {
		return o, nil // there is nothing to hold
	}
	if err != nil {
		return nil, err
	}
	if err := lockFile(d); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	o.lock = d
	return o, nil
}

// release ends the ownership of the directory.
func (o *ownership) release() error {
	if o.lock == nil {
		return nil
	}
	return o.lock.Close()
}

// keep remembers what stands under a name.
func (o *ownership) keep(name string) error {
	if !o.disk {
		return nil
	}
	info, err := os.Stat(name)
	o.fixed[name] = info
	return err
}

func (o *ownership) add(f *guarded) (err error) {
	if !o.disk {
		return nil
	}
	if f.was, err = os.Stat(f.name); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.files = append(o.files, f)
	return nil
}

func (o *ownership) remove(f *guarded) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.files = slices.DeleteFunc(o.files, func(other *guarded) bool { return other == f })
}

// list takes up the files that are there. From then on the guard reports each that
// it makes or removes.
func (o *ownership) list(dir string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	entries, err := os.ReadDir(dir)
	o.names = make(map[string]bool)
	for _, e := range entries {
		// What the store is about to remove may still be there.
		if storeFile(e.Name()) && !o.gone[e.Name()] {
			o.names[e.Name()] = true
		}
	}
	o.dir, o.gone = dir, nil
	return err
}

// made and removes enter what the store does itself: after it made a file, and
// before it removes one.
func (o *ownership) made(name string) { o.enter(name, true) }

func (o *ownership) removes(name string) { o.enter(name, false) }

func (o *ownership) enter(name string, there bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.names == nil && there:
		delete(o.gone, name)
	case o.names == nil:
		if o.gone == nil {
			o.gone = make(map[string]bool)
		}
		o.gone[name] = true
	case there:
		o.names[name] = true
	default:
		delete(o.names, name)
	}
}

// missing reports a file that another process removed. The mutex is held.
func (o *ownership) missing() error {
	there, err := os.ReadDir(o.dir)
	if err != nil {
		return nil //nolint:nilerr // it cannot be known
	}
	found := 0
	for _, e := range there {
		if o.names[e.Name()] {
			found++
		}
	}
	if found == len(o.names) {
		return nil
	}
	for name := range o.names {
		if _, err := os.Lstat(filepath.Join(o.dir, name)); isNotExist(err) {
			return fmt.Errorf("%s was removed while the store was open: nothing more is acknowledged", filepath.Join(o.dir, name))
		}
	}
	return nil
}

// look reports what is no longer the file that was opened.
func (o *ownership) look() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, was := range o.fixed {
		if err := same(name, was); err != nil {
			return err
		}
	}
	for _, f := range o.files { // none is closed, and so none renamed, while this runs
		if err := same(f.name, f.was); err != nil {
			return err
		}
	}
	if o.names == nil {
		return nil
	}
	return o.missing()
}

func same(name string, was fs.FileInfo) error {
	is, err := os.Stat(name)
	if err == nil && os.SameFile(is, was) {
		return nil
	}
	if err != nil && !isNotExist(err) {
		return nil // it cannot be known
	}
	return fmt.Errorf("%s was removed or replaced while it was open: nothing more is acknowledged", name)
}

// watch looks until the store is closed.
func (o *ownership) watch(lost func(error), also func()) {
	tick := time.NewTicker(lockEvery)
	defer tick.Stop()
	for {
		select {
		case <-o.done:
			return
		case <-tick.C:
			if err := o.look(); err != nil {
				lost(err)
				return
			}
			also()
		}
	}
}

// stop ends the watch.
func (o *ownership) stop() { close(o.done) }

// makePrivate keeps a file from others, whatever the umask is.
func makePrivate(f vfs.File) error {
	m, ok := f.(interface{ Chmod(mode os.FileMode) error })
	if !ok {
		return nil
	}
	return m.Chmod(privateFile)
}

// tighten takes the files that were there before from others. A directory that
// another process made stays as it is.
func (g *guard) tighten() error {
	if !g.own.disk || runtime.GOOS == "windows" {
		return nil
	}
	if info, err := os.Stat(g.dir); err == nil && info.Mode().Perm()&0o007 != 0 {
		g.pause.log.Warn("others can look into the data directory; its files are kept from them", slog.String("directory", g.dir), slog.String("mode", info.Mode().Perm().String()))
	}
	entries, err := os.ReadDir(g.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 || !storeFile(e.Name()) {
			continue
		}
		if err := os.Chmod(g.PathJoin(g.dir, e.Name()), privateFile); err != nil {
			return err
		}
	}
	return nil
}

// storeFile reports whether a file is one of the store's.
func storeFile(name string) bool {
	switch {
	case name == "LOCK", name == trailName, name == marksName:
		return true
	case strings.HasSuffix(name, ".log"), strings.HasSuffix(name, ".sst"):
		return true
	}
	return strings.HasPrefix(name, "MANIFEST-") || strings.HasPrefix(name, "OPTIONS-") || strings.HasPrefix(name, "marker.")
}
