package wire_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/steppehq/steppe/aws/wire"
	"github.com/steppehq/steppe/value"
)

const putItem = `{"TableName":"orders","Item":{"id":{"S":"order-1234567"},"customer":{"S":"c-987"},"total":{"N":"149.95"},"lines":{"L":[{"M":{"sku":{"S":"a-1"},"n":{"N":"2"}}},{"M":{"sku":{"S":"b-2"},"n":{"N":"1"}}}]},"paid":{"BOOL":true},"tags":{"SS":["new","express"]}},"ConditionExpression":"attribute_not_exists(id)","ReturnConsumedCapacity":"TOTAL"}`

const sendMessage = `{"QueueUrl":"http://localhost/000000000000/orders","MessageBody":"{\"order\":1234567,\"state\":\"paid\"}","DelaySeconds":5,"MessageAttributes":{"kind":{"DataType":"String","StringValue":"order"}}}`

// BenchmarkRequest encodes a request and decodes it again as a server.
func BenchmarkRequest(b *testing.B) {
	for _, bench := range []struct{ service, operation, input string }{
		{"dynamodb", "PutItem", putItem}, {"sqs", "SendMessage", sendMessage},
	} {
		s, c := codec(b, bench.service, "")
		op := s.Operations[bench.operation]
		input, err := value.DecodeString(bench.input)
		if err != nil {
			b.Fatal(err)
		}
		r, err := c.EncodeRequest(op, wire.Message{Value: input})
		if err != nil {
			b.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(bench.operation+"/encode", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := c.EncodeRequest(op, wire.Message{Value: input}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bench.operation+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r.Body = io.NopCloser(bytes.NewReader(body))
				if _, err := c.DecodeRequest(op, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkListObjectsV2 encodes and decodes a response with a thousand objects.
func BenchmarkListObjectsV2(b *testing.B) {
	s, c := codec(b, "s3", "")
	op := s.Operations["ListObjectsV2"]
	var objects strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&objects, `,{"Key":"data/2026/11/%06d.json","LastModified":"2026-11-28T10:00:00Z","ETag":"\"d41d8cd98f00b204e9800998ecf8427e\"","Size":%d,"StorageClass":"STANDARD"}`, i, i*100)
	}
	output, err := value.DecodeString(`{"Name":"bucket","KeyCount":1000,"IsTruncated":true,"Contents":[` + objects.String()[1:] + `]}`)
	if err != nil {
		b.Fatal(err)
	}
	r, err := c.EncodeResponse(op, wire.Message{Value: output})
	if err != nil {
		b.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, err := c.EncodeResponse(op, wire.Message{Value: output}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, err := c.DecodeResponse(op, &http.Response{StatusCode: http.StatusOK, Header: r.Header, Body: io.NopCloser(bytes.NewReader(body))}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
