// Package pebble is the store of a single machine: a directory of
// cockroachdb/pebble. A commit is durable, that is fsynced, before it returns;
// Pebble itself makes one fsync of all commits that wait.
//
// docs/storage.md describes keys and encodings.
//
// Stability: may move in any minor release; the format on disk is versioned.
package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	cockroach "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/steppehq/steppe/store"
)

// Options changes how a store is opened. The zero value is good.
type Options struct {
	// Shards is the number of shards of a new store, 16 when 0.
	Shards int
	// Logger receives what operators should know; nil discards it.
	Logger *slog.Logger
	// FS is the file system, the real one when nil.
	FS vfs.FS
	// MemTableSize and CacheSize are in bytes: 32 MiB and 256 MiB when 0. Memory
	// is taken as it is needed. Pebble takes the memtables, mostly two, out of the
	// cache: one that is not larger holds no block, and every read decompresses
	// what it looks at.
	MemTableSize, CacheSize int64
	// OpenFiles bounds the tables that are open at once: 1000 when 0.
	OpenFiles int
	// Reserve is the space in bytes that is kept for executions that run: with
	// less of it left on the disk, and of what they have written so far, new ones are
	// refused (store.ErrFull). 512 MiB when 0; less on a small disk, of which it takes
	// at most a twentieth.
	Reserve int64
	// AcceptLoss opens a directory that does not hold all that was acknowledged,
	// after reporting to the logger what is lost. Otherwise Open returns a *LossError.
	AcceptLoss bool
	// ReadOnly opens the directory without changing anything in it, for reading: no
	// shard can be acquired, and nothing be written.
	ReadOnly bool
	// NoSync does without durability. Only tests that prove that they would notice
	// may set it.
	NoSync bool
	// Fatal is called when the disk has failed in a way that leaves no safe way
	// on. It must not return; by default it ends the process.
	Fatal func(message string)
}

// FormatVersion is the version of the keys and encodings that a data directory has.
const FormatVersion = 3

// oldestFormat is the oldest version that is read. A directory of format 2 is one of
// format 3 that has no letters, and whose shards have no owners: it becomes one of
// format 3 by one synced write of its version, before which an older program opens it
// and after which that refuses it.
const oldestFormat = 2

// DB is an open store.
type DB struct {
	db     *cockroach.DB
	tables *yieldingFS // writes db's
	guard  *guard
	reader sstable.ReaderOptions // by which tables are read for themselves
	// findings is what was wrong with the directory when it was opened.
	findings []string
	sync     *cockroach.WriteOptions
	log      *slog.Logger

	shards  []*shardState
	stalled atomic.Bool
	lag     lag
	space   space
	// counting is what reads in the background. It ends before the database is closed.
	counting sync.WaitGroup
	oldest   atomic.Int64 // no execution expires before it, in milliseconds
	closed   atomic.Bool
	flight   sync.RWMutex // held for reading by every call, for writing by Close

	marks *marks

	catalogue sync.Mutex // one edit of the catalogue at a time

	parts sync.Mutex
	part  map[string]*rowTable

	names   sync.Mutex
	pending map[store.NameKey]bool // names whose first commit is under way
}

// shardState fences the commits to a shard: a commit holds it for reading, a
// change of the owner for writing.
type shardState struct {
	mu    sync.RWMutex
	epoch uint64
	owner store.Owner
}

// Open opens the data directory, and makes it when it is not there. The error
// names the directory and what to do.
func Open(dir string, opts Options) (*DB, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Shards == 0 {
		opts.Shards = 16
	}
	if opts.FS == nil {
		opts.FS = vfs.Default
		if err := checkDirectory(dir, opts.ReadOnly); err != nil {
			return nil, err
		}
	}
	if opts.Fatal == nil {
		opts.Fatal = func(message string) {
			fmt.Fprintln(os.Stderr, "steppe: the data directory failed:", message)
			os.Exit(1)
		}
	}
	s := &DB{log: opts.Logger, sync: cockroach.Sync, pending: make(map[store.NameKey]bool), space: space{fs: opts.FS, dir: dir, reserve: opts.Reserve}}
	if opts.NoSync {
		s.sync = cockroach.NoSync
	}
	if err := s.openDirectory(dir, &opts); err != nil {
		return nil, err
	}
	return s, nil
}

// openDirectory takes the directory, holds it against its trail, and opens the
// database in it.
func (s *DB) openDirectory(dir string, opts *Options) (err error) {
	own, err := hold(opts.FS, dir)
	if err != nil {
		return fmt.Errorf("store: open the data directory %s (is another server using it?): %w", dir, err)
	}
	s.guard = newGuard(opts, dir, own)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.guard.abandon())
		}
	}()
	x, err := examine(opts.FS, dir)
	if err != nil {
		return fmt.Errorf("store: open the data directory %s: %w", dir, err)
	}
	if err := x.judge(opts); err != nil {
		return err
	}
	s.findings = x.findings()
	if err := s.guard.begin(x); err != nil {
		return err
	}
	if err := s.open(dir, opts); err != nil {
		err = fmt.Errorf("store: open the data directory %s (is another server using it?): %w", dir, err)
		if len(x.losses) > 0 {
			err = errors.Join(&LossError{dir, x.losses}, err)
		}
		return err
	}
	defer func() {
		if err != nil {
			s.counting.Wait()
			err = errors.Join(err, s.db.Close())
		}
	}()
	created, err := s.format(dir, opts)
	if err != nil {
		return err
	}
	if created {
		// The first log of a new database is of an old format, in which damage
		// inside of the log passes for its end.
		if err = s.db.Close(); err == nil {
			err = s.open(dir, opts)
		}
		if err != nil {
			return fmt.Errorf("store: make the data directory %s: %w", dir, err)
		}
	}
	if opts.ReadOnly {
		return nil
	}
	s.count()
	if s.marks, err = openMarks(s.guard, dir, len(s.shards)); err != nil {
		return err
	}
	if err := s.guard.ready(); err != nil {
		return err
	}
	s.scrub()
	return nil
}

// Findings is what was wrong with the directory when it was opened: what it had
// lost, if that was accepted, and damage without a loss.
func (s *DB) Findings() []string { return s.findings }

func (s *DB) open(dir string, opts *Options) (err error) {
	s.tables = &yieldingFS{FS: s.guard}
	o := s.options(opts)
	s.db, err = cockroach.Open(dir, o)
	s.tables.db.Store(s.db)
	o.EnsureDefaults()
	s.reader = o.MakeReaderOptions()
	return err
}

// checkDirectory refuses a directory that holds something else.
func checkDirectory(dir string, readOnly bool) error {
	if !readOnly {
		if err := os.MkdirAll(dir, privateDirectory); err != nil {
			return fmt.Errorf("store: make the data directory: %w", err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("store: read the data directory: %w", err)
	}
	if len(entries) == 0 || slices.ContainsFunc(entries, func(e os.DirEntry) bool { _, ok := manifestNumber(e.Name()); return ok }) {
		return nil
	}
	if t, _, err := readTrail(vfs.Default, dir); err == nil && t != nil {
		return nil // one that was being made, or all but the trail is lost, which it reports
	}
	return fmt.Errorf("store: %s is not empty and is no data directory; give another with --data", dir)
}

// l0Compaction is at how many sublevels of L0 they are compacted. Memtables are
// small: what is below is written again for many at once.
const l0Compaction = 8

// l0Behind is how many sublevels of L0 there may be for the disk not to be behind;
// at l0Stop Pebble stops all writes, and at memTableStop memtables.
const (
	l0Behind     = 20
	l0Stop       = 40
	memTableStop = 4
)

func (s *DB) options(opts *Options) *cockroach.Options {
	if opts.MemTableSize == 0 {
		// A crash leaves up to two of these in the log, which are read, and
		// flushed, before the server answers again: 0.6 s at 32 MiB, 6 s at 256.
		opts.MemTableSize = 32 << 20
	}
	s.lag.full = lagMemTables * uint64(opts.MemTableSize)
	if opts.CacheSize == 0 {
		opts.CacheSize = 256 << 20
	}
	o := &cockroach.Options{
		FS:                          s.tables,
		ReadOnly:                    opts.ReadOnly,
		FormatMajorVersion:          cockroach.FormatWALSyncChunks, // damage inside of the log is distinguished from its torn end
		MemTableSize:                uint64(opts.MemTableSize),
		MemTableStopWritesThreshold: memTableStop,
		L0CompactionThreshold:       l0Compaction,
		L0StopWritesThreshold:       l0Stop,
		CacheSize:                   opts.CacheSize,
		MaxOpenFiles:                opts.OpenFiles,
		WALBytesPerSync:             1 << 20,
		WALMinSyncInterval:          letCommit,
		BytesPerSync:                1 << 20,
		Logger:                      logger{opts.Logger, opts.Fatal},
		EventListener: &cockroach.EventListener{
			WriteStallBegin: func(info cockroach.WriteStallBeginInfo) {
				s.stalled.Store(true)
				s.log.Warn("the disk cannot keep up; new work waits", slog.String("reason", info.Reason))
			},
			WriteStallEnd: func() { s.stalled.Store(false) },
			// A read that meets damage fails; the others go on.
			DataCorruption: func(info cockroach.DataCorruptionInfo) {
				s.guard.pause.damaged(info.Path, info.Details)
			},
			BackgroundError: func(err error) { s.guard.pause.report(err) },
		},
	}
	for i := range o.Levels {
		l := &o.Levels[i]
		l.FilterPolicy = bloom.FilterPolicy(10)
		l.FilterType = cockroach.TableFilter
		l.BlockSize = 16 << 10
		// Zstandard would save a fifth of the space at the lower levels, for a third
		// more CPU time an execution: its Go code is slow.
		l.Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	}
	return o
}

// letCommit is called between two syncs of the log, and asks for no time between
// them. A caller whose commit the last one ended, and who can go on at once, does so first:
// the next sync takes their commits along instead of making them wait for the one
// after it. Where none can, it takes no time.
func letCommit() time.Duration {
	for range 3 {
		runtime.Gosched()
	}
	return 0
}

// logger passes what Pebble says on.
type logger struct {
	log   *slog.Logger
	fatal func(string)
}

func (l logger) Infof(format string, args ...any) {
	l.log.Debug("pebble", slog.String("message", fmt.Sprintf(format, args...)))
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("pebble", slog.String("message", fmt.Sprintf(format, args...)))
}

func (l logger) Fatalf(format string, args ...any) { l.fatal(fmt.Sprintf(format, args...)) }

// format checks the version of the directory, or writes it into a new one.
func (s *DB) format(dir string, opts *Options) (created bool, err error) {
	shards := opts.Shards
	v, closer, err := s.db.Get(formatKey)
	switch {
	case errors.Is(err, cockroach.ErrNotFound) && opts.ReadOnly:
		return false, fmt.Errorf("store: there is nothing in %s", dir)
	case errors.Is(err, cockroach.ErrNotFound):
		created = true
		if err := s.writeFormat(dir, shards); err != nil {
			return false, err
		}
	case err != nil:
		return false, fmt.Errorf("store: read the format of %s: %w", dir, err)
	default:
		if len(v) != 3 {
			return false, fmt.Errorf("store: read the format of %s: %w", dir, errCorrupt)
		}
		version, count := v[0], int(v[1])<<8|int(v[2])
		if err := closer.Close(); err != nil {
			return false, fmt.Errorf("store: %w", err)
		}
		shards = count
		if err := s.migrate(dir, version, shards, opts.ReadOnly); err != nil {
			return false, err
		}
	}
	s.shards = make([]*shardState, shards)
	for i := range s.shards {
		state := new(shardState)
		epoch, err := s.get(epochKey(store.ShardID(i)))
		if err == nil {
			if state.epoch, state.owner, err = decodeOwnership(epoch); err != nil {
				return false, fmt.Errorf("store: read the owner of shard %d in %s: %w", i, dir, err)
			}
		} else if !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		s.shards[i] = state
	}
	return created, nil
}

// writeFormat says in the directory that it has this format.
func (s *DB) writeFormat(dir string, shards int) error {
	if err := s.db.Set(formatKey, []byte{FormatVersion, byte(shards >> 8), byte(shards)}, cockroach.Sync); err != nil {
		return fmt.Errorf("store: write the format of %s: %w", dir, err)
	}
	return nil
}

// migrate brings a directory of an older format to this one.
func (s *DB) migrate(dir string, version byte, shards int, readOnly bool) error {
	switch {
	case version == FormatVersion, version >= oldestFormat && version < FormatVersion && readOnly:
		return nil
	case version > FormatVersion:
		return fmt.Errorf("store: %s has format %d, and this program knows formats up to %d; use the program that wrote it, or a newer one", dir, version, FormatVersion)
	case version < oldestFormat:
		return fmt.Errorf("store: %s has format %d, and this program knows formats from %d on; use the program that wrote it", dir, version, oldestFormat)
	}
	if err := s.writeFormat(dir, shards); err != nil {
		return err
	}
	s.log.Info("the data directory has a new format now; older programs do not open it any more", slog.String("directory", dir), slog.Int("from", int(version)), slog.Int("to", FormatVersion))
	return nil
}

// enter begins a call. It is false when the store is closed; otherwise leave
// must be called.
func (s *DB) enter() bool {
	s.flight.RLock()
	if s.closed.Load() {
		s.flight.RUnlock()
		return false
	}
	return true
}

func (s *DB) leave() { s.flight.RUnlock() }

// Close releases the directory. Calls under way end first.
func (s *DB) Close() error {
	s.flight.Lock()
	defer s.flight.Unlock()
	if s.closed.Swap(true) {
		return nil
	}
	if err := s.end(); err != nil {
		return fmt.Errorf("store: close: %w", err)
	}
	return nil
}

// end closes all, and says so on the disk when it went well.
func (s *DB) end() error {
	s.guard.disarm()
	s.counting.Wait()
	if err := s.db.Close(); err != nil {
		return errors.Join(err, s.guard.abandon())
	}
	if s.marks == nil {
		return s.guard.abandon()
	}
	return errors.Join(s.marks.close(), s.guard.seal())
}

// get reads a value. store.ErrNotFound, store.ErrDamaged.
func (s *DB) get(key []byte) ([]byte, error) {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, cockroach.ErrNotFound) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, readError(err)
	}
	v = bytes.Clone(v)
	return v, closer.Close()
}

// scan visits the entries of a range of keys until visit says no.
func (s *DB) scan(lower, upper []byte, reverse bool, visit func(key, v []byte) (bool, error)) (err error) {
	it, err := s.db.NewIter(&cockroach.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return readError(err)
	}
	defer func() {
		if failed := it.Close(); failed != nil && err == nil {
			err = readError(failed)
		}
	}()
	first, next := it.First, it.Next
	if reverse {
		first, next = it.Last, it.Prev
	}
	for ok := first(); ok; ok = next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return readError(err)
		}
		if more, err := visit(it.Key(), v); err != nil || !more {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return readError(err)
	}
	return nil
}

// readError is a failed read. store.ErrDamaged.
func readError(err error) error {
	if cockroach.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return fmt.Errorf("store: read: %w", err)
}

// Shards is the number of shards.
func (s *DB) Shards() int { return len(s.shards) }

// Acquire makes the caller the owner of a shard.
func (s *DB) Acquire(_ context.Context, id store.ShardID, owner store.Owner) (store.Shard, error) {
	if !s.enter() {
		return nil, store.ErrClosed
	}
	defer s.leave()
	if int(id) >= len(s.shards) {
		return nil, store.ErrNotFound
	}
	state := s.shards[id]
	state.mu.Lock()
	defer state.mu.Unlock()
	if err := s.db.Set(epochKey(id), encodeOwnership(state.epoch+1, owner), s.sync); err != nil {
		return nil, fmt.Errorf("store: acquire shard %d: %w", id, err)
	}
	state.epoch++
	state.owner = owner
	return &shard{s, id, state, state.epoch}, nil
}

// Owners reads who owns the shards.
func (s *DB) Owners(context.Context) ([]store.Ownership, error) {
	if !s.enter() {
		return nil, store.ErrClosed
	}
	defer s.leave()
	owners := make([]store.Ownership, len(s.shards))
	for i, state := range s.shards {
		state.mu.RLock()
		owners[i] = store.Ownership{Shard: store.ShardID(i), Epoch: state.epoch, Owner: state.owner}
		state.mu.RUnlock()
	}
	return owners, nil
}
