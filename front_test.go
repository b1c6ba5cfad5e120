package steppe_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/steppehq/steppe"
)

// TestServices: a server answers Step Functions and GetCallerIdentity of STS, and
// callers of other services in their own protocol.
func TestServices(t *testing.T) {
	server, err := steppe.Open(steppe.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	const form = "application/x-www-form-urlencoded; charset=utf-8"
	for _, tt := range []struct {
		service, method, path, contentType, body, target string
		status                                           int
		kind, want                                       string
	}{
		{"sts", "POST", "/", form, "Action=GetCallerIdentity&Version=2011-06-15", "", 200, "text/xml", "<Arn>arn:aws:iam::000000000000:user/AKIATEST</Arn><UserId>AKIATEST</UserId><Account>000000000000</Account>"},
		{"sts", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "", "", "", 200, "text/xml", "<Account>000000000000</Account>"},
		{"sts", "POST", "/", form, "Action=AssumeRole&Version=2011-06-15", "", 400, "text/xml", "<Code>InvalidAction</Code><Message>This is Steppe."},
		{"cloudformation", "POST", "/", form, "Action=ListStacks", "", 400, "text/xml", "<Code>InvalidAction</Code>"},
		{"s3", "GET", "/bucket?list-type=2", "", "", "", 501, "application/xml", "only, not &#39;s3&#39;: point only those services here (AWS_ENDPOINT_URL_SFN"},
		{"states", "POST", "/", "application/x-amz-json-1.0", "{}", "AWSStepFunctions.ListStateMachines", 200, "application/x-amz-json-1.0", `"stateMachines":[]`},
		{"states", "POST", "/", "application/x-amz-json-1.0", "{}", "AWSStepFunctions.Nonsense", 400, "application/x-amz-json-1.0", "is not known to this service"},
		{"states", "GET", "/api/v1/executions", "", "", "", 200, "application/x-amz-json-1.0", `"executions":[]`},
		{"", "GET", "/readyz", "", "", "", 200, "application/json", `{"status":"ok"}`},
	} {
		r := httptest.NewRequest(tt.method, "http://127.0.0.1:8083"+tt.path, strings.NewReader(tt.body))
		if tt.service != "" {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIATEST/20260301/us-east-1/"+tt.service+"/aws4_request, SignedHeaders=host, Signature=00")
		}
		for name, v := range map[string]string{"Content-Type": tt.contentType, "X-Amz-Target": tt.target} {
			if v != "" {
				r.Header.Set(name, v)
			}
		}
		w := httptest.NewRecorder()
		server.Handler().ServeHTTP(w, r)
		if w.Code != tt.status || w.Header().Get("Content-Type") != tt.kind || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s %s %s: %d %s %s", tt.service, tt.method, tt.path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://evil.example/readyz", nil)
	if server.Handler().ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("by another name: %d %s", w.Code, w.Body)
	}
}
