package value

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// The library that reads JSON refuses an escape of half a surrogate pair. It is
// given a copy of such a text in which other escapes of the same length stand for
// them, and each string with one is read again from the text itself.

// escapeSize is the length of \uXXXX.
const escapeSize = 6

// maskHalves returns a copy of a text in which the escapes of halves are escapes of
// U+FFFD, nil for a text that has none. Offsets are the same in both.
func maskHalves(text []byte) (masked []byte) {
	for i := 0; i < len(text); {
		next := bytes.IndexByte(text[i:], '\\')
		if next < 0 {
			break
		}
		i += next
		first := escapedHalf(text[i:])
		if first == 0 {
			i += 2
			continue
		}
		i += escapeSize
		if utf16.DecodeRune(first, escapedHalf(text[i:])) != utf8.RuneError {
			i += escapeSize
			continue
		}
		if masked == nil {
			masked = bytes.Clone(text)
		}
		copy(masked[i-escapeSize:], `\ufffd`)
	}
	return masked
}

// escapedHalf returns the half whose escape a text begins with, 0 for none.
func escapedHalf(text []byte) rune {
	if len(text) < escapeSize || text[0] != '\\' || text[1] != 'u' || text[2]|0x20 != 'd' {
		return 0
	}
	unit, err := strconv.ParseUint(string(text[2:escapeSize]), 16, 16)
	if err != nil || !utf16.IsSurrogate(rune(unit)) {
		return 0
	}
	return rune(unit)
}

// str returns the string that was read last.
func (d *decoder) str(tok jsontext.Token) string {
	if d.given == nil {
		return tok.String()
	}
	// It ends where the decoder is, and holds no quotes but escaped ones.
	end := int(d.dec.InputOffset()) - 1
	start := end
	for {
		start = bytes.LastIndexByte(d.given[:start], '"')
		if escapes := bytes.TrimRight(d.given[:start], `\`); (start-len(escapes))%2 == 0 {
			break
		}
	}
	raw := d.given[start+1 : end]
	if maskHalves(raw) == nil {
		return tok.String()
	}
	return unquote(raw)
}

// raw returns the part of the text that a value read last was read from.
func (d *decoder) raw(read []byte) []byte {
	if d.given == nil {
		return read
	}
	end := int(d.dec.InputOffset())
	return d.given[end-len(read) : end]
}

// unquote reads the inside of a string that is valid.
func unquote(raw []byte) string {
	dst := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			continue
		}
		i++
		switch c := raw[i]; c {
		case 'u':
			unit, _ := strconv.ParseUint(string(raw[i+1:i+5]), 16, 16) // it was read before
			i += 4
			dst = AppendRune(dst, rune(unit))
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		default:
			dst = append(dst, c)
		}
	}
	return Joined(string(dst))
}
