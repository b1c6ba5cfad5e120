package regex

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/value"
)

// # The machine
//
// Go's package regexp, whose compiler makes the programs, runs them to the end
// without a way to stop it. This machine runs the same programs, counts what it does on
// a meter every 1,024 steps, and can begin anywhere in a text with its eyes open for
// what stands before (\b, ^).
//
// It is Pike's machine ("The text editor sam", 1987; explained at
// swtch.com/~rsc/regexp/regexp2.html). A program is a graph of instructions: one that
// reads a character, one that splits into two ways with the first preferred, one that
// holds only at certain places, one that notes a place for a group, and one that is a
// match. A thread is a way through it, with the places that it has noted. All threads
// move over the text together, one character at a time:
//
// - run holds the threads that wait for the next character, in order of preference.
// - step moves each over the character. One that is accepted is added to next.
// - add follows everything that reads no character, and adds the instructions that
//   do. An instruction that is already in the queue is not added again: the thread
//   that came first is preferred, and from here on both would do the same. That
//   bounds a queue by the size of the program, and a search by size times length.
// - A thread that matches ends all that are less preferred; those before it go on,
//   for a longer match of theirs is preferred to this one.
//
// queue is a sparse set (Briggs and Torczon, 1993): the instructions in order in
// dense, and for each instruction its place there in sparse. Neither is cleared,
// since an entry of sparse counts only if dense agrees. Captures are copied when a
// thread is kept, and used again when it ends.
//
// A search that must begin with a literal prefix looks for it with strings.Index
// whenever no thread is alive.

// Machine is the memory of searches. It is for one search at a time; the zero
// Machine is ready.
//
// It is Pike's machine: all ways through the program are followed side by side,
// those to be preferred first, so that a search takes the length of the text
// times the size of the program at most.
type Machine struct {
	run, next queue
	free      [][]int // places of captures
	matched   []int
	found     bool

	prog  *syntax.Prog
	caps  int
	steps int64
}

// queue is an ordered set of instructions that wait for the next character.
type queue struct {
	sparse []uint32
	dense  []thread
}

// thread is one way through the program.
type thread struct {
	pc   uint32
	caps []int // nil where nothing is captured
	live bool  // the instruction reads a character, or matches
}

// size empties the queue and makes room for n instructions.
func (q *queue) size(n int) {
	if cap(q.sparse) < n {
		q.sparse, q.dense = make([]uint32, n), make([]thread, 0, n)
	}
	q.sparse, q.dense = q.sparse[:n], q.dense[:0]
}

// prepare has the machine run a program.
func (k *Machine) prepare(r *Regex, m *meter.Meter, caps int) {
	n := len(r.prog.Inst)
	if cap(k.run.sparse) < n {
		m.Hold(int64(n) * 2 * (4 + 40)) // two queues
	}
	k.run.size(n)
	k.next.size(n)
	if cap(k.matched) < caps || k.caps != caps {
		k.free, k.matched = nil, make([]int, caps)
	}
	k.prog, k.caps, k.found, k.steps = r.prog, caps, false, 0
	k.matched = k.matched[:caps]
	for i := range k.matched {
		k.matched[i] = -1
	}
}

// chunk is the number of steps after which the meter counts them.
const chunk = 1 << 10

// stepsPerUnit is how many steps of the machine are a unit of work.
const stepsPerUnit = 4

// search looks for the leftmost match from a place on, and leaves its captures in
// matched. With no captures wanted it ends at the first match of any length.
func (k *Machine) search(r *Regex, m *meter.Meter, text string, from, caps int) bool {
	if r.never {
		return false
	}
	k.prepare(r, m, caps)
	pos, before := from, rune(-1)
	if r.looks && from > 0 {
		before, _ = value.DecodeLastRune(text[:from])
	}
	c, width := decode(text, pos)
	for {
		if len(k.run.dense) == 0 {
			if k.found || r.starts&syntax.EmptyBeginText != 0 && pos != 0 {
				break
			}
			if r.prefix != "" {
				skip := strings.Index(text[pos:], r.prefix)
				if skip < 0 {
					m.Work(int64(len(text)-pos)/32 + 1)
					break
				}
				m.Work(int64(skip) / 32)
				if skip > 0 {
					pos += skip
					before, _ = value.DecodeLastRune(text[:pos])
					c, width = decode(text, pos)
				}
			}
		}
		var around syntax.EmptyOp
		if r.looks {
			around = syntax.EmptyOpContext(before, c)
		}
		if !k.found {
			if caps > 0 {
				k.matched[0] = pos
			}
			k.add(&k.run, uint32(r.prog.Start), pos, k.matched, around)
		}
		following, followingWidth := rune(-1), 0
		if width > 0 {
			following, followingWidth = decode(text, pos+width)
			if r.looks {
				around = syntax.EmptyOpContext(c, following)
			}
		}
		k.step(pos, pos+width, c, around)
		if k.steps++; k.steps >= chunk {
			m.Work(k.steps / stepsPerUnit)
			k.steps = 0
		}
		if width == 0 || caps == 0 && k.found {
			break
		}
		pos += width
		before, c, width = c, following, followingWidth
		k.run, k.next = k.next, k.run
	}
	k.clear(&k.run)
	k.clear(&k.next)
	m.Work(k.steps/stepsPerUnit + 1)
	return k.found
}

// decode returns the character at a place; -1 and no width at the end. Half of a
// surrogate pair is a character.
func decode(text string, pos int) (c rune, width int) {
	switch {
	case pos >= len(text):
		return -1, 0
	case text[pos] < utf8.RuneSelf:
		return rune(text[pos]), 1
	}
	return value.DecodeRune(text[pos:])
}

// clear empties a queue after a search.
func (k *Machine) clear(q *queue) {
	for i := range q.dense {
		k.drop(&q.dense[i])
	}
	q.dense = q.dense[:0]
}

// drop ends a thread and keeps its places for another one.
func (k *Machine) drop(t *thread) {
	if t.caps != nil {
		k.free = append(k.free, t.caps)
		t.caps = nil
	}
}

// step moves all threads over a character, into the next queue.
func (k *Machine) step(pos, nextPos int, c rune, around syntax.EmptyOp) {
	k.steps += int64(len(k.run.dense))
	for j := range k.run.dense {
		t := &k.run.dense[j]
		if !t.live {
			continue
		}
		inst := &k.prog.Inst[t.pc]
		moves := false
		switch inst.Op {
		case syntax.InstMatch:
			if k.caps > 0 {
				copy(k.matched, t.caps)
				k.matched[1] = pos
			}
			k.found = true
			for ; j < len(k.run.dense); j++ { // all others are less to be preferred
				k.drop(&k.run.dense[j])
			}
			k.run.dense = k.run.dense[:0]
			return
		case syntax.InstRune:
			moves = inst.MatchRune(c)
		case syntax.InstRune1:
			moves = c == inst.Rune[0]
		case syntax.InstRuneAny:
			moves = true
		case syntax.InstRuneAnyNotNL:
			moves = c != '\n'
		default:
		}
		if moves {
			k.add(&k.next, inst.Out, nextPos, t.caps, around)
		}
		k.drop(t)
	}
	k.run.dense = k.run.dense[:0]
}

// add puts the instruction at pc, and all that it leads to without reading, into
// a queue. caps is copied where it is kept.
func (k *Machine) add(q *queue, pc uint32, pos int, caps []int, around syntax.EmptyOp) {
	for pc != 0 {
		if j := q.sparse[pc]; int(j) < len(q.dense) && q.dense[j].pc == pc {
			return
		}
		at := len(q.dense)
		q.dense = append(q.dense, thread{pc: pc})
		q.sparse[pc] = uint32(at)
		k.steps++
		inst := &k.prog.Inst[pc]
		switch inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			k.add(q, inst.Out, pos, caps, around)
			pc = inst.Arg
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&^around != 0 {
				return
			}
			pc = inst.Out
		case syntax.InstNop:
			pc = inst.Out
		case syntax.InstCapture:
			if int(inst.Arg) >= k.caps {
				pc = inst.Out
				continue
			}
			old := caps[inst.Arg]
			caps[inst.Arg] = pos
			k.add(q, inst.Out, pos, caps, around)
			caps[inst.Arg] = old
			return
		case syntax.InstFail:
			return
		default:
			t := &q.dense[at]
			t.live = true
			if k.caps > 0 {
				t.caps = k.copied(caps)
				k.steps += int64(k.caps) / 4
			}
			return
		}
	}
}

// copied returns places like those, in memory of a thread that has ended if there is
// any.
func (k *Machine) copied(caps []int) []int {
	var c []int
	if last := len(k.free) - 1; last >= 0 {
		c = k.free[last]
		k.free = k.free[:last]
	} else {
		c = make([]int, k.caps)
	}
	copy(c, caps)
	return c
}
