package engine_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/steppehq/steppe/store"
)

// nodeStore is the store as one engine sees it: what goes wrong with it is what
// the simulation decides, and a dead engine changes nothing any more. All that
// is written is told to the truth.
type nodeStore struct {
	store.Store
	s *simulation
	n *node
}

// errLost tells that the outcome of an edit of the catalogue is not known.
var errLost = errors.New("simulation: the answer was lost")

// fate is what becomes of something that is written.
type fate int

const (
	kept       fate = iota
	lostBefore      // it is not written, and nobody is told so
	lostAfter       // it is written, and nobody is told so
	late            // as lostBefore, and it arrives later: it must be fenced then, or come in time
)

func (s *simulation) fate() fate {
	if s.calm {
		return kept
	}
	switch n := s.random.IntN(100); {
	case n < 3:
		return lostBefore
	case n < 6:
		return lostAfter
	case n < 8:
		return late
	}
	return kept
}

// arrive lets a commit arrive that is late, of an engine that may be dead.
func (s *simulation) arrive() {
	if len(s.late) == 0 {
		return
	}
	i := s.random.IntN(len(s.late))
	commit := s.late[i]
	s.late = slices.Delete(s.late, i, i+1)
	s.between++
	s.note("a late commit: %v", commit())
}

// write writes something, while other things happen just before and after. What
// is late is put aside, unless it cannot be.
func (st *nodeStore) write(write func() error, aside func(), lost error) error {
	s := st.s
	s.interrupt()
	if st.n.dead {
		return store.ErrClosed
	}
	fate := s.fate()
	if fate == lostBefore || fate == late {
		s.note("lost before it is written")
		if fate == late && aside != nil {
			aside()
		}
		return lost
	}
	if err := write(); err != nil {
		return err
	}
	s.interrupt()
	switch {
	case st.n.dead:
		return store.ErrClosed
	case fate == lostAfter:
		s.note("lost after it was written")
		return lost
	}
	return nil
}

// Acquire makes the engine the owner of a shard.
func (st *nodeStore) Acquire(ctx context.Context, id store.ShardID, owner store.Owner) (store.Shard, error) {
	if st.n.dead {
		return nil, store.ErrClosed
	}
	s := st.s
	if s.random.IntN(2) == 0 {
		s.arrive() // in time
	}
	h, err := st.Store.Acquire(ctx, id, owner)
	if err != nil {
		return nil, err
	}
	s.truth.epochs[id] = h.Epoch()
	if s.random.IntN(2) == 0 {
		s.arrive()
	}
	return &nodeShard{h, st}, nil
}

// Put edits the catalogue.
func (st *nodeStore) Put(ctx context.Context, edits ...store.Edit) error {
	return st.write(func() error {
		err := st.Store.Put(ctx, edits...)
		if err == nil {
			st.s.truth.put(edits)
		}
		return err
	}, nil, errLost)
}

// Retain forgets executions.
func (st *nodeStore) Retain(ctx context.Context, now time.Time, limit int) ([]store.ExecutionID, error) {
	if st.n.dead {
		return nil, store.ErrClosed
	}
	ids, err := st.Store.Retain(ctx, now, limit)
	st.s.truth.retain(ids, now)
	return ids, err
}

type nodeShard struct {
	store.Shard
	st *nodeStore
}

// Commit commits a transition.
func (h *nodeShard) Commit(ctx context.Context, t *store.Transition) error {
	s := h.st.s
	s.working = append(s.working, t.Execution)
	defer func() { s.working = s.working[:len(s.working)-1] }()
	if s.random.IntN(8) == 0 {
		s.arrive()
	}
	return h.st.write(func() error { return h.commit(ctx, t) }, func() {
		aside := *t
		aside.Chunk.Data = bytes.Clone(t.Chunk.Data)
		s.late = append(s.late, func() error { return h.commit(ctx, &aside) })
	}, store.ErrUnknown)
}

func (h *nodeShard) commit(ctx context.Context, t *store.Transition) error {
	err := h.Shard.Commit(ctx, t)
	if err == nil {
		h.st.s.truth.commit(t, h)
	}
	return err
}
