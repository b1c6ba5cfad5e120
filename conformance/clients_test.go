// Package conformance runs real clients against the built server: the AWS SDK
// for Go, boto3, the AWS CLI and the AWS SDK for JavaScript, each unchanged but
// for the endpoint. Each calls all operations with a key that the server checks,
// and holds what its own deserialiser makes of the answers against what is
// wanted. It is a module of its own so that their dependencies stay out of
// Steppe's.
package conformance

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
)

const (
	example = "../examples/order-approval"
	account = "111122223333"
	keyID   = "AKIACONFORMANCE"
	secret  = "a/secret+that/only=this/test+knows/0123456"
)

// serve starts the built server with the functions of the example. It answers
// who signs with the key of this test.
func serve(t *testing.T) (endpoint string) {
	t.Helper()
	binary, err := filepath.Abs("../bin/steppe")
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(keys, fmt.Appendf(nil, "- {id: %s, secret: %q, account: %q, regions: [us-east-1]}\n", keyID, secret, account), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve", "--addr", "127.0.0.1:0", "--data", t.TempDir(), "--keys", keys, "--json")
	cmd.Dir = example
	return start(t, cmd)
}

// start starts a server and gives its URL.
func start(t *testing.T, cmd *exec.Cmd) (endpoint string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (run make build)", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var told struct{ Endpoint string }
	if err := json.Unmarshal(line, &told); err != nil {
		t.Fatal(err)
	}
	return told.Endpoint
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(example, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// operations are the names of all operations: the methods of the SDK's client
// that take an input.
func operations(t *testing.T) []string {
	t.Helper()
	var names []string
	client := reflect.TypeFor[*sfn.Client]()
	for i := range client.NumMethod() {
		if m := client.Method(i); m.Type.IsVariadic() && m.Type.NumIn() == 4 {
			names = append(names, m.Name)
		}
	}
	if len(names) != 37 {
		t.Fatalf("%d operations, want 37: %q", len(names), names)
	}
	return names
}

// covers checks that all operations have been called.
func covers(t *testing.T, called []string) {
	t.Helper()
	for _, name := range operations(t) {
		if !slices.Contains(called, name) {
			t.Errorf("%s has not been called", name)
		}
	}
}

// models makes a folder that has botocore add to its own model of the service,
// which may be older than half of the operations, what the newest one has (its
// loaders call it "sdk-extras"). The model is the one of aws/model,
// which is botocore's.
func models(t *testing.T) (dir string) {
	t.Helper()
	archive, err := zip.OpenReader("../aws/model/models/models.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close() //nolint:errcheck // it was only read
	file, err := archive.Open("sfn.json")
	if err != nil {
		t.Fatal(err)
	}
	model, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	service := filepath.Join(dir, "stepfunctions", "2016-11-23")
	if err := os.MkdirAll(service, 0o755); err != nil {
		t.Fatal(err)
	}
	extras := fmt.Appendf(nil, `{"version":1.0,"merge":%s}`, model)
	if err := os.WriteFile(filepath.Join(service, "service-2.sdk-extras.json"), extras, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestScripts runs the clients of other languages. Each prints the operations
// that it has called, and exits with 0 only when all answers were right.
func TestScripts(t *testing.T) {
	for _, script := range []struct{ name, command, file, needs string }{
		{"boto3", "python3", "boto3_client.py", "the package python3-boto3"},
		{"awscli", "bash", "awscli.sh", "the package awscli"},
		{"javascript", "node", "client-sfn.mjs", "@aws-sdk/client-sfn, which make conformance installs"},
	} {
		t.Run(script.name, func(t *testing.T) {
			cmd := exec.Command(script.command, filepath.Join("testdata", script.file), serve(t), example)
			cmd.Env = append(
				os.Environ(), "AWS_ACCESS_KEY_ID="+keyID, "AWS_SECRET_ACCESS_KEY="+secret, "AWS_DEFAULT_REGION=us-east-1",
				"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_DATA_PATH="+models(t),
			)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v (it needs %s)\n%s", err, script.needs, out)
			}
			_, called, _ := strings.Cut(string(out), "called: ")
			covers(t, strings.Fields(called))
		})
	}
}
