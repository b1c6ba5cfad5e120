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
	found := sortedLetters(s.letters[h.id], func(id store.LetterID) bool { return id.Compare(after) > 0 })
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	return found, nil
}

// LettersOf reads the letters of an execution that were not taken.
func (s *Store) LettersOf(_ context.Context, from store.ExecutionID) ([]store.Letter, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if int(from.Shard()) >= len(s.letters) {
		return nil, nil
	}
	return sortedLetters(s.letters[from.Shard()], func(id store.LetterID) bool { return id.From == from }), nil
}

// sortedLetters copies some letters, in their order.
func sortedLetters(all map[store.LetterID]store.Letter, wanted func(store.LetterID) bool) []store.Letter {
	var found []store.Letter
	for id, l := range all {
		if wanted(id) {
			l.Body = bytes.Clone(l.Body)
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b store.Letter) int { return a.ID.Compare(b.ID) })
	return found
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
