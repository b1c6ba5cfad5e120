package pebble

import (
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	cockroach "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// yieldingFS is a file system on which writers of tables yield the processor
// regularly. Flushes and compactions are long pieces of work: two at once, on
// two cores, would hold up the commits, whose goroutines sleep between short
// pieces of work, by a time slice of 10 ms each time they wake up.
type yieldingFS struct {
	vfs.FS
	db atomic.Pointer[cockroach.DB] // whose tables are written, nil until it is open
}

const (
	// yieldEvery is how long a table is written before its writer yields.
	yieldEvery = 300 * time.Microsecond
	// backlog is the number of L0 sublevels above which writers of tables stop
	// yielding: twice the number that triggers a compaction, and well below the one
	// that stops all writing. Every read visits each sublevel.
	backlog = 2 * l0Compaction
)

// Create creates a file.
func (p *yieldingFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.Create(name, category)
	if err != nil || !strings.HasSuffix(name, ".sst") || p.behind() {
		return f, err
	}
	return &yieldingTable{File: f, since: time.Now()}, nil
}

// behind reports whether compactions must catch up.
func (p *yieldingFS) behind() bool {
	db := p.db.Load()
	return db != nil && db.Metrics().Levels[0].Sublevels > backlog
}

// Unwrap returns the file system below.
func (p *yieldingFS) Unwrap() vfs.FS { return p.FS }

// yieldingTable is a table whose writer yields.
type yieldingTable struct {
	vfs.File
	since time.Time // when it last yielded
}

// Write writes a block, or some.
func (t *yieldingTable) Write(b []byte) (int, error) {
	if time.Since(t.since) > yieldEvery {
		runtime.Gosched()
		t.since = time.Now()
	}
	return t.File.Write(b)
}
