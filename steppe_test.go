package steppe_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration/lambda"
	"github.com/steppehq/steppe/value"
)

// soldOut is an error with a name of its own choice.
type soldOut struct{}

func (soldOut) Error() string     { return "nothing left" }
func (soldOut) ErrorType() string { return "Shop.SoldOut" }

func TestExecute(t *testing.T) {
	server, err := steppe.Open(steppe.Config{Account: "123456789012", Region: "eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	steppe.RegisterFunction(server, "buy", func(_ context.Context, n int) (int, error) {
		if n > 3 {
			return 0, soldOut{}
		}
		return 10 * n, nil
	})
	buy := `{"StartAt": "Buy", "States": {"Buy": {"Type": "Task", "Resource": "` + server.FunctionARN("buy") + `", "End": true}}}`
	tests := []struct {
		name, definition string
		input            any
		want             string
		failed           *steppe.ExecutionError
		message          string
	}{
		{name: "succeeds", definition: buy, input: 2, want: "20"},
		{name: "the same definition again", definition: buy, input: 3, want: "30"},
		{
			name: "fails", definition: buy, input: 4,
			failed: &steppe.ExecutionError{Status: "FAILED", Name: "Shop.SoldOut", Cause: `{"errorMessage":"nothing left","errorType":"Shop.SoldOut"}`},
		},
		{name: "no such input", definition: buy, input: "two", message: "execution FAILED: UnmarshalTypeError: "},
		{name: "no definition", definition: `{"StartAt": "A"}`, message: "These fields are required: [States] at /"},
		{name: "no JSON", definition: buy, input: func() {}, message: "steppe: input: "},
	}
	for _, tt := range tests {
		got, err := server.Execute(t.Context(), tt.definition, tt.input)
		if string(got) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: got %s, %v", tt.name, got, err)
		}
		if tt.failed != nil {
			failed, _ := errors.AsType[*steppe.ExecutionError](err)
			if diff := cmp.Diff(tt.failed, failed); diff != "" {
				t.Errorf("%s: %s", tt.name, diff)
			}
		}
		if tt.message != "" && (err == nil || !strings.Contains(err.Error(), tt.message)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.message)
		}
	}
}

func TestStateMachine(t *testing.T) {
	server, err := steppe.Open(steppe.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	const one, two = `{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}`, `{"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}`
	first, err := server.StateMachine(t.Context(), "m", catalogue.Standard, one)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := server.StateMachine(t.Context(), "m", catalogue.Standard, one); err != nil || again.Number != first.Number {
		t.Errorf("the same again: %v, %v", again, err)
	}
	if _, err := server.StateMachine(t.Context(), "m", catalogue.Standard, two); err == nil || !strings.Contains(err.Error(), "another definition") {
		t.Errorf("another definition: %v", err)
	}
	if _, err := server.StateMachine(t.Context(), "n", catalogue.Express, `{`); err == nil {
		t.Error("a definition that is none was taken")
	}
}

// TestReopen starts an execution that waits for a task token in one server and
// ends it in the next.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	submitted := make(chan struct{}) // else the next server asks again
	open := func() *steppe.Server {
		s, err := steppe.Open(steppe.Config{Dir: dir, Listener: engine.Listener{Step: func(s engine.Step) {
			for i := range s.Events {
				if s.Events[i].Type == history.TaskSubmitted {
					close(submitted)
				}
			}
		}}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const machine = `{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
		"Parameters": {"FunctionName": "ask", "Payload.$": "$$.Task.Token"}, "End": true}}}`
	first := open()
	asked := make(chan string, 1)
	steppe.RegisterFunction(first, "ask", func(_ context.Context, token string) (string, error) {
		asked <- token
		return "asked", nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := first.Execute(ctx, machine, nil)
		ended <- err
	}()
	token := <-asked
	<-submitted
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for an execution: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open()
	defer second.Close()
	answer := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(`{"taskToken":"`+token+`","output":"\"yes\""}`))
	request.Header.Set("X-Amz-Target", "AWSStepFunctions.SendTaskSuccess")
	second.Handler().ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

// TestReopenPerforms has a task under way when its server is closed. The next
// one performs it again, at once: it finds the function in its configuration.
func TestReopenPerforms(t *testing.T) {
	dir := t.TempDir()
	open := func(fn func(context.Context, int) (int, error)) *steppe.Server {
		s, err := steppe.Open(steppe.Config{Dir: dir, Functions: []steppe.Function{steppe.GoFunction("double", fn)}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	begun := make(chan string, 2)
	first := open(func(ctx context.Context, _ int) (int, error) {
		begun <- steppe.IdempotencyKey(ctx)
		<-ctx.Done()
		return 0, ctx.Err()
	})
	const machine = `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:double", "End": true}}}`
	m, err := first.StateMachine(t.Context(), "reopen", catalogue.Standard, machine)
	if err != nil {
		t.Fatal(err)
	}
	started, err := first.Engine().Start(t.Context(), engine.StartRequest{Machine: m, Input: value.NewDoc([]byte("21"))})
	if err != nil {
		t.Fatal(err)
	}
	key := <-begun
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again := ""
	second := open(func(ctx context.Context, n int) (int, error) {
		again = steppe.IdempotencyKey(ctx)
		return 2 * n, nil
	})
	defer second.Close()
	d, err := second.Engine().Wait(t.Context(), started.ARN)
	if err != nil || d.Output == nil || string(d.Output.Raw()) != "42" {
		t.Errorf("%+v, %v", d, err)
	}
	if key == "" || again != key {
		t.Errorf("the task was performed with the key %q, and again with %q", key, again)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]steppe.Config{
		`the endpoint "localhost" is no URL`: {LambdaEndpoint: "localhost"},
		`the runtime "cobol" is not known`:   {Functions: []steppe.Function{{Process: lambda.Process{Name: "f", Runtime: "cobol"}}}},
		"make the data directory":            {Dir: file},
	} {
		s, err := steppe.Open(cfg)
		if err == nil {
			t.Errorf("%s: it opened, %v", want, s.Close())
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
