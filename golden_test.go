package steppe_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/pebble"
)

// golden is what testdata/golden/make.py says of a directory.
type golden struct {
	Executions []goldenExecution
	Machines   []struct {
		Name, ARN, Type, Definition string
		Tags                        map[string]string
		Versions, Aliases           []string
	}
	// Tokens are task tokens that were handed out, and not answered.
	Tokens   []string
	Activity string
}

type goldenExecution struct {
	Name, ARN, Status, Input string
	Output, Error, Cause     *string
	Machine                  string
	Version, Alias           *string
	Redrives                 int
	Events                   []string
}

// goldenKey is the encryption key of make.py.
var goldenKey = catalogue.EncryptionKey{ID: "alias/golden", Key: []byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f")}

// TestGolden opens directories that servers of former formats left when they were
// killed. All that they answered is still answered, and what waits continues.
func TestGolden(t *testing.T) {
	archives, err := filepath.Glob("testdata/golden/*.tar.gz")
	if err != nil || len(archives) < 2 {
		t.Fatalf("%d directories, %v", len(archives), err)
	}
	for _, archive := range archives {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			dir := t.TempDir()
			unpack(t, archive, dir)
			text, err := os.ReadFile(filepath.Join(dir, "expected.json"))
			if err != nil {
				t.Fatal(err)
			}
			var want golden
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			data := filepath.Join(dir, "data")
			checkGolden(t, data, len(want.Executions))
			server := openGolden(t, data)
			want.machines(t, server)
			want.executions(t, server)
			want.resume(t, server)
			if err := server.Close(); err != nil {
				t.Fatal(err)
			}
			checkGolden(t, data, len(want.Executions))
			server = openGolden(t, data) // once more, in the format that it has now
			want.machines(t, server)
			want.executions(t, server)
			if err := server.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// unpack writes the files of an archive into a directory.
func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(path, 0o700)
		} else {
			var text []byte
			if text, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, text, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkGolden reads a directory as steppe check does, changing nothing.
func checkGolden(t *testing.T, dir string, executions int) {
	t.Helper()
	db, err := pebble.Open(dir, pebble.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	checked, err := db.Check(t.Context(), func(store.Record, []store.Chunk) {}, func(problem string) { t.Error(problem) })
	if err = errors.Join(err, db.Close()); err != nil || checked.Executions != executions {
		t.Fatalf("%d executions, want %d, %v", checked.Executions, executions, err)
	}
}

func openGolden(t *testing.T, dir string) *steppe.Server {
	t.Helper()
	const century = 100 * 365 * 24 * time.Hour
	server, err := steppe.Open(steppe.Config{
		Dir: dir, Retention: century, EncryptionKeys: []catalogue.EncryptionKey{goldenKey},
		Functions: []steppe.Function{
			steppe.GoFunction("slow", func(_ context.Context, in json.RawMessage) (json.RawMessage, error) { return in, nil }),
			steppe.GoFunction("echo", func(_ context.Context, in json.RawMessage) (json.RawMessage, error) { return in, nil }),
			steppe.GoFunction("token", func(_ context.Context, in json.RawMessage) (json.RawMessage, error) { return in, nil }),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// call calls an operation and decodes its answer.
func callGolden[T any](t *testing.T, server *steppe.Server, operation string, in any) (out T) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(string(body)))
	r.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
	w := httptest.NewRecorder()
	server.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s %s: %s", operation, body, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// machines finds all state machines with their definitions, versions and tags.
func (g *golden) machines(t *testing.T, server *steppe.Server) {
	t.Helper()
	for _, m := range g.Machines {
		d := callGolden[struct{ Name, Type, Definition string }](t, server, "DescribeStateMachine", map[string]string{"stateMachineArn": m.ARN})
		if d.Name != m.Name || d.Type != m.Type || d.Definition != m.Definition {
			t.Errorf("%s: %+v", m.ARN, d)
		}
		tags := callGolden[struct{ Tags []struct{ Key, Value string } }](t, server, "ListTagsForResource", map[string]string{"resourceArn": m.ARN})
		for _, tag := range tags.Tags {
			if m.Tags[tag.Key] != tag.Value {
				t.Errorf("%s: tag %+v", m.ARN, tag)
			}
		}
		versions := callGolden[struct {
			StateMachineVersions []struct{ StateMachineVersionArn string }
		}](t, server, "ListStateMachineVersions", map[string]string{"stateMachineArn": m.ARN})
		aliases := callGolden[struct {
			StateMachineAliases []struct{ StateMachineAliasArn string }
		}](t, server, "ListStateMachineAliases", map[string]string{"stateMachineArn": m.ARN})
		var got [2][]string
		for _, v := range versions.StateMachineVersions {
			got[0] = append(got[0], v.StateMachineVersionArn)
		}
		for _, a := range aliases.StateMachineAliases {
			got[1] = append(got[1], a.StateMachineAliasArn)
		}
		if len(tags.Tags) != len(m.Tags) || !slices.Equal(got[0], m.Versions) || !slices.Equal(got[1], m.Aliases) {
			t.Errorf("%s: %d tags, versions and aliases %v, want %v, %v, %v", m.ARN, len(tags.Tags), got, m.Tags, m.Versions, m.Aliases)
		}
	}
}

// executions finds all executions: those that had ended as they were, the others
// with the same beginning.
func (g *golden) executions(t *testing.T, server *steppe.Server) {
	t.Helper()
	listed := make(map[string]bool)
	for _, m := range g.Machines {
		if m.Type == "EXPRESS" {
			continue
		}
		list := callGolden[struct {
			Executions []struct{ ExecutionArn string }
		}](t, server, "ListExecutions", map[string]any{"stateMachineArn": m.ARN})
		for _, x := range list.Executions {
			listed[x.ExecutionArn] = true
		}
	}
	for _, want := range g.Executions {
		d := callGolden[struct {
			Name, Status, Input    string
			Output, Error, Cause   *string
			StateMachineArn        string
			StateMachineVersionArn *string
			StateMachineAliasArn   *string
			RedriveCount           int
		}](t, server, "DescribeExecution", map[string]string{"executionArn": want.ARN})
		h := callGolden[struct{ Events []struct{ Type string } }](t, server, "GetExecutionHistory", map[string]any{"executionArn": want.ARN, "maxResults": 1000})
		got := goldenExecution{
			Name: d.Name, ARN: want.ARN, Status: d.Status, Input: d.Input, Output: d.Output, Error: d.Error, Cause: d.Cause,
			Machine: d.StateMachineArn, Version: d.StateMachineVersionArn, Alias: d.StateMachineAliasArn, Redrives: d.RedriveCount,
		}
		for _, e := range h.Events {
			got.Events = append(got.Events, e.Type)
		}
		if want.Status == "RUNNING" {
			got.Status, got.Output, got.Error, got.Cause = want.Status, want.Output, want.Error, want.Cause
			got.Events = got.Events[:min(len(got.Events), len(want.Events))]
		}
		if diff := cmp.Diff(want, got); diff != "" || !listed[want.ARN] {
			t.Errorf("%s, listed: %v (-want +got):\n%s", want.Name, listed[want.ARN], diff)
		}
	}
}

// resume lets what waits continue: a timer that is due by now, a task whose outcome was
// not recorded, one whose worker took it, and callbacks. The rest still waits.
func (g *golden) resume(t *testing.T, server *steppe.Server) {
	t.Helper()
	for i, token := range g.Tokens {
		callGolden[struct{}](t, server, "SendTaskSuccess", map[string]string{"taskToken": token, "output": fmt.Sprint(i)})
	}
	// One or two tasks of the activity are in line: that of the execution to be
	// retried, and the one of those that no worker took.
	waiting := 0
	for _, x := range g.Executions {
		kind, _, _ := strings.Cut(x.Name, "-")
		if kind == "activity" || kind == "token" {
			waiting++
		}
	}
	for range waiting - len(g.Tokens) + 1 {
		task := callGolden[struct{ TaskToken string }](t, server, "GetActivityTask", map[string]string{"activityArn": g.Activity})
		callGolden[struct{}](t, server, "SendTaskSuccess", map[string]string{"taskToken": task.TaskToken, "output": `"late"`})
	}
	for _, x := range g.Executions {
		if kind, _, _ := strings.Cut(x.Name, "-"); x.Status != "RUNNING" || kind == "held" {
			continue
		}
		d, err := server.Engine().Wait(t.Context(), x.ARN)
		if err != nil || d.Status != store.Succeeded {
			t.Errorf("%s: %+v, %v", x.Name, d, err)
		}
	}
	for _, x := range g.Executions {
		if kind, _, _ := strings.Cut(x.Name, "-"); kind != "held" {
			continue
		}
		d, err := server.Engine().Describe(t.Context(), x.ARN)
		if err != nil || d.Status != store.Running {
			t.Errorf("%s: %+v, %v", x.Name, d, err)
		}
	}
}
