package lambda

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// folder is a temporary one of a function: its bootstrap, and a folder for each
// worker.
type folder struct {
	path string
	// mark is what the environments of its workers begin with: by it processes
	// are found whose server has died.
	mark string
	lock *os.File // held while the server lives
}

const (
	folderPrefix = "steppe-function-"
	lockName     = "lock"
)

// sweepOnce removes what servers of this user have left that died, when the
// first function of this one is made.
var sweepOnce = sync.OnceFunc(func() { sweep(os.TempDir()) })

// newFolder makes a folder that this process holds until it ends.
func newFolder() (*folder, error) {
	path, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return nil, err
	}
	f := &folder{path: path, mark: rand.Text()}
	// Under its name the lock is a locked one from the beginning: whoever finds
	// one that nobody holds knows that its owner is gone.
	made := filepath.Join(path, lockName+".new")
	if f.lock, err = os.OpenFile(made, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		if _, err = f.lock.WriteString(f.mark); err == nil {
			if err = hold(f.lock); err == nil {
				err = os.Rename(made, filepath.Join(path, lockName))
			}
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("its temporary folder: %w", err), f.remove())
	}
	return f, nil
}

// remove deletes the folder, and lets go of it then.
func (f *folder) remove() error {
	err := os.RemoveAll(f.path)
	if f.lock != nil {
		_ = f.lock.Close() // it is gone
	}
	return err
}

// sweep removes the folders under a directory whose servers have died, and ends
// the processes that these left. What is not this user's stays, and so does what
// cannot be told.
func sweep(dir string) {
	paths, _ := filepath.Glob(filepath.Join(dir, folderPrefix+"*")) // the pattern is one
	for _, path := range paths {
		if info, err := os.Lstat(path); err != nil || !info.IsDir() || !mine(info) {
			continue
		}
		if mark, free := abandoned(filepath.Join(path, lockName)); free {
			endMarked(mark)
			_ = os.RemoveAll(path) // the next start tries again
		}
	}
}

// abandoned reports whether a lock is held by nobody, and returns its mark.
func abandoned(lock string) (mark string, free bool) {
	info, err := os.Lstat(lock)
	if err != nil || !info.Mode().IsRegular() || !mine(info) {
		return "", false
	}
	f, err := os.OpenFile(lock, os.O_RDWR, 0)
	if err != nil {
		return "", false
	}
	defer f.Close() //nolint:errcheck // it was not written
	if hold(f) != nil {
		return "", false
	}
	text := make([]byte, len(rand.Text()))
	n, err := io.ReadFull(f, text)
	return string(text[:n]), err == nil
}
