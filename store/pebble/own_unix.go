//go:build unix

package pebble

import (
	"errors"
	"os"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lockFile locks an open directory until it is closed. File systems that cannot
// lock a directory leave it to LOCK.
func lockFile(d *os.File) error {
	err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return &os.PathError{Op: "lock", Path: d.Name(), Err: errors.New("it is locked by another process")}
	}
	return nil
}

// unlinked reports whether no name is left of an open file.
func unlinked(fd uintptr) bool {
	var stat syscall.Stat_t
	return fd != vfs.InvalidFd && syscall.Fstat(int(fd), &stat) == nil && stat.Nlink == 0
}

// noDescriptors reports whether an error says that there are too many open files.
func noDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
