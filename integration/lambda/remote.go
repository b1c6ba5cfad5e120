package lambda

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe/value"
)

// maxResponse bounds what is read of a function's answer: Lambda's own limit
// for synchronous calls.
const maxResponse = 6<<20 + 1<<10

// maxHeader bounds the head of a function's answer, in bytes: the result of
// lambda:invoke holds it.
const maxHeader = 64 << 10

func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	transport.MaxResponseHeaderBytes = maxHeader
	return &http.Client{
		Transport: transport,
		// Whoever answers as a function does not choose what else is asked.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// userAgent tells who calls: "steppe/" and the version of the module.
var userAgent = sync.OnceValue(func() string {
	const module, unknown = "github.com/steppehq/steppe", "steppe/devel"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module && m.Version != "" && m.Version != "(devel)" {
			return "steppe/" + m.Version
		}
	}
	return unknown
})

// DeadlineHeader tells a function that is called over HTTP until when somebody
// waits for its answer, in milliseconds since 1970.
const DeadlineHeader = "X-Steppe-Deadline-Ms"

// request makes the call of a function over HTTP, with what all of them are told:
// who calls, which attempt of which task it is, and until when somebody waits.
func (in *Invocation) request(ctx context.Context, target string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(in.Payload))
	if err != nil {
		return nil, fmt.Errorf("lambda: %w", err)
	}
	req.Header.Set("User-Agent", userAgent())
	if in.Idempotency != "" {
		req.Header.Set("Idempotency-Key", in.Idempotency)
	}
	if in.TraceHeader != "" {
		req.Header.Set("X-Amzn-Trace-Id", in.TraceHeader)
	}
	if deadline, ok := ctx.Deadline(); ok {
		req.Header.Set(DeadlineHeader, milliseconds(deadline))
	}
	return req, nil
}

// URLFunction makes a function of an HTTP server: the payload is posted to the
// URL, and the answer's body is the result. A status of 400 or more is an error
// of the function.
func URLFunction(target string) (Function, error) {
	if u, err := url.Parse(target); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("lambda: the function's url %q is none like http://127.0.0.1:5000/invoke", target)
	}
	return &urlFunction{target, newClient()}, nil
}

type urlFunction struct {
	target string
	client *http.Client
}

// Invoke posts the payload.
func (u *urlFunction) Invoke(ctx context.Context, in Invocation) (*Response, error) {
	req, err := in.request(ctx, u.target)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	in.tellContext(req)
	status, _, body, err := exchange(u.client, req, in.MaxBytes)
	if err != nil {
		return nil, err
	}
	r := &Response{Payload: body, Status: http.StatusOK, Version: in.version(), RequestID: requestID(in.Idempotency)}
	if status >= http.StatusBadRequest && !describesError(body) {
		r.fail(fmt.Sprintf("HTTP.%d", status), strings.TrimSpace(string(body)))
	} else if status >= http.StatusBadRequest {
		r.FunctionError = "Handled"
	}
	return r, nil
}

// describesError reports whether a body is an error as functions give it.
func describesError(body []byte) bool {
	v, err := value.Decode(body)
	return err == nil && v.Get("errorType").Kind() == value.String
}

// Close drops idle connections.
func (u *urlFunction) Close() error {
	u.client.CloseIdleConnections()
	return nil
}

// exchange makes a call, and reads a byte more of its answer than is of use.
func exchange(client *http.Client, req *http.Request, useful int) (status int, head http.Header, body []byte, err error) {
	response, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("lambda: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	if response.StatusCode >= http.StatusMultipleChoices && response.StatusCode < http.StatusBadRequest {
		to := response.Header.Get("Location")
		if to == "" {
			to = "nowhere"
		}
		return 0, nil, nil, fmt.Errorf("lambda: %s redirects to %.500s (status %d), and redirects of functions are not followed: configure the URL that answers", req.URL.Redacted(), to, response.StatusCode)
	}
	most := int64(maxResponse)
	if useful > 0 {
		most = min(most, int64(useful)+1)
	}
	body, err = io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return 0, nil, nil, fmt.Errorf("lambda: read the answer of %s: %w", req.URL.Redacted(), err)
	}
	return response.StatusCode, response.Header, body, nil
}

// Endpoint makes a function of a server that has Lambda's Invoke operation: it
// stands for all functions of that server.
func Endpoint(base string) (Function, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("lambda: the endpoint %q is no URL like http://127.0.0.1:9001", base)
	}
	return &endpoint{strings.TrimSuffix(base, "/"), newClient()}, nil
}

type endpoint struct {
	base   string
	client *http.Client
}

func (*endpoint) invokes() {}

// Invoke calls the Invoke operation.
func (e *endpoint) Invoke(ctx context.Context, in Invocation) (*Response, error) {
	target := e.base + "/2015-03-31/functions/" + url.PathEscape(in.FunctionARN) + "/invocations"
	if in.Qualifier != "" {
		target += "?Qualifier=" + url.QueryEscape(in.Qualifier)
	}
	req, err := in.request(ctx, target)
	if err != nil {
		return nil, err
	}
	e.headers(req, &in)
	status, head, body, err := exchange(e.client, req, in.MaxBytes)
	if err != nil {
		return nil, err
	}
	if status >= http.StatusBadRequest {
		return nil, serviceError(status, head, body)
	}
	return &Response{
		Payload: body, FunctionError: head.Get("X-Amz-Function-Error"),
		Version: head.Get("X-Amz-Executed-Version"), LogResult: head.Get("X-Amz-Log-Result"), Status: status, RequestID: head.Get("X-Amzn-Requestid"),
		Header: awsCase(head),
	}, nil
}

func (e *endpoint) headers(req *http.Request, in *Invocation) {
	req.Header.Set("X-Amz-Invocation-Type", string(cmp.Or(in.Type, RequestResponse)))
	if in.Tail {
		req.Header.Set("X-Amz-Log-Type", "Tail")
	}
	in.tellContext(req)
}

// tellContext sends the client context, with the idempotency key in it.
func (in *Invocation) tellContext(req *http.Request) {
	told := in.ClientContext
	if text, ok := in.clientContext(); ok {
		told = base64.StdEncoding.EncodeToString([]byte(text))
	}
	if told != "" {
		req.Header.Set("X-Amz-Client-Context", told)
	}
}

// awsCase gives headers the spelling that Lambda has them in, which Go's
// canonical form loses.
func awsCase(h http.Header) http.Header {
	spelling := map[string]string{
		"X-Amzn-Requestid": "x-amzn-RequestId", "X-Amzn-Remapped-Content-Length": "x-amzn-Remapped-Content-Length",
	}
	out := make(http.Header, len(h))
	for name, values := range h {
		if s, ok := spelling[name]; ok {
			name = s
		}
		out[name] = values
	}
	if out["Connection"] == nil {
		out["Connection"] = []string{"keep-alive"}
	}
	return out
}

func serviceError(status int, head http.Header, body []byte) error {
	e := &ServiceError{Status: status, RequestID: head.Get("X-Amzn-Requestid")}
	e.Code, _, _ = strings.Cut(head.Get("X-Amzn-Errortype"), ":")
	var told struct{ Message string } // encoding/json matches "message" too
	if json.Unmarshal(body, &told) == nil {
		e.Message = told.Message
	}
	if e.Code == "" {
		e.Code = "ServiceException"
	}
	return e
}

// Close drops idle connections.
func (e *endpoint) Close() error {
	e.client.CloseIdleConnections()
	return nil
}

// errStopped: the function was closed.
var errStopped = errors.New("lambda: the function was stopped")

// initTimeout bounds the start of a worker whose invocations may not take longer.
const initTimeout = 10 * time.Second
