package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
)

// auditFile is a file that is added to, and that makes place for a new one of
// its name when it is full: FILE.1 is the one before, FILE.2 the one before that.
// SIGHUP has it opened again, for programs that move it themselves.
type auditFile struct {
	path string
	size int64 // of a full file, in bytes
	keep int   // how many full ones are kept

	hangup chan os.Signal
	done   sync.WaitGroup

	mu      sync.Mutex
	file    *os.File
	written int64
}

func openAudit(path string, size int64, keep int) (*auditFile, error) {
	a := &auditFile{path: path, size: size, keep: keep, hangup: make(chan os.Signal, 1)}
	if err := a.reopen(); err != nil {
		return nil, err
	}
	signal.Notify(a.hangup, syscall.SIGHUP)
	a.done.Go(func() {
		for range a.hangup {
			a.mu.Lock()
			_ = a.reopen() // else the old one goes on
			a.mu.Unlock()
		}
	})
	return a, nil
}

// reopen opens the file of that name. When it cannot be, the one that is open
// stays.
func (a *auditFile) reopen() error {
	f, err := os.OpenFile(a.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if a.file != nil {
		_ = a.file.Close() // its lines were written
	}
	a.file, a.written = f, info.Size()
	return nil
}

// Write writes a line.
func (a *auditFile) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return 0, fs.ErrClosed
	}
	var failed error
	if a.written > 0 && a.written+int64(len(line)) > a.size {
		failed = a.rotate()
	}
	n, err := a.file.Write(line)
	a.written += int64(n)
	return n, errors.Join(err, failed)
}

func (a *auditFile) rotate() error {
	name := func(i int) string {
		if i == 0 {
			return a.path
		}
		return a.path + "." + strconv.Itoa(i)
	}
	for i := a.keep - 1; i >= 0; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the audit file is full and cannot be put aside: %w", err)
		}
	}
	if a.keep == 0 {
		if err := os.Remove(a.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return a.reopen()
}

// Close closes the file.
func (a *auditFile) Close() error {
	signal.Stop(a.hangup)
	close(a.hangup)
	a.done.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.file.Close()
	a.file = nil
	return err
}
