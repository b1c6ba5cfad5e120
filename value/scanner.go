package value

import "github.com/go-json-experiment/json/jsontext"

// Scanner reads one JSON text from front to back, by [Decode]'s rules and
// without making a value of it. What comes next must be read as a whole before
// what follows can be.
type Scanner struct {
	d     *decoder
	depth int
}

// NewScanner makes a scanner of b, which is kept until the end is reached.
func NewScanner(b []byte) *Scanner { return &Scanner{d: newDecoder(b)} }

// Kind returns the kind of what comes next; Undefined where that is no value.
func (s *Scanner) Kind() Kind {
	switch s.d.dec.PeekKind() {
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	case '0':
		return Number
	case '"':
		return String
	case '[':
		return Array
	case '{':
		return Object
	default:
		return Undefined
	}
}

// Object reads an object: member is called with the name of each member, and reads
// what comes next, its value. Its error ends the reading and is returned. The caller
// has seen that an object comes next.
func (s *Scanner) Object(member func(name string) error) error {
	return s.inside('}', func() error {
		name, err := s.d.dec.ReadToken()
		if err != nil {
			return s.d.fail(err)
		}
		return member(s.d.str(name))
	})
}

// Array reads an array: item reads what comes next, each time one item. Its error
// ends the reading and is returned. The caller has seen that an array comes next.
func (s *Scanner) Array(item func() error) error { return s.inside(']', item) }

// inside reads what is between brackets or braces.
func (s *Scanner) inside(end jsontext.Kind, each func() error) error {
	if _, err := s.d.dec.ReadToken(); err != nil {
		return s.d.fail(err)
	}
	if s.depth++; s.depth > MaxDepth {
		return s.d.fail(ErrTooDeep)
	}
	for s.d.dec.PeekKind() != end {
		if err := each(); err != nil {
			return err
		}
	}
	s.depth--
	if _, err := s.d.dec.ReadToken(); err != nil {
		return s.d.fail(err)
	}
	return nil
}

// Value reads what comes next.
func (s *Scanner) Value() (Value, error) {
	v, err := s.d.value(s.depth)
	if err != nil {
		return v, s.d.fail(err)
	}
	return v, nil
}

// Raw reads what comes next, as it is written. The text is valid until more is read.
func (s *Scanner) Raw() ([]byte, error) {
	raw, err := s.d.dec.ReadValue()
	if err != nil {
		return nil, s.d.fail(err)
	}
	return s.d.raw(raw), nil
}

// End returns an error if anything follows what was read.
func (s *Scanner) End() error { return s.d.end() }
