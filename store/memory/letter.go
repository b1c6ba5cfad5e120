package memory

import (
	"bytes"
	"context"
	"slices"

	"github.com/steppehq/steppe/store"
)

// Letters reads the letters of the shard that were not taken.
func (h *shard) Letters(_ context.Context, after store.LetterID, limit int) ([]store.Letter, error) {
	s := h.store
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []store.Letter
	for id, l := range s.letters[h.id] {
		if id.Compare(after) > 0 {
			l.Body = bytes.Clone(l.Body)
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b store.Letter) int { return a.ID.Compare(b.ID) })
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	return found, nil
}

// Take deletes letters of the shard, all or none.
func (h *shard) Take(_ context.Context, ids ...store.LetterID) error {
	s := h.store
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if s.owners[h.id].Epoch != h.epoch || !h.holds(ids) {
		return store.ErrFenced
	}
	s.take(ids)
	return nil
}

// holds reports whether all letters are of this shard.
func (h *shard) holds(ids []store.LetterID) bool {
	return !slices.ContainsFunc(ids, func(id store.LetterID) bool { return id.Shard() != h.id })
}

// take deletes letters.
func (s *Store) take(ids []store.LetterID) {
	for _, id := range ids {
		delete(s.letters[id.Shard()], id)
	}
}

// post enters the letters of a transition.
func (s *Store) post(t *store.Transition) {
	for i, l := range t.Send {
		l.ID, l.Body = t.LetterID(i), bytes.Clone(l.Body)
		s.letters[l.ID.Shard()][l.ID] = l
	}
}
