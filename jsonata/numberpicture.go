package jsonata

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/value"
)

// # Pictures of numbers
//
// $formatNumber writes a number by a picture of XPath and XQuery Functions 3.1
// (section 4.7.2, "fn:format-number"):
//
//	#,##0.00         1234.5 is 1,234.50
//	00.000e0         1234.5 is 12.345e2
//	0.0%             0.256 is 25.6%
//	0.00;(0.00)      a second sub-picture for negative numbers
//
// A sub-picture is a prefix, an active part and a suffix. The active part reaches
// from the first to the last character that has a meaning; it consists of an integer
// part, and perhaps a fraction and an exponent. Options such as "decimal-separator" change which characters have these meanings; each option is a text and may have more than one character.
//
// parse splits a sub-picture, check refuses it with the error code of the rule that
// it breaks, analyse counts what format needs: the least digits of each part, the
// most of the fraction, and where the grouping separators are. An exponent scales the
// number so that it has as many integer digits as the picture has mandatory ones.

// symbols are the characters that a picture of a number consists of (XPath and
// XQuery Functions 3.1, "Defining a decimal format").
type symbols struct {
	e *evaluation

	decimal, grouping, exponent, minus, percent, perMille, zero, digit, separator string
}

// symbolsOf returns the default symbols with those that options replace.
func symbolsOf(e *evaluation, options value.Value) symbols {
	s := symbols{e, ".", ",", "e", "-", "%", "‰", "0", "#", ";"}
	for name, to := range map[string]*string{
		"decimal-separator": &s.decimal, "grouping-separator": &s.grouping, "exponent-separator": &s.exponent,
		"minus-sign": &s.minus, "percent": &s.percent, "per-mille": &s.perMille, "zero-digit": &s.zero,
		"digit": &s.digit, "pattern-separator": &s.separator,
	} {
		if v := options.Get(name); v.Kind() == value.String {
			*to = v.Str()
		}
	}
	return s
}

// isDigit reports whether a character is of the family of the zero digit.
func (s *symbols) isDigit(c rune) bool {
	zero, size := value.DecodeRune(s.zero)
	return size > 0 && c >= zero && c <= zero+9
}

// isActive reports whether a character has a meaning in a picture. Percent and
// per-mille do not make a character active: they may stand in a prefix or a suffix.
func (s *symbols) isActive(c rune) bool {
	text := value.OfRune(c)
	return s.isDigit(c) || text == s.decimal || text == s.grouping || text == s.exponent || text == s.digit || text == s.separator
}

// digits counts the mandatory digits of a part, and the optional ones with
// them.
func (s *symbols) digits(part string) (mandatory, all int) {
	s.e.tick(len(part)/4 + 1)
	for _, c := range part {
		if s.isDigit(c) {
			mandatory++
			all++
		} else if value.OfRune(c) == s.digit {
			all++
		}
	}
	return mandatory, all
}

// subPicture is one half of a picture, for positive or negative numbers.
type subPicture struct {
	text, prefix, suffix string
	// active is what is between prefix and suffix; integer, fraction and exponent are
	// its parts, with their grouping separators.
	active, integer, fraction string
	exponent                  string
	hasExponent               bool
	// The least and the most digits of each part. scale is how many integer digits an
	// exponent leaves.
	minInteger               int
	minFraction, maxFraction int
	minExponent, scale       int
	// Where grouping separators are: at each multiple of regular, or after
	// integerGroups digits counted from the point to the left, and fracsGroups to the
	// right.
	regular                    int
	integerGroups, fracsGroups []int
}

// parse splits a sub-picture and checks it. An exponent separator that stands at
// either end belongs to the prefix or the suffix.
func (s *symbols) parse(e *evaluation, text string) subPicture {
	e.texts(8 * len(text))
	e.tick(4 * len(text))
	p := subPicture{text: text}
	chars := value.Runes(text)
	first := slices.IndexFunc(chars, func(c rune) bool { return s.isActive(c) && value.OfRune(c) != s.exponent })
	last := len(chars) - 1
	for last >= 0 && (!s.isActive(chars[last]) || value.OfRune(chars[last]) == s.exponent) {
		last--
	}
	if first < 0 {
		first, last = 0, len(chars)-1
	}
	p.prefix, p.suffix, p.active = value.OfRunes(chars[:first]), value.OfRunes(chars[last+1:]), value.OfRunes(chars[first:last+1])
	var mantissa string
	mantissa, p.exponent, p.hasExponent = strings.Cut(p.active, s.exponent)
	p.hasExponent = p.hasExponent || strings.HasPrefix(p.suffix, s.exponent)
	p.integer, p.fraction, _ = strings.Cut(mantissa, s.decimal)
	if code := s.check(&p, mantissa); code != "" {
		e.throw(code)
	}
	s.analyse(&p)
	return p
}

// check returns the error code of a sub-picture that is wrong. Where several rules are broken, the
// last one counts.
func (s *symbols) check(p *subPicture, mantissa string) string {
	code := ""
	set := func(wrong bool, c string) {
		if wrong {
			code = c
		}
	}
	count := func(text string) int { return strings.Count(p.text, text) }
	// All rules are tried, in the order of the reference, whose last complaint is the
	// one that is thrown.
	set(count(s.decimal) > 1, "D3081")
	set(count(s.percent) > 1, "D3082")
	set(count(s.perMille) > 1, "D3083")
	set(count(s.percent) > 0 && count(s.perMille) > 0, "D3084")
	_, all := s.digits(mantissa)
	set(all == 0, "D3085")
	set(strings.ContainsFunc(p.active, func(c rune) bool { return !s.isActive(c) }), "D3086")
	if strings.Contains(p.text, s.decimal) {
		set(strings.Contains(p.text, s.grouping+s.decimal) || strings.Contains(p.text, s.decimal+s.grouping), "D3087")
	} else {
		set(strings.HasSuffix(p.integer, s.grouping), "D3088")
	}
	set(strings.Contains(p.text, s.grouping+s.grouping), "D3089")
	if before, _, found := strings.Cut(p.integer, s.digit); found {
		mandatory, _ := s.digits(before)
		set(mandatory > 0, "D3090")
	}
	if i := strings.LastIndex(p.fraction, s.digit); i >= 0 {
		mandatory, _ := s.digits(p.fraction[i:])
		set(mandatory > 0, "D3091")
	}
	set(p.hasExponent && p.exponent != "" && (count(s.percent) > 0 || count(s.perMille) > 0), "D3092")
	set(p.hasExponent && (p.exponent == "" || strings.ContainsFunc(p.exponent, func(c rune) bool { return !s.isDigit(c) })), "D3093")
	return code
}

// analyse counts the digits of the parts by the rules of "Analyzing the picture
// string" (section 4.7.4).
func (s *symbols) analyse(p *subPicture) {
	p.integerGroups = s.groups(p.integer, false)
	s.e.tick(len(p.integerGroups) * len(p.integerGroups) / 16)
	p.regular = regularGroups(p.integerGroups)
	p.fracsGroups = s.groups(p.fraction, true)
	p.minInteger, _ = s.digits(p.integer)
	p.scale = p.minInteger
	p.minFraction, p.maxFraction = s.digits(p.fraction)
	// A picture without a single mandatory digit still shows one.
	if p.minInteger == 0 && p.maxFraction == 0 {
		if p.hasExponent {
			p.minFraction, p.maxFraction = 1, 1
		} else {
			p.minInteger = 1
		}
	}
	if p.hasExponent && p.minInteger == 0 && strings.Contains(p.integer, s.digit) {
		p.minInteger = 1
	}
	if p.minInteger == 0 && p.minFraction == 0 {
		p.minFraction = 1
	}
	if p.hasExponent {
		p.minExponent, _ = s.digits(p.exponent)
	}
}

// groups returns how many digits stand behind each grouping separator of the integer
// part, or before each of the fraction.
func (s *symbols) groups(part string, before bool) []int {
	var positions []int
	for i := 0; i < len(part); {
		if !strings.HasPrefix(part[i:], s.grouping) || s.grouping == "" {
			i++
			continue
		}
		side := part[i:]
		if before {
			side = part[:i]
		}
		_, n := s.digits(side)
		positions = append(positions, n)
		i += len(s.grouping)
	}
	return positions
}

// regularGroups returns the distance at which separators repeat, the greatest common
// divisor of their positions, if one stands at each multiple of it; 0 otherwise.
func regularGroups(positions []int) int {
	factor := 0
	for _, n := range positions {
		// Euclid's algorithm.
		for a, b := factor, n; ; a, b = b, a%b {
			if b == 0 {
				factor = a
				break
			}
		}
	}
	for i := range positions {
		if !slices.Contains(positions, (i+1)*factor) {
			return 0
		}
	}
	return factor
}

// formatNumber is $formatNumber(n, picture, options).
func formatNumber(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	options := value.Value{}
	if len(args) > 2 {
		options = args[2].Value
	}
	s := symbolsOf(e, options)
	e.texts(len(args[1].Str()))
	parts := strings.Split(args[1].Str(), s.separator)
	if len(parts) > 2 {
		e.throw("D3080")
	}
	n := args[0].Float64()
	p := s.parse(e, parts[0])
	if len(parts) == 2 {
		negative := s.parse(e, parts[1])
		if n < 0 {
			p = negative
		}
	} else if n < 0 {
		p.prefix = s.minus + p.prefix
	}
	return value.Str(s.format(&p, n))
}

// format writes a number by a sub-picture. Its sign is in the prefix already.
func (s *symbols) format(p *subPicture, n float64) string {
	// The sign is in the prefix, and rounding half to even is the same on both sides
	// of zero.
	n = math.Abs(n)
	switch {
	case strings.Contains(p.text, s.percent):
		n *= 100
	case strings.Contains(p.text, s.perMille):
		n *= 1000
	}
	exponent := 0
	if p.minExponent > 0 {
		n, exponent = scaled(n, p.scale)
	}
	text := s.translate(strconv.FormatFloat(roundTo(n, p.maxFraction), 'f', p.maxFraction, 64))
	integer, fraction, _ := strings.Cut(text, ".")
	// FormatFloat has written a 0 before the point and zeros up to the most digits
	// behind it; the picture says which of them remain.
	integer = strings.TrimLeft(integer, s.zero)
	fraction = strings.TrimRight(fraction, s.zero)
	integer = s.zeros(p.minInteger-runes(integer)) + integer
	fraction += s.zeros(p.minFraction - runes(fraction))
	result := s.group(p, integer)
	if fraction = s.groupFraction(p, fraction); fraction != "" {
		result += s.decimal + fraction
	}
	if p.minExponent > 0 {
		digits := s.translate(strconv.Itoa(max(exponent, -exponent)))
		digits = s.zeros(p.minExponent-runes(digits)) + digits
		sign := ""
		if exponent < 0 {
			sign = s.minus
		}
		result += s.exponent + sign + digits
	}
	return p.prefix + result + p.suffix
}

// zeros is a number of zeros, none where it is negative.
func (s *symbols) zeros(n int) string {
	n = max(n, 0)
	s.e.charge(int64(n) * int64(len(s.zero)))
	s.e.texts(2 * n * len(s.zero))
	return strings.Repeat(s.zero, n)
}

// runes is the number of characters of s, which is how pictures count digits.
func runes(s string) int { return len(value.Runes(s)) }

// scaled returns mantissa and exponent for a number of integer digits.
func scaled(n float64, scale int) (mantissa float64, exponent int) {
	if n == 0 {
		return 0, 0
	}
	low, high := math.Pow(10, float64(scale-1)), math.Pow(10, float64(scale))
	for n < low {
		n *= 10
		exponent--
	}
	for n > high {
		n /= 10
		exponent++
	}
	return n, exponent
}

// translate writes digits of another family.
func (s *symbols) translate(text string) string {
	zero := value.Runes(s.zero)
	if s.zero == "0" || len(zero) == 0 {
		return text
	}
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return zero[0] + c - '0'
		}
		return c
	}, text)
}

// group puts the grouping separators into the integer part.
func (s *symbols) group(p *subPicture, integer string) string {
	chars := value.Runes(integer)
	at := p.integerGroups
	if p.regular > 0 {
		at = nil
		for n := p.regular; n < len(chars); n += p.regular {
			at = append(at, n)
		}
	}
	var b strings.Builder
	s.e.texts(4 * len(integer))
	for i, c := range chars {
		s.e.tick(1 + len(at)/16)
		if left := len(chars) - i; i > 0 && slices.Contains(at, left) {
			s.e.texts(len(s.grouping))
			b.WriteString(s.grouping)
		}
		b.WriteRune(c)
	}
	return b.String()
}

// groupFraction puts them into the fraction, where they never repeat.
func (s *symbols) groupFraction(p *subPicture, fraction string) string {
	if len(p.fracsGroups) == 0 {
		return fraction
	}
	var b strings.Builder
	s.e.texts(4 * len(fraction))
	for i, c := range value.Runes(fraction) {
		s.e.tick(1 + len(p.fracsGroups)/16)
		if slices.Contains(p.fracsGroups, i) {
			s.e.texts(len(s.grouping))
			b.WriteString(s.grouping)
		}
		b.WriteRune(c)
	}
	return b.String()
}
