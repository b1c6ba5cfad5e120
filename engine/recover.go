package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/store"
)

// What becomes of a commit that failed. The store has three answers beside success (see
// store.Shard): it refused the commit for a reason of its own, such as a full disk; it
// refused it as fenced, because the epoch or the number of the first event has moved; or
// it cannot say whether the commit is durable (store.ErrUnknown).
//
// In all three the execution in memory is ahead of the store, because the interpreter has applied
// the events already. It is dropped, and the next load replays what is true.
//
// Unknown is the hard one. Acquiring the shard again raises its epoch: from then on a commit of
// the old epoch is refused, so one that has not landed until then never will, and the
// history can be asked for a final answer. The chunk that was sent is compared with the one
// that stands at its first event, byte for byte. If it is there the messages are answered
// as delivered. If it is not, they are delivered again; a message that was overtaken by
// another is stale then, which is the interpreter's rule and needs no case here.
//
// One doubt remains: another engine may have owned the shard between the two epochs, and
// have written the very same bytes at the same event, from a message of its own (a
// Stop at the same millisecond). Then the chunk does not prove that this message was the one
// that was recorded. The epochs show whether that can be (undisputed); if so the caller is
// answered with the error, and may ask what is true.
//
// Fenced has two causes. If the handle is not the shard's current one, this engine itself
// acquired the shard in between, for another execution, and trying again is right. If it
// is, either the execution was forgotten by retention, so its chunk does not follow, or
// another engine has the shard: then the whole shard is given up (loseShard).
//
// A start is the same with one difference (notStarted, landedStart): its id was made for it,
// so finding the execution by its id is proof enough.

// attempts bounds how often a batch is tried again after the outcome of its
// commit was unknown or the shard was taken again.
const attempts = 5

// recover finds out what became of a delivery that failed. It reports whether what could
// not be committed has landed all the same, whether to deliver again, and the
// error if not.
func (e *Engine) recover(ctx context.Context, r *resident, tried attempt, failed error) (landed, again bool, err error) {
	s := e.shards[r.id.Shard()]
	handle := r.drop()
	switch {
	case errors.Is(failed, store.ErrUnknown):
		// Once the shard is taken again, what has not landed never will.
		if err := e.reacquire(ctx, s, handle); err != nil {
			return false, false, errors.Join(failed, err)
		}
		if landed, err = e.landed(ctx, r.id, tried); err != nil {
			return false, false, errors.Join(failed, err)
		}
		if landed && !s.undisputed(handle) {
			return false, false, failed // another engine may have written the same at the same time
		}
		return landed, true, failed
	case !errors.Is(failed, store.ErrFenced):
		return false, false, failed
	case s.handle() != handle:
		return false, true, failed // it was taken again in between
	}
	if _, err := e.store.Execution(ctx, r.id); errors.Is(err, store.ErrNotFound) { // it was forgotten in between
		e.remove(s, r)
		return false, false, ErrNotRunning
	}
	e.loseShard(s, handle)
	return false, false, ErrNotOwner
}

// landed reports whether the store has the chunk of an attempt.
func (e *Engine) landed(ctx context.Context, id store.ExecutionID, tried attempt) (bool, error) {
	if tried.lost == nil {
		return false, nil
	}
	chunks, err := e.store.History(ctx, id, tried.lost.First, 1, false)
	if err != nil {
		return false, fmt.Errorf("engine: read history: %w", err)
	}
	return len(chunks) == 1 && chunks[0].First == tried.lost.First && bytes.Equal(chunks[0].Data, tried.lost.Data), nil
}
