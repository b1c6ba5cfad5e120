package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/lambda"
	"github.com/steppehq/steppe/value"
)

// perform invokes a function through the optimized integration, or by ARN.
func perform(t *testing.T, f *lambda.Functions, arn, input string) (string, integration.Failure) {
	t.Helper()
	resource, ok := asl.ParseResource(arn)
	if !ok {
		t.Fatal(arn)
	}
	i := f.Optimized()
	if resource.Kind == asl.FunctionResource {
		i = f.ByARN()
	}
	out, err := i.Perform(t.Context(), integration.Task{
		Resource: resource, Input: value.NewDoc([]byte(input)), Account: "000000000000", Region: "us-east-1",
		Idempotency: "0123456789abcdef0123456789abcdef", MaxBytes: 262144, StateName: "A",
	})
	if err != nil {
		return "", integration.FailureOf(err)
	}
	return out.String(), integration.Failure{}
}

// own is the account of the tasks.
const own = "000000000000"

const byName = "arn:aws:lambda:us-east-1:000000000000:function:"

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// handlers has one handler that does what its event says, in each language.
var handlers = map[string]struct{ runtime, file, text string }{
	"python": {"python3.12", "h.py", `
import os, sys, time

class Custom(Exception):
    pass

def handler(event, context):
    what = event.get("do")
    print("doing", what)
    if what == "raise":
        raise Custom("said so")
    if what == "exit":
        os._exit(3)
    if what == "sleep":
        time.sleep(60)
    if what == "unserialisable":
        return object()
    if what == "pid":
        return os.getpid()
    return {"event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn, "env": os.environ.get("COLOR")}
`},
	"nodejs": {"nodejs20.x", "h.mjs", `
class Custom extends Error { constructor(m) { super(m); this.name = 'Custom'; } }
export async function handler(event, context) {
  console.log('doing', event.do);
  if (event.do === 'raise') throw new Custom('said so');
  if (event.do === 'exit') process.exit(3);
  if (event.do === 'sleep') await new Promise((r) => setTimeout(r, 60000));
  if (event.do === 'pid') return process.pid;
  return { event, id: context.awsRequestId, arn: context.invokedFunctionArn, env: process.env.COLOR };
}
`},
}

func TestProcesses(t *testing.T) {
	for language, h := range handlers {
		t.Run(language, func(t *testing.T) {
			interpreter := map[string]string{"python": "python3", "nodejs": "node"}[language]
			if _, err := exec.LookPath(interpreter); err != nil && language == "nodejs" {
				t.Logf("%s is not installed", interpreter)
				return
			}
			dir := t.TempDir()
			write(t, dir, h.file, h.text)
			var mu sync.Mutex
			var log []string
			fn, err := lambda.NewProcess(lambda.Process{
				Name: "f", Runtime: h.runtime, Handler: "h.handler", Dir: dir, Env: map[string]string{"COLOR": "red"}, Timeout: 2 * time.Second, Concurrency: 2,
				Log: func(line lambda.Line) { mu.Lock(); log = append(log, line.Text); mu.Unlock() },
			})
			if err != nil {
				t.Fatal(err)
			}
			set := lambda.NewFunctions()
			set.Add("f", fn, own)
			defer set.Close()
			out, _ := perform(t, set, byName+"f", `{"n":1}`)
			want := `{"event":{"n":1},"id":"01234567-89ab-cdef-0123-456789abcdef","arn":"` + byName + `f","env":"red"}`
			if got, err := value.DecodeString(out); err != nil || got.String() != want { // Python writes blanks
				t.Errorf("got %s, want %s", out, want)
			}
			one, _ := perform(t, set, byName+"f", `{"do":"pid"}`)
			two, _ := perform(t, set, byName+"f", `{"do":"pid"}`)
			if one != two || one == "" {
				t.Errorf("workers %s and %s: the first one is not kept warm", one, two)
			}
			for do, name := range map[string]string{"raise": "Custom", "exit": "Runtime.ExitError", "sleep": "Sandbox.Timedout"} {
				_, failed := perform(t, set, byName+"f", `{"do":"`+do+`"}`)
				if failed.Error != name || !strings.Contains(failed.Cause, `"errorType"`) {
					t.Errorf("%s: %+v", do, failed)
				}
			}
			if three, _ := perform(t, set, byName+"f", `{"do":"pid"}`); three == "" || three == one {
				t.Errorf("after a crash: worker %s, before %s", three, one)
			}
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(strings.Join(log, "\n"), "doing raise") {
				t.Errorf("the log is %q", log)
			}
		})
	}
}

func TestInitErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "bad.py", "import nothing_like_this\n")
	write(t, dir, "empty.py", "x = 1\n")
	write(t, dir, "wrong.py", "def handler(event, context)\n    return 1\n")
	write(t, dir, "raises.py", "raise ValueError('no')\n")
	for handler, name := range map[string]string{
		"bad.handler": "Runtime.ImportModuleError", "empty.handler": "Runtime.HandlerNotFound", "none.handler": "Runtime.ImportModuleError",
		"wrong.handler": "Runtime.UserCodeSyntaxError", "raises.handler": "ValueError",
	} {
		fn, err := lambda.NewProcess(lambda.Process{Name: "f", Runtime: "python", Handler: handler, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		set := lambda.NewFunctions()
		set.Add("f", fn, own)
		if _, failed := perform(t, set, byName+"f", `{}`); failed.Error != name {
			t.Errorf("%s: %+v", handler, failed)
		}
		told := ""
		set.Check(t.Context(), false, func(function string, err error) { told = function + ": " + err.Error() })
		if !strings.HasPrefix(told, "f: "+name+": ") {
			t.Errorf("%s: it is told: %s", handler, told)
		}
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	}
	for name, p := range map[string]lambda.Process{
		"directory": {Name: "f", Runtime: "python", Handler: "a.b", Dir: filepath.Join(dir, "nowhere")},
		"runtime":   {Name: "f", Runtime: "cobol", Handler: "a.b", Dir: dir},
		"handler":   {Name: "f", Runtime: "python", Handler: "handler", Dir: dir},
		"provided":  {Name: "f", Runtime: "provided", Handler: "missing", Dir: dir},
	} {
		if _, err := lambda.NewProcess(p); err == nil || !strings.Contains(err.Error(), "function f") {
			t.Errorf("a wrong %s: %v", name, err)
		}
	}
}

func TestProvided(t *testing.T) {
	dir := t.TempDir()
	script := `#!/usr/bin/env python3
import http.client, os
address, _, secret = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")
c = http.client.HTTPConnection(address)
while True:
    c.request("GET", "/" + secret + "/2018-06-01/runtime/invocation/next")
    r = c.getresponse()
    body = r.read()
    c.request("POST", "/" + secret + "/2018-06-01/runtime/invocation/" + r.headers["Lambda-Runtime-Aws-Request-Id"] + "/response", b'{"got":' + body + b'}')
    c.getresponse().read()
`
	write(t, dir, "bootstrap", script)
	if err := os.Chmod(filepath.Join(dir, "bootstrap"), 0o700); err != nil {
		t.Fatal(err)
	}
	fn, err := lambda.NewProcess(lambda.Process{Name: "f", Runtime: "provided.al2023", Handler: "bootstrap", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	set := lambda.NewFunctions()
	set.Add("f", fn, own)
	defer set.Close()
	if out, failed := perform(t, set, byName+"f", `[1]`); out != `{"got":[1]}` {
		t.Errorf("%s, %+v", out, failed)
	}
}

type refused struct{ why string }

func (r refused) Error() string { return r.why }

func TestGoFunctions(t *testing.T) {
	set := lambda.NewFunctions()
	set.Add("double", lambda.GoFunction(func(_ context.Context, input json.RawMessage) (any, error) {
		var n int
		if err := json.Unmarshal(input, &n); err != nil {
			return nil, err
		}
		switch n {
		case 0:
			return nil, refused{"zero"}
		case 1:
			panic("one")
		}
		return 2 * n, nil
	}), own)
	if out, _ := perform(t, set, byName+"double", `21`); out != `42` {
		t.Error(out)
	}
	if _, failed := perform(t, set, byName+"double", `0`); failed.Error != "refused" || failed.Cause != `{"errorMessage":"zero","errorType":"refused"}` {
		t.Errorf("%+v", failed)
	}
	if _, failed := perform(t, set, byName+"double", `1`); failed.Error != "Runtime.Panic" {
		t.Errorf("%+v", failed)
	}
	out, _ := perform(t, set, "arn:aws:states:::lambda:invoke", `{"FunctionName":"double:PROD","Payload":4}`)
	v, err := value.DecodeString(out)
	if err != nil || v.Get("Payload").String() != "8" || v.Get("StatusCode").String() != "200" || v.Get("ExecutedVersion").Str() != "$LATEST" {
		t.Error(out)
	}
	if _, failed := perform(t, set, "arn:aws:states:::lambda:invoke", `{"FunctionName":"nobody"}`); failed.Error != "Lambda.ResourceNotFoundException" ||
		!strings.HasPrefix(failed.Cause, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody:$LATEST (Service: AWSLambda; Status Code: 404;") {
		t.Errorf("%+v", failed)
	}
	if _, failed := perform(t, set, "arn:aws:states:::lambda:invoke", `{}`); failed.Error != "States.Runtime" {
		t.Errorf("%+v", failed)
	}
}

func TestRemote(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.HasSuffix(r.URL.Path, "big/invocations"):
			_, _ = io.WriteString(w, `"`+strings.Repeat("x", 300_000)+`"`)
		case strings.HasSuffix(r.URL.Path, "untyped/invocations"):
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			_, _ = io.WriteString(w, `{"errorMessage":"Task timed out"}`)
		case strings.HasSuffix(r.URL.Path, "nobody/invocations"):
			w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"Message":"no such function"}`)
		case r.URL.Path == "/fails":
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "short and stout")
		default:
			_, _ = w.Write(body)
		}
	}))
	defer server.Close()
	endpoint, err := lambda.Endpoint(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	set := lambda.NewFunctions()
	set.AddOthers(endpoint, own)
	defer set.Close()
	for name, path := range map[string]string{"fails": "/fails", "echo": "/"} {
		fn, err := lambda.URLFunction(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		set.Add(name, fn, own)
	}
	tests := []struct{ name, input, out, failed string }{
		{"other", `{"a":1}`, `{"a":1}`, ""},
		{"echo", `[2]`, `[2]`, ""},
		{"fails", `{}`, "", "HTTP.418"},
		{"big", `{}`, "", "States.DataLimitExceeded"},
		{"untyped", `{}`, "", "Lambda.Unknown"},
		{"nobody", `{}`, "", "Lambda.ResourceNotFoundException"},
	}
	for _, tt := range tests {
		out, failed := perform(t, set, byName+tt.name, tt.input)
		if out != tt.out || failed.Error != tt.failed {
			t.Errorf("%s: %.100s, %+v", tt.name, out, failed)
		}
	}
	if _, err := lambda.Endpoint("localhost:9001"); err == nil {
		t.Error("an endpoint without a scheme was taken")
	}
	server.Close()
	if _, failed := perform(t, set, byName+"echo", `1`); failed.Error != "Lambda.SdkClientException" {
		t.Errorf("a server that is gone: %+v", failed)
	}
}

// TestConcurrency: no more workers than were asked for, however many
// invocations wait; a cancelled one waits no longer.
func TestConcurrency(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "h.py", "import os, time\ndef handler(event, context):\n    time.sleep(0.05)\n    return os.getpid()\n")
	fn, err := lambda.NewProcess(lambda.Process{Name: "f", Runtime: "python", Handler: "h.handler", Dir: dir, Concurrency: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer fn.Close()
	var mu sync.Mutex
	pids := make(map[string]bool)
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			r, err := fn.Invoke(t.Context(), lambda.Invocation{Payload: []byte("{}"), Idempotency: strings.Repeat("0", 32)})
			if err != nil || r.FunctionError != "" {
				t.Errorf("%v, %+v", err, r)
				return
			}
			mu.Lock()
			pids[string(r.Payload)] = true
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(pids) > 2 {
		t.Errorf("%d workers", len(pids))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fn.Invoke(ctx, lambda.Invocation{}); !errors.Is(err, context.Canceled) {
		if err != nil {
			t.Errorf("a cancelled call: %v", err)
		}
	}
}
