// Package storetest is the suite that a store passes to be done.
//
// A test of a store calls [Run] with a function that opens an empty one. A
// durable store is also given to [RunDurable].
package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/store"
)

// Run tests a store. open returns a new, empty one; the suite closes it.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, f *fixture)
	}{
		{"ownership", ownership},
		{"commits follow each other", following},
		{"names", names},
		{"history", histories},
		{"an execution that comes as a whole", whole},
		{"all executions", everything},
		{"running executions", running},
		{"lists", lists},
		{"lists page stably", paging},
		{"lists of one moment", sameMoment},
		{"lists of several groups, in a time", several},
		{"terms", terms},
		{"names by prefix", namesByPrefix},
		{"redrive", redrive},
		{"catalogue", catalogue},
		{"retention", retention},
		{"owners", owners},
		{"letters", letters},
		{"letters are sent if the step is", lettersSent},
		{"letters are taken by their owner", lettersTaken},
		{"letters outlive their sender", lettersOutlive},
		{"letters against a model", letterModel},
		{"many at once", manyAtOnce},
		{"one name at once", oneNameAtOnce},
		{"random against a model", model},
		{"closed", closed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			f := &fixture{Store: s, t: t, ctx: t.Context(), rand: rand.New(rand.NewPCG(1, 2))}
			tt.run(t, f)
			if err := s.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// RunDurable tests that a store keeps what it holds when it is closed and
// opened again. open opens the store of a directory.
func RunDurable(t *testing.T, open func(t *testing.T, dir string) store.Store) {
	t.Run("reopen", func(t *testing.T) {
		dir := t.TempDir()
		f := &fixture{Store: open(t, dir), t: t, ctx: t.Context(), rand: rand.New(rand.NewPCG(1, 2))}
		h := f.acquire(0)
		done, half := f.id(0), f.id(0)
		f.commit(h, f.start(done, 1, store.Succeeded), nil)
		f.commit(h, f.start(half, 1, store.Running), nil)
		f.put(store.Edit{Key: "a", Value: []byte("x")})
		next := f.next(half, 2, store.Running)
		next.Send = []store.Letter{{To: done, Body: []byte("one")}, {To: f.id(7), Body: []byte("two")}, {}}
		f.commit(h, next, nil)
		f.must(h.Take(f.ctx, next.LetterID(1)))
		_, err := f.Table("rows").Write(f.ctx, store.Edit{Key: "r", Value: []byte("y")})
		f.must(err)
		before := f.dump()
		f.must(f.Close())
		f.Store = open(t, dir)
		f.same(before, f.dump())
		h = reacquired(f, h)
		f.same([]store.Letter{sent(next, 0), sent(next, 2)}, f.letters(h))
		last := f.next(half, 4, store.Running)
		last.Taken = []store.LetterID{next.LetterID(2)}
		f.commit(h, last, nil)
		f.must(f.Close())
		f.Store = open(t, dir)
		f.same([]store.Letter{sent(next, 0)}, f.letters(reacquired(f, h)))
		f.must(f.Close())
	})
}

// reacquired acquires a shard again and checks that its epoch grew.
func reacquired(f *fixture, old store.Shard) store.Shard {
	h := f.acquire(old.ID())
	if h.Epoch() <= old.Epoch() {
		f.t.Errorf("epoch %d after %d", h.Epoch(), old.Epoch())
	}
	return h
}

type fixture struct {
	store.Store
	t    *testing.T
	ctx  context.Context
	rand *rand.Rand
	seq  int
}

var start = time.UnixMilli(1_700_000_000_000)

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) same(want, got any) {
	f.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("differs (-want +got):\n%s", diff)
	}
}

func (f *fixture) acquire(id store.ShardID) store.Shard {
	f.t.Helper()
	h, err := f.Acquire(f.ctx, id, store.Owner{Name: "test", Address: "test:1"})
	f.must(err)
	return h
}

// id makes an execution id; later ones are greater.
func (f *fixture) id(shard store.ShardID) store.ExecutionID {
	f.seq++
	var id store.ExecutionID
	binary.BigEndian.PutUint64(id[:], uint64(shard)<<48|uint64(f.seq))
	binary.BigEndian.PutUint64(id[8:], f.rand.Uint64())
	return id
}

// key is the name of an execution: two letters and the number of its turn.
func key(id store.ExecutionID) store.NameKey {
	return store.NameKey{Scope: store.Scope{1, 2, 3}, Name: fmt.Sprintf("x%c%x", 'a'+id[7]%4, id[:])}
}

func chunk(first, last int64) store.Chunk {
	return store.Chunk{First: first, Last: last, Data: fmt.Appendf(nil, "events %d to %d", first, last)}
}

// start is the first transition of an execution of a group, of two events.
func (f *fixture) start(id store.ExecutionID, group uint32, status store.Status) *store.Transition {
	t := &store.Transition{
		Execution: id, Chunk: chunk(1, 2), Status: status,
		New: &store.NewExecution{Key: key(id), Group: group, Start: start.Add(time.Duration(f.seq) * time.Second), Meta: []byte("meta")},
	}
	return ending(t)
}

// next is a later transition of two events.
func (f *fixture) next(id store.ExecutionID, last int64, status store.Status) *store.Transition {
	return ending(&store.Transition{Execution: id, Chunk: chunk(last+1, last+2), Status: status})
}

func ending(t *store.Transition) *store.Transition {
	if t.Status != store.Running {
		t.Stop, t.Expire = start.Add(time.Hour), start.Add(time.Hour)
	}
	return t
}

func (f *fixture) commit(h store.Shard, t *store.Transition, want error) {
	f.t.Helper()
	if err := h.Commit(f.ctx, t); !errors.Is(err, want) {
		f.t.Fatalf("commit of events %d to %d: %v, want %v", t.Chunk.First, t.Chunk.Last, err, want)
	}
}

func (f *fixture) put(edits ...store.Edit) {
	f.t.Helper()
	f.must(f.Put(f.ctx, edits...))
}

// view is all that a store holds of an execution.
type view struct {
	Record  store.Record
	Chunks  []store.Chunk
	Running bool
	Wake    time.Time
	Busy    bool
}

// dump returns all that a store holds: executions by shard and group, lists,
// the catalogue.
func (f *fixture) dump() map[string]any {
	f.t.Helper()
	all := make(map[string]any)
	for group := uint32(1); group <= 3; group++ {
		for _, r := range f.list(store.ListQuery{Groups: []uint32{group}, Limit: 3}) {
			all[fmt.Sprintf("%x", r.ID)] = f.view(r.ID)
		}
		for status := store.Running; status <= store.Aborted; status++ {
			var ids []store.ExecutionID
			for _, r := range f.list(store.ListQuery{Groups: []uint32{group}, Statuses: []store.Status{status}, Limit: 2}) {
				ids = append(ids, r.ID)
			}
			if ids != nil {
				all[fmt.Sprintf("list %d %v", group, status)] = ids
			}
		}
	}
	entries, err := f.Scan(f.ctx, "", "", 0)
	f.must(err)
	all["catalogue"] = entries
	all["rows"], err = f.Table("rows").Scan(f.ctx, "", "", 0, false)
	f.must(err)
	all["owners"], err = f.Owners(f.ctx)
	f.must(err)
	return all
}

// of asks for the executions of a group, in some statuses.
func of(group uint32, statuses ...store.Status) store.ListQuery {
	return store.ListQuery{Groups: []uint32{group}, Statuses: statuses}
}

// paged asks for pages of some executions.
func paged(q store.ListQuery, limit int) store.ListQuery {
	q.Limit = limit
	return q
}

// ids are the executions of records.
func ids(records []store.Record) (ids []store.ExecutionID) {
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

func (f *fixture) view(id store.ExecutionID) view {
	f.t.Helper()
	r, err := f.Execution(f.ctx, id)
	f.must(err)
	v := view{Record: plain(*r)}
	v.Chunks, err = f.History(f.ctx, id, 1, 0, false)
	f.must(err)
	found, err := f.Lookup(f.ctx, key(id))
	f.must(err)
	if found != id {
		f.t.Errorf("lookup returns %x, want %x", found, id)
	}
	return v
}

// plain makes times comparable.
func plain(r store.Record) store.Record {
	for _, at := range []*time.Time{&r.Start, &r.Stop, &r.Redriven} {
		if !at.IsZero() {
			*at = time.UnixMilli(at.UnixMilli()).UTC()
		}
	}
	return r
}

// list reads all pages of a list.
func (f *fixture) list(q store.ListQuery) []store.Record {
	f.t.Helper()
	var all []store.Record
	for {
		page, more, err := f.List(f.ctx, q)
		f.must(err)
		if q.Limit > 0 && len(page) > q.Limit {
			f.t.Errorf("a page of %d executions, want at most %d", len(page), q.Limit)
		}
		for _, r := range page {
			all = append(all, plain(r))
		}
		if !more {
			return all
		}
		q.After = new(page[len(page)-1].Place())
	}
}

func ownership(t *testing.T, f *fixture) {
	first := f.acquire(0)
	id := f.id(0)
	f.commit(first, f.start(id, 1, store.Running), nil)
	second := reacquired(f, first)
	f.commit(first, f.next(id, 2, store.Running), store.ErrFenced)
	f.commit(first, f.start(f.id(0), 1, store.Running), store.ErrFenced)
	f.commit(second, f.next(id, 2, store.Running), nil)
	f.commit(second, f.start(f.id(1), 1, store.Running), store.ErrFenced) // of another shard
	f.must(second.Release(f.ctx))
	f.commit(second, f.next(id, 4, store.Running), store.ErrFenced)
	if v := f.view(id); v.Record.Last != 4 || len(v.Chunks) != 2 {
		t.Errorf("a fenced commit was written: %+v", v)
	}
	if _, err := f.Acquire(f.ctx, store.ShardID(f.Shards()), store.Owner{}); err == nil {
		t.Error("a shard that is not there was acquired")
	}
}

func following(t *testing.T, f *fixture) {
	h := f.acquire(3)
	id := f.id(3)
	f.commit(h, f.next(id, 0, store.Running), store.ErrFenced) // it does not exist
	first := f.start(id, 1, store.Running)
	first.Chunk = chunk(2, 3)
	f.commit(h, first, store.ErrFenced)
	f.commit(h, f.start(id, 1, store.Running), nil)
	f.commit(h, f.next(id, 1, store.Running), store.ErrFenced)
	f.commit(h, f.next(id, 3, store.Running), store.ErrFenced)
	f.commit(h, f.next(id, 2, store.Running), nil)
	f.commit(h, f.next(id, 2, store.Succeeded), store.ErrFenced)
	f.commit(h, f.next(id, 4, store.Succeeded), nil)
	f.commit(h, f.next(id, 4, store.Running), store.ErrFenced)
	v := f.view(id)
	f.same([]store.Chunk{chunk(1, 2), chunk(3, 4), chunk(5, 6)}, v.Chunks)
	f.same(store.Succeeded, v.Record.Status)
	f.same(int64(6), v.Record.Last)
	if _, err := f.Execution(f.ctx, f.id(3)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown execution: %v", err)
	}
}

func names(t *testing.T, f *fixture) {
	h := f.acquire(0)
	a, b := f.id(0), f.id(0)
	f.commit(h, f.start(a, 1, store.Succeeded), nil)
	again := f.start(b, 1, store.Running)
	again.New.Key = key(a)
	f.commit(h, again, store.ErrExists)
	if _, err := f.Execution(f.ctx, b); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the execution of a name that exists was written: %v", err)
	}
	again.New.Unnamed = true
	f.commit(h, again, nil)
	found, err := f.Lookup(f.ctx, key(a))
	f.must(err)
	f.same(b, found)
	if _, err := f.Lookup(f.ctx, key(f.id(0))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown name: %v", err)
	}
}

func histories(t *testing.T, f *fixture) {
	h := f.acquire(0)
	id := f.id(0)
	f.commit(h, f.start(id, 1, store.Running), nil)
	for last := int64(2); last < 10; last += 2 {
		f.commit(h, f.next(id, last, store.Running), nil)
	}
	f.commit(h, f.start(f.id(0), 1, store.Running), nil) // a neighbour
	for _, tt := range []struct {
		from    int64
		limit   int
		reverse bool
		want    []int64 // first events
	}{
		{1, 0, false, []int64{1, 3, 5, 7, 9}},
		{1, 2, false, []int64{1, 3}},
		{4, 0, false, []int64{3, 5, 7, 9}},
		{5, 1, false, []int64{5}},
		{11, 0, false, nil},
		{10, 0, true, []int64{9, 7, 5, 3, 1}},
		{9, 0, true, []int64{9, 7, 5, 3, 1}},
		{6, 2, true, []int64{5, 3}},
		{1, 0, true, []int64{1}},
	} {
		chunks, err := f.History(f.ctx, id, tt.from, tt.limit, tt.reverse)
		f.must(err)
		var got []int64
		for _, c := range chunks {
			got = append(got, c.First)
			f.same(chunk(c.First, c.Last), c)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("from %d limit %d reverse %v: chunks %v, want %v", tt.from, tt.limit, tt.reverse, got, tt.want)
		}
	}
	if chunks, err := f.History(f.ctx, f.id(0), 1, 0, false); err != nil || len(chunks) > 0 {
		t.Errorf("an unknown execution: %v, %v", chunks, err)
	}
}

func running(t *testing.T, f *fixture) {
	h := f.acquire(2)
	other := f.acquire(3)
	wake := start.Add(time.Minute)
	var want []store.RunningRecord
	for i := range 5 {
		id := f.id(2)
		first := f.start(id, 1, store.Running)
		first.Wake, first.Busy = wake, i%2 == 0
		f.commit(h, first, nil)
		want = append(want, store.RunningRecord{ID: id, Last: 2, Wake: wake, Busy: i%2 == 0})
	}
	f.commit(h, f.start(f.id(2), 1, store.Failed), nil)
	f.commit(other, f.start(f.id(3), 1, store.Running), nil)
	f.commit(h, f.next(want[1].ID, 2, store.Running), nil)
	want[1].Last, want[1].Wake, want[1].Busy = 4, time.Time{}, false
	f.commit(h, f.next(want[3].ID, 2, store.Aborted), nil)
	want = slices.Delete(want, 3, 4)
	all, err := h.Running(f.ctx, store.ExecutionID{}, 0)
	f.must(err)
	f.same(want, all)
	var paged []store.RunningRecord
	var after store.ExecutionID
	for {
		page, err := h.Running(f.ctx, after, 3)
		f.must(err)
		paged = append(paged, page...)
		if len(page) < 3 {
			break
		}
		after = page[len(page)-1].ID
	}
	f.same(want, paged)
}

func lists(t *testing.T, f *fixture) {
	h := f.acquire(0)
	byStatus := make(map[store.Status][]store.ExecutionID)
	var all []store.ExecutionID
	for i := range 20 {
		id := f.id(0)
		status := store.Status(i%5) + store.Running
		f.commit(h, f.start(id, 1, status), nil)
		byStatus[status] = append([]store.ExecutionID{id}, byStatus[status]...)
		all = append([]store.ExecutionID{id}, all...)
	}
	f.commit(h, f.start(f.id(0), 2, store.Running), nil)
	f.commit(h, f.start(f.id(0), 0, store.Running), nil)
	for limit := range 25 {
		f.same(all, ids(f.list(paged(of(1), limit))))
		for status, want := range byStatus {
			f.same(want, ids(f.list(paged(of(1, status), limit))))
		}
	}
	moved := byStatus[store.Running][0]
	f.commit(h, f.next(moved, 2, store.Succeeded), nil)
	f.same(byStatus[store.Running][1:], ids(f.list(of(1, store.Running))))
	f.same(all, ids(f.list(paged(of(1), 7))))
	if none := f.list(of(9)); none != nil {
		t.Errorf("an unknown group has %d executions", len(none))
	}
}

func paging(_ *testing.T, f *fixture) {
	h := f.acquire(0)
	var ids []store.ExecutionID
	for range 10 {
		id := f.id(0)
		ids = append([]store.ExecutionID{id}, ids...)
		f.commit(h, f.start(id, 1, store.Running), nil)
	}
	page, _, err := f.List(f.ctx, paged(of(1), 4))
	f.must(err)
	f.commit(h, f.start(f.id(0), 1, store.Running), nil)  // newer than all
	f.commit(h, f.next(ids[6], 2, store.Succeeded), nil)  // changes its list
	f.commit(h, f.next(page[3].ID, 2, store.Failed), nil) // where the page ended
	rest := f.list(store.ListQuery{Groups: []uint32{1}, Limit: 4, After: new(page[3].Place())})
	var got []store.ExecutionID
	for _, r := range append(page, rest...) {
		got = append(got, r.ID)
	}
	f.same(ids, got)
}

func redrive(_ *testing.T, f *fixture) {
	h := f.acquire(0)
	id := f.id(0)
	f.commit(h, f.start(id, 1, store.Failed), nil)
	again := f.next(id, 2, store.Running)
	again.Redrives, again.Redriven = 1, start.Add(2*time.Hour)
	f.commit(h, again, nil)
	r := f.view(id).Record
	f.same(store.Running, r.Status)
	f.same(1, r.Redrives)
	f.same(true, r.Stop.IsZero())
	f.same(1, len(f.list(of(1, store.Running))))
	f.same(0, len(f.list(of(1, store.Failed))))
	forgotten, err := f.Retain(f.ctx, start.Add(24*time.Hour), 10)
	f.must(err)
	f.same(0, len(forgotten))
	on := f.next(id, 4, store.Running)
	on.Redrives, on.Redriven = again.Redrives, again.Redriven
	f.commit(h, on, nil)
	end := f.next(id, 6, store.Succeeded)
	end.Redrives, end.Redriven = again.Redrives, again.Redriven
	f.commit(h, end, nil)
	f.same(int64(8), f.view(id).Record.Last)
	f.same(1, f.view(id).Record.Redrives)
	f.same(1, len(f.list(of(1, store.Succeeded))))
}

func catalogue(t *testing.T, f *fixture) {
	f.put(store.Edit{Key: "m/a", Value: []byte("1")}, store.Edit{Key: "m/b", Value: []byte("2")}, store.Edit{Key: "n/a", Value: []byte("3")})
	if err := f.Put(f.ctx, store.Edit{Key: "m/c", Value: []byte("x")}, store.Edit{Key: "m/a", Value: []byte("x")}); !errors.Is(err, store.ErrVersion) {
		t.Errorf("an entry was made twice: %v", err)
	}
	if _, err := f.Get(f.ctx, "m/c"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half of a Put was written: %v", err)
	}
	f.put(store.Edit{Key: "m/a", Version: 1, Value: []byte("4")})
	if err := f.Put(f.ctx, store.Edit{Key: "m/a", Version: 1, Value: []byte("5")}); !errors.Is(err, store.ErrVersion) {
		t.Errorf("an old version was replaced: %v", err)
	}
	a, err := f.Get(f.ctx, "m/a")
	f.must(err)
	f.same(store.Entry{Key: "m/a", Version: 2, Value: []byte("4")}, a)
	page, err := f.Scan(f.ctx, "m/", "", 1)
	f.must(err)
	f.same([]store.Entry{a}, page)
	page, err = f.Scan(f.ctx, "m/", "m/a", 5)
	f.must(err)
	f.same([]store.Entry{{Key: "m/b", Version: 1, Value: []byte("2")}}, page)
	f.put(store.Edit{Key: "m/a", Version: 2})
	if _, err := f.Get(f.ctx, "m/a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a deleted entry: %v", err)
	}
	f.put(store.Edit{Key: "m/a", Value: []byte("6")})
	a, err = f.Get(f.ctx, "m/a")
	f.must(err)
	f.same(uint64(1), a.Version)
}

func retention(t *testing.T, f *fixture) {
	h := f.acquire(0)
	var old []store.ExecutionID
	for i := range 6 {
		id := f.id(0)
		first := f.start(id, 1, store.Succeeded)
		first.Stop = start.Add(time.Duration(i) * time.Hour)
		first.Expire = first.Stop.Add(time.Hour)
		f.commit(h, first, nil)
		old = append(old, id)
	}
	alive := f.id(0)
	f.commit(h, f.start(alive, 1, store.Running), nil)
	never := f.start(f.id(0), 1, store.Failed)
	never.Expire = time.Time{}
	f.commit(h, never, nil)
	var gone []store.ExecutionID
	for _, want := range []int{2, 1, 0} {
		ids, err := f.Retain(f.ctx, start.Add(3*time.Hour), 2)
		f.must(err)
		f.same(want, len(ids))
		gone = append(gone, ids...)
	}
	f.same(old[:3], gone)
	for i, id := range old {
		_, err := f.Execution(f.ctx, id)
		_, named := f.Lookup(f.ctx, key(id))
		chunks, read := f.History(f.ctx, id, 1, 0, false)
		f.must(read)
		if gone := i < 3; errors.Is(err, store.ErrNotFound) != gone || errors.Is(named, store.ErrNotFound) != gone || (len(chunks) == 0) != gone {
			t.Errorf("execution %d: %v, %v, %d chunks", i, err, named, len(chunks))
		}
	}
	f.same(5, len(f.list(of(1))))
	f.view(alive)
	reuse := f.start(f.id(0), 1, store.Running)
	reuse.New.Key = key(old[0])
	f.commit(h, reuse, nil)
}

// sameMoment lists executions of one millisecond in the order of their starts,
// although they are in different shards.
func sameMoment(_ *testing.T, f *fixture) {
	var want []store.ExecutionID
	for i := range 8 {
		shard := store.ShardID(i * 5 % f.Shards())
		h := f.acquire(shard)
		id := f.id(shard)
		id[8] = byte(i)
		t := f.start(id, 1, store.Running)
		t.New.Start = start
		f.commit(h, t, nil)
		want = append([]store.ExecutionID{id}, want...)
	}
	var got []store.ExecutionID
	for _, r := range f.list(paged(of(1), 3)) {
		got = append(got, r.ID)
	}
	f.same(want, got)
}
