package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/steppehq/steppe/store"
)

// several lists executions of some groups, in some statuses, that started in
// a time.
func several(_ *testing.T, f *fixture) {
	h := f.acquire(0)
	starts := make(map[store.ExecutionID]time.Time)
	var all []store.ExecutionID
	for i := range 24 {
		id := f.id(0)
		t := f.start(id, uint32(i%3+1), store.Status(i%5)+store.Running)
		f.commit(h, t, nil)
		starts[id] = t.New.Start
		all = append([]store.ExecutionID{id}, all...)
	}
	pick := func(keep func(i int) bool) (picked []store.ExecutionID) {
		for i, id := range all {
			if keep(len(all) - 1 - i) {
				picked = append(picked, id)
			}
		}
		return picked
	}
	for _, limit := range []int{1, 4, 100} {
		f.same(all, ids(f.list(paged(store.ListQuery{Groups: []uint32{1, 2, 3}}, limit))))
		f.same(pick(func(i int) bool { return i%3 != 0 }), ids(f.list(paged(store.ListQuery{Groups: []uint32{2, 3, 9}}, limit))))
		f.same(pick(func(i int) bool { return i%3 != 2 && (i%5 == 1 || i%5 == 3) }),
			ids(f.list(paged(store.ListQuery{Groups: []uint32{1, 2}, Statuses: []store.Status{store.Succeeded, store.TimedOut}}, limit))))
		from, to := starts[all[18]], starts[all[4]]
		f.same(all[5:19], ids(f.list(paged(store.ListQuery{Groups: []uint32{1, 2, 3}, From: from, To: to}, limit))))
		f.same(all[5:], ids(f.list(paged(store.ListQuery{Groups: []uint32{1, 2, 3}, To: to}, limit))))
		f.same(all[:19], ids(f.list(paged(store.ListQuery{Groups: []uint32{1, 2, 3}, From: from}, limit))))
	}
	if none := f.list(store.ListQuery{Groups: []uint32{1}, From: start.Add(time.Hour), To: start}); none != nil {
		f.t.Errorf("a time that ends before it begins has %d executions", len(none))
	}
}

// terms finds executions by what they have, until they are forgotten.
func terms(_ *testing.T, f *fixture) {
	h := f.acquire(0)
	red, blue := store.Term{1}, store.Term{2}
	var reds []store.ExecutionID
	for i := range 9 {
		id := f.id(0)
		t := f.start(id, uint32(i), store.Running)
		if i%2 == 0 {
			t.Terms = []store.Term{red}
			reds = append([]store.ExecutionID{id}, reds...)
		}
		f.commit(h, t, nil)
	}
	for _, limit := range []int{1, 2, 10} {
		f.same(reds, ids(f.list(store.ListQuery{Term: red, Limit: limit})))
	}
	step := f.next(reds[1], 2, store.Running)
	step.Terms = []store.Term{blue, red} // it has the one
	f.commit(h, step, nil)
	end := f.next(reds[2], 2, store.Failed)
	end.Terms = []store.Term{blue}
	f.commit(h, end, nil)
	f.same(reds, ids(f.list(store.ListQuery{Term: red})))
	f.same(reds[1:3], ids(f.list(store.ListQuery{Term: blue})))
	f.same(reds[2:], ids(f.list(store.ListQuery{Term: red, To: f.view(reds[1]).Record.Start})))
	forgotten, err := f.Retain(f.ctx, start.Add(time.Hour), 100)
	f.must(err)
	f.same(reds[2:3], forgotten)
	f.same(slices.Delete(slices.Clone(reds), 2, 3), ids(f.list(store.ListQuery{Term: red})))
	f.same(reds[1:2], ids(f.list(store.ListQuery{Term: blue})))
	f.same(0, len(f.list(store.ListQuery{Term: store.Term{3}})))
}

// namesByPrefix reads the names of one scope in order.
func namesByPrefix(_ *testing.T, f *fixture) {
	h := f.acquire(0)
	here, there := store.Scope{5}, store.Scope{5, 1}
	want := make(map[string]store.ExecutionID)
	for _, name := range []string{"b", "a-2", "a-10", "ab", "a-1", "\u00e9", "a"} {
		for _, scope := range []store.Scope{here, there} {
			id := f.id(0)
			t := f.start(id, 1, store.Running)
			t.New.Key = store.NameKey{Scope: scope, Name: name}
			f.commit(h, t, nil)
			if scope == here {
				want[name] = id
			}
		}
	}
	for _, tt := range []struct {
		prefix, after string
		limit         int
		want          []string
	}{
		{"", "", 0, []string{"a", "a-1", "a-10", "a-2", "ab", "b", "\u00e9"}},
		{"a-", "", 0, []string{"a-1", "a-10", "a-2"}},
		{"a-", "a-1", 1, []string{"a-10"}},
		{"a-1", "", 5, []string{"a-1", "a-10"}},
		{"z", "", 0, nil},
	} {
		found, err := f.Names(f.ctx, here, tt.prefix, tt.after, tt.limit)
		f.must(err)
		var got []string
		for _, n := range found {
			got = append(got, n.Name)
			f.same(want[n.Name], n.ID)
		}
		f.same(tt.want, got)
	}
}

// whole commits executions with their history in several chunks, or nothing.
func whole(_ *testing.T, f *fixture) {
	h := f.acquire(0)
	for _, status := range []store.Status{store.Running, store.Failed} {
		id := f.id(0)
		t := f.start(id, 1, status)
		t.Earlier, t.Chunk = []store.Chunk{chunk(1, 3), chunk(5, 6)}, chunk(7, 7)
		f.commit(h, t, store.ErrFenced)
		t.Earlier, t.Chunk = []store.Chunk{chunk(1, 3), chunk(4, 6)}, chunk(8, 8)
		f.commit(h, t, store.ErrFenced)
		if _, err := f.Execution(f.ctx, id); !errors.Is(err, store.ErrNotFound) {
			f.t.Errorf("half of an execution was written: %v", err)
		}
		t.Chunk = chunk(7, 7)
		t.Redrives, t.Redriven = 2, start.Add(time.Minute)
		f.commit(h, t, nil)
		v := f.view(id)
		f.same([]store.Chunk{chunk(1, 3), chunk(4, 6), chunk(7, 7)}, v.Chunks)
		f.same(int64(7), v.Record.Last)
		f.same(2, v.Record.Redrives)
		f.same([]store.ExecutionID{id}, ids(f.list(of(1, status))))
		if status == store.Running {
			f.commit(h, f.next(id, 7, store.Succeeded), nil)
		}
	}
}

// everything reads executions in the order of their ids, whatever list they
// are in.
func everything(_ *testing.T, f *fixture) {
	var want []store.Record
	for shard := range store.ShardID(f.Shards()) {
		h := f.acquire(shard)
		for i := range 5 {
			id := f.id(shard)
			f.commit(h, f.start(id, uint32(i), store.Status(i)+store.Running), nil)
			if i == 0 {
				f.commit(h, f.next(id, 2, store.Running), nil)
			}
			want = append(want, f.view(id).Record)
		}
	}
	for _, limit := range []int{0, 1, 7, len(want)} {
		var got []store.Record
		for after := (store.ExecutionID{}); ; {
			page, err := f.Executions(f.ctx, after, limit)
			f.must(err)
			for _, r := range page {
				got = append(got, plain(r))
			}
			if limit == 0 || len(page) < limit {
				break
			}
			after = page[len(page)-1].ID
		}
		f.same(want, got)
	}
}
