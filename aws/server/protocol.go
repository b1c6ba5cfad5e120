package server

import (
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/steppehq/steppe/value"
)

// Protocol is how answers and exceptions are written for callers: AWS has several
// ("AWS Protocols" in the Smithy documentation).
type Protocol struct {
	// contentType is that of answers and exceptions: a header's values, shared by all.
	contentType []string
	// failure makes the body of an exception. It may set headers.
	failure func(header http.Header, e *Exception, requestID string) []byte
}

// JSON10 is AWS JSON 1.0, the protocol of Step Functions, SQS and DynamoDB.
var JSON10 = &Protocol{[]string{"application/x-amz-json-1.0"}, jsonFailure}

// JSON11 is AWS JSON 1.1, which differs from 1.0 in its name.
var JSON11 = &Protocol{[]string{"application/x-amz-json-1.1"}, jsonFailure}

// RESTJSON is the protocol of Lambda and others: the exception's type is a header.
var RESTJSON = &Protocol{[]string{"application/json"}, jsonFailure}

// Query is the protocol of STS, IAM and CloudFormation: forms that are answered in
// XML.
var Query = &Protocol{[]string{"text/xml"}, func(_ http.Header, e *Exception, requestID string) []byte {
	return []byte("<ErrorResponse><Error><Type>Sender</Type><Code>" + XMLText(e.Type) + "</Code><Message>" + XMLText(e.Message) +
		"</Message></Error><RequestId>" + requestID + "</RequestId></ErrorResponse>")
}}

// EC2Query is the protocol of EC2: [Query] with another form of exceptions.
var EC2Query = &Protocol{[]string{"text/xml"}, func(_ http.Header, e *Exception, requestID string) []byte {
	return []byte("<Response><Errors><Error><Code>" + XMLText(e.Type) + "</Code><Message>" + XMLText(e.Message) +
		"</Message></Error></Errors><RequestID>" + requestID + "</RequestID></Response>")
}}

// RESTXML is the protocol of S3, Route 53 and CloudFront.
var RESTXML = &Protocol{[]string{"application/xml"}, func(header http.Header, e *Exception, requestID string) []byte {
	header.Set("X-Amz-Request-Id", requestID)
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error><Code>" + XMLText(e.Type) + "</Code><Message>" + XMLText(e.Message) +
		"</Message><RequestId>" + requestID + "</RequestId></Error>")
}}

// XMLText is a text as it stands in XML.
func XMLText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes anything
	return b.String()
}

// jsonFailure is the body of an exception in JSON, and the header with its type.
func jsonFailure(header http.Header, e *Exception, _ string) []byte {
	body := value.NewObject(2 + len(e.Members))
	body.Set("__type", value.Str(e.Type))
	body.Set("message", value.Str(e.Message))
	for _, m := range e.Members {
		body.Set(m.Name, m.Value)
	}
	header.Set("X-Amzn-Errortype", e.Type)
	return body.Value().Append(nil)
}
