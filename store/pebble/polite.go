package pebble

import (
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	cockroach "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// polite is a file system on which whoever writes tables lets others run every
// now and then. Flushes and compactions are long pieces of work: two at once, on
// two cores, would hold up the commits, whose goroutines sleep between short
// pieces of work, by a time slice of 10 ms each time they wake up.
type polite struct {
	vfs.FS
	db atomic.Pointer[cockroach.DB] // whose tables are written, nil until it is open
}

const (
	// turn is for how long a table is written before others may run.
	turn = 300 * time.Microsecond
	// backlog is how many sublevels L0, of which every read looks at each, may have
	// before nobody who writes tables gives way any more: twice of those that begin
	// a compaction, and well below those that stop all writing.
	backlog = 2 * l0Compaction
)

// Create creates a file.
func (p *polite) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.Create(name, category)
	if err != nil || !strings.HasSuffix(name, ".sst") || p.behind() {
		return f, err
	}
	return &politeTable{File: f, since: time.Now()}, nil
}

// behind reports whether compactions must catch up.
func (p *polite) behind() bool {
	db := p.db.Load()
	return db != nil && db.Metrics().Levels[0].Sublevels > backlog
}

// Unwrap gives the file system below.
func (p *polite) Unwrap() vfs.FS { return p.FS }

// politeTable is a table that is written in turns.
type politeTable struct {
	vfs.File
	since time.Time // when the turn began
}

// Write writes a block, or some.
func (t *politeTable) Write(b []byte) (int, error) {
	if time.Since(t.since) > turn {
		runtime.Gosched()
		t.since = time.Now()
	}
	return t.File.Write(b)
}
