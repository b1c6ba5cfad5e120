package bench

import (
	"math"
	"runtime"
	"runtime/metrics"
	"strings"
)

// buffers is the function by which Pebble allocates its cache and memtables. It
// does so rarely and keeps some that it has given back: what is live of them says
// nothing of leaks.
const buffers = "pebble/v2/internal/manual.New"

// liveHeap returns the bytes of the heap that were live when garbage was collected
// last, without Pebble's buffers.
func liveHeap() int64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	heap := int64(live[0].Value.Uint64())
	var records []runtime.MemProfileRecord
	n, ok := runtime.MemProfile(nil, false)
	for !ok {
		records = make([]runtime.MemProfileRecord, n+100) // some come meanwhile
		n, ok = runtime.MemProfile(records, false)
	}
	for i := range records[:n] {
		r := &records[i]
		if r.InUseObjects() == 0 || !calledBy(r.Stack(), buffers) {
			continue
		}
		// One allocation of so many bytes is in the profile.
		size := float64(r.InUseBytes()) / float64(r.InUseObjects())
		heap -= int64(float64(r.InUseBytes()) / (1 - math.Exp(-size/float64(runtime.MemProfileRate))))
	}
	return heap
}

func calledBy(stack []uintptr, name string) bool {
	frames := runtime.CallersFrames(stack)
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, name) {
			return true
		}
		if !more {
			return false
		}
	}
}
