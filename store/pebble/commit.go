package pebble

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	cockroach "github.com/cockroachdb/pebble/v2"

	"github.com/steppehq/steppe/store"
)

// How a commit becomes durable, and why two owners cannot both make one.
//
// A commit is one batch of Pebble: the chunk of events, and what follows from it (the
// running record, the execution's record, its places in lists, letters). Pebble
// appends batches to its log in one order and applies each whole or not at all, also
// after a crash. So of a transition all is there or nothing is, and nothing of one
// that came later is there without it.
//
// Fsyncs are shared. Each caller runs in its own goroutine and waits in batch.Commit
// until the log is synced past its batch. While one fsync runs, the batches of all
// others collect in memory; the next fsync writes them together. Nothing here waits
// for more of them: under load the duration of an fsync is the window in which
// commits collect, and a lone commit does not wait at all. letCommit adds that
// callers whose commits have just become durable run first, and take part in the next
// fsync rather than in the one after it.
//
// Fencing has two parts, for two kinds of rivals. The epoch is for owners: a commit
// holds its shard's state for reading from the check of the epoch until it is durable,
// and Acquire holds it for writing while it raises the epoch. So a new owner begins
// after the last commit of the former one, reads all of it, and none comes later. The
// event number is for what an owner believes: a transition names the number of its
// first event, which must follow the last one stored. An engine whose memory is wrong
// (a commit whose outcome it took for a failure, a second copy of an execution) is
// refused rather than written over the truth. The read of the last event and the
// write are not one step, which is enough because an owner commits at most once at a
// time for each execution, and another owner is kept out by the epoch.
//
// The name of a new execution must be unique among executions of all shards, and two
// of them may begin at once. The name is reserved in memory (reserve) before the
// database is asked for it, and set free when the commit has ended, by when the
// database answers for it.
//
// Most steps leave an execution running. Of these only the chunk and the small running
// record are written (writeStep); the record with its lists and terms changes when
// the status does. That record is read back only then, so a step costs one read of a
// small key, two writes, and a share of an fsync.
//
// An error of batch.Commit is ErrUnknown: the batch may be in the log although the
// fsync failed. The owner acquires the shard again and reads what is there. ErrBusy
// and ErrFull are returned before anything is written.

// shard is the right to commit to a shard.
type shard struct {
	store *DB
	id    store.ShardID
	state *shardState
	epoch uint64
}

// ID is the shard's number.
func (h *shard) ID() store.ShardID { return h.id }

// Epoch is the number of this ownership.
func (h *shard) Epoch() uint64 { return h.epoch }

// Release ends the ownership of the shard.
func (h *shard) Release(context.Context) error {
	if !h.store.enter() {
		return nil // a closed store has no owners
	}
	defer h.store.leave()
	h.state.mu.Lock()
	defer h.state.mu.Unlock()
	if h.state.epoch != h.epoch {
		return nil
	}
	h.state.epoch++
	h.state.owner = store.Owner{}
	// Not synced: what comes back after a crash is an owner that is not there any
	// more, as after every crash.
	if err := h.store.db.Set(epochKey(h.id), encodeOwnership(h.state.epoch, h.state.owner), cockroach.NoSync); err != nil {
		return fmt.Errorf("store: release shard %d: %w", h.id, err)
	}
	return nil
}

// Running reads the running executions of the shard.
func (h *shard) Running(_ context.Context, after store.ExecutionID, limit int) ([]store.RunningRecord, error) {
	s := h.store
	if !s.enter() {
		return nil, store.ErrClosed
	}
	defer s.leave()
	lower := append([]byte{prefixRunning}, byte(h.id>>8), byte(h.id))
	upper := []byte{prefixRunning, byte((h.id + 1) >> 8), byte(h.id + 1)}
	if after != (store.ExecutionID{}) {
		lower = append(runningKey(after), 0)
	}
	var found []store.RunningRecord
	err := s.scan(lower, upper, false, func(key, v []byte) (bool, error) {
		r, _, err := decodeRunning(store.ExecutionID(key[1:]), v)
		if err != nil {
			return false, err
		}
		found = append(found, r)
		return limit == 0 || len(found) < limit, nil
	})
	return found, err
}

// largeChunk is the size from which on a commit waits while the disk is behind.
const largeChunk = 64 << 10

// lag reports whether the disk is behind what is written: more waits to be flushed
// than a memtable that is full and another one. Who writes much waits then, so that
// no caller who writes little has to.
type lag struct {
	full   uint64       // bytes of memtables from which on it is
	looked atomic.Int64 // in nanoseconds
	is     atomic.Bool
}

const (
	// lagEvery is how often Pebble is asked.
	lagEvery = 2 * time.Millisecond
	// lagMemTables is how many full memtables there may be; Pebble stops all writes
	// at memTableStop.
	lagMemTables = 2
)

func (l *lag) behind(db *cockroach.DB) bool {
	now, last := time.Now().UnixNano(), l.looked.Load()
	if now-last >= int64(lagEvery) && l.looked.CompareAndSwap(last, now) {
		m := db.Metrics()
		l.is.Store(m.MemTable.Size > l.full || m.Levels[0].Sublevels > l0Behind)
	}
	return l.is.Load()
}

// Commit makes one transition durable.
func (h *shard) Commit(_ context.Context, t *store.Transition) error {
	s := h.store
	if !s.enter() {
		return store.ErrClosed
	}
	defer s.leave()
	if s.stalled.Load() || len(t.Chunk.Data) >= largeChunk && !t.Hurry && s.lag.behind(s.db) {
		return store.ErrBusy
	}
	h.state.mu.RLock()
	defer h.state.mu.RUnlock()
	if h.state.epoch != h.epoch || t.Execution.Shard() != h.id || !h.holds(t.Taken) {
		return store.ErrFenced
	}
	batch := s.db.NewBatch()
	defer batch.Close() //nolint:errcheck // it was committed, or is to be forgotten
	if t.New != nil {
		if s.space.full(s.log) {
			return store.ErrFull
		}
		release, err := s.reserve(t.New)
		if err != nil {
			return err
		}
		defer release()
	}
	more, err := s.write(batch, t)
	if err != nil {
		return err
	}
	if len(t.Send)+len(t.Taken) > 0 {
		if err := writeLetters(batch, t); err != nil {
			return err
		}
	}
	err = batch.Commit(s.sync)
	s.space.running.Add(more)
	if !t.Expire.IsZero() {
		s.expiresAt(t.Expire.UnixMilli())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	return nil
}

// reserve takes the name of a new execution until its commit has ended.
// store.ErrExists when it is taken.
func (s *DB) reserve(n *store.NewExecution) (release func(), err error) {
	if n.Unnamed {
		return func() {}, nil
	}
	s.names.Lock()
	taken := s.pending[n.Key]
	s.pending[n.Key] = true
	s.names.Unlock()
	release = func() {
		s.names.Lock()
		delete(s.pending, n.Key)
		s.names.Unlock()
	}
	if taken {
		return nil, store.ErrExists
	}
	_, err = s.get(nameKey(n.Key))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return release, nil
	case err == nil:
		err = store.ErrExists
	}
	release()
	return nil, err
}

// write puts a transition into a batch, after checking that it follows what is
// there. more is by how many bytes the events of running executions become more.
func (s *DB) write(batch *cockroach.Batch, t *store.Transition) (more int64, err error) {
	if t.New != nil {
		return s.writeNew(batch, t)
	}
	v, err := s.get(runningKey(t.Execution))
	running := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	var size int64
	if running {
		var r store.RunningRecord
		if r, size, err = decodeRunning(t.Execution, v); err != nil {
			return 0, err
		}
		if !t.Follows(r.Last) {
			return 0, store.ErrFenced
		}
		if t.Status == store.Running && t.Redrives == 0 && len(t.Terms) == 0 {
			more = int64(len(t.Chunk.Data))
			return more, s.writeStep(batch, t, size+more)
		}
	}
	return s.writeStatus(batch, t, running, size)
}

// writeStep writes a step after which the execution runs on.
func (s *DB) writeStep(batch *cockroach.Batch, t *store.Transition, size int64) error {
	return wrap(
		batch.Set(chunkKey(t.Execution, t.Chunk.First), encodeChunk(&t.Chunk), nil),
		batch.Set(runningKey(t.Execution), encodeRunning(t, size), nil),
	)
}

// writeNew writes the first step of an execution, whose name is reserved.
func (s *DB) writeNew(batch *cockroach.Batch, t *store.Transition) (more int64, err error) {
	if !t.Follows(0) {
		return 0, store.ErrFenced
	}
	r := record{Record: store.Record{Group: t.New.Group, Start: t.New.Start, Meta: t.New.Meta}, key: t.New.Key}
	if t.Status == store.Running {
		more = int64(len(t.Chunk.Data))
		for i := range t.Earlier {
			more += int64(len(t.Earlier[i].Data))
		}
	}
	return more, wrap(
		batch.Set(nameKey(t.New.Key), t.Execution[:], nil),
		writeEarlier(batch, t),
		s.writeRecord(batch, t, &r, false, more),
	)
}

// writeEarlier writes the history of an execution that comes from elsewhere.
func writeEarlier(batch *cockroach.Batch, t *store.Transition) (err error) {
	for i := range t.Earlier {
		err = errors.Join(err, batch.Set(chunkKey(t.Execution, t.Earlier[i].First), encodeChunk(&t.Earlier[i]), nil))
	}
	return err
}

// writeStatus writes a step that changes the execution's record. size is what it has
// written while it runs.
func (s *DB) writeStatus(batch *cockroach.Batch, t *store.Transition, running bool, size int64) (more int64, err error) {
	v, err := s.get(recordKey(t.Execution))
	if errors.Is(err, store.ErrNotFound) {
		return 0, store.ErrFenced
	}
	if err != nil {
		return 0, err
	}
	r, err := decodeRecord(t.Execution, v)
	if err != nil {
		return 0, err
	}
	if !running && !t.Follows(r.Last) {
		return 0, store.ErrFenced
	}
	if r.Group != 0 && r.Status != t.Status {
		if err := batch.Delete(listKey(r.Group, r.Status, r.Start, t.Execution), nil); err != nil {
			return 0, wrap(err)
		}
	}
	if !r.expire.IsZero() {
		if err := batch.Delete(retentionKey(r.expire, t.Execution), nil); err != nil {
			return 0, wrap(err)
		}
	}
	more = -size
	if t.Status == store.Running {
		more = int64(len(t.Chunk.Data))
	}
	return more, s.writeRecord(batch, t, r, running, size+more)
}

// writeRecord writes the record of an execution and what hangs on its status. size
// is what it has written if it runs on.
func (s *DB) writeRecord(batch *cockroach.Batch, t *store.Transition, r *record, wasRunning bool, size int64) error {
	r.Status, r.Stop, r.Last = t.Status, t.Stop, t.Chunk.Last
	r.Redrives, r.Redriven = t.Redrives, t.Redriven
	r.expire = time.Time{}
	if t.Status != store.Running {
		r.expire = t.Expire
	}
	err := s.writeTerms(batch, t, r)
	err = errors.Join(err,
		batch.Set(recordKey(t.Execution), r.encode(), nil),
		batch.Set(chunkKey(t.Execution, t.Chunk.First), encodeChunk(&t.Chunk), nil),
	)
	if r.Group != 0 {
		err = errors.Join(err, batch.Set(listKey(r.Group, r.Status, r.Start, t.Execution), nil, nil))
	}
	switch {
	case t.Status == store.Running:
		err = errors.Join(err, batch.Set(runningKey(t.Execution), encodeRunning(t, size), nil))
	case wasRunning:
		err = errors.Join(err, batch.Delete(runningKey(t.Execution), nil))
	}
	if !r.expire.IsZero() {
		err = errors.Join(err, batch.Set(retentionKey(r.expire, t.Execution), nil, nil))
	}
	return wrap(err)
}

// writeTerms enters the execution under its new terms.
func (s *DB) writeTerms(batch *cockroach.Batch, t *store.Transition, r *record) error {
	var err error
	for _, term := range t.Terms {
		if !slices.Contains(r.terms, term) {
			r.terms = append(r.terms, term)
			err = errors.Join(err, batch.Set(termKey(term, r.Start, t.Execution), nil, nil))
		}
	}
	return err
}

// wrap joins the errors of writes into a batch. Nothing was committed.
func wrap(errs ...error) error {
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("store: write: %w", err)
	}
	return nil
}
