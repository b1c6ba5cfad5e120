package query

import (
	"encoding/binary"
	"math"
	"math/big"
	"unicode/utf16"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/value"
)

// The service is written in Java, and some of that can be seen: the order of a
// HashMap in what templates and States.ArrayUnique make, hash codes through that
// order, and java.util.Random in seeded functions. Java documents all three
// (String.hashCode, List.hashCode, Random.next), and HashMap's order follows from the
// number of its buckets, so they can be computed.

// This file holds what shows through of the Java that the service is written in.

// javaRandom is java.util.Random, which AWS's seeded functions show.
type javaRandom struct{ state uint64 }

// newJavaRandom scrambles the seed as Java does.
func newJavaRandom(seed int64) *javaRandom {
	return &javaRandom{(uint64(seed) ^ 0x5DEECE66D) & (1<<48 - 1)}
}

// next returns the highest bits of the next state: a linear congruential generator of
// 48 bits (Knuth, volume 2, 3.2.1).
func (r *javaRandom) next(bits uint) int32 {
	r.state = (r.state*0x5DEECE66D + 0xB) & (1<<48 - 1)
	return int32(r.state >> (48 - bits))
}

// intn returns a number from 0 up to but not including bound, as nextInt(bound): it
// tries again where a remainder would make small numbers more likely.
func (r *javaRandom) intn(bound int32) int32 {
	if bound&-bound == bound {
		return int32(int64(bound) * int64(r.next(31)) >> 31)
	}
	for {
		bits := r.next(31)
		n := bits % bound
		if bits-n+(bound-1) >= 0 {
			return n
		}
	}
}

// bucketOrder returns items in the order in which a Java HashMap made for size
// entries iterates over them: by bucket, and in one bucket as they came. The number
// of buckets is a power of two, 16 or more, of which at most three quarters are
// filled.
func bucketOrder(items []int, size int, hash func(item int) uint32) []int {
	capacity := uint32(16)
	for int(capacity)*3 < size*4 {
		capacity *= 2
	}
	buckets := make(map[uint32][]int, len(items))
	for _, item := range items {
		h := hash(item)
		bucket := (h ^ h>>16) & (capacity - 1)
		buckets[bucket] = append(buckets[bucket], item)
	}
	order := make([]int, 0, len(items))
	for bucket := range capacity {
		order = append(order, buckets[bucket]...)
	}
	return order
}

// javaStringHash is the hash code of a java.lang.String: over UTF-16 units.
func javaStringHash(s string) uint32 {
	var h uint32
	for i := 0; i < len(s); {
		c, size := value.DecodeRune(s[i:])
		if i += size; c > 0xFFFF {
			var high rune
			high, c = utf16.EncodeRune(c)
			h = 31*h + uint32(high)
		}
		h = 31*h + uint32(c)
	}
	return h
}

// javaHash is the hash code of the plain Java value that Jackson makes of a JSON
// value: String, Integer, ArrayList, LinkedHashMap…
func javaHash(m *meter.Meter, v value.Value) uint32 {
	m.Work(1 + int64(len(v.Str()))/16)
	var h uint32
	switch v.Kind() {
	case value.Undefined, value.Null:
	case value.Bool:
		if v.Bool() {
			return 1231
		}
		return 1237
	case value.Number:
		m.Work(int64(v.Digits()))
		return javaNumberHash(v)
	case value.String:
		return javaStringHash(v.Str())
	case value.Array:
		h = 1
		for _, item := range v.Items() {
			h = 31*h + javaHash(m, item)
		}
	case value.Object:
		for i, name := range v.Names() {
			m.Work(int64(len(name)) / 16)
			h += javaStringHash(name) ^ javaHash(m, v.At(i))
		}
	}
	return h
}

// javaNumberHash is that of an Integer, Long, BigInteger or Double.
func javaNumberHash(v value.Value) uint32 {
	n, fits := v.Int64()
	switch {
	case !v.IsInteger():
		bits := math.Float64bits(v.Float64())
		return uint32(bits ^ bits>>32)
	case !fits:
		return bigIntegerHash(v.String())
	case n == int64(int32(n)):
		return uint32(n)
	}
	return uint32(n ^ n>>32)
}

// bigIntegerHash is that of a BigInteger: over its magnitude in words of 32 bits.
func bigIntegerHash(text string) uint32 {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return 0
	}
	magnitude := make([]byte, (n.BitLen()+31)/32*4)
	n.FillBytes(magnitude)
	var h uint32
	for ; len(magnitude) > 0; magnitude = magnitude[4:] {
		h = 31*h + binary.BigEndian.Uint32(magnitude)
	}
	if n.Sign() < 0 {
		return -h
	}
	return h
}
