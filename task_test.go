package steppe_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/engine"
)

// Exported is an error that is known by its type.
type Exported struct{}

func (*Exported) Error() string { return "exported" }

// TestErrorNames: the first name in the chain of an error counts, and none is made
// of what the standard library keeps for itself.
func TestErrorNames(t *testing.T) {
	declined := steppe.Errorf("Declined", "card %d", 7)
	for what, tt := range map[string]struct {
		err  error
		want string
	}{
		"named":             {declined, "Declined"},
		"wrapped":           {fmt.Errorf("a: %w", fmt.Errorf("b: %w", declined)), "Declined"},
		"wrapped with more": {fmt.Errorf("%w, %w", errors.New("x"), declined), "Declined"},
		"joined":            {errors.Join(errors.New("x"), declined), "Declined"},
		"by its method":     {fmt.Errorf("a: %w", soldOut{}), "Shop.SoldOut"},
		"by its type":       {fmt.Errorf("a: %w", &Exported{}), "Exported"},
		"the outer":         {steppe.Errorf("Outer", "a: %w", declined), "Outer"},
		"of the library":    {&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, "PathError"},
		"plain":             {errors.New("plain"), "Error"},
		"plain, wrapped":    {fmt.Errorf("a: %w", errors.New("plain")), "Error"},
		"a context's":       {fmt.Errorf("a: %w", context.DeadlineExceeded), "Error"},
		"not exported":      {fmt.Errorf("a: %w", hidden{}), "hidden"},
	} {
		server, err := steppe.Open(steppe.Config{Functions: []steppe.Function{
			steppe.GoFunction("f", func(context.Context, any) (any, error) { return nil, tt.err }),
		}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = server.Execute(t.Context(), `{"StartAt": "F", "States": {"F": {"Type": "Task", "Resource": "`+server.FunctionARN("f")+`", "End": true}}}`, 1)
		failed := new(steppe.ExecutionError)
		if !errors.As(err, &failed) || failed.Name != tt.want {
			t.Errorf("%s: %v, want %s", what, err, tt.want)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
}

type hidden struct{}

func (hidden) Error() string { return "hidden" }

// TestTaskFrom: code is told of its task, attempt by attempt; and a panic's cause
// tells where it was.
func TestTaskFrom(t *testing.T) {
	var tasks []steppe.Task
	server, err := steppe.Open(steppe.Config{VirtualTime: true, Functions: []steppe.Function{
		steppe.GoFunction("f", func(ctx context.Context, _ any) (any, error) {
			task, ok := steppe.TaskFrom(ctx)
			if !ok {
				t.Error("there is no task")
			}
			if tasks = append(tasks, task); len(tasks) < 3 {
				return nil, steppe.Errorf("Again", "again")
			}
			panic("oh")
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	began := time.Now()
	deployed, err := server.Deploy(t.Context(), "m", `{"StartAt": "F", "States": {"F": {"Type": "Task", "TimeoutSeconds": 60, "Resource": "`+server.FunctionARN("f")+`", "End": true,
		"Retry": [{"ErrorEquals": ["Again"], "MaxAttempts": 5}]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	run, err := server.Start(t.Context(), "m", 1)
	if err != nil {
		t.Fatal(err)
	}
	err = run.Result(t.Context(), nil)
	failed := new(steppe.ExecutionError)
	if !errors.As(err, &failed) || failed.Name != "Runtime.Panic" || !strings.Contains(failed.Cause, "steppe_test.TestTaskFrom.func1 (task_test.go:") {
		t.Errorf("%v", err)
	}
	keys := make(map[string]bool)
	for i, task := range tasks {
		if task.ExecutionARN != run.ARN || task.StateMachineARN != deployed.ARN || task.State != "F" || task.Attempt != i+1 || task.Token != "" || !task.Deadline.After(began) {
			t.Errorf("attempt %d: %+v", i+1, task)
		}
		keys[task.IdempotencyKey] = true
	}
	if len(tasks) != 3 || len(keys) != 3 {
		t.Errorf("%d attempts, %d keys", len(tasks), len(keys))
	}
	if _, ok := steppe.TaskFrom(t.Context()); ok {
		t.Error("a test is no task")
	}
}

// TestDeploy: machines are created, changed and left, and no more.
func TestDeploy(t *testing.T) {
	server, err := steppe.Open(steppe.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	pass := func(result string) string {
		return `{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": ` + result + `, "End": true}}}`
	}
	for i, step := range []struct {
		definition, version string
		options             []steppe.DeployOption
		changed             bool
		want                int
	}{
		{pass("1"), "", nil, true, 1},
		{pass("1"), "", nil, false, 1},
		{pass("2"), "", nil, true, 2},
		{pass("2"), ":1", []steppe.DeployOption{steppe.Publish("")}, false, 2},
		{pass("3"), ":2", []steppe.DeployOption{steppe.Publish("third")}, true, 3},
	} {
		d, err := server.Deploy(t.Context(), "m", step.definition, step.options...)
		if err != nil {
			t.Fatal(err)
		}
		if d.Changed != step.changed || strings.TrimPrefix(d.VersionARN, d.ARN) != step.version {
			t.Errorf("step %d: %+v", i, d)
		}
		run, err := server.Start(t.Context(), "m", nil)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		if err := run.Result(t.Context(), &got); err != nil || got != step.want {
			t.Errorf("step %d: %d, %v", i, got, err)
		}
	}
	if out, err := steppe.Execute[[]int](t.Context(), server, pass("[1,2]"), nil); err != nil || len(out) != 2 {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := steppe.Execute[int](t.Context(), server, pass(`"text"`), nil); err == nil || !strings.Contains(err.Error(), "steppe: output: ") {
		t.Error(err)
	}
	if _, err := server.Deploy(t.Context(), "m", pass("1"), steppe.Express()); err == nil || !strings.Contains(err.Error(), "a type cannot be changed") {
		t.Error(err)
	}
	if _, err := server.Deploy(t.Context(), "m", `{}`); err == nil || !strings.Contains(err.Error(), "SCHEMA_VALIDATION_FAILED") {
		t.Error(err)
	}
	if _, err := server.Start(t.Context(), "nobody", nil); err == nil {
		t.Error("nobody started")
	}
	run, err := server.Start(t.Context(), "m", nil, steppe.Name("once"))
	if err != nil || run.Result(t.Context(), nil) != nil {
		t.Fatal(err)
	}
	if _, err := server.Start(t.Context(), "m", 2, steppe.Name("once")); !errors.Is(err, engine.ErrAlreadyExists) {
		t.Error(err)
	}
}
