package pebble

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// space watches the space that is left on the disk.
type space struct {
	fs      vfs.FS
	dir     string
	reserve int64

	checked atomic.Int64 // when, in nanoseconds
	low     atomic.Bool
}

const (
	defaultReserve = 512 << 20
	// lookEvery is how often the disk is asked.
	lookEvery = 200 * time.Millisecond
)

// full reports whether less than the reserve is left.
func (s *space) full(log *slog.Logger) bool {
	now, last := time.Now().UnixNano(), s.checked.Load()
	if now-last < int64(lookEvery) || !s.checked.CompareAndSwap(last, now) {
		return s.low.Load()
	}
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return s.low.Load() // a file system that does not tell
	}
	reserve := uint64(s.reserve)
	if s.reserve == 0 {
		reserve = min(defaultReserve, usage.TotalBytes/20)
	}
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
