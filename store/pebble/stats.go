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
	// HeapBytes is what the cache and the memtables take of Go's heap, 0 where C
	// has them (CGO_ENABLED=1).
	HeapBytes uint64
}

// Stats reads the figures.
func (s *DB) Stats() Stats {
	if !s.enter() {
		return Stats{}
	}
	defer s.leave()
	m := s.db.Metrics()
	st := Stats{WALBytes: m.WAL.BytesWritten, DiskBytes: m.DiskSpaceUsage()}
	if inHeap {
		st.HeapBytes = uint64(m.BlockCache.Size) + m.MemTable.Size + m.MemTable.ZombieSize
	}
	return st
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
