package engine

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// What a commit promises to bring about elsewhere is a letter ([store.Letter]): it is durable
// with the events that promise it, in the shard of the execution that sends it, and
// stays there until its effect is known. There are two kinds:
//
//	stop   a job that nobody waits for any more is to be stopped. It is sent by the
//	       commit that abandons the job: a stop, a timeout, the failure of a branch
//	       beside it, a retry of the state around it. Its effect is known when the
//	       integration's Stop has returned nil.
//	ask    the execution that this one is a child of may ask about it now: its job has
//	       news. It is sent by the commit that ends the child. Its effect is known when the
//	       parent has recorded the end of the job, or does not wait for it any more.
//
// An ask carries nothing of what it is about: the parent asks for that, as it does
// without any letter when its next poll is due. A letter makes that sooner only.
//
// All letters of the shards that the engine owns are in memory, each with the time at
// which it is to be delivered next: at once, and after a pause that grows as long as its
// effect is not known. Whoever acquires a shard reads its letters. So a letter is
// delivered at least once, also after a crash and by the next owner; it may be
// delivered twice, for the engine may die between its effect and its being
// taken. What it asks for must therefore be of no consequence the second time: a
// job may be stopped twice, and an execution that awaits nothing is not asked.

// maxDelivering bounds the letters that are delivered at once.
const maxDelivering = 64

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

// letters adds what a transition sends: the jobs that it abandons are to be stopped, and
// who asked for an execution that ends may ask about it.
func (st *stepping) letters(t *store.Transition) {
	for i := range st.effects {
		if effect := &st.effects[i]; effect.Kind == interpreter.Cancel && isJob(&effect.Resource) {
			body := st.e.stored.EncodeStop(st.r.id, &stored.Stop{
				Meta: st.l.meta, Resource: effect.Resource.ARN, State: effect.StateName, Event: effect.Cause, Retry: effect.Retry, Timeout: effect.Timeout,
				Input: effect.Input, Credentials: effect.Credentials, Submitted: effect.Submitted,
			})
			t.Send = append(t.Send, store.Letter{Body: body})
		}
	}
	if parent := st.l.meta.Parent; parent != nil && t.Status != store.Running {
		t.Send = append(t.Send, store.Letter{To: parent.Execution(), Body: stored.EncodeAsk(parent.Event)})
	}
	for i := range t.Send {
		t.Send[i].ID = t.LetterID(i)
	}
	st.sent = t.Send
}

// decodeStop reads the letter that stops a job: whose it is, and the effect.
func (e *Engine) decodeStop(ctx context.Context, l *letter) (*stored.Meta, *interpreter.Effect, error) {
	s, err := e.stored.DecodeStop(ctx, l.ID.From, l.Body)
	if err != nil {
		return nil, nil, err
	}
	resource, ok := asl.ParseResource(s.Resource)
	if !ok {
		return nil, nil, stored.ErrLetter
	}
	effect := &interpreter.Effect{
		Kind: interpreter.Cancel, Cause: s.Event, Resource: resource, StateName: s.State, Retry: s.Retry, Timeout: s.Timeout,
		Input: s.Input, Credentials: s.Credentials, Submitted: l.submitted, Again: true,
	}
	if s.Submitted != nil {
		effect.Submitted = s.Submitted
	}
	return &s.Meta, effect, nil
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
			ls.take(l)
		}
	}
}

// take takes a letter out. ls.mu is held.
func (ls *letters) take(l *letter) {
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
// nobody waited for that any more when the answer came.
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

// errUnderWay tells that the effect of a letter is not known yet, which is nothing to be
// told of.
var errUnderWay = errors.New("engine: the effect of the letter is under way")

// deliverLetter brings a letter about, and takes it when its effect is known.
func (e *Engine) deliverLetter(l *letter) {
	ls := &e.letters
	ls.mu.Lock()
	gone, handle := ls.all[l.ID] != l, l.handle
	ls.mu.Unlock()
	if gone {
		return // the shard was lost, or taken again
	}
	err := e.bringAbout(l)
	if err == nil {
		err = handle.Take(e.closing, l.ID)
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	switch {
	case err == nil, errors.Is(err, store.ErrFenced): // else the next owner has it
		ls.take(l)
		return
	case ls.all[l.ID] != l, e.closing.Err() != nil:
		return
	}
	l.failed++
	if !errors.Is(err, errUnderWay) {
		e.log.Warn("a letter could not be delivered; trying again", slog.String("execution", fmt.Sprintf("%x", l.ID.From)),
			slog.Int64("event", l.task.event), slog.Int("failures", l.failed), slog.Any("error", err))
	}
	ls.wait(l, e.Now().Add(backoff(l.failed)).UnixMilli())
}

// bringAbout does what a letter asks for. It returns nil when the effect of that is
// known, and durable where it is one on an execution.
func (e *Engine) bringAbout(l *letter) error {
	if event, ok := stored.AskOf(l.Body); ok {
		return e.askNow(effectID{l.To, event})
	}
	return e.stopJob(l)
}

// stopJob has the job stopped that a letter is about.
func (e *Engine) stopJob(l *letter) error {
	if e.pools.has(l.task.execution, l.task.event) {
		return errUnderWay // it may still be submitted: that was cancelled, and ends
	}
	m, effect, err := e.decodeStop(e.closing, l)
	if err != nil {
		return err
	}
	runner, err := e.runnerOf(m, effect)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(e.closing, pollLimit)
	defer stop()
	task := e.taskOf(m, effect, l.task)
	task.Attempt = l.failed + 1
	return runner.Stop(ctx, task, effect.Submitted)
}

// askNow has a job asked about that has news, if it is awaited. It returns nil when it is
// not, or not any more.
func (e *Engine) askNow(task effectID) error {
	r, err := e.running(e.closing, task.execution)
	awaited := false
	if err == nil {
		_, err = e.deliver(e.closing, r, delivery{look: func(l *loaded) {
			for _, effect := range l.x.Pending(e.token(r, &l.meta)) {
				awaited = awaited || effect.Cause == task.event
			}
		}})
	}
	switch {
	case errors.Is(err, ErrNotRunning), errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case !awaited:
		return nil
	}
	e.jobs.hurry(task)
	return errUnderWay
}

// letterHeap is ordered by time, and at one time by the ids of the letters.
type letterHeap []*letter

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
