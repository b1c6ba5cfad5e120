package api_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/steppehq/steppe/api"
	"github.com/steppehq/steppe/store/memory"
)

// sendAs sends a request as the SDK of a service does, "" for a program without one.
func sendAs(t *testing.T, h http.Handler, service, method, path, contentType, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:8083"+path, strings.NewReader(body))
	if service != "" {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIATEST/20260301/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=00")
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Header(), w.Body.String()
}

// TestOtherServices: callers of other services are answered in their own protocol,
// and GetCallerIdentity of STS is answered.
func TestOtherServices(t *testing.T) {
	h := serve(t)
	const form = "application/x-www-form-urlencoded; charset=utf-8"
	tests := []struct {
		service, method, path, contentType, body, target string
		status                                           int
		kind, want                                       string
	}{
		{"sts", "POST", "/", form, "Action=GetCallerIdentity&Version=2011-06-15", "", 200, "text/xml", "<Arn>arn:aws:iam::000000000000:user/AKIATEST</Arn><UserId>AKIATEST</UserId><Account>000000000000</Account>"},
		{"sts", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "", "", "", 200, "text/xml", "<Account>000000000000</Account>"},
		{"sts", "POST", "/", form, "Action=AssumeRole&Version=2011-06-15", "", 400, "text/xml", "<Code>InvalidAction</Code><Message>This is Steppe."},
		{"iam", "POST", "/", form, "Action=ListRoles&Version=2010-05-08", "", 400, "text/xml", "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code>"},
		{"cloudformation", "POST", "/", form, "Action=ListStacks", "", 400, "text/xml", "<Code>InvalidAction</Code>"},
		{"", "POST", "/", form, "Action=ListStacks", "", 400, "text/xml", "<Code>InvalidAction</Code>"},
		{"ec2", "POST", "/", form, "Action=DescribeInstances", "", 400, "text/xml", "<Response><Errors><Error><Code>InvalidAction</Code>"},
		{"s3", "GET", "/bucket?list-type=2", "", "", "", 501, "application/xml", "<Error><Code>NotImplemented</Code>"},
		{"s3", "GET", "/", "", "", "", 501, "application/xml", "<Error><Code>NotImplemented</Code>"},
		{"lambda", "GET", "/2015-03-31/functions/", "", "", "", 400, "application/json", `"message":"This is Steppe.`},
		{"lambda", "POST", "/2015-03-31/functions/f/invocations", "application/json", "{}", "", 400, "application/json", `"__type":"UnknownOperationException"`},
		{"logs", "POST", "/", "application/x-amz-json-1.1", "{}", "Logs_20140328.DescribeLogGroups", 400, "application/x-amz-json-1.1", `"message":"This is Steppe.`},
		{"states", "POST", "/", "application/x-amz-json-1.0", "{}", "AWSStepFunctions.ListStateMachines", 200, "application/x-amz-json-1.0", `"stateMachines":[]`},
		{"states", "POST", "/", "application/x-amz-json-1.0", "{}", "AWSStepFunctions.Nonsense", 400, "application/x-amz-json-1.0", "is not known to this service"},
	}
	for _, tt := range tests {
		var headers []string
		if tt.target != "" {
			headers = []string{"X-Amz-Target", tt.target}
		}
		status, header, body := sendAs(t, h, tt.service, tt.method, tt.path, tt.contentType, tt.body, headers...)
		if status != tt.status || header.Get("Content-Type") != tt.kind || !strings.Contains(body, tt.want) {
			t.Errorf("%s %s %s: %d %s %s", tt.service, tt.method, tt.path, status, header.Get("Content-Type"), body)
		}
	}
}

// TestMonitors: a server tells that it is there, and whether it should get work.
func TestMonitors(t *testing.T) {
	var full error
	h := serveConfig(t, memory.New(memory.Options{}), api.Config{Ready: func() error { return full }})
	check := func(path string, want int, text string) {
		t.Helper()
		if status, _, body := sendAs(t, h, "", "GET", path, "", ""); status != want || !strings.Contains(body, text) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	check("/healthz", 200, `{"status":"ok"}`)
	check("/readyz", 200, `{"status":"ok"}`)
	full = errors.New("no space")
	check("/healthz", 200, `{"status":"ok"}`)
	check("/readyz", 503, `{"reason":"no space","status":"unavailable"}`)
	check("/nothing", 405, "UnknownOperationException")
}

// TestWelcome: whoever looks with a browser is told what this is.
func TestWelcome(t *testing.T) {
	h := serve(t)
	status, header, body := sendAs(t, h, "", "GET", "/", "", "", "Accept", "text/html,*/*")
	if status != 200 || header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(body, "--endpoint-url http://127.0.0.1:8083") || !strings.Contains(body, "<pre>This is Steppe.") {
		t.Errorf("%d %v %s", status, header, body)
	}
	if status, header, body := sendAs(t, h, "", "GET", "/", "", ""); status != 200 || header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(body, "This is Steppe.") {
		t.Errorf("%d %v %s", status, header, body)
	}
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8083/", nil)
	r.Host = "127.0.0.1:8083\"<script>"
	w := httptest.NewRecorder()
	r.Header.Set("Accept", "text/html")
	h.ServeHTTP(w, r)
	if strings.Contains(w.Body.String(), "<script>") {
		t.Error(w.Body.String())
	}
}
