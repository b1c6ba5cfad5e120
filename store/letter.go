package store

import (
	"bytes"
	"cmp"
)

// Letter is what a transition promises to bring about elsewhere: that another
// execution receives something, or that a job is stopped. It is durable with the
// transition, is kept in the shard of the execution that sent it, and stays there
// until it is taken: by [Shard.Take], or by a transition of the same shard
// ([Transition.Taken]).
//
// Whoever owns the shard brings it about and takes it afterwards. After a crash, or
// under the next owner, it is found again by [Shard.Letters] and brought about
// again: a letter arrives at least once, and its receiver must be content with
// receiving it twice. No transaction over two shards is ever needed.
type Letter struct {
	// ID is set in letters that are read. In Transition.Send it is not looked at:
	// see [Transition.LetterID].
	ID LetterID
	// To is the execution that receives it, in any shard. It may have ended or been
	// forgotten. Zero for a letter to no execution.
	To ExecutionID
	// Body is for the owner who brings the letter about. The store does not look into it.
	Body []byte
}

// LetterID names a letter inside a store. It follows from the transition that sent
// the letter, so that the sender knows it before the commit, and that no two
// letters ever have the same: an execution has each event once, and its id is never
// used again. The zero value is before all.
type LetterID struct {
	// From is the execution that sent the letter.
	From ExecutionID
	// Event is the number of the first event of the transition's chunk.
	Event int64
	// Index is the place of the letter in Transition.Send, from 0.
	Index uint32
}

// Shard is the shard that holds the letter: that of the sender.
func (id LetterID) Shard() ShardID { return id.From.Shard() }

// Compare orders the letters of a shard: by sender, and those of one sender in the
// order in which it sent them. It returns -1, 0 or 1.
func (id LetterID) Compare(other LetterID) int {
	return cmp.Or(bytes.Compare(id.From[:], other.From[:]), cmp.Compare(id.Event, other.Event), cmp.Compare(id.Index, other.Index))
}

// LetterID is the id of the letter at a place of t.Send.
func (t *Transition) LetterID(i int) LetterID {
	return LetterID{From: t.Execution, Event: t.Chunk.First, Index: uint32(i)}
}
