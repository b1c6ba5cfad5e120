package lambda

import (
	"hash/maphash"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// code reports when the code of a function has changed.
type code struct {
	mu      sync.Mutex
	version uint64 // of what was seen last
	next    time.Time
}

// seed makes versions of this process comparable.
var seed = maphash.MakeSeed()

// maxCodeFiles bounds the files that are looked at: a change beyond them goes
// unseen.
const maxCodeFiles = 2000

// current is the version that was seen last.
func (c *code) current() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

// look looks at the code again, unless it did so just before: of a large folder it
// takes a twentieth of the time at most.
func (c *code) look(dir, handler string) (version uint64, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	began := time.Now()
	if began.Before(c.next) {
		return c.version, false
	}
	version = versionOf(dir, handler)
	c.next = time.Now().Add(20 * time.Since(began))
	changed = c.version != 0 && version != c.version
	c.version = version
	return version, changed
}

// codeEndings are those of files that hold code.
var codeEndings = []string{".py", ".js", ".mjs", ".cjs", ".wasm", ".so", ".node"}

// versionOf stands for the names, sizes and modification times of the files of
// code under a folder, but those of packages that were installed and what is
// hidden; handler is the executable of a function that is one.
func versionOf(dir, handler string) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	left := maxCodeFiles
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error { // what cannot be read has no version
		if err != nil {
			return nil //nolint:nilerr // it may be gone
		}
		name := d.Name()
		if path != dir && (strings.HasPrefix(name, ".") || name == "__pycache__" || name == "node_modules" || name == "venv") {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if left--; left < 0 {
			return filepath.SkipAll
		}
		if d.IsDir() || path != handler && !slices.Contains(codeEndings, filepath.Ext(name)) {
			return nil // what a function writes beside its code is not code
		}
		if info, err := d.Info(); err == nil {
			maphash.WriteComparable(&h, struct {
				path     string
				size, at int64
			}{path, info.Size(), info.ModTime().UnixNano()})
		}
		return nil
	})
	return h.Sum64() | 1 // never 0
}

// retire ends the idle workers when the code has changed: new ones take it up.
// Those at work end with their invocation.
func (f *processes) retire() {
	if _, changed := f.code.look(f.Dir, f.command[0]); !changed {
		return
	}
	f.mu.Lock()
	old := f.idle
	f.idle = nil
	for _, w := range old {
		delete(f.all, w)
	}
	f.mu.Unlock()
	for _, w := range old {
		w.kill()
	}
}
