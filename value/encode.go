package value

import (
	"unicode/utf8"
)

// Append writes v as JSON without blanks, members in their order, and returns the
// extended slice. Undefined members of objects are left out; undefined anywhere else
// is written as null.
func (v Value) Append(dst []byte) []byte {
	dst, _ = v.AppendWhile(dst, nil)
	return dst
}

// AppendUpTo is Append that stops when dst has grown beyond a length, and reports
// whether it has all of v. Parts that are shared in a value are encoded each time
// they occur, so that a small value can encode to very much: use this for a value
// from outside.
func (v Value) AppendUpTo(dst []byte, length int) ([]byte, bool) {
	dst, whole := v.AppendWhile(dst, func(size int) bool { return size <= length })
	return dst, whole && len(dst) <= length
}

// AppendWhile is Append that calls grown with the length of dst after each item and
// member, and stops when it returns false: dst then holds the beginning of v, and
// whole is false. A nil grown never stops it.
func (v Value) AppendWhile(dst []byte, grown func(size int) bool) (all []byte, whole bool) {
	switch v.kind {
	case Undefined, Null:
		return append(dst, "null"...), true
	case Bool:
		if v.bits != 0 {
			return append(dst, "true"...), true
		}
		return append(dst, "false"...), true
	case Number:
		return v.appendNumber(dst), true
	case String:
		return AppendString(dst, v.text), true
	case Array:
		return v.comp.appendArray(dst, grown)
	case Object:
		return v.comp.appendObject(dst, grown)
	}
	return dst, true
}

// appendArray writes items; see AppendWhile.
func (c *composite) appendArray(dst []byte, grown func(int) bool) (all []byte, whole bool) {
	dst = append(dst, '[')
	for i := range c.items {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, whole = c.items[i].AppendWhile(dst, grown); !whole || grown != nil && !grown(len(dst)) {
			return dst, false
		}
	}
	return append(dst, ']'), true
}

// appendObject writes members but those that are undefined; see AppendWhile.
func (c *composite) appendObject(dst []byte, grown func(int) bool) (all []byte, whole bool) {
	dst = append(dst, '{')
	first := true
	for i, name := range c.names {
		item := &c.items[i]
		if item.kind == Undefined {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = AppendString(dst, name)
		dst = append(dst, ':')
		if dst, whole = item.AppendWhile(dst, grown); !whole || grown != nil && !grown(len(dst)) {
			return dst, false
		}
	}
	return append(dst, '}'), true
}

const hex = "0123456789ABCDEF"

// AppendString writes s as a JSON string the way Jackson does: short escapes
// where JSON has them, \u00XX for other control characters, everything else as
// it is. A half of a surrogate pair is an escape; other bytes that are no UTF-8
// become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst, size = appendNoUTF8(append(dst, s[start:i]...), s[i:])
				start = i + size
			}
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c)
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

// appendNoUTF8 writes the beginning of s, which is no UTF-8, and returns its length.
func appendNoUTF8(dst []byte, s string) (all []byte, size int) {
	if isHalf(s, 0) {
		return appendHalf(dst, half(s, 0)), halfSize
	}
	return append(dst, "\uFFFD"...), 1
}

// appendEscape writes a character that JSON strings cannot hold as it is.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}
