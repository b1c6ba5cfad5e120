//go:build linux

package lambda_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/lambda"
)

// requestID is that of a task whose idempotency key is key.
const requestID = "01234567-89ab-cdef-0123-456789abcdef"

// tailOf invokes a function of a set, and returns the log of its result and what it
// failed with.
func tailOf(t *testing.T, set *lambda.Functions, params string) string {
	t.Helper()
	out, err := set.Optimized().Perform(t.Context(), invokeTask(t, "{"+params+"}"))
	if err != nil {
		t.Fatal(err)
	}
	v := out.Value()
	result := v.Get("LogResult").Str()
	if header := v.Get("SdkHttpMetadata").Get("HttpHeaders").Get("X-Amz-Log-Result").Str(); header != result {
		t.Errorf("%s: the header has %s, the member %s", params, header, result)
	}
	log, err := base64.StdEncoding.DecodeString(result)
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}

const (
	startLine  = `^START RequestId: ` + requestID + ` Version: \$LATEST\n`
	endLine    = `END RequestId: ` + requestID + `\n`
	reportLine = `REPORT RequestId: ` + requestID + `\tDuration: [0-9]+\.[0-9]{2} ms\tBilled Duration: [0-9]+ ms`
	ofProcess  = `\tMemory Size: 128 MB\tMax Memory Used: [1-9][0-9]* MB\t\n$`
	ofOthers   = `\t\n$`
)

// TestTail: an invocation that asks for it gives the end of its own log, and of no
// other's.
func TestTail(t *testing.T) {
	set, _ := remote(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/invocations") && r.Header.Get("X-Amz-Log-Type") == "Tail" {
			w.Header().Set("X-Amz-Log-Result", "bG9n")
		}
		_, _ = io.WriteString(w, `1`)
	})
	set.Add("py", python(t, lambda.Process{Concurrency: 1}, `
sys.stdout.write(event["say"])
subprocess.run(["sh", "-c", "echo child >&2"])
return 1`), own)
	set.Add("go", lambda.GoFunction(func(context.Context, json.RawMessage) (any, error) { return 1, nil }), own)
	py := func(say, more string) string {
		return `"FunctionName":"py",` + more + `"Payload":{"say":` + say + `}`
	}
	for _, tt := range []struct{ params, want string }{
		{py(`"first\n"`, `"LogType":"Tail",`), startLine + "first\nchild\n" + endLine + reportLine + ofProcess},
		{py(`"not asked for\n"`, ``), "^$"},
		{py(`"no newline"`, `"LogType":"None",`), "^$"},
		{py(`""`, `"LogType":"Tail",`), startLine + "child\n" + endLine + reportLine + ofProcess},
		{py(`"at\nonce\n"`, `"LogType":"Tail",`), startLine + "at\nonce\nchild\n" + endLine + reportLine + ofProcess},
		{py(`"dry"`, `"LogType":"Tail","InvocationType":"DryRun",`), "^$"},
		{py(`"event"`, `"LogType":"Tail","InvocationType":"Event",`), "^$"},
		{`"FunctionName":"go","LogType":"Tail"`, startLine + endLine + reportLine + ofOthers},
		{`"FunctionName":"url","LogType":"Tail"`, startLine + endLine + reportLine + ofOthers},
		{`"FunctionName":"any","LogType":"Tail"`, "^log$"},
		{`"FunctionName":"any"`, "^$"},
	} {
		if got := tailOf(t, set, tt.params); !regexp.MustCompile(tt.want).MatchString(got) {
			t.Errorf("%s: %q, want %s", tt.params, got, tt.want)
		}
	}
	long := tailOf(t, set, py(`"`+strings.Repeat("x", 100)+strings.Repeat(`\n0123456789`, 2000)+`\n"`, `"LogType":"Tail",`))
	if len(long) != 4096 || !regexp.MustCompile("0123456789\nchild\n"+endLine+reportLine+ofProcess).MatchString(long) {
		t.Errorf("%d bytes: %q", len(long), long)
	}
}

// TestTailOfFailures: what a function printed before it failed is in its log.
func TestTailOfFailures(t *testing.T) {
	for _, tt := range []struct{ body, input, want string }{
		{"print('before')\nraise ValueError('bad')", `{}`, "before\nTraceback .*\n.*ValueError: bad\n" + endLine},
		{"print('before')\nos._exit(3)", `{}`, "before\n" + endLine},
		{"print('before')\nos.read(os.pipe()[0], 1)", `{}`, "before\n" + endLine + "(?s:.*) Task timed out after 3.00 seconds\n\n$"},
	} {
		timeout := time.Minute
		if strings.Contains(tt.body, "pipe") {
			timeout = 3 * time.Second
		}
		set := lambda.NewFunctions()
		var response *lambda.Response
		set.Add("f", recorder{python(t, lambda.Process{Timeout: timeout}, tt.body), &response}, own)
		_, err := set.Optimized().Perform(t.Context(), invokeTask(t, `{"FunctionName":"f","LogType":"Tail","Payload":`+tt.input+`}`))
		if err == nil || response == nil {
			t.Fatalf("%s: %v", tt.body, err)
		}
		log, _ := base64.StdEncoding.DecodeString(response.LogResult)
		if !regexp.MustCompile(`(?s)` + tt.want).Match(log) {
			t.Errorf("%s: %q, want %s", tt.body, log, tt.want)
		}
	}
}

// recorder keeps what a function answered.
type recorder struct {
	lambda.Function
	last **lambda.Response
}

func (r recorder) Invoke(ctx context.Context, in lambda.Invocation) (*lambda.Response, error) {
	response, err := r.Function.Invoke(ctx, in)
	*r.last = response
	return response, err
}

// lines keeps what functions print.
type lines struct {
	mu  sync.Mutex
	all []lambda.Line
}

func (l *lines) add(line lambda.Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

// TestLines: each line is of the invocation that printed it; what is written at
// once is one, a traceback above all; and nothing of a long one is lost.
func TestLines(t *testing.T) {
	var got lines
	fn := python(t, lambda.Process{Concurrency: 1, Log: got.add}, `
import logging
if "long" in event: print("y" * event["long"])
print("at\nonce")
try: raise KeyError("inner")
except KeyError: logging.exception("caught")
raise ValueError("outer")`)
	ids := []string{"execution-1", "execution-2"}
	for _, arn := range ids {
		in := lambda.Invocation{Payload: []byte(`{"long":100000}`), Idempotency: arn, Task: &integration.Task{ExecutionARN: arn}}
		if r, err := fn.Invoke(t.Context(), in); err != nil || r.FunctionError == "" {
			t.Fatalf("%v, %+v", err, r)
		}
	}
	if err := fn.Close(); err != nil { // all was read
		t.Fatal(err)
	}
	for i, arn := range ids {
		of := got.all[i*len(got.all)/2 : (i+1)*len(got.all)/2]
		if len(of) != 5 {
			t.Fatalf("%d lines of %s", len(of), arn)
		}
		for _, line := range of {
			if line.ExecutionARN != arn || line.RequestID != arn {
				t.Errorf("%.80q is of %s, %s", line.Text, line.ExecutionARN, line.RequestID)
			}
		}
		if of[0].Text+of[1].Text != strings.Repeat("y", 100000) || of[2].Text != "at\nonce" {
			t.Errorf("%d and %d bytes, %q", len(of[0].Text), len(of[1].Text), of[2].Text)
		}
		for at, want := range map[int]string{3: `^ERROR:root:caught\nTraceback (?s:.*)\nKeyError: 'inner'$`, 4: `^Traceback (?s:.*)\nValueError: outer$`} {
			if !regexp.MustCompile(want).MatchString(of[at].Text) {
				t.Errorf("%q, want %s", of[at].Text, want)
			}
		}
	}
}

// TestLinesOfNode: so it is with JavaScript, and with code that cannot be loaded.
func TestLinesOfNode(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("there is no node")
	}
	for code, want := range map[string]string{
		"export const handler = () => { throw new Error('thrown') }": `^Error: thrown\n    at (?s:.*)$`,
		"throw new Error('at load')":                                 `^Error: at load\n    at (?s:.*)$`,
	} {
		var got lines
		dir := t.TempDir()
		write(t, dir, "h.mjs", code)
		fn, err := lambda.NewProcess(lambda.Process{Name: "f", Runtime: "nodejs", Handler: "h.handler", Dir: dir, Log: got.add})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fn.Invoke(t.Context(), lambda.Invocation{Idempotency: key}); err != nil {
			t.Fatal(err)
		}
		if err := fn.Close(); err != nil {
			t.Fatal(err)
		}
		if len(got.all) != 1 || !regexp.MustCompile(want).MatchString(got.all[0].Text) {
			t.Errorf("%q, want %s", got.all, want)
		}
	}
}

// TestInterpreter: the program that is named runs the code, and only that.
func TestInterpreter(t *testing.T) {
	python3, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	dir := t.TempDir()
	write(t, dir, "mine", "#!/bin/sh\nMINE=yes exec "+python3+" \"$@\"\n")
	if err := os.Chmod(dir+"/mine", 0o700); err != nil {
		t.Fatal(err)
	}
	fn := python(t, lambda.Process{Interpreter: dir + "/mine"}, `return os.environ.get("MINE")`)
	if got := call(t, fn, `{}`).Str(); got != "yes" {
		t.Errorf("another one ran: %q", got)
	}
	for runtime, looked := range map[string]string{"python": "python3, python", "nodejs22.x": "node", "python3.12": dir + "/none"} {
		p := lambda.Process{Name: "f", Runtime: runtime, Handler: "h.handler", Dir: dir}
		if strings.HasSuffix(looked, "/none") {
			p.Interpreter = looked
		}
		t.Setenv("PATH", dir)
		want := "lambda: function f: no interpreter is installed; looked for " + looked
		if _, err := lambda.NewProcess(p); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", runtime, err, want)
		}
	}
}

// TestClientContextOf: Go code is told by its context, HTTP servers by a header;
// what is too long is refused by every kind of function.
func TestClientContextOf(t *testing.T) {
	var sent []string
	set, _ := remote(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := base64.StdEncoding.DecodeString(r.Header.Get("X-Amz-Client-Context"))
		sent = append(sent, string(text))
		_, _ = io.WriteString(w, `1`)
	})
	set.Add("go", lambda.GoFunction(func(ctx context.Context, _ json.RawMessage) (any, error) { return lambda.ClientContext(ctx), nil }), own)
	set.Add("py", python(t, lambda.Process{}, "return 1"), own)
	given := base64.StdEncoding.EncodeToString([]byte(`{"custom":{"a":1}}`))
	for params, want := range map[string]string{
		`"FunctionName":"go"`: "null",
		`"FunctionName":"go","ClientContext":"` + given + `"`: `{"custom":{"a":1}}`,
	} {
		out, err := set.Optimized().Perform(t.Context(), invokeTask(t, "{"+params+"}"))
		if err != nil || out.Value().Get("Payload").String() != want {
			t.Errorf("%s: %v, %v; want %s", params, out, err, want)
		}
	}
	if told := lambda.ClientContext(t.Context()); told != nil {
		t.Errorf("a context of nobody's: %s", told)
	}
	if _, err := set.Optimized().Perform(t.Context(), invokeTask(t, `{"FunctionName":"url","ClientContext":"`+given+`"}`)); err != nil {
		t.Fatal(err)
	}
	if want := []string{`{"custom":{"a":1,"idempotencyKey":"` + key + `"}}`}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
	long := base64.StdEncoding.EncodeToString([]byte(`{"x":"` + strings.Repeat("x", 2680) + `"}`)) // 3584
	for _, name := range []string{"go", "url", "py", "any"} {
		for _, invocation := range []string{"RequestResponse", "Event", "DryRun"} {
			_, err := set.Optimized().Perform(t.Context(), invokeTask(t, `{"FunctionName":"`+name+`","InvocationType":"`+invocation+`","ClientContext":"`+long+`"}`))
			const want = "Client context must be up to 3583 bytes of base64-encoded data, and has 3584. (Service: AWSLambda; Status Code: 400; Error Code: InvalidRequestContentException; "
			if f := integration.FailureOf(err); err == nil || f.Error != "Lambda.InvalidRequestContentException" || !strings.HasPrefix(f.Cause, want) {
				t.Errorf("%s, %s: %v", name, invocation, err)
			}
		}
	}
}
