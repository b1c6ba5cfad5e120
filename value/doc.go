package value

import "bytes"

// Doc is a payload: a JSON value together with its encoding. It is decoded at
// most once and encoded at most once, so that a payload passes through states
// and into history as the same bytes.
//
// Raw may be read from any goroutine once the Doc has raw bytes, which one from
// [DocOf] has from the first call of Raw on; the first call of Value or Raw
// must not race with another. A nil *Doc is the absent payload.
type Doc struct {
	raw     []byte
	tree    Value
	decoded bool
	values  int // how many values it has at most; 0: not counted
}

// NewDoc makes a document of raw, which must be valid JSON: it has been through
// [Decode] once, here or at its source. It takes ownership of raw.
func NewDoc(raw []byte) *Doc { return &Doc{raw: raw} }

// ParseDoc makes a document of raw after checking it as [Decode] does. It takes
// ownership of raw and keeps the decoded value.
func ParseDoc(raw []byte) (*Doc, error) {
	tree, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	return &Doc{raw: raw, tree: tree, decoded: true}, nil
}

// ParseText is [ParseDoc] of a string, in which halves may be as they are: its
// bytes have their escapes.
func ParseText(text string) (*Doc, error) { return ParseDoc([]byte(EscapeHalves(text))) }

// DocOf makes a document of a value; it is encoded when its bytes are first
// asked for. Undefined becomes null.
func DocOf(v Value) *Doc {
	if v.IsUndefined() {
		v = NullValue
	}
	return &Doc{tree: v, decoded: true}
}

// Value returns the decoded value. It panics if the bytes given to [NewDoc] were not
// JSON.
func (d *Doc) Value() Value {
	if !d.decoded {
		tree, err := Decode(d.raw)
		if err != nil {
			panic("value: a document holds invalid JSON: " + err.Error())
		}
		d.tree, d.decoded = tree, true
	}
	return d.tree
}

// Raw returns the encoded value. The caller must not change it.
func (d *Doc) Raw() []byte {
	if d.raw == nil {
		d.raw = d.tree.Append(make([]byte, 0, 64)) // many are no larger
	}
	return d.raw
}

// Within reports whether the encoding has at most size bytes. It encodes no more than
// that to find out.
func (d *Doc) Within(size int) bool {
	if d.raw == nil {
		raw, whole := d.tree.AppendUpTo(make([]byte, 0, 64), size)
		if whole {
			d.raw = raw
		}
		return whole
	}
	return len(d.raw) <= size
}

// Size is the length of the encoding in bytes.
func (d *Doc) Size() int { return len(d.Raw()) }

// Held estimates, rather high, how many bytes of memory the document holds: its
// encoding and, where it has been decoded, its values.
func (d *Doc) Held() int {
	raw := d.Raw()
	if !d.decoded {
		return len(raw)
	}
	if d.values == 0 {
		d.values = 1 + bytes.Count(raw, comma) + bytes.Count(raw, openArray) + bytes.Count(raw, openObject)
	}
	return len(raw) + d.values*valueBytes
}

// valueBytes is about what a value takes in memory, its name in an object included.
const valueBytes = 64

var comma, openArray, openObject = []byte{','}, []byte{'['}, []byte{'{'}

// String returns the encoded value as a string.
func (d *Doc) String() string { return string(d.Raw()) }
