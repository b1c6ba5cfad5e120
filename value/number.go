package value

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// # Numbers
//
// JSON does not say what a number is; Java says it for AWS. A payload that passes
// through a state keeps the text of its numbers: 1.0 stays 1.0, and an id of 30
// digits keeps all of them. A number that is computed has no text, and is written as
// Java writes it. Both are Values, in five forms: the text; the text and the int64 or
// the float64 that was read from it; an int64; a float64. Reading a number from its
// text is slow enough that Num does it at once for the usual ones: whole numbers
// below 10^18, and fractions whose digits and power of ten are exact floats, so that
// their quotient is the nearest float (Clinger's fast path).
//
// Comparing is exact also where a float64 would round: first as int64, then as
// floats, and as big numbers only where floats of 2^53 and more are equal.

// numberForm says where the number of a Value is.
type numberForm uint8

const (
	textForm      numberForm = iota // in text, as it was written
	intForm                         // in bits, an int64
	floatForm                       // in bits, a float64
	textIntForm                     // in text, and in bits as an int64
	textFloatForm                   // in text, and in bits as the float64 nearest to it
)

// Int makes a number.
func Int(i int64) Value { return Value{kind: Number, form: intForm, bits: uint64(i)} }

// Float makes a number. A NaN or an infinity, which JSON cannot hold, becomes
// the string AWS shows for it: "NaN", "Infinity", "-Infinity".
func Float(f float64) Value {
	switch {
	case math.IsNaN(f):
		return Str("NaN")
	case math.IsInf(f, 1):
		return Str("Infinity")
	case math.IsInf(f, -1):
		return Str("-Infinity")
	}
	return Value{kind: Number, form: floatForm, bits: math.Float64bits(f)}
}

// AnyFloat is Float that keeps a NaN or an infinity a number, for those who compute
// with it: it is encoded as the string.
func AnyFloat(f float64) Value {
	return Value{kind: Number, form: floatForm, bits: math.Float64bits(f)}
}

// Num makes a number of its JSON text, which the caller has checked. The text
// is kept: 1.0 stays 1.0, and integers of any size stay exact.
func Num(text string) Value {
	v := Value{kind: Number, form: textForm, text: text}
	v.read()
	return v
}

// tens are the powers of ten that a float64 holds exactly.
var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// read takes the number out of a text without an exponent and of at most 18
// digits, so that it is read once: a whole number, or a quotient of two exact
// floats, which is the nearest one.
func (v *Value) read() {
	digits, negative := v.text, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	if len(digits) == 0 || len(digits) > 19 {
		return
	}
	var n uint64
	point := -1
	for i := range len(digits) {
		c := digits[i] - '0'
		if c > 9 {
			if digits[i] != '.' || point >= 0 {
				return
			}
			point = i
			continue
		}
		n = 10*n + uint64(c)
	}
	switch {
	case point < 0 && len(digits) < 19:
		v.form, v.bits = textIntForm, n
		if negative {
			v.bits = -n
		}
	case point >= 0 && n < 1<<53:
		f := float64(n) / tens[len(digits)-1-point]
		if negative {
			f = -f
		}
		v.form, v.bits = textFloatForm, math.Float64bits(f)
	}
}

// Int64 returns the number as an integer. It is false when v is no number, has a
// fraction that is not zero, or does not fit.
func (v Value) Int64() (int64, bool) {
	if v.kind == Number && (v.form == intForm || v.form == textIntForm) {
		return int64(v.bits), true
	}
	return v.wholeOf()
}

// wholeOf is Int64 for what is not held as a whole number.
func (v *Value) wholeOf() (int64, bool) {
	switch {
	case v.kind != Number:
		return 0, false
	case v.form == textForm:
		if i, ok := parseInt(v.text); ok {
			return i, true
		}
	}
	f := v.Float64()
	if f != math.Trunc(f) || f < -(1<<63) || f >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// Float64 returns the number as a float, rounded to the nearest; 0 when v is no
// number. Numbers beyond the range of a float64 become an infinity.
func (v Value) Float64() float64 {
	if v.kind != Number {
		return 0
	}
	switch v.form {
	case intForm, textIntForm:
		return float64(int64(v.bits))
	case floatForm, textFloatForm:
		return math.Float64frombits(v.bits)
	case textForm:
	}
	f, _ := strconv.ParseFloat(v.text, 64)
	return f
}

// parseInt reads a whole number written as one, without the error that strconv
// would make of any other. Numbers of JSON have no leading zeros and no +.
func parseInt(text string) (int64, bool) {
	digits := text
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var n uint64
	for i := range len(digits) {
		c := digits[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = 10*n + uint64(c)
	}
	if len(digits) < len(text) {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}

// Digits is the length of the text that a number was written with, 0 for one that
// was computed or is read already: comparing it takes as long.
func (v Value) Digits() int {
	if v.kind != Number {
		return 0
	}
	return len(v.text)
}

// IsInteger reports whether v is a number written without fraction and
// exponent, or computed as an integer.
func (v Value) IsInteger() bool {
	if v.kind != Number {
		return false
	}
	switch v.form {
	case intForm, textIntForm:
		return true
	case floatForm, textFloatForm:
		return false
	case textForm:
	}
	return !strings.ContainsAny(v.text, ".eE")
}

// CompareNumbers compares two numbers by value, exactly also where a float64 would
// round: -1, 0 or 1. A NaN equals nothing: 1 is returned for it on either side.
func CompareNumbers(a, b Value) int {
	if i, ok := a.exactInt(); ok {
		if j, ok := b.exactInt(); ok {
			switch {
			case i < j:
				return -1
			case i > j:
				return 1
			}
			return 0
		}
	}
	f, g := a.Float64(), b.Float64()
	switch {
	case math.IsNaN(f) || math.IsNaN(g):
		return 1
	case f < g:
		return -1
	case f > g:
		return 1
	case math.Abs(f) < 1<<53:
		return 0
	}
	return a.big().Cmp(b.big())
}

// exactInt returns a whole number written or computed as one.
func (v Value) exactInt() (int64, bool) {
	switch v.form {
	case intForm, textIntForm:
		return int64(v.bits), true
	case textForm:
		return parseInt(v.text)
	case floatForm, textFloatForm:
	}
	return 0, false
}

// big returns the exact number, of up to 2048 bits. A number beyond the range of a
// float64, whose exact form would be huge, becomes an infinity.
func (v Value) big() *big.Float {
	if v.form == textForm || v.form == textFloatForm {
		if f := v.Float64(); math.IsInf(f, 0) {
			return new(big.Float).SetInf(f < 0)
		}
		if x, _, err := big.ParseFloat(v.text, 10, 2048, big.ToNearestEven); err == nil {
			return x
		}
	}
	if i, ok := v.exactInt(); ok {
		return new(big.Float).SetInt64(i)
	}
	return big.NewFloat(v.Float64())
}

// appendNumber writes a number: the text it was written with, or for computed
// ones what the service's Java runtime prints.
func (v Value) appendNumber(dst []byte) []byte {
	switch v.form {
	case textForm, textIntForm, textFloatForm:
		return append(dst, v.text...)
	case intForm:
		return strconv.AppendInt(dst, int64(v.bits), 10)
	case floatForm:
	}
	f := math.Float64frombits(v.bits)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return AppendString(dst, Float(f).text)
	}
	return AppendFloat(dst, f)
}

// AppendFloat writes a finite float as AWS does: integral ones that fit an
// int64 without a fraction, all others as Java's Double.toString does
// (9.223372036854776E18).
func AppendFloat(dst []byte, f float64) []byte {
	abs := math.Abs(f)
	if f == math.Trunc(f) && abs < 1<<63 {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	if abs >= 1e-3 && abs < 1e7 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	text := strconv.FormatFloat(f, 'E', -1, 64)
	mantissa, exponent, _ := strings.Cut(text, "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	sign, digits := exponent[:1], strings.TrimLeft(exponent[1:], "0")
	if sign == "+" {
		sign = ""
	}
	return append(append(append(append(dst, mantissa...), 'E'), sign...), digits...)
}
