package lambda

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Process says how a function runs as processes on this machine.
type Process struct {
	Name string
	// Runtime is "python", "nodejs" (with or without a version, as Lambda
	// names them) or "provided": then Handler is the executable.
	Runtime string
	// Handler is "module.function".
	Handler string
	// Dir holds the code.
	Dir string
	// Env is added to the environment, which holds beside it what Lambda's
	// runtimes set, the server's PATH, and nothing else of the server's.
	Env map[string]string
	// PassEnv names variables of the server's environment that are passed on.
	PassEnv []string
	// Region is told to the function. EndpointURL is that of the Step Functions
	// API, for SDKs that the function uses; "" leaves it out.
	Region, EndpointURL string
	// AccessKeyID and SecretAccessKey are good for that endpoint, "" for none. Env
	// and PassEnv overrule them.
	AccessKeyID, SecretAccessKey string
	// Interpreter is the program that runs the code, "" for the one of a virtual
	// environment (.venv, venv) in Dir or the folder above, or else of the PATH.
	Interpreter string
	// Timeout bounds an invocation, [DefaultTimeout] when 0.
	Timeout time.Duration
	// Concurrency bounds the workers, 10 when 0. More invocations wait.
	Concurrency int
	// Log is told what the function prints, line by line, and may be nil. What was
	// printed with carriage returns in place of newlines is one line with newlines, as
	// Lambda's runtimes write a traceback.
	Log func(line Line)
}

// DefaultTimeout bounds an invocation of a process that says nothing else. Lambda's
// own default is 3 s, which its tools set to more in every template.
const DefaultTimeout = 30 * time.Second

// Line is a line that a function printed.
type Line struct {
	Text string
	// RequestID and ExecutionARN are those of the invocation that the process had
	// last; "" before the first.
	RequestID, ExecutionARN string
}

//go:embed bootstrap
var bootstraps embed.FS

// processes is a function whose code runs in worker processes. Each worker
// handles one invocation at a time and stays warm.
type processes struct {
	Process
	command []string
	files   *folder
	slots   chan struct{}
	closing chan struct{}

	code code

	mu      sync.Mutex
	idle    []*worker
	all     map[*worker]bool
	stopped bool
}

// NewProcess makes a function of code on this machine. It starts no process
// before the first invocation.
func NewProcess(p Process) (Function, error) {
	if p.Timeout == 0 {
		p.Timeout = DefaultTimeout
	}
	if p.Concurrency == 0 {
		p.Concurrency = 10
	}
	dir, err := filepath.Abs(p.Dir)
	if err != nil {
		return nil, fmt.Errorf("lambda: function %s: %w", p.Name, err)
	}
	p.Dir = dir
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("lambda: function %s: its code directory %s is not there", p.Name, dir)
	}
	if err := p.checkEnv(); err != nil {
		return nil, err
	}
	if p.Concurrency < 0 || p.Timeout < 0 {
		return nil, fmt.Errorf("lambda: function %s: concurrency and timeout are greater than 0", p.Name)
	}
	sweepOnce()
	f := &processes{Process: p, slots: make(chan struct{}, p.Concurrency), closing: make(chan struct{}), all: make(map[*worker]bool)}
	if f.files, err = newFolder(); err != nil {
		return nil, fmt.Errorf("lambda: function %s: %w", p.Name, err)
	}
	if err := f.prepare(); err != nil {
		return nil, errors.Join(err, f.files.remove())
	}
	return f, nil
}

func (f *processes) limit() int { return f.Concurrency }

// prepare finds the command that runs a worker.
func (f *processes) prepare() error {
	switch {
	case strings.HasPrefix(f.Runtime, "python"):
		return f.interpreted("bootstrap.py", "python3", "python")
	case strings.HasPrefix(f.Runtime, "nodejs"):
		return f.interpreted("bootstrap.mjs", "node")
	case strings.HasPrefix(f.Runtime, "provided"):
		path := f.Handler
		if !filepath.IsAbs(path) {
			path = filepath.Join(f.Dir, path)
		}
		if _, err := exec.LookPath(path); err != nil {
			return fmt.Errorf("lambda: function %s: %w", f.Name, err)
		}
		f.command = []string{path}
		return nil
	}
	return fmt.Errorf("lambda: function %s: the runtime %q is not known; there are python, nodejs and provided", f.Name, f.Runtime)
}

// interpreted writes the bootstrap of an interpreter to a file and finds the
// interpreter.
func (f *processes) interpreted(bootstrap string, interpreters ...string) error {
	if module, function, ok := strings.Cut(f.Handler, "."); !ok || module == "" || function == "" {
		return fmt.Errorf("lambda: function %s: the handler %q is not of the form module.function", f.Name, f.Handler)
	}
	code, err := bootstraps.ReadFile("bootstrap/" + bootstrap)
	if err != nil {
		return fmt.Errorf("lambda: %w", err)
	}
	candidates := append(f.virtualEnvironments(), interpreters...)
	if f.Interpreter != "" {
		candidates = []string{f.Interpreter}
	}
	for _, name := range candidates {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		file := filepath.Join(f.files.path, bootstrap)
		if err := os.WriteFile(file, code, 0o600); err != nil {
			return fmt.Errorf("lambda: function %s: %w", f.Name, err)
		}
		f.command = []string{path, file}
		return nil
	}
	return fmt.Errorf("lambda: function %s: no interpreter is installed; looked for %s", f.Name, strings.Join(candidates, ", "))
}

// virtualEnvironments are the interpreters of virtual environments that belong to
// the code.
func (f *processes) virtualEnvironments() []string {
	if !strings.HasPrefix(f.Runtime, "python") {
		return nil
	}
	var paths []string
	for _, dir := range []string{f.Dir, filepath.Dir(f.Dir)} {
		for _, name := range []string{".venv", "venv"} {
			path := filepath.Join(dir, name, "bin", "python")
			if _, err := os.Stat(filepath.Join(dir, name, "pyvenv.cfg")); err == nil {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// Invoke hands the payload to an idle worker, or to a new one.
func (f *processes) Invoke(ctx context.Context, in Invocation) (*Response, error) {
	told, ok := in.clientContext()
	if !ok {
		return nil, badRequest("Client context must be a valid Base64-encoded JSON object.")
	}
	return f.invoke(ctx, &runtimeTask{in: in, context: told})
}

func (f *processes) invoke(ctx context.Context, t *runtimeTask) (*Response, error) {
	select {
	case f.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("lambda: %w", ctx.Err())
	case <-f.closing:
		return nil, errStopped
	}
	defer func() { <-f.slots }()
	r := &Response{Status: http.StatusOK, Version: t.in.version(), RequestID: requestID(t.in.Idempotency)}
	w, err := f.worker(ctx)
	if err != nil {
		if failed, ok := err.(*initError); ok { //nolint:errorlint // worker returns it bare
			r.FunctionError, r.Payload, r.printed = "Unhandled", failed.payload, failed.printed
			return r, nil
		}
		return nil, err
	}
	ok := w.invoke(ctx, t, r, f.Timeout)
	if t.in.Tail {
		r.printed, r.maxMemory = w.output.end(ctx, t), w.maxMemory()
	}
	f.release(w, ok)
	return r, nil
}

// requestID makes the invocation's request id, a UUID in form, of the task's
// idempotency key: the same when the task is performed again.
func requestID(key string) string {
	if len(key) != 32 {
		return key
	}
	return key[:8] + "-" + key[8:12] + "-" + key[12:16] + "-" + key[16:20] + "-" + key[20:]
}

// worker returns an idle worker, or starts one.
func (f *processes) worker(ctx context.Context) (*worker, error) {
	f.retire()
	f.mu.Lock()
	if f.stopped {
		f.mu.Unlock()
		return nil, errStopped
	}
	for len(f.idle) > 0 {
		w := f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		if !w.exited() {
			f.mu.Unlock()
			return w, nil
		}
		delete(f.all, w)
	}
	f.mu.Unlock()
	w, err := startWorker(f)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.all[w] = true
	stopped := f.stopped
	f.mu.Unlock()
	if stopped {
		w.kill()
		return nil, errStopped
	}
	if err := w.ready(ctx); err != nil {
		f.release(w, false)
		if failed, ok := err.(*initError); ok { //nolint:errorlint // ready returns it bare
			failed.printed = w.output.printed.last
		}
		return nil, err
	}
	return w, nil
}

// release puts a worker back, or ends one that is of no use any more.
func (f *processes) release(w *worker, useful bool) {
	useful = useful && w.version == f.code.current()
	f.mu.Lock()
	if useful && !f.stopped {
		f.idle = append(f.idle, w)
		f.mu.Unlock()
		return
	}
	delete(f.all, w)
	f.mu.Unlock()
	w.kill()
}

// Close ends all workers.
func (f *processes) Close() error {
	f.mu.Lock()
	if !f.stopped {
		close(f.closing)
	}
	f.stopped = true
	workers := slices.Collect(maps.Keys(f.all))
	f.mu.Unlock()
	for _, w := range workers {
		w.kill()
	}
	endMarked(f.files.mark)
	return f.files.remove()
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) }
