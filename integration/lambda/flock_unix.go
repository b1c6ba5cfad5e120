//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package lambda

import (
	"io/fs"
	"os"
	"syscall"
)

// hold locks a file until it is closed or the process ends. It fails at once
// when another one holds it.
func hold(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// mine reports whether a file is this user's.
func mine(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
