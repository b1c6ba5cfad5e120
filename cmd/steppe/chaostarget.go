package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration/mock"
	"github.com/steppehq/steppe/value"
)

// chaosTarget performs the tasks of executions as their cases mock them, and
// remembers each call. It is in the process that is not killed.
type chaosTarget struct {
	// caseOf tells the case that an execution runs, by its name.
	caseOf func(execution string) *testCase

	mu    sync.Mutex
	steps map[string]*mock.Step // by the idempotency token: what its attempt gives
	used  map[string]int        // by execution and state: the attempts so far
	calls map[chaosEvent]*chaosCalls
	total int
	again int
	// tokens wait to be sent back.
	tokens []chaosToken
}

// chaosEvent names a task: the event that scheduled it.
type chaosEvent struct {
	execution string
	event     int64
}

// chaosCalls is when a task was asked for.
type chaosCalls struct {
	state string
	last  time.Time
	n     int
}

type chaosToken struct {
	text string
	step *mock.Step
}

func newChaosTarget(caseOf func(string) *testCase) *chaosTarget {
	return &chaosTarget{caseOf: caseOf, steps: make(map[string]*mock.Step), used: make(map[string]int), calls: make(map[chaosEvent]*chaosCalls)}
}

// ServeHTTP performs a task.
func (t *chaosTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	var task chaosTask
	if err := json.NewDecoder(r.Body).Decode(&task); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	step, token := t.called(&task, now)
	answer := chaosAnswer{Output: json.RawMessage("{}")}
	switch {
	case step == nil:
		answer = chaosAnswer{Error: "States.TaskFailed", Cause: "there is no mock for the state " + task.State}
	case task.Waits && token == "":
		answer = chaosAnswer{Error: "States.TaskFailed", Cause: "the input of the state " + task.State + " holds no task token that could be sent back"}
	case task.Waits:
	case step.Error != "":
		answer = chaosAnswer{Error: step.Error, Cause: step.Cause}
	default:
		answer.Output = step.Result.Append(nil)
	}
	_ = json.NewEncoder(w).Encode(answer) // whoever asked was killed when this fails
}

// called remembers a call, and returns what its attempt returns and the task token
// that its input holds.
func (t *chaosTarget) called(task *chaosTask, now time.Time) (*mock.Step, string) {
	token := ""
	if input, err := value.Decode(task.Input); err == nil && task.Waits {
		token = tokenIn(input)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total++
	key := chaosEvent{task.Execution, task.Event}
	if t.calls[key] == nil {
		t.calls[key] = &chaosCalls{state: task.State}
	}
	c := t.calls[key]
	c.n++
	c.last = now
	if c.n > 1 {
		t.again++
	}
	step, known := t.steps[task.Idempotency]
	if !known {
		name := task.Execution[strings.LastIndexByte(task.Execution, ':')+1:]
		attempts := task.Execution + " " + task.State
		if steps := t.caseOf(name).steps[task.State]; len(steps) > 0 {
			step = &steps[min(t.used[attempts], len(steps)-1)]
		}
		t.used[attempts]++
		t.steps[task.Idempotency] = step
	}
	if task.Waits && token != "" && step != nil {
		t.tokens = append(t.tokens, chaosToken{token, step})
	}
	return step, token
}

// tokenIn finds a task token in a value.
func tokenIn(v value.Value) string {
	if v.Kind() == value.String {
		if _, ok := engine.TokenTenant(v.Str()); ok {
			return v.Str()
		}
		return ""
	}
	for i := range v.Len() {
		if v.Kind() == value.Array || v.Kind() == value.Object {
			if token := tokenIn(v.At(i)); token != "" {
				return token
			}
		}
	}
	return ""
}

// sendTokens sends back the task tokens that wait; those that a dead server
// does not take wait on.
func (t *chaosTarget) sendTokens(server client) error {
	t.mu.Lock()
	waiting := t.tokens
	t.tokens = nil
	t.mu.Unlock()
	for i, token := range waiting {
		var err error
		if token.step.Error != "" {
			err = server.call("SendTaskFailure", map[string]string{"taskToken": token.text, "error": token.step.Error, "cause": token.step.Cause}, new(struct{}))
		} else {
			err = server.call("SendTaskSuccess", map[string]string{"taskToken": token.text, "output": token.step.Result.String()}, new(struct{}))
		}
		if err != nil && !strings.HasPrefix(err.Error(), "TaskTimedOut") { // that was sent before, or is over
			t.mu.Lock()
			t.tokens = append(t.tokens, waiting[i:]...)
			t.mu.Unlock()
			return fmt.Errorf("send a task token back: %w", err)
		}
	}
	return nil
}
