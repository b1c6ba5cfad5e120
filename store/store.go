// Package store is the contract of a database that holds executions: what the
// engine asks for, in the engine's words, and nothing else.
//
// A store keeps events, bytes and times. It decides nothing about state
// machines; a new one passes [github.com/steppehq/steppe/store/storetest.Run]
// and is done.
//
// Executions are hashed to shards. A shard has one owner at a time, who holds a
// [Shard] with an epoch; every commit carries the epoch and the number of the
// first event it adds, and is refused if either has moved. So two engines that
// both believe they own a shard cannot both move an execution.
//
// Stability: may move in any minor release.
package store

import (
	"context"
	"encoding/binary"
	"errors"
	"time"
)

// The errors that decide something. All others mean that the store is broken;
// nothing is known of the outcome then either.
var (
	// ErrFenced: the shard's epoch has moved, or another event holds the place
	// of the transition's first. Nothing was written. It is final: the handle
	// never commits again, everything its owner holds for the shard in memory
	// is worthless, and no effect of the refused transition may be performed.
	ErrFenced = errors.New("store: fenced: the shard has another owner")
	// ErrUnknown: the outcome of a commit is not known; it may or may not be
	// durable. The owner acquires the shard again and reads what is true.
	ErrUnknown = errors.New("store: outcome of the commit is unknown")
	// ErrBusy: back-pressure, nothing was written; the caller slows down.
	ErrBusy = errors.New("store: busy")
	// ErrFull: the disk is nearly full, and a new execution was refused; nothing
	// was written. Executions that run go on.
	ErrFull = errors.New("store: the disk is nearly full: new executions are refused until there is space again")
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("store: not found")
	// ErrExists: a new execution's name is taken. Nothing was written.
	ErrExists = errors.New("store: name exists")
	// ErrVersion: a catalogue entry is not at the version the caller saw.
	// Nothing was written.
	ErrVersion = errors.New("store: version conflict")
	// ErrDamaged: what is stored is not what was written. Reading it again brings no
	// more, and nothing may be concluded from its not being there.
	ErrDamaged = errors.New("store: damaged")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store: closed")
)

// ShardID numbers a shard, from 0. How many there are is fixed when a store is
// created.
type ShardID uint16

// ExecutionID names an execution inside a store: shard (2 bytes, big endian),
// start in milliseconds (6 bytes), the part of the start below a millisecond
// (20 bits of nanoseconds), random (44 bits). It is ordered by time inside a
// shard and routes itself.
type ExecutionID [16]byte

// Swapped is the id with its halves exchanged, which orders the executions of
// one millisecond by their start whatever their shards. Swapped twice it is the
// id itself.
func (id ExecutionID) Swapped() ExecutionID {
	var swapped ExecutionID
	copy(swapped[:8], id[8:])
	copy(swapped[8:], id[:8])
	return swapped
}

// Shard is the shard that holds the execution.
func (id ExecutionID) Shard() ShardID { return ShardID(id[0])<<8 | ShardID(id[1]) }

// Start is when the execution started, to the millisecond.
func (id ExecutionID) Start() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) & (1<<48 - 1)))
}

// Status is the life of an execution as the API reports it.
type Status uint8

// The statuses. Running is the only one that is not final but for a redrive.
const (
	Running Status = iota + 1
	Succeeded
	Failed
	TimedOut
	Aborted
)

// String is the status in the API's words: "TIMED_OUT".
func (s Status) String() string {
	switch s {
	case Running:
		return "RUNNING"
	case Succeeded:
		return "SUCCEEDED"
	case Failed:
		return "FAILED"
	case TimedOut:
		return "TIMED_OUT"
	case Aborted:
		return "ABORTED"
	}
	return ""
}

// StatusOf is the status of that name, 0 for none.
func StatusOf(name string) Status {
	for s := Running; s <= Aborted; s++ {
		if s.String() == name {
			return s
		}
	}
	return 0
}

// Store is one open database. All methods may be called from any goroutine.
// Times are kept to the millisecond.
type Store interface {
	Executions
	Catalogue
	Tables

	// Shards is the number of shards.
	Shards() int
	// Acquire makes the caller the owner of a shard: its epoch grows by one,
	// durably, and every earlier handle of the shard is fenced. Name and address of
	// the owner are kept with the epoch. ErrNotFound: there is no such shard.
	Acquire(ctx context.Context, shard ShardID, owner Owner) (Shard, error)
	// Owners reads who owns the shards, in their order, one entry for each shard. It
	// is advice: an owner may have died, or lose the shard while it is being read.
	Owners(ctx context.Context) ([]Ownership, error)

	// Retain deletes executions whose Expire is not after the given time, at
	// most max of them, with their history, names and terms, and returns their
	// ids. Letters that they sent stay: they are still owed.
	Retain(ctx context.Context, now time.Time, max int) ([]ExecutionID, error)
	// Close releases the store. Commits in flight end first.
	Close() error
}

// Executions is what can be read of executions, with or without owning their shards. Reads
// may be asked on any node, are never fenced, and see every commit that returned
// before they began.
type Executions interface {
	// Execution reads the record of an execution. ErrNotFound.
	Execution(ctx context.Context, id ExecutionID) (*Record, error)
	// Executions reads the records of all executions in the order of their
	// ids, at most limit of them (0: all) after the given one.
	Executions(ctx context.Context, after ExecutionID, limit int) ([]Record, error)
	// Lookup finds the newest execution of that name of a state machine (its
	// unqualified name in the machine's namespace). ErrNotFound.
	Lookup(ctx context.Context, key NameKey) (ExecutionID, error)
	// Names reads up to limit (0: all) names of a scope that have the prefix and
	// are greater than after, in byte order, with the newest execution of each.
	Names(ctx context.Context, scope Scope, prefix, after string, limit int) ([]Named, error)
	// History reads chunks in order, or from the last backwards: those that
	// hold events from number from on (up to from, when reverse), at most
	// limit chunks (0: all). An unknown execution has none.
	History(ctx context.Context, id ExecutionID, from int64, limit int, reverse bool) ([]Chunk, error)
	// LettersOf reads the letters that an execution sent and that were not taken, in
	// the order of [LetterID.Compare].
	LettersOf(ctx context.Context, from ExecutionID) ([]Letter, error)
	// List returns the records of executions, newest start first (those of one
	// millisecond by their swapped ids), and whether there are more. The next
	// page is the one after the last record's place. Pages never repeat or
	// skip an execution that did not change between them.
	List(ctx context.Context, q ListQuery) (page []Record, more bool, err error)
}

// Catalogue keeps named, versioned values: state machines, activities, tags.
type Catalogue interface {
	// Get reads a catalogue entry. ErrNotFound.
	Get(ctx context.Context, key string) (Entry, error)
	// Scan reads up to limit (0: all) catalogue entries whose key has the
	// prefix and is greater than after, in byte order of their keys.
	Scan(ctx context.Context, prefix, after string, limit int) ([]Entry, error)
	// Put writes catalogue entries, all or none, durably. Each edit names the
	// version its entry must have, 0 for one that must not exist yet; versions
	// count from 1 and start again after a deletion. ErrVersion.
	Put(ctx context.Context, edits ...Edit) error
}

// Owner is who owns a shard, as it says itself.
type Owner struct {
	// Name distinguishes it from other owners; Address is where other nodes reach it. Each
	// may be empty.
	Name, Address string
}

// Ownership is who acquired a shard last.
type Ownership struct {
	Shard ShardID
	// Epoch is that of the last ownership, 0 when the shard was never acquired.
	Epoch uint64
	// Owner is zero when the shard was never acquired, or was released since.
	Owner Owner
}

// Shard is the right to commit to a shard, until another owner acquires it.
type Shard interface {
	// ID is the shard's number.
	ID() ShardID
	// Epoch is the number of this ownership.
	Epoch() uint64
	// Running reads the running executions of the shard in the order of their
	// ids, at most limit of them (0: all) after the given one.
	Running(ctx context.Context, after ExecutionID, limit int) ([]RunningRecord, error)
	// Letters reads the letters of the shard that were not taken, in the order of
	// [LetterID.Compare], at most limit of them (0: all) after the given one. It sees
	// every commit that returned before it began. Letters of commits under way may be
	// missing, and may come to stand before those that were read: an owner reads the
	// letters of former owners when it acquires the shard, and knows its own.
	Letters(ctx context.Context, after LetterID, limit int) ([]Letter, error)
	// Take deletes letters of the shard, all or none, durably before it returns.
	// Those that are not there are passed over, so it may be tried again.
	// ErrFenced, also for letters of another shard; ErrUnknown.
	Take(ctx context.Context, ids ...LetterID) error
	// Commit makes one transition durable, all or nothing, before it returns.
	// It is called by thousands of goroutines at once, at most one for each
	// execution; the store makes one fsync or round trip of those that wait.
	// The store does not keep t or its slices after it returned.
	// ErrFenced, ErrUnknown, ErrBusy, ErrFull, ErrExists.
	Commit(ctx context.Context, t *Transition) error
	// Release ends the ownership: this handle is fenced, and the shard has no owner
	// until the next one acquires it.
	Release(ctx context.Context) error
}

// NameKey is the name of an execution in its namespace.
type NameKey struct {
	Scope Scope
	Name  string
}

// Scope is a namespace: the hash of account, region and state machine that the
// engine made.
type Scope [8]byte

// Named is a name and the execution that has it.
type Named struct {
	Name string
	ID   ExecutionID
}

// Term is what an execution can be found by: the hash of something that it has,
// made by the engine. Different things may share a term, so what is found by
// one must be looked at.
type Term [8]byte

// Transition is one step of one execution.
type Transition struct {
	Execution ExecutionID
	// Chunk holds the events the step recorded; First is the number after the
	// last one committed before; 1 for a new execution, or the number after
	// those of Earlier.
	Chunk Chunk
	// Earlier holds the events before those of Chunk, in chunks that follow
	// each other, of a new execution that comes from elsewhere.
	Earlier []Chunk
	// New is set in the first transition of an execution.
	New *NewExecution
	// Status is the execution's status after the step, Stop the time it
	// ended, zero while it is running. The store moves lists and retention
	// itself.
	Status Status
	Stop   time.Time
	// Expire is when a closed execution may be forgotten, zero for never. It
	// is not looked at while the execution is running.
	Expire time.Time
	// Terms are those by which the execution can be found from now on, beside
	// the ones it has.
	Terms []Term
	// Wake is the earliest time at which the execution wants to be woken, zero
	// for never. Busy reports that it also has effects whose outcome is not
	// recorded, so that it must be loaded when the shard is taken over.
	Wake time.Time
	Busy bool
	// Redrives is the number of redrives so far, Redriven the last one's time.
	Redrives int
	Redriven time.Time
	// Send are the letters of the step. They are there if and only if it is. They are
	// kept when the execution ends, and when it is forgotten.
	Send []Letter
	// Taken are letters of this execution's shard, sent by any execution, whose effect the
	// step is: they are deleted with it. Those that are not there are passed over. A
	// step that takes a letter of another shard is refused with ErrFenced.
	Taken []LetterID
	// Hurry reports that the transition is not to be refused with ErrBusy because it
	// is large: a caller waits for it.
	Hurry bool
}

// Follows reports whether the transition's chunks follow an event and each other.
func (t *Transition) Follows(last int64) bool {
	for i := range t.Earlier {
		if t.Earlier[i].First != last+1 {
			return false
		}
		last = t.Earlier[i].Last
	}
	return t.Chunk.First == last+1
}

// Chunk is a run of consecutive events of one execution, encoded by package
// history.
type Chunk struct {
	First, Last int64
	Data        []byte
}

// NewExecution is what a store must know of an execution beside its history.
type NewExecution struct {
	// Name must be unique among executions that are not yet retained away,
	// unless Unnamed is set: then the engine made the name at random, and
	// no check is needed, but the execution can be looked up by it all the same.
	Key     NameKey
	Unnamed bool
	// Group is the list that the execution is in, a number from one counter of the
	// engine for each state machine and each map run. 0 leaves it out of all lists.
	Group uint32
	Start time.Time
	// Meta is kept for the engine: ARNs and what else Describe needs.
	Meta []byte
}

// Record is what a store knows of an execution beside its history.
type Record struct {
	ID       ExecutionID
	Group    uint32
	Status   Status
	Start    time.Time
	Stop     time.Time // zero while it is running
	Last     int64     // number of its last event
	Redrives int
	Redriven time.Time
	Meta     []byte
}

// RunningRecord is what a taking-over owner needs of a running execution.
type RunningRecord struct {
	ID   ExecutionID
	Last int64
	Wake time.Time
	Busy bool
}

// ListQuery selects executions: those of some groups in some statuses, or
// those that have a term, whatever their group and status.
type ListQuery struct {
	Groups   []uint32
	Statuses []Status // none: any
	Term     Term     // zero: by groups
	// From and To bound the start: From <= start < To. Zero is no bound.
	From, To time.Time
	Limit    int    // at most; 0: 100
	After    *Place // where the page before ended, nil for the first
}

// Place is where an execution stands in a list.
type Place struct {
	Start time.Time
	ID    ExecutionID
}

// Place is where the execution stands in lists.
func (r *Record) Place() Place { return Place{r.Start, r.ID} }

// Entry is a named, versioned value: a state machine, an activity, tags.
type Entry struct {
	Key     string
	Version uint64
	Value   []byte
}

// Maintained is a store that takes space on a disk.
type Maintained interface {
	// Stats reports what the store has written and holds.
	Stats() Stats
	// Full reports whether the disk is nearly full: new executions are refused with
	// ErrFull.
	Full() bool
	// Compact rewrites all that is stored, without what is obsolete. It is not
	// needed, and takes long: a store compacts by itself.
	Compact(ctx context.Context) error
}

// Stats is what a store has written and holds, in bytes.
type Stats struct {
	// WALBytes is the size of all records written to the log, before fsync.
	WALBytes uint64
	// DiskBytes is the space that the store takes on the disk.
	DiskBytes uint64
}

// Marker is a store that keeps marks.
type Marker interface {
	// Marks returns the marks of this store; always the same ones.
	Marks() Marks
}

// MarkSlots is the number of slots that marks have.
const MarkSlots = 256

// Marks say, after the process has died, which executions it was at work on. They
// cost no sync: they outlive the process, not the machine, and where they are lost
// or damaged nothing else is. All methods may be called from any goroutine, but a
// slot belongs to one goroutine at a time.
type Marks interface {
	// Set marks an execution in a slot, from 0 to MarkSlots-1, instead of the one
	// that it had.
	Set(slot int, id ExecutionID) error
	// Clear leaves a slot empty.
	Clear(slot int) error
	// Left is what was marked when the run before ended, in no order and each
	// execution once: nothing when its marks were cleared. The caller records what
	// follows from it before the first Set: until then, or until the store is closed,
	// it is still there for the run that comes after. Executions may be among them
	// that do not exist.
	Left() []ExecutionID
}

// Edit writes or deletes one catalogue entry.
type Edit struct {
	Key     string
	Version uint64 // the version the entry must have; 0: it must not exist
	Value   []byte // nil deletes the entry
}
