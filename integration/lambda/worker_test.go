//go:build linux

package lambda_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/lambda"
	"github.com/steppehq/steppe/value"
)

// python makes a function of Python code: the body of handler(event, context).
func python(t *testing.T, p lambda.Process, body string) lambda.Function {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "h.py", "import json, os, subprocess, sys\ndef handler(event, context):\n    "+strings.ReplaceAll(body, "\n", "\n    ")+"\n")
	p.Name, p.Runtime, p.Handler, p.Dir = "f", "python3.12", "h.handler", dir
	if p.Timeout == 0 {
		p.Timeout = time.Minute
	}
	fn, err := lambda.NewProcess(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fn.Close(); err != nil {
			t.Error(err)
		}
	})
	return fn
}

// TestMain has this program be a function's runtime where a worker is asked for.
func TestMain(m *testing.M) {
	if api := os.Getenv("AWS_LAMBDA_RUNTIME_API"); api != "" {
		tellEnvironment("http://" + api + "/2018-06-01/runtime/invocation/")
		return
	}
	os.Exit(m.Run())
}

// tellEnvironment answers each invocation with the environment.
func tellEnvironment(base string) {
	env := value.NewObject(0)
	for _, entry := range os.Environ() {
		name, text, _ := strings.Cut(entry, "=")
		env.Set(name, value.Str(text))
	}
	for {
		next, err := http.Get(base + "next") //nolint:noctx // it ends when it is killed
		if err != nil {
			return
		}
		_ = next.Body.Close()
		told, err := http.Post(base+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "", bytes.NewReader(env.Value().Append(nil))) //nolint:noctx // as above
		if err != nil {
			return
		}
		_ = told.Body.Close()
	}
}

// compiled makes a function of this program.
func compiled(t *testing.T, p lambda.Process) lambda.Function {
	t.Helper()
	p.Name, p.Runtime, p.Handler, p.Dir = "f", "provided.al2023", os.Args[0], t.TempDir()
	fn, err := lambda.NewProcess(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fn.Close() })
	return fn
}

// call invokes a function and returns what it answered.
func call(t *testing.T, fn lambda.Function, input string) value.Value {
	t.Helper()
	r, err := fn.Invoke(t.Context(), lambda.Invocation{Payload: []byte(input), Idempotency: key, FunctionARN: byName + "f"})
	if err != nil || r.FunctionError != "" {
		t.Fatalf("%v, %+v", err, r)
	}
	v, err := value.Decode(r.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRuntimeAPI: a worker's invocations are its own. Other programs do not know
// the secret, and pages have their browser say who they are.
func TestRuntimeAPI(t *testing.T) {
	fn := python(t, lambda.Process{}, `return os.environ["AWS_LAMBDA_RUNTIME_API"]`)
	api := call(t, fn, `{}`).Str()
	host, secret, _ := strings.Cut(api, "/")
	if len(secret) < 20 {
		t.Fatalf("the address is %s", api)
	}
	next := "/2018-06-01/runtime/invocation/next"
	for what, change := range map[string]func(*http.Request){
		"no secret":            func(r *http.Request) { r.URL.Path = next },
		"another secret":       func(r *http.Request) { r.URL.Path = "/" + strings.Repeat("A", len(secret)) + next },
		"a part of the secret": func(r *http.Request) { r.URL.Path = "/" + secret[:len(secret)-1] + next },
		"no secret, an answer": func(r *http.Request) {
			r.Method, r.URL.Path = http.MethodPost, "/2018-06-01/runtime/invocation/01234567-89ab-cdef-0123-456789abcdef/response"
		},
		"no secret, a failed start": func(r *http.Request) { r.Method, r.URL.Path = http.MethodPost, "/2018-06-01/runtime/init/error" },
		"no path":                   func(r *http.Request) { r.URL.Path = "/" },
		"another host":              func(r *http.Request) { r.Host = "evil.example" },
		"another name of the host":  func(r *http.Request) { r.Host = strings.Replace(host, "127.0.0.1", "localhost", 1) },
		"another page":              func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"a page of its own":         func(r *http.Request) { r.Header.Set("Origin", "http://"+host) },
		"another site":              func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/"+secret+next, nil)
		if err != nil {
			t.Fatal(err)
		}
		change(r)
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden || strings.Contains(string(body), secret) {
			t.Errorf("%s: %d %s", what, answer.StatusCode, body)
		}
	}
	if again := call(t, fn, `{}`).Str(); again != api {
		t.Errorf("after all that %s answers, not %s", again, api)
	}
}

// TestEnvironment: a worker is told what Lambda's runtimes are, what is passed
// on by name, and what the function has; nothing else of the server.
func TestEnvironment(t *testing.T) {
	for _, name := range []string{"MY_SECRET", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_LAMBDA_SECRET", "DB_TOKEN", "LD_PRELOAD_NOT", "PYTHONSTARTUP", "HOME", "AWS_REGION"} {
		t.Setenv(name, "the server's")
	}
	t.Setenv("PASSED", "on")
	fn := compiled(t, lambda.Process{
		Region: "eu-west-1", EndpointURL: "http://127.0.0.1:1", Env: map[string]string{"COLOR": "red", "TZ": "Europe/Berlin"}, PassEnv: []string{"PASSED", "NOT_THERE"},
	})
	got := call(t, fn, `{}`)
	for name, want := range map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "_HANDLER": os.Args[0],
		"AWS_ENDPOINT_URL_SFN": "http://127.0.0.1:1", "COLOR": "red", "TZ": "Europe/Berlin", "PASSED": "on", "LANG": "en_US.UTF-8", "PATH": os.Getenv("PATH"),
	} {
		if got.Get(name).Str() != want {
			t.Errorf("%s is %s, want %s", name, got.Get(name), want)
		}
	}
	known := []string{
		"AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
		"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_SFN", "COLOR", "TZ",
		"PASSED", "LANG", "PATH", "_HANDLER", "HOME", "TMPDIR", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "PYTHONDONTWRITEBYTECODE", "STEPPE_WORKER",
	}
	for _, name := range got.Names() {
		if !slices.Contains(known, name) || got.Get(name).Str() == "the server's" {
			t.Errorf("%s=%s", name, got.Get(name))
		}
	}
	if dir := got.Get("HOME").Str(); dir != got.Get("TMPDIR").Str() || !strings.Contains(dir, "steppe-function-") {
		t.Errorf("HOME is %s, TMPDIR %s", dir, got.Get("TMPDIR"))
	}
}

// TestTraceID: the runtime tells each invocation's.
func TestTraceID(t *testing.T) {
	fn := python(t, lambda.Process{}, `return os.environ.get("_X_AMZN_TRACE_ID")`)
	for _, trace := range []string{"Root=1-2-3", "", "Root=4"} {
		r, err := fn.Invoke(t.Context(), lambda.Invocation{Idempotency: key, TraceHeader: trace})
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(`"`+trace+`"`, `""`, "null"); string(r.Payload) != want {
			t.Errorf("%s, want %s", r.Payload, want)
		}
	}
}

func TestWrongEnvironment(t *testing.T) {
	dir := t.TempDir()
	for what, p := range map[string]lambda.Process{
		"is no name of":        {PassEnv: []string{"A=B"}},
		"is a reserved key":    {Env: map[string]string{"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}},
		"_HANDLER is a":        {PassEnv: []string{"_HANDLER"}},
		"both given and":       {Env: map[string]string{"A": "1"}, PassEnv: []string{"A"}},
		"NUL":                  {Env: map[string]string{"A": "\x00"}},
		"is no name of an env": {Env: map[string]string{"1A": ""}},
		"greater than 0":       {Concurrency: -1},
	} {
		p.Name, p.Runtime, p.Handler, p.Dir = "f", "python", "h.handler", dir
		if _, err := lambda.NewProcess(p); err == nil || !strings.Contains(err.Error(), "function f") || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestDescriptors: a worker has no descriptors of the server's, not even those
// that the server was itself started with.
func TestDescriptors(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("there is no /proc")
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(secret)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	inherited(t, f)
	fn := python(t, lambda.Process{}, `return [os.readlink("/proc/self/fd/" + n) for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n)]`)
	if got := call(t, fn, `{}`).String(); strings.Contains(got, secret) {
		t.Errorf("%s", got)
	}
}

// TestEvents: invocations that nobody waits for are bounded; more are throttled
// as the service does.
func TestEvents(t *testing.T) {
	fn := python(t, lambda.Process{Concurrency: 1}, `os.read(os.open(event["fifo"], os.O_RDONLY), 1)`)
	set := lambda.NewFunctions()
	defer set.Close()
	set.Add("f", fn, own)
	fifo := mkfifo(t)
	var throttled int
	for range 1200 {
		_, err := set.Optimized().Perform(t.Context(), invokeTask(t, `{"FunctionName":"f","InvocationType":"Event","Payload":{"fifo":"`+fifo+`"}}`))
		if err != nil {
			if f := integration.FailureOf(err); f.Error != "Lambda.TooManyRequestsException" || !strings.Contains(f.Cause, "Status Code: 429") {
				t.Fatal(err)
			}
			throttled++
		}
	}
	if throttled != 200 {
		t.Errorf("%d of 1200 were throttled", throttled)
	}
}

// TestEnds: what a worker has started ends with it, also in sessions of its own
// and without its environment, and so do the folders.
func TestEnds(t *testing.T) {
	const spawn = `
for mode in ["group", "session", "bare", "orphan"]:
    keep = "exec 9>" + event["fifo"] + "; echo " + mode + " >&9; exec sleep 1000"
    if mode == "orphan":
        keep = "setsid sh -c '" + keep + "' &"
    subprocess.Popen(["sh", "-c", keep], start_new_session=mode != "group", stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]} if mode == "bare" else None)
return os.environ["HOME"]`
	for what, end := range map[string]func(fn lambda.Function){
		"Close": func(fn lambda.Function) { _ = fn.Close() },
		"exit": func(fn lambda.Function) {
			_, _ = fn.Invoke(t.Context(), lambda.Invocation{Payload: []byte(`{"exit":true}`)})
		},
		"time": func(fn lambda.Function) {
			_, _ = fn.Invoke(t.Context(), lambda.Invocation{Payload: []byte(`{"hang":true}`)})
		},
	} {
		t.Run(what, func(t *testing.T) {
			modes := 4
			body := "if event.get('exit'): os._exit(3)\nif event.get('hang'): sys.stdin = os.read(os.pipe()[0], 1)" + spawn
			if what == "exit" { // nobody looks before it is gone
				body, modes = strings.Replace(body, `"bare", `, "", 1), 3
			}
			fifo := mkfifo(t)
			held := watch(t, fifo)
			fn := python(t, lambda.Process{Timeout: 5 * time.Second}, body)
			home := call(t, fn, `{"fifo":"`+fifo+`"}`).Str()
			held.began(t, modes)
			end(fn)
			held.ended(t)
			if _, err := os.Stat(home); !os.IsNotExist(err) {
				t.Errorf("the worker's folder: %v", err)
			}
			if err := fn.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Dir(home)); !os.IsNotExist(err) {
				t.Errorf("the function's folder: %v", err)
			}
		})
	}
}

// TestKilled: workers end with the server however it ends; what they have
// started ends at the latest when the next one starts, which removes the folders
// of the dead and no other ones.
func TestKilled(t *testing.T) {
	if os.Getenv("STEPPE_TEST_FIFO") != "" {
		serveUntilKilled(t)
		return
	}
	temp := t.TempDir()
	worker, child := mkfifo(t), mkfifo(t)
	workers, children := watch(t, worker), watch(t, child)
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "STEPPE_TEST_FIFO="+worker, "STEPPE_TEST_CHILD="+child)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	workers.began(t, 1)
	children.began(t, 1)
	_ = os.Mkdir(filepath.Join(temp, "steppe-function-other"), 0o700) // of a version without locks, perhaps
	lambda.Sweep(temp)
	if left := folders(t, temp); len(left) != 2 {
		t.Fatalf("while it lives: %v", left)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	workers.ended(t)
	lambda.Sweep(temp)
	children.ended(t)
	if left := folders(t, temp); len(left) != 1 || !strings.HasSuffix(left[0], "other") {
		t.Errorf("after it was killed: %v", left)
	}
}

// serveUntilKilled is the server that is killed.
func serveUntilKilled(t *testing.T) {
	fn := python(t, lambda.Process{}, `
subprocess.Popen(["sh", "-c", "exec 9>" + event["child"] + "; echo >&9; exec sleep 1000"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
f = os.open(event["fifo"], os.O_WRONLY)
os.write(f, b"worker\n")
os.read(os.pipe()[0], 1)`)
	call(t, fn, `{"fifo":"`+os.Getenv("STEPPE_TEST_FIFO")+`","child":"`+os.Getenv("STEPPE_TEST_CHILD")+`"}`)
}

func folders(t *testing.T, temp string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(temp, "steppe-function-*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func mkfifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// inherited has a descriptor passed on to programs that this one starts.
func inherited(t *testing.T, f *os.File) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_SETFD, 0); errno != 0 {
		t.Fatal(errno)
	}
}

// watched is a FIFO that processes hold open for writing.
type watched struct {
	lines chan string
	over  chan struct{}
}

// watch follows who holds a FIFO, from the first one on until nobody does.
func watch(t *testing.T, fifo string) watched {
	t.Helper()
	w := watched{make(chan string, 16), make(chan struct{})}
	go func() {
		defer close(w.over)
		f, err := os.Open(fifo)
		if err != nil {
			return
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			w.lines <- lines.Text()
		}
	}()
	return w
}

// began waits until so many processes hold it.
func (w watched) began(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-w.lines:
		case <-w.over:
			t.Fatal("the processes have ended already")
		}
	}
}

// ended waits until the kernel says that none does.
func (w watched) ended(t *testing.T) {
	t.Helper()
	select {
	case <-w.over:
	case <-time.After(time.Minute):
		t.Fatal("processes are left")
	}
}
