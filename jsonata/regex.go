package jsonata

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/steppehq/steppe/regex"
	"github.com/steppehq/steppe/value"
)

// # Regular expressions
//
// A regular expression is a function: called with a text it returns its first match,
// an object with start, end, groups, and a function next that returns the match after
// it. $match, $split and the rest take any function that does so, a lambda too, and
// call it through matches, which takes a shorter way for the builtin ones.
//
// The syntax is JavaScript's, the machine is RE2's (package regex), which always
// takes time linear in the text. translateRegex writes what the two spell
// differently: \s has more characters, \uXXXX and \cX are \x{…}, (?<name>…) is
// (?P<name>…), [^] is any character, an escape without meaning is the character
// itself. Lookaround and backreferences have no translation, and are refused when the
// expression is compiled.
//
// Places are bytes inside, and UTF-16 units in start and end, as in JavaScript. after
// counts them from the match before, so that all matches of a text take one pass. A
// match of no length is an error (D1004), since next would never end.

// pattern is a compiled regular expression.
type pattern struct {
	source string
	re     *regex.Regex
	fn     *function
}

// compileRegex compiles a regular expression of JavaScript with RE2, among those of a
// set. The flags are i and m, which mean the same in both. An error is thrown at byte
// at of the expression.
func compileRegex(set *regex.Set, source, flags string, at int) *pattern {
	prefix := ""
	if strings.Contains(flags, "i") {
		prefix += "i"
	}
	if strings.Contains(flags, "m") {
		prefix += "m"
	}
	if prefix != "" {
		prefix = "(?" + prefix + ")"
	}
	re, err := set.Compile(prefix + translateRegex(source))
	if err != nil {
		panic(&Error{Code: "S0301", Position: at, Token: source, Message: "The regular expression /" +
			shownText(source) + "/ is not supported: " + err.Error()})
	}
	r := &pattern{source: source, re: re}
	r.fn = &function{regex: r, arity: 1, native: func(e *evaluation, args []val, _ val) val {
		if len(args) == 0 || args[0].Kind() != value.String {
			return val{}
		}
		m := r.find(e, args[0].Str())
		if m == nil {
			return val{}
		}
		return plain(m.value(e))
	}}
	return r
}

// translateRegex writes the escapes that JavaScript has and RE2 lacks. It goes
// through the pattern once and knows only whether it is inside of a class.
func translateRegex(pattern string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			i++
			switch next := pattern[i]; {
			case next == '/' || next == '-' && !class:
				b.WriteByte(next)
			case next == 'u' && i+4 < len(pattern):
				i += escapedUnits(&b, pattern[i-1:]) - 2
			case next == 'c' && i+1 < len(pattern):
				i++
				b.WriteString(`\x{` + strconv.FormatInt(int64(pattern[i]&31), 16) + `}`)
			case next == 'd', next == 'D', next == 'w', next == 'W', next == 'b', next == 'B', next == 'n', next == 'r', next == 't', next == 'f', next == 'v', next == 'x':
				b.WriteByte('\\')
				b.WriteByte(next)
			case next == 's':
				b.WriteString(spaceClass(class, false))
			case next == 'S':
				b.WriteString(spaceClass(class, true))
			case next == '0':
				b.WriteString(`\x00`)
			case next >= 'a' && next <= 'z' || next >= 'A' && next <= 'Z':
				b.WriteByte(next) // an escape without meaning
			default:
				b.WriteByte('\\')
				b.WriteByte(next)
			}
		case c == '[' && class:
			b.WriteString(`\[`)
		case c == '[':
			class = true
			b.WriteByte(c)
			if strings.HasPrefix(pattern[i+1:], "^]") { // [^] is any character
				b.WriteString(`\x00-\x{10FFFF}]`)
				i += 2
				class = false
			}
		case c == ']':
			class = false
			b.WriteByte(c)
		case c == '(' && strings.HasPrefix(pattern[i:], "(?<") && !strings.HasPrefix(pattern[i:], "(?<=") && !strings.HasPrefix(pattern[i:], "(?<!"):
			b.WriteString("(?P<")
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escapedUnits writes the character of \uXXXX, or of the two of them that are a pair,
// at the beginning of a pattern, and returns how many bytes of the pattern that is.
func escapedUnits(b *strings.Builder, pattern string) int {
	digits, size := pattern[2:6], 6
	if len(pattern) >= 12 && pattern[6:8] == `\u` {
		high, errHigh := strconv.ParseUint(digits, 16, 16)
		low, errLow := strconv.ParseUint(pattern[8:12], 16, 16)
		if whole := utf16.DecodeRune(rune(high), rune(low)); errHigh == nil && errLow == nil && whole != utf8.RuneError {
			digits, size = strconv.FormatInt(int64(whole), 16), 12
		}
	}
	b.WriteString(`\x{` + digits + `}`)
	return size
}

// spaceClass is \s, which in JavaScript has more than RE2's.
func spaceClass(inside, not bool) string {
	const spaces = `\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
	switch {
	case inside && not:
		return `\S`
	case inside:
		return spaces
	case not:
		return `[^` + spaces + `]`
	}
	return `[` + spaces + `]`
}

// found is one match of a pattern in a text.
type found struct {
	text       string
	start, end int // in bytes
	unit       int // start in UTF-16 units
	groups     []string
	// A group that has no part in the match is not there, which is not the same as an
	// empty one.
	there []bool
	// next finds the match after this one.
	next func() *found
}

// find returns the first match in a text, nil for none.
func (r *pattern) find(e *evaluation, text string) *found {
	e.tick(1 + len(text)/64)
	return r.after(e, &found{text: text})
}

// after returns the first match behind another one; the one before the first is empty
// and at the beginning of the text. nil: there is no more.
func (r *pattern) after(e *evaluation, before *found) *found {
	if e.search == nil {
		e.search = &regex.Machine{}
	}
	text, first := before.text, before.end == 0
	loc := e.search.Find(r.re, e.meter, text, before.end)
	if loc != nil && !first && loc[1] == before.end { // an empty one right behind a match is none
		if before.end == len(text) {
			return nil
		}
		_, width := value.DecodeRune(text[before.end:])
		loc = e.search.Find(r.re, e.meter, text, before.end+width)
	}
	if loc == nil {
		return nil
	}
	e.meter.Hold(int64(matchBytes + 40*len(loc)))
	e.tick(4 + (loc[1]-before.start)/32)
	m := &found{text: text, start: loc[0], end: loc[1]}
	m.unit = before.unit + value.UTF16Len(text[before.start:m.start])
	if m.start == m.end {
		e.throw("D1004", value.Str(r.source))
	}
	for i := 2; i < len(loc); i += 2 {
		there := loc[i] >= 0
		group := ""
		if there {
			group = text[loc[i]:loc[i+1]]
		}
		m.groups, m.there = append(m.groups, group), append(m.there, there)
	}
	m.next = func() *found { return r.after(e, m) }
	return m
}

// matches calls a matcher function, builtin or not, on a text.
func (e *evaluation) matches(fn *function, text string) *found {
	if fn.regex != nil {
		return fn.regex.find(e, text)
	}
	return e.foundOf(e.callback(fn, plain(value.Str(text))), text)
}

// foundOf reads the object that a matcher returns. One without any of the members
// that a match has is no match (T1010).
func (e *evaluation) foundOf(v val, text string) *found {
	if v.IsUndefined() {
		return nil
	}
	start, okStart := v.Get("start").Int64()
	end, okEnd := v.Get("end").Int64()
	groups, next := v.Get("groups"), e.function(v.Get("next"))
	if v.Kind() != value.Object || !okStart && !okEnd && groups.Kind() != value.Array && next == nil {
		e.throw("T1010", v.Value)
	}
	e.tick(len(text) / 16)
	m := &found{text: text, start: byteIndex(text, int(start)), end: byteIndex(text, int(end)), unit: int(start)}
	if m.end < m.start {
		m.end = m.start
	}
	for _, g := range groups.Items() {
		m.groups, m.there = append(m.groups, g.Str()), append(m.there, g.Kind() == value.String)
	}
	m.next = func() *found {
		if next == nil {
			return nil
		}
		return e.foundOf(e.invoke(next, nil, val{}), text)
	}
	return m
}

// byteIndex turns a place in UTF-16 units into one in bytes; beyond the end it is the
// end.
func byteIndex(s string, unit int) int {
	n, i := 0, 0
	for i < len(s) && n < unit {
		c, size := value.DecodeRune(s[i:])
		if n++; c > 0xFFFF {
			n++
		}
		i += size
	}
	return i
}

// value is the match as an object with the function that finds the next one.
func (m *found) value(e *evaluation) value.Value {
	e.meter.Hold(matchBytes)
	groups := make([]value.Value, len(m.groups))
	for i, g := range m.groups {
		if groups[i] = value.NullValue; m.there[i] {
			groups[i] = value.Str(g)
		}
	}
	next := &function{native: func(e *evaluation, _ []val, _ val) val {
		if following := m.next(); following != nil {
			return plain(following.value(e))
		}
		return val{}
	}}
	return value.Obj(
		value.Member{Name: "match", Value: value.Str(m.text[m.start:m.end])},
		value.Member{Name: "start", Value: value.Int(int64(m.unit))},
		value.Member{Name: "end", Value: value.Int(int64(m.unit + value.UTF16Len(m.text[m.start:m.end])))},
		value.Member{Name: "groups", Value: value.Arr(groups...)},
		value.Member{Name: "next", Value: e.functionValue(next)},
	)
}

// expand writes a replacement: $0 is the match, $N a group, $$ a dollar.
func (m *found) expand(e *evaluation, template string) string {
	var b strings.Builder
	e.texts(len(template))
	for i := 0; i < len(template); i++ {
		c := template[i]
		if c != '$' {
			b.WriteByte(c)
			continue
		}
		rest := template[i+1:]
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			i++
		case strings.HasPrefix(rest, "0"):
			e.texts(m.end - m.start)
			b.WriteString(m.text[m.start:m.end])
			i++
		default:
			i += m.group(e, &b, rest)
		}
	}
	return b.String()
}

// group writes the group that the digits at the beginning of rest name, and returns
// how many it used. As in the reference, no more digits count than the number of
// groups has, and one less if there is no such group: $12 with three groups is group
// 1 and a 2. Digits of a pattern without groups are dropped.
func (m *found) group(e *evaluation, b *strings.Builder, rest string) int {
	digits := 1
	if n := len(m.groups); n > 0 {
		digits = len(strconv.Itoa(n))
	}
	used := 0
	for used < len(rest) && used < digits && rest[used] >= '0' && rest[used] <= '9' {
		used++
	}
	if used == 0 {
		b.WriteByte('$')
		return 0
	}
	if len(m.groups) == 0 {
		return used
	}
	n, _ := strconv.Atoi(rest[:used])
	// The number has a digit too many: the last one is text.
	if used > 1 && n > len(m.groups) {
		used--
		n, _ = strconv.Atoi(rest[:used])
	}
	if n > 0 && n <= len(m.groups) {
		e.texts(len(m.groups[n-1]))
		b.WriteString(m.groups[n-1])
	}
	return used
}

// matchFunction is $match(text, pattern, limit): the matches as objects, at most
// limit of them.
func matchFunction(e *evaluation, args []val) val {
	if args[0].IsUndefined() {
		return val{}
	}
	limit := -1
	if len(args) > 2 && !args[2].IsUndefined() {
		if args[2].Float64() < 0 {
			e.throw("D3040", args[2].Value)
		}
		limit = int(min(math.Ceil(args[2].Float64()), math.MaxInt32))
	}
	text := args[0].Str()
	var items []value.Value
	if limit == 0 {
		return sequence(nil)
	}
	for m := e.matches(e.function(args[1].Value), text); m != nil && limit != 0; m = m.next() {
		limit--
		groups := make([]value.Value, len(m.groups))
		for i, g := range m.groups {
			if groups[i] = value.NullValue; m.there[i] {
				groups[i] = value.Str(g)
			}
		}
		items = append(items, value.Obj(
			value.Member{Name: "match", Value: value.Str(text[m.start:m.end])},
			value.Member{Name: "index", Value: value.Int(int64(m.unit))},
			value.Member{Name: "groups", Value: value.Arr(groups...)},
		))
		e.charge(64)
	}
	return sequence(items)
}
