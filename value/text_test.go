package value_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/steppehq/steppe/value"
)

// The halves of 😀, as strings hold them.
const (
	high = "\xed\xa0\xbd"
	low  = "\xed\xb8\x80"
)

func TestHalvesAreDecodedAndEncoded(t *testing.T) {
	for text, want := range map[string]string{
		`"\ud83d"`:                       high,
		`"\uD83D"`:                       high,
		`"\ude00"`:                       low,
		`"\ude00\ud83d"`:                 low + high,
		`"\ud83d\ude00"`:                 "😀",
		`"\ud83d\ud83d\ude00"`:           high + "😀",
		`"\ud83d\ude00\ude00"`:           "😀" + low,
		`"a\ud83db\n\"\\\/\b\f\r\t"`:     "a" + high + "b\n\"\\/\b\f\r\t",
		`"\\ud83d"`:                      `\ud83d`,
		`"\\\ud83d"`:                     `\` + high,
		`"\ud83d\\"`:                     high + `\`,
		`"\ud83d\\\"\u00e9"`:             high + `\"é`,
		`"\ud83dx\ude00 😀 \ud83d\u0041"`: high + "x" + low + " 😀 " + high + "A",
	} {
		v, err := value.Decode([]byte(text))
		if err != nil || v.Str() != want {
			t.Errorf("%s is %q, %v, want %q", text, v.Str(), err, want)
			continue
		}
		again, err := value.Decode(v.Append(nil))
		if err != nil || !value.Equal(v, again) {
			t.Errorf("%s is encoded as %s, which is %q, %v", text, v, again.Str(), err)
		}
	}
	const document = `{"\ud83d":["\ude00",{"a\"":"\ud83d\ude00"}],"x":"y","\udbff":1}`
	v, err := value.Decode([]byte(document))
	if want := strings.ReplaceAll(document, `\ud83d\ude00`, "😀"); err != nil || v.String() != want {
		t.Errorf("%s came back as %s, %v", document, v, err)
	}
}

func TestHalvesInTextThatIsRefused(t *testing.T) {
	for text, offset := range map[string]int64{`["\ud83d",}`: 9, `"\ud83d`: 7, `{"\ud83d":"\ud83"}`: 11, `"\ud83d\`: 8, "\"\\ud83d\xff\"": 7} {
		_, err := value.Decode([]byte(text))
		syntax, ok := errors.AsType[*value.SyntaxError](err)
		if !ok || syntax.Offset != offset {
			t.Errorf("%s: %v, want one at %d", text, err, offset)
		}
	}
	// The bytes of a half are no UTF-8: no caller may send them.
	if _, err := value.Decode([]byte(`"` + high + `"`)); err == nil {
		t.Error("the bytes of a half were taken from outside")
	}
	// But a string of this package that holds JSON may.
	if v, err := value.DecodeString(`["` + high + `","\ud83d` + low + `"]`); err != nil || v.String() != `["\ud83d","😀"]` {
		t.Errorf("%v, %v", v, err)
	}
}

func TestScannerReadsHalves(t *testing.T) {
	s := value.NewScanner([]byte(`{"\ud83d":"\ude00","raw":["\ud83d" , 1]}`))
	var got []string
	err := s.Object(func(name string) error {
		if name == "raw" {
			raw, err := s.Raw()
			got = append(got, string(raw))
			return err
		}
		v, err := s.Value()
		got = append(got, name, v.Str())
		return err
	})
	if want := []string{high, low, `["\ud83d" , 1]`}; err != nil || s.End() != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// TestTextIsUTF16 holds the functions on texts against texts that are slices of
// UTF-16 units, as Java and JavaScript have them.
func TestTextIsUTF16(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []uint16{'a', 'b', 0xE9, 0x20AC, 0xD7FF, 0xD83D, 0xD83E, 0xDE00, 0xDE01, 0xE000, 0xFFFD, 0xFFFF}
	make16 := func() []uint16 {
		units := make([]uint16, random.IntN(6))
		for i := range units {
			units[i] = alphabet[random.IntN(len(alphabet))]
		}
		return units
	}
	sign := func(n int) int { return min(max(n, -1), 1) }
	for range 20_000 {
		a, b := make16(), make16()
		x, y := value.OfUTF16(a), value.OfUTF16(b)
		if got := value.UTF16(x); !slices.Equal(got, a) || value.UTF16Len(x) != len(a) {
			t.Fatalf("%x became %x of length %d", a, got, value.UTF16Len(x))
		}
		if got, want := value.Joined(x+y), value.OfUTF16(slices.Concat(a, b)); got != want {
			t.Fatalf("%x and %x joined are %q, want %q", a, b, got, want)
		}
		if got, want := sign(value.CompareUTF16(x, y)), slices.Compare(a, b); got != want {
			t.Fatalf("%x compared to %x is %d, want %d", a, b, got, want)
		}
		runes := value.Runes(x)
		if value.RuneCount(x) != len(runes) || value.OfRunes(runes) != x {
			t.Fatalf("%x has %d characters: %x", a, value.RuneCount(x), runes)
		}
		if value.HasHalves(x) != slices.ContainsFunc(runes, utf16.IsSurrogate) {
			t.Fatalf("%x: HasHalves is %v", a, value.HasHalves(x))
		}
		if got, want := string(value.JavaBytes(x)), strings.ReplaceAll(string(utf16.Decode(a)), "\uFFFD", "?"); strings.ReplaceAll(got, "\uFFFD", "?") != want {
			t.Fatalf("%x as bytes is %q, want %q", a, got, want)
		}
		if last, size := value.DecodeLastRune(x); len(runes) > 0 && (last != runes[len(runes)-1] || value.OfRunes(runes[:len(runes)-1]) != x[:len(x)-size]) {
			t.Fatalf("%x ends with %x of %d bytes", a, last, size)
		}
		v, err := value.Decode(value.Str(x).Append(nil))
		if err != nil || v.Str() != x || !utf8.Valid(value.Str(x).Append(nil)) {
			t.Fatalf("%x is encoded as %s, %v", a, value.Str(x), err)
		}
		if value.HasHalves(value.EscapeHalves(x)) {
			t.Fatalf("%x has halves when escaped", a)
		}
	}
}

func TestNoUTF8IsReplaced(t *testing.T) {
	for text, want := range map[string]string{"\xed": "\"\uFFFD\"", "\xed\xa0": "\"\uFFFD\uFFFD\"", "\xed\xa0\x41": "\"\uFFFD\uFFFDA\"", "\xff" + high: "\"\uFFFD\\ud83d\""} {
		if got := value.Str(text).String(); got != want {
			t.Errorf("%q is encoded as %s, want %s", text, got, want)
		}
	}
}
