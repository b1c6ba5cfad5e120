package server

import (
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/steppehq/steppe/value"
)

// Wire is how an exception is written for callers of another protocol.
type Wire struct {
	// ContentType is that of answers and exceptions.
	ContentType string
	// Failure makes the body of an exception. It may set headers.
	Failure func(header http.Header, e *Exception, requestID string) []byte
}

// Operation makes a handler of an operation that no target names and no model
// checks, which changes nothing.
func (s *Server) Operation(name string, handle Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		s.serve(w, hr, func(r *Request) ([]byte, error) {
			r.Operation = name
			return s.perform(r, true, handle)
		})
	})
}

// Refuse makes a handler that gives everybody the same exception, and reads
// nothing.
func (s *Server) Refuse(err error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		s.serve(w, hr, func(*Request) ([]byte, error) { return nil, err })
	})
}

// JSON11 is AWS JSON 1.1, which differs from 1.0 in its name.
var JSON11 = &Wire{"application/x-amz-json-1.1", jsonFailure}

// RESTJSON is the protocol of Lambda and others: the exception's type is a header.
var RESTJSON = &Wire{"application/json", jsonFailure}

// Query is the protocol of STS, IAM and CloudFormation: forms that are answered in
// XML.
var Query = &Wire{"text/xml", func(_ http.Header, e *Exception, requestID string) []byte {
	return []byte("<ErrorResponse><Error><Type>Sender</Type><Code>" + XMLText(e.Type) + "</Code><Message>" + XMLText(e.Message) +
		"</Message></Error><RequestId>" + requestID + "</RequestId></ErrorResponse>")
}}

// EC2Query is the protocol of EC2: [Query] with another form of exceptions.
var EC2Query = &Wire{"text/xml", func(_ http.Header, e *Exception, requestID string) []byte {
	return []byte("<Response><Errors><Error><Code>" + XMLText(e.Type) + "</Code><Message>" + XMLText(e.Message) +
		"</Message></Error></Errors><RequestID>" + requestID + "</RequestID></Response>")
}}

// RESTXML is the protocol of S3, Route 53 and CloudFront.
var RESTXML = &Wire{"application/xml", func(header http.Header, e *Exception, requestID string) []byte {
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
