package value

import (
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// # Texts with half of a character
//
// JSON's strings are made of UTF-16 units, as Java's and JavaScript's are, and may
// hold one half of a surrogate pair without the other: "\ud83d". AWS keeps such
// halves, and the functions of JSONata make them, by cutting a character in two. Go's
// strings are bytes, which should be UTF-8, and UTF-8 has no form for a half.
//
// The strings of this package are UTF-8 but for halves, each of which is the three
// bytes that UTF-8 would have for it (WTF-8, https://simonsapin.github.io/wtf-8/). A
// half begins with the byte 0xED and goes on with one from 0xA0 to 0xBF, which no
// character does, so texts without halves, nearly all, are recognized by one search
// for 0xED and are treated as Go's strings everywhere else.
//
// The rules that follow:
//
//   - Two halves that come to stand side by side are a character again. Whoever joins
//     strings passes the result through [Joined]; so "\ud83d" & "\ude00" is 😀 and
//     compares equal to it.
//   - [DecodeRune], [Runes] and [RuneCount] take a half as one character, a rune from
//     U+D800 to U+DFFF. Go's range loop and utf8 do not know halves, and see three
//     errors.
//   - JSON is written with the escape of a half, and read with it (halves.go). Java's
//     getBytes makes a question mark of it: [JavaBytes], for digests and Base64.
//   - To find a half inside of a whole character, both texts are taken apart first:
//     [Halved].
//   - Java and JavaScript order strings by units, so that U+FF5E comes after 😀
//     (0xD83D): [CompareUTF16]. UTF-8 would order them by code point.
const (
	halfLead = 0xED // of any character from U+D000
	halfNext = 0xA0 // and of one from U+D800
	halfSize = 3
)

// nextHalf returns where the first half of a pair is in s at or behind from, -1 for
// nowhere.
func nextHalf(s string, from int) int {
	for at := from; ; {
		i := strings.IndexByte(s[at:], halfLead)
		if i < 0 {
			return -1
		}
		if at += i; isHalf(s, at) {
			return at
		}
		at++
	}
}

// isHalf reports whether half of a pair is at a place.
func isHalf(s string, at int) bool {
	return at+2 < len(s) && s[at] == halfLead && s[at+1] >= halfNext && s[at+1] < 0xC0 && s[at+2]&0xC0 == 0x80
}

// half returns the half at a place, for which isHalf is true.
func half(s string, at int) rune {
	return 0xD000 | rune(s[at+1]&0x3F)<<6 | rune(s[at+2]&0x3F)
}

// HasHalves reports whether s holds a half of a surrogate pair.
func HasHalves(s string) bool { return nextHalf(s, 0) >= 0 }

// AppendRune appends a character, or half of one, to a text. It does not join
// halves: see [Joined].
func AppendRune(dst []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(dst, halfLead, 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
	}
	return utf8.AppendRune(dst, r)
}

// DecodeRune is [utf8.DecodeRuneInString] that returns halves, too.
func DecodeRune(s string) (r rune, size int) {
	if isHalf(s, 0) {
		return half(s, 0), halfSize
	}
	return utf8.DecodeRuneInString(s)
}

// DecodeLastRune is [utf8.DecodeLastRuneInString] that returns halves, too.
func DecodeLastRune(s string) (r rune, size int) {
	if at := len(s) - halfSize; at >= 0 && isHalf(s, at) {
		return half(s, at), halfSize
	}
	return utf8.DecodeLastRuneInString(s)
}

// Joined returns s in which halves that are side by side are one character. Whoever
// joins strings passes the result through it.
func Joined(s string) string {
	at := nextHalf(s, 0)
	if at < 0 {
		return s
	}
	var dst []byte
	done := 0
	for at >= 0 {
		next := at + halfSize
		if isHalf(s, next) {
			if r := utf16.DecodeRune(half(s, at), half(s, next)); r != utf8.RuneError {
				next += halfSize
				dst = utf8.AppendRune(append(dst, s[done:at]...), r)
				done = next
			}
		}
		at = nextHalf(s, next)
	}
	if done == 0 {
		return s
	}
	return string(append(dst, s[done:]...))
}

// Runes returns the characters of s, halves as such.
func Runes(s string) []rune {
	if !HasHalves(s) {
		return []rune(s)
	}
	runes := make([]rune, 0, len(s))
	for i := 0; i < len(s); {
		r, size := DecodeRune(s[i:])
		runes = append(runes, r)
		i += size
	}
	return runes
}

// OfRune makes a string of one character, or half of one.
func OfRune(r rune) string { return string(AppendRune(nil, r)) }

// OfRunes makes a string of characters and halves.
func OfRunes(runes []rune) string {
	if !slices.ContainsFunc(runes, utf16.IsSurrogate) {
		return string(runes)
	}
	var dst []byte
	for _, r := range runes {
		dst = AppendRune(dst, r)
	}
	return Joined(string(dst))
}

// RuneCount is the number of characters of s; a half counts as one.
func RuneCount(s string) int {
	n := utf8.RuneCountInString(s)
	for at := nextHalf(s, 0); at >= 0; at = nextHalf(s, at+halfSize) {
		n -= halfSize - 1 // no UTF-8: each byte was counted
	}
	return n
}

// UTF16 returns the UTF-16 units of s.
func UTF16(s string) []uint16 {
	if !HasHalves(s) {
		return utf16.Encode([]rune(s))
	}
	var units []uint16
	for i := 0; i < len(s); {
		r, size := DecodeRune(s[i:])
		if utf16.IsSurrogate(r) {
			units = append(units, uint16(r))
		} else {
			units = utf16.AppendRune(units, r)
		}
		i += size
	}
	return units
}

// OfUTF16 makes a string of UTF-16 units.
func OfUTF16(units []uint16) string {
	dst := make([]byte, 0, len(units))
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if i+1 < len(units) {
			if whole := utf16.DecodeRune(r, rune(units[i+1])); whole != utf8.RuneError {
				r = whole
				i++
			}
		}
		dst = AppendRune(dst, r)
	}
	return string(dst)
}

// UTF16Len is the number of UTF-16 units of s: its length in Java and JavaScript.
func UTF16Len(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < utf8.RuneSelf:
			n++
		default:
			r, size := DecodeRune(s[i:])
			if n++; r > 0xFFFF {
				n++
			}
			i += size - 1
		}
	}
	return n
}

// CompareUTF16 orders strings by UTF-16 units, as Java and JavaScript do: negative,
// zero or positive.
func CompareUTF16(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	switch {
	case i == len(a) || i == len(b):
		return len(a) - len(b)
	case a[i] < utf8.RuneSelf && b[i] < utf8.RuneSelf:
		return int(a[i]) - int(b[i])
	}
	start := i
	for start > 0 && !utf8.RuneStart(a[start]) {
		start--
	}
	x, y := firstUnits(a[start:]), firstUnits(b[start:])
	for j := range x {
		if x[j] != y[j] {
			return int(x[j] - y[j])
		}
	}
	return int(a[i]) - int(b[i])
}

// firstUnits returns the UTF-16 units of the first two characters of s, and -1 where
// there are none. A half and the pair that begins with it differ in the second.
func firstUnits(s string) (units [4]rune) {
	units = [4]rune{-1, -1, -1, -1}
	for n := 0; s != "" && n < 3; n++ {
		r, size := DecodeRune(s)
		if units[n] = r; r > 0xFFFF {
			units[n], units[n+1] = utf16.EncodeRune(r)
			n++
		}
		s = s[size:]
	}
	return units
}

// JavaBytes is s as Java's getBytes encodes it in UTF-8: halves are question marks.
func JavaBytes(s string) []byte {
	at := nextHalf(s, 0)
	if at < 0 {
		return []byte(s)
	}
	var dst []byte
	done := 0
	for ; at >= 0; at = nextHalf(s, done) {
		dst = append(append(dst, s[done:at]...), '?')
		done = at + halfSize
	}
	return append(dst, s[done:]...)
}

// EscapeHalves returns a text of JSON in which halves are themselves, with the
// escapes that JSON has for them.
func EscapeHalves(text string) string {
	at := nextHalf(text, 0)
	if at < 0 {
		return text
	}
	var dst []byte
	done := 0
	for ; at >= 0; at = nextHalf(text, done) {
		dst = appendHalf(append(dst, text[done:at]...), half(text, at))
		done = at + halfSize
	}
	return string(append(dst, text[done:]...))
}

// appendHalf writes the escape of a half, in small letters as JSON.stringify does.
func appendHalf(dst []byte, r rune) []byte {
	const small = "0123456789abcdef"
	return append(dst, '\\', 'u', small[r>>12], small[r>>8&0xF], small[r>>4&0xF], small[r&0xF])
}

// Valid reports whether s is UTF-8 but for halves.
func Valid(s string) bool {
	if utf8.ValidString(s) {
		return true
	}
	done := 0
	for at := nextHalf(s, 0); at >= 0; at = nextHalf(s, done) {
		if !utf8.ValidString(s[done:at]) {
			return false
		}
		done = at + halfSize
	}
	return utf8.ValidString(s[done:])
}

// BetweenHalves returns s with each part between halves replaced by what change
// returns for it.
func BetweenHalves(s string, change func(part string) string) string {
	at := nextHalf(s, 0)
	if at < 0 {
		return change(s)
	}
	var dst []byte
	done := 0
	for ; at >= 0; at = nextHalf(s, done) {
		dst = append(append(dst, change(s[done:at])...), s[at:at+halfSize]...)
		done = at + halfSize
	}
	return string(append(dst, change(s[done:])...))
}

// Halved returns s in which each character of two UTF-16 units is two halves, so that
// a half is found in it. The result is no valid string of this package until it is
// [Joined].
func Halved(s string) string {
	at := strings.IndexFunc(s, func(r rune) bool { return r > 0xFFFF })
	if at < 0 {
		return s
	}
	dst := append([]byte(nil), s[:at]...)
	for i := at; i < len(s); {
		r, size := DecodeRune(s[i:])
		if r > 0xFFFF {
			high, low := utf16.EncodeRune(r)
			dst = AppendRune(AppendRune(dst, high), low)
		} else {
			dst = append(dst, s[i:i+size]...)
		}
		i += size
	}
	return string(dst)
}

// OfBytes is the text that bytes are in UTF-8, in which each piece that is none
// becomes U+FFFD as the Encoding Standard, Java and JavaScript have it: a character
// that is cut is one piece, any other byte one of its own.
func OfBytes(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	dst := make([]byte, 0, len(b)+8)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			size = cutSize(b)
		}
		dst = utf8.AppendRune(dst, r)
		b = b[size:]
	}
	return string(dst)
}

// cutSize is the length of the longest beginning of b that could begin a character,
// at least 1.
func cutSize(b []byte) int {
	size := 1
	for ; size < utf8.UTFMax && size <= len(b); size++ {
		if utf8.FullRune(b[:size]) {
			break // with a character that is none
		}
	}
	return max(size-1, 1)
}
