package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/store"
)

// attempts bounds how often a batch is tried again after the outcome of its
// commit was unknown or the shard was taken anew.
const attempts = 5

// recover sees to a resident whose delivery failed. It tells whether what could
// not be committed has landed all the same, whether to deliver again, and the
// error if not.
func (e *Engine) recover(ctx context.Context, r *resident, tried attempt, failed error) (landed, again bool, err error) {
	s := e.shards[r.id.Shard()]
	handle := r.drop()
	switch {
	case errors.Is(failed, store.ErrUnknown):
		// Once the shard is taken anew, what has not landed never will.
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
		return false, true, failed // it was taken anew meanwhile
	}
	if _, err := e.store.Execution(ctx, r.id); errors.Is(err, store.ErrNotFound) { // it was forgotten meanwhile
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
