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
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

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
	// Event asks for an answer as soon as the call is accepted.
	Event bool
	// Tail asks for the end of the function's log.
	Tail bool
}

// Response is what a function answered.
type Response struct {
	Payload []byte
	// FunctionError is "" when the function succeeded, else "Handled" or
	// "Unhandled": then Payload describes the error.
	FunctionError string
	Version       string
	Status        int
	RequestID     string
	Header        http.Header
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

// Error gives the cause as the optimized integrations show it.
func (e *ServiceError) Error() string {
	return fmt.Sprintf("%s (Service: AWSLambda; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)", e.Message, e.Status, e.Code, e.RequestID)
}

// Functions is the set of functions that tasks may name. Its methods may be
// called from any goroutine.
type Functions struct {
	mu     sync.RWMutex
	byName map[string]Function
	// fallback answers for functions that are not in the set; nil for none.
	fallback Function
}

// NewFunctions makes a set. fallback, which may be nil, is asked for functions
// that are not in it.
func NewFunctions(fallback Function) *Functions {
	return &Functions{byName: make(map[string]Function), fallback: fallback}
}

// Add puts a function into the set under its name.
func (f *Functions) Add(name string, function Function) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byName[name] = function
}

// Names lists the functions of the set.
func (f *Functions) Names() []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	names := make([]string, 0, len(f.byName))
	for name := range f.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Close ends all functions.
func (f *Functions) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var failed error
	for _, function := range f.byName {
		failed = errors.Join(failed, function.Close())
	}
	if f.fallback != nil {
		failed = errors.Join(failed, f.fallback.Close())
	}
	return failed
}

// invoke calls the function that an ARN or name names.
func (f *Functions) invoke(ctx context.Context, name functionName, in Invocation) (*Response, error) {
	f.mu.RLock()
	function := f.byName[name.name]
	f.mu.RUnlock()
	if function == nil {
		function = f.fallback
	}
	in.FunctionARN, in.Qualifier = name.arn(), name.qualifier
	if function == nil {
		qualifier := name.qualifier
		if qualifier == "" {
			qualifier = "$LATEST"
		}
		return nil, &ServiceError{
			Status: http.StatusNotFound, Code: "ResourceNotFoundException", RequestID: in.Idempotency,
			Message: "Function not found: " + in.FunctionARN + ":" + qualifier,
		}
	}
	return function.Invoke(ctx, in)
}

// functionName is what names a function: NAME, NAME:QUALIFIER,
// ACCOUNT:function:NAME, or an ARN of either.
type functionName struct {
	account, region, name, qualifier string
}

func (n functionName) arn() string {
	return "arn:aws:lambda:" + n.region + ":" + n.account + ":function:" + n.name
}

func parseName(text, account, region string) functionName {
	n := functionName{account: account, region: region}
	var parts [6]string // arn, partition, service, region, account, "function"
	rest, whole := text, true
	for i := 0; i < len(parts) && whole; i++ {
		parts[i], rest, whole = strings.Cut(rest, ":")
	}
	if whole && parts[0] == "arn" {
		n.region, n.account = parts[3], parts[4]
		text = rest
	} else if _, rest, partial := strings.Cut(text, ":function:"); partial {
		text = rest
	}
	n.name, n.qualifier, _ = strings.Cut(text, ":")
	return n
}

// ByARN is the integration for functions that a Task names by their ARN.
func (f *Functions) ByARN() integration.Integration { return byARN{f} }

type byARN struct{ functions *Functions }

// Supports accepts every function.
func (byARN) Supports(r asl.Resource) bool { return r.Kind == asl.FunctionResource }

// Perform invokes the function with the task's input; the result is the
// function's.
func (i byARN) Perform(ctx context.Context, t integration.Task) (*value.Doc, error) {
	response, err := i.functions.invoke(ctx, parseName(t.Resource.ARN, t.Account, t.Region), Invocation{
		Payload: t.Input.Raw(), Idempotency: t.Idempotency, TraceHeader: t.TraceHeader,
	})
	if err != nil {
		return nil, failure(err)
	}
	doc, err := payload(response, t.MaxBytes, t.Resource.ARN)
	if f := new(functionError); errors.As(err, &f) {
		return nil, integration.Failed(f.name, string(response.Payload))
	}
	return doc, err
}

// Optimized is the integration lambda:invoke.
func (f *Functions) Optimized() integration.Integration { return optimized{f} }

type optimized struct{ functions *Functions }

// Supports accepts invoke, also with .waitForTaskToken.
func (optimized) Supports(r asl.Resource) bool {
	return r.Action == "invoke" && r.Pattern != asl.RunJob
}

// Perform invokes the function that the parameters name; the result is the
// Invoke operation's, with the payload as JSON.
func (i optimized) Perform(ctx context.Context, t integration.Task) (*value.Doc, error) {
	params := t.Input.Value()
	name := params.Get("FunctionName").Str()
	if name == "" {
		return nil, integration.Failed("States.Runtime", "The field 'FunctionName' is required but was missing")
	}
	in := Invocation{
		Idempotency: t.Idempotency, TraceHeader: t.TraceHeader,
		ClientContext: params.Get("ClientContext").Str(),
		Event:         params.Get("InvocationType").Str() == "Event",
		Tail:          params.Get("LogType").Str() == "Tail",
	}
	in.Payload = requestPayload(params.Get("Payload"))
	fn := parseName(name, t.Account, t.Region)
	if q := params.Get("Qualifier").Str(); q != "" {
		fn.qualifier = q
	}
	response, err := i.functions.invoke(ctx, fn, in)
	if err != nil {
		return nil, failure(err)
	}
	result, err := payload(response, t.MaxBytes, t.StateName)
	if f := new(functionError); errors.As(err, &f) {
		return nil, integration.Failed(f.name, f.payload.String())
	}
	if err != nil {
		return nil, err
	}
	return invokeResult(response, result), nil
}

// invokeResult is the result of lambda:invoke: the operation's response with
// what the SDK for Java 1 adds of the HTTP exchange.
func invokeResult(r *Response, payload *value.Doc) *value.Doc {
	all, single := value.NewObject(len(r.Header)), value.NewObject(len(r.Header))
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		list := make([]value.Value, len(r.Header[name]))
		for i, v := range r.Header[name] {
			list[i] = value.Str(v)
		}
		all.Set(name, value.Arr(list...))
		single.Set(name, list[0])
	}
	out := value.NewObject(6)
	out.Set("ExecutedVersion", value.Str(r.Version))
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
// payload the cause: as it came for a function named by its ARN, written anew
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
	if service, ok := errors.AsType[*ServiceError](err); ok {
		return integration.Failed("Lambda."+service.Code, service.Error())
	}
	return integration.Failed("Lambda.SdkClientException", err.Error())
}

// header makes the headers of a response that a local function gave, as the
// Lambda service has them.
func header(requestID string, size int) http.Header {
	return http.Header{
		"X-Amz-Executed-Version":         {"$LATEST"},
		"x-amzn-Remapped-Content-Length": {"0"},
		"Connection":                     {"keep-alive"},
		"x-amzn-RequestId":               {requestID},
		"Content-Length":                 {strconv.Itoa(size)},
		"Content-Type":                   {"application/json"},
	}
}
