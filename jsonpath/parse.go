package jsonpath

import (
	"strconv"
	"strings"
)

// Compile reads a path. It may begin with "$", with "@", or with a name, as in
// Jayway; who wants "$" only checks that before. The error is a [*SyntaxError].
func Compile(text string) (*Path, error) {
	return compile(text, 0)
}

func compile(text string, depth int) (*Path, error) {
	p := parser{text: strings.TrimSpace(text), depth: depth}
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

type parser struct {
	text   string
	pos    int
	depth  int // of filters inside of filters
	tokens []token
}

// parse fills in the tokens. It gives the reason why the text is no path.
func (p *parser) parse() string {
	if p.text == "" {
		return "it is empty"
	}
	switch c := p.text[0]; {
	case c == '$' || c == '@':
		p.pos = 1
		if p.pos < len(p.text) && p.text[p.pos] != '.' && p.text[p.pos] != '[' {
			return "after " + p.text[:1] + " comes . or ["
		}
	case c == '.' || c == '[':
	default:
		if reason := p.name(); reason != "" {
			return reason
		}
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

func (p *parser) step() string {
	if p.text[p.pos] == '[' {
		return p.bracket()
	}
	if p.text[p.pos] != '.' {
		return "unexpected " + strconv.Quote(p.text[p.pos:p.pos+1]) + " at position " + strconv.Itoa(p.pos)
	}
	p.pos++
	if p.pos < len(p.text) && p.text[p.pos] == '.' {
		p.pos++
		p.add(token{kind: scan})
	}
	switch {
	case p.pos == len(p.text):
		return "it ends with a ."
	case p.text[p.pos] == '[':
		return p.bracket()
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
	default:
		p.add(token{kind: property, names: []string{name}})
	}
	return ""
}

// bracket reads […].
func (p *parser) bracket() string {
	rest := p.text[p.pos+1:]
	trimmed := strings.TrimLeft(rest, " ")
	lead := len(rest) - len(trimmed)
	switch {
	case strings.HasPrefix(trimmed, "?"):
		return p.filter(p.pos + 1 + lead + 1)
	case strings.HasPrefix(trimmed, "'"):
		return p.quoted(p.pos + 1 + lead)
	}
	end := strings.IndexByte(rest, ']')
	if end < 0 {
		return "a ] is missing"
	}
	inside := strings.TrimSpace(rest[:end])
	p.pos += 1 + end + 1
	switch {
	case inside == "*":
		p.add(token{kind: wildcard})
		return ""
	case strings.HasPrefix(inside, "("):
		return p.fromEnd(inside)
	case strings.Contains(inside, ":"):
		return p.slice(inside)
	}
	return p.indexes(inside)
}

// quoted reads 'name','name'…]. What stands between the names is not looked at,
// as in Jayway.
func (p *parser) quoted(pos int) string {
	var names []string
	for pos < len(p.text) && p.text[pos] != ']' {
		if p.text[pos] != '\'' {
			pos++
			continue
		}
		end := strings.IndexByte(p.text[pos+1:], '\'')
		if end < 0 {
			end = strings.IndexByte(p.text[pos+1:], ']')
			if end < 0 || names == nil {
				return "a ' is missing"
			}
			pos += 1 + end // a stray quote
			continue
		}
		names = append(names, p.text[pos+1:pos+1+end])
		pos += end + 2
	}
	if pos >= len(p.text) {
		return "a ] is missing"
	}
	p.pos = pos + 1
	kind := property
	if len(names) > 1 {
		kind = properties
	}
	p.add(token{kind: kind, names: names})
	return ""
}

// fromEnd reads (@.length-n) or (@.size-n).
func (p *parser) fromEnd(inside string) string {
	text := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(inside, "("), ")"), " ", "")
	for _, function := range []string{"@.length-", "@.size-"} {
		if digits, ok := strings.CutPrefix(text, function); ok {
			n, err := strconv.Atoi(digits)
			if err != nil || n < 0 {
				return "a number is missing in " + inside
			}
			p.add(token{kind: index, numbers: []int{n}, back: true})
			return ""
		}
	}
	return "the function " + inside + " is not known; there are (@.length-n) and (@.size-n)"
}

func (p *parser) slice(inside string) string {
	parts := strings.Split(inside, ":")
	t := token{kind: slice, numbers: []int{0, 0}}
	for i := range t.numbers {
		part := strings.TrimSpace(parts[i])
		if part == "" {
			t.open[i] = true
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil {
			return "[" + inside + "] is no slice"
		}
		t.numbers[i] = n
	}
	if t.open[0] && t.open[1] {
		return "[" + inside + "] has no ends"
	}
	p.add(t)
	return ""
}

// indexes reads n,n… Of each number its leading digits count.
func (p *parser) indexes(inside string) string {
	t := token{kind: index}
	for part := range strings.SplitSeq(inside, ",") {
		part = strings.TrimSpace(part)
		digits := 0
		for digits < len(part) && (part[digits] >= '0' && part[digits] <= '9' || digits == 0 && part[digits] == '-') {
			digits++
		}
		n, err := strconv.ParseInt(part[:digits], 10, 32)
		if err != nil {
			return "[" + inside + "] is neither a name in single quotes nor an index"
		}
		t.numbers = append(t.numbers, int(n))
	}
	if len(t.numbers) > 1 {
		t.kind = indexes
	}
	p.add(t)
	return ""
}

// filter reads (…)] after [?.
func (p *parser) filter(pos int) string {
	start := pos
	parens, brackets := 0, 0
	quote, regex := false, false
	for ; pos < len(p.text); pos++ {
		c := p.text[pos]
		switch {
		case quote:
			quote = c != '\''
		case regex:
			regex = c != '/' || p.text[pos-1] == '\\'
		case c == '\'':
			quote = true
		case c == '/':
			regex = true
		case c == '(':
			parens++
		case c == ')':
			parens--
		case c == '[':
			brackets++
		case c == ']':
			if brackets == 0 {
				return p.condition(start, pos, parens)
			}
			brackets--
		}
	}
	return "the brackets of a filter are not balanced"
}

func (p *parser) condition(start, end, parens int) string {
	inside := strings.TrimSpace(p.text[start:end])
	if parens != 0 || !strings.HasPrefix(inside, "(") || !strings.HasSuffix(inside, ")") {
		return "the brackets of a filter are not balanced"
	}
	test, reason := parseTest(inside, p.depth+1)
	if reason != "" {
		return reason
	}
	p.pos = end + 1
	p.add(token{kind: filter, test: test})
	return ""
}
