package main

import (
	"fmt"
	"log/slog"
)

const (
	// reservedFiles are for tables and logs of the store, and for functions.
	reservedFiles = 1536
	// fewestFiles is what a server needs to do anything.
	fewestFiles = 128
)

// descriptors shares the files that the process may open between connections and
// the store, which dies when it cannot open its next log. Where there are too few
// for as many connections as were asked for, there will be fewer. A limit of 0 is
// not known.
func descriptors(limit uint64, connections int, log *slog.Logger) (forConnections, forStore int, err error) {
	if limit == 0 || limit > 1<<30 {
		return connections, 0, nil
	}
	if limit < fewestFiles {
		return 0, 0, fmt.Errorf("the process may open %d files (ulimit -n), and needs %d at least", limit, fewestFiles)
	}
	reserved := min(reservedFiles, int(limit)/2)
	if most := int(limit) - reserved; connections > most {
		log.Warn("there are fewer connections than --max-connections says: the process may not open more files (ulimit -n)",
			slog.Int("maxConnections", connections), slog.Int("connections", most), slog.Uint64("files", limit), slog.Int("reserved", reserved))
		connections = most
	}
	return connections, reserved * 2 / 3, nil
}
