package jsonata

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/value"
)

// JavaScript has one kind of number, a float64. The dialect of Step Functions
// computes with whole numbers of 64 bits as long as they fit, which the Java service
// shows: 9007199254740993 + 0 stays what it is. numberOf makes a whole number of a
// float that is one; the functions here compute in floats otherwise, and round as
// JavaScript does.

var numberFunctions = []entry{
	{"number", "<(nsb)-:n>", numberFunction},
	{"abs", "<n-:n>", onNumber(math.Abs)},
	{"floor", "<n-:n>", onNumber(math.Floor)},
	{"ceil", "<n-:n>", onNumber(math.Ceil)},
	{"round", "<n-n?:n>", round},
	{"sqrt", "<n-:n>", sqrt},
	{"power", "<n-n:n>", power},
	{"random", "<:n>", random},
	{"sum", "<a<n>:n>", sum},
	{"max", "<a<n>:n>", extreme(1)},
	{"min", "<a<n>:n>", extreme(-1)},
	{"average", "<a<n>:n>", average},
	{"boolean", "<x-:b>", boolean},
	{"not", "<x-:b>", not},
	{"formatBase", "<n-n?:s>", formatBase},
	{"formatNumber", "<n-so?:s>", formatNumber},
	{"formatInteger", "<n-s:s>", formatInteger},
	{"parseInteger", "<s-s:n>", parseInteger},
}

// onNumber makes a function of one that turns a number into another.
func onNumber(fn func(float64) float64) native {
	return func(_ *evaluation, args []val) value.Value {
		if args[0].IsUndefined() {
			return value.Value{}
		}
		return numberOf(fn(args[0].Float64()))
	}
}

// appendJSNumber writes a number as JavaScript does: in full up to 10^21, and
// with at most 15 digits where it has a fraction.
func appendJSNumber(dst []byte, v value.Value) []byte {
	// JavaScript shows all digits of whole numbers that a float64 holds.
	if i, ok := v.Int64(); ok {
		if i > -1<<53 && i < 1<<53 || v.IsInteger() && v.Float64() == float64(i) && big.NewFloat(v.Float64()).IsInt() && exactly(i) {
			return strconv.AppendInt(dst, i, 10)
		}
	}
	f := v.Float64()
	if !finite(f) {
		return append(dst, "null"...)
	}
	// jsonata-js rounds fractions to 15 significant digits in $string, so that 0.1 +
	// 0.2 is shown as 0.3.
	if f != math.Trunc(f) {
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'g', 15, 64), 64)
	}
	abs := math.Abs(f)
	if f == 0 {
		return append(dst, '0')
	}
	// Number.prototype.toString has an exponent from here on, with a sign and without
	// leading zeros.
	if abs >= 1e21 || abs < 1e-6 {
		text := strconv.FormatFloat(f, 'e', -1, 64)
		mantissa, exponent, _ := strings.Cut(text, "e")
		sign, digits := exponent[:1], strings.TrimLeft(exponent[1:], "0")
		return append(append(append(append(dst, mantissa...), 'e'), sign...), digits...)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// exactly reports whether a float64 can hold a whole number, so that JavaScript would
// show the same digits.
func exactly(i int64) bool {
	text := strconv.FormatFloat(float64(i), 'f', -1, 64)
	return text == strconv.FormatInt(i, 10)
}

// numberFunction is $number: of a text or a boolean.
func numberFunction(e *evaluation, args []val) value.Value {
	v := args[0].Value
	switch v.Kind() {
	case value.Number, value.Undefined:
		return v
	case value.Bool:
		if v.Bool() {
			return value.Int(1)
		}
		return value.Int(0)
	default:
	}
	e.tick(len(v.Str()))
	if n, ok := parseNumber(v.Str()); ok {
		return n
	}
	e.throw("D3030", v)
	return v
}

// parseNumber reads a number as JSON writes it, or in another base: 0x, 0o, 0b.
func parseNumber(text string) (value.Value, bool) {
	// Letters of both cases: | 0x20 makes the small one.
	if len(text) > 2 && text[0] == '0' && strings.ContainsRune("xXoObB", rune(text[1])) {
		n, err := strconv.ParseUint(text[2:], map[byte]int{'x': 16, 'o': 8, 'b': 2}[text[1]|0x20], 64)
		if err != nil {
			return value.Value{}, false
		}
		return numberOf(float64(n)), true
	}
	if !decimalText.MatchString(text) {
		return value.Value{}, false
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return value.Int(i), true
	}
	f, err := strconv.ParseFloat(text, 64)
	return numberOf(f), err == nil
}

// decimalText is a number as JSON writes it, but that leading zeros are allowed.
var decimalText = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?$`)

// round rounds half to even, at a decimal place.
func round(_ *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	places := 0
	if len(args) > 1 {
		if places = intArg(args[1]); float64(places) != args[1].Float64() && !args[1].IsUndefined() {
			return value.Value{} // the reference has no number for it
		}
	}
	return numberOf(roundTo(args[0].Float64(), places))
}

// roundTo shifts the decimal point in the text of the number, so that it adds
// no error of its own.
func roundTo(f float64, places int) float64 {
	shifted := shift(f, places)
	rounded := math.RoundToEven(shifted)
	return shift(rounded, -places)
}

// shift moves the decimal point of f. It does so in the shortest decimal text of f,
// where 1.005 has three digits behind the point, and not in the binary value, which
// is a little less.
func shift(f float64, places int) float64 {
	if places == 0 || f == 0 {
		return f
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(text, "e")
	n, _ := strconv.Atoi(exponent)
	shifted, _ := strconv.ParseFloat(mantissa+"e"+strconv.Itoa(n+places), 64)
	return shifted
}

// sqrt is $sqrt.
func sqrt(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	if args[0].Float64() < 0 {
		e.throw("D3060", args[0].Value)
	}
	return numberOf(math.Sqrt(args[0].Float64()))
}

// power is $power; what no number of JSON can hold is an error.
func power(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	r := math.NaN()
	if !args[1].IsUndefined() {
		r = pow(args[0].Float64(), args[1].Float64())
	}
	if !finite(r) {
		e.throw("D3061", args[0].Value, args[1].Value)
	}
	return numberOf(r)
}

// pow is math.Pow, but exactly rounded for whole exponents, where JavaScript and
// Java are too and math.Pow is off in the last digits.
func pow(base, exponent float64) float64 {
	n := int(exponent)
	if float64(n) != exponent || n < 2 || n > 1024 || !finite(base) || base == 0 {
		return math.Pow(base, exponent)
	}
	const precision = 256 // bits, of which the squarings lose at most one each
	result := new(big.Float).SetPrec(precision).SetInt64(1)
	square := new(big.Float).SetPrec(precision).SetFloat64(base)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result.Mul(result, square)
		}
		square.Mul(square, square)
	}
	rounded, _ := result.Float64()
	return rounded
}

// float returns a random number from 0 up to but not including 1.
func (e *evaluation) float() float64 { return float64(e.random()>>11) / (1 << 53) }

// random returns the next random number of the Env. Without a source the numbers are
// those of splitmix64 from 0, the same in each evaluation.
func (e *evaluation) random() uint64 {
	if e.env.Random != nil {
		return e.env.Random()
	}
	e.seed += 0x9E3779B97F4A7C15
	z := e.seed
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// random is $random of the reference: from 0 up to but not including 1.
func random(e *evaluation, _ []val) value.Value { return value.Float(e.float()) }

// total adds numbers up, whole ones exactly as long as they stay so.
func total(v value.Value) float64 {
	sum := 0.0
	for _, item := range v.Items() {
		sum += item.Float64()
	}
	return sum
}

// sum is $sum: exact for whole numbers in the dialect of Step Functions, until they
// do not fit.
func sum(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	if e.expr.options.StepFunctions {
		// An item with a fraction, or a sum that does not fit, has all of them added
		// as floats instead.
		exactSum := int64(0)
		for _, item := range args[0].Items() {
			whole, ok := item.Int64()
			next := exactSum + whole
			if !ok || (next > exactSum) != (whole > 0) {
				return numberOf(total(args[0].Value))
			}
			exactSum = next
		}
		return value.Int(exactSum)
	}
	return numberOf(total(args[0].Value))
}

// extreme makes $max and $min.
func extreme(sign int) native {
	return func(_ *evaluation, args []val) value.Value {
		if args[0].IsUndefined() || args[0].Len() == 0 {
			return value.Value{}
		}
		best := args[0].At(0)
		for _, item := range args[0].Items() {
			if value.CompareNumbers(item, best) == sign {
				best = item
			}
		}
		return best
	}
}

// average is $average, in floats.
func average(_ *evaluation, args []val) value.Value {
	if args[0].IsUndefined() || args[0].Len() == 0 {
		return value.Value{}
	}
	return numberOf(total(args[0].Value) / float64(args[0].Len()))
}

// boolean is $boolean: what a value counts as in a condition.
func boolean(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	return value.Of(e.truth(args[0].Value))
}

// not is $not.
func not(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	return value.Of(!e.truth(args[0].Value))
}

// formatBase is $formatBase(n, radix), of whole numbers of any size.
func formatBase(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	radix := 10
	if len(args) > 1 && !args[1].IsUndefined() {
		radix = int(roundTo(args[1].Float64(), 0))
	}
	if radix < 2 || radix > 36 {
		e.throw("D3100", args[1].Value)
	}
	n := roundTo(args[0].Float64(), 0)
	whole, _ := big.NewFloat(n).Int(nil)
	return value.Str(whole.Text(radix))
}
