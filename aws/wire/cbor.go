package wire

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/value"
)

// rpcCBOR is RPC v2 CBOR: the path names service and operation, all members stand
// in the body, which is one map in CBOR (RFC 8949).
// See https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html.
type rpcCBOR struct{ service *model.Service }

const cborType = "application/cbor"

func (f *rpcCBOR) encodeRequest(op *model.Operation, m Message) (*http.Request, error) {
	var body []byte
	if op.Input != nil {
		var err error
		if body, err = appendCBORMembers(nil, op.Input.Target, m.Value); err != nil {
			return nil, err
		}
	}
	r := newRequest(http.MethodPost, "/service/"+f.service.Metadata.TargetPrefix+"/operation/"+op.Name, "", body)
	r.Header["Smithy-Protocol"] = []string{"rpc-v2-cbor"}
	r.Header["Accept"] = []string{cborType}
	if body != nil {
		r.Header["Content-Type"] = []string{cborType}
	}
	if f.service.Metadata.AWSQueryCompatible != nil {
		r.Header["X-Amzn-Query-Mode"] = []string{"true"}
	}
	return r, nil
}

func (f *rpcCBOR) decodeRequest(op *model.Operation, r *http.Request) (Message, error) {
	body, err := readAll(r.Body, MaxBody)
	if err != nil {
		return Message{}, err
	}
	v, err := decodeCBOR(structureOf(op.Input), body)
	return Message{Value: v}, err
}

func (f *rpcCBOR) encodeResponse(op *model.Operation, m Message) (*http.Response, error) {
	body, err := appendCBORMembers(nil, structureOf(op.Output), m.Value)
	r := newResponse(http.StatusOK, cborType, body)
	r.Header["Smithy-Protocol"] = []string{"rpc-v2-cbor"}
	return r, err
}

func (f *rpcCBOR) decodeResponse(op *model.Operation, r *http.Response) (Message, error) {
	body, err := readAll(r.Body, MaxBody)
	if err != nil {
		return Message{}, err
	}
	v, err := decodeCBOR(structureOf(op.Output), body)
	return Message{Value: v}, err
}

func (f *rpcCBOR) encodeError(r *http.Response, e *Error, shape *model.Shape) error {
	members := e.Value
	if members.Kind() != value.Object {
		members = value.Obj()
	}
	extra := []string{"__type", e.Shape}
	if name := messageMember(shape); members.Get(name).IsUndefined() {
		extra = append(extra, name, e.Message)
	}
	head, err := appendCBORMembers(nil, shape, members)
	if err != nil {
		return err
	}
	// The pairs follow the head of a map whose length is the first item.
	n, rest := (&cborReader{b: head}).length()
	body := appendHead(nil, majorMap, uint64(n+len(extra)/2))
	for _, text := range extra {
		body = appendText(body, text)
	}
	setBody(r, cborType, append(body, rest...))
	r.Header["Smithy-Protocol"] = []string{"rpc-v2-cbor"}
	return nil
}

func (f *rpcCBOR) decodeError(_ *http.Response, body []byte, e *Error, find func(string) *model.Shape) {
	fields, _ := decodeCBOR(errorFields, body) // an error of something before the service has none
	code := fields.Get("__type").Str()
	e.Code = code[strings.LastIndexByte(code, '#')+1:]
	e.Message = fields.Get("message").Str()
	if e.Message == "" {
		e.Message = fields.Get("Message").Str()
	}
	if shape := find(e.Code); shape != nil {
		e.Value = value.Obj()
		if members, err := decodeCBOR(shape, body); err == nil {
			e.Value = members
		}
	}
}

// errorFields is what all errors have.
var errorFields = func() *model.Shape {
	text := model.ShapeRef{Target: &model.Shape{Type: "string"}}
	return &model.Shape{Type: "structure", Members: model.Members{
		{Name: "__type", ShapeRef: text}, {Name: "message", ShapeRef: text}, {Name: "Message", ShapeRef: text},
	}}
}()

// The major types of CBOR, in the three highest bits of an item's first byte.
const (
	majorUint byte = iota << 5
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

const (
	simpleFalse = majorSimple | 20
	simpleTrue  = majorSimple | 21
	simpleNull  = majorSimple | 22
	undefined   = majorSimple | 23
	float16     = majorSimple | 25
	float32s    = majorSimple | 26
	float64s    = majorSimple | 27
	indefinite  = 31
	breakItem   = majorSimple | indefinite
	epochTag    = 1
)

func appendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, major|27), n)
	}
}

func appendText(dst []byte, s string) []byte {
	return append(appendHead(dst, majorText, uint64(len(s))), s...)
}

func appendInt(dst []byte, i int64) []byte {
	if i < 0 {
		return appendHead(dst, majorNegative, uint64(-(i + 1)))
	}
	return appendHead(dst, majorUint, uint64(i))
}

func appendFloat(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, float64s), math.Float64bits(f))
}

func appendCBORMembers(dst []byte, shape *model.Shape, v value.Value) ([]byte, error) {
	count := 0
	for _, item := range v.Items() {
		if !absent(item) {
			count++
		}
	}
	dst = appendHead(dst, majorMap, uint64(count))
	err := each(shape, v, func(m *model.Member, v value.Value) (err error) {
		dst, err = appendCBOR(appendText(dst, m.WireName()), &m.ShapeRef, v)
		return err
	})
	return dst, err
}

func appendCBOR(dst []byte, ref *model.ShapeRef, v value.Value) ([]byte, error) {
	if v.Kind() == value.Null {
		return append(dst, simpleNull), nil
	}
	switch shape := ref.Target; shape.Type {
	case "structure":
		return appendCBORMembers(dst, shape, v)
	case "list":
		if v.Kind() != value.Array {
			return dst, unlike(v, "an array")
		}
		dst = appendHead(dst, majorArray, uint64(v.Len()))
		for i, item := range v.Items() {
			var err error
			if dst, err = appendCBOR(dst, shape.Member, item); err != nil {
				return dst, atIndex(err, i)
			}
		}
		return dst, nil
	case "map":
		if v.Kind() != value.Object {
			return dst, unlike(v, "an object")
		}
		dst = appendHead(dst, majorMap, uint64(v.Len()))
		items := v.Items()
		for i, name := range v.Names() {
			var err error
			if dst, err = appendCBOR(appendText(dst, name), shape.Value, items[i]); err != nil {
				return dst, at(err, name)
			}
		}
		return dst, nil
	default:
		return appendCBORScalar(dst, shape.Type, v)
	}
}

func appendCBORScalar(dst []byte, kind string, v value.Value) ([]byte, error) {
	switch kind {
	case "integer", "long":
		i, ok := v.Int64()
		if !ok {
			return dst, unlike(v, "an integer of 64 bits")
		}
		return appendInt(dst, i), nil
	case "float", "double":
		if v.Kind() == value.String {
			special, ok := map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[v.Str()]
			if ok {
				return appendFloat(dst, special), nil
			}
		}
		if v.Kind() != value.Number {
			return dst, unlike(v, "a number")
		}
		return appendFloat(dst, v.Float64()), nil
	case "boolean":
		switch {
		case v.Kind() != value.Bool:
			return dst, unlike(v, "a boolean")
		case v.Bool():
			return append(dst, simpleTrue), nil
		}
		return append(dst, simpleFalse), nil
	case "timestamp":
		t, err := timeOf(v)
		if err != nil {
			return dst, err
		}
		dst = appendHead(dst, majorTag, epochTag)
		if t.Nanosecond() == 0 {
			return appendInt(dst, t.Unix()), nil
		}
		return appendFloat(dst, float64(t.Unix())+float64(t.Nanosecond())/1e9), nil
	case "blob":
		b, err := blobBytes(v)
		return append(appendHead(dst, majorBytes, uint64(len(b))), b...), err
	default:
		if v.Kind() != value.String {
			return dst, unlike(v, "a string")
		}
		return appendText(dst, v.Str()), nil
	}
}

// decodeCBOR reads the structure that a body is. A body without bytes has no
// members.
func decodeCBOR(shape *model.Shape, body []byte) (value.Value, error) {
	if len(body) == 0 {
		return value.Obj(), nil
	}
	d := &cborReader{b: body}
	v, err := d.value(&model.ShapeRef{Target: shape})
	if err == nil && len(d.b) > 0 {
		err = wrong("the body has " + strconv.Itoa(len(d.b)) + " bytes after the end of its CBOR")
	}
	return v, err
}

// cborReader reads items by the model. Each item of a list takes at least one byte
// of the body, so that no length in it can ask for more memory than the body is long.
type cborReader struct {
	b     []byte
	depth int
}

var errCut = wrong("the body is no CBOR: it is cut short")

// head reads the beginning of an item: its major type, the bits below it, and the
// number that they stand for.
func (d *cborReader) head() (major, info byte, n uint64, err error) {
	if len(d.b) == 0 {
		return 0, 0, 0, errCut
	}
	major, info = d.b[0]&0xe0, d.b[0]&0x1f
	d.b = d.b[1:]
	if info < 24 {
		return major, info, uint64(info), nil
	}
	if info == indefinite {
		return major, info, 0, nil
	}
	if info > 27 {
		return 0, 0, 0, wrong("the body is no CBOR: an item begins with a reserved byte")
	}
	size := 1 << (info - 24)
	if len(d.b) < size {
		return 0, 0, 0, errCut
	}
	for _, c := range d.b[:size] {
		n = n<<8 | uint64(c)
	}
	d.b = d.b[size:]
	return major, info, n, nil
}

// length reads the head of a map that was written here, and returns what follows.
func (d *cborReader) length() (int, []byte) {
	_, _, n, _ := d.head()
	return int(n), d.b
}

func (d *cborReader) take(n uint64) ([]byte, error) {
	if n > uint64(len(d.b)) {
		return nil, errCut
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken, nil
}

// text reads the rest of a text or of bytes, which may be in pieces.
func (d *cborReader) text(major, info byte, n uint64) ([]byte, error) {
	if info != indefinite {
		return d.take(n)
	}
	var whole []byte
	for !d.ended() {
		m, info, n, err := d.head()
		if err == nil && (m != major || info == indefinite) {
			err = wrong("the body is no CBOR: a text has pieces of another type")
		}
		if err != nil {
			return nil, err
		}
		piece, err := d.take(n)
		if err != nil {
			return nil, err
		}
		whole = append(whole, piece...)
	}
	return whole, nil
}

// ended reads the end of what has no length, if it comes next.
func (d *cborReader) ended() bool {
	if len(d.b) > 0 && d.b[0] == breakItem {
		d.b = d.b[1:]
		return true
	}
	return false
}

// each reads the items of an array, or the pairs of a map.
func (d *cborReader) each(info byte, n uint64, item func() error) error {
	if d.depth++; d.depth > maxDepth {
		return wrong("nests deeper than " + strconv.Itoa(maxDepth) + " items")
	}
	for i := uint64(0); info == indefinite || i < n; i++ {
		if info == indefinite && d.ended() {
			break
		}
		if err := item(); err != nil {
			return err
		}
	}
	d.depth--
	return nil
}

// key reads the name of a pair.
func (d *cborReader) key() (string, error) {
	major, info, n, err := d.head()
	if err == nil && major != majorText {
		err = wrong("a name must be a text")
	}
	if err != nil {
		return "", err
	}
	b, err := d.text(major, info, n)
	if err == nil && !value.Valid(string(b)) {
		err = wrong("is not UTF-8")
	}
	return string(b), err
}

func (d *cborReader) value(ref *model.ShapeRef) (value.Value, error) {
	major, info, n, err := d.head()
	if err != nil {
		return value.Value{}, err
	}
	for major == majorTag { // what it says, the model says too
		if major, info, n, err = d.head(); err != nil {
			return value.Value{}, err
		}
	}
	shape := ref.Target
	switch first := major | info; {
	case first == simpleNull || first == undefined:
		return value.NullValue, nil
	case major == majorMap && shape.Type == "structure":
		return d.structure(shape, info, n)
	case major == majorMap && shape.Type == "map":
		return d.mapping(shape, info, n)
	case major == majorArray && shape.Type == "list":
		return d.list(shape, info, n)
	case major == majorText && shape.Type == "string":
		b, err := d.text(major, info, n)
		if err == nil && !value.Valid(string(b)) {
			err = wrong("is not UTF-8")
		}
		return value.Str(string(b)), err
	case major == majorBytes && shape.Type == "blob":
		b, err := d.text(major, info, n)
		return value.Str(base64.StdEncoding.EncodeToString(b)), err
	case shape.Type == "boolean" && (first == simpleTrue || first == simpleFalse):
		return value.Of(first == simpleTrue), nil
	}
	return number(shape.Type, major, info, n)
}

// number returns the number or the timestamp that an item is.
func number(kind string, major, info byte, n uint64) (value.Value, error) {
	var f float64
	switch first := major | info; {
	case (major == majorUint || major == majorNegative) && info != indefinite && n <= math.MaxInt64:
		i := int64(n)
		if major == majorNegative {
			i = -i - 1
		}
		switch kind {
		case "integer", "long", "float", "double":
			return value.Int(i), nil
		}
		f = float64(i)
	case first == float16:
		f = half(uint16(n))
	case first == float32s:
		f = float64(math.Float32frombits(uint32(n)))
	case first == float64s:
		f = math.Float64frombits(n)
	default:
		return value.Value{}, wrong("must be a " + kind)
	}
	switch kind {
	case "float", "double":
		return value.Float(f), nil
	case "timestamp":
		return epochValue(f)
	}
	return value.Value{}, wrong("must be a " + kind)
}

// half is a float of 16 bits (RFC 8949, appendix D).
func half(bits uint16) float64 {
	exponent, mantissa := int(bits>>10&31), float64(bits&1023)
	f := math.Ldexp(mantissa+1024, exponent-25)
	switch {
	case exponent == 0:
		f = math.Ldexp(mantissa, -24)
	case exponent == 31 && mantissa == 0:
		f = math.Inf(1)
	case exponent == 31:
		f = math.NaN()
	}
	if bits>>15 == 1 {
		return -f
	}
	return f
}

func (d *cborReader) structure(shape *model.Shape, info byte, n uint64) (value.Value, error) {
	object := value.NewObject(min(len(shape.Members), 8))
	err := d.each(info, n, func() error {
		name, err := d.key()
		if err != nil {
			return err
		}
		m := shape.ByWireName(name)
		if m == nil {
			return d.skip()
		}
		v, err := d.value(&m.ShapeRef)
		if err != nil {
			return at(err, m.Name)
		}
		if !absent(v) {
			object.Set(m.Name, v)
		}
		return nil
	})
	return object.Value(), err
}

func (d *cborReader) mapping(shape *model.Shape, info byte, n uint64) (value.Value, error) {
	object := value.NewObject(4)
	err := d.each(info, n, func() error {
		name, err := d.key()
		if err != nil {
			return err
		}
		v, err := d.value(shape.Value)
		if err != nil {
			return at(err, name)
		}
		object.Set(name, v)
		return nil
	})
	return object.Value(), err
}

func (d *cborReader) list(shape *model.Shape, info byte, n uint64) (value.Value, error) {
	var items []value.Value
	err := d.each(info, n, func() error {
		v, err := d.value(shape.Member)
		if err != nil {
			return atIndex(err, len(items))
		}
		items = append(items, v)
		return nil
	})
	return value.Arr(items...), err
}

// skip passes over an item.
func (d *cborReader) skip() error {
	major, info, n, err := d.head()
	if err != nil {
		return err
	}
	switch major {
	case majorBytes, majorText:
		_, err = d.text(major, info, n)
	case majorArray:
		err = d.each(info, n, d.skip)
	case majorMap:
		err = d.each(info, n, func() error {
			if err := d.skip(); err != nil {
				return err
			}
			return d.skip()
		})
	case majorTag:
		err = d.each(0, 1, d.skip)
	case majorUint, majorNegative, majorSimple:
		if info == indefinite {
			err = wrong("the body is no CBOR: an end stands where an item must")
		}
	}
	return err
}
