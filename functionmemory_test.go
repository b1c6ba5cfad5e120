package steppe_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// lines reports each line that is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen chan struct{}
	want string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(string(p), l.want) {
		close(l.seen)
	}
	return l.text.Write(p)
}

// TestMissingFunction: a function that was called before and is missing has its
// tasks wait, through lives of the data directory, until it is there again; one
// that was never there, or was given up, fails them.
func TestMissingFunction(t *testing.T) {
	dir := t.TempDir()
	open := func(log *lines, functions ...steppe.Function) *steppe.Server {
		s, err := steppe.Open(steppe.Config{Dir: dir, Functions: functions, Logger: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	shut := func(s *steppe.Server) {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	begun := make(chan struct{})
	first := open(&lines{want: "\x00"}, steppe.GoFunction("slow", func(ctx context.Context, _ int) (int, error) {
		close(begun)
		<-ctx.Done()
		return 0, ctx.Err()
	}))
	machine := func(name string) string {
		return `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "` + first.FunctionARN(name) + `", "End": true}}}`
	}
	m, err := first.StateMachine(t.Context(), "slow", catalogue.Standard, machine("slow"))
	if err != nil {
		t.Fatal(err)
	}
	started, err := first.Engine().Start(t.Context(), engine.StartRequest{Machine: m, Input: value.NewDoc([]byte("21"))})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	shut(first)

	log := &lines{want: `missing="function slow of account 000000000000"`, seen: make(chan struct{})}
	second := open(log)
	<-log.seen
	d, err := second.Engine().Describe(t.Context(), started.ARN)
	if err != nil || d.Status != store.Running {
		t.Fatalf("%+v, %v", d, err)
	}
	if what := second.Engine().Absent(d.ID); what != "function slow of account 000000000000" {
		t.Errorf("it waits for %q", what)
	}
	failed := new(steppe.ExecutionError)
	if _, err := second.Execute(t.Context(), machine("never"), 1); !errors.As(err, &failed) || failed.Name != "Lambda.ResourceNotFoundException" {
		t.Errorf("a function that never was: %v", err)
	}
	steppe.RegisterFunction(second, "slow", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	d, err = second.Engine().Wait(t.Context(), started.ARN)
	if err != nil || d.Output == nil || string(d.Output.Raw()) != "42" {
		t.Errorf("%+v, %v", d, err)
	}
	if what := second.Engine().Absent(d.ID); what != "" {
		t.Errorf("it waits for %q", what)
	}
	shut(second)

	removed := steppe.GoFunction("slow", func(context.Context, int) (int, error) { return 0, nil })
	removed.Removed = true
	third := open(&lines{want: "\x00"}, removed)
	defer shut(third)
	if _, err := third.Execute(t.Context(), machine("slow"), 1); !errors.As(err, &failed) || failed.Name != "Lambda.ResourceNotFoundException" {
		t.Errorf("a function that was given up: %v", err)
	}
}

// TestMissingFunctionTimesOut: a task that waits for its function has the time that
// its state allows, and no more.
func TestMissingFunctionTimesOut(t *testing.T) {
	dir := t.TempDir()
	first, err := steppe.Open(steppe.Config{Dir: dir, Functions: []steppe.Function{steppe.GoFunction("f", func(context.Context, int) (int, error) { return 1, nil })}})
	if err != nil {
		t.Fatal(err)
	}
	machine := `{"StartAt": "A", "States": {"A": {"Type": "Task", "TimeoutSeconds": 3600, "Resource": "` + first.FunctionARN("f") + `", "End": true}}}`
	if _, err := first.Execute(t.Context(), machine, 1); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	log := &lines{want: "missing=", seen: make(chan struct{})}
	second, err := steppe.Open(steppe.Config{Dir: dir, VirtualTime: true, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := second.Execute(context.Background(), machine, 1)
		ended <- err
	}()
	<-log.seen // it holds the clock
	if _, err := second.Advance(t.Context(), 3600e9); err != nil {
		t.Fatal(err)
	}
	failed := new(steppe.ExecutionError)
	if err := <-ended; !errors.As(err, &failed) || failed.Name != "States.Timeout" {
		t.Error(err)
	}
}
