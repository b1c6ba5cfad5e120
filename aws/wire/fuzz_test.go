package wire_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/steppehq/steppe/aws/wire"
)

// targets are operations whose shapes have all that a decoder knows, in each protocol.
var targets = []struct {
	service, operation string
	protocol           wire.Protocol
}{
	{"dynamodb", "PutItem", wire.JSON},
	{"sns", "Publish", wire.Query},
	{"ec2", "RunInstances", wire.EC2},
	{"lambda", "CreateFunction", wire.RESTJSON},
	{"s3", "PutBucketLifecycleConfiguration", wire.RESTXML},
	{"s3", "ListObjectsV2", wire.RESTXML},
	{"cloudwatch", "GetMetricData", wire.CBOR},
	{"cloudwatch", "PutMetricData", wire.CBOR},
}

// FuzzRequest has each input decoded by all protocols; the bodies of random messages
// are the seeds. No input may panic, and what is decoded must be encoded again.
func FuzzRequest(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body, query string) {
		for _, target := range targets {
			s, c := codec(t, target.service, target.protocol)
			op := s.Operations[target.operation]
			r := &http.Request{Method: op.HTTP.Method, URL: &url.URL{Path: "/bucket", RawQuery: query}, Header: http.Header{"X-Amz-A": {query}}, Body: io.NopCloser(strings.NewReader(body))}
			if target.protocol == wire.RESTJSON {
				r.URL.Path = "/2015-03-31/functions"
			}
			if found, err := c.Operation(r); err == nil && found == nil {
				t.Error("no operation and no error")
			}
			m, err := c.DecodeRequest(op, r)
			if err != nil {
				continue
			}
			if _, err := c.EncodeRequest(op, m); err != nil && !strings.Contains(err.Error(), "null") && !strings.Contains(err.Error(), "header") {
				t.Errorf("%v: %v", m.Value, err)
			}
		}
	})
}

// FuzzResponse is FuzzRequest for responses and errors.
func FuzzResponse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body, header string) {
		for _, target := range targets {
			s, c := codec(t, target.service, target.protocol)
			op := s.Operations[target.operation]
			for _, status := range []int{200, 400} {
				r := &http.Response{StatusCode: status, Header: http.Header{"X-Amzn-Errortype": {header}, "X-Amz-Expiration": {header}}, Body: io.NopCloser(strings.NewReader(body))}
				m, err := c.DecodeResponse(op, r)
				if status == 400 && err == nil {
					t.Error("an error is none")
				}
				if err != nil {
					continue
				}
				if _, err := c.EncodeResponse(op, m); err != nil && !strings.Contains(err.Error(), "header") {
					t.Errorf("%v: %v", m.Value, err)
				}
			}
		}
	})
}

func seed(f *testing.F) {
	for i, target := range targets {
		s, c := codec(f, target.service, target.protocol)
		op := s.Operations[target.operation]
		g := generator{Rand: newRand(uint64(i)), protocol: target.protocol}
		for range 4 {
			if r, err := c.EncodeRequest(op, wire.Message{Value: inputOf(g, op.Input)}); err == nil {
				add(f, r.Body, r.URL.RawQuery)
			}
			if r, err := c.EncodeResponse(op, wire.Message{Value: inputOf(g, op.Output)}); err == nil {
				add(f, r.Body, "a,\"b\"")
			}
		}
		if r, err := c.EncodeError(op, &wire.Error{Code: "Throttling", Message: "m", RequestID: "r"}); err == nil {
			add(f, r.Body, "Throttling:http://x")
		}
	}
}

func add(f *testing.F, body io.Reader, second string) {
	b, err := io.ReadAll(body)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b), second)
}
