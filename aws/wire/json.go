package wire

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/value"
)

// rpcJSON is AWS JSON 1.0 and 1.1: all members stand in the body, and the header
// X-Amz-Target names the operation.
// See https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html.
type rpcJSON struct{ service *model.Service }

func (f *rpcJSON) contentType() string {
	return "application/x-amz-json-" + f.service.Metadata.JSONVersion
}

func (f *rpcJSON) encodeRequest(op *model.Operation, m Message) (*http.Request, error) {
	body, err := appendMembers(nil, structureOf(op.Input), m.Value, all)
	if err != nil {
		return nil, err
	}
	r := newRequest(http.MethodPost, "/", "", body)
	r.Header["Content-Type"] = []string{f.contentType()}
	r.Header["X-Amz-Target"] = []string{f.service.Metadata.TargetPrefix + "." + op.Name}
	if f.service.Metadata.AWSQueryCompatible != nil {
		r.Header["X-Amzn-Query-Mode"] = []string{"true"}
	}
	return r, nil
}

func (f *rpcJSON) decodeRequest(op *model.Operation, r *http.Request) (Message, error) {
	body, err := readAll(r.Body, MaxBody)
	if err != nil {
		return Message{}, err
	}
	v, err := decodeJSON(structureOf(op.Input), body)
	return Message{Value: v}, err
}

func (f *rpcJSON) encodeResponse(op *model.Operation, m Message) (*http.Response, error) {
	body, err := appendMembers(nil, structureOf(op.Output), m.Value, all)
	if err != nil {
		return nil, err
	}
	return newResponse(http.StatusOK, f.contentType(), body), nil
}

func (f *rpcJSON) decodeResponse(op *model.Operation, r *http.Response) (Message, error) {
	body, err := readAll(r.Body, MaxBody)
	if err != nil {
		return Message{}, err
	}
	if len(structureOf(op.Output).Members) == 0 {
		return Message{Value: value.Obj()}, nil // some services answer with text then
	}
	v, err := decodeJSON(op.Output.Target, body)
	return Message{Value: v}, err
}

func (f *rpcJSON) encodeError(r *http.Response, e *Error, shape *model.Shape) error {
	body, err := appendErrorJSON(e, shape, e.Shape, all)
	setBody(r, f.contentType(), body)
	return err
}

func (f *rpcJSON) decodeError(r *http.Response, body []byte, e *Error, find func(string) *model.Shape) {
	decodeErrorJSON(r, body, e, find)
}

// jsonBody is the body of REST-JSON.
type jsonBody struct{}

func (jsonBody) contentType() string { return "application/json" }

func (jsonBody) encode(_ *model.Operation, ref *model.ShapeRef, shape *model.Shape, v value.Value, which choice) ([]byte, error) {
	if shape.Document || shape.Type != "structure" {
		return appendJSON(nil, ref, v)
	}
	return appendMembers(nil, shape, v, which)
}

func (jsonBody) decode(_ *model.Operation, shape *model.Shape, body []byte) (value.Value, error) {
	return decodeJSON(shape, body)
}

// choice is which members of a structure stand in a body.
type choice func(m *model.Member) bool

// all is the choice of protocols without HTTP bindings, and of nested structures.
func all(*model.Member) bool { return true }

// unbound is the choice of the input and output of REST protocols.
func unbound(m *model.Member) bool { return m.Location == "" }

// appendMembers writes the object that a structure is.
func appendMembers(dst []byte, shape *model.Shape, v value.Value, which choice) ([]byte, error) {
	if shape.Document {
		return v.Append(dst), nil
	}
	dst = append(dst, '{')
	first := true
	err := each(shape, v, func(m *model.Member, v value.Value) (err error) {
		if !which(m) {
			return nil
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(value.AppendString(dst, m.WireName()), ':')
		dst, err = appendJSON(dst, &m.ShapeRef, v)
		return err
	})
	return append(dst, '}'), err
}

func appendJSON(dst []byte, ref *model.ShapeRef, v value.Value) ([]byte, error) {
	switch shape := ref.Target; shape.Type {
	case "structure":
		return appendMembers(dst, shape, v, all)
	case "list":
		return appendList(dst, shape, v)
	case "map":
		return appendMap(dst, shape, v)
	case "integer", "long", "float", "double":
		return appendNumber(dst, shape.Type, v, true)
	case "boolean":
		if v.Kind() != value.Bool {
			return dst, unlike(v, "a boolean")
		}
		return v.Append(dst), nil
	case "timestamp":
		t, err := timeOf(v)
		if err != nil {
			return dst, err
		}
		if format := timestampFormat(ref, epochFormat); format != epochFormat {
			return value.AppendString(dst, formatTime(t, format)), nil
		}
		return append(dst, epochText(t)...), nil
	case "blob":
		text, err := blobText(v)
		return value.AppendString(dst, text), err
	default:
		if v.Kind() != value.String {
			return dst, unlike(v, "a string")
		}
		return value.AppendString(dst, v.Str()), nil
	}
}

func appendList(dst []byte, shape *model.Shape, v value.Value) (_ []byte, err error) {
	if v.Kind() != value.Array {
		return dst, unlike(v, "an array")
	}
	dst = append(dst, '[')
	for i, item := range v.Items() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if item.Kind() == value.Null {
			dst = append(dst, "null"...)
			continue
		}
		if dst, err = appendJSON(dst, shape.Member, item); err != nil {
			return dst, atIndex(err, i)
		}
	}
	return append(dst, ']'), nil
}

func appendMap(dst []byte, shape *model.Shape, v value.Value) (_ []byte, err error) {
	if v.Kind() != value.Object {
		return dst, unlike(v, "an object")
	}
	dst = append(dst, '{')
	items := v.Items()
	for i, name := range v.Names() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(value.AppendString(dst, name), ':')
		if items[i].Kind() == value.Null {
			dst = append(dst, "null"...)
			continue
		}
		if dst, err = appendJSON(dst, shape.Value, items[i]); err != nil {
			return dst, at(err, name)
		}
	}
	return append(dst, '}'), nil
}

// decodeJSON reads the structure that a body is. A body without any text has no
// members.
func decodeJSON(shape *model.Shape, body []byte) (value.Value, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return value.Obj(), nil
	}
	d := jsonDecoder{value.NewScanner(body)}
	v, err := d.structure(shape)
	if err == nil {
		err = d.End()
	}
	return v, err
}

// jsonDecoder reads a text by the model, in one pass: what the model does not have
// is checked and passed over without a value of it being made.
type jsonDecoder struct{ *value.Scanner }

func (d jsonDecoder) structure(shape *model.Shape) (value.Value, error) {
	if shape.Document {
		return d.Value()
	}
	if d.Kind() != value.Object {
		return d.unlike("an object")
	}
	object := value.NewObject(min(len(shape.Members), 8))
	err := d.Object(func(name string) error {
		m := shape.ByWireName(name)
		if m == nil {
			_, err := d.Raw()
			return err
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

// unlike reads what comes next, and returns the error that it is something else.
func (d jsonDecoder) unlike(want string) (value.Value, error) {
	v, err := d.Value()
	if err == nil {
		err = unlike(v, want)
	}
	return value.Value{}, err
}

func (d jsonDecoder) value(ref *model.ShapeRef) (value.Value, error) {
	if d.Kind() == value.Null {
		return d.Value()
	}
	switch shape := ref.Target; shape.Type {
	case "structure":
		return d.structure(shape)
	case "list":
		return d.list(shape)
	case "map":
		return d.mapping(shape)
	}
	if kind := d.Kind(); kind == value.Object || kind == value.Array {
		return d.unlike("a " + ref.Target.Type)
	}
	v, err := d.Value()
	if err != nil {
		return v, err
	}
	return scalarJSON(ref, v)
}

// scalarJSON checks a scalar, and brings it into the form that values have.
func scalarJSON(ref *model.ShapeRef, v value.Value) (value.Value, error) {
	switch kind := ref.Target.Type; kind {
	case "integer", "long":
		if _, ok := v.Int64(); !ok {
			return v, unlike(v, "an integer of 64 bits")
		}
	case "float", "double":
		if v.Kind() != value.Number {
			_, err := appendNumber(nil, kind, v, true)
			return v, err
		}
	case "boolean":
		if v.Kind() != value.Bool {
			return v, unlike(v, "a boolean")
		}
	case "timestamp":
		if v.Kind() == value.String {
			return parseTime(v.Str())
		}
		t, err := timeOf(v)
		return value.Str(instant(t)), err
	case "blob":
		_, err := blobText(v)
		return v, err
	default:
		if v.Kind() != value.String {
			return v, unlike(v, "a string")
		}
	}
	return v, nil
}

func (d jsonDecoder) list(shape *model.Shape) (value.Value, error) {
	if d.Kind() != value.Array {
		return d.unlike("an array")
	}
	var items []value.Value
	err := d.Array(func() error {
		v, err := d.value(shape.Member)
		if err != nil {
			return atIndex(err, len(items))
		}
		items = append(items, v)
		return nil
	})
	return value.Arr(items...), err
}

func (d jsonDecoder) mapping(shape *model.Shape) (value.Value, error) {
	if d.Kind() != value.Object {
		return d.unlike("an object")
	}
	object := value.NewObject(4)
	err := d.Object(func(name string) error {
		v, err := d.value(shape.Value)
		if err != nil {
			return at(err, name)
		}
		object.Set(name, v)
		return nil
	})
	return object.Value(), err
}

// appendErrorJSON writes the body of an error; the type is "" where a header has
// it.
func appendErrorJSON(e *Error, shape *model.Shape, typ string, which choice) ([]byte, error) {
	members := e.Value
	if members.Kind() != value.Object {
		members = value.Obj()
	}
	body, err := appendMembers(nil, shape, members, which)
	body = body[:len(body)-1]
	field := func(name, text string) {
		if text == "" || !members.Get(name).IsUndefined() {
			return
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = append(value.AppendString(body, name), ':')
		body = value.AppendString(body, text)
	}
	field("__type", typ)
	field(messageMember(shape), e.Message)
	return append(body, '}'), err
}

// decodeErrorJSON reads an error of AWS JSON and REST-JSON. The type is in the
// header X-Amzn-Errortype, or in the members __type or code; a namespace before it
// and an address behind it are left out.
func decodeErrorJSON(r *http.Response, body []byte, e *Error, find func(string) *model.Shape) {
	v, err := value.Decode(body)
	if err != nil || v.Kind() != value.Object {
		v = value.Obj() // an error of something before the service
	}
	code := r.Header.Get("X-Amzn-Errortype")
	for _, name := range []string{"__type", "code", "Code"} {
		if code == "" {
			code = v.Get(name).Str()
		}
	}
	code, _, _ = strings.Cut(code, ":")
	e.Code = strings.TrimSpace(code[strings.LastIndexByte(code, '#')+1:])
	for _, name := range []string{"message", "Message", "errorMessage"} {
		if e.Message == "" {
			e.Message = v.Get(name).Str()
		}
	}
	if shape := find(e.Code); shape != nil {
		e.Value = value.Obj()
		if members, err := decodeJSON(shape, body); err == nil {
			e.Value = members
		}
	}
}
