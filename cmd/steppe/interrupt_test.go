//go:build unix

package main_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInterruptedRun: an execution that is interrupted shows its end, in both forms
// of output and wherever it is.
func TestInterruptedRun(t *testing.T) {
	for what, definition := range map[string]string{
		"waits":    `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":100000,"End":true}}}`,
		"in a Map": `{"StartAt":"A","States":{"A":{"Type":"Map","ItemsPath":"$.items","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Wait","Seconds":100000,"End":true}}},"End":true}}}`,
		"retries":  `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:none","Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":100000}],"End":true}}}`,
	} {
		for form, tt := range map[string]struct {
			flags []string
			end   string
		}{
			"tree": {nil, "ExecutionAborted"},
			"JSON": {[]string{"--json"}, `"type":"ExecutionAborted","id":`},
		} {
			t.Run(what+", "+form, func(t *testing.T) {
				lines, err := interruptedRun(t, definition, tt.flags)
				if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 4 {
					t.Errorf("it ended with %v", err)
				}
				if len(lines) == 0 || !strings.Contains(lines[len(lines)-1], tt.end) {
					t.Errorf("%q", lines)
				}
			})
		}
	}
}

// interruptedRun runs a definition, interrupts it where it rests, and returns what it
// wrote and how it ended.
func interruptedRun(t *testing.T, definition string, flags []string) (lines []string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.asl.json")
	if err := os.WriteFile(file, []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("steppe")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"run", file, "--input", `{"items":[1]}`}, flags...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	rests := []string{"WaitStateEntered", "LambdaFunctionFailed"}
	told := false
	for scan := bufio.NewScanner(out); scan.Scan(); {
		lines = append(lines, scan.Text())
		if !told && slices.ContainsFunc(rests, func(text string) bool { return strings.Contains(scan.Text(), text) }) {
			told = true
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	return lines, cmd.Wait()
}
