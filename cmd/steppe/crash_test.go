package main_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var kills = flag.Int("kills", 5, "how often the crash test kills the server")

// crashMachine has a Wait, tasks side by side, a Map of tasks and a task token.
const crashMachine = `{
  "StartAt": "First",
  "States": {
    "First": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "work", "Payload": {"at": "first", "n.$": "$.n", "x.$": "$$.Execution.Name", "attempt.$": "$$.State.RetryCount"}},
      "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 100, "MaxDelaySeconds": 2}], "ResultSelector": {"v.$": "$.Payload"}, "ResultPath": "$.first", "Next": "Pause"},
    "Pause": {"Type": "Wait", "Seconds": 1, "Next": "Both"},
    "Both": {"Type": "Parallel", "ResultPath": "$.both", "Next": "Each", "Branches": [
      {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "work", "Payload": {"at": "a", "n.$": "$.n", "x.$": "$$.Execution.Name", "attempt.$": "$$.State.RetryCount"}},
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 100, "MaxDelaySeconds": 2}], "OutputPath": "$.Payload", "End": true}}},
      {"StartAt": "B", "States": {"B": {"Type": "Wait", "Seconds": 2, "Next": "B2"}, "B2": {"Type": "Pass", "Result": "waited", "End": true}}}]},
    "Each": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "ResultPath": "$.each", "Next": "Ask",
      "ItemSelector": {"item.$": "$$.Map.Item.Value", "n.$": "$.n"},
      "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "work", "Payload": {"at.$": "States.Format('item{}', $.item)", "n.$": "$.n", "x.$": "$$.Execution.Name", "attempt.$": "$$.State.RetryCount"}},
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 100, "MaxDelaySeconds": 2}], "OutputPath": "$.Payload", "End": true}}}},
    "Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token", "n.$": "$.n"}},
      "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 100, "MaxDelaySeconds": 2}], "ResultPath": "$.answer", "Next": "Sum"},
    "Sum": {"Type": "Pass", "Parameters": {"first.$": "$.first.v", "both.$": "$.both", "each.$": "$.each", "answer.$": "$.answer"}, "End": true}
  }
}`

// TestCrash kills the server at random moments while executions run, and
// starts it again. Every execution that was acknowledged must end with the
// right output, by a history without gaps, and no task whose result is in the
// history may have been asked for again afterwards.
func TestCrash(t *testing.T) {
	c := &crash{t: t, random: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)), data: t.TempDir(), asked: make(map[string]int)}
	c.functions = httptest.NewServer(http.HandlerFunc(c.invoke))
	defer c.functions.Close()
	c.binary = filepath.Join(t.TempDir(), "steppe")
	build := exec.Command("go", "build", "-o", c.binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c.start()
	machine := c.must("CreateStateMachine", map[string]any{"name": "crash", "definition": crashMachine, "roleArn": "arn:aws:iam::000000000000:role/r"})["stateMachineArn"].(string)
	total := min(20**kills, 500)
	killed := 0
	for n := 0; killed < *kills || n < total; {
		for ; n < total && n < (killed+1)*total / *kills; n++ {
			c.startExecution(machine, n)
		}
		if killed < *kills {
			c.answer()
			pause(time.Duration(c.random.IntN(250)) * time.Millisecond)
			if err := c.server.kill(); err != nil {
				t.Fatal(err)
			}
			c.start()
			killed++
		}
	}
	c.finish()
	if err := c.server.stop(); err != nil {
		t.Errorf("the server does not stop cleanly: %v", err)
	}
	t.Logf("%d kills, %d executions, %d task calls, %d of them again", killed, total, c.calls, c.again)
}

// pause lets real time pass: the moment of a kill is what this test varies.
func pause(d time.Duration) { <-time.After(d) }

type crash struct {
	t         *testing.T
	random    *rand.Rand
	binary    string
	data      string
	functions *httptest.Server
	arns      []string

	mu     sync.Mutex
	server *server
	tokens []ask
	calls  int
	again  int
	asked  map[string]int
}

type ask struct {
	token string
	n     int
}

// start starts the server.
func (c *crash) start() {
	cmd := exec.Command(c.binary, "serve", "--data", c.data, "--lambda-endpoint", c.functions.URL)
	cmd.Stderr = os.Stderr
	s, err := startServer(cmd)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.server = s
	c.mu.Unlock()
}

func (c *crash) call(operation string, in map[string]any) (map[string]any, int, error) {
	c.mu.Lock()
	endpoint := c.server.endpoint
	c.mu.Unlock()
	return call(endpoint, operation, in)
}

func (c *crash) must(operation string, in map[string]any) map[string]any {
	c.t.Helper()
	out, status, err := c.call(operation, in)
	if err != nil || status != http.StatusOK {
		c.t.Fatalf("%s: %v, status %d, %v", operation, err, status, out)
	}
	return out
}

func (c *crash) startExecution(machine string, n int) {
	out := c.must("StartExecution", map[string]any{
		"stateMachineArn": machine, "name": fmt.Sprintf("x%d", n), "input": fmt.Sprintf(`{"n":%d,"items":[1,2,3]}`, n),
	})
	c.arns = append(c.arns, out["executionArn"].(string))
}

// invoke is the Lambda endpoint: results depend on the payload only.
func (c *crash) invoke(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var in struct {
		At, Token, X string
		N, Attempt   int
	}
	if err := json.Unmarshal(body, &in); err != nil {
		c.t.Error(err)
	}
	answer := fmt.Sprintf("%s of %d", in.At, in.N)
	c.mu.Lock()
	c.calls++
	if strings.Contains(r.URL.Path, "ask") {
		c.tokens = append(c.tokens, ask{in.Token, in.N})
		answer = ""
	} else {
		c.asked[answer]++
	}
	again := c.asked[answer] > 1
	c.mu.Unlock()
	if again {
		c.notRecorded(in.X, answer)
	}
	fmt.Fprintf(w, "%q", answer)
}

// notRecorded checks that a task that is asked for again has no result yet.
func (c *crash) notRecorded(name, answer string) {
	c.mu.Lock()
	c.again++
	c.mu.Unlock()
	page, status, err := c.call("GetExecutionHistory", map[string]any{
		"executionArn": "arn:aws:states:us-east-1:000000000000:execution:crash:" + name, "maxResults": 1000,
	})
	if err != nil || status != http.StatusOK {
		return // the server was killed meanwhile
	}
	for _, e := range page["events"].([]any) {
		details, ok := e.(map[string]any)["taskSucceededEventDetails"].(map[string]any)
		if ok && strings.Contains(details["output"].(string), fmt.Sprintf("%q", answer)) {
			c.t.Errorf("%s: %q was asked for although its result is recorded", name, answer)
		}
	}
}

// answer sends the task tokens back that have come, some of them twice.
func (c *crash) answer() {
	c.mu.Lock()
	tokens := c.tokens
	c.tokens = nil
	c.mu.Unlock()
	for _, tok := range tokens {
		for range 1 + c.random.IntN(2) {
			out, status, err := c.call("SendTaskSuccess", map[string]any{"taskToken": tok.token, "output": fmt.Sprintf(`{"to":%d}`, tok.n)})
			if err != nil || status != http.StatusOK && out["__type"] != "TaskTimedOut" {
				c.t.Errorf("send task: %v, status %d, %v", err, status, out)
			}
		}
	}
}

// finish waits for the end of all executions and checks each.
func (c *crash) finish() {
	deadline := time.Now().Add(3 * time.Minute)
	for n, arn := range c.arns {
		for {
			c.answer()
			d := c.must("DescribeExecution", map[string]any{"executionArn": arn})
			if d["status"] != "RUNNING" {
				c.check(n, arn, d)
				break
			}
			if time.Now().After(deadline) {
				c.t.Fatalf("%s is stuck", arn)
			}
			pause(20 * time.Millisecond)
		}
	}
}

func (c *crash) check(n int, arn string, d map[string]any) {
	want := fmt.Sprintf(`{"answer":{"to":%d},"first":"first of %d","each":["item1 of %d","item2 of %d","item3 of %d"],"both":["a of %d","waited"]}`, n, n, n, n, n, n)
	if d["status"] != "SUCCEEDED" || d["output"] != want {
		c.t.Errorf("%s: %v %v, want %s", arn, d["status"], d["output"], want)
	}
	token, next := "", 1.0
	results := make(map[float64]bool)
	for {
		in := map[string]any{"executionArn": arn, "maxResults": 1000}
		if token != "" {
			in["nextToken"] = token
		}
		page := c.must("GetExecutionHistory", in)
		for _, e := range page["events"].([]any) {
			ev := e.(map[string]any)
			if ev["id"] != next {
				c.t.Errorf("%s: event %v, want %v", arn, ev["id"], next)
			}
			next++
			if typ := ev["type"]; typ == "TaskSucceeded" || typ == "TaskFailed" {
				previous := ev["previousEventId"].(float64)
				if results[previous] {
					c.t.Errorf("%s: two results of the task started at event %v", arn, previous)
				}
				results[previous] = true
			}
		}
		var more bool
		if token, more = page["nextToken"].(string); !more {
			return
		}
	}
}
