// Package regex is RE2's regular expressions, with programs that are bounded when
// they are compiled and matches that are counted while they are searched.
//
// Syntax and matches are those of Go's package regexp, whose parser and compiler it
// uses. The matcher is its own: a search counts what it does on a [meter.Meter] and so
// can be ended or held up anywhere, and begins at any place of a text without losing
// sight of what stands before.
//
//	re, err := regex.Compile(`(\w+)@(\w+)`)
//	if err != nil {
//		return err
//	}
//	var machine regex.Machine // memory, for one search after the other
//	text := "mail bob@example"
//	at := machine.Find(re, nil, text, 0)
//	fmt.Println(text[at[0]:at[1]], text[at[2]:at[3]]) // bob@example bob
//
// The expressions of one definition go through one [Set], which has each only once
// and bounds all of them together: a definition may hold thousands.
//
// Stability: promised after 1.0.
package regex

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/value"
)

// Limits of what is compiled, in instructions.
const (
	// MaxSize bounds one expression: repeats are written out.
	MaxSize = 10_000
	// MaxTotal bounds all different expressions of a [Set].
	MaxTotal = 100_000
)

// ErrTotal says that the expressions of a set are too large together.
var ErrTotal = fmt.Errorf("all regular expressions of the definition together are larger than %d instructions", MaxTotal)

// instructionBytes is about what an instruction holds.
const instructionBytes = 64

// Regex is a compiled expression. It is immutable.
type Regex struct {
	prog *syntax.Prog
	// starts are the conditions at which a match may begin; never where none can.
	starts syntax.EmptyOp
	never  bool
	// prefix is what every match begins with; whole reports that it is all of it.
	prefix string
	whole  bool
	looks  bool // it has conditions on what is around a place
	caps   int
}

// Compile reads an expression. The error says what is wrong in the words of
// package regexp/syntax, or that the expression is larger than [MaxSize].
func Compile(text string) (*Regex, error) {
	tree, err := syntax.Parse(escapeHalves(text), syntax.Perl)
	if err != nil {
		return nil, fail(err)
	}
	if size(tree) > MaxSize {
		return nil, fmt.Errorf("it is larger than %d instructions when its repeats are written out", MaxSize)
	}
	caps := tree.MaxCap()
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fail(err)
	}
	r := &Regex{prog: prog, caps: 2 * (caps + 1)}
	r.starts = prog.StartCond()
	r.never = r.starts == ^syntax.EmptyOp(0)
	if r.starts == 0 {
		r.prefix, r.whole = prog.Prefix()
		r.whole = r.whole && caps == 0
		if strings.ContainsRune(r.prefix, utf8.RuneError) {
			r.prefix, r.whole = "", false // it may stand for half of a surrogate pair
		}
	}
	for i := range prog.Inst {
		r.looks = r.looks || prog.Inst[i].Op == syntax.InstEmptyWidth
	}
	return r, nil
}

// escapeHalves writes halves of surrogate pairs, which the parser does not take, as
// escapes. See [value.Joined].
func escapeHalves(text string) string {
	if !value.HasHalves(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := value.DecodeRune(text[i:])
		if utf16.IsSurrogate(r) {
			fmt.Fprintf(&b, `\x{%x}`, r)
		} else {
			b.WriteString(text[i : i+size])
		}
		i += size
	}
	return b.String()
}

// fail is an error of package regexp/syntax without that package's name.
func fail(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
}

// size returns about how many instructions an expression will have. It is known
// before anything is compiled, for (a{1000}){1000} would have a million.
func size(tree *syntax.Regexp) int64 {
	n := int64(1)
	if tree.Op == syntax.OpLiteral {
		n = int64(len(tree.Rune))
	}
	if tree.Op == syntax.OpCharClass {
		n += int64(len(tree.Rune)) / 16
	}
	for _, sub := range tree.Sub {
		n += size(sub)
	}
	switch {
	case tree.Op != syntax.OpRepeat:
	case tree.Max > 0:
		n *= int64(tree.Max)
	default:
		n *= int64(max(tree.Min, 1))
	}
	return min(n, 1<<40) + 1
}

// Size is the number of instructions.
func (r *Regex) Size() int { return len(r.prog.Inst) }

// Weight is about how many bytes of memory the expression holds.
func (r *Regex) Weight() int64 {
	n := int64(128 + instructionBytes*len(r.prog.Inst))
	for i := range r.prog.Inst {
		n += int64(4 * len(r.prog.Inst[i].Rune))
	}
	return n
}

// Groups is the number of capturing groups.
func (r *Regex) Groups() int { return r.caps/2 - 1 }

// Set holds the expressions of one definition: equal ones once, and all together
// within [MaxTotal]. A nil Set shares and bounds nothing. It is for one goroutine.
type Set struct {
	made  map[string]*Regex
	total int
}

// Compile is [Compile] of an expression of the set.
func (s *Set) Compile(text string) (*Regex, error) {
	if s == nil {
		return Compile(text)
	}
	if r := s.made[text]; r != nil {
		return r, nil
	}
	if s.total >= MaxTotal {
		return nil, ErrTotal
	}
	r, err := Compile(text)
	if err != nil {
		return nil, err
	}
	if s.total += r.Size(); s.total > MaxTotal {
		return nil, ErrTotal
	}
	if s.made == nil {
		s.made = make(map[string]*Regex)
	}
	s.made[text] = r
	return r, nil
}

// Weight is about how many bytes of memory the expressions of the set hold.
func (s *Set) Weight() (bytes int64) {
	for text, r := range s.made {
		bytes += r.Weight() + int64(len(text)) + 64
	}
	return bytes
}

// Match reports whether a text has a match.
func (r *Regex) Match(m *meter.Meter, text string) bool {
	var machine Machine
	return machine.search(r, m, text, 0, 0)
}

// Find returns the leftmost match that begins at byte from of a text or behind it:
// the bounds of the match, then those of its groups, -1 for one that has no part in
// it. It returns nil when there is none. The slice is the caller's.
func (k *Machine) Find(r *Regex, m *meter.Meter, text string, from int) []int {
	if r.whole {
		at := strings.Index(text[from:], r.prefix)
		if at < 0 {
			m.Work(int64(len(text)-from)/32 + 1)
			return nil
		}
		m.Work(int64(at)/32 + 1)
		return []int{from + at, from + at + len(r.prefix)}
	}
	if !k.search(r, m, text, from, r.caps) {
		return nil
	}
	return append([]int(nil), k.matched[:r.caps]...)
}
