package wire

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/value"
)

// rest is REST-JSON and REST-XML, which bind members to parts of HTTP by their
// location: uri (a label of the path), querystring, header, headers (all headers with
// a prefix) and statusCode. One member can be the payload, which is the whole body: a
// structure in the protocol's format, or a string or blob as it is. Without a payload
// the body is a structure of the members without location.
// See https://smithy.io/2.0/spec/http-bindings.html.
type rest struct {
	service *model.Service
	body    bodyFormat
}

// bodyFormat is the format of bodies.
type bodyFormat interface {
	contentType() string
	// encode writes a structure: ref is the payload, or the input or output.
	encode(op *model.Operation, ref *model.ShapeRef, shape *model.Shape, v value.Value, which choice) ([]byte, error)
	decode(op *model.Operation, shape *model.Shape, body []byte) (value.Value, error)
}

// payloadOf returns the member that is the whole body, nil where none is.
func payloadOf(shape *model.Shape) *model.Member {
	if shape.Payload == "" {
		return nil
	}
	return shape.ByName(shape.Payload)
}

func inBody(m model.Member) bool { return m.Location == "" }

func streams(m *model.Member) bool { return m.Streaming || m.Target.Streaming }

// content is a body on its way out.
type content struct {
	typ    string
	bytes  []byte
	stream io.Reader
}

// encodeBody writes the body of an input or output.
func (f *rest) encodeBody(op *model.Operation, ref *model.ShapeRef, m Message) (content, error) {
	shape := structureOf(ref)
	payload := payloadOf(shape)
	if payload == nil {
		return f.encodeUnbound(op, ref, shape, m.Value)
	}
	if streams(payload) && m.Body != nil {
		return content{typ: "application/octet-stream", stream: m.Body}, nil
	}
	v := m.Value.Get(payload.Name)
	if absent(v) {
		if _, isJSON := f.body.(jsonBody); !isJSON || payload.Target.Type != "structure" {
			return content{}, nil // a root element alone would be refused by S3
		}
		v = value.Obj()
	}
	c := content{}
	var err error
	switch payload.Target.Type {
	case "blob":
		c.typ = "application/octet-stream"
		c.bytes, err = blobBytes(v)
	case "string":
		c.typ = "text/plain"
		if v.Kind() != value.String {
			err = unlike(v, "a string")
		}
		c.bytes = []byte(v.Str())
	default:
		c.typ = f.body.contentType()
		c.bytes, err = f.body.encode(op, &payload.ShapeRef, payload.Target, v, all)
	}
	if err != nil {
		return c, at(err, payload.Name)
	}
	return c, nil
}

// encodeUnbound writes the members without location. In JSON there is an object
// wherever the model has such members, in XML only where the message has.
func (f *rest) encodeUnbound(op *model.Operation, ref *model.ShapeRef, shape *model.Shape, v value.Value) (content, error) {
	_, isXML := f.body.(xmlBody)
	bodied := false
	for i := range shape.Members {
		m := &shape.Members[i]
		bodied = bodied || unbound(m) && (!isXML || ref == op.Output || !absent(v.Get(m.Name)))
	}
	if !bodied {
		return content{}, nil
	}
	b, err := f.body.encode(op, ref, shape, v, unbound)
	return content{typ: f.body.contentType(), bytes: b}, err
}

func (f *rest) encodeRequest(op *model.Operation, m Message) (*http.Request, error) {
	shape := structureOf(op.Input)
	template, fixed, _ := strings.Cut(op.HTTP.RequestURI, "?")
	path, err := expand(template, op, func(name string, greedy bool) (string, error) {
		return f.label(shape, m.Value, name, greedy)
	})
	if err != nil {
		return nil, err
	}
	q := queryWriter{b: []byte(fixed)}
	header := make(http.Header, 4)
	err = each(shape, m.Value, func(member *model.Member, v value.Value) error {
		switch member.Location {
		case "querystring":
			return f.setQuery(&q, shape, m.Value, member, v)
		case "header", "headers":
			return f.setHeader(header, member, v)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c, err := f.encodeBody(op, op.Input, m)
	if err != nil {
		return nil, err
	}
	r := newRequest(op.HTTP.Method, path, string(q.b), c.bytes)
	r.Header = header
	if c.stream != nil {
		r.Body, r.ContentLength = closer(c.stream), lengthOf(c.stream, header)
	}
	if c.typ != "" && r.Header["Content-Type"] == nil {
		r.Header["Content-Type"] = []string{c.typ}
	}
	return r, nil
}

// expand fills in the labels of a path or of a host: {Name}, or {Name+} which may
// have slashes.
func expand(template string, op *model.Operation, label func(name string, greedy bool) (string, error)) (string, error) {
	var b strings.Builder
	for {
		literal, rest, found := strings.Cut(template, "{")
		b.WriteString(literal)
		if !found {
			return b.String(), nil
		}
		name, rest, found := strings.Cut(rest, "}")
		if !found {
			return "", fmt.Errorf("wire: the URI of %s has a label without end", op.Name)
		}
		name, greedy := strings.CutSuffix(name, "+")
		text, err := label(name, greedy)
		if err != nil {
			return "", at(err, name)
		}
		b.WriteString(text)
		template = rest
	}
}

// label writes the member that a label of the path stands for.
func (f *rest) label(shape *model.Shape, v value.Value, name string, greedy bool) (string, error) {
	m := labelMember(shape, name)
	if m == nil {
		return "", wrong("is no member of the input, but a label of its path")
	}
	given := v.Get(m.Name)
	if absent(given) {
		return "", wrong("is required: it stands in the path")
	}
	text, err := textOf(&m.ShapeRef, given, isoFormat)
	if err == nil && text == "" {
		err = wrong("must not be empty: it stands in the path")
	}
	return string(appendEscaped(nil, text, greedy)), err
}

func labelMember(shape *model.Shape, name string) *model.Member {
	for i := range shape.Members {
		if m := &shape.Members[i]; m.Location == "uri" && m.WireName() == name {
			return m
		}
	}
	return nil
}

type queryWriter struct{ b []byte }

func (q *queryWriter) add(name, text string) {
	if len(q.b) > 0 {
		q.b = append(q.b, '&')
	}
	q.b = append(appendEscaped(q.b, name, false), '=')
	q.b = appendEscaped(q.b, text, false)
}

// setQuery writes a member of the query. A map is a parameter for each of its pairs,
// but for those that other members have a name for.
func (f *rest) setQuery(q *queryWriter, shape *model.Shape, input value.Value, m *model.Member, v value.Value) error {
	if m.Target.Type != "map" {
		return f.addQuery(q, m.WireName(), &m.ShapeRef, v)
	}
	if v.Kind() != value.Object {
		return unlike(v, "an object")
	}
	items := v.Items()
	for i, name := range v.Names() {
		if other := queryMember(shape, name); other != nil && !absent(input.Get(other.Name)) {
			continue
		}
		if err := f.addQuery(q, name, m.Target.Value, items[i]); err != nil {
			return at(err, name)
		}
	}
	return nil
}

// queryMember returns the member that a parameter of the query is, nil where the
// parameter is of a map.
func queryMember(shape *model.Shape, name string) *model.Member {
	for i := range shape.Members {
		if m := &shape.Members[i]; m.Location == "querystring" && m.Target.Type != "map" && m.WireName() == name {
			return m
		}
	}
	return nil
}

func (f *rest) addQuery(q *queryWriter, name string, ref *model.ShapeRef, v value.Value) error {
	if ref.Target.Type != "list" {
		text, err := textOf(ref, v, isoFormat)
		q.add(name, text)
		return err
	}
	if v.Kind() != value.Array {
		return unlike(v, "an array")
	}
	for i, item := range v.Items() {
		text, err := textOf(ref.Target.Member, item, isoFormat)
		if err != nil {
			return atIndex(err, i)
		}
		q.add(name, text)
	}
	return nil
}

func (f *rest) encodeResponse(op *model.Operation, m Message) (*http.Response, error) {
	shape := structureOf(op.Output)
	c, err := f.encodeBody(op, op.Output, m)
	if err != nil {
		return nil, err
	}
	r := newResponse(op.HTTP.ResponseCode, c.typ, c.bytes)
	if r.StatusCode == 0 {
		r.StatusCode = http.StatusOK
	}
	if c.stream != nil {
		r.Header["Content-Type"] = []string{c.typ}
	}
	err = f.setHeaders(r, shape, m.Value)
	if c.stream != nil {
		r.Body, r.ContentLength = closer(c.stream), lengthOf(c.stream, r.Header)
	}
	return r, err
}

// lengthOf is the length of a streamed body in bytes, -1 where nothing says it.
func lengthOf(stream io.Reader, h http.Header) int64 {
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		return n
	}
	if sized, ok := stream.(interface{ Len() int }); ok {
		return int64(sized.Len())
	}
	return -1
}

// setHeaders writes the status and the headers of a response.
func (f *rest) setHeaders(r *http.Response, shape *model.Shape, v value.Value) error {
	return each(shape, v, func(m *model.Member, v value.Value) error {
		switch m.Location {
		case "statusCode":
			code, ok := v.Int64()
			if !ok || code < 200 || code > 599 {
				return wrong("must be an HTTP status between 200 and 599")
			}
			r.StatusCode = int(code)
		case "header", "headers":
			return f.setHeader(r.Header, m, v)
		}
		return nil
	})
}

// decodeBody reads the body into an object, or leaves it to be streamed.
func (f *rest) decodeBody(op *model.Operation, shape *model.Shape, body io.ReadCloser, object *value.ObjectBuilder) (io.Reader, error) {
	payload := payloadOf(shape)
	if payload != nil && streams(payload) {
		return body, nil
	}
	b, err := readAll(body, MaxBody)
	if err != nil {
		return nil, err
	}
	if payload == nil {
		v, err := f.body.decode(op, shape, b)
		items := v.Items()
		for i, name := range v.Names() {
			if unbound(shape.ByName(name)) {
				object.Set(name, items[i])
			}
		}
		return nil, err
	}
	if len(b) == 0 {
		return nil, nil
	}
	v := blobValue(b)
	switch payload.Target.Type {
	case "blob":
	case "string":
		if !value.Valid(string(b)) {
			return nil, at(wrong("is not UTF-8"), payload.Name)
		}
		v = value.Str(string(b))
	default:
		if v, err = f.body.decode(op, payload.Target, b); err != nil {
			return nil, at(err, payload.Name)
		}
	}
	object.Set(payload.Name, v)
	return nil, nil
}

func (f *rest) decodeRequest(op *model.Operation, r *http.Request) (Message, error) {
	shape := structureOf(op.Input)
	object := value.NewObject(4)
	labels, ok := match(segmentsOf(op.HTTP.RequestURI), r.URL.EscapedPath())
	if !ok {
		return Message{}, wrong("the path is not that of " + op.Name)
	}
	for i := range shape.Members {
		m := &shape.Members[i]
		text, ok := labels[m.WireName()]
		if !ok || m.Location != "uri" {
			continue
		}
		v, err := valueOf(&m.ShapeRef, text)
		if err != nil {
			return Message{}, at(err, m.Name)
		}
		object.Set(m.Name, v)
	}
	if err := f.readQuery(object, op, shape, r.URL.RawQuery); err != nil {
		return Message{}, err
	}
	if err := f.readHeaders(object, shape, r.Header); err != nil {
		return Message{}, err
	}
	stream, err := f.decodeBody(op, shape, r.Body, object)
	return Message{Value: object.Value(), Body: stream}, err
}

// readQuery reads the members that stand in the query.
func (f *rest) readQuery(object *value.ObjectBuilder, op *model.Operation, shape *model.Shape, rawQuery string) error {
	parameters, err := url.ParseQuery(rawQuery)
	if err != nil {
		return wrong("the query is not encoded as in a URL: " + err.Error())
	}
	_, fixed, _ := strings.Cut(op.HTTP.RequestURI, "?")
	for pair := range strings.SplitSeq(fixed, "&") {
		name, _, _ := strings.Cut(pair, "=")
		delete(parameters, name)
	}
	for i := range shape.Members {
		m := &shape.Members[i]
		if m.Location != "querystring" {
			continue
		}
		v, err := queryValue(m, shape, parameters)
		if err != nil {
			return at(err, m.Name)
		}
		if !v.IsUndefined() {
			object.Set(m.Name, v)
		}
	}
	return nil
}

func queryValue(m *model.Member, shape *model.Shape, parameters url.Values) (value.Value, error) {
	switch m.Target.Type {
	case "list":
		return queryTexts(m.Target.Member, parameters[m.WireName()], true)
	case "map":
		object := value.NewObject(4)
		for _, name := range slices.Sorted(maps.Keys(parameters)) {
			if queryMember(shape, name) != nil {
				continue
			}
			ref, list := m.Target.Value, false
			if ref.Target.Type == "list" {
				ref, list = ref.Target.Member, true
			}
			v, err := queryTexts(ref, parameters[name], list)
			if err != nil {
				return v, at(err, name)
			}
			object.Set(name, v)
		}
		if v := object.Value(); v.Len() > 0 {
			return v, nil
		}
		return value.Value{}, nil
	}
	return queryTexts(&m.ShapeRef, parameters[m.WireName()], false)
}

// queryTexts reads what a parameter has: undefined where it is not there.
func queryTexts(ref *model.ShapeRef, texts []string, list bool) (value.Value, error) {
	if len(texts) == 0 {
		return value.Value{}, nil
	}
	if !list {
		return valueOf(ref, texts[0])
	}
	items := make([]value.Value, len(texts))
	for i, text := range texts {
		v, err := valueOf(ref, text)
		if err != nil {
			return v, atIndex(err, i)
		}
		items[i] = v
	}
	return value.Arr(items...), nil
}

func (f *rest) decodeResponse(op *model.Operation, r *http.Response) (Message, error) {
	shape := structureOf(op.Output)
	object := value.NewObject(4)
	for i := range shape.Members {
		if m := &shape.Members[i]; m.Location == "statusCode" {
			object.Set(m.Name, value.Int(int64(r.StatusCode)))
		}
	}
	if err := f.readHeaders(object, shape, r.Header); err != nil {
		return Message{}, err
	}
	body := r.Body
	if op.HTTP.Method == http.MethodHead || r.StatusCode == http.StatusNoContent || !slices.ContainsFunc(shape.Members, inBody) {
		body = http.NoBody // what stands there all the same is not the output's
	}
	stream, err := f.decodeBody(op, shape, body, object)
	return Message{Value: object.Value(), Body: stream}, err
}

func (f *rest) encodeError(r *http.Response, e *Error, shape *model.Shape) error {
	v := e.Value
	if err := f.setHeaders(r, shape, v); err != nil {
		return err
	}
	if _, isXML := f.body.(xmlBody); isXML {
		return encodeErrorXML(f.service, false, r, e, shape, unbound)
	}
	r.Header["X-Amzn-Errortype"] = []string{e.Shape}
	body, err := appendErrorJSON(e, shape, "", unbound)
	setBody(r, f.body.contentType(), body)
	return err
}

func (f *rest) decodeError(r *http.Response, body []byte, e *Error, find func(string) *model.Shape) {
	if _, isXML := f.body.(xmlBody); isXML {
		decodeErrorXML(body, e, find)
	} else {
		decodeErrorJSON(r, body, e, find)
	}
	shape := find(e.Code)
	if shape == nil {
		return
	}
	object := value.NewObject(4)
	items := e.Value.Items()
	for i, name := range e.Value.Names() {
		object.Set(name, items[i])
	}
	for i := range shape.Members {
		if m := &shape.Members[i]; m.Location == "statusCode" {
			object.Set(m.Name, value.Int(int64(r.StatusCode)))
		}
	}
	_ = f.readHeaders(object, shape, r.Header) // an error with a broken header stays the error it is
	e.Value = object.Value()
}
