package value

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxToken is how many bytes of a token a message shows.
const maxToken = 256

// JacksonMessage describes why a text is not JSON in the words of Jackson, the
// library that AWS parses JSON with and whose words its messages show. It is ""
// for a text that is JSON.
func JacksonMessage(text []byte) string {
	if len(strings.TrimSpace(string(text))) == 0 {
		return "No content to map due to end-of-input\n at " + jacksonSource(text, 0, false)
	}
	_, err := Decode(text)
	if err == nil {
		return ""
	}
	offset := len(text)
	if syntax, ok := err.(*SyntaxError); ok { //nolint:errorlint // Decode gives no other
		offset = int(syntax.Offset)
	}
	if offset >= len(text) {
		return "Unexpected end-of-input\n at " + jacksonSource(text, len(text), false)
	}
	start := offset
	for start > 0 && isWord(text[start-1]) {
		start--
	}
	if isWord(text[start]) && !isDigit(text[start]) {
		end := start
		for end < len(text) && isWord(text[end]) {
			end++
		}
		token := string(text[start:end])
		if len(token) > maxToken {
			token = strings.ToValidUTF8(token[:maxToken], "") + "..."
		}
		return fmt.Sprintf("Unrecognized token '%s': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at %s",
			token, jacksonSource(text, end, true))
	}
	c, _ := utf8.DecodeRune(text[offset:])
	return fmt.Sprintf("Unexpected character ('%c' (code %d)): %s\n at %s", c, c, expected(text, offset), jacksonSource(text, offset+1, true))
}

// expected says what Jackson would have liked instead of the character at an
// offset, by what stands before it.
func expected(text []byte, offset int) string {
	before := strings.TrimRight(string(text[:offset]), " \t\r\n")
	switch {
	case strings.HasSuffix(before, "{"):
		return "was expecting double-quote to start field name"
	case strings.HasSuffix(before, ","), strings.HasSuffix(before, ":"), strings.HasSuffix(before, "["), before == "":
		return "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
	case strings.HasSuffix(before, `"`):
		return "was expecting a colon to separate field name and value"
	}
	return "was expecting comma to separate Object entries"
}

func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || c >= utf8.RuneSelf
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// jacksonSource is how Jackson names a place of a text: the text, cut after 500
// characters, the line, and the column of the character that was read last.
func jacksonSource(text []byte, offset int, inside bool) string {
	shown, cut := string(text), ""
	if n := utf8.RuneCountInString(shown); n > 500 {
		shown, cut = string([]rune(shown)[:500]), fmt.Sprintf("[truncated %d chars]", n-500)
	}
	at := PositionAt(text, offset)
	if !inside {
		at.Column++
	}
	return fmt.Sprintf(`[Source: (String)"%s"%s; line: %d, column: %d]`, shown, cut, at.Line, at.Column)
}
