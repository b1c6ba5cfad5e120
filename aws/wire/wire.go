// Package wire encodes and decodes the requests and responses of AWS services
// from their API models, as a client and as a server, in all protocols that the
// services speak: AWS JSON 1.0 and 1.1, Query, EC2 Query, REST-JSON, REST-XML and
// RPC v2 CBOR.
//
// On one side is a [Message]: a JSON value whose members have the model's names,
// and the payload of an operation that streams. On the other side is an
// [http.Request] or an [http.Response]:
//
//	codec, err := wire.New(model.Load("sqs"), "")
//	r, err := codec.EncodeRequest(op, wire.Message{Value: input}) // client
//	in, err := codec.DecodeRequest(op, r)                         // server
//	w, err := codec.EncodeResponse(op, wire.Message{Value: out, RequestID: id})
//	out, err := codec.DecodeResponse(op, w)                       // client
//
// In values a blob is its base64 text, a timestamp is ISO 8601 text in UTC
// ("2026-11-28T17:00:00Z"; a number of seconds since 1970 is taken, too), and a
// float or double that is no number is "NaN", "Infinity" or "-Infinity". A member
// that is null counts as absent. Whether required members are present, and whether
// values are within their bounds, is not checked here, except what a request
// cannot be written without.
//
// A request has no scheme, host, signature or User-Agent: these are the caller's,
// as are idempotency tokens, checksums and the bodies' limits below [MaxBody].
// Operations whose payload is an event stream are refused.
//
// The rules are those of Smithy's AWS protocol specifications
// (https://smithy.io/2.0/aws/protocols), read off the traits that botocore's models
// have. The packages of smithy-go encode requests in these protocols as well, but
// only as a client, and only into Go types or visitors of them.
//
// Stability: may move in any minor release.
package wire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/value"
)

// Protocol is the name of a protocol in the API models.
type Protocol string

// The protocols.
const (
	JSON     Protocol = "json" // AWS JSON 1.0 and 1.1
	Query    Protocol = "query"
	EC2      Protocol = "ec2"
	RESTJSON Protocol = "rest-json"
	RESTXML  Protocol = "rest-xml"
	CBOR     Protocol = "smithy-rpc-v2-cbor"
)

// MaxBody bounds, in bytes, a body that is decoded; a streamed payload has no
// bound. MaxForm and MaxFields bound the body of a Query request.
const (
	MaxBody   = 32 << 20
	MaxForm   = 4 << 20
	MaxFields = 1 << 16
)

// maxDepth is how deep elements, parameters and CBOR items may nest; for JSON it
// is [value.MaxDepth].
const maxDepth = 200

// ErrTooLarge is returned for a body of more than [MaxBody] or [MaxForm] bytes.
var ErrTooLarge = errors.New("wire: the body is too large")

// Message is the content of a request or a response.
type Message struct {
	// Value is an object with the members of the operation's input or output.
	// Undefined counts as an empty object.
	Value value.Value
	// Body is the payload of an operation that streams one, nil for others: that
	// member is not in Value. Of a decoded message it is the body of the request or
	// response, which the caller closes.
	Body io.Reader
	// RequestID is the request's id; only a response has one.
	RequestID string
}

// Codec encodes and decodes the messages of one service in one protocol. It is
// immutable, and may be used from any goroutine.
type Codec struct {
	service  *model.Service
	protocol Protocol
	format   format
	routes   func() []route
}

// format is what differs between the kinds of protocols.
type format interface {
	encodeRequest(op *model.Operation, m Message) (*http.Request, error)
	decodeRequest(op *model.Operation, r *http.Request) (Message, error)
	encodeResponse(op *model.Operation, m Message) (*http.Response, error)
	decodeResponse(op *model.Operation, r *http.Response) (Message, error)
	// encodeError sets the body of an error's response, and the headers that
	// describe the body or the error.
	encodeError(r *http.Response, e *Error, shape *model.Shape) error
	// decodeError reads code, message and ids; find returns the modelled
	// exception of a code, nil where there is none.
	decodeError(r *http.Response, body []byte, e *Error, find func(code string) *model.Shape)
}

// New returns the codec of a service in a protocol, "" for the one that the model
// names first.
func New(s *model.Service, protocol Protocol) (*Codec, error) {
	if protocol == "" {
		protocol = Protocol(s.Metadata.Protocol)
	}
	c := &Codec{service: s, protocol: protocol}
	c.routes = sync.OnceValue(func() []route { return routesOf(s) })
	switch protocol {
	case JSON:
		c.format = &rpcJSON{s}
	case CBOR:
		c.format = &rpcCBOR{s}
	case Query, EC2:
		c.format = &query{s, protocol == EC2}
	case RESTJSON:
		c.format = &rest{s, jsonBody{}}
	case RESTXML:
		c.format = &rest{s, xmlBody{s}}
	default:
		return nil, fmt.Errorf("wire: %s speaks %q, which is no known protocol", s.Metadata.ServiceID, protocol)
	}
	return c, nil
}

// Protocol returns the codec's protocol.
func (c *Codec) Protocol() Protocol { return c.protocol }

// EncodeRequest writes a request. Its URL has a path and a query, and neither
// scheme nor host. It returns a [*SerializationError] for a value that does not fit the
// operation's input.
func (c *Codec) EncodeRequest(op *model.Operation, m Message) (*http.Request, error) {
	if err := unstreamed(op); err != nil {
		return nil, err
	}
	return c.format.encodeRequest(op, m)
}

// DecodeRequest reads a request for the operation, which [Codec.Operation] has found.
func (c *Codec) DecodeRequest(op *model.Operation, r *http.Request) (Message, error) {
	if err := unstreamed(op); err != nil {
		return Message{}, err
	}
	return c.format.decodeRequest(op, r)
}

// EncodeResponse writes the response of an operation that succeeded.
func (c *Codec) EncodeResponse(op *model.Operation, m Message) (*http.Response, error) {
	if err := unstreamed(op); err != nil {
		return nil, err
	}
	r, err := c.format.encodeResponse(op, m)
	if err == nil {
		setRequestID(c.service, r.Header, m.RequestID)
	}
	return r, err
}

// DecodeResponse reads a response. Its error is an [*Error] when the service
// answered with one. It reads the body to its end and closes it, except a body that
// it returns in the message.
func (c *Codec) DecodeResponse(op *model.Operation, r *http.Response) (Message, error) {
	if err := unstreamed(op); err != nil {
		return Message{}, errors.Join(err, r.Body.Close())
	}
	if r.StatusCode >= http.StatusMultipleChoices {
		body, err := readAll(r.Body, MaxBody)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return Message{}, err
		}
		return Message{}, c.decodeError(op, r, body)
	}
	m, err := c.format.decodeResponse(op, r)
	if inside, ok := errors.AsType[*bodyError](err); ok {
		err = c.decodeError(op, r, inside.body)
	}
	if m.Body == nil {
		if closed := r.Body.Close(); err == nil {
			err = closed
		}
	}
	if m.RequestID == "" {
		m.RequestID = requestID(r.Header)
	}
	return m, err
}

// HostPrefix returns what stands before the host's name in the operation's
// endpoint, with the labels of the input filled in: "" for most operations.
func HostPrefix(op *model.Operation, input value.Value) (string, error) {
	if op.Endpoint == nil {
		return "", nil
	}
	return expand(op.Endpoint.HostPrefix, op, func(name string, _ bool) (string, error) {
		m := structureOf(op.Input).ByName(name)
		if m == nil {
			return "", fmt.Errorf("wire: the host of %s has an unknown label %s", op.Name, name)
		}
		text, err := textOf(&m.ShapeRef, input.Get(name), isoFormat)
		if err == nil && !isHostLabel(text) {
			err = &SerializationError{Path: name, Reason: "must be a host label: letters, digits and hyphens"}
		}
		return text, err
	})
}

func isHostLabel(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// unstreamed refuses an operation whose input or output is a stream of events.
func unstreamed(op *model.Operation) error {
	for _, ref := range []*model.ShapeRef{op.Input, op.Output} {
		shape := structureOf(ref)
		for i := range shape.Members {
			if shape.Members[i].Target.EventStream {
				return fmt.Errorf("wire: %s streams events, which is not supported", op.Name)
			}
		}
	}
	return nil
}

// empty is the structure of an operation without input or output.
var empty = &model.Shape{Type: "structure"}

// structureOf returns the structure of an input or output.
func structureOf(ref *model.ShapeRef) *model.Shape {
	if ref == nil {
		return empty
	}
	return ref.Target
}

// SerializationError says that a value, or a body, does not fit the model.
type SerializationError struct {
	// Path leads to the place from the input or output down: "Item.id.S".
	Path   string
	Reason string
}

// Error returns path and reason.
func (e *SerializationError) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Path + ": " + e.Reason
}

func wrong(reason string) error { return &SerializationError{Reason: reason} }

func unlike(v value.Value, want string) error {
	return wrong("must be " + want + ", not " + v.Kind().String())
}

// at puts the name of a member before the path of an error that was found in it.
func at(err error, name string) error {
	e, ok := errors.AsType[*SerializationError](err)
	if !ok {
		return err
	}
	if e.Path == "" {
		return &SerializationError{name, e.Reason}
	}
	if e.Path[0] != '[' {
		name += "."
	}
	return &SerializationError{name + e.Path, e.Reason}
}

// atIndex is at for an item of an array.
func atIndex(err error, i int) error { return at(err, "["+strconv.Itoa(i)+"]") }

// each visits the members that a structure's value has, in their order. Members
// that are null or undefined are passed over; one that the model does not have is
// an error.
func each(shape *model.Shape, v value.Value, visit func(m *model.Member, v value.Value) error) error {
	if v.IsUndefined() {
		return nil
	}
	if v.Kind() != value.Object {
		return unlike(v, "an object")
	}
	items := v.Items()
	for i, name := range v.Names() {
		m := shape.ByName(name)
		if m == nil {
			return at(wrong("is not a member of "+shape.Name), name)
		}
		if absent(items[i]) {
			continue
		}
		if err := visit(m, items[i]); err != nil {
			return at(err, name)
		}
	}
	return nil
}

func absent(v value.Value) bool { return v.Kind() == value.Undefined || v.Kind() == value.Null }

// readAll reads a body of at most so many bytes.
func readAll(r io.Reader, most int64) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(b)) > most {
		err = ErrTooLarge
	}
	return b, err
}
