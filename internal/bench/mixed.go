package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
)

// FaultName is the Lambda function that fails or hangs.
const FaultName = "fault"

// faulty is the function of that name: it hangs until nobody waits any more, or
// fails until the execution was redriven.
func faulty(ctx context.Context, in struct {
	Hang    bool
	Redrive int
},
) (struct{}, error) {
	if in.Hang {
		<-ctx.Done()
	}
	if in.Redrive == 0 {
		return struct{}{}, errors.New("this function fails until the execution is redriven")
	}
	return struct{}{}, nil
}

// mixedMachine does what the kind of its input says.
const mixedMachine = `{"StartAt":"Kind","States":{
  "Kind":{"Type":"Choice","Default":"Pass","Choices":[
    {"Variable":"$.kind","StringEquals":"wait","Next":"Wait"},
    {"Variable":"$.kind","StringEquals":"task","Next":"Task"},
    {"Variable":"$.kind","StringEquals":"map","Next":"Map"},
    {"Variable":"$.kind","StringEquals":"fail","Next":"Fail"},
    {"Variable":"$.kind","StringEquals":"hang","Next":"Hang"},
    {"Variable":"$.kind","StringEquals":"token","Next":"Token"},
    {"Variable":"$.kind","StringEquals":"activity","Next":"Activity"}]},
  "Pass":{"Type":"Pass","Parameters":{"n.$":"$.n","text":"done"},"End":true},
  "Wait":{"Type":"Wait","SecondsPath":"$.n","Next":"Pass"},
  "Task":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:bench","Next":"Pass"},
  "Map":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":4,"ResultPath":"$.out","Next":"Pass","ItemProcessor":{"StartAt":"Item","States":{
    "Item":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:bench","End":true}}}},
  "Fail":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:fault","Parameters":{"Redrive.$":"$$.Execution.RedriveCount"},"ResultPath":null,"Next":"Pass",
    "Retry":[{"ErrorEquals":["States.TaskFailed"],"IntervalSeconds":1,"MaxAttempts":1}]},
  "Hang":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:fault","Parameters":{"Hang":true},"TimeoutSeconds":1,"End":true},
  "Token":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","HeartbeatSeconds":2,"TimeoutSeconds":5,"ResultPath":"$.answer","Next":"Pass",
    "Parameters":{"FunctionName":"bench","Payload":{"token.$":"$$.Task.Token"}}},
  "Activity":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:mixed","HeartbeatSeconds":2,"TimeoutSeconds":5,"ResultPath":"$.answer","Next":"Pass"}}}`

// The names of what the mixed load runs.
var (
	mixedTenant   = catalogue.Tenant{Account: steppe.DefaultAccount, Region: steppe.DefaultRegion}
	mixedStandard = mixedTenant.ARN("stateMachine", "mixed")
	mixedExpress  = mixedTenant.ARN("stateMachine", "mixed-express")
	mixedActivity = mixedTenant.ARN("activity", "mixed")
)

// createMixed makes the state machines and the activity. Executions are
// forgotten when they have ended for as long as retention says.
func createMixed(address string, retention time.Duration) error {
	c, err := Dial(address)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing is left in it
	const machine = `{"name":%q,"type":%q,"roleArn":"arn:aws:iam::000000000000:role/r","definition":%q,"tags":[{"key":%q,"value":%q}]}`
	_, err = c.Call("CreateStateMachine", fmt.Sprintf(machine, "mixed", catalogue.Standard, mixedMachine, engine.RetentionTag, retention))
	if err == nil {
		_, err = c.Call("CreateStateMachine", fmt.Sprintf(machine, "mixed-express", catalogue.Express, fiveStates, engine.RetentionTag, retention))
	}
	if err == nil {
		_, err = c.Call("CreateActivity", `{"name":"mixed"}`)
	}
	return err
}

// mixedClient is one client of the mixed load. It lives through the ends of
// servers.
type mixedClient struct {
	ctx     context.Context
	address *atomic.Pointer[string]
	tally   *tally
	random  *rand.Rand

	c     *Client
	alive func() bool // ends what closes c when the context ends
}

// again is how long a client waits before it looks for the server again.
const again = 10 * time.Millisecond

// connected reports whether there is a connection, after it has waited for one.
func (m *mixedClient) connected() bool {
	for m.c == nil && m.ctx.Err() == nil {
		c, err := Dial(*m.address.Load())
		if err == nil {
			m.c, m.alive = c, context.AfterFunc(m.ctx, func() { _ = c.Close() })
			break
		}
		wait := time.NewTimer(again)
		select {
		case <-wait.C:
		case <-m.ctx.Done():
		}
	}
	return m.ctx.Err() == nil
}

// close ends the connection.
func (m *mixedClient) close() {
	if m.c != nil {
		m.alive()
		_ = m.c.Close()
		m.c = nil
	}
}

// measured makes a call and reports it. It is false when the call was not
// answered, or by an exception.
func (m *mixedClient) measured(kind opKind, ask func(*Client) ([]byte, error), into any) bool {
	if !m.connected() {
		return false
	}
	begin := time.Now()
	answer, err := ask(m.c)
	took := time.Since(begin)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		m.tally.add(kind, took, refusal)
		return false
	}
	if err != nil {
		if m.ctx.Err() == nil {
			m.tally.lost()
		}
		m.close()
		return false
	}
	m.tally.add(kind, took, nil)
	if into != nil && json.Unmarshal(answer, into) != nil {
		m.tally.add(kind, took, &Refusal{What: "an answer that is no JSON", Answer: string(answer)})
		return false
	}
	return true
}

func (m *mixedClient) call(kind opKind, operation string, into any, format string, args ...any) bool {
	return m.measured(kind, func(c *Client) ([]byte, error) { return c.Call(operation, fmt.Sprintf(format, args...)) }, into)
}

// start starts an execution and returns its ARN, "" when it was not started.
func (m *mixedClient) start(kind string) string {
	input := fmt.Sprintf(`{"kind":%q,"n":%d,"items":[1,2,3,4,5,6,7,8]}`, kind, 1+m.random.IntN(3))
	var started struct{ ExecutionArn string }
	m.call(opWrite, "StartExecution", &started, `{"stateMachineArn":%q,"input":%q}`, mixedStandard, input)
	return started.ExecutionArn
}

// write does one thing that changes something, and what belongs to it.
func (m *mixedClient) write() {
	switch n := m.random.IntN(100); {
	case n < 20:
		m.call(opWrite, "StartSyncExecution", nil, `{"stateMachineArn":%q,"input":%q}`, mixedExpress, order)
	case n < 40:
		m.start("pass")
	case n < 52:
		m.start("task")
	case n < 58:
		m.start("map")
	case n < 66:
		m.start("wait")
	case n < 72:
		if arn := m.start("wait"); arn != "" {
			m.call(opWrite, "StopExecution", nil, `{"executionArn":%q,"error":"Stopped","cause":"it was asked for"}`, arn)
		}
	case n < 76:
		m.start("fail")
	case n < 77:
		m.start("hang")
	case n < 86:
		m.start("activity")
	case n < 96:
		m.token()
	default:
		m.redrive()
	}
}

// token starts an execution that waits for its task token, finds the token in
// its history, and sends it back; or does not, so that the heartbeat is missed.
func (m *mixedClient) token() {
	arn := m.start("token")
	if arn == "" {
		return
	}
	var page struct {
		Events []struct {
			TaskScheduledEventDetails struct{ Parameters string }
		}
	}
	if !m.call(opRead, "GetExecutionHistory", &page, `{"executionArn":%q}`, arn) {
		return
	}
	for _, ev := range page.Events {
		var scheduled struct{ Payload struct{ Token string } }
		if json.Unmarshal([]byte(ev.TaskScheduledEventDetails.Parameters), &scheduled) == nil && scheduled.Payload.Token != "" {
			m.answer(scheduled.Payload.Token)
			return
		}
	}
}

// answer ends a task by its token, most of the time.
func (m *mixedClient) answer(token string) {
	if m.random.IntN(3) == 0 {
		m.call(opWrite, "SendTaskHeartbeat", nil, `{"taskToken":%q}`, token)
	}
	switch n := m.random.IntN(20); {
	case n < 1:
	case n < 3:
		m.call(opWrite, "SendTaskFailure", nil, `{"taskToken":%q,"error":"Failed","cause":"it was asked for"}`, token)
	default:
		m.call(opWrite, "SendTaskSuccess", nil, `{"taskToken":%q,"output":"{\"by\":\"a client\"}"}`, token)
	}
}

// redrive redrives one of the executions that have failed lately.
func (m *mixedClient) redrive() {
	if page := m.list("FAILED", 20); len(page) > 0 {
		m.call(opWrite, "RedriveExecution", nil, `{"executionArn":%q}`, page[m.random.IntN(len(page))])
	}
}

// work performs a task of the activity.
func (m *mixedClient) work() {
	var task struct{ TaskToken string }
	if m.call(opPoll, "GetActivityTask", &task, `{"activityArn":%q,"workerName":"mixed"}`, mixedActivity) && task.TaskToken != "" {
		m.answer(task.TaskToken)
	}
}

// list returns the ARNs of a page of executions.
func (m *mixedClient) list(status string, size int) []string {
	filter := ""
	if status != "" {
		filter = fmt.Sprintf(`,"statusFilter":%q`, status)
	}
	var page executionPage
	m.call(opRead, "ListExecutions", &page, `{"stateMachineArn":%q,"maxResults":%d%s}`, mixedStandard, size, filter)
	return page.arns()
}

type executionPage struct {
	Executions []struct{ ExecutionArn string }
}

func (p *executionPage) arns() []string {
	arns := make([]string, len(p.Executions))
	for i := range arns {
		arns[i] = p.Executions[i].ExecutionArn
	}
	return arns
}

// read reads a list and looks at some of what stands in it.
func (m *mixedClient) read() {
	statuses := []string{"", "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
	status := statuses[m.random.IntN(len(statuses))]
	var arns []string
	if m.random.IntN(3) == 0 {
		query := strings.ToLower("machine:mixed status:" + statuses[1+m.random.IntN(len(statuses)-1)] + " since:10s")
		var page executionPage
		path := "/api/v1/executions?limit=20&q=" + url.QueryEscape(query)
		m.measured(opRead, func(c *Client) ([]byte, error) { return c.Get(path) }, &page)
		arns = page.arns()
	} else {
		arns = m.list(status, 1+m.random.IntN(100))
	}
	for range min(4, len(arns)) {
		arn := arns[m.random.IntN(len(arns))]
		m.call(opRead, "DescribeExecution", nil, `{"executionArn":%q}`, arn)
		m.call(opRead, "GetExecutionHistory", nil, `{"executionArn":%q}`, arn)
	}
	m.call(opRead, "DescribeStateMachine", nil, `{"stateMachineArn":%q}`, mixedStandard)
}
