package query

import (
	"crypto/md5"  //nolint:gosec // States.Hash offers it
	"crypto/sha1" //nolint:gosec // States.Hash offers it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/value"
)

// The functions below are those of the developer guide ("Intrinsics for JSONPath
// states"), with its limits. What it leaves open is as the service does it: wrong
// arguments all have the message "Invalid arguments in States.Name"; numbers are Java
// ints, whose fractions most functions cut off and States.MathAdd rounds; values are
// compared and shown as the Java objects that Jackson makes. AWS documents
// States.IntrinsicFailure, but was never seen to raise it: all failures are
// States.Runtime.

// intrinsic is an intrinsic function (spec, "Intrinsic Functions").
type intrinsic struct {
	min, max int // number of arguments; max -1: any
	// apply fails with errArguments, or with an error in AWS's words.
	apply func(a *application, args []value.Value) (value.Value, error)
}

// errArguments: the function does not take these arguments. AWS has one message
// for all that may be wrong with them.
var errArguments = errors.New("invalid arguments")

// application is what a function may need beside its arguments.
type application struct {
	scope *Scope
	text  string // the outermost call as it is written, which messages show
	call  *functionCall
}

// meter returns the meter of the evaluation, which may be nil.
func (a *application) meter() *meter.Meter { return a.scope.Meter }

// made counts the items or members that a function makes.
func (a *application) made(n int) {
	a.meter().Work(int64(n) / 2)
	a.meter().Hold(memberBytes * int64(n))
}

// scan counts the work of looking at each character of a text.
func (a *application) scan(v value.Value) { a.meter().Work(int64(len(v.Str())) / 16) }

// encoded counts a text that is made of another one, up to the length that Base64
// is made of or read from.
func (a *application) encoded(v value.Value) {
	a.scan(v)
	a.meter().Hold(textBytes * int64(min(len(v.Str()), utf8.UTFMax*maxEncoded)))
}

// fail makes the error of the field in which the function stands.
func (a *application) fail(reason string) error {
	return runtimeError("The function '"+a.text+"' had the following error: "+reason, nil)
}

// intrinsics is the table of all functions.
var intrinsics = map[string]*intrinsic{
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
	"States.UUID":           {0, -1, uuid}, // passes over arguments, as AWS does
}

// Limits of the functions (AWS developer guide, "Intrinsic functions").
const (
	maxRange   = 1000
	maxEncoded = 10000
	maxDigest  = 10000

	digestWork = 1000 // of the longest text, in a meter's units
)

// integer returns a number that Java holds as an int, without its fraction.
func integer(v value.Value) (int64, error) {
	n := math.Trunc(v.Float64())
	if v.Kind() != value.Number || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, errArguments
	}
	return int64(n), nil
}

// format replaces each {} of a template by an argument.
func format(a *application, args []value.Value) (value.Value, error) {
	if args[0].Kind() != value.String {
		return value.Value{}, errArguments
	}
	template := args[0].Str()
	if first := &a.call.args[0]; first.path == nil {
		template = first.raw
	}
	b := a.writer()
	b.count(len(template))
	rest := args[1:]
	for i := 0; i < len(template); i++ {
		switch c := template[i]; {
		case c == '\\' && i+1 < len(template) && strings.IndexByte(`{}\'`, template[i+1]) >= 0:
			i++
			b.add(template[i])
		case strings.HasPrefix(template[i:], "{}"):
			i++
			if len(rest) == 0 {
				return value.Value{}, errPlaces
			}
			b.java(rest[0])
			rest = rest[1:]
		case c == '{':
			return value.Value{}, errors.New("Invalid template in States.Format: matching '}' not found for '{'.") //nolint:revive,staticcheck // AWS's words
		case c == '}':
			return value.Value{}, errors.New("Invalid template in States.Format: matching '{' not found for '}'.") //nolint:revive,staticcheck // AWS's words
		default:
			b.add(c)
		}
	}
	if len(rest) > 0 {
		return value.Value{}, errPlaces
	}
	return value.Str(value.Joined(b.String())), nil
}

// errPlaces: States.Format has more or fewer arguments than places.
var errPlaces = errors.New("Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.") //nolint:revive,staticcheck // AWS's words

// stringToJSON is States.StringToJson. A text that is empty or blank is null (recorded: test_string_to_json).
func stringToJSON(a *application, args []value.Value) (value.Value, error) {
	if args[0].Kind() != value.String {
		return value.Value{}, errArguments
	}
	if strings.TrimSpace(args[0].Str()) == "" {
		return value.NullValue, nil
	}
	a.meter().Hold(value.DecodedSize(args[0].Str()))
	a.meter().Work(int64(len(args[0].Str())) / 2)
	v, err := value.DecodeString(args[0].Str())
	if err != nil {
		return v, errArguments
	}
	return v, nil
}

// jsonToString is States.JsonToString: without blanks.
func jsonToString(a *application, args []value.Value) (value.Value, error) {
	b := a.writer()
	b.json(args[0])
	return value.Str(b.String()), nil
}

// array is States.Array.
func array(_ *application, args []value.Value) (value.Value, error) { return value.Arr(args...), nil }

// arrayPartition is States.ArrayPartition: chunks of that many items, the last with
// what is left.
func arrayPartition(a *application, args []value.Value) (value.Value, error) {
	size, err := integer(args[1])
	if args[0].Kind() != value.Array || err != nil || size <= 0 {
		return value.Value{}, errArguments
	}
	a.made(int(int64(args[0].Len())/size) + 1)
	var chunks []value.Value
	for items := args[0].Items(); len(items) > 0; {
		n := min(size, int64(len(items)))
		chunks = append(chunks, value.Arr(items[:n:n]...))
		items = items[n:]
	}
	return value.Arr(chunks...), nil
}

// arrayContains compares texts, as AWS does: the text true is the same as the
// boolean, but objects with their members in another order are not.
func arrayContains(a *application, args []value.Value) (value.Value, error) {
	if args[0].Kind() != value.Array {
		return value.Value{}, errArguments
	}
	wanted := a.javaText(args[1])
	for _, item := range args[0].Items() {
		before := a.meter().Built()
		text := a.javaText(item)
		a.meter().Work(1 + int64(min(len(text), len(wanted)))/64)
		a.meter().Release(a.meter().Built() - before)
		if text == wanted {
			return value.Of(true), nil
		}
	}
	return value.Of(false), nil
}

// arrayRange is States.ArrayRange(first, last, step), of at most 1,000 numbers; the
// last is one of them if a step leads to it.
func arrayRange(a *application, args []value.Value) (value.Value, error) {
	var n [3]int64
	for i := range n {
		var err error
		if n[i], err = integer(args[i]); err != nil {
			return value.Value{}, err
		}
	}
	first, last, step := n[0], n[1], n[2]
	if step == 0 || (last-first)/step >= maxRange {
		return value.Value{}, errArguments
	}
	a.made(int((last-first)/step) + 1)
	var items []value.Value
	for i := first; step > 0 && i <= last || step < 0 && i >= last; i += step {
		items = append(items, value.Int(i))
	}
	return value.Arr(items...), nil
}

// arrayGetItem is States.ArrayGetItem(array, index).
func arrayGetItem(_ *application, args []value.Value) (value.Value, error) {
	i, err := integer(args[1])
	if args[0].Kind() != value.Array || err != nil {
		return value.Value{}, errArguments
	}
	switch n := args[0].Len(); {
	case i >= 0 && i < int64(n):
		return args[0].At(int(i)), nil
	case i >= 0 && n == 0:
		return value.NullValue, nil // so does AWS, of empty arrays only
	}
	return value.Value{}, errArguments
}

// arrayLength is States.ArrayLength.
func arrayLength(_ *application, args []value.Value) (value.Value, error) {
	if args[0].Kind() != value.Array {
		return value.Value{}, errArguments
	}
	return value.Int(int64(args[0].Len())), nil
}

// arrayUnique is States.ArrayUnique: the different items in the order of a Java
// HashSet.
func arrayUnique(a *application, args []value.Value) (value.Value, error) {
	if args[0].Kind() != value.Array {
		return value.Value{}, errArguments
	}
	a.made(2 * args[0].Len())
	a.meter().Work(4 * int64(args[0].Len()))
	seen := make(map[string]bool, args[0].Len())
	var firsts []int
	for i, item := range args[0].Items() {
		if key := a.javaKey(item); !seen[key] {
			seen[key] = true
			firsts = append(firsts, i)
		}
	}
	unique := make([]value.Value, 0, len(firsts))
	for _, i := range bucketOrder(firsts, len(firsts), func(i int) uint32 { return javaHash(a.meter(), args[0].At(i)) }) {
		unique = append(unique, args[0].At(i))
	}
	return value.Arr(unique...), nil
}

// base64Encode is States.Base64Encode, of at most 10,000 characters.
func base64Encode(a *application, args []value.Value) (value.Value, error) {
	a.encoded(args[0])
	if args[0].Kind() != value.String || value.RuneCount(args[0].Str()) > maxEncoded {
		return value.Value{}, errArguments
	}
	return value.Str(base64.StdEncoding.EncodeToString(value.JavaBytes(args[0].Str()))), nil
}

// base64Decode takes what is not Base64, too: AWS passes over characters that it
// does not know and stops at the first =.
func base64Decode(a *application, args []value.Value) (value.Value, error) {
	a.encoded(args[0])
	if args[0].Kind() != value.String || value.RuneCount(args[0].Str()) > maxEncoded {
		return value.Value{}, errArguments
	}
	text, _, _ := strings.Cut(args[0].Str(), "=")
	text = strings.Map(func(c rune) rune {
		switch {
		case c == '-':
			return '+'
		case c == '_':
			return '/'
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			return c
		}
		return -1
	}, text)
	if len(text)%4 == 1 {
		text = text[:len(text)-1]
	}
	decoded, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return value.Value{}, errArguments
	}
	return value.Str(value.OfBytes(decoded)), nil
}

// hash is States.Hash(data, algorithm), of at most 10,000 characters: of a text, or
// of the JSON text of anything else. Its work is counted as for the longest.
func hash(a *application, args []value.Value) (value.Value, error) {
	a.scan(args[0])
	a.meter().Work(digestWork)
	data := args[0].Str()
	if args[0].Kind() != value.String {
		text, whole := args[0].AppendUpTo(make([]byte, 0, maxDigest), utf8.UTFMax*maxDigest)
		if !whole {
			return value.Value{}, errArguments
		}
		data = string(text)
	}
	if value.RuneCount(data) > maxDigest {
		return value.Value{}, errArguments
	}
	var sum []byte
	switch b := value.JavaBytes(data); args[1].Str() {
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
		return value.Value{}, errArguments
	}
	return value.Str(hex.EncodeToString(sum)), nil
}

// jsonMerge merges shallowly, also where the third argument is no boolean.
func jsonMerge(a *application, args []value.Value) (value.Value, error) {
	if args[0].Kind() != value.Object || args[1].Kind() != value.Object || args[2].Bool() {
		return value.Value{}, errArguments
	}
	a.made(args[0].Len() + args[1].Len())
	merged := value.NewObject(args[0].Len() + args[1].Len())
	for _, object := range args[:2] {
		for i, name := range object.Names() {
			merged.Set(name, object.At(i))
		}
	}
	return merged.Value(), nil
}

// mathRandom is States.MathRandom(start, end, seed): from start up to but not
// including end. With a seed it is the first nextInt of java.util.Random (recorded:
// test_math_random_seeded).
func mathRandom(a *application, args []value.Value) (value.Value, error) {
	start, startErr := integer(args[0])
	end, endErr := integer(args[1])
	width := end - start
	if startErr != nil || endErr != nil || width <= 0 || width > math.MaxInt32 {
		return value.Value{}, errArguments
	}
	if len(args) == 2 {
		return value.Int(start + int64(a.scope.Entropy.Uint64()%uint64(width))), nil
	}
	seed := math.Trunc(args[2].Float64())
	if args[2].Kind() != value.Number || math.Abs(seed) >= 1<<53 {
		return value.Value{}, errArguments
	}
	return value.Int(start + int64(newJavaRandom(int64(seed)).intn(int32(width)))), nil
}

// mathAdd rounds its arguments, where the other functions cut their fractions off.
func mathAdd(_ *application, args []value.Value) (value.Value, error) {
	sum := 0.0
	for _, arg := range args {
		n := math.Floor(arg.Float64() + 0.5)
		if arg.Kind() != value.Number || n < math.MinInt32 || n > math.MaxInt32 {
			return value.Value{}, errArguments
		}
		sum += n
	}
	if sum < math.MinInt32 || sum > math.MaxInt32 {
		return value.Value{}, errArguments
	}
	return value.Int(int64(sum)), nil
}

// stringSplit splits at any of the characters of the second argument; empty
// parts are left out.
func stringSplit(a *application, args []value.Value) (value.Value, error) {
	if args[0].Kind() != value.String || args[1].Kind() != value.String {
		return value.Value{}, errArguments
	}
	a.meter().Work(int64(len(args[0].Str())+len(args[1].Str())) / 4)
	a.meter().Hold(int64(len(args[1].Str())) * 8) // those that are all different take more
	separators := make(map[rune]bool)
	for _, c := range value.Runes(args[1].Str()) {
		separators[c] = true
	}
	var parts []value.Value
	add := func(part string) {
		if part != "" {
			a.made(1)
			parts = append(parts, value.Str(part))
		}
	}
	text, start := args[0].Str(), 0
	for i := 0; i < len(text); {
		c, size := value.DecodeRune(text[i:])
		if separators[c] {
			add(text[start:i])
			start = i + size
		}
		i += size
	}
	add(text[start:])
	return value.Arr(parts...), nil
}

// uuid is States.UUID: version 4 (RFC 9562), of the scope's Entropy.
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
