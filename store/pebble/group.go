package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	cockroach "github.com/cockroachdb/pebble/v2"

	"github.com/steppehq/steppe/store"
)

// How tables are written
//
// Thousands of goroutines write a table at once, rows of a few hundred bytes. What
// one write costs by itself, a batch, its way through Pebble's commit pipeline, a
// wait for the log, is more than what its rows cost. So writes that wait are put
// together: a group is one batch, one entry of the log, and one wait.
//
// There is no goroutine for it. The first write that finds no group begins one, and
// leads it; those that come while it waits for its turn join, and sleep until the
// leader closes the group's channel. The leader takes its turn, lets goroutines run
// that can, closes the group to others, puts the writes into a batch in the order in which they
// joined, hands the batch to Pebble, gives the turn on, and only then waits for the
// fsync: the next group enters the log meanwhile, and Pebble makes one fsync of all
// groups that wait. With one writer each group has one write, and costs what a write
// without groups would.
//
// A write that names the versions of its rows needs to know what they are, which may
// be what an earlier write of the same group makes of them. So the leader first reads
// the version of each row that such a write names into a small memory, in which rows
// that are written again and again are found the next time, and then goes through the
// writes in order: each is held against the memory, and those that are taken change
// it. Between groups it is cut to size.
//
// Blind writes read nothing. That is possible since the version of a row is not
// counted for each row but is the number of the write, from one counter of the table;
// reading the version before, only to add one to it, was half of the CPU time of a
// write. The counter is not stored with each write either: the directory has a
// ceiling, and the group whose versions go above it puts a higher one into its batch.
// The log is durable in its order, so where a version is, there is a ceiling that is
// not below it. After a restart the counter goes on at the ceiling.
//
// Readers do not wait for the turn. They read, and compare the version that they
// found with the last durable one: only who has read a row whose fsync has not ended
// waits, for the group that entered the log last when it looked. A row that is not
// there has no version, so such a reader compares the last deletion.

const (
	// ceilingStep is how many writes have a ceiling in common.
	ceilingStep = 1 << 20
	// groupBytes is the size from which on a group takes no more writes. It is well
	// below half a memtable, above which Pebble makes a memtable of each batch.
	groupBytes = 4 << 20
	// recentRows is how many versions are remembered at least, of rows that were
	// written by their version, and half of how many at most.
	recentRows = 1 << 14
)

// group is writes that enter the log together.
type group struct {
	writes []write
	bytes  int
	done   chan struct{} // closed when all below is known, and the writes are durable
	err    error         // why they are not
}

// write is one call of Write.
type write struct {
	edits   []store.Edit
	version uint64
	err     error // why it was refused
}

// wait waits until a group, and all before it, is durable.
func (g *group) wait() error {
	if g == nil {
		return nil
	}
	<-g.done
	return g.err
}

// turned is what belongs to the goroutine that has a table's turn.
type turned struct {
	version uint64 // of the last write
	highest uint64 // the ceiling, 0 until it was read
	recent  recent
}

// Write writes rows, all or none, durably.
func (t *rowTable) Write(_ context.Context, edits ...store.Edit) (uint64, error) {
	if !t.s.enter() {
		return 0, store.ErrClosed
	}
	defer t.s.leave()
	if grows(edits) && t.s.space.full(t.s.log) {
		return 0, store.ErrFull
	}
	g, i := t.join(edits)
	if i == 0 {
		g.err = t.lead(g)
		close(g.done)
	} else {
		<-g.done
	}
	w := &g.writes[i]
	switch {
	case g.err != nil:
		return 0, g.err
	case w.err != nil:
		return 0, w.err
	}
	return w.version, nil
}

// grows reports whether edits write something: what deletes makes space.
func grows(edits []store.Edit) bool {
	return slices.ContainsFunc(edits, func(e store.Edit) bool { return e.Value != nil })
}

// join puts a write into the group that takes writes, and returns its place there.
// The first one leads.
func (t *rowTable) join(edits []store.Edit) (*group, int) {
	size := 0
	for i := range edits {
		size += len(edits[i].Key) + len(edits[i].Value)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.filling
	if g == nil || g.bytes+size > groupBytes {
		g = &group{done: make(chan struct{})}
		t.filling = g
	}
	g.writes = append(g.writes, write{edits: edits})
	g.bytes += size
	return g, len(g.writes) - 1
}

// lead makes a group durable.
func (t *rowTable) lead(g *group) error {
	batch := t.s.db.NewBatch()
	last, before, err := t.enterLog(batch, g)
	if err != nil {
		return errors.Join(err, batch.Close())
	}
	if last == 0 { // nothing was written; what refused the writes must be durable, too
		return errors.Join(before.wait(), batch.Close())
	}
	if t.s.sync.Sync {
		if err := batch.SyncWait(); err != nil {
			return errors.Join(fmt.Errorf("%w: %w", store.ErrUnknown, err), batch.Close())
		}
	}
	raise(&t.durable, last)
	return wrap(batch.Close())
}

// enterLog puts the writes of a group into the log, and shows them to readers. It
// returns the version of the last of them, 0 when none was taken, and the group that
// was before.
func (t *rowTable) enterLog(batch *cockroach.Batch, g *group) (last uint64, before *group, err error) {
	t.turn.Lock()
	defer t.turn.Unlock()
	// Who was told by the last fsync, and will write again, does so first: else each
	// of them would find no group and lead one. Once is not enough: a goroutine that
	// is woken runs before it writes.
	for range 2 {
		runtime.Gosched()
	}
	t.mu.Lock()
	if t.filling == g {
		t.filling = nil
	}
	t.mu.Unlock()
	before = t.last.Load()
	if err := t.fill(batch, g); err != nil {
		t.recent.clear()
		return 0, nil, err
	}
	if batch.Empty() {
		return 0, before, nil
	}
	t.last.Store(g)
	if t.s.sync.Sync {
		err = t.s.db.ApplyNoSyncWait(batch, t.s.sync)
	} else {
		err = t.s.db.Apply(batch, t.s.sync)
	}
	if err != nil {
		t.recent.clear()
		t.highest = 0                // it may be that of this batch
		raise(&t.durable, t.version) // nobody has seen anything of it
		return 0, nil, fmt.Errorf("store: write a table: %w", err)
	}
	t.recent.trim()
	return t.version, before, nil
}

// raise makes a number at least as large as another. Groups end in any order, but
// the log is durable in its own.
func raise(n *atomic.Uint64, to uint64) {
	for old := n.Load(); old < to && !n.CompareAndSwap(old, to); old = n.Load() {
	}
}

// fill puts those writes of a group into a batch that find the versions they name.
// A row that cannot be read refuses the writes that need it, not the others.
func (t *rowTable) fill(batch *cockroach.Batch, g *group) error {
	if t.highest == 0 {
		if err := t.begin(); err != nil {
			return err
		}
	}
	for i := range g.writes {
		w := &g.writes[i]
		w.err = t.look(w.edits)
	}
	for i := range g.writes {
		w := &g.writes[i]
		if w.err == nil && !t.match(w.edits) {
			w.err = store.ErrVersion
		}
		if w.err != nil {
			continue
		}
		t.version++
		w.version = t.version
		for j := range w.edits {
			if err := t.put(batch, &w.edits[j]); err != nil {
				return wrap(err)
			}
		}
	}
	if t.version <= t.highest {
		return nil
	}
	highest := t.version + ceilingStep
	if err := batch.Set(t.ceiling, binary.BigEndian.AppendUint64(nil, highest), nil); err != nil {
		return wrap(err)
	}
	t.highest = highest
	return nil
}

// begin reads the ceiling, at which the versions of this run begin. A table that
// has rows but no ceiling was written when each row counted its own versions.
func (t *rowTable) begin() error {
	v, err := t.s.get(t.ceiling)
	switch {
	case err == nil && len(v) != 8:
		return errCorrupt
	case err == nil:
		t.highest = bigEndian(v)
	case errors.Is(err, store.ErrNotFound):
		err = t.s.scan(t.prefix, after(t.prefix), false, func(key, v []byte) (bool, error) {
			entry, err := decodeEntry(string(key[len(t.prefix):]), v)
			t.highest = max(t.highest, entry.Version)
			return true, err
		})
	}
	if err != nil {
		t.highest = 0
		return err
	}
	t.version = max(t.version, t.highest)
	return nil
}

// look reads the versions that a write needs to know.
func (t *rowTable) look(edits []store.Edit) error {
	for i := range edits {
		e := &edits[i]
		if e.Version == store.Blind {
			continue
		}
		if _, known := t.recent.version(e.Key); known {
			continue
		}
		version, err := t.read(e.Key)
		if err != nil {
			return err
		}
		t.recent.add(e.Key, version)
	}
	return nil
}

// read reads the version of a row, 0 for one that is not there. It does not copy the
// value.
func (t *rowTable) read(row string) (uint64, error) {
	v, closer, err := t.s.db.Get(t.key(row))
	switch {
	case errors.Is(err, cockroach.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, readError(err)
	case len(v) < 8:
		return 0, errors.Join(errCorrupt, closer.Close())
	}
	version := bigEndian(v[:8])
	return version, closer.Close()
}

// match reports whether rows have the versions that edits name.
func (t *rowTable) match(edits []store.Edit) bool {
	for i := range edits {
		e := &edits[i]
		if e.Version == store.Blind {
			continue
		}
		if version, _ := t.recent.version(e.Key); version != e.Version {
			return false
		}
	}
	return true
}

// put adds an edit of the write under way to the batch.
func (t *rowTable) put(batch *cockroach.Batch, e *store.Edit) error {
	size := len(t.prefix) + len(e.Key)
	if e.Value == nil {
		t.recent.change(e.Key, 0)
		t.deleted.Store(t.version)
		op := batch.DeleteDeferred(size)
		t.appendKey(op.Key[:0], e.Key)
		return op.Finish()
	}
	t.recent.change(e.Key, t.version)
	op := batch.SetDeferred(size, 8+len(e.Value))
	t.appendKey(op.Key[:0], e.Key)
	binary.BigEndian.PutUint64(op.Value, t.version)
	copy(op.Value[8:], e.Value)
	return op.Finish()
}

// recent remembers versions of rows, 0 for one that is not there: in two maps, of
// which the older one is forgotten when the younger is full.
type recent struct {
	young, old map[string]uint64
}

func (r *recent) version(row string) (version uint64, known bool) {
	version, known = r.young[row]
	if known || len(r.old) == 0 {
		return version, known
	}
	version, known = r.old[row]
	if known {
		r.young[row] = version // add has made it, for there is an older one
	}
	return version, known
}

// add remembers the version of a row.
func (r *recent) add(row string, version uint64) {
	if r.young == nil {
		r.young = make(map[string]uint64)
	}
	r.young[strings.Clone(row)] = version
}

// change gives a row that is remembered another version.
func (r *recent) change(row string, version uint64) {
	if len(r.young)+len(r.old) == 0 {
		return
	}
	if _, known := r.version(row); known {
		r.young[row] = version
	}
}

// trim forgets the older half when there are many. It is called between groups,
// within which nothing that was read may be forgotten.
func (r *recent) trim() {
	if len(r.young) >= recentRows {
		r.old, r.young = r.young, make(map[string]uint64, len(r.young))
	}
}

func (r *recent) clear() { r.young, r.old = nil, nil }
