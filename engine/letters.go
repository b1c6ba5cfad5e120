package engine

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// letters are those of the shards that the engine has.
type letters struct {
	e    *Engine
	pool pool

	mu    sync.Mutex
	all   map[store.LetterID]*letter
	stops map[effectID]*letter
	heap  letterHeap
}

// letter is one of them.
type letter struct {
	store.Letter
	handle store.Shard
	task   effectID // whose job it stops; zero of an ask
	at     int64    // when it is delivered next, in milliseconds since 1970
	index  int      // in the heap, from 1; 0: it is being delivered
	failed int      // how often it was delivered without effect
	// submitted is what the submission of the job was answered with, where that became
	// known after the letter was sent.
	submitted *value.Doc
}

func (ls *letters) init(e *Engine) {
	ls.e, ls.pool = e, pool{e: e, limit: maxDelivering}
	ls.all, ls.stops = make(map[store.LetterID]*letter), make(map[effectID]*letter)
}

// open reads the letters of a shard that was acquired: those of former owners, and of
// commits whose outcome was not known.
func (ls *letters) open(ctx context.Context, handle store.Shard) error {
	const page = 1000
	var after store.LetterID
	for {
		some, err := handle.Letters(ctx, after, page)
		if err != nil {
			return fmt.Errorf("engine: read letters of shard %d: %w", handle.ID(), err)
		}
		for i := range some {
			ls.add(handle, some[i])
		}
		if len(some) < page {
			return nil
		}
		after = some[len(some)-1].ID
	}
}

// add enters a letter, which is delivered at once.
func (ls *letters) add(handle store.Shard, sent store.Letter) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.all[sent.ID]; l != nil { // it was committed while letters were read
		if l.handle.Epoch() < handle.Epoch() {
			l.handle = handle
		}
		return
	}
	l := &letter{Letter: sent, handle: handle}
	if event, ok := stored.StopOf(sent.Body); ok {
		l.task = effectID{sent.ID.From, event}
		ls.stops[l.task] = l
	}
	ls.all[l.ID] = l
	ls.wait(l, ls.e.Now().UnixMilli())
}

// wait has a letter delivered at a time. ls.mu is held.
func (ls *letters) wait(l *letter, at int64) {
	l.at = at
	heap.Push(&ls.heap, l)
	if ls.heap[0] == l {
		ls.e.timers.poke()
	}
}

// forget takes out the letters of a shard that is lost, or about to be taken again:
// they are in the store.
func (ls *letters) forget(shard store.ShardID) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for id, l := range ls.all {
		if id.Shard() == shard {
			ls.drop(l)
		}
	}
}

// drop takes a letter out. ls.mu is held.
func (ls *letters) drop(l *letter) {
	if ls.all[l.ID] != l {
		return
	}
	delete(ls.all, l.ID)
	if ls.stops[l.task] == l {
		delete(ls.stops, l.task)
	}
	if l.index > 0 {
		heap.Remove(&ls.heap, l.index-1)
	}
}

// learn has the letter that stops a job know what its submission was answered with:
// that was not awaited any more when the answer came.
func (ls *letters) learn(task effectID, submitted *value.Doc) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.stops[task]; l != nil {
		l.submitted = submitted
	}
}

// next is when a letter is to be delivered first, in milliseconds since 1970; 0 for
// never.
func (ls *letters) next() int64 {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if len(ls.heap) == 0 {
		return 0
	}
	return ls.heap[0].at
}

// tick delivers the letters that are due.
func (ls *letters) tick(ctx context.Context, now time.Time) {
	for ctx.Err() == nil {
		ls.mu.Lock()
		if len(ls.heap) == 0 || ls.heap[0].at > now.UnixMilli() {
			ls.mu.Unlock()
			return
		}
		l := heap.Pop(&ls.heap).(*letter)
		ls.mu.Unlock()
		ls.pool.start(func() { ls.e.deliverLetter(l) })
	}
}

func (h letterHeap) Len() int { return len(h) }

func (h letterHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].ID.Compare(h[j].ID) < 0
}

func (h letterHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

// Push is for package heap.
func (h *letterHeap) Push(x any) {
	l := x.(*letter)
	*h = append(*h, l)
	l.index = len(*h)
}

// Pop is for package heap.
func (h *letterHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	l.index = 0
	return l
}
