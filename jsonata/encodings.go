package jsonata

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/steppehq/steppe/value"
)

// Base64 and the encoding of URLs, as btoa, atob, encodeURIComponent and their like do
// them in Node.js. In the dialect of Step Functions, Base64 is that of a text's UTF-8.

// base64encode encodes characters up to U+00FF as one byte each, as btoa does;
// in the dialect of Step Functions, UTF-8.
func base64encode(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	text := args[0].Str()
	e.texts(3 * len(text))
	raw := value.JavaBytes(text)
	if !e.expr.options.StepFunctions {
		// The reference encodes the lower byte of each UTF-16 unit, as Node.js does for
		// its encoding binary.
		raw = raw[:0:0]
		for _, c := range value.UTF16(text) {
			raw = append(raw, byte(c))
		}
	}
	return value.Str(base64.StdEncoding.EncodeToString(raw))
}

// base64decode is the inverse of base64encode. Padding may be missing. Anything else
// that is not Base64 is an error in the dialect of Step Functions, and passed over
// otherwise.
func base64decode(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	e.texts(3 * len(args[0].Str()))
	raw, err := base64.StdEncoding.DecodeString(args[0].Str())
	if err != nil {
		raw, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(args[0].Str(), "="))
	}
	switch {
	case err == nil:
	case e.expr.options.StepFunctions:
		e.throw("D3137", value.Str("The argument of the base64decode function is not Base64"))
	default:
		raw = looseBase64(args[0].Str())
	}
	if e.expr.options.StepFunctions {
		return value.Str(value.OfBytes(raw))
	}
	chars := make([]rune, len(raw))
	for i, c := range raw {
		chars[i] = rune(c)
	}
	return value.Str(string(chars))
}

// looseBase64 decodes as Node.js does: up to the padding, whatever is not of the
// alphabet or its variant for URLs is passed over.
func looseBase64(text string) []byte {
	text, _, _ = strings.Cut(text, "=")
	digits := strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '+', c == '/':
			return c
		case c == '-':
			return '+'
		case c == '_':
			return '/'
		}
		return -1
	}, text)
	if len(digits)%4 == 1 {
		digits = digits[:len(digits)-1] // six bits are no byte
	}
	raw, _ := base64.RawStdEncoding.DecodeString(digits) // all of them are good
	return raw
}

// What encodeURIComponent leaves as it is, besides letters and digits, and what
// encodeURI leaves too.
const (
	urlComponent = "-_.!~*'()"
	urlReserved  = ";/?:@&=+$,#"
)

// encodeURL makes $encodeUrl and $encodeUrlComponent. Half of a character cannot be
// encoded (D3140).
func encodeURL(keep string) native {
	return func(e *evaluation, args []val) value.Value {
		if args[0].IsUndefined() {
			return value.Value{}
		}
		text := args[0].Str()
		e.texts(4 * len(text))
		if value.HasHalves(text) {
			e.throw("D3140", args[0].Value)
		}
		var b strings.Builder
		for i := range len(text) {
			c := text[i]
			if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(keep, c) >= 0 {
				b.WriteByte(c)
				continue
			}
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		}
		e.charge(int64(b.Len()))
		return value.Str(b.String())
	}
}

// decodeURL makes $decodeUrl and $decodeUrlComponent: %XX is read, but for the
// characters in keep.
func decodeURL(keep string) native {
	return func(e *evaluation, args []val) value.Value {
		if args[0].IsUndefined() {
			return value.Value{}
		}
		text := args[0].Str()
		e.texts(2 * len(text))
		return value.Str(value.BetweenHalves(text, func(part string) string {
			decoded, ok := unescaped(part, keep)
			if !ok {
				e.throw("D3140", args[0].Value)
			}
			return decoded
		}))
	}
}

// unescaped reads the %XX of a text. It is false where a % is not followed by two
// hexadecimal digits, or where the result is not UTF-8.
func unescaped(text, keep string) (decoded string, ok bool) {
	var raw []byte
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			raw = append(raw, text[i])
			continue
		}
		if i+2 >= len(text) || !isHexDigit(text[i+1]) || !isHexDigit(text[i+2]) {
			return "", false
		}
		c := unhex(text[i+1])<<4 | unhex(text[i+2])
		if strings.IndexByte(keep, c) >= 0 {
			raw = append(raw, text[i:i+3]...)
		} else {
			raw = append(raw, c)
		}
		i += 2
	}
	return string(raw), utf8.Valid(raw)
}

// isHexDigit reports whether c may stand in a %XX.
func isHexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// unhex returns the value of a hexadecimal digit.
func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
