package jsonata

import (
	"math"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/value"
)

// The lexer cuts an expression into tokens on demand, because the language has two
// meanings for a slash: the parser alone knows whether an operand may begin, and then
// it is a regular expression. Positions are the offsets in bytes at which tokens end;
// errors are turned into characters when they leave the package, where the reference
// implementation counts UTF-16 units. A name is whatever stands between blanks and
// operators, so that names in any script need no table.

// tokenKind says what a token is.
type tokenKind uint8

const (
	endToken tokenKind = iota
	nameToken
	variableToken
	operatorToken
	stringToken
	numberToken
	valueToken // true, false, null
	regexToken
)

// lexeme is a token of an expression.
type lexeme struct {
	kind  tokenKind
	text  string // a name, an operator, a string, the source of a regular expression
	flags string // of a regular expression
	value value.Value
	at    int // the end of the token, in bytes
}

// lexer cuts an expression into tokens.
type lexer struct {
	text       string
	at         int
	coalescing bool
}

// operators that consist of two characters, and those that consist of one.
var (
	longOperators = []string{"..", ":=", "!=", ">=", "<=", "**", "~>"}
	operatorChars = ".[]{}(),@#;:?+-*/%|=<>^&!~"
)

// blanks are the characters that the reference implementation takes for white space;
// a form feed is not among them.
const blanks = " \t\n\r\v"

// next returns the next token. Where an operand is expected, a slash begins a regular
// expression.
func (l *lexer) next(operand bool) lexeme {
	l.skip()
	if l.at >= len(l.text) {
		return lexeme{kind: endToken, at: l.at}
	}
	c := l.text[l.at]
	if operand && c == '/' {
		l.at++
		return l.regex()
	}
	if op := l.operator(c); op != "" {
		l.at += len(op)
		return lexeme{kind: operatorToken, text: op, at: l.at}
	}
	switch {
	case c == '"' || c == '\'':
		return l.quoted(c)
	case c == '`':
		end := strings.IndexByte(l.text[l.at+1:], '`')
		if end < 0 {
			l.fail("S0105", "", len(l.text))
		}
		name := l.text[l.at+1 : l.at+1+end]
		l.at += end + 2
		return lexeme{kind: nameToken, text: name, at: l.at}
	case c >= '0' && c <= '9':
		return l.number()
	}
	return l.name()
}

// fail throws an error at a byte of the expression.
func (l *lexer) fail(code, token string, at int) {
	e := newError(code)
	e.Token, e.Position = token, at
	panic(e)
}

// skip passes over white space and comments.
func (l *lexer) skip() {
	for l.at < len(l.text) {
		switch {
		case strings.IndexByte(blanks, l.text[l.at]) >= 0:
			l.at++
		case strings.HasPrefix(l.text[l.at:], "/*"):
			end := strings.Index(l.text[l.at+2:], "*/")
			if end < 0 {
				l.fail("S0106", "", l.at)
			}
			l.at += end + 4
		default:
			return
		}
	}
}

// operator returns the operator at the current place, the longest that fits, "" for
// none.
func (l *lexer) operator(c byte) string {
	rest := l.text[l.at:]
	for _, op := range longOperators {
		if strings.HasPrefix(rest, op) {
			return op
		}
	}
	if l.coalescing && (strings.HasPrefix(rest, "?:") || strings.HasPrefix(rest, "??")) {
		return rest[:2]
	}
	if strings.IndexByte(operatorChars, c) >= 0 {
		return rest[:1]
	}
	return ""
}

// escapes are those of JSON; \u is read by escape.
var escapes = map[byte]string{
	'"': "\"", '\\': "\\", '/': "/", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t",
}

// quoted reads a string in either kind of quotes. Two escapes that are the halves of
// one character become that character.
func (l *lexer) quoted(quote byte) lexeme {
	var b strings.Builder
	for l.at++; l.at < len(l.text); l.at++ {
		c := l.text[l.at]
		switch c {
		case quote:
			l.at++
			return lexeme{kind: stringToken, text: value.Joined(b.String()), at: l.at}
		case '\\':
			l.at++
			l.escape(&b)
		default:
			b.WriteByte(c)
		}
	}
	l.fail("S0101", "", l.at)
	return lexeme{}
}

// escape reads what follows a backslash.
func (l *lexer) escape(b *strings.Builder) {
	if l.at >= len(l.text) {
		l.fail("S0103", "", l.at) // nothing is no escape, either
	}
	c := l.text[l.at]
	if text, ok := escapes[c]; ok {
		b.WriteString(text)
		return
	}
	if c != 'u' {
		_, size := value.DecodeRune(l.text[l.at:])
		l.fail("S0103", l.text[l.at:l.at+size], l.at)
	}
	unit := l.hex(l.at + 1)
	l.at += 4
	b.Write(value.AppendRune(nil, rune(unit)))
}

// hex reads the four digits of \u. At the end of the text too few digits count as a
// missing quote, as in the reference.
func (l *lexer) hex(at int) uint64 {
	if rest := l.text[at:]; rest != "" && len(rest) < 4 && strings.Trim(rest, "0123456789abcdefABCDEF") == "" {
		l.fail("S0101", "", len(l.text))
	}
	if at+4 <= len(l.text) {
		if n, err := strconv.ParseUint(l.text[at:at+4], 16, 16); err == nil {
			return n
		}
	}
	l.fail("S0104", "", l.at)
	return 0
}

// number reads a number as JSON writes it, without its sign. What cannot belong to
// it, such as the second point of 1..3, is left. A whole number that fits is kept
// exactly, for the dialect of Step Functions computes with it.
func (l *lexer) number() lexeme {
	start := l.at
	text := l.text
	digits := func() bool {
		from := l.at
		for l.at < len(text) && text[l.at] >= '0' && text[l.at] <= '9' {
			l.at++
		}
		return l.at > from
	}
	if text[l.at] == '0' {
		l.at++
	} else {
		digits()
	}
	// A point without a digit behind it is not the number's: 1..3 is a range.
	if back := l.at; l.at < len(text) && text[l.at] == '.' {
		l.at++
		if !digits() {
			l.at = back
		}
	}
	if back := l.at; l.at < len(text) && (text[l.at] == 'e' || text[l.at] == 'E') {
		l.at++
		if l.at < len(text) && (text[l.at] == '+' || text[l.at] == '-') {
			l.at++
		}
		if !digits() {
			l.at = back
		}
	}
	literal := text[start:l.at]
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil || math.IsInf(f, 0) {
		l.fail("S0102", literal, start)
	}
	v := value.Float(f)
	if i, err := strconv.ParseInt(literal, 10, 64); err == nil {
		v = value.Int(i)
	}
	return lexeme{kind: numberToken, text: literal, value: v, at: l.at}
}

// name reads a name, a variable, a word that is an operator or a value.
func (l *lexer) name() lexeme {
	start := l.at
	for l.at < len(l.text) {
		c := l.text[l.at]
		if strings.IndexByte(blanks, c) >= 0 || strings.IndexByte(operatorChars, c) >= 0 {
			break
		}
		l.at++
	}
	word := l.text[start:l.at]
	switch {
	case word[0] == '$':
		return lexeme{kind: variableToken, text: word[1:], at: l.at}
	case word == "or" || word == "in" || word == "and":
		return lexeme{kind: operatorToken, text: word, at: l.at}
	case word == "true", word == "false":
		return lexeme{kind: valueToken, text: word, value: value.Of(word == "true"), at: l.at}
	case word == "null":
		return lexeme{kind: valueToken, text: word, value: value.NullValue, at: l.at}
	}
	return lexeme{kind: nameToken, text: word, at: l.at}
}

// regex reads a regular expression after its first slash.
func (l *lexer) regex() lexeme {
	start, depth := l.at, 0
	for ; l.at < len(l.text); l.at++ {
		c := l.text[l.at]
		escaped := l.text[l.at-1] == '\\' && (l.at < 2 || l.text[l.at-2] != '\\')
		if escaped {
			continue
		}
		switch c {
		case '/':
			if depth > 0 {
				continue
			}
			pattern := l.text[start:l.at]
			if pattern == "" {
				l.fail("S0301", "", l.at)
			}
			l.at++
			from := l.at
			for l.at < len(l.text) && (l.text[l.at] == 'i' || l.text[l.at] == 'm') {
				l.at++
			}
			return lexeme{kind: regexToken, text: pattern, flags: l.text[from:l.at], at: l.at}
		// A slash inside of brackets does not end the expression, as in the reference.
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
	}
	l.fail("S0302", "", l.at)
	return lexeme{}
}
