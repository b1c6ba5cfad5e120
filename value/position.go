package value

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// Position is a place in a text. Line and Column count from 1, columns in
// characters; Offset counts bytes from 0.
type Position struct {
	Line, Column, Offset int
}

// PositionAt gives the position of a byte offset in a text.
func PositionAt(text []byte, offset int) Position {
	offset = max(0, min(offset, len(text)))
	before := text[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return Position{
		Line:   bytes.Count(before, []byte{'\n'}) + 1,
		Column: utf8.RuneCount(before[start:]) + 1,
		Offset: offset,
	}
}

// Locate finds a place in a JSON text: path holds member names and array
// indexes from the root down. It gives the position of the last member's name,
// or of the array item; where the path leads nowhere, the position of the
// deepest part that exists. It serves diagnostics: positions are looked up when
// they are shown rather than carried by every value.
func Locate(text []byte, path []string) Position {
	d := newDecoder(text)
	return PositionAt(text, d.locate(text, path, d.next(text)))
}

// next is the offset of the next token: the decoder's own offset is the end of
// the last one.
func (d *decoder) next(text []byte) int {
	i := int(d.dec.InputOffset())
	for i < len(text) && bytes.IndexByte([]byte(" \t\r\n,:"), text[i]) >= 0 {
		i++
	}
	return i
}

// locate gives the offset of path below the next value, which is shown at
// offset here.
func (d *decoder) locate(text []byte, path []string, here int) int {
	if len(path) == 0 {
		return here
	}
	tok, err := d.dec.ReadToken()
	if err != nil {
		return here
	}
	switch tok.Kind() {
	case '{':
		for d.dec.PeekKind() == '"' {
			at := d.next(text)
			name, err := d.dec.ReadToken()
			if err != nil {
				return here
			}
			if name.String() == path[0] {
				return d.locate(text, path[1:], at)
			}
			if d.dec.SkipValue() != nil {
				return here
			}
		}
	case '[':
		index, err := strconv.Atoi(path[0])
		for i := 0; err == nil && d.dec.PeekKind() != ']'; i++ {
			if i == index {
				return d.locate(text, path[1:], d.next(text))
			}
			err = d.dec.SkipValue()
		}
	default: // the path leads below a scalar
	}
	return here
}
