package pebble

import cockroach "github.com/cockroachdb/pebble/v2"

// Raw is the database below, for tests that damage it.
func (s *DB) Raw() *cockroach.DB { return s.db }

// Watched is the database whose backlog those who write tables look at.
func (s *DB) Watched() *cockroach.DB { return s.tables.db.Load() }
