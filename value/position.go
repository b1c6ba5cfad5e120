package value

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Values do not carry positions: most are never shown to anyone, and a position would
// make each of them larger. A diagnostic holds a path of names and indexes instead,
// and the text is searched again when the position is wanted. The searches below read
// tokens and skip what is not on the way.

// Position is a place in a text. Line and Column count from 1, columns in
// characters; Offset counts bytes from 0.
type Position struct {
	Line, Column, Offset int
}

// PositionAt returns the position of a byte offset in a text.
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

// Locate finds a place in a JSON text: path holds member names and array indexes from
// the root down. It returns the position of the last member's name, or of the array
// item; where the path leads nowhere, the position of the deepest part that exists.
// Of members of one name it is the last one, which [Decode] takes.
func Locate(text []byte, path []string) Position {
	d := newDecoder(text)
	return PositionAt(text, d.locate(text, path, d.next(text)))
}

// next returns the offset of the next token: the decoder's own offset is the end of
// the last one.
func (d *decoder) next(text []byte) int {
	i := int(d.dec.InputOffset())
	for i < len(text) && bytes.IndexByte([]byte(" \t\r\n,:"), text[i]) >= 0 {
		i++
	}
	return i
}

// locateIn returns the offset of path below the value of a member, which stands
// between start and end behind a colon and white space; here is where the member's
// name is.
func locateIn(text []byte, start, end int, path []string, here int) int {
	if len(path) == 0 {
		return here
	}
	for start < end && bytes.IndexByte([]byte(" \t\r\n:"), text[start]) >= 0 {
		start++
	}
	part := text[start:end]
	d := newDecoder(part)
	if at := d.locate(part, path, -1); at >= 0 {
		return start + at
	}
	return here
}

// Duplicate is a name that occurs in an object more than once.
type Duplicate struct {
	// Path leads to the member. First is where its name occurs first, Last where
	// the one is whose value [Decode] takes.
	Path        []string
	First, Last Position
}

// Duplicates returns the names that occur more than once in an object of a JSON text,
// at most so many, in the order in which they are repeated. Of a text that is not
// JSON it returns those before the place where it is not.
func Duplicates(text []byte, most int) []Duplicate {
	f := duplicates{decoder: newDecoder(text), text: text, most: most}
	_ = f.value(nil, 0) // Decode reports what is no JSON
	return f.found
}

// duplicates looks for names that occur more than once.
type duplicates struct {
	*decoder
	text  []byte
	most  int
	found []Duplicate
}

// value looks at the next value, to which path leads.
func (f *duplicates) value(path []string, depth int) error {
	if depth > MaxDepth {
		return ErrTooDeep
	}
	tok, err := f.dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case '{':
		return f.object(path, depth+1)
	case '[':
		for i := 0; f.dec.PeekKind() != ']'; i++ {
			if err := f.value(append(path, strconv.Itoa(i)), depth+1); err != nil {
				return err
			}
		}
		_, err = f.dec.ReadToken()
		return err
	default:
		return nil
	}
}

// object notes where each name occurs first, and each that occurs again.
func (f *duplicates) object(path []string, depth int) error {
	first := make(map[string]int)
	for f.dec.PeekKind() != '}' {
		at := f.next(f.text)
		tok, err := f.dec.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		here := append(path, name)
		if before, again := first[name]; again && len(f.found) < f.most {
			f.found = append(f.found, Duplicate{slices.Clone(here), PositionAt(f.text, before), PositionAt(f.text, at)})
		} else if !again {
			first[name] = at
		}
		if err := f.value(here, depth); err != nil {
			return err
		}
	}
	_, err := f.dec.ReadToken()
	return err
}

// locate returns the offset of path below the next value, which is shown at offset
// here. It goes through all members of an object, since the last one of a name
// counts.
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
		found := here
		for d.dec.PeekKind() == '"' {
			at := d.next(text)
			name, err := d.dec.ReadToken()
			if err != nil {
				return found
			}
			meant := name.String() == path[0]
			start := int(d.dec.InputOffset())
			if d.dec.SkipValue() != nil {
				return found
			}
			if meant {
				found = locateIn(text, start, int(d.dec.InputOffset()), path[1:], at)
			}
		}
		return found
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
