package jsonata

import (
	"iter"
	"math"
	"strings"

	"github.com/steppehq/steppe/value"
)

// Functions on texts count characters, as jsonata-js does; JavaScript's own
// functions, which it calls in places, count UTF-16 units. A character beyond U+FFFF
// can therefore be cut in two: $split('😀', '') returns its halves. A text may hold
// such halves (package value says how); comparable makes halves findable inside of
// whole characters, and whatever is joined of parts goes through value.Joined.
//
// Functions that take a pattern take a text, a regular expression, or a function that
// finds matches (regex.go).

// textFunctions are the functions on texts.
var textFunctions = []entry{
	{"string", "<x-b?:s>", stringFunction},
	{"substring", "<s-nn?:s>", substring},
	{"substringBefore", "<s-s:s>", substringBefore},
	{"substringAfter", "<s-s:s>", substringAfter},
	{"lowercase", "<s-:s>", onText(func(s string) string { return value.BetweenHalves(s, strings.ToLower) })},
	{"uppercase", "<s-:s>", onText(func(s string) string { return value.BetweenHalves(s, upper) })},
	{"trim", "<s-:s>", onText(trim)},
	{"length", "<s-:n>", length},
	{"pad", "<s-ns?:s>", pad},
	{"contains", "<s-(sf):b>", contains},
	{"split", "<s-(sf)n?:a<s>>", split},
	{"join", "<a<s>s?:s>", join},
	{"replace", "<s-(sf)(sf)n?:s>", replace},
	{"base64encode", "<s-:s>", base64encode},
	{"base64decode", "<s-:s>", base64decode},
	{"encodeUrlComponent", "<s-:s>", encodeURL(urlComponent)},
	{"encodeUrl", "<s-:s>", encodeURL(urlComponent + urlReserved)},
	{"decodeUrlComponent", "<s-:s>", decodeURL("")},
	{"decodeUrl", "<s-:s>", decodeURL(urlReserved)},
}

// onText makes a function of one that turns a text into another.
func onText(fn func(string) string) native {
	return func(e *evaluation, args []val) value.Value {
		if args[0].IsUndefined() {
			return value.Value{}
		}
		e.texts(len(args[0].Str()))
		e.tick(len(args[0].Str()) / 8)
		text := fn(args[0].Str())
		e.charge(int64(len(text)))
		return value.Str(text)
	}
}

// stringFunction is $string(value, prettify). A text is returned as it is.
func stringFunction(e *evaluation, args []val) value.Value {
	v := args[0].Value
	switch {
	case v.IsUndefined():
		return v
	case v.Kind() == value.String:
		return v
	}
	text := e.stringOf(v, len(args) > 1 && args[1].Bool())
	e.charge(int64(len(text)))
	return value.Str(text)
}

// stringOf writes a value as JSON.stringify does. A function is an empty text;
// infinities and NaN are errors.
func (e *evaluation) stringOf(v value.Value, pretty bool) string {
	if fnLike(v) {
		return ""
	}
	if v.Kind() == value.Number && !finite(v.Float64()) {
		e.throw("D3001", v)
	}
	w := writer{e: e, pretty: pretty}
	w.value(v, 0)
	return string(w.dst)
}

// writer writes JSON with JavaScript's numbers, indented by two blanks if pretty.
type writer struct {
	e      *evaluation
	dst    []byte
	pretty bool
}

// line begins a new line, if the text is to be pretty.
func (w *writer) line(depth int) {
	if w.pretty {
		w.e.texts(2*depth + 1)
		w.dst = append(w.dst, '\n')
		for range depth {
			w.dst = append(w.dst, ' ', ' ')
		}
	}
}

// value writes a value. Inside of others a function is "".
func (w *writer) value(v value.Value, depth int) {
	w.e.tick(1)
	w.e.texts(len(v.Str()) + v.Digits() + 2)
	switch {
	case v.Kind() == value.Number:
		if math.IsInf(v.Float64(), 0) {
			w.e.throw("D1001", v)
		}
		w.dst = appendJSNumber(w.dst, v)
	case v.Kind() == value.String:
		w.dst = appendJSString(w.dst, v.Str())
	case fnLike(v):
		w.dst = append(w.dst, '"', '"')
	case v.Kind() == value.Array || v.Kind() == value.Object:
		w.composite(v, depth)
	default:
		w.dst = v.Append(w.dst)
	}
}

// composite writes an array or an object.
func (w *writer) composite(v value.Value, depth int) {
	brackets := "[]"
	if v.Kind() == value.Object {
		brackets = "{}"
	}
	w.dst = append(w.dst, brackets[0])
	for i, item := range v.Items() {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.line(depth + 1)
		if v.Kind() == value.Object {
			w.e.texts(len(v.Names()[i]) + 3)
			w.dst = appendJSString(w.dst, v.Names()[i])
			w.dst = append(w.dst, ':')
			if w.pretty {
				w.dst = append(w.dst, ' ')
			}
		}
		w.value(item, depth+1)
	}
	if v.Len() > 0 {
		w.line(depth)
	}
	w.dst = append(w.dst, brackets[1])
}

// appendJSString writes a string as JSON.stringify does.
func appendJSString(dst []byte, s string) []byte { return value.AppendString(dst, s) }

// length is $length, in characters.
func length(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	e.tick(len(args[0].Str()) / 64)
	return value.Int(int64(value.RuneCount(args[0].Str())))
}

// substring is $substring(text, start, length). A negative start counts from the end;
// one beyond the beginning is the beginning.
func substring(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	e.texts(2 * len(args[0].Str())) // its characters, too
	// Positions are characters, which only a slice of them can be indexed by.
	chars := value.Runes(args[0].Str())
	n := len(chars)
	if args[1].IsUndefined() && len(args) > 2 && !args[2].IsUndefined() {
		return value.Str("") // the reference's slice up to no number
	}
	start := intArg(args[1])
	if n+start < 0 {
		start = 0
	}
	end := n
	if len(args) > 2 && !args[2].IsUndefined() {
		size := args[2].Float64()
		if size <= 0 {
			return value.Str("")
		}
		from := start
		if from < 0 {
			from += n
		}
		end = from + intArg(args[2])
	}
	if start < 0 {
		start += n
	}
	start, end = min(start, n), min(end, n)
	if start >= end {
		return value.Str("")
	}
	return value.Str(value.OfRunes(chars[start:end]))
}

// substringBefore is $substringBefore(text, mark): the whole text where the mark is
// not found.
func substringBefore(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() || args[1].IsUndefined() {
		return args[0].Value
	}
	e.tick(len(args[0].Str()) / 32)
	text, mark := comparable(args[0].Str(), args[1].Str())
	before, _, _ := strings.Cut(text, mark)
	return value.Str(value.Joined(before))
}

// substringAfter is $substringAfter(text, mark): the whole text where the mark is not
// found.
func substringAfter(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() || args[1].IsUndefined() {
		return args[0].Value
	}
	e.tick(len(args[0].Str()) / 32)
	text, mark := comparable(args[0].Str(), args[1].Str())
	_, after, found := strings.Cut(text, mark)
	if !found {
		return args[0].Value
	}
	return value.Str(value.Joined(after))
}

// comparable returns a text and one to be found in it in a form in which half of a
// character is found, too. What is cut out of the text must be joined.
func comparable(text, part string) (comparableText, comparablePart string) {
	if !value.HasHalves(part) {
		return text, part
	}
	return value.Halved(text), value.Halved(part)
}

// upper is strings.ToUpper, with the characters that become several.
func upper(s string) string { return strings.ToUpper(manyUpper.Replace(s)) }

// manyUpper are the letters whose upper case is more than one (Unicode,
// SpecialCasing.txt).
var manyUpper = strings.NewReplacer(
	"ß", "SS", "ŉ", "ʼN", "ǰ", "J\u030C", "ΐ", "Ι\u0308\u0301", "ΰ", "Υ\u0308\u0301", "և", "ԵՒ",
	"ẖ", "H\u0331", "ẗ", "T\u0308", "ẘ", "W\u030A", "ẙ", "Y\u030A", "ẚ", "Aʾ",
	"ﬀ", "FF", "ﬁ", "FI", "ﬂ", "FL", "ﬃ", "FFI", "ﬄ", "FFL", "ﬅ", "ST", "ﬆ", "ST",
)

// trim makes one blank of any white space, and none at the ends.
func trim(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }), " ")
}

// pad is $pad(text, width, fill): on the right, or on the left for a negative width.
func pad(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	text, fill := args[0].Str(), " "
	if len(args) > 2 && args[2].Str() != "" {
		fill = args[2].Str()
	}
	width := intArg(args[1])
	missing := max(width, -width) - value.RuneCount(text)
	if missing <= 0 {
		return value.Str(text)
	}
	e.charge(int64(missing) + int64(len(text)))
	e.tick((missing + len(text) + len(fill)) / 16)
	e.meter.Hold(12*int64(missing) + 4*int64(len(fill)) + int64(len(text)))
	// The fill is repeated and cut in the middle where it must be.
	chars := value.Runes(fill)
	padding := make([]rune, missing)
	for i := range padding {
		padding[i] = chars[i%len(chars)]
	}
	if width > 0 {
		return value.Str(value.Joined(text + value.OfRunes(padding)))
	}
	return value.Str(value.Joined(value.OfRunes(padding) + text))
}

// contains is $contains(text, pattern).
func contains(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() || args[1].IsUndefined() {
		return value.Value{}
	}
	text := args[0].Str()
	if fn := e.function(args[1].Value); fn != nil {
		return value.Of(e.matches(fn, text) != nil)
	}
	e.tick(len(text) / 32)
	text, part := comparable(text, args[1].Str())
	return value.Of(strings.Contains(text, part))
}

// split is $split(text, separator, limit): at most limit parts, the rest is dropped.
func split(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	text := args[0].Str()
	limit := -1
	if len(args) > 2 && !args[2].IsUndefined() {
		if args[2].Float64() < 0 {
			e.throw("D3020", args[2].Value)
		}
		limit = intArg(args[2])
	}
	var parts []value.Value
	// add keeps a part unless there are enough; the rest of the text need not be
	// looked at then.
	add := func(part string) bool {
		if limit >= 0 && len(parts) >= limit {
			return false
		}
		e.tick(1)
		e.grown(1)
		parts = append(parts, value.Str(part))
		return true
	}
	fn := e.function(args[1].Value)
	if fn != nil && limit >= 0 {
		limit = int(min(math.Ceil(args[2].Float64()), math.MaxInt32))
	}
	if fn == nil {
		e.tick(len(text) / 32)
		for part := range parted(text, args[1].Str()) {
			if !add(value.Joined(part)) {
				break
			}
		}
		e.charge(int64(8*len(parts) + len(text)))
		return value.Arr(parts...)
	}
	start := 0
	for m := e.matches(fn, text); m != nil; m = m.next() {
		if !add(text[start:m.start]) {
			return value.Arr(parts...)
		}
		start = m.end
	}
	add(text[start:])
	return value.Arr(parts...)
}

// parted splits a text as JavaScript and Java do: at nothing, into UTF-16 units.
func parted(text, separator string) iter.Seq[string] {
	if separator != "" {
		return strings.SplitSeq(comparable(text, separator))
	}
	return func(yield func(string) bool) {
		for rest := value.Halved(text); rest != ""; {
			_, size := value.DecodeRune(rest)
			if !yield(rest[:size]) {
				return
			}
			rest = rest[size:]
		}
	}
}

// join is $join(texts, separator).
func join(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	separator := ""
	if len(args) > 1 {
		separator = args[1].Str()
	}
	var b strings.Builder
	for i, item := range args[0].Items() {
		if i > 0 {
			e.texts(len(separator))
			b.WriteString(separator)
		}
		e.texts(len(item.Str()) + 1)
		b.WriteString(item.Str())
	}
	e.charge(int64(b.Len()))
	return value.Str(value.Joined(b.String()))
}

// replace is $replace(text, pattern, replacement, limit). The replacement of a
// regular expression is a text with $N in it, or a function of the match that returns
// a text (D3012); that of a text is taken literally.
func replace(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	text := args[0].Str()
	pattern := e.function(args[1].Value)
	switch {
	case args[1].IsUndefined():
		return args[0].Value
	case pattern == nil && args[1].Str() == "":
		e.throw("D3010", args[1].Value)
	}
	limit := -1
	if len(args) > 3 && !args[3].IsUndefined() {
		if args[3].Float64() < 0 {
			e.throw("D3011", args[3].Value)
		}
		limit = int(min(math.Ceil(args[3].Float64()), math.MaxInt32))
	}
	if pattern == nil {
		if fnLike(args[2].Value) {
			if text, part := comparable(text, args[1].Str()); !strings.Contains(text, part) {
				return args[0].Value
			}
			e.argument("T0410", args[2].Value, 3, "")
		}
		by := args[2].Str()
		if args[2].IsUndefined() {
			by = "undefined" // as the reference has it
		}
		e.tick(len(text) / 16)
		text, part := comparable(text, args[1].Str())
		// The size of the result is known before it is made, and charged.
		count := strings.Count(text, part)
		if limit >= 0 {
			count = min(count, limit)
		}
		size := int64(len(text)) + int64(count)*int64(len(by)-len(part))
		e.charge(size)
		e.texts(int(size))
		return value.Str(value.Joined(strings.Replace(text, part, by, limit)))
	}
	replacement := e.function(args[2].Value)
	var b strings.Builder
	start := 0
	for m := e.matches(pattern, text); m != nil && limit != 0; m = m.next() {
		limit--
		e.texts(m.start - start)
		b.WriteString(text[start:m.start])
		if replacement == nil {
			b.WriteString(m.expand(e, args[2].Str()))
		} else {
			v := e.callback(replacement, plain(m.value(e)))
			if v.Kind() != value.String {
				e.throw("D3012", v.Value)
			}
			e.texts(len(v.Str()))
			b.WriteString(v.Str())
		}
		start = m.end
		// What is too large already is charged below; going on would only make it
		// larger.
		if int64(b.Len()) > e.limits.Bytes {
			break
		}
	}
	e.texts(len(text) - start)
	b.WriteString(text[start:])
	e.charge(int64(b.Len()))
	return value.Str(value.Joined(b.String()))
}
