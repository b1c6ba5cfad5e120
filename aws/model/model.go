// Package model holds the API models of the AWS services: which operations there
// are, how they are called, and what they take and return.
//
// The models are embedded, compressed, and [Load] reads one when it is first asked
// for. They are the models that all AWS SDKs are made from (botocore's
// service-2.json), without documentation and patterns; see models/README.md. What
// their traits mean on the wire is the matter of
// [github.com/steppehq/steppe/aws/wire].
//
//	s := model.Load("sqs")
//	op := s.Operations["SendMessage"]
//	for _, m := range op.Input.Target.Members {
//		fmt.Println(m.Name, m.Target.Type)
//	}
//
// Stability: may move in any minor release.
package model

import (
	"fmt"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Service is the model of one service's API, in the terms of the API models
// that all AWS SDKs are made from. It holds what a client or a server needs: no
// documentation, and of the constraints those that a message can be checked
// against. A Service that [Load] returns is immutable, and may be used from any
// goroutine.
type Service struct {
	Metadata   Metadata              `json:"metadata"`
	Operations map[string]*Operation `json:"operations"`
	Shapes     map[string]*Shape     `json:"shapes"`
}

// Action returns the operation that an action of a Task's Resource names:
// "describeDBInstances" is DescribeDBInstances. It is nil when there is none.
func (s *Service) Action(name string) *Operation {
	if name == "" || isUpper(name[0]) {
		return nil
	}
	return s.Operations[capitalized(name)]
}

// Link has each reference of the model point to its shape, and makes the indexes
// of members. [Load] has done it; a model that was decoded otherwise is linked
// before it is used. It returns an error that names the reference where a shape
// is missing.
func (s *Service) Link() error {
	point := func(from string, refs ...*ShapeRef) error {
		for _, ref := range refs {
			if ref == nil {
				continue
			}
			if ref.Target = s.Shapes[ref.Shape]; ref.Target == nil {
				return fmt.Errorf("%s refers to the shape %q, which the model does not have", from, ref.Shape)
			}
		}
		return nil
	}
	for name, o := range s.Operations {
		refs := []*ShapeRef{o.Input, o.Output}
		for i := range o.Errors {
			refs = append(refs, &o.Errors[i])
		}
		if err := point(name, refs...); err != nil {
			return err
		}
	}
	for name, shape := range s.Shapes {
		shape.Name = name
		if err := point(name, shape.Member, shape.Key, shape.Value); err != nil {
			return err
		}
		for i := range shape.Members {
			m := &shape.Members[i]
			if err := point(name+"."+m.Name, &m.ShapeRef); err != nil {
				return err
			}
			for _, required := range shape.Required {
				m.Required = m.Required || required == m.Name
			}
		}
		shape.index()
	}
	return nil
}

// size is about how many bytes of memory the model takes.
func (s *Service) size() int64 {
	const mapEntry = 32 // key, pointer, and the share of free slots
	n := int64(unsafe.Sizeof(*s))
	for name, o := range s.Operations {
		n += mapEntry + int64(unsafe.Sizeof(*o)) + 2*int64(unsafe.Sizeof(ShapeRef{})) + int64(len(name)+len(o.HTTP.RequestURI))
		n += int64(len(o.Errors)) * int64(unsafe.Sizeof(ShapeRef{}))
	}
	for name, shape := range s.Shapes {
		n += mapEntry + int64(unsafe.Sizeof(*shape)+unsafe.Sizeof(ShapeRef{})) + int64(len(name))
		n += int64(len(shape.Members)) * (int64(unsafe.Sizeof(Member{})) + 32)
		n += int64(len(shape.byName)+len(shape.byWire)) * mapEntry
		for _, text := range shape.Enum {
			n += int64(unsafe.Sizeof(text)) + int64(len(text))
		}
	}
	return n
}

// Metadata says how a service is called.
type Metadata struct {
	APIVersion         string    `json:"apiVersion"`
	ServiceID          string    `json:"serviceId"`
	EndpointPrefix     string    `json:"endpointPrefix"`
	GlobalEndpoint     string    `json:"globalEndpoint,omitzero"`
	SigningName        string    `json:"signingName,omitzero"`
	SignatureVersion   string    `json:"signatureVersion,omitzero"`
	Auth               []string  `json:"auth,omitzero"`
	Protocol           string    `json:"protocol"`
	Protocols          []string  `json:"protocols,omitzero"`
	JSONVersion        string    `json:"jsonVersion,omitzero"`
	TargetPrefix       string    `json:"targetPrefix,omitzero"`
	XMLNamespace       string    `json:"xmlNamespace,omitzero"`
	ChecksumFormat     string    `json:"checksumFormat,omitzero"`
	AWSQueryCompatible *struct{} `json:"awsQueryCompatible,omitzero"`
}

// Operation is one action of a service.
type Operation struct {
	Name   string     `json:"name"`
	HTTP   HTTP       `json:"http"`
	Input  *ShapeRef  `json:"input,omitzero"`
	Output *ShapeRef  `json:"output,omitzero"`
	Errors []ShapeRef `json:"errors,omitzero"`

	Idempotent           bool               `json:"idempotent,omitzero"`
	Auth                 []string           `json:"auth,omitzero"`
	AuthType             string             `json:"authtype,omitzero"`
	UnsignedPayload      bool               `json:"unsignedPayload,omitzero"`
	Endpoint             *Endpoint          `json:"endpoint,omitzero"`
	EndpointOperation    bool               `json:"endpointoperation,omitzero"`
	EndpointDiscovery    *EndpointDiscovery `json:"endpointdiscovery,omitzero"`
	HTTPChecksumRequired bool               `json:"httpChecksumRequired,omitzero"`
	HTTPChecksum         *HTTPChecksum      `json:"httpChecksum,omitzero"`
}

// HTTP is the request line of an operation.
type HTTP struct {
	Method       string `json:"method"`
	RequestURI   string `json:"requestUri"`
	ResponseCode int    `json:"responseCode,omitzero"`
}

// Endpoint is what stands before the host's name.
type Endpoint struct {
	HostPrefix string `json:"hostPrefix"`
}

// EndpointDiscovery says that the service names the host for the operation.
type EndpointDiscovery struct {
	Required bool `json:"required,omitzero"`
}

// HTTPChecksum says which checksums the operation takes and returns.
type HTTPChecksum struct {
	RequestChecksumRequired bool     `json:"requestChecksumRequired,omitzero"`
	RequestAlgorithmMember  string   `json:"requestAlgorithmMember,omitzero"`
	ResponseAlgorithms      []string `json:"responseAlgorithms,omitzero"`
}

// Shape is a type. Type is structure, list, map, string, boolean, integer,
// long, float, double, timestamp or blob.
type Shape struct {
	// Name is the shape's in the model. Link sets it.
	Name     string    `json:"-"`
	Type     string    `json:"type"`
	Members  Members   `json:"members,omitzero"`
	Required []string  `json:"required,omitzero"`
	Member   *ShapeRef `json:"member,omitzero"`
	Key      *ShapeRef `json:"key,omitzero"`
	Value    *ShapeRef `json:"value,omitzero"`
	Enum     []string  `json:"enum,omitzero"`
	// Min and Max bound a number's value, or a length.
	Min *float64 `json:"min,omitzero"`
	Max *float64 `json:"max,omitzero"`

	Payload         string        `json:"payload,omitzero"`
	LocationName    string        `json:"locationName,omitzero"`
	TimestampFormat string        `json:"timestampFormat,omitzero"`
	XMLNamespace    *XMLNamespace `json:"xmlNamespace,omitzero"`
	Flattened       bool          `json:"flattened,omitzero"`
	Wrapper         bool          `json:"wrapper,omitzero"`
	Streaming       bool          `json:"streaming,omitzero"`
	RequiresLength  bool          `json:"requiresLength,omitzero"`
	EventStream     bool          `json:"eventstream,omitzero"`
	Event           bool          `json:"event,omitzero"`
	Union           bool          `json:"union,omitzero"`
	Document        bool          `json:"document,omitzero"`
	Sparse          bool          `json:"sparse,omitzero"`
	Exception       bool          `json:"exception,omitzero"`
	Fault           bool          `json:"fault,omitzero"`
	Error           *Error        `json:"error,omitzero"`

	byName, byWire map[string]*Member // nil where there are few members
}

// few is how many members a structure has that are found without an index.
const few = 8

func (s *Shape) index() {
	if len(s.Members) <= few {
		return
	}
	s.byName = make(map[string]*Member, len(s.Members))
	renamed := false
	for i := range s.Members {
		m := &s.Members[i]
		s.byName[m.Name] = m
		renamed = renamed || m.WireName() != m.Name
	}
	if s.byWire = s.byName; renamed {
		s.byWire = make(map[string]*Member, len(s.Members))
		for i := range s.Members {
			s.byWire[s.Members[i].WireName()] = &s.Members[i]
		}
	}
}

// ByName returns the member of a structure with the given name, nil when it has
// none.
func (s *Shape) ByName(name string) *Member {
	if s.byName != nil {
		return s.byName[name]
	}
	for i := range s.Members {
		if s.Members[i].Name == name {
			return &s.Members[i]
		}
	}
	return nil
}

// ByWireName returns the member of a structure whose [Member.WireName] is the
// given one, nil when it has none.
func (s *Shape) ByWireName(name string) *Member {
	if s.byWire != nil {
		return s.byWire[name]
	}
	for i := range s.Members {
		if s.Members[i].WireName() == name {
			return &s.Members[i]
		}
	}
	return nil
}

// Error is how an exception stands in a response: its code, where that is not the
// shape's name, and the HTTP status.
type Error struct {
	Code           string `json:"code,omitzero"`
	HTTPStatusCode int    `json:"httpStatusCode,omitzero"`
}

// XMLNamespace is the namespace of an element. In the models it is an object,
// or its URI alone.
type XMLNamespace struct {
	Prefix string `json:"prefix,omitzero"`
	URI    string `json:"uri"`
}

// UnmarshalJSONFrom reads both forms.
func (n *XMLNamespace) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		return json.UnmarshalDecode(dec, &n.URI)
	}
	type plain XMLNamespace
	return json.UnmarshalDecode(dec, (*plain)(n))
}

// ShapeRef names a shape, and says how it stands in the request or response.
type ShapeRef struct {
	Shape string `json:"shape"`
	// Target is the shape itself. Link sets it.
	Target *Shape `json:"-"`

	Location         string        `json:"location,omitzero"`
	LocationName     string        `json:"locationName,omitzero"`
	QueryName        string        `json:"queryName,omitzero"`
	TimestampFormat  string        `json:"timestampFormat,omitzero"`
	XMLNamespace     *XMLNamespace `json:"xmlNamespace,omitzero"`
	XMLAttribute     bool          `json:"xmlAttribute,omitzero"`
	Flattened        bool          `json:"flattened,omitzero"`
	Streaming        bool          `json:"streaming,omitzero"`
	IdempotencyToken bool          `json:"idempotencyToken,omitzero"`
	JSONValue        bool          `json:"jsonvalue,omitzero"`
	HostLabel        bool          `json:"hostLabel,omitzero"`
	EventPayload     bool          `json:"eventpayload,omitzero"`
}

// Member is a member of a structure.
type Member struct {
	Name string
	// Required members must be in a message. Link sets it.
	Required bool
	ShapeRef
}

// WireName is the member's name in JSON and CBOR: its locationName, else its name.
func (m *Member) WireName() string {
	if m.LocationName != "" {
		return m.LocationName
	}
	return m.Name
}

// Members are a structure's members in the order of the model.
type Members []Member

// UnmarshalJSONFrom reads an object and keeps the order of its members.
func (m *Members) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil { // {
		return err
	}
	for dec.PeekKind() != '}' {
		var member Member
		if err := json.UnmarshalDecode(dec, &member.Name); err != nil {
			return err
		}
		if err := json.UnmarshalDecode(dec, &member.ShapeRef); err != nil {
			return err
		}
		*m = append(*m, member)
	}
	_, err := dec.ReadToken() // }
	return err
}

// MarshalJSONTo is the reverse of UnmarshalJSONFrom.
func (m Members) MarshalJSONTo(enc *jsontext.Encoder) error {
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for i := range m {
		if err := enc.WriteToken(jsontext.String(m[i].Name)); err != nil {
			return err
		}
		if err := json.MarshalEncode(enc, &m[i].ShapeRef); err != nil {
			return err
		}
	}
	return enc.WriteToken(jsontext.EndObject)
}
