package wire

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/steppehq/steppe/aws/model"
)

// ErrUnknownOperation is returned for a request that names no operation of the
// service.
var ErrUnknownOperation = errors.New("wire: the request names no operation of the service")

// Operation returns the operation that a request names: in AWS JSON by the header
// X-Amz-Target, in Query by the parameter Action, in CBOR by the path, in REST by
// method, path, query and headers. Of a Query request it reads the body, which
// stays there to be read again. It returns [ErrUnknownOperation] when there is none.
func (c *Codec) Operation(r *http.Request) (*model.Operation, error) {
	var name string
	switch c.protocol {
	case JSON:
		name, _ = strings.CutPrefix(r.Header.Get("X-Amz-Target"), c.service.Metadata.TargetPrefix+".")
	case CBOR:
		prefix := "/service/" + c.service.Metadata.TargetPrefix + "/operation/"
		name, _ = strings.CutPrefix(r.URL.Path, prefix)
	case Query, EC2:
		form, err := readForm(r)
		if err != nil {
			return nil, err
		}
		if action := form.children["Action"]; action != nil {
			name = action.text
		}
	default:
		if op := c.route(r); op != nil {
			return op, nil
		}
	}
	if op := c.service.Operations[name]; op != nil {
		return op, nil
	}
	return nil, ErrUnknownOperation
}

// route is what a request of an operation looks like in a REST protocol.
//
// Several operations can have one method and path: S3 tells UploadPart from
// PutObject by the query, and CopyObject by a header. So of the operations whose path
// and fixed query match, the one with most of a fixed query comes first; then one whose
// required query parameters and headers are all there comes before one that lacks
// some, and among those the one that asks for most. Before all of that a literal
// segment of the path comes before a label, and a label before a greedy one.
type route struct {
	op       *model.Operation
	segments []string
	query    url.Values // that the URI of the model has
	// required are the parameters and headers that must be there.
	parameters, headers []string
}

func routesOf(s *model.Service) []route {
	routes := make([]route, 0, len(s.Operations))
	for _, op := range s.Operations {
		_, fixed, _ := strings.Cut(op.HTTP.RequestURI, "?")
		values, err := url.ParseQuery(fixed)
		if err != nil {
			continue
		}
		r := route{op: op, segments: segmentsOf(op.HTTP.RequestURI), query: values}
		shape := structureOf(op.Input)
		for i := range shape.Members {
			switch m := &shape.Members[i]; {
			case !m.Required:
			case m.Location == "querystring" && m.Target.Type != "map":
				r.parameters = append(r.parameters, m.WireName())
			case m.Location == "header":
				r.headers = append(r.headers, m.WireName())
			}
		}
		routes = append(routes, r)
	}
	return routes
}

// segmentsOf returns the segments of an operation's path.
func segmentsOf(uri string) []string {
	path, _, _ := strings.Cut(uri, "?")
	return strings.Split(strings.Trim(path, "/"), "/")
}

func (c *Codec) route(r *http.Request) *model.Operation {
	parameters, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil
	}
	path := r.URL.EscapedPath()
	var best *route
	var most rank
	for i := range c.routes() {
		route := &c.routes()[i]
		if route.op.HTTP.Method != r.Method {
			continue
		}
		if _, ok := match(route.segments, path); !ok {
			continue
		}
		rank, ok := route.rank(parameters, r.Header)
		if ok && (best == nil || most.less(rank) || rank == most && route.op.Name < best.op.Name) {
			best, most = route, rank
		}
	}
	if best == nil {
		return nil
	}
	return best.op
}

// rank orders the routes that a request fits.
type rank struct {
	literal  string // a letter for each segment: a literal one, a label, a greedy one
	fixed    int
	complete bool
	required int
}

func (a rank) less(b rank) bool {
	switch {
	case a.literal != b.literal:
		return a.literal < b.literal
	case a.fixed != b.fixed:
		return a.fixed < b.fixed
	case a.complete != b.complete:
		return b.complete
	case a.complete:
		return a.required < b.required
	}
	return a.required > b.required
}

func (r *route) rank(parameters url.Values, h http.Header) (rank, bool) {
	k := rank{complete: true, required: len(r.parameters) + len(r.headers)}
	var literal strings.Builder
	for _, segment := range r.segments {
		switch {
		case !strings.HasPrefix(segment, "{"):
			literal.WriteByte('c')
		case !strings.HasSuffix(segment, "+}"):
			literal.WriteByte('b')
		default:
			literal.WriteByte('a')
		}
	}
	k.literal = literal.String()
	for name, texts := range r.query {
		if !parameters.Has(name) || texts[0] != "" && parameters.Get(name) != texts[0] {
			return k, false
		}
		k.fixed++
	}
	for _, name := range r.parameters {
		k.complete = k.complete && parameters.Has(name)
	}
	for _, name := range r.headers {
		k.complete = k.complete && len(h.Values(name)) > 0
	}
	return k, true
}

// match holds a path against an operation's, and returns the labels.
func match(segments []string, path string) (map[string]string, bool) {
	path = strings.TrimPrefix(path, "/")
	labels := make(map[string]string)
	for i, segment := range segments {
		name, greedy := strings.CutSuffix(strings.Trim(segment, "{}"), "+")
		label := strings.HasPrefix(segment, "{")
		if i == len(segments)-1 && !(label && greedy) {
			path = strings.TrimSuffix(path, "/")
		}
		var part string
		switch {
		case label && greedy:
			// What follows a greedy label are as many segments as the model has behind it.
			part, path = cutBehind(path, len(segments)-i-1)
		default:
			part, path, _ = strings.Cut(path, "/")
		}
		text, err := url.PathUnescape(part)
		if err != nil || label && text == "" || !label && text != segment {
			return nil, false
		}
		if label {
			labels[name] = text
		}
	}
	return labels, path == ""
}

// cutBehind splits a path before its last n segments.
func cutBehind(path string, n int) (string, string) {
	end := len(path)
	for range n {
		i := strings.LastIndexByte(path[:end], '/')
		if i < 0 {
			return "", ""
		}
		end = i
	}
	return path[:end], strings.TrimPrefix(path[end:], "/")
}
