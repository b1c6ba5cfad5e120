//go:build unix

package main

import "syscall"

// openFiles is how many files the process may open. Go has raised the soft limit
// to the hard one before main began.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // it is signed on FreeBSD
}
