package wire_test

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/aws/wire"
	"github.com/steppehq/steppe/value"
)

// protocolsEnv names the folder models/protocol_tests of the Go module
// github.com/aws/aws-sdk-go, which `make protocols` downloads: AWS's own cases for
// each protocol, which are not part of this repository.
const protocolsEnv = "STEPPE_PROTOCOL_TESTS"

// suite is one description with its cases, in the form of that module.
type suite struct {
	Description    string                    `json:"description"`
	ClientEndpoint string                    `json:"clientEndpoint"`
	Metadata       map[string]jsontext.Value `json:"metadata"`
	Shapes         map[string]map[string]any `json:"shapes"`
	Cases          []struct {
		Given      map[string]any `json:"given"`
		Params     jsontext.Value `json:"params"`
		Serialized struct {
			Method        string            `json:"method"`
			URI           string            `json:"uri"`
			Host          string            `json:"host"`
			Body          *string           `json:"body"`
			Headers       map[string]string `json:"headers"`
			ForbidHeaders []string          `json:"forbidHeaders"`
		} `json:"serialized"`
		Result   jsontext.Value `json:"result"`
		Response struct {
			Status  int               `json:"status_code"`
			Headers map[string]string `json:"headers"`
			Body    string            `json:"body"`
		} `json:"response"`
	} `json:"cases"`
}

const (
	noTokens  = "tokens are the caller's: this package has no random numbers"
	unwrapped = "the response has no resultWrapper, which all operations of the models have"
)

// departures are the cases that are not met, each with its reason.
var departures = map[string]string{
	"input/query/Idempotency token auto fill/1":     noTokens,
	"input/json/Idempotency token auto fill/1":      noTokens,
	"input/ec2/Idempotency token auto fill/1":       noTokens,
	"input/rest-json/Idempotency token auto fill/1": noTokens,
	"input/rest-xml/Idempotency token auto fill/1":  noTokens,
	"output/query/Timestamp members/0":              unwrapped,
	"output/query/Enum output/0":                    unwrapped,
	"output/rest-json/Supports header maps/0":       "HTTP does not tell capitals in names of headers, which are small here as S3 sends them",
}

func suites(t *testing.T, direction, protocol string) []suite {
	t.Helper()
	dir := os.Getenv(protocolsEnv)
	if dir == "" {
		t.Skip("AWS's cases are not part of the repository: make protocols runs them")
	}
	text, err := os.ReadFile(filepath.Join(dir, direction, protocol+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []suite
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// service makes a model of one case.
func (s suite) service(t *testing.T, given map[string]any) (*model.Service, *model.Operation) {
	t.Helper()
	if given["http"] == nil {
		given["http"] = map[string]any{"method": "POST", "requestUri": "/"}
	}
	// These cases have some traits on shapes that the models have on references only.
	inherit := func(ref any) {
		r, ok := ref.(map[string]any)
		if !ok {
			return
		}
		for _, trait := range []string{"location", "locationName", "jsonvalue", "idempotencyToken"} {
			shape := s.Shapes[r["shape"].(string)]
			if of := shape[trait]; of != nil && r[trait] == nil && (trait != "locationName" || shape["type"] != "structure" && shape["type"] != "list") {
				r[trait] = of
			}
		}
	}
	if input, ok := given["input"].(map[string]any); ok && input["payload"] != nil {
		s.Shapes[input["shape"].(string)]["payload"] = input["payload"]
	}
	for _, shape := range s.Shapes {
		inherit(shape["member"])
		if members, ok := shape["members"].(map[string]any); ok {
			for _, m := range members {
				inherit(m)
			}
		}
	}
	text, err := json.Marshal(map[string]any{"metadata": s.Metadata, "shapes": s.Shapes, "operations": map[string]any{given["name"].(string): given}})
	if err != nil {
		t.Fatal(err)
	}
	service := new(model.Service)
	if err := json.Unmarshal(text, service); err != nil {
		t.Fatal(err)
	}
	if err := service.Link(); err != nil {
		t.Fatal(err)
	}
	return service, service.Operations[given["name"].(string)]
}

// plain turns a value of these cases, where blobs are text and timestamps are
// numbers, into one of this package.
func plain(ref *model.ShapeRef, v value.Value) value.Value {
	if ref == nil || v.Kind() == value.Null {
		return v
	}
	switch shape := ref.Target; shape.Type {
	case "structure":
		for _, name := range v.Names() {
			if m := shape.ByName(name); m != nil {
				if text := v.Get(name); m.JSONValue && (text.Kind() == value.Object || text.Kind() == value.Array) {
					v = v.With(name, value.Str(text.String()))
				} else {
					v = v.With(name, plain(&m.ShapeRef, text))
				}
			}
		}
	case "list", "map":
		of := shape.Member
		if of == nil {
			of = shape.Value
		}
		var items []value.Value
		for _, item := range v.Items() {
			if of.JSONValue && item.Kind() != value.String {
				item = value.Str(item.String())
			}
			items = append(items, plain(of, item))
		}
		if shape.Type == "list" {
			return value.Arr(items...)
		}
		for i, name := range v.Names() {
			v = v.With(name, items[i])
		}
	case "blob":
		return value.Str(base64.StdEncoding.EncodeToString([]byte(v.Str())))
	case "timestamp":
		if i, ok := v.Int64(); ok {
			return value.Str(iso(i))
		}
	}
	return v
}

func TestProtocolInput(t *testing.T) {
	for _, protocol := range []string{"ec2", "json", "query", "rest-json", "rest-xml"} {
		t.Run(protocol, func(t *testing.T) {
			key := "input/" + protocol + "/"
			for _, s := range suites(t, "input", protocol) {
				for i, c := range s.Cases {
					name := fmt.Sprintf("%s/%d", s.Description, i)
					t.Run(name, func(t *testing.T) {
						if reason := departures[key+name]; reason != "" {
							t.Skip(reason)
						}
						service, op := s.service(t, c.Given)
						codec, err := wire.New(service, "")
						if err != nil {
							t.Fatal(err)
						}
						var in wire.Message
						if len(c.Params) > 0 && string(c.Params) != "null" {
							if in.Value, err = value.Decode(c.Params); err != nil {
								t.Fatal(err)
							}
						}
						if streamed(op.Input) {
							in.Body = strings.NewReader(in.Value.Get(op.Input.Target.Payload).Str())
						}
						in.Value = plain(op.Input, in.Value)
						r, err := codec.EncodeRequest(op, in)
						if err != nil {
							t.Fatal(err)
						}
						want := c.Serialized
						if r.URL.EscapedPath() != strings.Split(want.URI, "?")[0] || !sameQuery(r.URL.RawQuery, want.URI) || want.Method != "" && r.Method != want.Method {
							t.Errorf("got %s %s, want %s", r.Method, r.URL, want.URI)
						}
						for name, text := range want.Headers {
							if r.Header.Get(name) != text {
								t.Errorf("header %s is %q, want %q", name, r.Header.Get(name), text)
							}
						}
						for _, name := range want.ForbidHeaders {
							if r.Header[name] != nil {
								t.Errorf("has the header %s", name)
							}
						}
						body, err := io.ReadAll(r.Body)
						if err != nil {
							t.Fatal(err)
						}
						if want.Body != nil && canonical(protocol, string(body)) != canonical(protocol, *want.Body) {
							t.Errorf("got  %s\nwant %s", body, *want.Body)
						}
						prefix, err := wire.HostPrefix(op, in.Value)
						if err != nil || op.Endpoint != nil && !strings.HasPrefix(want.Host, prefix) {
							t.Errorf("the host's prefix is %q, %v, want %s", prefix, err, want.Host)
						}
					})
				}
			}
		})
	}
}

func sameQuery(got, uri string) bool {
	_, want, _ := strings.Cut(uri, "?")
	a, errA := url.ParseQuery(got)
	b, errB := url.ParseQuery(want)
	return errA == nil && errB == nil && a.Encode() == b.Encode()
}

// canonical returns a body in a form in which bodies that mean the same are the same.
func canonical(protocol, body string) string {
	if body == "" {
		return ""
	}
	if protocol == "query" || protocol == "ec2" {
		if form, err := url.ParseQuery(body); err == nil {
			return form.Encode()
		}
	}
	if v, err := value.DecodeString(body); err == nil {
		return sorted(v)
	}
	if strings.HasPrefix(body, "<") {
		return elements(body)
	}
	return body
}

func sorted(v value.Value) string {
	if v.Kind() != value.Object {
		return v.String()
	}
	var members []string
	for i, name := range v.Names() {
		members = append(members, fmt.Sprintf("%q:%s", name, sorted(v.Items()[i])))
	}
	slices.Sort(members)
	return strings.Join(members, ",")
}

// elements returns the elements of a document, those beside each other in order of
// their text.
func elements(body string) string {
	dec := xml.NewDecoder(strings.NewReader(body))
	stack := [][]string{nil}
	for {
		token, err := dec.Token()
		if err != nil {
			return strings.Join(stack[0], "")
		}
		switch token := token.(type) {
		case xml.StartElement:
			slices.SortFunc(token.Attr, func(a, b xml.Attr) int { return strings.Compare(a.Name.Local, b.Name.Local) })
			stack = append(stack, []string{fmt.Sprint(token.Name, token.Attr)})
		case xml.CharData:
			stack[len(stack)-1] = append(stack[len(stack)-1], string(token))
		case xml.EndElement:
			whole := stack[len(stack)-1]
			slices.Sort(whole[1:])
			stack = stack[:len(stack)-1]
			stack[len(stack)-1] = append(stack[len(stack)-1], "("+strings.Join(whole, " ")+")")
		}
	}
}

func TestProtocolOutput(t *testing.T) {
	for _, protocol := range []string{"ec2", "json", "query", "rest-json", "rest-xml"} {
		t.Run(protocol, func(t *testing.T) {
			key := "output/" + protocol + "/"
			for _, s := range suites(t, "output", protocol) {
				for i, c := range s.Cases {
					name := fmt.Sprintf("%s/%d", s.Description, i)
					t.Run(name, func(t *testing.T) {
						if reason := departures[key+name]; reason != "" {
							t.Skip(reason)
						}
						service, op := s.service(t, c.Given)
						codec, err := wire.New(service, "")
						if err != nil {
							t.Fatal(err)
						}
						r := &http.Response{StatusCode: c.Response.Status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(c.Response.Body))}
						for name, text := range c.Response.Headers {
							r.Header.Set(name, text)
						}
						out, err := codec.DecodeResponse(op, r)
						if err != nil {
							t.Fatal(err)
						}
						want, err := value.Decode(c.Result)
						if err != nil {
							t.Fatal(err)
						}
						if streamed(op.Output) {
							body, err := io.ReadAll(out.Body)
							if err != nil {
								t.Fatal(err)
							}
							out.Value = out.Value.With(op.Output.Target.Payload, value.Str(base64.StdEncoding.EncodeToString(body)))
						}
						if want = plain(op.Output, want); !value.Equal(out.Value, want) {
							t.Errorf("got  %v\nwant %v", out.Value, want)
						}
					})
				}
			}
		})
	}
}
