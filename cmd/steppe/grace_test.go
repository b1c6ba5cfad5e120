//go:build linux

package main_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// graceful is a server whose log is read.
type graceful struct {
	*server
	t   *testing.T
	log *bufio.Scanner
}

// serveIn starts a server in a folder, with the data of another.
func serveIn(t *testing.T, dir, data string) *graceful {
	t.Helper()
	path, err := exec.LookPath("steppe")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "serve", "--data", data, "--grace", "1h")
	cmd.Dir = dir
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = in
	s, err := startServer(cmd)
	if err != nil {
		t.Fatal(err)
	}
	_ = in.Close() // it is the server's
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = out.Close() })
	return &graceful{s, t, bufio.NewScanner(out)}
}

// says waits until the log has a line with a text.
func (g *graceful) says(text string) {
	g.t.Helper()
	var all strings.Builder
	for g.log.Scan() {
		if strings.Contains(g.log.Text(), text) {
			return
		}
		all.WriteString(g.log.Text() + "\n")
	}
	g.t.Fatalf("the log does not say %q: %s", text, all.String())
}

func (g *graceful) signal(s syscall.Signal) {
	g.t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil {
		g.t.Fatal(err)
	}
}

// ends reads the rest of the log and waits until the server has ended by itself.
func (g *graceful) ends() {
	g.t.Helper()
	for g.log.Scan() { //nolint:revive // until its end
	}
	if err := g.cmd.Wait(); err != nil {
		g.t.Fatal(err)
	}
}

func (g *graceful) api(operation string, in any) map[string]any {
	g.t.Helper()
	out, status, err := call(g.endpoint, operation, in)
	if err != nil || status != 200 {
		g.t.Fatalf("%s: %d %v %v", operation, status, out, err)
	}
	return out
}

// TestGrace: a server that is asked to end waits for tasks under way, until it is
// asked again; SIGHUP does not ask. One that is started without the function of a
// task that was cut has the task wait for it, and tells.
func TestGrace(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("the function is in Python")
	}
	dir, data, elsewhere := t.TempDir(), t.TempDir(), t.TempDir()
	began, end := filepath.Join(dir, "began"), filepath.Join(dir, "end")
	for _, fifo := range []string{began, end} {
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code := "def handler(event, context):\n    open('" + began + "', 'w').write('x')\n    return open('" + end + "').read()\n"
	if err := os.Mkdir(filepath.Join(dir, "functions"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "functions", "slow.py"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	hasBegun := func() {
		t.Helper()
		f, err := os.Open(began)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
	}
	mayEnd := func() {
		t.Helper()
		if err := os.WriteFile(end, []byte("done"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := serveIn(t, dir, data)
	first.says("1 function: slow")
	machine := first.api("CreateStateMachine", map[string]string{
		"name": "m", "roleArn": "arn:aws:iam::000000000000:role/r",
		"definition": `{"StartAt":"F","States":{"F":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:slow","End":true}}}`,
	})["stateMachineArn"]
	ends := first.api("StartExecution", map[string]any{"stateMachineArn": machine, "name": "ends"})["executionArn"]
	hasBegun()
	first.signal(syscall.SIGHUP)
	first.says("SIGHUP")
	first.signal(syscall.SIGTERM)
	first.says("waiting for tasks under way")
	mayEnd()
	first.ends()

	second := serveIn(t, dir, data)
	if got := second.api("DescribeExecution", map[string]any{"executionArn": ends}); got["output"] != `"done"` {
		t.Errorf("the task that was waited for: %v", got)
	}
	cut := second.api("StartExecution", map[string]any{"stateMachineArn": machine, "name": "cut"})["executionArn"]
	hasBegun()
	second.signal(syscall.SIGTERM)
	second.says("waiting for tasks under way")
	second.signal(syscall.SIGTERM)
	second.says("a task is cut")
	second.ends()

	third := serveIn(t, elsewhere, data)
	third.says("no functions found")
	third.says("tasks wait until the server has what they call")
	path, _ := exec.LookPath("steppe") // it has been found
	told, err := exec.Command(path, "describe", "--endpoint", third.endpoint, cut.(string)).Output()
	if err != nil || !strings.Contains(string(told), "the function slow of account 000000000000 is missing") {
		t.Errorf("%s, %v", told, err)
	}
	third.signal(syscall.SIGTERM)
	third.ends()

	fourth := serveIn(t, dir, data)
	hasBegun()
	fourth.signal(syscall.SIGTERM)
	fourth.says("waiting for tasks under way")
	mayEnd()
	fourth.ends()
	fifth := serveIn(t, elsewhere, data)
	if got := fifth.api("DescribeExecution", map[string]any{"executionArn": cut}); got["output"] != `"done"` {
		t.Errorf("the task that was cut: %v", got)
	}
	fifth.signal(syscall.SIGTERM)
	fifth.ends()
}
