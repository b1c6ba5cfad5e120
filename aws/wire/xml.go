package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/value"
)

// XML stands in the bodies of REST-XML, and in the responses of Query and EC2.
//
// A structure's members are elements, named by locationName or else by the member.
// A list is an element with one "member" for each item; a flattened list is the
// items alone, each with the list's name. A map is an element with an "entry" for
// each pair, each with "key" and "value"; flattened, it is the entries alone with the
// map's name. All of these names can be changed by a locationName: of the list's
// member, of the map's key and value. Members marked xmlAttribute stand in the start
// tag. See https://smithy.io/2.0/spec/protocol-traits.html#xml-bindings.
//
// Bodies are read in one pass by the model, without a tree being made of them, so
// that memory is bounded by what the model has.

// xmlBody is the body of REST-XML.
type xmlBody struct{ service *model.Service }

func (xmlBody) contentType() string { return "application/xml" }

func (b xmlBody) encode(op *model.Operation, ref *model.ShapeRef, shape *model.Shape, v value.Value, which choice) ([]byte, error) {
	w := xmlWriter{timestamps: isoFormat}
	response := ref == op.Output
	space := namespaceOf(ref)
	if response && space == nil {
		space = &model.XMLNamespace{URI: b.namespace()}
	}
	name := b.root(op, ref, shape)
	if response && unwrapped(b.service, op) {
		return fmt.Appendf(nil, "<%s xmlns=%q>%s</%s>", name, space.URI, escapeXML(v.Get(name).Str()), name), nil
	}
	w.start(name, space, nil)
	err := w.members(shape, v, which)
	w.end(name)
	return w.b, err
}

// unwrapped reports whether the output's only member is the root itself, which
// S3's GetBucketLocation is alone with (Smithy's trait s3UnwrappedXmlOutput).
func unwrapped(s *model.Service, op *model.Operation) bool {
	return isS3(s) && op.Name == "GetBucketLocation"
}

func isS3(s *model.Service) bool { return s.Metadata.ServiceID == "S3" }

// namespace is that of the service's responses. The model of S3 has it only on
// members.
func (b xmlBody) namespace() string {
	if isS3(b.service) {
		return "http://s3.amazonaws.com/doc/2006-03-01/"
	}
	return b.service.Metadata.XMLNamespace
}

// root returns the name of a body's root element.
func (b xmlBody) root(op *model.Operation, ref *model.ShapeRef, shape *model.Shape) string {
	switch {
	case ref.LocationName != "":
		return ref.LocationName
	case shape.LocationName != "":
		return shape.LocationName
	case ref != op.Output:
		return shape.Name
	case isS3(b.service) && s3Roots[op.Name] != "":
		return s3Roots[op.Name]
	}
	return op.Name + "Result"
}

// s3Roots has the root elements of S3's responses that are not the operation's
// name with Result, from the examples of the S3 API reference. Clients do not look
// at the name of a root.
var s3Roots = map[string]string{
	"CreateMultipartUpload":              "InitiateMultipartUploadResult",
	"DeleteObjects":                      "DeleteResult",
	"GetBucketAccelerateConfiguration":   "AccelerateConfiguration",
	"GetBucketAcl":                       "AccessControlPolicy",
	"GetBucketCors":                      "CORSConfiguration",
	"GetBucketLifecycleConfiguration":    "LifecycleConfiguration",
	"GetBucketLocation":                  "LocationConstraint",
	"GetBucketLogging":                   "BucketLoggingStatus",
	"GetBucketNotificationConfiguration": "NotificationConfiguration",
	"GetBucketRequestPayment":            "RequestPaymentConfiguration",
	"GetBucketTagging":                   "Tagging",
	"GetBucketVersioning":                "VersioningConfiguration",
	"GetBucketWebsite":                   "WebsiteConfiguration",
	"GetObjectAcl":                       "AccessControlPolicy",
	"GetObjectAttributes":                "GetObjectAttributesResponse",
	"GetObjectTagging":                   "Tagging",
	"ListBuckets":                        "ListAllMyBucketsResult",
	"ListObjectVersions":                 "ListVersionsResult",
	"ListObjects":                        "ListBucketResult",
	"ListObjectsV2":                      "ListBucketResult",
}

func namespaceOf(ref *model.ShapeRef) *model.XMLNamespace {
	if ref.XMLNamespace != nil {
		return ref.XMLNamespace
	}
	return ref.Target.XMLNamespace
}

func flattened(ref *model.ShapeRef) bool { return ref.Flattened || ref.Target.Flattened }

// xmlName is a member's name in XML: of a flattened list, its items' name.
func xmlName(m *model.Member) string {
	if m.Target.Type == "list" && flattened(&m.ShapeRef) && m.Target.Member.LocationName != "" {
		return m.Target.Member.LocationName
	}
	return m.WireName()
}

// nameOr returns the name that a reference has in XML and in forms.
func nameOr(ref *model.ShapeRef, otherwise string) string {
	if ref.LocationName != "" {
		return ref.LocationName
	}
	return otherwise
}

type xmlWriter struct {
	b          []byte
	timestamps string
}

// start writes a start tag; attributes are written already, with blanks before.
func (w *xmlWriter) start(name string, space *model.XMLNamespace, attributes []byte) {
	w.b = append(append(w.b, '<'), name...)
	if space != nil && space.URI != "" {
		w.b = append(w.b, " xmlns"...)
		if space.Prefix != "" {
			w.b = append(append(w.b, ':'), space.Prefix...)
		}
		w.b = append(append(append(w.b, `="`...), escapeXML(space.URI)...), '"')
	}
	w.b = append(append(w.b, attributes...), '>')
}

func (w *xmlWriter) end(name string) { w.b = append(append(append(w.b, "</"...), name...), '>') }

func (w *xmlWriter) members(shape *model.Shape, v value.Value, which choice) error {
	return each(shape, v, func(m *model.Member, v value.Value) error {
		if !which(m) || m.XMLAttribute {
			return nil
		}
		return w.element(m.WireName(), &m.ShapeRef, v)
	})
}

func (w *xmlWriter) element(name string, ref *model.ShapeRef, v value.Value) error {
	shape := ref.Target
	switch shape.Type {
	case "structure":
		attributes, err := attributesOf(shape, v)
		if err != nil {
			return err
		}
		w.start(name, namespaceOf(ref), attributes)
		err = w.members(shape, v, all)
		w.end(name)
		return err
	case "list", "map":
		return w.collection(name, ref, v)
	}
	text, err := textOf(ref, v, w.timestamps)
	w.start(name, namespaceOf(ref), nil)
	w.b = append(w.b, escapeXML(text)...)
	w.end(name)
	return err
}

func (w *xmlWriter) collection(name string, ref *model.ShapeRef, v value.Value) error {
	shape := ref.Target
	flat := flattened(ref)
	if !flat {
		w.start(name, namespaceOf(ref), nil)
		defer w.end(name)
	}
	if shape.Type == "map" {
		entry := "entry"
		if flat {
			entry = name
		}
		return w.entries(entry, shape, v)
	}
	if v.Kind() != value.Array {
		return unlike(v, "an array")
	}
	item := nameOr(shape.Member, "member")
	if flat {
		item = nameOr(shape.Member, name)
	}
	for i, member := range v.Items() {
		if absent(member) {
			continue
		}
		if err := w.element(item, shape.Member, member); err != nil {
			return atIndex(err, i)
		}
	}
	return nil
}

func (w *xmlWriter) entries(name string, shape *model.Shape, v value.Value) error {
	if v.Kind() != value.Object {
		return unlike(v, "an object")
	}
	items := v.Items()
	for i, key := range v.Names() {
		if absent(items[i]) {
			continue
		}
		w.start(name, nil, nil)
		err := w.element(nameOr(shape.Key, "key"), shape.Key, value.Str(key))
		if err == nil {
			err = w.element(nameOr(shape.Value, "value"), shape.Value, items[i])
		}
		w.end(name)
		if err != nil {
			return at(err, key)
		}
	}
	return nil
}

func attributesOf(shape *model.Shape, v value.Value) (attributes []byte, err error) {
	for i := range shape.Members {
		m := &shape.Members[i]
		if given := v.Get(m.Name); m.XMLAttribute && !absent(given) {
			text, err := textOf(&m.ShapeRef, given, isoFormat)
			if err != nil {
				return nil, at(err, m.Name)
			}
			attributes = fmt.Appendf(attributes, ` %s="%s"`, m.WireName(), escapeXML(text))
		}
	}
	return attributes, nil
}

// escapeXML escapes what has a meaning in XML, and what its readers change: line
// ends. Characters that XML cannot have become U+FFFD.
func escapeXML(s string) string {
	clean := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '<' || c == '>' || c == '&' || c == '"' || c == '\'' {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder's Write does not fail
	return b.String()
}

func (b xmlBody) decode(op *model.Operation, shape *model.Shape, body []byte) (value.Value, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return value.Obj(), nil
	}
	d := newXMLReader(body)
	root, err := d.root()
	if err != nil {
		return value.Value{}, err
	}
	if isS3(b.service) && root.Name.Local == "Error" && shape.Name != "Error" {
		return value.Value{}, &bodyError{body}
	}
	if unwrapped(b.service, op) && shape.ByName(root.Name.Local) != nil {
		text, err := d.text()
		if err != nil || text == "" {
			return value.Obj(), err
		}
		return value.Obj(value.Member{Name: root.Name.Local, Value: value.Str(text)}), nil
	}
	return d.structure(shape, root)
}

// bodyError is an error that S3 sends with the status of success, as it had to begin
// the response before it knew.
type bodyError struct{ body []byte }

// Error is not shown: DecodeResponse reads the body.
func (*bodyError) Error() string { return "wire: the response is an error" }

type xmlReader struct {
	dec   *xml.Decoder
	depth int
}

func newXMLReader(body []byte) *xmlReader {
	return &xmlReader{dec: xml.NewDecoder(bytes.NewReader(body))}
}

// next returns what comes next in an element, nil at its end; text is added to dst.
func (d *xmlReader) next(dst *[]byte) (*xml.StartElement, error) {
	for {
		token, err := d.dec.Token()
		if err != nil {
			return nil, syntax(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if d.depth++; d.depth > maxDepth {
				return nil, wrong("nests deeper than " + strconv.Itoa(maxDepth) + " elements")
			}
			return &t, nil
		case xml.EndElement:
			d.depth--
			return nil, nil
		case xml.CharData:
			if dst != nil {
				*dst = append(*dst, t...)
			}
		}
	}
}

func syntax(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return wrong("the body is no XML: " + strings.TrimPrefix(err.Error(), "XML syntax error on "))
}

func (d *xmlReader) root() (xml.StartElement, error) {
	start, err := d.next(nil)
	if err != nil {
		return xml.StartElement{}, err
	}
	return *start, nil // the first token of the body cannot be an end
}

// child returns the text of the last element with the name in an element, and reads
// the rest of it.
func (d *xmlReader) child(name string) (text string, err error) {
	for {
		start, err := d.next(nil)
		if err != nil || start == nil {
			return text, err
		}
		if start.Name.Local == name {
			text, err = d.text()
		} else {
			err = d.skip()
		}
		if err != nil {
			return "", err
		}
	}
}

// skip passes over the rest of an element.
func (d *xmlReader) skip() error {
	for level := 1; level > 0; {
		start, err := d.next(nil)
		if err != nil {
			return err
		}
		if start != nil {
			level++
		} else {
			level--
		}
	}
	return nil
}

// text returns the text of an element, without that of elements in it.
func (d *xmlReader) text() (string, error) {
	var text []byte
	for {
		start, err := d.next(&text)
		if err != nil || start == nil {
			return string(text), err
		}
		if err := d.skip(); err != nil {
			return "", err
		}
	}
}

// repeated collects a flattened list or map, whose elements may stand anywhere
// among those of other members.
type repeated struct {
	m      *model.Member
	items  []value.Value
	object *value.ObjectBuilder
}

func (d *xmlReader) structure(shape *model.Shape, start xml.StartElement) (value.Value, error) {
	object := value.NewObject(min(len(shape.Members), 8))
	if err := setAttributes(object, shape, start); err != nil {
		return value.Value{}, err
	}
	var flat []*repeated
	for {
		child, err := d.next(nil)
		if err != nil {
			return value.Value{}, err
		}
		if child == nil {
			break
		}
		m := memberOf(shape, child.Name.Local)
		switch {
		case m == nil:
			err = d.skip()
		case flattened(&m.ShapeRef):
			flat, err = d.again(flat, m, *child)
		default:
			var v value.Value
			v, err = d.element(&m.ShapeRef, *child)
			object.Set(m.Name, v)
		}
		if err != nil {
			return value.Value{}, at(err, child.Name.Local)
		}
	}
	for _, f := range flat {
		if f.object != nil {
			object.Set(f.m.Name, f.object.Value())
		} else {
			object.Set(f.m.Name, value.Arr(f.items...))
		}
	}
	return object.Value(), nil
}

// memberOf returns the member that an element of the name stands for. Where two
// members have one name it is the list: S3 has an old Event beside its Events.
func memberOf(shape *model.Shape, name string) (found *model.Member) {
	for i := range shape.Members {
		m := &shape.Members[i]
		if m.XMLAttribute || xmlName(m) != name {
			continue
		}
		if found == nil || m.Target.Type == "list" {
			found = m
		}
	}
	return found
}

func setAttributes(object *value.ObjectBuilder, shape *model.Shape, start xml.StartElement) error {
	if len(start.Attr) == 0 {
		return nil
	}
	for i := range shape.Members {
		m := &shape.Members[i]
		if !m.XMLAttribute {
			continue
		}
		name := m.WireName()
		name = name[strings.IndexByte(name, ':')+1:]
		for _, attribute := range start.Attr {
			if attribute.Name.Local == name {
				v, err := valueOf(&m.ShapeRef, attribute.Value)
				if err != nil {
					return at(err, m.Name)
				}
				object.Set(m.Name, v)
			}
		}
	}
	return nil
}

// again adds one element of a flattened list or map.
func (d *xmlReader) again(flat []*repeated, m *model.Member, start xml.StartElement) ([]*repeated, error) {
	var into *repeated
	for _, f := range flat {
		if f.m == m {
			into = f
		}
	}
	if into == nil {
		into = &repeated{m: m}
		if m.Target.Type == "map" {
			into.object = value.NewObject(4)
		}
		flat = append(flat, into)
	}
	if into.object != nil {
		return flat, d.entry(m.Target, into.object)
	}
	v, err := d.element(m.Target.Member, start)
	into.items = append(into.items, v)
	return flat, err
}

// element reads the rest of an element whose start was read.
func (d *xmlReader) element(ref *model.ShapeRef, start xml.StartElement) (value.Value, error) {
	switch shape := ref.Target; shape.Type {
	case "structure":
		return d.structure(shape, start)
	case "list":
		var items []value.Value
		for {
			child, err := d.next(nil)
			if err != nil || child == nil {
				return value.Arr(items...), err
			}
			v, err := d.element(shape.Member, *child)
			if err != nil {
				return v, atIndex(err, len(items))
			}
			items = append(items, v)
		}
	case "map":
		object := value.NewObject(4)
		for {
			child, err := d.next(nil)
			if err != nil || child == nil {
				return object.Value(), err
			}
			if err := d.entry(shape, object); err != nil {
				return value.Value{}, err
			}
		}
	}
	text, err := d.text()
	if err != nil {
		return value.Value{}, err
	}
	return valueOf(ref, text)
}

// entry reads the rest of one entry of a map.
func (d *xmlReader) entry(shape *model.Shape, object *value.ObjectBuilder) error {
	var key string
	item := value.Str("")
	if shape.Value.Target.Type != "string" {
		item = value.NullValue
	}
	for {
		child, err := d.next(nil)
		if err != nil {
			return err
		}
		if child == nil {
			if !absent(item) {
				object.Set(key, item)
			}
			return nil
		}
		switch child.Name.Local {
		case nameOr(shape.Key, "key"):
			key, err = d.text()
		case nameOr(shape.Value, "value"):
			item, err = d.element(shape.Value, *child)
		default:
			err = d.skip()
		}
		if err != nil {
			return at(err, key)
		}
	}
}
