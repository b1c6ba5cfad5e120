package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/steppehq/steppe/store"
)

// sent is a letter of a transition as the store must return it.
func sent(t *store.Transition, i int) store.Letter {
	l := t.Send[i]
	l.ID = t.LetterID(i)
	l.Body = append([]byte{}, l.Body...)
	return l
}

// letters reads all letters of a shard, in pages of several sizes, which must agree.
func (f *fixture) letters(h store.Shard) []store.Letter {
	f.t.Helper()
	all, err := h.Letters(f.ctx, store.LetterID{}, 0)
	f.must(err)
	var of []store.LetterID
	for i := range all {
		all[i].Body = append([]byte{}, all[i].Body...)
		if i == 0 || all[i-1].ID.From != all[i].ID.From {
			some, err := f.LettersOf(f.ctx, all[i].ID.From)
			f.must(err)
			of = append(of, letterIDs(some)...)
		}
	}
	if !slices.Equal(of, letterIDs(all)) {
		f.t.Errorf("the letters of each sender: %v, want %v", of, letterIDs(all))
	}
	for _, limit := range []int{1, 3} {
		var paged []store.LetterID
		var after store.LetterID
		for {
			page, err := h.Letters(f.ctx, after, limit)
			f.must(err)
			if len(page) > limit {
				f.t.Fatalf("a page of %d letters, want at most %d", len(page), limit)
			}
			for _, l := range page {
				paged = append(paged, l.ID)
			}
			if len(page) < limit {
				break
			}
			after = page[len(page)-1].ID
		}
		if !slices.Equal(paged, letterIDs(all)) {
			f.t.Errorf("pages of %d letters: %v, want %v", limit, paged, letterIDs(all))
		}
	}
	return all
}

func letterIDs(all []store.Letter) (ids []store.LetterID) {
	for _, l := range all {
		ids = append(ids, l.ID)
	}
	return ids
}

// take takes letters and checks the error.
func (f *fixture) take(h store.Shard, want error, ids ...store.LetterID) {
	f.t.Helper()
	if err := h.Take(f.ctx, ids...); !errors.Is(err, want) {
		f.t.Fatalf("take %v: %v, want %v", ids, err, want)
	}
}

// owners keeps who acquired a shard last.
func owners(t *testing.T, f *fixture) {
	own := func(id store.ShardID) store.Ownership {
		t.Helper()
		all, err := f.Owners(f.ctx)
		f.must(err)
		f.same(f.Shards(), len(all))
		f.same(id, all[id].Shard)
		return all[id]
	}
	f.same(store.Ownership{Shard: 3}, own(3))
	one, two := store.Owner{Name: "one", Address: "10.0.0.1:8083"}, store.Owner{Address: "[::1]:8083"}
	first, err := f.Acquire(f.ctx, 3, one)
	f.must(err)
	f.same(store.Ownership{Shard: 3, Epoch: first.Epoch(), Owner: one}, own(3))
	f.same(store.Ownership{Shard: 4}, own(4))
	second, err := f.Acquire(f.ctx, 3, two)
	f.must(err)
	f.must(first.Release(f.ctx)) // it is not its any more
	f.same(store.Ownership{Shard: 3, Epoch: second.Epoch(), Owner: two}, own(3))
	f.must(second.Release(f.ctx))
	f.same(store.Owner{}, own(3).Owner)
}

// letters are ordered by sender and place, whatever their receivers are, and belong
// to the shard of their sender.
func letters(_ *testing.T, f *fixture) {
	h, other := f.acquire(0), f.acquire(1)
	last := f.acquire(store.ShardID(f.Shards() - 1))
	a, b := f.id(0), f.id(0)
	elsewhere := f.start(f.id(1), 1, store.Running)
	elsewhere.Send = []store.Letter{{To: a, Body: []byte("from elsewhere")}}
	f.commit(other, elsewhere, nil)
	atEnd := f.start(f.id(store.ShardID(f.Shards()-1)), 1, store.Running)
	atEnd.Send = []store.Letter{{To: a}}
	f.commit(last, atEnd, nil)

	late := f.start(b, 1, store.Running)
	late.Send = []store.Letter{{To: f.id(5), Body: []byte("b")}}
	f.commit(h, late, nil)
	early := f.start(a, 1, store.Running)
	for i := range 300 { // more than a byte counts
		early.Send = append(early.Send, store.Letter{To: b, Body: fmt.Append(nil, i)})
	}
	f.commit(h, early, nil)
	next := f.next(a, 2, store.Running)
	next.Send = []store.Letter{{Body: bytes.Repeat([]byte("long"), 30_000)}}
	f.commit(h, next, nil)
	var want []store.Letter
	for i := range early.Send {
		want = append(want, sent(early, i))
	}
	f.same(append(want, sent(next, 0), sent(late, 0)), f.letters(h))
	f.same([]store.Letter{sent(elsewhere, 0)}, f.letters(other))
	f.same([]store.Letter{sent(atEnd, 0)}, f.letters(last))
	if found := f.letters(f.acquire(2)); len(found) > 0 {
		f.t.Errorf("a shard that nothing was sent from has letters: %v", found)
	}
}

// lettersSent: a letter is there if the transition that sends it is.
func lettersSent(_ *testing.T, f *fixture) {
	h := f.acquire(0)
	id := f.id(0)
	first := f.start(id, 1, store.Running)
	first.Send = []store.Letter{{To: id, Body: []byte("1")}}
	f.commit(h, first, nil)
	twice := f.next(id, 0, store.Running)
	twice.Send = []store.Letter{{To: id, Body: []byte("2")}}
	f.commit(h, twice, store.ErrFenced)
	named := f.start(f.id(0), 1, store.Running)
	named.New.Key = key(id)
	named.Send = []store.Letter{{To: id, Body: []byte("3")}}
	named.Taken = []store.LetterID{first.LetterID(0)}
	f.commit(h, named, store.ErrExists)
	gap := f.next(id, 4, store.Running)
	gap.Send, gap.Taken = twice.Send, named.Taken
	f.commit(h, gap, store.ErrFenced)
	f.same([]store.Letter{sent(first, 0)}, f.letters(h))
	second := reacquired(f, h)
	fenced := f.next(id, 2, store.Succeeded)
	fenced.Send, fenced.Taken = twice.Send, named.Taken
	f.commit(h, fenced, store.ErrFenced)
	f.same([]store.Letter{sent(first, 0)}, f.letters(second))
	fenced.Send[0].ID = store.LetterID{From: f.id(3), Event: 7} // is not looked at
	f.commit(second, fenced, nil)
	f.same([]store.Letter{sent(fenced, 0)}, f.letters(second))
}

// lettersTaken: a letter is taken once, and only by the owner of its shard.
func lettersTaken(_ *testing.T, f *fixture) {
	h, other := f.acquire(0), f.acquire(1)
	a, b := f.id(0), f.id(0)
	first := f.start(a, 1, store.Running)
	for i := range 6 {
		first.Send = append(first.Send, store.Letter{To: b, Body: fmt.Append(nil, i)})
	}
	f.commit(h, first, nil)
	left := func(h store.Shard, want ...int) {
		f.t.Helper()
		var all []store.Letter
		for _, i := range want {
			all = append(all, sent(first, i))
		}
		f.same(all, f.letters(h))
	}
	f.take(h, nil)
	f.take(h, nil, first.LetterID(1), first.LetterID(3))
	left(h, 0, 2, 4, 5)
	f.take(h, nil, first.LetterID(1)) // again
	f.take(h, nil, first.LetterID(0), store.LetterID{From: b, Event: 1})
	left(h, 2, 4, 5)

	foreign := f.start(f.id(1), 1, store.Running)
	foreign.Taken = []store.LetterID{first.LetterID(2)}
	f.commit(other, foreign, store.ErrFenced)
	f.take(other, store.ErrFenced, first.LetterID(2))
	f.take(h, store.ErrFenced, first.LetterID(2), store.LetterID{From: foreign.Execution, Event: 1})
	left(h, 2, 4, 5)

	takes := f.start(b, 1, store.Running) // by another execution of the shard
	takes.Taken = []store.LetterID{first.LetterID(2), first.LetterID(3)}
	f.commit(h, takes, nil)
	left(h, 4, 5)
	ends := f.next(b, 2, store.Failed)
	ends.Taken = []store.LetterID{first.LetterID(4)}
	f.commit(h, ends, nil)
	left(h, 5)
	second := reacquired(f, h)
	f.take(h, store.ErrFenced, first.LetterID(5))
	left(second, 5)
	f.must(second.Release(f.ctx))
	f.take(second, store.ErrFenced, first.LetterID(5))
	f.take(f.acquire(0), nil, first.LetterID(5))
	left(f.acquire(0))
}

// lettersOutlive: what an execution promised is owed when it is forgotten, too.
func lettersOutlive(t *testing.T, f *fixture) {
	h := f.acquire(0)
	id := f.id(0)
	first := f.start(id, 1, store.Succeeded)
	first.Send = []store.Letter{{To: f.id(1), Body: []byte("stop")}}
	f.commit(h, first, nil)
	forgotten, err := f.Retain(f.ctx, start.Add(24*time.Hour), 10)
	f.must(err)
	f.same([]store.ExecutionID{id}, forgotten)
	if _, err := f.Execution(f.ctx, id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the execution is still there: %v", err)
	}
	f.same([]store.Letter{sent(first, 0)}, f.letters(h))
	f.take(h, nil, first.LetterID(0))
	f.same(0, len(f.letters(h)))
}

// letterModel sends and takes at random, and holds what is left against a map.
func letterModel(_ *testing.T, f *fixture) {
	h := f.acquire(0)
	last := make(map[store.ExecutionID]int64)
	var running []store.ExecutionID
	owed := make(map[store.LetterID]store.Letter)
	for range 400 {
		var t *store.Transition
		if len(running) == 0 || f.rand.IntN(4) == 0 {
			t = f.start(f.id(0), 1, store.Running)
			running = append(running, t.Execution)
		} else {
			id := running[f.rand.IntN(len(running))]
			t = f.next(id, last[id], store.Running)
		}
		for range f.rand.IntN(3) {
			t.Send = append(t.Send, store.Letter{To: running[f.rand.IntN(len(running))], Body: fmt.Append(nil, f.rand.Uint64())})
		}
		var some []store.LetterID
		for id := range owed {
			if len(some) < 4 && f.rand.IntN(3) == 0 {
				some = append(some, id)
			}
		}
		half := len(some) / 2
		t.Taken = some[:half]
		f.take(h, nil, some[half:]...)
		f.commit(h, t, nil)
		last[t.Execution] = t.Chunk.Last
		for _, id := range some {
			delete(owed, id)
		}
		for i := range t.Send {
			owed[t.LetterID(i)] = sent(t, i)
		}
		if f.rand.IntN(50) == 0 {
			h = reacquired(f, h)
		}
	}
	var want []store.Letter
	for _, l := range owed {
		want = append(want, l)
	}
	slices.SortFunc(want, func(a, b store.Letter) int { return a.ID.Compare(b.ID) })
	f.same(want, f.letters(h))
}
