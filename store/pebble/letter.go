package pebble

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	cockroach "github.com/cockroachdb/pebble/v2"

	"github.com/steppehq/steppe/store"
)

// A letter has one key, which is its id: sender, event, place in the transition.
// The id begins with the sender's shard, so the letters of a shard are neighbours
// and stand in the order of the contract. The value is a version, the receiver and
// the body.
//
// A letter is written in the batch of the transition that sends it, and deleted
// either in the batch of one that takes it or in one of its own. Both enter the log
// while the shard's state is held for reading, as all commits do, and so before or
// after the whole of a change of owner: a fenced handle takes nothing. No key is read
// before it is deleted, for one that is not there is passed over.

const letterVersion = 1

// letterIDSize is the size of a letter's id in its key.
const letterIDSize = 16 + 8 + 4

func letterKey(id store.LetterID) []byte {
	b := make([]byte, 0, 1+letterIDSize)
	b = append(append(b, prefixLetter), id.From[:]...)
	return binary.BigEndian.AppendUint32(appendUint64(b, uint64(id.Event)), id.Index)
}

// readLetterKey reads what letterKey writes. It is false for a key that is none.
func readLetterKey(key []byte) (id store.LetterID, ok bool) {
	if len(key) != 1+letterIDSize {
		return id, false
	}
	return store.LetterID{
		From: store.ExecutionID(key[1:17]), Event: int64(bigEndian(key[17:25])), Index: binary.BigEndian.Uint32(key[25:]),
	}, true
}

func encodeLetter(l *store.Letter) []byte {
	b := make([]byte, 0, 1+len(l.To)+len(l.Body))
	return append(append(append(b, letterVersion), l.To[:]...), l.Body...)
}

func decodeLetter(key, v []byte) (l store.Letter, err error) {
	id, ok := readLetterKey(key)
	if !ok || len(v) < 1+len(l.To) || v[0] != letterVersion {
		return l, errCorrupt
	}
	return store.Letter{ID: id, To: store.ExecutionID(v[1:17]), Body: bytes.Clone(v[17:])}, nil
}

// Letters reads the letters of the shard that were not taken.
func (h *shard) Letters(_ context.Context, after store.LetterID, limit int) ([]store.Letter, error) {
	s := h.store
	if !s.enter() {
		return nil, store.ErrClosed
	}
	defer s.leave()
	lower := append([]byte{prefixLetter}, byte(h.id>>8), byte(h.id))
	upper := []byte{prefixLetter, byte((h.id + 1) >> 8), byte(h.id + 1)}
	if next := append(letterKey(after), 0); bytes.Compare(next, lower) > 0 {
		lower = next
	}
	if bytes.Compare(lower, upper) >= 0 {
		return nil, nil
	}
	return s.letters(lower, upper, limit)
}

// LettersOf reads the letters of an execution that were not taken.
func (s *DB) LettersOf(_ context.Context, from store.ExecutionID) ([]store.Letter, error) {
	if !s.enter() {
		return nil, store.ErrClosed
	}
	defer s.leave()
	lower := append([]byte{prefixLetter}, from[:]...)
	return s.letters(lower, append(slices.Clone(lower), bytes.Repeat([]byte{0xff}, letterIDSize-len(from)+1)...), 0)
}

// letters reads the letters between two keys, at most limit of them (0: all).
func (s *DB) letters(lower, upper []byte, limit int) ([]store.Letter, error) {
	var found []store.Letter
	err := s.scan(lower, upper, false, func(key, v []byte) (bool, error) {
		l, err := decodeLetter(key, v)
		if err != nil {
			return false, err
		}
		found = append(found, l)
		return limit == 0 || len(found) < limit, nil
	})
	return found, err
}

// Take deletes letters of the shard, all or none, durably.
func (h *shard) Take(_ context.Context, ids ...store.LetterID) error {
	s := h.store
	if !s.enter() {
		return store.ErrClosed
	}
	defer s.leave()
	h.state.mu.RLock()
	defer h.state.mu.RUnlock()
	if h.state.epoch != h.epoch || !h.holds(ids) {
		return store.ErrFenced
	}
	if len(ids) == 0 {
		return nil
	}
	batch := s.db.NewBatch()
	defer batch.Close() //nolint:errcheck // it was committed, or is to be forgotten
	if err := takeLetters(batch, ids); err != nil {
		return wrap(err)
	}
	if err := batch.Commit(s.sync); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	return nil
}

// holds reports whether all letters are of this shard.
func (h *shard) holds(ids []store.LetterID) bool {
	return !slices.ContainsFunc(ids, func(id store.LetterID) bool { return id.Shard() != h.id })
}

// takeLetters deletes letters, whether they are there or not.
func takeLetters(batch *cockroach.Batch, ids []store.LetterID) (err error) {
	for _, id := range ids {
		err = errors.Join(err, batch.Delete(letterKey(id), nil))
	}
	return err
}

// writeLetters puts the letters that a transition sends and takes into its batch.
func writeLetters(batch *cockroach.Batch, t *store.Transition) error {
	err := takeLetters(batch, t.Taken)
	for i := range t.Send {
		err = errors.Join(err, batch.Set(letterKey(t.LetterID(i)), encodeLetter(&t.Send[i]), nil))
	}
	return wrap(err)
}
