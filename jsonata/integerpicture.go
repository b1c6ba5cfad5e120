package jsonata

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/value"
)

// # Pictures of whole numbers
//
// $formatInteger, $parseInteger and the components of dates share these pictures
// (XPath and XQuery Functions 3.1, section 4.6.1, "fn:format-integer"):
//
//	A a       letters: A, B … Z, AA
//	I i       roman numerals
//	W w Ww    words, in English
//	#,##0     digits: a # is one that may be missing, a digit one that must not
//	;o        behind any of them: an ordinal, 1st, First
//
// The digits of a picture may be of any script; all must be of one (D3131), and the
// number is written in it. Any other character between digits is a grouping
// separator. Where all separators are the same and stand at multiples of one
// distance, the groups are regular: they go on to the left beyond what the picture
// shows. Otherwise each stands just where the picture has it.
//
// Reading goes the other way, by the same picture. Numbers are float64 as in
// JavaScript, so large ones lose digits. Words know numbers up to trillions, and more
// as "thousand trillion".

// integerStyle says how a picture writes whole numbers.
type integerStyle uint8

const (
	decimalStyle integerStyle = iota
	lettersStyle
	romanStyle
	wordsStyle
	sequenceStyle
)

// integerPicture is a picture of whole numbers (XPath and XQuery Functions 3.1,
// "fn:format-integer").
type integerPicture struct {
	style integerStyle
	// text is the picture without its modifier, for messages.
	text string
	// upper is A, I or W; title is Ww, each word with a capital letter.
	upper, title bool
	ordinal      bool
	// zero is the zero of the picture's digits. mandatory and optional count its
	// digits and #, and groups its separators, from the right.
	zero      rune
	mandatory int
	optional  int
	groups    []grouping
	// regular is the distance of separators that repeat, 0 for none, and separator
	// the one they all are.
	regular   int
	separator string
	width     int // how many digits to read, 0 for all
}

// grouping is a separator and how many digits stand behind it.
type grouping struct {
	position  int
	separator string
}

// zeroDigits are the zeros of the digit families of Unicode.
var zeroDigits = []rune{
	0x30, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090,
	0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
}

// integerPicture reads a picture. What is behind the last ; is the modifier; only o
// means something here.
func (e *evaluation) integerPicture(text string) *integerPicture {
	p := &integerPicture{zero: '0'}
	p.text = text
	if i := strings.LastIndexByte(text, ';'); i >= 0 {
		p.text, p.ordinal = text[:i], strings.HasPrefix(text[i+1:], "o")
	}
	switch p.text {
	case "A", "a":
		p.style, p.upper = lettersStyle, p.text == "A"
	case "I", "i":
		p.style, p.upper = romanStyle, p.text == "I"
	case "W", "w", "Ww":
		p.style, p.upper, p.title = wordsStyle, p.text == "W", p.text == "Ww"
	default:
		e.digitPattern(p)
	}
	return p
}

// digitPattern reads a picture of digits from its end, so that the position of a
// separator is the number of digits behind it.
func (e *evaluation) digitPattern(p *integerPicture) {
	e.texts(4 * len(p.text))
	e.tick(2 * len(p.text))
	chars := value.Runes(p.text)
	zero, position := rune(-1), 0
	for _, c := range slices.Backward(chars) {
		family := rune(-1)
		for _, z := range zeroDigits {
			if c >= z && c <= z+9 {
				family = z
			}
		}
		switch {
		case family >= 0:
			if zero >= 0 && zero != family {
				e.throw("D3131")
			}
			zero = family
			p.mandatory++
			position++
		case c == '#':
			p.optional++
			position++
		default:
			e.grown(1)
			p.groups = append(p.groups, grouping{position, value.OfRune(c)})
		}
	}
	if p.mandatory == 0 {
		p.style = sequenceStyle
		return
	}
	p.zero = zero
	positions := make([]int, len(p.groups))
	for i, g := range p.groups {
		positions[i] = g.position
		if g.separator != p.groups[0].separator {
			return
		}
	}
	e.tick(len(positions) * len(positions) / 16)
	if p.regular = regularGroups(positions); p.regular > 0 {
		p.separator = p.groups[0].separator
	}
}

// formatInteger is $formatInteger(n, picture): a fraction is rounded down.
func formatInteger(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	p := e.integerPicture(args[1].Str())
	return value.Str(e.formatInteger(math.Floor(args[0].Float64()), p))
}

// formatInteger writes a whole number by a picture.
func (e *evaluation) formatInteger(n float64, p *integerPicture) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	var text string
	switch p.style {
	case lettersStyle:
		text = toLetters(n)
	case romanStyle:
		text = e.toRoman(n)
	case wordsStyle:
		text = toWords(n, p.ordinal)
		if !p.upper && !p.title {
			text = strings.ToLower(text)
		}
	case decimalStyle:
		return sign + e.decimal(p, n)
	case sequenceStyle:
		e.throw("D3130", value.Str(p.text))
	}
	if p.upper {
		text = strings.ToUpper(text)
	}
	return sign + text
}

// decimal writes digits: at least as many as the picture has mandatory ones, with
// their separators, in the digits of its script. The work of inserting grows with the
// square of their number, and is counted first.
func (e *evaluation) decimal(p *integerPicture, n float64) string {
	text := strconv.FormatFloat(n, 'f', -1, 64)
	size := max(p.mandatory, len(text)) // of the digits
	e.charge(int64(size))
	e.texts(8 * size)
	separators := len(p.groups)
	if p.regular > 0 {
		separators = size / p.regular
	}
	e.tick(separators * (1 + (size+separators)/8))
	e.meter.Hold(int64(8*separators) * int64(8+separators/8))
	text = strings.Repeat("0", max(p.mandatory-len(text), 0)) + text
	plain := text
	chars := value.Runes(text)
	for i, c := range chars {
		chars[i] = c - '0' + p.zero
	}
	switch {
	case p.regular > 0:
		for at := (len(text) - 1) / p.regular; at > 0; at-- {
			chars = slices.Insert(chars, len(text)-at*p.regular+(len(chars)-len(text)), value.Runes(p.separator)...)
		}
	default:
		for _, g := range slices.Backward(p.groups) {
			chars = insertFromEnd(chars, g)
		}
	}
	text = value.OfRunes(chars)
	if p.ordinal {
		text += ordinalSuffix(plain)
	}
	return text
}

// insertFromEnd puts a separator in front of the last digits. Where there are
// too few, the reference implementation loses some, and so do we.
func insertFromEnd(chars []rune, g grouping) []rune {
	at := len(chars) - g.position
	head, tail := chars[:max(at, 0)], chars[max(at, 0):]
	if at < 0 {
		tail = chars[max(len(chars)+at, 0):]
	}
	return slices.Concat(head, value.Runes(g.separator), tail)
}

// ordinalSuffix is what English has behind the digits of an ordinal: 11th, but 21st.
func ordinalSuffix(digits string) string {
	n := len(digits)
	// 11th, 12th and 13th, not 11st.
	if n > 1 && digits[n-2] == '1' {
		return "th"
	}
	switch digits[n-1] {
	case '1':
		return "st"
	case '2':
		return "nd"
	case '3':
		return "rd"
	}
	return "th"
}

// toLetters writes n as spreadsheets number columns; 0 is "".
func toLetters(n float64) string {
	var letters []byte
	// Without a zero among the letters, 26 is Z and 27 is AA: one is taken off before
	// each division.
	for n > 0 {
		letters = append([]byte{'a' + byte(math.Mod(n-1, 26))}, letters...)
		n = math.Floor((n - 1) / 26)
	}
	return string(letters)
}

// romans are the roman numerals and the pairs that subtract, from the greatest down.
var romans = []struct {
	value float64
	text  string
}{
	{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"}, {90, "xc"}, {50, "l"}, {40, "xl"}, {10, "x"}, {9, "ix"}, {5, "v"}, {4, "iv"}, {1, "i"},
}

// toRoman writes n in roman numerals. Beyond 3999 it repeats m, which is why its
// length is counted first.
func (e *evaluation) toRoman(n float64) string {
	e.charge(int64(min(n/1000, math.MaxInt32)))
	e.texts(int(min(n/1000, math.MaxInt32)))
	e.tick(int(min(n/1000, math.MaxInt32)))
	var b strings.Builder
	for _, r := range romans {
		for n >= r.value {
			b.WriteString(r.text)
			n -= r.value
		}
	}
	return b.String()
}

// romanValues are the numbers that single roman digits stand for.
var romanValues = map[rune]float64{'m': 1000, 'd': 500, 'c': 100, 'l': 50, 'x': 10, 'v': 5, 'i': 1}

// fromRoman reads a roman number: a digit before a greater one is taken off. It
// is false for text that is none.
func fromRoman(text string) (float64, bool) {
	digits := value.Runes(strings.ToLower(text))
	n, greatest := 0.0, 1.0
	for _, digit := range slices.Backward(digits) {
		v, ok := romanValues[digit]
		switch {
		case !ok:
			return 0, false
		case v < greatest:
			n -= v
		default:
			greatest = v
			n += v
		}
	}
	return n, true
}

// The words of numbers, and those of their ordinals where they differ by more than a
// th at the end.
var (
	fewWords = []string{
		"Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten",
		"Eleven", "Twelve", "Thirteen", "Fourteen", "Fifteen", "Sixteen", "Seventeen", "Eighteen", "Nineteen",
	}
	fewOrdinals = []string{
		"Zeroth", "First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth",
		"Eleventh", "Twelfth", "Thirteenth", "Fourteenth", "Fifteenth", "Sixteenth", "Seventeenth", "Eighteenth", "Nineteenth",
	}
	decadeWords    = []string{"Twenty", "Thirty", "Forty", "Fifty", "Sixty", "Seventy", "Eighty", "Ninety"}
	magnitudeWords = []string{"Thousand", "Million", "Billion", "Trillion"}
)

// toWords writes n in English words, as an ordinal if asked.
func toWords(n float64, ordinal bool) string { return words(n, false, ordinal) }

// words writes a number; behind another part it begins with what joins the two.
func words(n float64, behind, ordinal bool) string {
	joined := func(joint, text string) string {
		if behind {
			return joint + text
		}
		return text
	}
	switch {
	case n <= 19:
		if ordinal {
			return joined(" and ", fewOrdinals[int(n)])
		}
		return joined(" and ", fewWords[int(n)])
	case n < 100:
		decade, rest := decadeWords[int(n)/10-2], math.Mod(n, 10)
		switch {
		case rest > 0:
			decade += "-" + words(rest, false, ordinal)
		case ordinal:
			decade = decade[:len(decade)-1] + "ieth"
		}
		return joined(" and ", decade)
	case n < 1000:
		text := fewWords[int(n)/100] + " Hundred"
		return joined(", ", text+restWords(math.Mod(n, 100), ordinal))
	}
	magnitude, factor := 1, 1000.0
	for magnitude < len(magnitudeWords) && n >= 1000*factor {
		magnitude++
		factor *= 1000
	}
	mantissa := math.Floor(n / factor)
	text := words(mantissa, false, false) + " " + magnitudeWords[magnitude-1]
	return joined(", ", text+restWords(n-mantissa*factor, ordinal))
}

// restWords writes what is left below a hundred or a magnitude: nothing, or the end
// of the ordinal.
func restWords(rest float64, ordinal bool) string {
	switch {
	case rest > 0:
		return words(rest, true, ordinal)
	case ordinal:
		return "th"
	}
	return ""
}

// wordValues are the numbers that words stand for.
var wordValues = func() map[string]float64 {
	values := make(map[string]float64)
	for i := range fewWords {
		values[strings.ToLower(fewWords[i])] = float64(i)
		values[strings.ToLower(fewOrdinals[i])] = float64(i)
	}
	for i, word := range decadeWords {
		word = strings.ToLower(word)
		values[word] = float64(10 * (i + 2))
		values[word[:len(word)-1]+"ieth"] = float64(10 * (i + 2))
	}
	values["hundred"], values["hundredth"] = 100, 100
	for i, word := range magnitudeWords {
		word = strings.ToLower(word)
		values[word] = math.Pow(10, float64(3*(i+1)))
		values[word+"th"] = values[word]
	}
	return values
}()

// fromWords reads a number in words. It is false for text that is none. A hundred or
// a magnitude multiplies what was read of its segment, and a number behind a
// magnitude begins the next one: two thousand | three hundred four.
func fromWords(text string) (float64, bool) {
	text = strings.ToLower(text)
	for _, joint := range []string{", ", " and ", "-", "\\"} {
		text = strings.ReplaceAll(text, joint, " ")
	}
	segments := []float64{0}
	for word := range strings.FieldsSeq(text) {
		n, known := wordValues[word]
		last := len(segments) - 1
		switch {
		case !known:
			return 0, false
		// A hundred or a magnitude: it multiplies all of its segment.
		case n >= 100:
			segments[last] *= n
		// The segment has its magnitude: the next one begins.
		case segments[last] >= 1000:
			segments = append(segments, n)
		default:
			segments[last] += n
		}
	}
	sum := 0.0
	for _, n := range segments {
		sum += n
	}
	return sum, true
}

// parseInteger is $parseInteger(text, picture); text that is no such number is
// undefined.
func parseInteger(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	n, ok := e.parseInteger(args[0].Str(), e.integerPicture(args[1].Str()))
	if !ok {
		return value.Value{}
	}
	return numberOf(n)
}

// parseInteger reads a number by a picture. Like JavaScript's parseInt it stops at the first character that it does not know.
func (e *evaluation) parseInteger(text string, p *integerPicture) (float64, bool) {
	e.texts(4 * len(text))
	e.tick(len(text))
	switch p.style {
	case lettersStyle:
		first := 'a'
		if p.upper {
			first = 'A'
		}
		n, place := 0.0, 1.0
		for _, c := range slices.Backward(value.Runes(text)) {
			n += float64(c-first+1) * place
			place *= 26
		}
		return n, true
	case romanStyle:
		return fromRoman(text)
	case wordsStyle:
		return fromWords(text)
	case sequenceStyle:
		e.throw("D3130", value.Str(p.text))
	case decimalStyle:
	}
	if p.ordinal && len(text) >= 2 {
		text = text[:len(text)-2]
	}
	for _, g := range p.groups {
		e.texts(len(text))
		text = strings.ReplaceAll(text, g.separator, "")
	}
	sign, digits := 1.0, []byte(nil)
	for i, c := range strings.TrimSpace(text) {
		switch {
		case i == 0 && c == '-':
			sign = -1
			continue
		case i == 0 && c == '+':
			continue
		case c >= p.zero && c <= p.zero+9:
			digits = append(digits, byte('0'+c-p.zero))
			continue
		}
		break
	}
	n, err := strconv.ParseFloat(string(digits), 64)
	return sign * n, err == nil
}
