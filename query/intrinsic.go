package query

import (
	"crypto/md5"  //nolint:gosec // States.Hash offers it
	"crypto/sha1" //nolint:gosec // States.Hash offers it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/steppehq/steppe/value"
)

// intrinsic is an intrinsic function (spec, "Intrinsic Functions").
type intrinsic struct {
	min, max int // number of arguments; max -1: any
	apply    func(a *application, args []value.Value) (value.Value, error)
}

// application is what a function may need beside its arguments.
type application struct {
	scope *Scope
	call  *call
}

// intrinsics is the table of all functions.
var intrinsics map[string]*intrinsic

func init() { // the table refers to itself: functions are arguments of functions
	intrinsics = map[string]*intrinsic{
		"States.Format":         {1, -1, format},
		"States.StringToJson":   {1, 1, stringToJSON},
		"States.JsonToString":   {1, 1, jsonToString},
		"States.Array":          {0, -1, array},
		"States.ArrayPartition": {2, 2, arrayPartition},
		"States.ArrayContains":  {2, 2, arrayContains},
		"States.ArrayRange":     {3, 3, arrayRange},
		"States.ArrayGetItem":   {2, 2, arrayGetItem},
		"States.ArrayLength":    {1, 1, arrayLength},
		"States.ArrayUnique":    {1, 1, arrayUnique},
		"States.Base64Encode":   {1, 1, base64Encode},
		"States.Base64Decode":   {1, 1, base64Decode},
		"States.Hash":           {2, 2, hash},
		"States.JsonMerge":      {3, 3, jsonMerge},
		"States.MathRandom":     {2, 3, mathRandom},
		"States.MathAdd":        {2, 2, mathAdd},
		"States.StringSplit":    {2, 2, stringSplit},
		"States.UUID":           {0, 0, uuid},
	}
}

// Limits of the functions (AWS developer guide, "Intrinsic functions").
const (
	maxRange   = 1000
	maxEncoded = 10000
	maxDigest  = 10000
)

func isArray(v value.Value, what string) error {
	if v.Kind() != value.Array {
		return fmt.Errorf("%s must be an array, but was: %s", what, v)
	}
	return nil
}

func isString(v value.Value, what string) error {
	if v.Kind() != value.String {
		return fmt.Errorf("%s must be a string, but was: %s", what, v)
	}
	return nil
}

// integer gives a number, rounded to the nearest integer.
func integer(v value.Value, what string) (int64, error) {
	if v.Kind() != value.Number {
		return 0, fmt.Errorf("%s must be a number, but was: %s", what, v)
	}
	if n, ok := v.Int64(); ok {
		return n, nil
	}
	rounded := math.Floor(v.Float64() + 0.5)
	if math.Abs(rounded) >= 1<<53 {
		return 0, fmt.Errorf("%s is too large: %s", what, v)
	}
	return int64(rounded), nil
}

// format replaces each {} of a template by an argument.
func format(a *application, args []value.Value) (value.Value, error) {
	if err := isString(args[0], "the template"); err != nil {
		return value.Value{}, err
	}
	template := args[0].Str()
	if first := &a.call.args[0]; first.path == nil {
		template = first.raw
	}
	var b strings.Builder
	rest := args[1:]
	for i := 0; i < len(template); i++ {
		switch c := template[i]; {
		case c == '\\' && i+1 < len(template) && strings.IndexByte(`{}\'`, template[i+1]) >= 0:
			i++
			b.WriteByte(template[i])
		case c == '{' && i+1 < len(template) && template[i+1] == '}':
			i++
			if len(rest) == 0 {
				return value.Value{}, errors.New("the template has more {} than there are arguments")
			}
			b.WriteString(javaText(rest[0]))
			rest = rest[1:]
		case c == '{' || c == '}':
			return value.Value{}, errors.New("the template has a brace that is neither part of {} nor escaped")
		default:
			b.WriteByte(c)
		}
	}
	if len(rest) > 0 {
		return value.Value{}, errors.New("the template has fewer {} than there are arguments")
	}
	return value.Str(b.String()), nil
}

// javaText is a value as Java's toString shows it: {Id=x, Name=y}.
func javaText(v value.Value) string {
	switch v.Kind() {
	case value.String:
		return v.Str()
	case value.Array, value.Object:
		var b strings.Builder
		brackets := "[]"
		if v.Kind() == value.Object {
			brackets = "{}"
		}
		b.WriteByte(brackets[0])
		for i, item := range v.Items() {
			if i > 0 {
				b.WriteString(", ")
			}
			if v.Kind() == value.Object {
				b.WriteString(v.Names()[i] + "=")
			}
			b.WriteString(javaText(item))
		}
		b.WriteByte(brackets[1])
		return b.String()
	case value.Undefined, value.Null, value.Bool, value.Number:
	}
	return v.String()
}

func stringToJSON(_ *application, args []value.Value) (value.Value, error) {
	if err := isString(args[0], "the argument"); err != nil {
		return value.Value{}, err
	}
	if strings.TrimSpace(args[0].Str()) == "" {
		return value.NullValue, nil // recorded
	}
	return value.DecodeString(args[0].Str())
}

func jsonToString(_ *application, args []value.Value) (value.Value, error) {
	return value.Str(args[0].String()), nil
}

func array(_ *application, args []value.Value) (value.Value, error) { return value.Arr(args...), nil }

func arrayPartition(_ *application, args []value.Value) (value.Value, error) {
	if err := isArray(args[0], "the first argument"); err != nil {
		return value.Value{}, err
	}
	size, err := integer(args[1], "the chunk size")
	if err != nil {
		return value.Value{}, err
	}
	if size <= 0 {
		return value.Value{}, fmt.Errorf("the chunk size must be positive, but was: %d", size)
	}
	var chunks []value.Value
	for items := args[0].Items(); len(items) > 0; {
		n := min(size, int64(len(items)))
		chunks = append(chunks, value.Arr(items[:n:n]...))
		items = items[n:]
	}
	return value.Arr(chunks...), nil
}

func arrayContains(_ *application, args []value.Value) (value.Value, error) {
	if err := isArray(args[0], "the first argument"); err != nil {
		return value.Value{}, err
	}
	for _, item := range args[0].Items() {
		if value.Equal(item, args[1]) {
			return value.Of(true), nil
		}
	}
	return value.Of(false), nil
}

func arrayRange(_ *application, args []value.Value) (value.Value, error) {
	var n [3]int64
	for i, what := range []string{"the first value", "the final value", "the increment"} {
		var err error
		if n[i], err = integer(args[i], what); err != nil {
			return value.Value{}, err
		}
	}
	first, last, step := n[0], n[1], n[2]
	if step == 0 {
		return value.Value{}, errors.New("the increment must not be zero")
	}
	var items []value.Value
	for i := first; step > 0 && i <= last || step < 0 && i >= last; i += step {
		if len(items) == maxRange {
			return value.Value{}, fmt.Errorf("the range has more than %d items", maxRange)
		}
		items = append(items, value.Int(i))
	}
	return value.Arr(items...), nil
}

func arrayGetItem(_ *application, args []value.Value) (value.Value, error) {
	if err := isArray(args[0], "the first argument"); err != nil {
		return value.Value{}, err
	}
	i, err := integer(args[1], "the index")
	if err != nil {
		return value.Value{}, err
	}
	if i < 0 || i >= int64(args[0].Len()) {
		return value.Value{}, fmt.Errorf("the index %d is out of the bounds of an array of %d items", i, args[0].Len())
	}
	return args[0].At(int(i)), nil
}

func arrayLength(_ *application, args []value.Value) (value.Value, error) {
	if err := isArray(args[0], "the argument"); err != nil {
		return value.Value{}, err
	}
	return value.Int(int64(args[0].Len())), nil
}

func arrayUnique(_ *application, args []value.Value) (value.Value, error) {
	if err := isArray(args[0], "the argument"); err != nil {
		return value.Value{}, err
	}
	seen := make(map[string]bool, args[0].Len())
	var unique []value.Value
	for _, item := range args[0].Items() {
		if key := item.String(); !seen[key] {
			seen[key] = true
			unique = append(unique, item)
		}
	}
	return value.Arr(unique...), nil
}

func base64Encode(_ *application, args []value.Value) (value.Value, error) {
	if err := isString(args[0], "the argument"); err != nil {
		return value.Value{}, err
	}
	if utf8.RuneCountInString(args[0].Str()) > maxEncoded {
		return value.Value{}, fmt.Errorf("the argument is longer than %d characters", maxEncoded)
	}
	return value.Str(base64.StdEncoding.EncodeToString([]byte(args[0].Str()))), nil
}

func base64Decode(_ *application, args []value.Value) (value.Value, error) {
	if err := isString(args[0], "the argument"); err != nil {
		return value.Value{}, err
	}
	if len(args[0].Str()) > maxEncoded {
		return value.Value{}, fmt.Errorf("the argument is longer than %d characters", maxEncoded)
	}
	decoded, err := base64.StdEncoding.DecodeString(args[0].Str())
	if err != nil {
		return value.Value{}, fmt.Errorf("the argument is not Base64: %w", err)
	}
	return value.Str(strings.ToValidUTF8(string(decoded), "\uFFFD")), nil
}

func hash(_ *application, args []value.Value) (value.Value, error) {
	if err := isString(args[1], "the algorithm"); err != nil {
		return value.Value{}, err
	}
	data := args[0].String()
	if args[0].Kind() == value.String {
		data = args[0].Str()
	}
	if utf8.RuneCountInString(data) > maxDigest {
		return value.Value{}, fmt.Errorf("the data is longer than %d characters", maxDigest)
	}
	var sum []byte
	switch b := []byte(data); args[1].Str() {
	case "MD5":
		s := md5.Sum(b) //nolint:gosec // asked for by name
		sum = s[:]
	case "SHA-1":
		s := sha1.Sum(b) //nolint:gosec // asked for by name
		sum = s[:]
	case "SHA-256":
		s := sha256.Sum256(b)
		sum = s[:]
	case "SHA-384":
		s := sha512.Sum384(b)
		sum = s[:]
	case "SHA-512":
		s := sha512.Sum512(b)
		sum = s[:]
	default:
		return value.Value{}, fmt.Errorf("the algorithm %q is not known; there are MD5, SHA-1, SHA-256, SHA-384, SHA-512", args[1].Str())
	}
	return value.Str(hex.EncodeToString(sum)), nil
}

func jsonMerge(_ *application, args []value.Value) (value.Value, error) {
	if args[0].Kind() != value.Object || args[1].Kind() != value.Object {
		return value.Value{}, errors.New("the first two arguments must be objects")
	}
	if args[2].Kind() != value.Bool || args[2].Bool() {
		return value.Value{}, errors.New("the third argument must be false: only shallow merging is supported")
	}
	merged := value.NewObject(args[0].Len() + args[1].Len())
	for _, object := range args[:2] {
		for i, name := range object.Names() {
			merged.Set(name, object.At(i))
		}
	}
	return merged.Value(), nil
}

func mathRandom(a *application, args []value.Value) (value.Value, error) {
	start, err := integer(args[0], "the start")
	if err != nil {
		return value.Value{}, err
	}
	end, err := integer(args[1], "the end")
	if err != nil {
		return value.Value{}, err
	}
	width := end - start
	if width <= 0 || width > math.MaxInt32 {
		return value.Value{}, errors.New("the end must be greater than the start, by at most 2147483647")
	}
	if len(args) == 3 {
		seed, err := integer(args[2], "the seed")
		if err != nil {
			return value.Value{}, err
		}
		return value.Int(start + int64(newJavaRandom(seed).intn(int32(width)))), nil
	}
	return value.Int(start + int64(a.scope.Entropy.Uint64()%uint64(width))), nil
}

func mathAdd(_ *application, args []value.Value) (value.Value, error) {
	a, err := integer(args[0], "the first argument")
	if err != nil {
		return value.Value{}, err
	}
	b, err := integer(args[1], "the second argument")
	if err != nil {
		return value.Value{}, err
	}
	if sum := a + b; (sum > a) == (b > 0) {
		return value.Int(sum), nil
	}
	return value.Value{}, errors.New("the sum is too large")
}

// stringSplit splits at any of the characters of the second argument; empty
// parts are left out.
func stringSplit(_ *application, args []value.Value) (value.Value, error) {
	if err := errors.Join(isString(args[0], "the text"), isString(args[1], "the splitter")); err != nil {
		return value.Value{}, err
	}
	var parts []value.Value
	for part := range strings.FieldsFuncSeq(args[0].Str(), func(c rune) bool { return strings.ContainsRune(args[1].Str(), c) }) {
		parts = append(parts, value.Str(part))
	}
	return value.Arr(parts...), nil
}

func uuid(a *application, _ []value.Value) (value.Value, error) {
	var b [16]byte
	for i := range 2 {
		n := a.scope.Entropy.Uint64()
		for j := range 8 {
			b[8*i+j] = byte(n >> (8 * j))
		}
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	x := hex.EncodeToString(b[:])
	return value.Str(x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]), nil
}
