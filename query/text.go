package query

import (
	"slices"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/value"
)

// textWriter is a text that a function writes. What it takes is counted as it grows:
// parts of a value that are shared are written as often as they are there.
type textWriter struct {
	meter *meter.Meter
	bytes []byte
}

// writer returns a writer whose text the evaluation's meter counts.
func (a *application) writer() *textWriter { return &textWriter{meter: a.meter()} }

// textBytes is how many bytes each byte of a text takes while it grows, and as
// the string that is made of it.
const textBytes = 3

// count counts bytes before they are written.
func (t *textWriter) count(n int) {
	t.meter.Work(1 + int64(n)/16)
	t.meter.Hold(textBytes * int64(n))
}

// String returns what was written.
func (t *textWriter) String() string { return string(t.bytes) }

// add adds a byte that was counted.
func (t *textWriter) add(c byte) { t.bytes = append(t.bytes, c) }

// write adds a text.
func (t *textWriter) write(s string) {
	t.count(len(s))
	t.bytes = append(t.bytes, s...)
}

// json writes a value as JSON.
func (t *textWriter) json(v value.Value) {
	size := len(t.bytes)
	t.count(len(v.Str()))
	t.bytes, _ = v.AppendWhile(t.bytes, func(now int) bool {
		t.count(now - size)
		size = now
		return true
	})
}

// java writes a value as Java's toString shows it: {Id=x, Name=y}.
func (t *textWriter) java(v value.Value) {
	switch v.Kind() {
	case value.String:
		t.write(v.Str())
		return
	case value.Undefined:
		t.write(v.String())
		return
	case value.Null, value.Bool, value.Number:
		t.json(v)
		return
	case value.Array, value.Object:
	}
	brackets := "[]"
	if v.Kind() == value.Object {
		brackets = "{}"
	}
	t.count(2)
	t.add(brackets[0])
	for i, item := range v.Items() {
		if i > 0 {
			t.write(", ")
		}
		if v.Kind() == value.Object {
			t.write(v.Names()[i])
			t.write("=")
		}
		t.java(item)
	}
	t.add(brackets[1])
}

// javaText returns a value as Java's toString shows it.
func (a *application) javaText(v value.Value) string {
	if v.Kind() == value.String {
		return v.Str()
	}
	t := a.writer()
	t.java(v)
	return value.Joined(t.String())
}

// javaKey returns a text that two values share when Java's equals says so of their
// plain Java values: members in any order, but 1 is not 1.0.
func (a *application) javaKey(v value.Value) string {
	t := a.writer()
	t.key(v)
	return t.String()
}

// key writes the text of javaKey: JSON with the members of objects sorted, and with a
// mark before numbers that are doubles.
func (t *textWriter) key(v value.Value) {
	t.count(2 + len(v.Str()))
	switch v.Kind() {
	case value.Array:
		t.add('[')
		for _, item := range v.Items() {
			t.key(item)
			t.add(',')
		}
		t.add(']')
		return
	case value.Object:
		t.count(4 * v.Len())
		names := slices.Sorted(slices.Values(v.Names()))
		t.add('{')
		for _, name := range names {
			t.count(len(name) + 2)
			t.bytes = append(value.AppendString(t.bytes, name), ':')
			t.key(v.Get(name))
			t.add(',')
		}
		t.add('}')
		return
	case value.Number:
		if !v.IsInteger() {
			t.bytes = value.AppendFloat(append(t.bytes, 'd'), v.Float64())
			return
		}
	case value.Undefined, value.Null, value.Bool, value.String:
	}
	t.bytes = v.Append(t.bytes)
}
