package pebble

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	cockroach "github.com/cockroachdb/pebble/v2"
)

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
	// tellEvery is how often what goes on failing is reported.
	tellEvery = 10 * time.Second
)

// pause slows down work in the background that fails: Pebble tries again at once.
type pause struct {
	log   *slog.Logger
	after func(time.Duration) <-chan time.Time
	stop  chan struct{} // closed at the end: nothing waits any more

	mu    sync.Mutex
	next  time.Duration // 0 when nothing fails
	told  time.Time
	found map[string]bool // damaged files that were reported
}

// wait waits for as long as it has been failing, at most lastPause.
func (p *pause) wait() {
	p.mu.Lock()
	next := p.next
	p.mu.Unlock()
	if next == 0 {
		return
	}
	select {
	case <-p.after(next):
	case <-p.stop:
	}
}

// failed makes the next pause longer, and reports why at times.
func (p *pause) failed(name string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = min(max(firstPause, 2*p.next), lastPause)
	p.tell(name, err)
}

// report logs an error of the background.
func (p *pause) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell("", err)
}

// damaged reports a table that cannot be read, once.
func (p *pause) damaged(name string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	number := filepath.Base(name) // Pebble and who looks by himself may name different paths
	if p.found[number] {
		return
	}
	if p.found == nil {
		p.found = make(map[string]bool)
	}
	p.found[number] = true
	p.log.Error("a table of the data directory is damaged: what stands in the damaged part cannot be read, and executions that need it do not go on; "+
		"stop the server, have `steppe check` name all that is damaged, and restore a backup", slog.String("file", name), slog.String("error", firstLine(err)))
}

// tell logs an error of the background, if the last one is some time ago. The mutex
// is held.
func (p *pause) tell(name string, err error) {
	if now := time.Now(); now.Sub(p.told) >= tellEvery {
		p.told = now
		text := "the data directory cannot be written; it is tried again"
		switch {
		case errors.Is(err, syscall.ENOSPC):
			text = "the disk of the data directory is full; what runs waits for space"
		case cockroach.IsCorruptionError(err):
			text = "tables of the data directory cannot be compacted, for one is damaged; it is tried again"
		}
		p.log.Error(text, slog.String("file", name), slog.String("error", firstLine(err)), slog.Duration("pause", p.next))
	}
}

// firstLine is an error without the details that Pebble adds.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// done reports that it works again.
func (p *pause) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = 0
}
