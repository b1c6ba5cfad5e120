package conformance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recordedEnv names a folder with conversations recorded from the real service
// and the programs that replay them: run.py and lambda_stub.py. It is not part
// of this repository.
const recordedEnv = "STEPPE_RECORDED"

// TestRecorded replays the recorded conversations. testdata/known.txt has those
// that do not pass, with the reason; one that is not in it must pass, and one
// that is must not.
func TestRecorded(t *testing.T) {
	dir := os.Getenv(recordedEnv)
	if dir == "" {
		t.Logf("the recordings are not there; %s names their folder", recordedEnv)
		return
	}
	lambda := startStub(t, dir)
	binary, err := filepath.Abs("../bin/steppe")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := start(t, exec.Command(binary, "serve", "--addr", "127.0.0.1:0", "--ephemeral", "--lambda-endpoint", lambda, "--json"))
	report := filepath.Join(t.TempDir(), "report.json")
	replay := exec.Command("python3", "run.py", "--endpoint", endpoint, "--lambda-endpoint", lambda, "--cases", "cases", "--json", report, "-q", "--jobs", "8")
	replay.Dir = dir
	out, _ := replay.CombinedOutput() // it fails when any case does
	raw, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var replayed struct {
		Passed, Exact int
		Results       []struct{ ID, Status, Reason string }
	}
	if err := json.Unmarshal(raw, &replayed); err != nil {
		t.Fatal(err)
	}
	known := readKnown(t)
	for _, r := range replayed.Results {
		reason, listed := known[r.ID]
		switch {
		case r.Status == "failed" && !listed:
			t.Errorf("%s: %s", r.ID, r.Reason)
		case r.Status == "passed" && listed:
			t.Errorf("%s passes now; it was listed because %s", r.ID, reason)
		}
	}
	t.Logf("%d pass, %d exactly, %d are known not to", replayed.Passed, replayed.Exact, len(known))
}

// readKnown reads the cases that are known not to pass: a reason stands in a
// line of its own, marked with #, above the cases it is for.
func readKnown(t *testing.T) map[string]string {
	t.Helper()
	file, err := os.Open("testdata/known.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	known := make(map[string]string)
	reason := ""
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if text, found := strings.CutPrefix(line, "# "); found {
			reason = text
		} else if line != "" {
			known[line] = reason
		}
	}
	return known
}

// startStub starts the stand-in for Lambda on a free port.
func startStub(t *testing.T, dir string) (endpoint string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	stub := exec.Command("python3", "lambda_stub.py", "--port", fmt.Sprint(port), "--account", "000000000000")
	stub.Dir = dir
	if err := stub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stub.Process.Kill()
		_ = stub.Wait()
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for range 100 {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return "http://" + address
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatal("the stand-in for Lambda does not start")
	return ""
}
