package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steppehq/steppe/api"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store/memory"
)

// taken starts an execution of a machine whose only state is a task of the activity
// a, has a worker take the task, and gives the execution's ARN and the token.
func taken(t *testing.T, h http.Handler, name string) (x, token string) {
	t.Helper()
	must(t, h, "CreateActivity", `{"name":"a"}`)
	must(t, h, "CreateStateMachine", `{"name":"m","roleArn":"`+role+`","definition":"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Task\",\"Resource\":\"`+activityARN+`\",\"End\":true}}}"}`)
	x = must(t, h, "StartExecution", `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m","name":"`+name+`","input":"{\"n\": 1}"}`).Get("executionArn").Str()
	got := must(t, h, "GetActivityTask", `{"activityArn":"`+activityARN+`","workerName":"worker 1"}`)
	if got.Get("input").Str() != `{"n": 1}` {
		t.Errorf("the worker got %v", got)
	}
	return x, got.Get("taskToken").Str()
}

// TestTaskSentences goes through the API reference of GetActivityTask and the
// SendTask operations.
func TestTaskSentences(t *testing.T) {
	h := serve(t)
	const gone = "TaskTimedOut: Task Timed Out: 'Provided task does not exist anymore'"
	x, token := taken(t, h, "x")
	with := func(more string) string { return `{"taskToken":"` + token + `"` + more + `}` }
	must(t, h, "SendTaskHeartbeat", with(""))
	last := must(t, h, "GetExecutionHistory", `{"executionArn":"`+x+`","reverseOrder":true,"maxResults":1}`).Get("events").At(0)
	if last.Get("type").Str() != "ActivityStarted" || last.Get("activityStartedEventDetails").String() != `{"workerName":"worker 1"}` {
		t.Errorf("a heartbeat is an event, or the worker is not logged in the history: %v", last)
	}
	for output, want := range map[string]string{
		"{":                             "InvalidOutput",       // "the provided JSON output data is not valid"
		strings.Repeat("€", 262144/3+1): "ValidationException", // "expressed as bytes in UTF-8 encoding"
	} {
		if status, v := post(t, h, "SendTaskSuccess", with(`,"output":"`+output+`"`)); status != http.StatusBadRequest || v.Get("__type").Str() != want {
			t.Errorf("output %.10s: %d %.200v", output, status, v)
		}
	}
	converse(t, h, []call{
		{"SendTaskSuccess", with(`,"output":"[1]"`), `{}`},
		{"SendTaskSuccess", with(`,"output":"[1]"`), gone},
		{"SendTaskFailure", with(""), gone},
		{"SendTaskHeartbeat", with(""), gone},
		{"DescribeExecution", `{"executionArn":"` + x + `"}`, `{"executionArn":"` + x + `","stateMachineArn":"SM","name":"x","status":"SUCCEEDED","input":"{\"n\": 1}","inputDetails":{"included":true},"output":"[1]","outputDetails":{"included":true},"redriveCount":0,"redriveStatus":"NOT_REDRIVABLE","redriveStatusReason":"Execution is SUCCEEDED and cannot be redriven"}`},
	})
	x, token = taken(t, h, "y")
	converse(t, h, []call{
		{"SendTaskFailure", with(""), `{}`},
		{"DescribeExecution", `{"executionArn":"` + x + `","includedData":"ALL_DATA"}`, `{"executionArn":"` + x + `","stateMachineArn":"SM","name":"y","status":"FAILED","input":"{\"n\": 1}","inputDetails":{"included":true},"redriveCount":0,"redriveStatus":"REDRIVABLE"}`},
	})
	x, token = taken(t, h, "z")
	must(t, h, "StopExecution", `{"executionArn":"`+x+`"}`)
	converse(t, h, []call{{"SendTaskHeartbeat", with(""), gone}, {"SendTaskSuccess", with(`,"output":"1"`), gone}})
}

// TestSynchronousSentences goes through the API reference of StartSyncExecution.
func TestSynchronousSentences(t *testing.T) {
	h := serve(t)
	must(t, h, "CreateStateMachine", `{"name":"m","type":"EXPRESS","roleArn":"`+role+`","definition":"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Fail\",\"Error\":\"E\",\"Cause\":\"C\"}}}","publish":true}`)
	const sm = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
	for _, tt := range []struct{ says, header, body, want string }{
		{"200 OK, even if your execution fails; output is set only if the execution succeeds", "", `,"input":"[]"`, `"status":"FAILED","error":"E","cause":"C","input":"[]","inputDetails":{"included":true},`},
		{"The X-Ray trace header that was passed to the execution", "", `,"traceHeader":"Root=1"`, `"status":"FAILED","error":"E","cause":"C","input":"{}","inputDetails":{"included":true},"traceHeader":"Root=1",`},
		{"The trace header has at most 256 characters of ASCII", "Root=é", `,"traceHeader":"Root=1","includedData":"METADATA_ONLY"`, `"status":"FAILED","error":"E","cause":"C","traceHeader":"Root=1",`},
		{"The trace header has at most 256 characters of ASCII", strings.Repeat("x", 257), `,"includedData":"METADATA_ONLY"`, `"status":"FAILED","error":"E","cause":"C",`},
		{"The header value is preferred over the value in the request body", "Root=2", `,"traceHeader":"Root=1","includedData":"METADATA_ONLY"`, `"status":"FAILED","error":"E","cause":"C","traceHeader":"Root=2",`},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(`{"stateMachineArn":"`+sm+`","name":"x"`+tt.body+`}`))
		r.Header.Set("X-Amz-Target", "AWSStepFunctions.StartSyncExecution")
		if tt.header != "" {
			r.Header.Set("X-Amzn-Trace-Id", tt.header)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		_, got, _ := strings.Cut(passing.ReplaceAllString(w.Body.String(), ""), `"name":"x",`)
		if want := tt.want + `"billingDetails":{"billedMemoryUsedInMB":64,"billedDurationInMilliseconds":100}}`; w.Code != http.StatusOK || got != want {
			t.Errorf("%s\n got %d %s\nwant %s", tt.says, w.Code, got, want)
		}
	}
	qualified := must(t, h, "StartSyncExecution", `{"stateMachineArn":"`+sm+`:1"}`)
	if arn, name := qualified.Get("executionArn").Str(), qualified.Get("name").Str(); len(name) != 36 || !strings.HasPrefix(arn, "arn:aws:states:us-east-1:000000000000:express:m:"+name+":") || qualified.Get("stateMachineArn").Str() != sm {
		t.Errorf("an execution of a version without a name: %v", qualified)
	}
}

// TestPollSentences: "the maximum time the service holds on to the request before
// responding is 60 seconds", and so many workers may poll an activity at once as
// the quota says.
func TestPollSentences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serveConfig(t, memory.New(memory.Options{}), api.Config{})
		must(t, h, "CreateActivity", `{"name":"a"}`)
		var polls sync.WaitGroup
		began := time.Now()
		for range engine.MaxPollers {
			polls.Go(func() {
				if got := must(t, h, "GetActivityTask", `{"activityArn":"`+activityARN+`"}`).String(); got != `{"taskToken":null}` {
					t.Error(got)
				}
			})
		}
		synctest.Wait()
		converse(t, h, []call{{"GetActivityTask", `{"activityArn":"` + activityARN + `"}`, "ActivityWorkerLimitExceeded: Activity Worker Limit Exceeded: '" + activityARN + "'"}})
		polls.Wait()
		if held := time.Since(began); held != time.Minute { // of the bubble's clock
			t.Errorf("polls were held for %v", held)
		}
	})
}

// serveClock makes a handler with an engine whose time passes only when it is told
// to.
func serveClock(t *testing.T) (h http.Handler, pass func(time.Duration)) {
	t.Helper()
	var (
		registry integration.Registry
		jobs     []func()
		now      = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	)
	e, err := engine.Open(t.Context(), engine.Config{
		Store: memory.New(memory.Options{}), Integrations: &registry,
		Clock: func() time.Time { return now }, Go: func(work func()) { jobs = append(jobs, work) },
	})
	if err != nil {
		t.Fatal(err)
	}
	h = handler(t, api.Config{Engine: e, Integrations: &registry})
	pass = func(d time.Duration) {
		now = now.Add(d)
		for e.Tick(t.Context(), now); len(jobs) > 0; {
			job := jobs[0]
			jobs = jobs[1:]
			job()
		}
	}
	pass(0)
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if err := e.Close(ended); err != nil {
			t.Error(err)
		}
	})
	return h, pass
}

// TestPeriods holds what the API reference says of minutes and days.
func TestPeriods(t *testing.T) {
	h, pass := serveClock(t)
	const sm = `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m","name":"x"}`
	const exists = "ExecutionAlreadyExists: Execution Already Exists: 'arn:aws:states:us-east-1:000000000000:execution:m:x'"
	const x = `{"executionArn":"arn:aws:states:us-east-1:000000000000:execution:m:x"`
	must(t, h, "CreateStateMachine", `{"name":"m",`+unquoted+`}`)
	must(t, h, "StartExecution", sm)
	redrive := func(token string) string {
		t.Helper()
		return must(t, h, "RedriveExecution", x+`,"clientToken":"`+token+`"}`).String()
	}
	stop := func() { must(t, h, "StopExecution", x+`}`) }

	// "The API will return idempotent responses for the last 10 client tokens used to
	// successfully redrive the execution. These client tokens are valid for up to 15
	// minutes after they are first used."
	stop()
	first := redrive("0")
	for token := range strings.SplitSeq("123456789", "") {
		stop()
		pass(time.Second)
		redrive(token)
	}
	if again := redrive("0"); again != first {
		t.Errorf("the tenth last token: %s, first %s", again, first)
	}
	stop()
	pass(time.Second)
	redrive("10")
	const running = "ExecutionNotRedrivable: Execution is not redrivable: 'Execution is RUNNING and cannot be redriven'"
	converse(t, h, []call{{"RedriveExecution", x + `,"clientToken":"0"}`, running}, {"RedriveExecution", x + `}`, running}})
	redrive("9")
	pass(15*time.Minute + time.Second)
	converse(t, h, []call{{"RedriveExecution", x + `,"clientToken":"10"}`, running}})

	// "This period [of 14 days] starts from the day a state machine completes its
	// execution."
	stop()
	pass(13 * 24 * time.Hour)
	redrive("a")
	stop()
	pass(14*24*time.Hour + time.Second)
	converse(t, h, []call{{"RedriveExecution", x + `}`, "ExecutionNotRedrivable: Execution is not redrivable: 'Execution redrivable period exceeded'"}})

	// "You can reuse names after 90 days."
	pass((90 - 15) * 24 * time.Hour)
	converse(t, h, []call{{"StartExecution", sm, exists}})
	pass(2 * 24 * time.Hour)
	converse(t, h, []call{
		{"DescribeExecution", x + `}`, "ExecutionDoesNotExist: Execution Does Not Exist: 'arn:aws:states:us-east-1:000000000000:execution:m:x'"},
		{"StartExecution", sm, x + `}`},
	})
}
