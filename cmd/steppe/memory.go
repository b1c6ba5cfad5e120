package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// cgroupRoot is where Linux tells of control groups.
const cgroupRoot = "/sys/fs/cgroup"

// memoryLimit is the memory that the process's control group, or one around it,
// may take, in bytes; 0 where nothing bounds it.
func memoryLimit(root, self string) (limit int64) {
	dirs := []string{root}
	for line := range strings.Lines(self) {
		// 0::/system.slice/steppe.service
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/"); ok {
			for at := root; path != ""; {
				part, rest, _ := strings.Cut(path, "/")
				at, path = filepath.Join(at, part), rest
				dirs = append(dirs, at)
			}
		}
	}
	for _, dir := range dirs {
		text, err := os.ReadFile(filepath.Join(dir, "memory.max"))
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

// keepWithin has the collector work harder as the process comes near to what its
// control group may take, and returns what executions under way may hold of it; 0
// for the default.
func keepWithin(log *slog.Logger) int64 {
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	limit := memoryLimit(cgroupRoot, string(self))
	if limit == 0 || limit >= 2<<30 {
		return 0
	}
	debug.SetMemoryLimit(limit - limit/10)
	log.Info("the memory of the control group is less than 2 GiB: less of it is used, and callers may wait", slog.Int64("bytes", limit))
	return max(limit/10, 8<<20)
}
