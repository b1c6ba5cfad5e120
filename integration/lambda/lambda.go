// Package lambda performs tasks by Lambda functions: named by their own ARN, or
// by the optimized integration lambda:invoke.
//
// A function is real handler code run by processes on this machine that speak
// the Lambda Runtime API (Python, Node.js, any executable), an HTTP URL, a
// function on any endpoint that has the Lambda Invoke operation, or a Go
// function. Processes are not a sandbox: functions run with the rights of the
// server.
//
// Stability: may move in any minor release.
package lambda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/value"
)

// Invocation is one call of a function.
type Invocation struct {
	// FunctionARN is the unqualified ARN. Qualifier is a version or alias, ""
	// for none.
	FunctionARN, Qualifier string
	Payload                []byte
	// ClientContext is base64, as in the API. Idempotency and TraceHeader are
	// the task's.
	ClientContext, Idempotency, TraceHeader string
	// Type says what is waited for, RequestResponse when "".
	Type InvocationType
	// Tail asks for the end of the function's log.
	Tail bool
	// MaxBytes is how much of an answer is of use: one byte more is read, no
	// more. 0 stands for the service's own limit.
	MaxBytes int
	// Task is the task that calls; nil for a call by nobody's.
	Task *integration.Task
}

// qualifiedARN is the ARN by which the function was called, which its context has.
func (in *Invocation) qualifiedARN() string {
	if in.Qualifier == "" {
		return in.FunctionARN
	}
	return in.FunctionARN + ":" + in.Qualifier
}

// version is the version of the function that is run. There is one code only: it is
// what a number stands for, and $LATEST for all aliases.
func (in *Invocation) version() string {
	for i := range len(in.Qualifier) {
		if !isDigit(in.Qualifier[i]) {
			return latest
		}
	}
	return cmp.Or(in.Qualifier, latest)
}

const latest = "$LATEST"

// InvocationType says what an invocation waits for (Lambda API, Invoke).
type InvocationType string

// The invocation types.
const (
	// RequestResponse waits for the function's answer.
	RequestResponse InvocationType = "RequestResponse"
	// Event waits until the call is accepted.
	Event InvocationType = "Event"
	// DryRun has the call checked, and runs nothing.
	DryRun InvocationType = "DryRun"
)

// Response is what a function answered.
type Response struct {
	Payload []byte
	// FunctionError is "" when the function succeeded, else "Handled" or
	// "Unhandled": then Payload describes the error.
	FunctionError string
	Version       string
	// LogResult is the end of the function's log in base64, "" where it was not asked
	// for.
	LogResult string
	Status    int
	RequestID string
	// Header is what the service answered with; nil for a function that is not the
	// service's, whose answer has the headers that the service would give it.
	Header http.Header

	printed   []byte        // the end of what the function printed
	maxMemory int           // in MB; 0 where it is not known
	timeout   time.Duration // which was over; else 0
}

// Function is something that can be invoked. Its errors are [*ServiceError],
// or say that it is broken.
type Function interface {
	Invoke(ctx context.Context, in Invocation) (*Response, error)
	Close() error
}

// ServiceError is an error of the Lambda service rather than of a function.
type ServiceError struct {
	Status        int
	Code, Message string
	RequestID     string
}

// Error returns the cause as the optimized integrations show it.
func (e *ServiceError) Error() string {
	return fmt.Sprintf("%s (Service: AWSLambda; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)", e.Message, e.Status, e.Code, e.RequestID)
}

// ByARN is the integration for functions that a Task names by their ARN.
func (f *Functions) ByARN() integration.Integration { return byARN{f} }

type byARN struct{ functions *Functions }

// Supports accepts every function.
func (byARN) Supports(r asl.Resource) error {
	if r.Kind != asl.FunctionResource {
		return integration.Unsupported(r)
	}
	return nil
}

// Perform invokes the function with the task's input; the result is the
// function's.
func (i byARN) Perform(ctx context.Context, t integration.Task) (*value.Doc, error) {
	response, err := i.functions.invoke(ctx, t, t.Resource.ARN, "", Invocation{Payload: t.Input.Raw()})
	if err != nil {
		return nil, failure(err)
	}
	doc, err := payload(response, t.MaxBytes, t.Resource.ResultName())
	if f := new(functionError); errors.As(err, &f) {
		return nil, integration.Failed(f.name, string(response.Payload))
	}
	return doc, err
}

// Lane returns the function.
func (i byARN) Lane(t integration.Task) (string, int) { return i.functions.lane(t, t.Resource.ARN) }

// Optimized is the integration lambda:invoke.
func (f *Functions) Optimized() integration.Integration { return optimized{f} }

type optimized struct{ functions *Functions }

// Supports accepts invoke, also with .waitForTaskToken.
func (optimized) Supports(r asl.Resource) error {
	if r.Action != "invoke" || r.Pattern == asl.RunJob {
		return integration.Unsupported(r)
	}
	return nil
}

// Perform invokes the function that the parameters name; the result is the
// Invoke operation's, with the payload as JSON.
func (i optimized) Perform(ctx context.Context, t integration.Task) (*value.Doc, error) {
	params := t.Input.Value()
	name := calledName(params)
	if name == "" {
		return nil, integration.Failed("States.Runtime", "The field 'FunctionName' is required but was missing")
	}
	in := Invocation{
		ClientContext: params.Get("ClientContext").Str(),
		Type:          InvocationType(params.Get("InvocationType").Str()),
		Tail:          params.Get("LogType").Str() == "Tail",
	}
	if logType := params.Get("LogType").Str(); logType != "" && logType != "None" && !in.Tail {
		return nil, failure(invalid("logType", logType, "Member must satisfy enum value set: [None, Tail]"))
	}
	in.Payload = requestPayload(params.Get("Payload"))
	response, err := i.functions.invoke(ctx, t, name, params.Get("Qualifier").Str(), in)
	if err != nil {
		return nil, failure(err)
	}
	result, err := payload(response, t.MaxBytes, t.Resource.ResultName())
	if f := new(functionError); errors.As(err, &f) {
		return nil, integration.Failed(f.name, f.payload.String())
	}
	if err != nil {
		return nil, err
	}
	return invokeResult(response, result), nil
}

// calledName is the function that the parameters name, "" for none.
func calledName(params value.Value) string { return params.Get("FunctionName").Str() }

// Lane returns the function that the parameters name.
func (i optimized) Lane(t integration.Task) (string, int) {
	return i.functions.lane(t, calledName(t.Input.Value()))
}

// invokeResult is the result of lambda:invoke: the operation's response with
// what the SDK for Java 1 adds of the HTTP exchange.
func invokeResult(r *Response, payload *value.Doc) *value.Doc {
	head := r.Header
	if head == nil {
		head = localHeader(r.RequestID, r.Version, len(r.Payload))
	}
	all, single := value.NewObject(len(head)), value.NewObject(len(head))
	for _, name := range slices.Sorted(maps.Keys(head)) {
		list := make([]value.Value, len(head[name]))
		for i, v := range head[name] {
			list[i] = value.Str(v)
		}
		all.Set(name, value.Arr(list...))
		single.Set(name, list[0])
	}
	out := value.NewObject(6)
	if r.Version != "" {
		out.Set("ExecutedVersion", value.Str(r.Version))
	}
	if r.LogResult != "" {
		out.Set("LogResult", value.Str(r.LogResult))
	}
	out.Set("Payload", payload.Value())
	out.Set("SdkHttpMetadata", value.Obj(
		value.Member{Name: "AllHttpHeaders", Value: all.Value()},
		value.Member{Name: "HttpHeaders", Value: single.Value()},
		value.Member{Name: "HttpStatusCode", Value: value.Int(int64(r.Status))},
	))
	out.Set("SdkResponseMetadata", value.Obj(value.Member{Name: "RequestId", Value: value.Str(r.RequestID)}))
	out.Set("StatusCode", value.Int(int64(r.Status)))
	return value.DocOf(out.Value())
}

// requestPayload is the parameter Payload as it is sent: null is nothing, and
// text that is JSON is taken for the payload itself (recorded).
func requestPayload(p value.Value) []byte {
	switch p.Kind() {
	case value.Undefined, value.Null:
		return nil
	case value.String:
		if _, err := value.DecodeString(p.Str()); err == nil {
			return []byte(p.Str())
		}
	case value.Bool, value.Number, value.Array, value.Object:
	}
	return p.Append(nil)
}

// functionError: the function failed. Its errorType is the Error Name, its
// payload the cause: as it came for a function named by its ARN, written again
// by the optimized integration.
type functionError struct {
	name    string
	payload value.Value
}

func (e *functionError) Error() string { return e.name }

// payload reads what a function answered, at most limit bytes of it.
func payload(r *Response, limit int, name string) (*value.Doc, error) {
	text := r.Payload
	if limit > 0 && len(text) > limit {
		return nil, integration.TooLarge(name)
	}
	if len(text) == 0 {
		text = []byte("{}") // of an Event invocation
	}
	doc, err := value.ParseDoc(text)
	if err != nil {
		return nil, integration.Failed("Lambda.Unknown", "The function's response is not JSON: "+err.Error())
	}
	if r.FunctionError == "" {
		return doc, nil
	}
	errorType := doc.Value().Get("errorType").Str()
	if errorType == "" {
		return nil, integration.Failed("Lambda.Unknown",
			"The cause could not be determined because Lambda did not return an error type. Returned payload: "+string(text))
	}
	return nil, &functionError{errorType, doc.Value()}
}

// failure turns an error of the service into an Error Output: those of the SDK
// for Java 1 drop "Exception" nowhere, and have "Lambda." in front.
func failure(err error) error {
	if missing, ok := errors.AsType[*missingError](err); ok {
		return &integration.AbsentError{What: missing.what, Failure: integration.FailureOf(failure(missing.unknown))}
	}
	if service, ok := errors.AsType[*ServiceError](err); ok {
		if service.Code == validation {
			return integration.Failed("Lambda.AWSLambdaException", service.Error())
		}
		return integration.Failed("Lambda."+service.Code, service.Error())
	}
	return integration.Failed("Lambda.SdkClientException", err.Error())
}

// localHeader makes the headers of a local function's response, as the Lambda
// service has them.
func localHeader(requestID, version string, size int) http.Header {
	h := http.Header{
		"x-amzn-Remapped-Content-Length": {"0"},
		"Connection":                     {"keep-alive"},
		"x-amzn-RequestId":               {requestID},
		"Content-Length":                 {strconv.Itoa(size)},
		"Content-Type":                   {"application/json"},
	}
	if version != "" {
		h["X-Amz-Executed-Version"] = []string{version}
	}
	return h
}
