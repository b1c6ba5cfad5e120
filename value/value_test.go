package value_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/value"
)

func TestDecodeKeepsOrderAndNumberText(t *testing.T) {
	for _, text := range []string{
		`{"b":1.0,"a":[1e2,-0,12345678901234567890,0.10],"c":{"z":null,"y":true}}`,
		`"\u00e9\n"`, `[]`, `{}`, `[[],{}]`, `-1.5E+3`,
	} {
		v, err := value.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.String(); got != strings.ReplaceAll(text, `\u00e9`, "é") {
			t.Errorf("%s came back as %s", text, got)
		}
	}
}

func TestDecodeDuplicateNames(t *testing.T) {
	v, err := value.DecodeString(`{"a":1,"b":2,"a":3}`)
	if err != nil || v.String() != `{"a":3,"b":2}` {
		t.Errorf("got %v, %v: the last value at the place of the first", v, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for text, offset := range map[string]int64{
		``: 0, `{`: 1, `[1,]`: 3, `{"a":1} x`: 8, `nul`: 0, "\"\x01\"": 1, "\"\xff\"": 1, `01`: 1, `[1 2]`: 3, `{"a" 1}`: 5, `{a:1}`: 1, `NaN`: 0,
	} {
		_, err := value.DecodeString(text)
		syntax, ok := errors.AsType[*value.SyntaxError](err)
		if !ok {
			t.Errorf("%q: %v", text, err)
		} else if syntax.Offset > int64(len(text)) || syntax.Offset < offset-1 {
			t.Errorf("%q: offset %d, want about %d", text, syntax.Offset, offset)
		}
	}
	deep := strings.Repeat("[", 100_000)
	if _, err := value.DecodeString(deep); !errors.Is(err, value.ErrTooDeep) {
		t.Errorf("100,000 brackets: %v", err)
	}
	fine := strings.Repeat("[", value.MaxDepth) + strings.Repeat("]", value.MaxDepth)
	if _, err := value.DecodeString(fine); err != nil {
		t.Errorf("%d brackets: %v", value.MaxDepth, err)
	}
}

func TestEqual(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"1", "1.0", true},
		{"1e2", "100", true},
		{"9007199254740993", "9007199254740992", false},
		{"0.1", "0.10", true},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, true},
		{`{"a":1}`, `{"a":1,"b":2}`, false},
		{`[1,2]`, `[2,1]`, false},
		{`"1"`, `1`, false},
		{`null`, `false`, false},
	}
	for _, tt := range tests {
		a, _ := value.DecodeString(tt.a)
		b, _ := value.DecodeString(tt.b)
		if got := value.Equal(a, b); got != tt.want {
			t.Errorf("%s = %s: %v", tt.a, tt.b, got)
		}
	}
}

func TestComputedNumbers(t *testing.T) {
	tests := []struct {
		v    value.Value
		want string
	}{
		{value.Int(-7), "-7"},
		{value.Float(3), "3"},
		{value.Float(0.1), "0.1"},
		{value.Float(1 << 63), "9.223372036854776E18"},
		{value.Float(1e21), "1.0E21"},
		{value.Float(1.5e-7), "1.5E-7"},
		{value.Float(1234567.5), "1234567.5"},
		{value.Float(math.NaN()), `"NaN"`},
		{value.Float(math.Inf(-1)), `"-Infinity"`},
	}
	for _, tt := range tests {
		if got := tt.v.String(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestChangesLeaveTheOriginal(t *testing.T) {
	v, _ := value.DecodeString(`{"a":1,"b":[1,2]}`)
	if got := v.With("a", value.Int(2)).With("c", value.Str("x")).String(); got != `{"a":2,"b":[1,2],"c":"x"}` {
		t.Error(got)
	}
	if got := v.Get("b").WithItem(0, value.NullValue).String(); got != `[null,2]` {
		t.Error(got)
	}
	if v.String() != `{"a":1,"b":[1,2]}` {
		t.Errorf("the original is %s now", v)
	}
}

func TestLargeObjects(t *testing.T) {
	b := value.NewObject(0)
	for i := range 1000 {
		b.Set(string(rune('a'+i%26))+strings.Repeat("x", i/26), value.Int(int64(i)))
	}
	v := b.Value()
	for i, name := range v.Names() {
		if got, ok := v.Lookup(name); !ok || !value.Equal(got, value.Int(int64(i))) {
			t.Fatalf("%s: %v", name, got)
		}
	}
	if _, ok := v.Lookup("nobody"); ok {
		t.Error("a member that is not there was found")
	}
}

func TestLocate(t *testing.T) {
	text := []byte("{\n  \"a\": {\"b\": [1,\n    {\"é\": 2, \"c\": 3}]}\n}")
	tests := []struct {
		path         []string
		line, column int
	}{
		{nil, 1, 1},
		{[]string{"a"}, 2, 3},
		{[]string{"a", "b"}, 2, 9},
		{[]string{"a", "b", "1"}, 3, 5},
		{[]string{"a", "b", "1", "c"}, 3, 14},
		{[]string{"a", "nope"}, 2, 3},
	}
	for _, tt := range tests {
		got := value.Locate(text, tt.path)
		if got.Line != tt.line || got.Column != tt.column {
			t.Errorf("%v is at %d:%d, want %d:%d", tt.path, got.Line, got.Column, tt.line, tt.column)
		}
	}
}

// TestDuplicates: a name that stands in an object twice is found, and it is the
// last one to which its path leads.
func TestDuplicates(t *testing.T) {
	text := []byte("{\"a\": 1,\n \"b\": [{\"c\": {\"x\": 1}, \"d\": 0,\n  \"c\": {\"y\": 2}}], \"a\": {\"z\": 3}}")
	var got []string
	for _, d := range value.Duplicates(text, 10) {
		got = append(got, fmt.Sprint(d.Path, d.First.Line, d.First.Column, d.Last.Line, d.Last.Column))
	}
	if diff := cmp.Diff([]string{"[b 0 c] 2 9 3 3", "[a] 1 2 3 20"}, got); diff != "" {
		t.Error(diff)
	}
	if n := len(value.Duplicates(text, 1)); n != 1 {
		t.Error(n)
	}
	for path, want := range map[string]string{"b 0 c": "3:3", "b 0 c y": "3:9", "b 0 c x": "3:3", "a z": "3:26", "a": "3:20"} {
		if at := value.Locate(text, strings.Fields(path)); fmt.Sprintf("%d:%d", at.Line, at.Column) != want {
			t.Errorf("%s is at %v, want %s", path, at, want)
		}
	}
	for _, broken := range []string{"", "{", `{"a":1,"a"`, "[", `{"a":}`, strings.Repeat("[", 2000)} {
		value.Duplicates([]byte(broken), 10)
	}
}

func TestDocKeepsItsBytes(t *testing.T) {
	d, err := value.ParseDoc([]byte(`{ "a" : 1 }`))
	if err != nil {
		t.Fatal(err)
	}
	if d.String() != `{ "a" : 1 }` || d.Value().String() != `{"a":1}` || d.Size() != 11 {
		t.Errorf("%s, %v, %d", d, d.Value(), d.Size())
	}
	if got := value.DocOf(value.Value{}).String(); got != "null" {
		t.Errorf("undefined is %s", got)
	}
}

// TestJacksonMessage holds messages against a recording of Jackson. It takes a
// text whose first value is followed by more, and half of a surrogate pair;
// Decode does not.
func TestJacksonMessage(t *testing.T) {
	recorded, err := os.ReadFile("testdata/jackson.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for line := range strings.Lines(string(recorded)) {
		var recording [2]string
		if err := json.Unmarshal([]byte(line), &recording); err != nil {
			t.Fatal(err)
		}
		text, want := recording[0], recording[1]
		got := value.JacksonMessage([]byte(text))
		if want == "" {
			if _, err := value.DecodeString(text); (err == nil) != (got == "") {
				t.Errorf("%q: %q, but %v", text, got, err)
			}
			continue
		}
		compared++
		if got != want {
			t.Errorf("%q\ngot  %s\nwant %s", text, got, want)
		}
	}
	if compared < 600 {
		t.Errorf("only %d messages were compared", compared)
	}
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{`{"a":[1,2.0,"x\u0000é",null,true]}`, `[`, `"\ud800"`, `1e999`, `{"a":1,"a":2}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := value.Decode(text)
		if err != nil {
			_ = value.JacksonMessage(text)
			return
		}
		encoded := v.Append(nil)
		if !json.Valid(encoded) {
			t.Fatalf("%q is encoded as %q", text, encoded)
		}
		again, err := value.Decode(encoded)
		if err != nil || !value.Equal(v, again) {
			t.Fatalf("%q came back as %v, %v", encoded, again, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	text := []byte(`{"order":{"id":"A-17","customer":"Ada","items":[{"sku":"x","qty":1,"price":19.5},{"sku":"y","qty":2,"price":7}]},"total":33.5,"paid":false}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := value.Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	v, err := value.DecodeString(`{"order":{"id":"A-17","customer":"Ada","items":[{"sku":"x","qty":1,"price":19.5},{"sku":"y","qty":2,"price":7}]},"total":33.5,"paid":false}`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = v.Append(buf[:0])
	}
}
