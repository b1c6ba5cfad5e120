package wire_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/aws/wire"
	"github.com/steppehq/steppe/value"
)

// generator makes random values of shapes that the protocol can carry as they are:
// without nulls, and in forms and XML without what leaves no trace there, such as an
// empty structure in a form or a flattened list without items.
type generator struct {
	*rand.Rand
	protocol wire.Protocol
}

// sparse reports whether empty structures, lists and maps are lost on the way.
func (g generator) sparse() bool {
	return g.protocol != wire.JSON && g.protocol != wire.CBOR && g.protocol != wire.RESTJSON
}

const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -._~/+=&%?#:;,<>\"'\\{}[]()é€😀\t\n"

func (g generator) text(alphabet string) string {
	runes := []rune(alphabet)
	text := make([]rune, 1+g.IntN(12))
	for i := range text {
		text[i] = runes[g.IntN(len(runes))]
	}
	return string(text)
}

// structure makes a structure with some of its members; it is undefined where it
// would be empty and would be lost.
func (g generator) structure(shape *model.Shape, depth int, top bool) value.Value {
	if shape.Document {
		return value.Obj(value.Member{Name: "a", Value: value.Arr(value.Int(1), value.NullValue, value.Str("x"))})
	}
	object := value.NewObject(0)
	for _, i := range g.Perm(len(shape.Members)) {
		m := &shape.Members[i]
		// A body has a content type, whether the message has one or not.
		must := top && (m.Location == "uri" || m.HostLabel || strings.EqualFold(m.LocationName, "Content-Type"))
		// An absent structure as the payload is an empty one in JSON.
		must = must || top && shape.Payload == m.Name && m.Target.Type == "structure"
		if !must && g.IntN(3) == 0 || hidden(shape, m) {
			continue
		}
		if v := g.member(m, depth, top); !v.IsUndefined() {
			object.Set(m.Name, v)
		}
		if shape.Union && !top {
			break
		}
	}
	v := object.Value()
	if v.Len() == 0 && g.sparse() && !top {
		return value.Value{}
	}
	return v
}

// hidden reports whether an element of the member would be another's.
func hidden(shape *model.Shape, m *model.Member) bool {
	for i := range shape.Members {
		other := &shape.Members[i]
		if other != m && other.Target.Type == "list" && m.Target.Type != "list" && other.WireName() == m.WireName() {
			return true
		}
	}
	return false
}

func (g generator) member(m *model.Member, depth int, top bool) value.Value {
	if !top || g.protocol != wire.RESTJSON && g.protocol != wire.RESTXML {
		return g.value(&m.ShapeRef, depth)
	}
	switch {
	case m.Streaming || m.Target.Streaming, m.Location == "headers" && m.LocationName == "":
		return value.Value{} // the body has it, or other headers mix with it
	case m.HostLabel:
		return value.Str(g.text("abcXYZ019-"))
	case m.Location == "uri":
		return g.scalar(&m.ShapeRef, strings.ReplaceAll(characters, "/", ""))
	case m.Location == "header":
		return g.header(&m.ShapeRef)
	case m.Location == "headers":
		return value.Obj(value.Member{Name: strings.ToLower(g.text("abcdef-")) + "x", Value: value.Str(g.text("abcAB ;=") + "x")})
	case m.Location == "statusCode":
		return value.Int(int64(200 + g.IntN(4)))
	}
	v := g.value(&m.ShapeRef, depth)
	if v.Kind() == value.String && v.Str() == "" {
		return value.Value{} // a payload without bytes is no body
	}
	return v
}

func (g generator) header(ref *model.ShapeRef) value.Value {
	if ref.Target.Type == "list" {
		return value.Arr(g.header(ref.Target.Member), g.header(ref.Target.Member))
	}
	v := g.scalar(ref, "x")
	if v.Kind() == value.String && ref.Target.Type == "string" {
		v = value.Str("x" + g.text(`abc,"\ =;`) + "x")
	}
	return v
}

func (g generator) value(ref *model.ShapeRef, depth int) value.Value {
	shape := ref.Target
	if depth > 5 {
		if shape.Type == "structure" || shape.Type == "list" || shape.Type == "map" {
			return value.Value{}
		}
	}
	switch shape.Type {
	case "structure":
		return g.structure(shape, depth+1, false)
	case "list":
		var items []value.Value
		for range 1 + g.IntN(3) {
			if v := g.value(shape.Member, depth+1); !v.IsUndefined() {
				items = append(items, v)
			}
		}
		if len(items) == 0 && g.sparse() {
			return value.Value{}
		}
		return value.Arr(items...)
	case "map":
		object := value.NewObject(0)
		for range 1 + g.IntN(3) {
			if v := g.value(shape.Value, depth+1); !v.IsUndefined() {
				object.Set(g.text(characters), v)
			}
		}
		if v := object.Value(); v.Len() > 0 || !g.sparse() {
			return v
		}
		return value.Value{}
	}
	return g.scalar(ref, characters)
}

func (g generator) scalar(ref *model.ShapeRef, alphabet string) value.Value {
	switch ref.Target.Type {
	case "blob":
		return value.Str([]string{"", "YQ==", "/+8=", "aGVsbG8g"}[g.IntN(4)])
	case "boolean":
		return value.Of(g.IntN(2) == 0)
	case "timestamp":
		// Dates of HTTP have no fractions.
		return value.Str(fmt.Sprintf("20%02d-0%d-1%dT0%d:00:%02dZ", g.IntN(100), 1+g.IntN(9), g.IntN(10), g.IntN(10), g.IntN(60)))
	case "integer", "long":
		return value.Int(int64(g.IntN(1<<40)) - 1<<39)
	case "float", "double":
		return []value.Value{value.Float(g.Float64() * 1e6), value.Float(-1.5e-9), value.Int(7), value.Str("NaN"), value.Str("-Infinity")}[g.IntN(5)]
	}
	return value.Str(g.text(alphabet))
}

func services(t testing.TB) []string {
	names := model.Names()
	slices.Sort(names)
	if len(names) < 420 {
		t.Fatalf("only %d services", len(names))
	}
	return names
}

// operations returns a service's operations in the order of their names, without those
// that stream events.
func operations(s *model.Service) []*model.Operation {
	var ops []*model.Operation
	for _, op := range s.Operations {
		if !streamsEvents(op) {
			ops = append(ops, op)
		}
	}
	slices.SortFunc(ops, func(a, b *model.Operation) int { return strings.Compare(a.Name, b.Name) })
	return ops
}

func streamsEvents(op *model.Operation) bool {
	for _, ref := range []*model.ShapeRef{op.Input, op.Output} {
		if ref == nil {
			continue
		}
		for _, m := range ref.Target.Members {
			if m.Target.EventStream {
				return true
			}
		}
	}
	return false
}

func protocols(s *model.Service) []wire.Protocol {
	all := []wire.Protocol{wire.Protocol(s.Metadata.Protocol)}
	for _, p := range s.Metadata.Protocols {
		if !slices.Contains(all, wire.Protocol(p)) {
			all = append(all, wire.Protocol(p))
		}
	}
	return all
}

func streamed(ref *model.ShapeRef) bool {
	if ref == nil || ref.Target.Payload == "" {
		return false
	}
	m := ref.Target.ByName(ref.Target.Payload)
	return m.Streaming || m.Target.Streaming
}

// TestRoundTrip sends random values of all operations of all services through both
// directions: what one side encodes the other must decode to the same value, and the
// server must find the operation that the client meant.
func TestRoundTrip(t *testing.T) {
	for _, name := range services(t) {
		s := model.Load(name)
		for _, protocol := range protocols(s) {
			t.Run(name+"/"+string(protocol), func(t *testing.T) {
				codec, err := wire.New(s, protocol)
				if err != nil {
					t.Fatal(err)
				}
				for i, op := range operations(s) {
					g := generator{Rand: newRand(uint64(i)), protocol: protocol}
					requestTrip(t, g, codec, op)
					responseTrip(t, g, codec, op)
				}
			})
		}
	}
}

func inputOf(g generator, ref *model.ShapeRef) value.Value {
	if ref == nil {
		return value.Obj()
	}
	return g.structure(ref.Target, 0, true)
}

func requestTrip(t *testing.T, g generator, codec *wire.Codec, op *model.Operation) {
	t.Helper()
	in := wire.Message{Value: inputOf(g, op.Input)}
	if streamed(op.Input) && (codec.Protocol() == wire.RESTJSON || codec.Protocol() == wire.RESTXML) {
		in.Body = strings.NewReader("streamed")
	}
	r, err := codec.EncodeRequest(op, in)
	if err != nil {
		t.Errorf("%s: request of %v: %v", op.Name, in.Value, err)
		return
	}
	found, err := codec.Operation(r)
	if err != nil || found != op && !sameRoute(op, found) {
		t.Errorf("%s: %s %s is %v, %v", op.Name, r.Method, r.URL, found, err)
	}
	out, err := codec.DecodeRequest(op, r)
	compare(t, op.Name+" request", in, out, err)
}

// sameRoute reports whether nothing in a request tells two operations apart.
func sameRoute(a, b *model.Operation) bool {
	blank := func(uri string) string {
		var kept []string
		for part := range strings.SplitSeq(uri, "{") {
			_, after, labeled := strings.Cut(part, "}")
			if !labeled {
				after = part
			}
			kept = append(kept, after)
		}
		return strings.Join(kept, "{}")
	}
	return a.HTTP.Method == b.HTTP.Method && blank(a.HTTP.RequestURI) == blank(b.HTTP.RequestURI)
}

func responseTrip(t *testing.T, g generator, codec *wire.Codec, op *model.Operation) {
	t.Helper()
	in := wire.Message{Value: inputOf(g, op.Output), RequestID: "id-1"}
	if streamed(op.Output) && (codec.Protocol() == wire.RESTJSON || codec.Protocol() == wire.RESTXML) {
		in.Body = strings.NewReader("streamed")
	}
	r, err := codec.EncodeResponse(op, in)
	if err != nil {
		t.Errorf("%s: response of %v: %v", op.Name, in.Value, err)
		return
	}
	if code := statusMember(op.Output); code != "" && in.Value.Get(code).IsUndefined() {
		in.Value = in.Value.With(code, value.Int(int64(r.StatusCode)))
	}
	if op.HTTP.Method == http.MethodHead || r.StatusCode == http.StatusNoContent {
		return // no body is sent, whatever the output has
	}
	out, err := codec.DecodeResponse(op, r)
	compare(t, op.Name+" response", in, out, err)
	if err == nil && out.RequestID != "id-1" {
		t.Errorf("%s: request id %q", op.Name, out.RequestID)
	}
}

func statusMember(ref *model.ShapeRef) string {
	if ref != nil {
		for _, m := range ref.Target.Members {
			if m.Location == "statusCode" {
				return m.Name
			}
		}
	}
	return ""
}

func compare(t *testing.T, what string, in, out wire.Message, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v: %v", what, in.Value, err)
		return
	}
	// SendApiAsset returns all headers in this member, those of HTTP and of AWS, too.
	if headers := out.Value.Get("ResponseHeaders"); !headers.IsUndefined() {
		in.Value = in.Value.With("ResponseHeaders", headers)
	}
	if !value.Equal(in.Value, out.Value) {
		t.Errorf("%s:\n in %v\nout %v", what, in.Value, out.Value)
	}
	if (in.Body == nil) != (out.Body == nil) {
		t.Errorf("%s: body %v, %v", what, in.Body, out.Body)
	} else if in.Body != nil {
		if body, err := io.ReadAll(out.Body); err != nil || !bytes.Equal(body, []byte("streamed")) {
			t.Errorf("%s: body %q, %v", what, body, err)
		}
	}
}

// TestEmpty encodes the smallest request of each operation: what stands in its path
// or host, and nothing else. An operation that streams events is refused.
func TestEmpty(t *testing.T) {
	encoded, refused := 0, 0
	for _, name := range services(t) {
		s, c := codec(t, name, "")
		for _, op := range s.Operations {
			input := value.NewObject(0)
			g := generator{Rand: newRand(1), protocol: c.Protocol()}
			if op.Input != nil {
				for i := range op.Input.Target.Members {
					if m := &op.Input.Target.Members[i]; m.Location == "uri" || m.HostLabel {
						input.Set(m.Name, g.scalar(&m.ShapeRef, "x"))
					}
				}
			}
			v := input.Value()
			_, err := c.EncodeRequest(op, wire.Message{Value: v})
			if streamsEvents(op) {
				if refused++; err == nil {
					t.Errorf("%s: %s is not refused", name, op.Name)
				}
				continue
			}
			if encoded++; err != nil {
				t.Errorf("%s: %s: %v", name, op.Name, err)
			}
			if _, err := wire.HostPrefix(op, v); err != nil {
				t.Errorf("%s: %s: %v", name, op.Name, err)
			}
		}
	}
	if encoded < 18000 || refused < 20 {
		t.Errorf("%d operations were encoded, %d refused", encoded, refused)
	}
}
