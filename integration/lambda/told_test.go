package lambda_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/integrationtest"
	"github.com/steppehq/steppe/integration/lambda"
	"github.com/steppehq/steppe/value"
)

const key = "0123456789abcdef0123456789abcdef"

// invokeTask is a task of lambda:invoke.
func invokeTask(t *testing.T, params string) integration.Task {
	t.Helper()
	return integration.Task{
		Account: own, Region: "us-east-1", Idempotency: key, MaxBytes: 1000, StateName: "A",
		Resource: integrationtest.Resource(t, "arn:aws:states:::lambda:invoke"), Input: value.NewDoc([]byte(params)),
	}
}

// remote is a set with an endpoint and a function with a URL, which a handler
// answers.
func remote(t *testing.T, handler http.HandlerFunc) (set *lambda.Functions, url string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	set = lambda.NewFunctions()
	t.Cleanup(func() { _ = set.Close() })
	endpoint, err := lambda.Endpoint(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	set.AddOthers(endpoint, own)
	fn, err := lambda.URLFunction(server.URL + "/invoke")
	if err != nil {
		t.Fatal(err)
	}
	set.Add("url", fn, own)
	return set, server.URL
}

// TestIdempotencyKey: the same key reaches every target, beside who calls and
// until when somebody waits.
func TestIdempotencyKey(t *testing.T) {
	var got http.Header
	set, _ := remote(t, func(w http.ResponseWriter, r *http.Request) { got = r.Header; _, _ = io.WriteString(w, `1`) })
	set.Add("go", lambda.GoFunction(func(ctx context.Context, _ json.RawMessage) (any, error) { return lambda.IdempotencyKey(ctx), nil }), own)
	deadline := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	for _, name := range []string{"any", "url"} {
		if _, err := set.Optimized().Perform(ctx, invokeTask(t, `{"FunctionName":"`+name+`"}`)); err != nil {
			t.Fatal(err)
		}
		if got.Get("Idempotency-Key") != key || !strings.HasPrefix(got.Get("User-Agent"), "steppe/") {
			t.Errorf("%s: %v", name, got)
		}
		if ms, _ := value.DecodeString(got.Get(lambda.DeadlineHeader)); ms.String() != value.Int(deadline.UnixMilli()).String() {
			t.Errorf("%s: the deadline is %s, not %d", name, ms, deadline.UnixMilli())
		}
	}
	out, err := set.Optimized().Perform(ctx, invokeTask(t, `{"FunctionName":"go"}`))
	if err != nil || out.Value().Get("Payload").Str() != key {
		t.Errorf("Go code: %v, %v", out, err)
	}
	if k := lambda.IdempotencyKey(t.Context()); k != "" {
		t.Errorf("a context of nobody's: %s", k)
	}
}

// TestClientContext: the key stands beside what the task itself tells, which
// stays as it is.
func TestClientContext(t *testing.T) {
	var got string
	set, _ := remote(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("X-Amz-Client-Context")
		_, _ = io.WriteString(w, `1`)
	})
	dir := t.TempDir()
	write(t, dir, "h.py", "def handler(e, c):\n    x = c.client_context\n    return [x.custom, x.env, x.client and x.client.app_title]\n")
	process, err := lambda.NewProcess(lambda.Process{Name: "py", Runtime: "python", Handler: "h.handler", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	set.Add("py", process, own)
	b64 := base64.StdEncoding.EncodeToString
	for _, tt := range []struct{ given, sent, python string }{
		{``, `{"custom":{"idempotencyKey":"` + key + `"}}`, `[{"idempotencyKey":"` + key + `"},null,null]`},
		{
			b64([]byte(`{"client":{"app_title":"ä😀"},"custom":{"a":1},"env":{"x":"y"}}`)),
			`{"client":{"app_title":"ä😀"},"custom":{"a":1,"idempotencyKey":"` + key + `"},"env":{"x":"y"}}`,
			`[{"a":1,"idempotencyKey":"` + key + `"},{"x":"y"},"ä😀"]`,
		},
		{b64([]byte(`{"custom":{"idempotencyKey":"mine"}}`)), `{"custom":{"idempotencyKey":"` + key + `"}}`, `[{"idempotencyKey":"` + key + `"},null,null]`},
		{b64([]byte(`{"custom":[1]}`)), `{"custom":[1]}`, `[[1],null,null]`},
		{b64([]byte(`{"long":"` + strings.Repeat("x", 2660) + `"}`)), `{"long":"` + strings.Repeat("x", 2660) + `"}`, `[null,null,null]`},
		{b64([]byte(`[1]`)), `[1]`, ""},
		{"$$$", "$$$", ""},
	} {
		if _, err := set.Optimized().Perform(t.Context(), invokeTask(t, `{"FunctionName":"any","ClientContext":"`+tt.given+`"}`)); err != nil {
			t.Fatal(err)
		}
		sent, err := base64.StdEncoding.DecodeString(got)
		if err != nil {
			sent = []byte(got)
		}
		if string(sent) != tt.sent {
			t.Errorf("%.60s: sent %.200s, want %.200s", tt.given, sent, tt.sent)
		}
		out, err := set.Optimized().Perform(t.Context(), invokeTask(t, `{"FunctionName":"py","ClientContext":"`+tt.given+`"}`))
		switch {
		case tt.python == "" && (err == nil || !strings.Contains(err.Error(), "Client context must be a valid Base64-encoded JSON object.")):
			t.Errorf("a process, %.60s: %v, %v", tt.given, out, err)
		case tt.python != "" && (err != nil || out.Value().Get("Payload").String() != tt.python):
			t.Errorf("a process, %.60s: %v, %v; want %s", tt.given, out, err, tt.python)
		}
	}
}

// TestHeaders: what headers cannot carry fails the task by a name and a text
// that say what is wrong, and nothing is sent.
func TestHeaders(t *testing.T) {
	set, _ := remote(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	for _, text := range []string{"a\r\nInjected: 1", "a\nb", "a\x00", "é", "a\x7f"} {
		for _, name := range []string{"any", "url"} {
			traced := invokeTask(t, `{"FunctionName":"`+name+`"}`)
			traced.TraceHeader = text
			told := invokeTask(t, string(value.Obj(
				value.Member{Name: "FunctionName", Value: value.Str(name)}, value.Member{Name: "ClientContext", Value: value.Str(text)},
			).Append(nil)))
			for what, task := range map[string]integration.Task{"The trace header": traced, "The client context": told} {
				_, err := set.Optimized().Perform(t.Context(), task)
				if failed := integration.FailureOf(err); failed.Error != "Lambda.InvalidRequestContentException" || !strings.HasPrefix(failed.Cause, what+" cannot be sent: its character ") {
					t.Errorf("%s, %q: %+v", name, text, failed)
				}
			}
		}
	}
}

// TestRedirects: whoever answers as a function does not choose what is asked
// next.
func TestRedirects(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var url string
		set, url := remote(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/secret") {
				t.Error("it was followed")
			}
			w.Header().Set("Location", url+"/secret")
			w.WriteHeader(status)
		})
		for _, name := range []string{"any", "url"} {
			_, err := set.Optimized().Perform(t.Context(), invokeTask(t, `{"FunctionName":"`+name+`"}`))
			failed := integration.FailureOf(err)
			if failed.Error != "Lambda.SdkClientException" || !strings.Contains(failed.Cause, url+"/") || !strings.Contains(failed.Cause, "redirects to ") {
				t.Errorf("%d: %+v", status, failed)
			}
		}
	}
}

// TestAnswersAreBounded: a byte more than a task may give is read of an answer,
// however much comes.
func TestAnswersAreBounded(t *testing.T) {
	ended := make(chan int64)
	set, _ := remote(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		var sent int64
		chunk := []byte(strings.Repeat(" ", 4096))
		for {
			n, err := w.Write(chunk)
			if sent += int64(n); err != nil {
				ended <- sent
				return
			}
		}
	})
	for _, name := range []string{"any", "url"} {
		_, err := set.Optimized().Perform(t.Context(), invokeTask(t, `{"FunctionName":"`+name+`"}`))
		if failed := integration.FailureOf(err); failed.Error != "States.DataLimitExceeded" {
			t.Errorf("%s: %+v", name, failed)
		}
		<-ended // the sender is cut off: it would write for ever
	}
}

// TestHeadsAreBounded: so is the head of an answer, which the result holds.
func TestHeadsAreBounded(t *testing.T) {
	set, _ := remote(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 200<<10))
		_, _ = io.WriteString(w, `1`)
	})
	if out, err := set.Optimized().Perform(t.Context(), invokeTask(t, `{"FunctionName":"any"}`)); err == nil {
		t.Errorf("a result of %d bytes", out.Size())
	}
}
