//go:build unix

package bench

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// usage tells the CPU time that the process has used, and its resident memory
// in bytes.
func usage() (cpu time.Duration, resident int64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, 0
	}
	cpu = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	resident = u.Maxrss // the most it was: in KB, on darwin in bytes
	if runtime.GOOS != "darwin" {
		resident *= 1024
	}
	// What it is now, where the system tells it.
	if fields := bytes.Fields(read("/proc/self/statm")); len(fields) > 1 {
		if pages, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil {
			resident = pages * int64(os.Getpagesize())
		}
	}
	return cpu, resident
}

func read(path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return text
}
