package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadme runs the commands of the README as a reader would, in their order
// and from the root of the repository. It changes only what would disturb the
// machine: the port, the data directory, the binary's place, and the command
// that runs the tests is asked what it would run.
func TestReadme(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "steppe")
	endpoint := ""
	var exported []string
	for _, command := range shellCommands(string(text)) {
		run := func(name string, args ...string) (string, error) {
			cmd := exec.Command(name, args...)
			cmd.Dir = root
			cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_DEFAULT_REGION=us-east-1", "AWS_PAGER=")
			cmd.Env = append(cmd.Env, exported...)
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		want, out := "", ""
		args := strings.Fields(command)
		switch {
		case command == "make test":
			want = "go test ./..."
			out, err = run("make", "-n", "test")
		case strings.HasPrefix(command, "go run ./cmd/steppe run"):
			if _, err := exec.LookPath("python3"); err != nil {
				t.Fatal("the README's first command needs python3")
			}
			want = "ExecutionSucceeded"
			out, err = run(args[0], args[1:]...)
		case strings.HasPrefix(command, "go build -o bin/steppe "):
			args[3] = binary
			out, err = run(args[0], args[1:]...)
		case strings.HasPrefix(command, "bin/steppe serve --data "):
			s, err := startServer(exec.Command(binary, "serve", "--data", filepath.Join(t.TempDir(), args[3])))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.stop(); err != nil {
					t.Error(err)
				}
			}()
			endpoint = s.endpoint
		case strings.HasPrefix(command, "bin/steppe test "):
			want = "0 failed"
			out, err = run(binary, args[1:]...)
		case command == `eval "$(bin/steppe env)"`:
			want = "export AWS_DISABLE_HOST_PREFIX_INJECTION='true'"
			out, err = run(binary, "env", "--endpoint", endpoint)
			for line := range strings.Lines(out) {
				exported = append(exported, strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(line), "export "), "'", ""))
			}
		case strings.HasPrefix(command, "aws "):
			if _, err := exec.LookPath("aws"); err != nil {
				t.Logf("the AWS CLI is not installed, which CI does: %s", command)
				continue
			}
			for answer, asked := range map[string]string{"stateMachines": "list-state-machines", "SUCCEEDED": "test-state", "000000000000": "get-caller-identity"} {
				if strings.Contains(command, asked) {
					want = answer
				}
			}
			args = strings.Fields(strings.ReplaceAll(strings.Replace(command, "http://127.0.0.1:8083", endpoint, 1), "'", ""))
			out, err = run(args[0], args[1:]...)
		default:
			t.Errorf("nothing runs this command of the README: %s", command)
		}
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, want %q in\n%s", command, err, want, out)
		}
	}
}

// shellCommands returns the lines of the blocks marked sh.
func shellCommands(markdown string) []string {
	var commands []string
	inside := false
	for line := range strings.Lines(markdown) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
		case inside && line != "":
			commands = append(commands, line)
		}
	}
	return commands
}
