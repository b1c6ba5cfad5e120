package wire

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/value"
)

// Error is an error that a service answers with.
type Error struct {
	// Shape is the exception's name in the model, "" for an error that the model
	// does not have.
	Shape string
	// Code is the error's code on the wire. Of a modelled exception it is the
	// shape's name, or in Query, EC2 and REST-XML the code that the model has for it.
	// To encode an error either Shape or Code is enough.
	Code string
	// QueryCode is the code that the service has in Query, where it speaks another
	// protocol now (the trait awsQueryCompatible), such as
	// AWS.SimpleQueueService.NonExistentQueue.
	QueryCode string
	Message   string
	// Status is the HTTP status. To encode, 0 is the one that the model has.
	Status int
	// RequestID and HostID are the ids of the request; only S3 has a host id.
	RequestID, HostID string
	// Value has the members of a modelled exception.
	Value value.Value
}

// Error returns code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// exception returns the exception of the service's model with that name, or with
// that code; nil where there is none. The operation's own come first.
func exception(s *model.Service, op *model.Operation, code string) *model.Shape {
	if code == "" {
		return nil
	}
	if op != nil {
		for i := range op.Errors {
			if shape := op.Errors[i].Target; shape.Name == code || shape.Error != nil && shape.Error.Code == code {
				return shape
			}
		}
	}
	if shape := s.Shapes[code]; shape != nil && shape.Exception {
		return shape
	}
	var found *model.Shape
	for _, shape := range s.Shapes {
		if shape.Exception && shape.Error != nil && shape.Error.Code == code && (found == nil || shape.Name < found.Name) {
			found = shape
		}
	}
	return found
}

// messageMember returns the name of the exception's member that has its message.
func messageMember(shape *model.Shape) string {
	for i := range shape.Members {
		if m := &shape.Members[i]; strings.EqualFold(m.Name, "message") {
			return m.WireName()
		}
	}
	return "message"
}

// EncodeError writes the response of an operation that failed; op is nil for a
// request that names no operation. Its error is of a Value that does not fit the
// exception's shape.
func (c *Codec) EncodeError(op *model.Operation, e *Error) (*http.Response, error) {
	full := *e
	shape := exception(c.service, op, full.Shape)
	if shape == nil {
		shape = exception(c.service, op, full.Code)
	}
	if shape == nil {
		shape = empty
		if full.Shape = full.Code; full.Code == "" {
			full.Shape, full.Code = e.Shape, e.Shape
		}
	} else {
		full.Shape = shape.Name
		full.complete(shape)
	}
	if full.Status == 0 {
		full.Status = statusOf(shape)
	}
	r := newResponse(full.Status, "", nil)
	err := c.format.encodeError(r, &full, shape)
	setRequestID(c.service, r.Header, full.RequestID)
	if c.service.Metadata.AWSQueryCompatible != nil && full.QueryCode != "" {
		r.Header["X-Amzn-Query-Error"] = []string{full.QueryCode + ";" + fault(full.Status)}
	}
	return r, err
}

// complete fills in what the model has for an exception.
func (e *Error) complete(shape *model.Shape) {
	if e.Code == "" {
		e.Code = shape.Name
		if shape.Error != nil && shape.Error.Code != "" {
			e.Code = shape.Error.Code
		}
	}
	if e.QueryCode == "" && shape.Error != nil {
		e.QueryCode = shape.Error.Code
	}
}

func statusOf(shape *model.Shape) int {
	switch {
	case shape.Error != nil && shape.Error.HTTPStatusCode != 0:
		return shape.Error.HTTPStatusCode
	case shape.Fault:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// fault says whose an error is.
func fault(status int) string {
	if status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

func (c *Codec) decodeError(op *model.Operation, r *http.Response, body []byte) *Error {
	e := &Error{Status: r.StatusCode, RequestID: requestID(r.Header), HostID: r.Header.Get("X-Amz-Id-2")}
	find := func(code string) *model.Shape { return exception(c.service, op, code) }
	c.format.decodeError(r, body, e, find)
	e.QueryCode, _, _ = strings.Cut(r.Header.Get("X-Amzn-Query-Error"), ";")
	shape := find(e.Code)
	if shape == nil && e.QueryCode != "" {
		shape = find(e.QueryCode)
	}
	if shape != nil {
		e.Shape = shape.Name
		e.addMessage(shape)
	}
	if e.Code == "" {
		// Responses to HEAD have no body: the status is all there is.
		e.Code = strings.ReplaceAll(http.StatusText(r.StatusCode), " ", "")
		if e.Code == "" {
			e.Code = strconv.Itoa(r.StatusCode)
		}
		if shape := find(e.Code); shape != nil {
			e.Shape = shape.Name
		}
	}
	if e.Message == "" {
		e.Message = http.StatusText(r.StatusCode)
	}
	return e
}

// addMessage sets the member that has the message, which stands elsewhere in XML.
func (e *Error) addMessage(shape *model.Shape) {
	for i := range shape.Members {
		if name := shape.Members[i].Name; strings.EqualFold(name, "message") && e.Message != "" && e.Value.Get(name).IsUndefined() {
			e.Value = e.Value.With(name, value.Str(e.Message))
		}
	}
}

// encodeErrorXML writes the body of an error: that of EC2, of S3, or of Query and
// REST-XML.
func encodeErrorXML(s *model.Service, ec2 bool, r *http.Response, e *Error, shape *model.Shape, which choice) error {
	w := xmlWriter{timestamps: isoFormat}
	switch {
	case ec2:
		w.start("Response", nil, nil)
		w.start("Errors", nil, nil)
	case !isS3(s):
		w.start("ErrorResponse", &model.XMLNamespace{URI: s.Metadata.XMLNamespace}, nil)
	}
	w.start("Error", nil, nil)
	if !ec2 && !isS3(s) {
		w.leaf("Type", fault(e.Status))
	}
	w.leaf("Code", e.Code)
	w.leaf("Message", e.Message)
	err := w.members(shape, e.Value, func(m *model.Member) bool {
		return which(m) && !strings.EqualFold(m.Name, "message") && !strings.EqualFold(m.Name, "code")
	})
	if isS3(s) {
		w.leaf("RequestId", e.RequestID)
		w.leaf("HostId", e.HostID)
	}
	w.end("Error")
	switch {
	case ec2:
		w.end("Errors")
		w.leaf("RequestID", e.RequestID)
		w.end("Response")
	case !isS3(s):
		w.leaf("RequestId", e.RequestID)
		w.end("ErrorResponse")
	}
	setBody(r, "text/xml", append([]byte(`<?xml version="1.0" encoding="UTF-8"?>`+"\n"), w.b...))
	return err
}

// decodeErrorXML reads any of these: code and message are in the first element
// named Error, wherever it stands.
func decodeErrorXML(body []byte, e *Error, find func(string) *model.Shape) {
	if len(bytes.TrimSpace(body)) == 0 {
		return
	}
	e.Code, e.Message = strings.TrimSpace(firstText(body, "Code")), firstText(body, "Message")
	if e.Message == "" {
		e.Message = firstText(body, "message")
	}
	for _, name := range []string{"RequestId", "RequestID"} {
		if id := firstText(body, name); id != "" {
			e.RequestID = id
		}
	}
	if id := firstText(body, "HostId"); id != "" {
		e.HostID = id
	}
	shape := find(e.Code)
	if shape == nil {
		return
	}
	e.Value = value.Obj()
	d := newXMLReader(body)
	for {
		start, err := d.next(nil)
		if err != nil {
			return
		}
		if start != nil && start.Name.Local == "Error" {
			if members, err := d.structure(shape, *start); err == nil {
				e.Value = members
			}
			return
		}
	}
}

// firstText returns the text of the first element with the name, "" for none.
func firstText(body []byte, name string) string {
	d := newXMLReader(body)
	for {
		start, err := d.next(nil)
		if err != nil {
			return ""
		}
		if start != nil && start.Name.Local == name {
			text, _ := d.text() // what is cut short has none
			return text
		}
	}
}

func (f *query) encodeError(r *http.Response, e *Error, shape *model.Shape) error {
	return encodeErrorXML(f.service, f.ec2, r, e, shape, all)
}

func (f *query) decodeError(_ *http.Response, body []byte, e *Error, find func(string) *model.Shape) {
	decodeErrorXML(body, e, find)
}
