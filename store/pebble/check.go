package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	cockroach "github.com/cockroachdb/pebble/v2"

	"github.com/steppehq/steppe/store"
)

// Checked sums up a check.
type Checked struct {
	Executions, Running, Chunks int
	// Keys is the number of keys of all kinds.
	Keys int
}

// Check looks at every block of the tables and every key of a directory: what it
// holds must be readable, each execution's history without a gap, and no key may
// lead nowhere or be missing. visit is given each execution with its history, for
// checks of what it means; problem receives what is wrong, with the table or the
// key. Nothing is written. Commits made in the meantime are not seen.
func (s *DB) Check(ctx context.Context, visit func(store.Record, []store.Chunk), problem func(string)) (Checked, error) {
	if !s.enter() {
		return Checked{}, store.ErrClosed
	}
	defer s.leave()
	_, err := s.readTables(func(int, time.Duration) error { return ctx.Err() }, func(name string, err error) {
		problem(fmt.Sprintf("%s: the table is damaged: %v", s.guard.PathBase(name), err))
	})
	if err != nil {
		return Checked{}, fmt.Errorf("store: check: %w", err)
	}
	snapshot := s.db.NewSnapshot()
	defer snapshot.Close() //nolint:errcheck // it was only read
	c := &check{ctx: ctx, snapshot: snapshot, shards: len(s.shards), visit: visit, problem: problem, seen: make(map[store.ExecutionID]*footprint)}
	for _, part := range []func() error{c.executions, c.lists, c.terms, c.retention, c.names, c.missing, c.letters, c.rows, c.owners, c.rest} {
		if err := part(); err != nil {
			return c.Checked, err
		}
	}
	return c.Checked, nil
}

// check is one under way.
type check struct {
	Checked
	ctx      context.Context
	snapshot *cockroach.Snapshot
	shards   int
	visit    func(store.Record, []store.Chunk)
	problem  func(string)
	seen     map[store.ExecutionID]*footprint
}

// footprint is which other keys an execution must have, and has.
type footprint struct {
	group                 uint32
	status                store.Status
	start, expire         time.Time
	name                  uint64
	terms, found          int
	listed, kept, renamed bool
}

// wrong reports what is wrong with a key.
func (c *check) wrong(key []byte, format string, args ...any) {
	c.problem(fmt.Sprintf("key %q: ", key) + fmt.Sprintf(format, args...))
}

// each visits the keys of a prefix.
func (c *check) each(prefix byte, visit func(key, v []byte) error) error {
	it, err := c.snapshot.NewIter(&cockroach.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		return fmt.Errorf("store: check: %w", err)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var v []byte
		if v, err = it.ValueAndErr(); err == nil {
			c.Keys++
			if err = c.ctx.Err(); err == nil {
				err = visit(it.Key(), v)
			}
		}
	}
	if err = errors.Join(err, it.Error(), it.Close()); err != nil {
		return fmt.Errorf("store: check: %w", err)
	}
	return nil
}

// idOf reads the execution at a place of a key.
func idOf(key []byte, at int) (id store.ExecutionID, ok bool) {
	if len(key) < at+len(id) {
		return id, false
	}
	copy(id[:], key[at:])
	return id, true
}

// cursor goes through the keys of a prefix that begin with an execution's id,
// beside another one that does.
type cursor struct {
	it *cockroach.Iterator
	ok bool
}

func (c *check) cursor(prefix byte) (*cursor, error) {
	it, err := c.snapshot.NewIter(&cockroach.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		return nil, fmt.Errorf("store: check: %w", err)
	}
	return &cursor{it, it.First()}, nil
}

// upTo visits the keys of executions before the given one as strays, and those
// of the one itself.
func (c *check) upTo(cur *cursor, id []byte, own func(key, v []byte)) error {
	for ; cur.ok; cur.ok = cur.it.Next() {
		key := cur.it.Key()
		of := key[1:min(len(key), 17)]
		n := 1
		if id != nil {
			n = bytes.Compare(id, of)
		}
		if n < 0 {
			return nil
		}
		v, err := cur.it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("store: check: %w", err)
		}
		c.Keys++
		if n > 0 {
			c.wrong(key, "the execution is not there")
			continue
		}
		own(key, v)
	}
	return cur.it.Error()
}

// executions goes through records, histories and running executions side by
// side: all three are in the order of the executions' ids.
func (c *check) executions() error {
	chunks, err := c.cursor(prefixChunk)
	if err != nil {
		return err
	}
	running, err := c.cursor(prefixRunning)
	if err != nil {
		return errors.Join(err, chunks.it.Close())
	}
	err = c.each(prefixRecord, func(key, v []byte) error {
		id, ok := idOf(key, 1)
		if !ok || int(id.Shard()) >= c.shards {
			c.wrong(key, "it names no execution of a shard")
			return nil
		}
		r, err := decodeRecord(id, bytes.Clone(v))
		if err != nil {
			c.wrong(key, "%v", err)
			return nil
		}
		return c.execution(key, r, chunks, running)
	})
	return errors.Join(err, c.upTo(chunks, nil, nil), c.upTo(running, nil, nil), chunks.it.Close(), running.it.Close())
}

func (c *check) execution(key []byte, r *record, chunks, running *cursor) error {
	c.Executions++
	last, runs := int64(0), false
	err := c.upTo(running, r.ID[:], func(key, v []byte) {
		run, _, err := decodeRunning(r.ID, v)
		if err != nil {
			c.wrong(key, "%v", err)
		}
		last, runs = run.Last, true
	})
	if err != nil {
		return err
	}
	switch {
	case runs != (r.Status == store.Running):
		c.wrong(key, "its status is %v, and a running execution has the key x, others have not", r.Status)
	case runs:
		c.Running++
		r.Last = last
	}
	var history []store.Chunk
	next := int64(1)
	err = c.upTo(chunks, r.ID[:], func(key, v []byte) {
		c.Chunks++
		chunk, err := decodeChunk(int64(bigEndian(key[len(key)-8:])), v)
		if err != nil {
			c.wrong(key, "%v", err)
			return
		}
		if chunk.First != next {
			c.wrong(key, "the history goes on with event %d after event %d", chunk.First, next-1)
		}
		next = chunk.Last + 1
		history = append(history, chunk)
	})
	if err != nil {
		return err
	}
	if next-1 != r.Last {
		c.wrong(key, "the history ends with event %d, and the record says %d", next-1, r.Last)
	}
	c.seen[r.ID] = &footprint{
		group: r.Group, status: r.Status, start: r.Start, expire: r.expire, name: nameHash(nameKey(r.key)), terms: len(r.terms),
		listed: r.Group == 0, kept: r.expire.IsZero(),
	}
	c.visit(r.Record, history)
	return nil
}

// nameHash stands for a name's key.
func nameHash(key []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(key) // never fails
	return h.Sum64()
}

// placed returns the execution at the end of a list's key, and its start.
func (c *check) placed(key []byte) (*footprint, time.Time) {
	if len(key) < placeSize {
		return nil, time.Time{}
	}
	id, start := readPlace(key[len(key)-placeSize:])
	return c.seen[id], start
}

// lists checks that each place in a list is that of an execution of its group and status.
func (c *check) lists() error {
	return c.each(prefixList, func(key, _ []byte) error {
		x, start := c.placed(key)
		if x == nil {
			c.wrong(key, "the execution is not there")
			return nil
		}
		if !bytes.HasPrefix(key, listPrefix(x.group, x.status)) || start.UnixMilli() != x.start.UnixMilli() || x.listed {
			c.wrong(key, "the execution belongs to another list")
		}
		x.listed = true
		return nil
	})
}

// terms checks that each term leads to an execution, and counts those of each.
func (c *check) terms() error {
	return c.each(prefixTerm, func(key, _ []byte) error {
		x, start := c.placed(key)
		if x == nil || start.UnixMilli() != x.start.UnixMilli() {
			c.wrong(key, "the execution is not there")
			return nil
		}
		x.found++
		return nil
	})
}

// retention checks that each entry is of an execution that expires then.
func (c *check) retention() error {
	return c.each(prefixRetention, func(key, _ []byte) error {
		id, ok := idOf(key, 9)
		x := c.seen[id]
		if !ok || x == nil {
			c.wrong(key, "the execution is not there")
			return nil
		}
		if int64(bigEndian(key[1:9])) != x.expire.UnixMilli() || x.kept {
			c.wrong(key, "the execution expires at another time")
		}
		x.kept = true
		return nil
	})
}

// names checks that each name leads to an execution of that name.
func (c *check) names() error {
	return c.each(prefixName, func(key, v []byte) error {
		id, ok := idOf(v, 0)
		x := c.seen[id]
		if !ok || x == nil {
			c.wrong(key, "the execution is not there")
			return nil
		}
		if nameHash(key) != x.name {
			c.wrong(key, "the execution has another name")
		}
		x.renamed = true
		return nil
	})
}

// missing reports executions that lack a key. One without a name may have
// lost it to a newer execution.
func (c *check) missing() error {
	for id, x := range c.seen {
		switch {
		case !x.listed:
			c.wrong(recordKey(id), "the execution is in no list")
		case !x.kept:
			c.wrong(recordKey(id), "the execution would never expire, although its record says when")
		case x.terms != x.found:
			c.wrong(recordKey(id), "the execution has %d terms and is found by %d", x.terms, x.found)
		}
	}
	return nil
}

// letters reads the letters. Their senders and receivers may have been forgotten.
func (c *check) letters() error {
	return c.each(prefixLetter, func(key, v []byte) error {
		l, err := decodeLetter(key, v)
		switch {
		case err != nil:
			c.wrong(key, "%v", err)
		case int(l.ID.Shard()) >= c.shards || int(l.To.Shard()) >= c.shards:
			c.wrong(key, "the letter is from or to an execution of no shard")
		case l.ID.Event < 1:
			c.wrong(key, "the letter was sent with event %d", l.ID.Event)
		}
		return nil
	})
}

// rows reads the rows of all tables, and above which version there are none.
func (c *check) rows() error {
	ceilings := make(map[string]uint64) // of those that have one, by length and name
	err := c.each(prefixCeiling, func(key, v []byte) error {
		if len(key) < 2 || key[1] == 0 || len(key) != 2+int(key[1]) || len(v) != 8 {
			c.wrong(key, "it is not the highest version of a table")
			return nil
		}
		ceilings[string(key[1:])] = bigEndian(v)
		return nil
	})
	if err != nil {
		return err
	}
	return c.each(prefixTable, func(key, v []byte) error {
		if len(key) < 2 || key[1] == 0 || len(key) < 2+int(key[1]) {
			c.wrong(key, "it names no table")
			return nil
		}
		entry, err := decodeEntry(string(key[2+int(key[1]):]), v)
		if err != nil {
			c.wrong(key, "%v", err)
			return nil
		}
		if ceiling, there := ceilings[string(key[1:2+int(key[1])])]; there && entry.Version > ceiling {
			c.wrong(key, "the row has version %d, which is above %d, the highest that its table has given", entry.Version, ceiling)
		}
		return nil
	})
}

// owners reads who owns the shards.
func (c *check) owners() error {
	return c.each(prefixEpoch, func(key, v []byte) error {
		if _, _, err := decodeOwnership(v); err != nil || len(key) != 3 {
			c.wrong(key, "it is not the owner of a shard")
		}
		return nil
	})
}

// rest reads the catalogue and looks for keys of no kind.
func (c *check) rest() error {
	err := c.each(prefixCatalogue, func(key, v []byte) error {
		if _, err := decodeEntry(string(key[1:]), v); err != nil {
			c.wrong(key, "%v", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	it, err := c.snapshot.NewIter(nil)
	if err != nil {
		return fmt.Errorf("store: check: %w", err)
	}
	const known = "cehlnoqrstuvx"
	for ok := it.First(); ok; {
		kind := it.Key()[0]
		if !bytes.ContainsRune([]byte(known), rune(kind)) {
			c.wrong(it.Key(), "keys of this kind are not known")
		}
		ok = it.SeekGE([]byte{kind + 1})
	}
	return errors.Join(it.Error(), it.Close())
}
