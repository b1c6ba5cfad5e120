package pebble

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	cockroach "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/steppehq/steppe/store"
)

// space watches the space that is left on the disk.
type space struct {
	fs      vfs.FS
	dir     string
	reserve int64

	// running is the size of what running executions have written. They may write as
	// much again: their state and their end repeat what came in.
	running atomic.Int64

	checked atomic.Int64 // when, in nanoseconds
	low     atomic.Bool
}

// count sets running to what is there, and returns before it is known: who commits
// since adds to it.
func (s *DB) count() {
	snapshot := s.db.NewSnapshot()
	s.counting.Go(func() {
		defer snapshot.Close() //nolint:errcheck // it was only read
		it, err := snapshot.NewIter(&cockroach.IterOptions{LowerBound: []byte{prefixRunning}, UpperBound: []byte{prefixRunning + 1}})
		if err != nil {
			return // reads report it
		}
		defer it.Close() //nolint:errcheck // it was only read
		for ok := it.First(); ok && !s.closed.Load(); ok = it.Next() {
			if v, err := it.ValueAndErr(); err == nil {
				_, size, _ := decodeRunning(store.ExecutionID{}, v)
				s.space.running.Add(size)
			}
		}
	})
}

// openSpace is what opening a directory writes, beside what its log holds.
const openSpace = 4 << 20

// enough refuses to open a directory on a disk that has no space for what the log
// holds: Pebble would try again and again to write its tables.
func (x *examination) enough() error {
	need := uint64(x.replayed) + openSpace
	left, err := x.left()
	if err == nil && left < need && onDisk(x.fs) {
		x.trim()
		left, err = x.left()
	}
	if err != nil || left >= need {
		return nil //nolint:nilerr // there are file systems that do not say
	}
	return fmt.Errorf("store: the disk of the data directory %s is full: %d bytes are needed to open it, and %d are left; make room, nothing is lost", x.dir, need, left)
}

func (x *examination) left() (uint64, error) {
	usage, err := x.fs.GetDiskUsage(x.dir)
	return usage.AvailBytes, err
}

// trim frees the space behind the ends of logs, which was taken for what they
// did not come to hold.
func (x *examination) trim() {
	names, _ := x.fs.List(x.dir) // it was listed before
	for _, name := range names {
		path := x.fs.PathJoin(x.dir, name)
		if info, err := os.Stat(path); err == nil && strings.HasSuffix(name, ".log") {
			_ = os.Truncate(path, info.Size()) // it is an attempt
		}
	}
}

const (
	defaultReserve = 512 << 20
	// lookEvery is how often the disk is asked.
	lookEvery = 200 * time.Millisecond
)

// Full reports whether new executions are refused, since the disk is nearly full.
func (s *DB) Full() bool { return s.space.full(s.log) }

// full reports whether less than the reserve is left.
func (s *space) full(log *slog.Logger) bool {
	now, last := time.Now().UnixNano(), s.checked.Load()
	if now-last < int64(lookEvery) || !s.checked.CompareAndSwap(last, now) {
		return s.low.Load()
	}
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return s.low.Load() // a file system that does not say
	}
	reserve := uint64(s.reserve)
	if s.reserve == 0 {
		reserve = min(defaultReserve, usage.TotalBytes/20)
	}
	reserve += uint64(max(0, s.running.Load()))
	low := usage.AvailBytes < reserve
	if low != s.low.Swap(low) {
		left := slog.Uint64("bytes-left", usage.AvailBytes)
		if low {
			log.Error("the disk of the data directory is nearly full; new executions are refused", slog.String("directory", s.dir), left)
		} else {
			log.Info("there is space on the disk again; new executions are taken", left)
		}
	}
	return low
}
