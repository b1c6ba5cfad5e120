package value_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/steppehq/steppe/value"
)

// scanned reads a text with a scanner, all objects and arrays of it member by
// member, and makes the value.
func scanned(s *value.Scanner) (value.Value, error) {
	switch s.Kind() {
	case value.Object:
		b := value.NewObject(0)
		err := s.Object(func(name string) error {
			v, err := scanned(s)
			b.Set(name, v)
			return err
		})
		return b.Value(), err
	case value.Array:
		b := value.NewArray(0)
		err := s.Array(func() error {
			v, err := scanned(s)
			b.Append(v)
			return err
		})
		return b.Value(), err
	default:
		return s.Value()
	}
}

// TestScanner holds the scanner against Decode: the same values, and the same
// errors at the same places.
func TestScanner(t *testing.T) {
	for _, text := range []string{
		`null`, `true`, `1.0`, `"\u00fc"`, `[]`, `{}`, ` {"a" : [1, {"b":null}, []], "c":"d" } `, `{"a":1,"a":2}`,
		``, `{`, `[1,`, `{"a"}`, `{"a":1,}`, `[1 2]`, `{"a":tru}`, `{1:2}`, `1 2`, `{"a":"` + "\x01" + `"}`, "[\"\xff\"]", `}`,
		strings.Repeat("[", 1000) + strings.Repeat("]", 1000), strings.Repeat("[", 1001) + strings.Repeat("]", 1001),
	} {
		want, wrong := value.DecodeString(text)
		s := value.NewScanner([]byte(text))
		got, err := scanned(s)
		if err == nil {
			err = s.End()
		}
		if (err == nil) != (wrong == nil) || err != nil && err.Error() != wrong.Error() {
			t.Errorf("%.40q: %v, want %v", text, err, wrong)
		}
		if err == nil && got.String() != want.String() {
			t.Errorf("%.40q: %v, want %v", text, got, want)
		}
	}
}

func TestScannerRaw(t *testing.T) {
	s := value.NewScanner([]byte(`{"a": {"b" : [ 1.0 ]}, "c": 2}`))
	var raws []string
	err := s.Object(func(name string) error {
		raw, err := s.Raw()
		raws = append(raws, name+" "+string(raw))
		return err
	})
	if got := strings.Join(raws, ", "); err != nil || got != `a {"b" : [ 1.0 ]}, c 2` {
		t.Errorf("%s, %v", got, err)
	}
	enough := errors.New("enough")
	s = value.NewScanner([]byte(`[1,2]`))
	if err := s.Array(func() error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want what the reader gave", err)
	}
}
