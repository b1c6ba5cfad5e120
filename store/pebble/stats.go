package pebble

import (
	"context"
	"fmt"

	"github.com/steppehq/steppe/store"
)

// Stats tells what the store has written and holds.
type Stats struct {
	// WALBytes is the size of all records written to the log, before fsync.
	WALBytes uint64
	// DiskBytes is the space the directory takes.
	DiskBytes uint64
}

// Stats reads the figures.
func (s *DB) Stats() Stats {
	if !s.enter() {
		return Stats{}
	}
	defer s.leave()
	m := s.db.Metrics()
	return Stats{WALBytes: m.WAL.BytesWritten, DiskBytes: m.DiskSpaceUsage()}
}

// Compact writes the whole directory anew, without what is obsolete. It is not
// needed, and takes long: the store compacts by itself.
func (s *DB) Compact(ctx context.Context) error {
	if !s.enter() {
		return store.ErrClosed
	}
	defer s.leave()
	if err := s.db.Flush(); err != nil {
		return fmt.Errorf("store: flush: %w", err)
	}
	if err := s.db.Compact(ctx, []byte{0}, []byte{0xff}, true); err != nil {
		return fmt.Errorf("store: compact: %w", err)
	}
	return nil
}
