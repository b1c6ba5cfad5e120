package wire_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/aws/wire"
	"github.com/steppehq/steppe/value"
)

func codec(t testing.TB, service string, protocol wire.Protocol) (*model.Service, *wire.Codec) {
	t.Helper()
	s := model.Load(service)
	if s == nil {
		t.Fatalf("there is no service %s", service)
	}
	c, err := wire.New(s, protocol)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// TestErrorTrip sends errors of each protocol from the server to the client.
func TestErrorTrip(t *testing.T) {
	tests := []struct {
		service, operation string
		protocol           wire.Protocol
		in                 wire.Error
		code, shape        string
		status             int
		members            string
		body               string // a part of it
	}{
		{
			"dynamodb", "PutItem", wire.JSON,
			wire.Error{
				Shape: "ConditionalCheckFailedException", Message: "The conditional request failed",
				Value: value.Obj(value.Member{Name: "Item", Value: value.Obj(value.Member{Name: "id", Value: value.Obj(value.Member{Name: "S", Value: value.Str("1")})})}),
			},
			"ConditionalCheckFailedException", "ConditionalCheckFailedException", 400,
			`{"Item":{"id":{"S":"1"}},"message":"The conditional request failed"}`, `"__type":"ConditionalCheckFailedException"`,
		},
		{"sqs", "SendMessage", wire.JSON, wire.Error{Shape: "QueueDoesNotExist", QueryCode: "AWS.SimpleQueueService.NonExistentQueue", Message: "no"}, "QueueDoesNotExist", "QueueDoesNotExist", 400, `{"message":"no"}`, "QueueDoesNotExist"},
		{"sns", "Publish", wire.Query, wire.Error{Shape: "NotFoundException", Message: "Topic <x> does not exist"}, "NotFound", "NotFoundException", 404, `{"message":"Topic <x> does not exist"}`, "<Type>Sender</Type><Code>NotFound</Code>"},
		{"sns", "Publish", wire.Query, wire.Error{Code: "ServiceUnavailable", Status: 503}, "ServiceUnavailable", "", 503, `null`, "<Type>Receiver</Type>"},
		{"ec2", "DescribeInstances", wire.EC2, wire.Error{Code: "InvalidInstanceID.NotFound", Message: "no such"}, "InvalidInstanceID.NotFound", "", 400, `null`, "<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code>"},
		{"lambda", "Invoke", wire.RESTJSON, wire.Error{Shape: "TooManyRequestsException", Message: "slow", Value: value.Obj(value.Member{Name: "retryAfterSeconds", Value: value.Str("7")}, value.Member{Name: "Reason", Value: value.Str("CallerRateLimitExceeded")})}, "TooManyRequestsException", "TooManyRequestsException", 429, `{"Reason":"CallerRateLimitExceeded","message":"slow","retryAfterSeconds":"7"}`, `"Reason"`},
		{"s3", "GetObject", wire.RESTXML, wire.Error{Shape: "NoSuchKey", Message: "The specified key does not exist.", HostID: "h"}, "NoSuchKey", "NoSuchKey", 404, `{}`, "<Error><Code>NoSuchKey</Code>"},
		{"route53", "GetHostedZone", wire.RESTXML, wire.Error{Shape: "NoSuchHostedZone", Message: "none"}, "NoSuchHostedZone", "NoSuchHostedZone", 404, `{"message":"none"}`, "<ErrorResponse"},
		{"cloudwatch", "GetDashboard", wire.CBOR, wire.Error{Shape: "DashboardNotFoundError", Message: "none"}, "DashboardNotFoundError", "DashboardNotFoundError", 404, `{"message":"none"}`, "__type"},
	}
	for _, tt := range tests {
		t.Run(tt.service+"/"+tt.code, func(t *testing.T) {
			s, c := codec(t, tt.service, tt.protocol)
			tt.in.RequestID = "id-1"
			r, err := c.EncodeError(s.Operations[tt.operation], &tt.in)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(body), tt.body) {
				t.Errorf("the body is %s", body)
			}
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			_, err = c.DecodeResponse(s.Operations[tt.operation], r)
			e, ok := err.(*wire.Error) //nolint:errorlint // it is what is returned, not wrapped
			if !ok {
				t.Fatalf("got %v", err)
			}
			if e.Code != tt.code || e.Shape != tt.shape || e.Status != tt.status || e.RequestID != "id-1" || e.HostID != tt.in.HostID {
				t.Errorf("got %+v", e)
			}
			if tt.in.Message != "" && e.Message != tt.in.Message || tt.in.QueryCode != "" && e.QueryCode != tt.in.QueryCode {
				t.Errorf("got %+v", e)
			}
			want, err := value.DecodeString(tt.members)
			got := e.Value
			if err != nil || want.Kind() == value.Object && !value.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// TestErrorForms has the forms of errors that services send besides those that are
// written here.
func TestErrorForms(t *testing.T) {
	tests := []struct {
		service, operation string
		protocol           wire.Protocol
		status             int
		headers            map[string]string
		body               string
		want               wire.Error
	}{
		{"dynamodb", "GetItem", wire.JSON, 400, nil, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"m"}`, wire.Error{Shape: "ResourceNotFoundException", Code: "ResourceNotFoundException", Message: "m"}},
		{"dynamodb", "GetItem", wire.JSON, 400, nil, `{"__type":"com.amazon.coral.validate#ValidationException","Message":"m"}`, wire.Error{Code: "ValidationException", Message: "m"}},
		{"lambda", "Invoke", wire.RESTJSON, 404, map[string]string{"X-Amzn-ErrorType": "ResourceNotFoundException:http://internal.amazon.com/coral/"}, `{"Type":"User","Message":"m"}`, wire.Error{Shape: "ResourceNotFoundException", Code: "ResourceNotFoundException", Message: "m"}},
		{"lambda", "Invoke", wire.RESTJSON, 502, nil, `<html>`, wire.Error{Code: "BadGateway", Message: "Bad Gateway"}},
		{"s3", "HeadObject", wire.RESTXML, 404, nil, ``, wire.Error{Code: "NotFound", Message: "Not Found"}},
		{"s3", "CopyObject", wire.RESTXML, 200, nil, `<Error><Code>SlowDown</Code><Message>m</Message><RequestId>r</RequestId></Error>`, wire.Error{Code: "SlowDown", Message: "m"}},
		{"ec2", "RunInstances", wire.EC2, 503, nil, ``, wire.Error{Code: "ServiceUnavailable", Message: "Service Unavailable"}},
	}
	for _, tt := range tests {
		s, c := codec(t, tt.service, tt.protocol)
		r := &http.Response{StatusCode: tt.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(tt.body))}
		for name, text := range tt.headers {
			r.Header.Set(name, text)
		}
		_, err := c.DecodeResponse(s.Operations[tt.operation], r)
		e, ok := err.(*wire.Error) //nolint:errorlint // it is what is returned, not wrapped
		if !ok || e.Code != tt.want.Code || e.Message != tt.want.Message || e.Status != tt.status || tt.want.Shape != "" && e.Shape != tt.want.Shape {
			t.Errorf("%s: got %+v, %v", tt.body, e, err)
		}
	}
}

// TestRefused has values that do not fit, and the words about them.
func TestRefused(t *testing.T) {
	tests := []struct {
		service, operation, input, want string
	}{
		{"dynamodb", "PutItem", `{"TableName":1}`, "TableName: must be a string, not number"},
		{"dynamodb", "PutItem", `{"Item":{"id":{"S":true}}}`, "Item.id.S: must be a string, not boolean"},
		{"dynamodb", "PutItem", `{"Item":{"id":{"L":[{"N":"1"},{"Q":"1"}]}}}`, "Item.id.L[1].Q: is not a member of AttributeValue"},
		{"dynamodb", "PutItem", `{"Tablename":"t"}`, "Tablename: is not a member of PutItemInput"},
		{"dynamodb", "PutItem", `{"Item":{"id":{"B":"*"}}}`, "Item.id.B: must be base64"},
		{"s3", "GetObject", `{"Bucket":"b"}`, "Key: is required: it stands in the path"},
		{"s3", "GetObject", `{"Bucket":"b","Key":""}`, "Key: must not be empty: it stands in the path"},
		{"s3", "GetObject", `{"Bucket":"b","Key":"k","IfMatch":"a\r\nb"}`, "IfMatch: must not have line ends: it stands in a header"},
		{"sns", "Publish", `{"MessageAttributes":{"a":null}}`, "MessageAttributes.a: must not be null"},
		{"cloudwatch", "PutMetricData", `{"MetricData":[{"Timestamp":"today"}]}`, "MetricData[0].Timestamp: must be a timestamp such as 2006-01-02T15:04:05Z"},
		{"lambda", "InvokeWithResponseStream", `{"FunctionName":"f"}`, "wire: InvokeWithResponseStream streams events, which is not supported"},
	}
	for _, tt := range tests {
		s, c := codec(t, tt.service, "")
		input, err := value.DecodeString(tt.input)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.EncodeRequest(s.Operations[tt.operation], wire.Message{Value: input}); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.input, err, tt.want)
		}
	}
}
