package steppe_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration/lambda"
)

// TestFunctionsAccount: a function is of the account that it says, or else of
// the server's; where keys have one account only it is of that one as well.
func TestFunctionsAccount(t *testing.T) {
	const alice, bob = "111111111111", "222222222222"
	key := func(account string) steppe.Key {
		return steppe.Key{ID: "AKIA" + account, Secret: "secret", Account: account}
	}
	fn := func(name, account string) steppe.Function {
		f := steppe.GoFunction(name, func(ctx context.Context, _ any) (bool, error) { return steppe.IdempotencyKey(ctx) != "", nil })
		f.Account = account
		return f
	}
	for what, tt := range map[string]struct {
		cfg    steppe.Config
		called bool
		warned bool
	}{
		"the default account":      {steppe.Config{Functions: []steppe.Function{fn("f", "")}}, true, false},
		"the server's":             {steppe.Config{Account: alice, Functions: []steppe.Function{fn("f", "")}}, true, false},
		"its own":                  {steppe.Config{Account: alice, Functions: []steppe.Function{fn("f", alice)}}, true, false},
		"another one":              {steppe.Config{Account: alice, Functions: []steppe.Function{fn("f", bob)}}, false, false},
		"all":                      {steppe.Config{Account: alice, Functions: []steppe.Function{fn("f", "*")}}, true, false},
		"keys of one account":      {steppe.Config{Keys: []steppe.Key{key(alice), key(alice)}, Functions: []steppe.Function{fn("f", "")}}, true, false},
		"keys of two accounts":     {steppe.Config{Keys: []steppe.Key{key(alice), key(bob)}, Functions: []steppe.Function{fn("f", "")}}, true, true},
		"keys and no account":      {steppe.Config{Keys: []steppe.Key{key(alice), key(bob)}, Functions: []steppe.Function{fn("f", bob)}}, false, false},
		"keys of others, said so":  {steppe.Config{Account: bob, Keys: []steppe.Key{key(alice)}, Functions: []steppe.Function{fn("f", "")}}, true, true},
		"keys, and all accounts'":  {steppe.Config{Keys: []steppe.Key{key(alice), key(bob)}, Functions: []steppe.Function{fn("f", "*")}}, true, false},
		"no key of its account":    {steppe.Config{Keys: []steppe.Key{key(alice)}, Functions: []steppe.Function{fn("f", bob)}}, false, true},
		"the endpoint's, not ours": {steppe.Config{LambdaEndpoint: "http://127.0.0.1:1", LambdaEndpointAccount: bob}, false, false},
	} {
		var log bytes.Buffer
		tt.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		server, err := steppe.Open(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		out, err := server.Execute(t.Context(), `{"StartAt": "F", "States": {"F": {"Type": "Task", "Resource": "`+server.FunctionARN("f")+`", "End": true}}}`, 1)
		failed := new(steppe.ExecutionError)
		if tt.called != (string(out) == "true") || !tt.called && (!errors.As(err, &failed) || failed.Name != "Lambda.ResourceNotFoundException") {
			t.Errorf("%s: %s, %v", what, out, err)
		}
		if warned := strings.Contains(log.String(), "no key is of the account"); warned != tt.warned {
			t.Errorf("%s: the log is %s", what, log.String())
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := steppe.Open(steppe.Config{Functions: []steppe.Function{fn("f", "a b")}}); err == nil || !strings.Contains(err.Error(), `the account "a b" of function f is none`) {
		t.Error(err)
	}
}

// TestSlowFunction: tasks that wait for a worker of their function keep those of
// other functions from nothing, however many they are.
func TestSlowFunction(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "slow.py"), []byte("import os\ndef handler(e, c):\n    os.read(os.pipe()[0], 1)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	quick := steppe.GoFunction("quick", func(context.Context, any) (int, error) { return 1, nil })
	const executions, each = 8, 40 // an inline Map runs 40 at once
	var scheduled atomic.Int64
	all := make(chan struct{})
	observe := func(s engine.Step) {
		for _, ev := range s.Events {
			if ev.Type == history.TaskScheduled && scheduled.Add(1) == executions*each {
				close(all)
			}
		}
	}
	server, err := steppe.Open(steppe.Config{Listener: engine.Listener{Step: observe}, Functions: []steppe.Function{
		quick, {Process: lambda.Process{Name: "slow", Runtime: "python", Handler: "slow.handler", Dir: dir, Concurrency: 2, Timeout: time.Hour}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	invoke := func(name string) string {
		return `{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "` + name + `", "Payload": {}}, "OutputPath": "$.Payload", "End": true}`
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	slow := `{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$", "End": true, "ItemProcessor": {"StartAt": "S", "States": {"S": ` + invoke("slow") + `}}}}}`
	for range executions {
		waiting.Go(func() { _, _ = server.Execute(ctx, slow, make([]int, each)) }) // nobody waits for its end
	}
	<-all
	if out, err := server.Execute(t.Context(), `{"StartAt": "Q", "States": {"Q": `+invoke("quick")+`}}`, 0); err != nil || string(out) != "1" {
		t.Fatalf("%s, %v", out, err)
	}
	cancel()
	waiting.Wait()
}

// TestARNsOfOthers: where nobody has said whose functions are, definitions from AWS
// come with ARNs of some account; where somebody has, these name nothing.
func TestARNsOfOthers(t *testing.T) {
	const alice = "111111111111"
	fn := steppe.GoFunction("f", func(context.Context, any) (bool, error) { return true, nil })
	for what, tt := range map[string]struct {
		cfg    steppe.Config
		called bool
	}{
		"nothing said": {steppe.Config{}, true},
		"an account":   {steppe.Config{Account: alice}, false},
		"keys":         {steppe.Config{Keys: []steppe.Key{{ID: "A", Secret: "s", Account: alice}}}, false},
	} {
		tt.cfg.Functions = []steppe.Function{fn}
		server, err := steppe.Open(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, resource := range []string{
			`"Resource": "arn:aws:lambda:us-east-1:999999999999:function:f"`,
			`"Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "arn:aws:lambda:us-east-1:999999999999:function:f:live"}, "OutputPath": "$.Payload"`,
		} {
			out, err := server.Execute(t.Context(), `{"StartAt": "F", "States": {"F": {"Type": "Task", `+resource+`, "End": true}}}`, 1)
			failed := new(steppe.ExecutionError)
			if tt.called != (string(out) == "true") || !tt.called && (!errors.As(err, &failed) || failed.Name != "Lambda.ResourceNotFoundException") {
				t.Errorf("%s: %s, %v", what, out, err)
			}
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
}
