package awssdk

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Service is the model of one service's API, in the terms of the API models
// that all AWS SDKs are made from. It holds what a client needs: no
// documentation, and of the constraints those that a response can be held
// against. A Service is immutable.
type Service struct {
	Metadata   Metadata              `json:"metadata"`
	Operations map[string]*Operation `json:"operations"`
	Shapes     map[string]*Shape     `json:"shapes"`
}

// Metadata tells how a service is spoken to.
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

// EndpointDiscovery tells that the service names the host for the operation.
type EndpointDiscovery struct {
	Required bool `json:"required,omitzero"`
}

// HTTPChecksum tells which checksums the operation asks for and gives.
type HTTPChecksum struct {
	RequestChecksumRequired bool     `json:"requestChecksumRequired,omitzero"`
	RequestAlgorithmMember  string   `json:"requestAlgorithmMember,omitzero"`
	ResponseAlgorithms      []string `json:"responseAlgorithms,omitzero"`
}

// Shape is a type. Type is structure, list, map, string, boolean, integer,
// long, float, double, timestamp or blob.
type Shape struct {
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
}

// Error is what the service answers with an exception.
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
	Shape            string        `json:"shape"`
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
	ShapeRef
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
