package pebble

import (
	"context"
	"fmt"

	"github.com/steppehq/steppe/store"
)

// Stats reports what the store has written and holds.
func (s *DB) Stats() store.Stats {
	if !s.enter() {
		return store.Stats{}
	}
	defer s.leave()
	m := s.db.Metrics()
	return store.Stats{WALBytes: m.WAL.BytesWritten, DiskBytes: m.DiskSpaceUsage()}
}

// Compact rewrites the whole directory, without what is obsolete. It is not
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
