package main_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	main "github.com/steppehq/steppe/cmd/steppe"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"steppe": func() { os.Exit(main.Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the scripts of testdata. Beside the commands of testscript
// they have these:
//
//	serve [flags]       starts a server and sets ENDPOINT and ADDR; it logs into server.log
//	get PATH STATUS     asks it for a path, which it must answer with that status
//	interrupt           ends it, cleanly
//	await ARN           waits until an execution has ended and writes its history
//	api OPERATION JSON  calls it; members of the answer that are text become variables
//	certificate C K     writes a certificate of this machine and its key into files
//	throttled OP JSON N calls it until it is throttled, which must be after N calls
//	status N program …  runs a program that must end with an exit status
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("EXAMPLES", examples)
			e.Values[serverKey{}] = new(server)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serveInScript, "interrupt": interruptInScript, "api": apiInScript, "status": statusInScript,
			"certificate": certificateInScript, "throttled": throttledInScript, "await": awaitInScript, "get": getInScript,
		},
	})
}

type serverKey struct{}

func serveInScript(ts *testscript.TestScript, _ bool, args []string) {
	path, err := exec.LookPath("steppe")
	ts.Check(err)
	cmd := exec.Command(path, append([]string{"serve"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	log, err := os.Create(ts.MkAbs("server.log"))
	ts.Check(err)
	cmd.Stderr = log
	s, err := startServer(cmd)
	ts.Check(errors.Join(err, log.Close()))
	ts.Setenv("ADDR", strings.TrimPrefix(s.endpoint, "http://"))
	*ts.Value(serverKey{}).(*server) = *s
	ts.Setenv("ENDPOINT", s.endpoint)
	ts.Defer(func() { _ = s.kill() }) // unless the script has interrupted it
}

func interruptInScript(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(ts.Value(serverKey{}).(*server).stop())
}

func awaitInScript(ts *testscript.TestScript, _ bool, args []string) {
	for {
		out, status, err := call(ts.Getenv("ENDPOINT"), "DescribeExecution", map[string]string{"executionArn": args[0]})
		ts.Check(err)
		if status != http.StatusOK {
			ts.Fatalf("%v", out)
		}
		if out["status"] != "RUNNING" {
			break
		}
	}
	ts.Check(ts.Exec("steppe", "history", "--endpoint", ts.Getenv("ENDPOINT"), args[0]))
}

func certificateInScript(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(writeCertificate("steppe", ts.MkAbs(args[0]), ts.MkAbs(args[1])))
}

func throttledInScript(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	for i := range 2 * n {
		out, status, err := call(ts.Getenv("ENDPOINT"), args[0], json.RawMessage(args[1]))
		ts.Check(err)
		if status == http.StatusOK {
			continue
		}
		// A token a second comes back while it runs.
		if i < n || i > n+n/10 || out["__type"] != "ThrottlingException" {
			ts.Fatalf("call %d: %v", i, out)
		}
		return
	}
	ts.Fatalf("%d calls were not throttled", 2*n)
}

func getInScript(ts *testscript.TestScript, _ bool, args []string) {
	response, err := http.Get(ts.Getenv("ENDPOINT") + args[0])
	ts.Check(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s", text)
	if got := strconv.Itoa(response.StatusCode); got != args[1] {
		ts.Fatalf("GET %s: %s, want %s: %s", args[0], got, args[1], text)
	}
}

func apiInScript(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: api OPERATION JSON")
	}
	out, status, err := call(ts.Getenv("ENDPOINT"), args[0], json.RawMessage(args[1]))
	ts.Check(err)
	if refused := status != http.StatusOK; refused != neg {
		ts.Fatalf("%s answers %d: %v", args[0], status, out)
	}
	for name, v := range out {
		if text, ok := v.(string); ok {
			ts.Setenv(name, text)
		}
	}
	text, err := json.Marshal(out)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n", text)
}

func statusInScript(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: status N program [arg…]")
	}
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); !errors.As(err, &exit) || strconv.Itoa(exit.ExitCode()) != args[0] {
		ts.Fatalf("got %v, want exit status %s", err, args[0])
	}
}
