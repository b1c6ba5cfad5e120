package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	cockroach "github.com/cockroachdb/pebble/v2"

	"github.com/steppehq/steppe/store"
)

// Retain deletes executions that have expired.
func (s *DB) Retain(_ context.Context, now time.Time, limit int) ([]store.ExecutionID, error) {
	if !s.enter() {
		return nil, store.ErrClosed
	}
	defer s.leave()
	old := make(map[store.ShardID][]store.ExecutionID)
	n := 0
	// Whatever is added from here on below the end, the scan may miss.
	from := min(s.oldest.Swap(now.UnixMilli()+1), now.UnixMilli()+1)
	end := retentionKey(now.Add(time.Millisecond), store.ExecutionID{})
	err := s.scan(retentionKey(time.UnixMilli(from), store.ExecutionID{}), end, false, func(key, _ []byte) (bool, error) {
		if n == limit {
			s.expiresAt(int64(bigEndian(key[1:9])))
			return false, nil
		}
		n++
		id := store.ExecutionID(key[9:])
		old[id.Shard()] = append(old[id.Shard()], id)
		return true, nil
	})
	if err != nil {
		s.expiresAt(from)
		return nil, err
	}
	var forgotten []store.ExecutionID
	for shard := range s.shards {
		if ids := old[store.ShardID(shard)]; len(ids) > 0 {
			done, err := s.forgetAll(s.shards[shard], ids, now)
			if err != nil {
				s.expiresAt(from)
				return forgotten, err
			}
			forgotten = append(forgotten, done...)
		}
	}
	return forgotten, nil
}

// expiresAt notes, after it was written, that something expires at a time, in
// milliseconds: the scan of Retain begins there. It would pass over all that was
// ever forgotten otherwise, until that is compacted away.
func (s *DB) expiresAt(at int64) {
	for {
		oldest := s.oldest.Load()
		if at >= oldest || s.oldest.CompareAndSwap(oldest, at) {
			return
		}
	}
}

// forgetAll forgets executions of one shard while nothing is committed to it,
// but for those that were redriven since.
func (s *DB) forgetAll(state *shardState, ids []store.ExecutionID, now time.Time) ([]store.ExecutionID, error) {
	state.mu.Lock()
	defer state.mu.Unlock()
	batch := s.db.NewBatch()
	defer batch.Close() //nolint:errcheck // it was committed, or is to be forgotten
	forgotten := ids[:0]
	for _, id := range ids {
		v, err := s.get(recordKey(id))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r, err := decodeRecord(id, v)
		if err != nil {
			return nil, err
		}
		if r.Status == store.Running || r.expire.IsZero() || r.expire.After(now) {
			continue
		}
		if err := s.forget(batch, r); err != nil {
			return nil, err
		}
		forgotten = append(forgotten, id)
	}
	// Not synced: what comes back after a crash expires again.
	if err := batch.Commit(cockroach.NoSync); err != nil {
		return nil, fmt.Errorf("store: retain: %w", err)
	}
	return forgotten, nil
}

// fewChunks is how many chunks are better deleted one by one: each range that
// is deleted is looked at by every later read until it is compacted away.
const fewChunks = 8

// forget deletes all that is kept of an execution.
func (s *DB) forget(batch *cockroach.Batch, r *record) error {
	named, err := s.get(nameKey(r.key))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	err = errors.Join(
		batch.Delete(recordKey(r.ID), nil),
		batch.Delete(retentionKey(r.expire, r.ID), nil),
		s.forgetChunks(batch, r.ID),
	)
	if r.Group != 0 {
		err = errors.Join(err, batch.Delete(listKey(r.Group, r.Status, r.Start, r.ID), nil))
	}
	for _, term := range r.terms {
		err = errors.Join(err, batch.Delete(termKey(term, r.Start, r.ID), nil))
	}
	if bytes.Equal(named, r.ID[:]) {
		err = errors.Join(err, batch.Delete(nameKey(r.key), nil))
	}
	if err != nil {
		return fmt.Errorf("store: retain: %w", err)
	}
	return nil
}

// forgetChunks deletes the history of an execution.
func (s *DB) forgetChunks(batch *cockroach.Batch, id store.ExecutionID) error {
	var keys [][]byte
	err := s.scan(chunkKey(id, 0), chunkKey(id, -1), false, func(key, _ []byte) (bool, error) {
		keys = append(keys, bytes.Clone(key))
		return len(keys) <= fewChunks, nil
	})
	if err == nil && len(keys) > fewChunks {
		return batch.DeleteRange(chunkKey(id, 0), chunkKey(id, -1), nil)
	}
	for _, key := range keys {
		err = errors.Join(err, batch.Delete(key, nil))
	}
	return err
}
