package jsonpath

import (
	"strconv"
	"strings"

	"github.com/steppehq/steppe/regex"
)

// # Reading paths as Jayway does
//
// The grammar is whatever PathCompiler of Jayway json-path 2.0.0 takes, which is more
// than any description of JSONPath: state machines that run on AWS have such paths.
// It is a scanner without a grammar behind it, and so is this one:
//
// - $.a, $['a'], a (as $.a) and @.a are the same property. A name without quotes ends
//   at a point, a bracket or a blank, and may hold anything else.
// - A bracket is closed by the bracket that pairs with it, counted without regard to
//   quotes. What it holds is decided by the first of the characters ? ' @ 0-9 : - in
//   it.
// - Between names in quotes anything may stand: ['a','b'] and ['a' 'b'] are the same.
//   There are no escapes in names.
// - Numbers end at the first character that cannot be part of them, so [1:4:2] is
//   [1:4].
// - [(@.length-1)] counts from the end. A negative index does not: no array has it. Only a slice with one open end counts its negative number from the end.
//
// A path is definite when every step picks one value: properties and single indexes.
// For each token compile notes whether all that follow are definite (forward), on
// which the error of a missing member depends.
//
// What is refused here although Jayway takes it is listed in the package's tests
// (differences), each with its reason.

// Compile reads a path. It may begin with "$", with "@", or with a name, as in
// Jayway; who wants "$" only checks that before. The error is a [*SyntaxError].
func Compile(text string) (*Path, error) { return CompileIn(nil, text) }

// CompileIn is Compile of a path whose regular expressions are among those of a
// set.
func CompileIn(regexes *regex.Set, text string) (*Path, error) {
	return compile(text, regexes, 0)
}

// compile is CompileIn of a path that stands inside of depth filters.
func compile(text string, regexes *regex.Set, depth int) (*Path, error) {
	p := parser{text: strings.TrimSpace(text), depth: depth, regexes: regexes}
	if len(p.text) > maxLength {
		return nil, &SyntaxError{text[:100] + "…", "it is too long"}
	}
	if reason := p.parse(); reason != "" {
		return nil, &SyntaxError{text, reason}
	}
	path := &Path{text: text, tokens: p.tokens, definite: true}
	for i := len(p.tokens) - 1; i >= 0; i-- {
		p.tokens[i].forward = path.definite
		path.definite = path.definite && p.tokens[i].kind.definite()
	}
	return path, nil
}

// parser reads one path; pos is the next byte of text.
type parser struct {
	text   string
	pos    int
	depth  int // of filters inside of filters
	tokens []token

	regexes *regex.Set
}

// parse fills in the tokens. It returns the reason why the text is no path, "" when
// it is one; so do the methods below.
func (p *parser) parse() string {
	if p.text == "" {
		return "it is empty"
	}
	if p.text[0] != '$' && p.text[0] != '@' {
		p.text = "$." + p.text
	}
	p.pos = 1
	if len(p.text) > 1 && p.text[1] != '.' && p.text[1] != '[' {
		return "after " + p.text[:1] + " comes . or ["
	}
	for p.pos < len(p.text) {
		if reason := p.step(); reason != "" {
			return reason
		}
		if len(p.tokens) > maxTokens {
			return "it has too many steps"
		}
	}
	if n := len(p.tokens); n > 0 && p.tokens[n-1].kind == scan {
		return "it ends with a scan"
	}
	return ""
}

// step reads a step: .name, ..name, .[…] or […].
func (p *parser) step() string {
	c := p.text[p.pos]
	if c == '[' {
		return p.bracket()
	}
	if c == '.' {
		p.pos++
		if p.pos < len(p.text) && p.text[p.pos] == '.' {
			p.pos++
			p.add(token{kind: scan})
		}
		if p.pos == len(p.text) {
			return "it ends with a ."
		}
		if p.text[p.pos] == '[' {
			return p.bracket()
		}
	}
	return p.name()
}

func (p *parser) add(t token) { p.tokens = append(p.tokens, t) }

// name reads a name without quotes.
func (p *parser) name() string {
	end := strings.IndexAny(p.text[p.pos:], ".[ ")
	if end < 0 {
		end = len(p.text) - p.pos
	}
	name := p.text[p.pos : p.pos+end]
	p.pos += end
	switch {
	case name == "":
		return "a name is missing at position " + strconv.Itoa(p.pos)
	case p.pos < len(p.text) && p.text[p.pos] == ' ':
		return "a space is not allowed at position " + strconv.Itoa(p.pos)
	case name == "*":
		p.add(token{kind: wildcard})
		return ""
	}
	return p.names("'" + name + "'")
}

// bracket reads […]. Jayway pairs brackets wherever they stand, in quotes too,
// and the first character that means something to it decides what they hold.
func (p *parser) bracket() string {
	start := p.pos + 1
	end, open := start, 1
	for ; end < len(p.text); end++ {
		if c := p.text[end]; c == '[' {
			open++
		} else if c == ']' {
			if open--; open == 0 {
				break
			}
		}
	}
	if end == len(p.text) {
		return "a ] is missing"
	}
	inside := p.text[start:end]
	p.pos = end + 1
	if inside == "*" {
		p.add(token{kind: wildcard})
		return ""
	}
	first := strings.IndexAny(inside, "?'@0123456789:-")
	if first < 0 {
		return "[" + inside + "] is neither a name in single quotes nor an index"
	}
	switch inside[first] {
	case '?':
		return p.filter(inside)
	case '\'':
		return p.names(inside)
	case '@':
		return p.fromEnd(inside[first:])
	}
	return p.numbers(inside[first:])
}

// names reads 'name','name'… What stands between the names is not looked at, as
// in Jayway, which has no escapes here.
func (p *parser) names(inside string) string {
	parts := strings.Split(inside, "'")
	var names []string
	for i := 1; i+1 < len(parts); i += 2 { // what follows a quote without its pair is no name
		names = append(names, parts[i])
	}
	if len(names) == 0 || strings.Contains(inside, "]") {
		return "[" + inside + "] has no name in single quotes"
	}
	kind := property
	if len(names) > 1 {
		kind = properties
	}
	p.add(token{kind: kind, names: names})
	return ""
}

// fromEnd reads @.length-n) or @.size-n), also with ().
func (p *parser) fromEnd(inside string) string {
	function, digits, _ := strings.Cut(inside, "-")
	function = strings.NewReplacer(" ", "", "(", "", ")", "").Replace(function)
	digits, _, closed := strings.Cut(strings.ReplaceAll(digits, " ", ""), ")")
	n, err := strconv.ParseUint(digits, 10, 31)
	if !closed || err != nil || function != "@.length" && function != "@.size" {
		return "[(" + inside + "] is not known; there are (@.length-n) and (@.size-n)"
	}
	p.add(token{kind: index, numbers: []int{int(n)}, back: true})
	return ""
}

// numbers reads n, n,n… and slices. What stands behind the last character that
// may be part of them is not looked at, the step of a slice included.
func (p *parser) numbers(inside string) string {
	text := strings.ReplaceAll(inside, " ", "")
	if end := strings.IndexFunc(text, func(c rune) bool { return !strings.ContainsRune("0123456789-,:", c) }); end >= 0 {
		text = text[:end]
	}
	t := token{kind: index}
	parts := strings.Split(strings.TrimSuffix(text, ","), ",")
	if strings.Contains(text, ":") {
		t.kind, parts = slice, strings.SplitN(text, ":", 3)[:2]
		t.open = [2]bool{parts[0] == "", parts[1] == ""}
	}
	for i, part := range parts {
		n, err := strconv.ParseInt(part, 10, 32)
		if err != nil && !(t.kind == slice && t.open[i] && !t.open[1-i]) {
			return "[" + inside + "] is neither an index nor a slice"
		}
		t.numbers = append(t.numbers, int(n))
	}
	if len(parts) > 1 && t.kind == index {
		t.kind = indexes
	}
	p.add(t)
	return ""
}

// filter reads ?(…), which ends where all brackets outside of quotes are closed.
func (p *parser) filter(inside string) string {
	parens, brackets, quoted := 0, 0, false
	for i := range len(inside) {
		switch c := inside[i]; {
		case c == '\'':
			quoted = quoted == (i > 0 && inside[i-1] == '\\')
		case quoted:
		case c == '(':
			parens++
		case c == ')':
			parens--
		case c == '[':
			brackets++
		case c == ']':
			brackets--
		}
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(inside), "?")
	text = strings.TrimSpace(text)
	if !ok || quoted || parens != 0 || brackets != 0 || !strings.HasPrefix(text, "(") || !strings.HasSuffix(text, ")") {
		return "the brackets of the filter [" + inside + "] are not balanced"
	}
	test, reason := p.parseTest(text[1 : len(text)-1])
	if reason != "" {
		return reason
	}
	p.add(token{kind: filter, test: test})
	return ""
}
