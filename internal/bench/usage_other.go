//go:build !unix

package bench

import (
	"runtime"
	"time"
)

// usage tells nothing of CPU time here, and the memory that the Go runtime has.
func usage() (cpu time.Duration, resident int64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return 0, int64(m.Sys - m.HeapReleased)
}
