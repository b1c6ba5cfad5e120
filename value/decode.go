package value

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep arrays and objects may nest in a decoded text. It
// protects the process, so nothing lifts it; Jackson, which AWS uses, has the
// same limit.
const MaxDepth = 1000

// ErrTooDeep is wrapped by the error of a text that nests deeper than
// [MaxDepth].
var ErrTooDeep = errors.New("nesting depth exceeds 1000")

// SyntaxError says where a text is not JSON.
type SyntaxError struct {
	Offset int64  // bytes before the place
	Reason string // what is wrong there, in plain words
	err    error
}

// Error names the place and the reason.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Reason)
}

// Unwrap returns the cause: [ErrTooDeep], or the decoder's error.
func (e *SyntaxError) Unwrap() error { return e.err }

// Decode reads one JSON text (RFC 8259) that fills b but for white space. Member
// order and number text are kept; where a name occurs twice in an object the last
// value stands, at the place of the first, as in Jackson, which AWS uses. Half of a
// surrogate pair is kept, too: see [Joined]. Invalid UTF-8, control characters in
// strings, a second value and nesting beyond [MaxDepth] are refused with a
// [*SyntaxError]. b is not kept.
func Decode(b []byte) (Value, error) {
	d := newDecoder(b)
	v, err := d.value(0)
	if err != nil {
		return Value{}, d.fail(err)
	}
	if err := d.end(); err != nil {
		return Value{}, err
	}
	return v, nil
}

// DecodeString is [Decode] of a string, in which halves may stand as they are.
func DecodeString(s string) (Value, error) { return Decode([]byte(EscapeHalves(s))) }

// Costs of decoding, in bytes.
const (
	decodedValue = 100 // a value in its growing array or object
	decodedName  = 60  // the name of a member, and its place in an index
)

// DecodedSize returns about how many bytes of memory Decode of a text takes, for
// callers that must know before. It looks at each byte once.
func DecodedSize(text string) int64 {
	size := int64(decodedValue)
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			start := i
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			size += int64(i - start)
		case '{', '[', ',':
			size += decodedValue
		case ':':
			size += decodedName
		default:
			size++
		}
	}
	return size + int64(len(text)) // the decoder has a copy
}

// decoder reads tokens with jsontext, which checks the grammar, and makes values of
// them. Halves of surrogate pairs, which jsontext refuses, are hidden from it: see
// halves.go.
type decoder struct {
	dec  jsontext.Decoder
	text bytes.Buffer // what dec reads
	size int
	// given is the text that has halves of surrogate pairs, of which dec reads a
	// copy without; nil where there are none.
	given []byte
}

// newDecoder begins to read b. Names that occur twice are allowed:
// [ObjectBuilder.Set] decides which value stands.
func newDecoder(b []byte) *decoder {
	d := &decoder{size: len(b)}
	if masked := maskHalves(b); masked != nil {
		b, d.given = masked, b
	}
	d.text = *bytes.NewBuffer(b)
	d.dec.Reset(&d.text, jsontext.AllowDuplicateNames(true))
	return d
}

// end returns an error if anything follows what was read.
func (d *decoder) end() error {
	if _, err := d.dec.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("text after the end of the value")
		}
		return d.fail(err)
	}
	return nil
}

// fail makes a [*SyntaxError] of an error of jsontext, with its place and its reason
// without the name of the library.
func (d *decoder) fail(err error) error {
	at := d.dec.InputOffset()
	reason := err.Error()
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at = syntax.ByteOffset
		if syntax.Err != nil {
			reason = syntax.Err.Error()
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		at, reason = int64(d.size), "unexpected end of input"
	}
	return &SyntaxError{at, reason, err}
}

// value reads the next value, which stands inside of depth arrays and objects.
func (d *decoder) value(depth int) (Value, error) {
	tok, err := d.dec.ReadToken()
	if err != nil {
		return Value{}, err
	}
	switch tok.Kind() {
	case 'n':
		return NullValue, nil
	case 't', 'f':
		return Of(tok.Bool()), nil
	case '"':
		return Str(d.str(tok)), nil
	case '0':
		return Num(tok.String()), nil
	case '[':
		return d.array(depth + 1)
	case '{':
		return d.object(depth + 1)
	default:
		return Value{}, fmt.Errorf("unexpected %q", tok.String())
	}
}

// array reads an array after its bracket.
func (d *decoder) array(depth int) (Value, error) {
	if depth > MaxDepth {
		return Value{}, ErrTooDeep
	}
	var items []Value
	for d.dec.PeekKind() != ']' {
		item, err := d.value(depth)
		if err != nil {
			return Value{}, err
		}
		items = append(items, item)
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return Value{}, err
	}
	return Arr(items...), nil
}

// object reads an object after its brace.
func (d *decoder) object(depth int) (Value, error) {
	if depth > MaxDepth {
		return Value{}, ErrTooDeep
	}
	b := NewObject(0)
	for d.dec.PeekKind() != '}' {
		name, err := d.dec.ReadToken()
		if err != nil {
			return Value{}, err
		}
		key := d.str(name)
		item, err := d.value(depth)
		if err != nil {
			return Value{}, err
		}
		b.Set(key, item)
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return Value{}, err
	}
	return b.Value(), nil
}
