package wire

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/value"
)

// query is the Query protocol and its variant of EC2: a request is a form, a
// response is XML.
//
// A form has one parameter for each scalar, named by its path from the input down:
//
//	Action=Publish&Version=2010-03-31&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.StringValue=b
//
// Items of lists are numbered from 1 below "member" (or the locationName of the
// list's member); those of a flattened list are numbered below the list itself. Maps
// have "entry", unless flattened, and below each number "key" and "value". In Query
// an empty list is one parameter without a value. EC2 flattens all lists, and begins
// each name with a capital, or has queryName for it. See
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html and aws-ec2-query-protocol.html.
type query struct {
	service *model.Service
	ec2     bool
}

const formType = "application/x-www-form-urlencoded; charset=utf-8"

func (f *query) encodeRequest(op *model.Operation, m Message) (*http.Request, error) {
	w := &formWriter{ec2: f.ec2}
	w.set("Action", op.Name)
	w.set("Version", f.service.Metadata.APIVersion)
	if err := w.members("", structureOf(op.Input), m.Value); err != nil {
		return nil, err
	}
	path, rawQuery, _ := strings.Cut(op.HTTP.RequestURI, "?")
	r := newRequest(http.MethodPost, path, rawQuery, w.b)
	r.Header["Content-Type"] = []string{formType}
	return r, nil
}

type formWriter struct {
	b   []byte
	ec2 bool
}

func (w *formWriter) set(name, text string) {
	if len(w.b) > 0 {
		w.b = append(w.b, '&')
	}
	w.b = append(appendEscaped(w.b, name, false), '=')
	w.b = appendEscaped(w.b, text, false)
}

// formName is a member's name in forms.
func formName(m *model.Member, ec2 bool) string {
	switch {
	case !ec2:
		return xmlName(m)
	case m.QueryName != "":
		return m.QueryName
	}
	name := m.WireName()
	return strings.ToUpper(name[:1]) + name[1:]
}

func under(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

func (w *formWriter) members(prefix string, shape *model.Shape, v value.Value) error {
	return each(shape, v, func(m *model.Member, v value.Value) error {
		return w.value(under(prefix, formName(m, w.ec2)), &m.ShapeRef, v)
	})
}

func (w *formWriter) value(name string, ref *model.ShapeRef, v value.Value) error {
	switch shape := ref.Target; shape.Type {
	case "structure":
		return w.members(name, shape, v)
	case "list":
		return w.list(name, ref, v)
	case "map":
		if !flattened(ref) {
			name += ".entry"
		}
		return w.entries(name, shape, v)
	}
	text, err := textOf(ref, v, isoFormat)
	w.set(name, text)
	return err
}

func (w *formWriter) list(name string, ref *model.ShapeRef, v value.Value) error {
	if v.Kind() != value.Array {
		return unlike(v, "an array")
	}
	if v.Len() == 0 && !w.ec2 {
		w.set(name, "")
		return nil
	}
	if !w.ec2 && !flattened(ref) {
		name += "." + nameOr(ref.Target.Member, "member")
	}
	for i, item := range v.Items() {
		if absent(item) {
			return atIndex(wrong("must not be null"), i)
		}
		if err := w.value(name+"."+strconv.Itoa(i+1), ref.Target.Member, item); err != nil {
			return atIndex(err, i)
		}
	}
	return nil
}

func (w *formWriter) entries(name string, shape *model.Shape, v value.Value) error {
	if v.Kind() != value.Object {
		return unlike(v, "an object")
	}
	items := v.Items()
	for i, key := range v.Names() {
		entry := name + "." + strconv.Itoa(i+1) + "."
		w.set(entry+nameOr(shape.Key, "key"), key)
		if absent(items[i]) {
			return at(wrong("must not be null"), key)
		}
		if err := w.value(entry+nameOr(shape.Value, "value"), shape.Value, items[i]); err != nil {
			return at(err, key)
		}
	}
	return nil
}

// field is a parameter, or what the parameters with a common beginning of their
// names have in common.
type field struct {
	text     string
	set      bool
	children map[string]*field
}

// readForm reads the parameters of a request: those of its URL, then those of its
// body, which stays there to be read again.
func readForm(r *http.Request) (*field, error) {
	body, err := readAll(r.Body, MaxForm)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	root := &field{}
	count := 0
	for _, text := range []string{r.URL.RawQuery, string(body)} {
		for pair := range strings.SplitSeq(text, "&") {
			name, text, _ := strings.Cut(pair, "=")
			if name == "" {
				continue
			}
			if count++; count > MaxFields {
				return nil, wrong("has more than " + strconv.Itoa(MaxFields) + " parameters")
			}
			name, err := url.QueryUnescape(name)
			if err == nil {
				text, err = url.QueryUnescape(text)
			}
			if err != nil {
				return nil, wrong("the parameters are not encoded as in a URL: " + err.Error())
			}
			if err := root.put(name, text); err != nil {
				return nil, err
			}
		}
	}
	return root, nil
}

func (f *field) put(name, text string) error {
	if strings.Count(name, ".") > maxDepth {
		return wrong("a parameter's name has more than " + strconv.Itoa(maxDepth) + " parts")
	}
	for part := range strings.SplitSeq(name, ".") {
		child := f.children[part]
		if child == nil {
			if f.children == nil {
				f.children = make(map[string]*field)
			}
			child = &field{}
			f.children[part] = child
		}
		f = child
	}
	f.text, f.set = text, true
	return nil
}

// numbered returns the children whose names are numbers, in their order.
func (f *field) numbered() []*field {
	type item struct {
		number int
		field  *field
	}
	var items []item
	for name, child := range f.children {
		if number, err := strconv.Atoi(name); err == nil {
			items = append(items, item{number, child})
		}
	}
	slices.SortFunc(items, func(a, b item) int { return a.number - b.number })
	fields := make([]*field, len(items))
	for i := range items {
		fields[i] = items[i].field
	}
	return fields
}

func (f *query) decodeRequest(op *model.Operation, r *http.Request) (Message, error) {
	form, err := readForm(r)
	if err != nil {
		return Message{}, err
	}
	v, err := formReader{f.ec2}.structure(structureOf(op.Input), form)
	return Message{Value: v}, err
}

// formReader reads a form by the model.
type formReader struct{ ec2 bool }

func (d formReader) structure(shape *model.Shape, f *field) (value.Value, error) {
	object := value.NewObject(min(len(shape.Members), 8))
	for i := range shape.Members {
		m := &shape.Members[i]
		child := f.children[formName(m, d.ec2)]
		if child == nil {
			continue
		}
		v, err := d.value(&m.ShapeRef, child)
		if err != nil {
			return v, at(err, m.Name)
		}
		if !v.IsUndefined() {
			object.Set(m.Name, v)
		}
	}
	return object.Value(), nil
}

func (d formReader) value(ref *model.ShapeRef, f *field) (value.Value, error) {
	switch shape := ref.Target; shape.Type {
	case "structure":
		return d.structure(shape, f)
	case "list":
		if !d.ec2 && !flattened(ref) && f.children != nil {
			if f = f.children[nameOr(shape.Member, "member")]; f == nil {
				return value.Value{}, nil
			}
		}
		return d.list(shape, f)
	case "map":
		if !flattened(ref) {
			if f = f.children["entry"]; f == nil {
				return value.Value{}, nil
			}
		}
		return d.entries(shape, f)
	}
	if !f.set {
		return value.Value{}, nil
	}
	return valueOf(ref, f.text)
}

func (d formReader) list(shape *model.Shape, f *field) (value.Value, error) {
	var items []value.Value
	for i, item := range f.numbered() {
		v, err := d.value(shape.Member, item)
		if err != nil {
			return v, atIndex(err, i)
		}
		if !v.IsUndefined() {
			items = append(items, v)
		}
	}
	return value.Arr(items...), nil
}

func (d formReader) entries(shape *model.Shape, f *field) (value.Value, error) {
	object := value.NewObject(4)
	for i, entry := range f.numbered() {
		key, item := entry.children[nameOr(shape.Key, "key")], entry.children[nameOr(shape.Value, "value")]
		if key == nil || item == nil {
			return value.Value{}, atIndex(wrong("must have a key and a value"), i)
		}
		v, err := d.value(shape.Value, item)
		if err != nil {
			return v, at(err, key.text)
		}
		object.Set(key.text, v)
	}
	return object.Value(), nil
}

func (f *query) encodeResponse(op *model.Operation, m Message) (*http.Response, error) {
	w := xmlWriter{timestamps: isoFormat}
	root := op.Name + "Response"
	w.start(root, &model.XMLNamespace{URI: f.namespace()}, nil)
	var err error
	if f.ec2 {
		w.leaf("requestId", m.RequestID)
		err = w.members(structureOf(op.Output), m.Value, all)
	} else {
		if op.Output != nil {
			w.start(op.Name+"Result", nil, nil)
			err = w.members(op.Output.Target, m.Value, all)
			w.end(op.Name + "Result")
		}
		w.start("ResponseMetadata", nil, nil)
		w.leaf("RequestId", m.RequestID)
		w.end("ResponseMetadata")
	}
	w.end(root)
	return newResponse(http.StatusOK, "text/xml", w.b), err
}

// namespace is that of the responses. The model of EC2 has none.
func (f *query) namespace() string {
	if f.ec2 {
		return "http://ec2.amazonaws.com/doc/" + f.service.Metadata.APIVersion + "/"
	}
	return f.service.Metadata.XMLNamespace
}

// leaf writes an element of text, nothing for none.
func (w *xmlWriter) leaf(name, text string) {
	if text == "" {
		return
	}
	w.start(name, nil, nil)
	w.b = append(w.b, escapeXML(text)...)
	w.end(name)
}

func (f *query) decodeResponse(op *model.Operation, r *http.Response) (m Message, err error) {
	body, err := readAll(r.Body, MaxBody)
	if err != nil {
		return m, err
	}
	shape := structureOf(op.Output)
	m.Value = value.Obj()
	if len(bytes.TrimSpace(body)) == 0 {
		return m, nil
	}
	d := newXMLReader(body)
	root, err := d.root()
	if err != nil {
		return m, err
	}
	if f.ec2 {
		m.Value, err = d.structure(shape, root)
		m.RequestID = firstText(body, "requestId")
		return m, err
	}
	for {
		child, err := d.next(nil)
		if err != nil || child == nil {
			return m, err
		}
		switch child.Name.Local {
		case op.Name + "Result":
			m.Value, err = d.structure(shape, *child)
		case "ResponseMetadata":
			m.RequestID, err = d.child("RequestId")
		default:
			err = d.skip()
		}
		if err != nil {
			return m, err
		}
	}
}
