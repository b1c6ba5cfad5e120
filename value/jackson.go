package value

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// # Jackson's words
//
// AWS parses JSON with Jackson, and shows Jackson's messages, with line and column, in the exception InvalidExecutionInput and in the diagnostic INVALID_JSON_DESCRIPTION. Programs and their
// tests know these texts, so this file makes them.
//
// Whether a text is JSON is not decided here: Decode does that, and only a text that
// it has refused is looked at again. The scan below does what Jackson's parser of strings (ReaderBasedJsonParser of 2.14) does: what it looks at first, and where it is when it complains, decide the message and the column. In outline:
//
// - document reads tokens with a stack of what is open, because Jackson does not
//   recurse either.
// - Before a value, entry reads the comma, and in an object the name and the colon.
// - quoted, match, number and odd read the value; odd is what can begin no value,
//   among them NaN and +1, which Jackson knows and refuses by name.
// - trailing is what the databind layer says of a second value behind the first.
//
// Columns count UTF-16 units from 1, so the text is scanned as units. A message shows
// at most 500 of them, and none of a text that is longer than 32,768, which Jackson
// reads as a stream. Control characters are shown as escapes. If the scan finds
// nothing wrong, Jackson would take the text, and Decode's own words are shown.

// JacksonMessage describes why a text is not JSON in the words of Jackson, the
// library that AWS parses JSON with and whose words its messages show. It returns ""
// for a text that is JSON. The words and places are those of Jackson 2.14, recorded
// in testdata/jackson.jsonl.
func JacksonMessage(text []byte) string {
	_, err := DecodeString(string(text))
	if err == nil {
		return ""
	}
	s := jackson{text: UTF16(string(text))}
	switch {
	case len(strings.Trim(string(text), " \t\r\n")) == 0:
		return "No content to map due to end-of-input\n at " + s.source(1, 0)
	case errors.Is(err, ErrTooDeep):
		return fmt.Sprintf("Document nesting depth (%d) exceeds the maximum allowed (%d, from `StreamReadConstraints.getMaxNestingDepth()`)", MaxDepth+1, MaxDepth)
	}
	s.document()
	if !s.failed() { // it is one document, and more
		s.trailing()
	}
	if !s.failed() { // Jackson takes it
		s.fail("%v", err)
	}
	return s.message
}

// jackson scans a text as Jackson's parser of strings does, up to the first
// thing that it does not like. Its texts are UTF-16.
type jackson struct {
	text     []uint16
	at       int // the next unit
	row      int // lines before
	rowStart int
	open     []opening // arrays and objects
	message  string    // set by the first complaint; all stops then
}

// opening is where an array or object began.
type opening struct {
	object      bool
	row, column int
}

// end stands for the end of the text.
const end = -1

const (
	jacksonValue = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
	// maxToken is how many units of a token a message shows, maxSource of a text.
	maxToken  = 256
	maxSource = 500
	// maxString is the length from which Jackson reads a text as a stream.
	maxString = 0x8000
)

// failed reports whether there is a message: everything returns then.
func (s *jackson) failed() bool { return s.message != "" }

// fail makes the message, at the unit read last.
func (s *jackson) fail(format string, args ...any) {
	if s.message == "" {
		s.message = fmt.Sprintf(format, args...) + "\n at " + s.source(s.row+1, s.at-s.rowStart+1)
		s.at = len(s.text)
	}
}

// source names a place of the text.
func (s *jackson) source(line, column int) string {
	if len(s.text) > maxString {
		return fmt.Sprintf("[Source: (StringReader); line: %d, column: %d]", line, column)
	}
	shown, cut := s.text, ""
	if n := len(shown) - maxSource; n > 0 {
		shown, cut = shown[:maxSource], fmt.Sprintf("[truncated %d chars]", n)
	}
	var b []byte
	for _, c := range shown {
		if unicode.IsControl(rune(c)) && c != '\r' && c != '\n' {
			b = fmt.Appendf(b, "\\u%04X", c)
			continue
		}
		b = AppendRune(b, rune(c))
	}
	return fmt.Sprintf(`[Source: (String)"%s"%s; line: %d, column: %d]`, Joined(string(b)), cut, line, column)
}

// unexpected complains of a unit, with what was expected instead.
func (s *jackson) unexpected(c int, comment string) {
	s.fail("Unexpected character (%s): %s", charDesc(c), comment)
}

// charDesc is how a message shows a unit.
func charDesc(c int) string {
	switch {
	case c < 0x20 || c >= 0x7F && c < 0xA0:
		return fmt.Sprintf("(CTRL-CHAR, code %d)", c)
	case utf16.IsSurrogate(rune(c)):
		return fmt.Sprintf("'?' (code %d / 0x%x)", c, c)
	case c > 255:
		return fmt.Sprintf("'%c' (code %d / 0x%x)", c, c, c)
	}
	return fmt.Sprintf("'%c' (code %d)", c, c)
}

// next reads a unit, or returns end.
func (s *jackson) next() int {
	if s.at >= len(s.text) {
		return end
	}
	s.at++
	return int(s.text[s.at-1])
}

// peek returns the next unit without reading it, or end.
func (s *jackson) peek() int {
	if s.at >= len(s.text) {
		return end
	}
	return int(s.text[s.at])
}

// blanks passes over white space and returns the unit after it. A carriage return and
// a line feed are one line.
func (s *jackson) blanks() int {
	for {
		c := s.next()
		switch {
		case c == '\r':
			if s.peek() == '\n' {
				s.at++
			}
			s.row, s.rowStart = s.row+1, s.at
		case c == '\n':
			s.row, s.rowStart = s.row+1, s.at
		case c == ' ' || c == '\t':
		case c == '/':
			s.unexpected(c, "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)")
			return end
		case c >= 0 && c < ' ':
			s.fail(`Illegal character (%s): only regular white space (\r, \n, \t) is allowed between tokens`, charDesc(c))
			return end
		default:
			return c
		}
	}
}

// kind is what messages call the innermost thing that is open.
func (s *jackson) kind() string {
	switch {
	case len(s.open) == 0:
		return "root"
	case s.open[len(s.open)-1].object:
		return "Object"
	}
	return "Array"
}

// document scans one value. It does not recurse: there is no bound on depth.
func (s *jackson) document() {
	first := true // no comma is expected
	for {
		c := s.blanks()
		if s.failed() {
			return
		}
		switch {
		case c == end:
			o := s.open[len(s.open)-1]
			s.fail("Unexpected end-of-input: expected close marker for %s (start marker at %s)", s.kind(), s.source(o.row, o.column))
			return
		case c == ']' || c == '}':
			s.close(c)
		default:
			first = s.entry(c, first)
		}
		if s.failed() || len(s.open) == 0 {
			return
		}
		if c == ']' || c == '}' {
			first = false
		}
	}
}

// close ends an array or object.
func (s *jackson) close(c int) {
	expected := map[string]rune{"root": ']', "Object": '}', "Array": ']'}[s.kind()]
	if s.kind() == "root" && c == ']' {
		expected = '}'
	}
	if rune(c) == expected {
		s.open = s.open[:len(s.open)-1]
		return
	}
	at := opening{row: 1}
	if len(s.open) > 0 {
		at = s.open[len(s.open)-1]
	}
	s.fail("Unexpected close marker '%c': expected '%c' (for %s starting at %s)", c, expected, s.kind(), s.source(at.row, at.column))
}

// entry scans a value, with the comma and the name before it. It reports
// whether the value is an array or object that was opened.
func (s *jackson) entry(c int, first bool) (opened bool) {
	if !first && len(s.open) > 0 {
		if c = s.comma(c); s.failed() {
			return false
		}
	}
	if s.kind() == "Object" {
		if c != '"' {
			s.unexpected(c, "was expecting double-quote to start field name")
			return false
		}
		if s.quoted("name", " in field name"); s.failed() {
			return false
		}
		if c = s.colon(); s.failed() {
			return false
		}
	}
	return s.value(c)
}

// comma reads the comma that c must be, and returns the unit that begins the next
// entry.
func (s *jackson) comma(c int) int {
	if c != ',' {
		s.unexpected(c, "was expecting comma to separate "+s.kind()+" entries")
		return end
	}
	if c = s.blanks(); c == end {
		s.fail("Unexpected end-of-input within/between %s entries", s.kind())
	}
	return c
}

// colon reads the colon behind a name, and returns the unit that begins the value.
func (s *jackson) colon() int {
	c := s.blanks()
	if c != ':' && c != end {
		s.unexpected(c, "was expecting a colon to separate field name and value")
		return end
	}
	if c == ':' {
		c = s.blanks()
	}
	if c == end {
		s.fail("Unexpected end-of-input within/between Object entries")
	}
	return c
}

// value scans a value that begins with c. It reports whether that opened an array or
// object, whose inside document scans.
func (s *jackson) value(c int) (opened bool) {
	switch c {
	case '"':
		s.quoted("string value", ": was expecting closing quote for a string value")
	case '[', '{':
		s.open = append(s.open, opening{c == '{', s.row + 1, s.at - s.rowStart})
		return true
	case 't':
		s.match("true", 1)
	case 'f':
		s.match("false", 1)
	case 'n':
		s.match("null", 1)
	case '-':
		s.negative()
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		s.number(s.at - 1)
	default:
		s.odd(c)
	}
	return false
}

// quoted scans the rest of a string.
func (s *jackson) quoted(what, atEnd string) {
	for {
		switch c := s.next(); {
		case c == end:
			s.fail("Unexpected end-of-input%s", atEnd)
			return
		case c == '"':
			return
		case c == '\\':
			s.escape()
		case c < ' ':
			s.fail("Illegal unquoted character (%s): has to be escaped using backslash to be included in %s", charDesc(c), what)
			return
		}
		if s.failed() {
			return
		}
	}
}

// escape scans what is behind a backslash.
func (s *jackson) escape() {
	c := s.next()
	switch {
	case c == end:
		s.fail("Unexpected end-of-input in character escape sequence")
	case c == 'u':
		for range 4 {
			c := s.next()
			if c == end {
				s.fail("Unexpected end-of-input in character escape sequence")
				return
			}
			if !isHex(c) {
				s.unexpected(c, "expected a hex-digit for character escape sequence")
				return
			}
		}
	case c > 0x7F || !strings.ContainsRune(`"\/bfnrt`, rune(c)):
		s.fail("Unrecognized character escape %s", charDesc(c))
	}
}

func isHex(c int) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// match scans the rest of a token of which n units were read.
func (s *jackson) match(token string, n int) {
	for ; n < len(token); n++ {
		if s.peek() != int(token[n]) {
			s.invalidToken(token[:n])
			return
		}
		s.at++
	}
	if c := s.peek(); c >= '0' && c != ']' && c != '}' && isIdentifier(c, true) {
		s.invalidToken(token)
	}
}

// invalidToken complains of a token that begins with what was read of it.
func (s *jackson) invalidToken(read string) {
	token := utf16.Encode([]rune(read))
	for isIdentifier(s.peek(), true) {
		token = append(token, uint16(s.next()))
		if len(token) >= maxToken {
			token = append(token, '.', '.', '.')
			break
		}
	}
	s.fail("Unrecognized token '%s': was expecting %s", OfUTF16(token), jacksonValue)
}

// isIdentifier is Java's isJavaIdentifierPart, or isJavaIdentifierStart.
func isIdentifier(c int, part bool) bool {
	r := rune(c)
	if c == end || utf16.IsSurrogate(r) {
		return false
	}
	if unicode.In(r, unicode.L, unicode.Nl, unicode.Sc, unicode.Pc) {
		return true
	}
	return part && (unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc, unicode.Cf) || r <= 8 || r >= 0x0E && r <= 0x1B || r >= 0x7F && r <= 0x9F)
}

// odd complains of what begins no value.
func (s *jackson) odd(c int) {
	const nonStandard = "Non-standard token '%s': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
	switch c {
	case 'N':
		s.match("NaN", 1)
		s.fail(nonStandard, "NaN")
	case 'I':
		s.match("Infinity", 1)
		s.fail(nonStandard, "Infinity")
	case '+':
		if c = s.next(); c == end {
			s.fail("Unexpected end-of-input in a Number value")
			return
		}
		s.numberStart(c, false)
	}
	if c == '}' && s.kind() == "Array" {
		s.unexpected(c, "expected a value")
	}
	if isIdentifier(c, false) {
		s.invalidToken(string(rune(c)))
	}
	s.unexpected(c, "expected a valid value "+jacksonValue)
}

// numberStart complains of what follows a sign and is no digit.
func (s *jackson) numberStart(c int, negative bool) {
	sign, comment := "+", "JSON spec does not allow numbers to have plus signs: enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow"
	if negative {
		sign, comment = "-", "expected digit (0-9) to follow minus sign, for valid numeric value"
	}
	if c == 'I' {
		switch c = s.next(); c {
		case end:
			s.fail("Unexpected end-of-input in a Number value")
		case 'N':
			s.match(sign+"INF", 3)
			s.fail("Non-standard token '%sINF': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow", sign)
		case 'n':
			s.match(sign+"Infinity", 3)
			s.fail("Non-standard token '%sInfinity': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow", sign)
		}
	}
	if !negative {
		c = '+'
	}
	s.badNumber(c, comment)
}

// badNumber complains of a unit inside of a number.
func (s *jackson) badNumber(c int, comment string) {
	s.fail("Unexpected character (%s) in numeric value: %s", charDesc(c), comment)
}

func isDigit(c int) bool { return c >= '0' && c <= '9' }

// negative scans a number behind its minus. -. is what begins no value, as in
// Jackson.
func (s *jackson) negative() {
	start := s.at - 1
	c := s.next()
	switch {
	case c == end:
		s.fail("Unexpected end-of-inputNo digit following minus sign")
	case c == '.':
		s.odd(c)
	case !isDigit(c):
		s.numberStart(c, true)
	default:
		s.number(start + 1)
	}
}

// number scans a number whose digits begin at a unit. A complaint about the
// fraction or exponent names the place after the point or the e, unless the
// number begins with 0 or reaches the end of the text: Jackson has a slower way
// for those, which stops behind what is wrong.
func (s *jackson) number(first int) {
	s.at = first
	c := s.next()
	slow := c == '0'
	if slow && isDigit(s.peek()) {
		s.fail("Invalid numeric value: Leading zeroes not allowed")
		return
	}
	for isDigit(c) {
		c = s.next()
	}
	place := s.at // behind the point or the e
	complain := func(c int, comment string) {
		if !slow && c != end {
			s.at = place
		}
		s.badNumber(c, comment)
	}
	if c == '.' {
		before := s.at
		c = s.digits()
		switch {
		case c == end && s.at == before:
			complain('.', "Decimal point not followed by a digit")
		case c != end && s.at == before+1:
			complain(c, "Decimal point not followed by a digit")
		}
	}
	if c == 'e' || c == 'E' {
		c = s.exponent(complain)
	}
	if s.failed() || c == end {
		return
	}
	s.at--
	if len(s.open) == 0 && !strings.ContainsRune(" \t\r\n", rune(c)) {
		s.at++
		s.unexpected(c, "Expected space separating root-level values")
	}
}

// digits passes over digits and returns the unit after them.
func (s *jackson) digits() int {
	for {
		if c := s.next(); !isDigit(c) {
			return c
		}
	}
}

// exponent scans what is behind the e, and returns the unit after it.
func (s *jackson) exponent(complain func(int, string)) int {
	c := s.next()
	if c == '+' || c == '-' {
		c = s.next()
	}
	switch {
	case c == end:
		s.fail("Unexpected end-of-inputexpected a digit for number exponent")
		return end
	case !isDigit(c):
		complain(c, "Exponent indicator not followed by a digit")
		return end
	}
	return s.digits()
}

// tokens are the names of what begins with a unit.
var tokens = map[int]string{
	'{': "START_OBJECT", '[': "START_ARRAY", '"': "VALUE_STRING", 't': "VALUE_TRUE", 'f': "VALUE_FALSE", 'n': "VALUE_NULL",
	']': "END_ARRAY", '}': "END_OBJECT",
}

// trailing complains of what follows the document.
func (s *jackson) trailing() {
	c := s.blanks()
	if c == end {
		return
	}
	if c != ']' && c != '}' {
		s.value(c)
	}
	token := tokens[c]
	if token == "" {
		token = "VALUE_NUMBER_INT"
	}
	s.fail("Trailing token (of type %s) found after value (bound as `com.fasterxml.jackson.databind.JsonNode`): "+
		"not allowed as per `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`", token)
}
