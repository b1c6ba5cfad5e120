package jsonata

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"math"

	"github.com/steppehq/steppe/value"
)

// The functions that Step Functions adds show the service's Java: $random(seed) is a
// generator of java.util.Random, $hash takes the names of Java's digests, and $range
// and $partition have its limits. The developer guide describes their arguments
// ("Transforming data with JSONata in Step Functions"); what they do at the edges is
// as the service was seen to do it. Where it fails, it is with the code D3137 and
// words of its own, or ours where the service's are not known.

// awsFunctions are those that Step Functions adds (developer guide, "JSONata
// functions provided by Step Functions").
var awsFunctions = []entry{
	{"partition", "<a?n?:a>", partition},
	{"range", "<n?n?n?:a>", rangeFunction},
	{"hash", "<x?s?:s>", hashFunction},
	{"random", "<n?:n>", awsRandom},
	{"uuid", "<:s>", uuid},
	{"parse", "<s?:x>", parse},
}

// awsFailure throws an error of one of these functions.
func (e *evaluation) awsFailure(message string) { e.throw("D3137", value.Str(message)) }

// partition is $partition(array, size): chunks of that many items, the last with what
// is left. Of an empty array it is undefined.
func partition(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() || args[0].Len() == 0 {
		return value.Value{}
	}
	size := args[0].Len()
	if !args[1].IsUndefined() {
		size = intArg(args[1])
	}
	if size == 0 {
		return value.Value{}
	}
	if size < 0 {
		e.awsFailure("The chunk size must be positive")
	}
	n := args[0].Len()/size + 1
	e.tick(n / 4)
	e.meter.Hold((2*itemBytes + grownBytes) * int64(n))
	var chunks []value.Value
	for items := args[0].Items(); len(items) > 0; {
		n := min(size, len(items))
		chunks = append(chunks, value.Arr(items[:n:n]...))
		items = items[n:]
	}
	e.charge(int64(8 * (len(chunks) + args[0].Len())))
	return value.Arr(chunks...)
}

// maxStepRange is how many numbers the range function makes: the service makes as many,
// and not one more. What the range operator makes is bounded by its bytes.
const maxStepRange = 360_145

// rangeFunction is $range(first, last, step). The numbers are cut to whole ones. A
// range of one number is that number.
func rangeFunction(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() || args[1].IsUndefined() || args[2].IsUndefined() {
		return value.Value{}
	}
	first, last, step := math.Trunc(args[0].Float64()), math.Trunc(args[1].Float64()), math.Trunc(args[2].Float64())
	size := math.Floor((last-first)/step) + 1
	if step == 0 || size <= 0 || math.IsNaN(size) {
		return value.Value{}
	}
	// The service names no limit here: its error is that of the memory.
	if size > maxStepRange {
		panic(&Error{Code: limitCode, Message: errMemory})
	}
	e.charge(8 * int64(size))
	e.tick(int(min(size, 1<<30)))
	e.items(int(size))
	items := make([]value.Value, 0, int(size))
	for i := 0.0; i < size; i++ {
		items = append(items, numberOf(first+i*step))
	}
	if len(items) == 1 {
		return items[0]
	}
	return value.Arr(items...)
}

// hashFunction is $hash(value, algorithm): in hexadecimal digits, of a text or of the
// JSON text of anything else.
func hashFunction(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() || args[1].IsUndefined() {
		return value.Value{}
	}
	e.texts(len(args[0].Str()))
	e.tick(len(args[0].Str()) / 8)
	data := value.JavaBytes(args[0].Str())
	if args[0].Kind() != value.String {
		data = []byte(e.stringOf(args[0].Value, false))
	}
	switch args[1].Str() {
	case "MD5":
		sum := md5.Sum(data)
		return value.Str(hex.EncodeToString(sum[:]))
	case "SHA-1":
		sum := sha1.Sum(data)
		return value.Str(hex.EncodeToString(sum[:]))
	case "SHA-256":
		sum := sha256.Sum256(data)
		return value.Str(hex.EncodeToString(sum[:]))
	case "SHA-384":
		sum := sha512.Sum384(data)
		return value.Str(hex.EncodeToString(sum[:]))
	case "SHA-512":
		sum := sha512.Sum512(data)
		return value.Str(hex.EncodeToString(sum[:]))
	}
	e.awsFailure("The hash algorithm " + args[1].String() + " is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512")
	return value.Value{}
}

// awsRandom is $random: with a seed it is the first nextDouble of java.util.Random,
// so that the same seed always returns the same number, as on AWS.
func awsRandom(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return random(e, args)
	}
	state := (uint64(int64(args[0].Float64())) ^ 0x5DEECE66D) & (1<<48 - 1)
	next := func(bits uint) uint64 {
		state = (state*0x5DEECE66D + 0xB) & (1<<48 - 1)
		return state >> (48 - bits)
	}
	high := next(26)
	return value.Float(float64(high<<27+next(27)) / (1 << 53))
}

// uuid is $uuid: a version 4 UUID (RFC 9562) of the Env's random numbers.
func uuid(e *evaluation, _ []val) value.Value {
	var b [16]byte
	for i := range 2 {
		n := e.random()
		for j := range 8 {
			b[8*i+j] = byte(n >> (8 * j))
		}
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	x := hex.EncodeToString(b[:])
	return value.Str(x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:])
}

// parse is $parse: the value of a JSON text.
func parse(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	e.meter.Hold(value.DecodedSize(args[0].Str()))
	e.tick(len(args[0].Str()) / 2)
	v, err := value.DecodeString(args[0].Str())
	if err != nil {
		e.awsFailure("The argument of the parse function is not JSON: " + err.Error())
	}
	return v
}
