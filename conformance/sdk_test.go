package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

const (
	role = "arn:aws:iam::" + account + ":role/r"
	base = "arn:aws:states:us-east-1:" + account
)

// caller is a client that writes down which operations have been answered.
type caller struct {
	*sfn.Client
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	called []string
}

// connect makes a client of a server. Its host has a name that only the client
// knows, so that the sync- before it, on which the SDK insists, leads to the
// server too.
func connect(t *testing.T, endpoint, secret string) *caller {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	c := &caller{t: t, ctx: ctx}
	address := strings.TrimPrefix(endpoint, "http://")
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	c.Client = sfn.New(sfn.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://states.test"),
		HTTPClient:  &http.Client{Transport: &http.Transport{DialContext: dial}},
		Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, ""),
		APIOptions:  []func(*middleware.Stack) error{c.watch},
	})
	return c
}

// watch adds what writes down the operations.
func (c *caller) watch(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("called", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		if _, told := errors.AsType[smithy.APIError](err); err == nil || told {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.called = append(c.called, awsmiddleware.GetOperationName(ctx))
		}
		return out, metadata, err
	}), middleware.After)
}

// call calls an operation that must succeed.
func call[In, Out any](c *caller, operation func(context.Context, *In, ...func(*sfn.Options)) (*Out, error), in In) *Out {
	c.t.Helper()
	out, err := operation(c.ctx, &in)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// refused calls an operation that must be answered with exactly the exception E.
func refused[E error, In, Out any](c *caller, operation func(context.Context, *In, ...func(*sfn.Options)) (*Out, error), in In) E {
	c.t.Helper()
	out, err := operation(c.ctx, &in)
	refusal, ok := errors.AsType[E](err)
	if !ok {
		c.t.Errorf("%+v: %+v, %v, want %T", in, out, err, refusal)
	}
	return refusal
}

// same compares what an answer holds.
func same[T comparable](c *caller, got, want T) {
	c.t.Helper()
	if got != want {
		c.t.Errorf("got %v, want %v", got, want)
	}
}

func TestSDKForGo(t *testing.T) {
	endpoint := serve(t)
	c := connect(t, endpoint, secret)
	order(c)
	activity, worked := redriven(c)
	versions(c, worked)
	atOnce(c)
	deleted(c, activity)
	covers(t, c.called)

	_, err := connect(t, endpoint, "not "+secret).ListStateMachines(c.ctx, &sfn.ListStateMachinesInput{})
	if refusal, ok := errors.AsType[smithy.APIError](err); !ok || refusal.ErrorCode() != "InvalidSignatureException" {
		t.Errorf("with another secret: %v, want InvalidSignatureException", err)
	}
}

// order runs an order that is approved by who has the token of its task, and
// one that is stopped.
func order(c *caller) {
	definition, input := aws.String(read(c.t, "order-approval.asl.json")), aws.String(read(c.t, "input.json"))
	machine := call(c, c.CreateStateMachine, sfn.CreateStateMachineInput{
		Name: aws.String("order-approval"), Definition: definition, RoleArn: aws.String(role), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("sales")}},
	}).StateMachineArn
	same(c, *machine, base+":stateMachine:order-approval")
	x := call(c, c.StartExecution, sfn.StartExecutionInput{StateMachineArn: machine, Name: aws.String("first"), Input: input}).ExecutionArn
	same(c, *x, base+":execution:order-approval:first")
	call(c, c.SendTaskSuccess, sfn.SendTaskSuccessInput{TaskToken: awaitToken(c, x), Output: aws.String(`{"approved":true}`)})
	d := ended(c, x)
	same(c, d.Status, types.ExecutionStatusSucceeded)
	same(c, aws.ToString(d.Output), `[{"sku":"book","parcel":"P-001"},{"sku":"lamp","parcel":"P-002"},{"sku":"chair","parcel":"P-003"}]`)
	history(c, x)
	same(c, *call(c, c.DescribeStateMachineForExecution, sfn.DescribeStateMachineForExecutionInput{ExecutionArn: x}).Definition, *definition)

	stopped := call(c, c.StartExecution, sfn.StartExecutionInput{StateMachineArn: machine, Name: aws.String("stopped"), Input: input}).ExecutionArn
	call(c, c.StopExecution, sfn.StopExecutionInput{ExecutionArn: stopped, Error: aws.String("Changed"), Cause: aws.String("mind")})
	d = ended(c, stopped)
	same(c, d.Status, types.ExecutionStatusAborted)
	same(c, aws.ToString(d.Error)+" "+aws.ToString(d.Cause), "Changed mind")
	list := call(c, c.ListExecutions, sfn.ListExecutionsInput{StateMachineArn: machine}).Executions
	if len(list) != 2 || *list[0].Name != "stopped" || *list[1].Name != "first" || list[0].StopDate == nil {
		c.t.Errorf("the executions are %+v", list)
	}
	m := call(c, c.DescribeStateMachine, sfn.DescribeStateMachineInput{StateMachineArn: machine})
	same(c, *m.Definition, *definition)
	same(c, m.Status, types.StateMachineStatusActive)
	refused[*types.InvalidExecutionInput](c, c.StartExecution, sfn.StartExecutionInput{StateMachineArn: machine, Input: aws.String("not json")})

	same(c, len(call(c, c.ListMapRuns, sfn.ListMapRunsInput{ExecutionArn: x}).MapRuns), 0)
	run := aws.String(base + ":mapRun:order-approval/M:00000000-0000-4000-8000-000000000000")
	same(c, *refused[*types.ResourceNotFound](c, c.DescribeMapRun, sfn.DescribeMapRunInput{MapRunArn: run}).ResourceName, *run)
	same(c, *refused[*types.ResourceNotFound](c, c.UpdateMapRun, sfn.UpdateMapRunInput{MapRunArn: run, MaxConcurrency: aws.Int32(2)}).ResourceName, *run)
}

// awaitToken follows the history to the task that waits, and takes its token
// from its parameters, as the function that is handed it would.
func awaitToken(c *caller, arn *string) *string {
	c.t.Helper()
	for c.ctx.Err() == nil {
		events := call(c, c.GetExecutionHistory, sfn.GetExecutionHistoryInput{ExecutionArn: arn, ReverseOrder: true}).Events
		i := slices.IndexFunc(events, func(ev types.HistoryEvent) bool { return ev.TaskScheduledEventDetails != nil })
		if i >= 0 && events[0].Type == types.HistoryEventTypeTaskSubmitted {
			var parameters struct{ Payload struct{ Token string } }
			if err := json.Unmarshal([]byte(*events[i].TaskScheduledEventDetails.Parameters), &parameters); err != nil {
				c.t.Fatal(err)
			}
			return &parameters.Payload.Token
		}
		<-time.After(50 * time.Millisecond)
	}
	c.t.Fatal("no task waits for its token")
	return nil
}

// ended waits for the end of an execution.
func ended(c *caller, arn *string) *sfn.DescribeExecutionOutput {
	c.t.Helper()
	for {
		d := call(c, c.DescribeExecution, sfn.DescribeExecutionInput{ExecutionArn: arn})
		if d.Status != types.ExecutionStatusRunning {
			return d
		}
		<-time.After(50 * time.Millisecond)
	}
}

// history reads all pages of a history.
func history(c *caller, arn *string) {
	c.t.Helper()
	next := int64(1)
	pages := sfn.NewGetExecutionHistoryPaginator(c, &sfn.GetExecutionHistoryInput{ExecutionArn: arn, MaxResults: 10})
	for pages.HasMorePages() {
		page, err := pages.NextPage(c.ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, ev := range page.Events {
			same(c, ev.Id, next)
			next++
		}
	}
	if next < 60 {
		c.t.Errorf("only %d events", next-1)
	}
}

// redriven runs an activity whose worker fails, and does it when it is asked
// again.
func redriven(c *caller) (activity, worked *string) {
	activity = call(c, c.CreateActivity, sfn.CreateActivityInput{Name: aws.String("work"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("sales")}}}).ActivityArn
	same(c, *activity, base+":activity:work")
	same(c, *call(c, c.ListActivities, sfn.ListActivitiesInput{}).Activities[0].Name, "work")
	same(c, *call(c, c.DescribeActivity, sfn.DescribeActivityInput{ActivityArn: activity}).Name, "work")
	call(c, c.TagResource, sfn.TagResourceInput{ResourceArn: activity, Tags: []types.Tag{{Key: aws.String("site"), Value: aws.String("Jena")}}})
	call(c, c.UntagResource, sfn.UntagResourceInput{ResourceArn: activity, TagKeys: []string{"team"}})
	tags := call(c, c.ListTagsForResource, sfn.ListTagsForResourceInput{ResourceArn: activity}).Tags
	if len(tags) != 1 || *tags[0].Key != "site" || *tags[0].Value != "Jena" {
		c.t.Errorf("the tags are %+v", tags)
	}

	definition := `{"StartAt":"Work","States":{"Work":{"Type":"Task","Resource":"` + *activity + `","HeartbeatSeconds":600,"End":true}}}`
	worked = call(c, c.CreateStateMachine, sfn.CreateStateMachineInput{Name: aws.String("work"), Definition: &definition, RoleArn: aws.String(role)}).StateMachineArn
	x := call(c, c.StartExecution, sfn.StartExecutionInput{StateMachineArn: worked, Input: aws.String(`{"n":1}`)}).ExecutionArn
	task := call(c, c.GetActivityTask, sfn.GetActivityTaskInput{ActivityArn: activity, WorkerName: aws.String("go")})
	same(c, aws.ToString(task.Input), `{"n":1}`)
	call(c, c.SendTaskHeartbeat, sfn.SendTaskHeartbeatInput{TaskToken: task.TaskToken})
	call(c, c.SendTaskFailure, sfn.SendTaskFailureInput{TaskToken: task.TaskToken, Error: aws.String("Broken"), Cause: aws.String("a leg")})
	d := ended(c, x)
	same(c, d.Status, types.ExecutionStatusFailed)
	same(c, aws.ToString(d.Error)+": "+aws.ToString(d.Cause), "Broken: a leg")
	same(c, d.RedriveStatus, types.ExecutionRedriveStatusRedrivable)
	refused[*types.TaskTimedOut](c, c.SendTaskHeartbeat, sfn.SendTaskHeartbeatInput{TaskToken: task.TaskToken})
	if at := call(c, c.RedriveExecution, sfn.RedriveExecutionInput{ExecutionArn: x}).RedriveDate; at.Before(*d.StopDate) {
		c.t.Errorf("redriven at %v, which was before it failed at %v", at, d.StopDate)
	}
	task = call(c, c.GetActivityTask, sfn.GetActivityTaskInput{ActivityArn: activity})
	call(c, c.SendTaskSuccess, sfn.SendTaskSuccessInput{TaskToken: task.TaskToken, Output: aws.String(`"done"`)})
	d = ended(c, x)
	same(c, d.Status, types.ExecutionStatusSucceeded)
	same(c, aws.ToString(d.Output), `"done"`)
	same(c, aws.ToInt32(d.RedriveCount), 1)
	refused[*types.ExecutionNotRedrivable](c, c.RedriveExecution, sfn.RedriveExecutionInput{ExecutionArn: x})
	return activity, worked
}

// versions publishes two versions and leads an alias from one to the other.
func versions(c *caller, machine *string) {
	first := call(c, c.PublishStateMachineVersion, sfn.PublishStateMachineVersionInput{StateMachineArn: machine, Description: aws.String("first")}).StateMachineVersionArn
	updated := call(c, c.UpdateStateMachine, sfn.UpdateStateMachineInput{StateMachineArn: machine, RoleArn: aws.String(role + "2"), Publish: true, VersionDescription: aws.String("second")})
	second := updated.StateMachineVersionArn
	same(c, *first+" "+*second, *machine+":1 "+*machine+":2")
	same(c, len(aws.ToString(updated.RevisionId)), 36)
	refused[*types.ConflictException](c, c.PublishStateMachineVersion, sfn.PublishStateMachineVersionInput{StateMachineArn: machine, RevisionId: aws.String("INITIAL")})
	list := call(c, c.ListStateMachineVersions, sfn.ListStateMachineVersionsInput{StateMachineArn: machine}).StateMachineVersions
	if len(list) != 2 || *list[0].StateMachineVersionArn != *second {
		c.t.Errorf("the versions are %+v", list)
	}

	both := []types.RoutingConfigurationListItem{{StateMachineVersionArn: first, Weight: 90}, {StateMachineVersionArn: second, Weight: 10}}
	alias := call(c, c.CreateStateMachineAlias, sfn.CreateStateMachineAliasInput{Name: aws.String("live"), RoutingConfiguration: both}).StateMachineAliasArn
	same(c, *alias, *machine+":live")
	d := call(c, c.DescribeStateMachineAlias, sfn.DescribeStateMachineAliasInput{StateMachineAliasArn: alias})
	if len(d.RoutingConfiguration) != 2 || d.RoutingConfiguration[0].Weight != 90 || *d.RoutingConfiguration[1].StateMachineVersionArn != *second {
		c.t.Errorf("the routes are %+v", d.RoutingConfiguration)
	}
	all := []types.RoutingConfigurationListItem{{StateMachineVersionArn: second, Weight: 100}}
	call(c, c.UpdateStateMachineAlias, sfn.UpdateStateMachineAliasInput{StateMachineAliasArn: alias, RoutingConfiguration: all})
	same(c, *call(c, c.ListStateMachineAliases, sfn.ListStateMachineAliasesInput{StateMachineArn: machine}).StateMachineAliases[0].StateMachineAliasArn, *alias)
	x := call(c, c.StartExecution, sfn.StartExecutionInput{StateMachineArn: alias}).ExecutionArn
	started := call(c, c.DescribeExecution, sfn.DescribeExecutionInput{ExecutionArn: x})
	same(c, aws.ToString(started.StateMachineAliasArn)+" "+aws.ToString(started.StateMachineVersionArn), *alias+" "+*second)
	call(c, c.StopExecution, sfn.StopExecutionInput{ExecutionArn: x})

	refused[*types.ConflictException](c, c.DeleteStateMachineVersion, sfn.DeleteStateMachineVersionInput{StateMachineVersionArn: second})
	call(c, c.DeleteStateMachineAlias, sfn.DeleteStateMachineAliasInput{StateMachineAliasArn: alias})
	call(c, c.DeleteStateMachineVersion, sfn.DeleteStateMachineVersionInput{StateMachineVersionArn: second})
	refused[*types.ResourceNotFound](c, c.DescribeStateMachineAlias, sfn.DescribeStateMachineAliasInput{StateMachineAliasArn: alias})
	same(c, len(call(c, c.ListStateMachineVersions, sfn.ListStateMachineVersionsInput{StateMachineArn: machine}).StateMachineVersions), 1)
}

// atOnce calls what answers with a result: an Express execution, a state that is
// tried, a definition that is checked.
func atOnce(c *caller) {
	definition := aws.String(`{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`)
	express := call(c, c.CreateStateMachine, sfn.CreateStateMachineInput{Name: aws.String("express"), Type: types.StateMachineTypeExpress, Definition: definition, RoleArn: aws.String(role)}).StateMachineArn
	result := call(c, c.StartSyncExecution, sfn.StartSyncExecutionInput{StateMachineArn: express, Input: aws.String(`{"a":1}`)})
	same(c, result.Status, types.SyncExecutionStatusSucceeded)
	same(c, aws.ToString(result.Output), `{"a":1}`)
	same(c, result.BillingDetails.BilledMemoryUsedInMB, 64)

	tested := call(c, c.TestState, sfn.TestStateInput{
		Definition: aws.String(`{"Type":"Pass","Parameters":{"b.$":"$.a"},"Next":"B"}`), RoleArn: aws.String(role),
		Input: aws.String(`{"a":1}`), InspectionLevel: types.InspectionLevelDebug,
	})
	same(c, tested.Status, types.TestExecutionStatusSucceeded)
	same(c, aws.ToString(tested.Output)+" "+aws.ToString(tested.NextState), `{"b":1} B`)
	same(c, aws.ToString(tested.InspectionData.Input), `{"a":1}`)
	tested = call(c, c.TestState, sfn.TestStateInput{
		Definition: aws.String(`{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true}`),
		Mock:       &types.MockInput{ErrorOutput: &types.MockErrorOutput{Error: aws.String("Broken"), Cause: aws.String("a leg")}},
	})
	same(c, tested.Status, types.TestExecutionStatusFailed)
	same(c, aws.ToString(tested.Error)+": "+aws.ToString(tested.Cause), "Broken: a leg")

	wrong := aws.String(`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}`)
	report := call(c, c.ValidateStateMachineDefinition, sfn.ValidateStateMachineDefinitionInput{Definition: wrong})
	if report.Result != types.ValidateStateMachineDefinitionResultCodeFail || len(report.Diagnostics) == 0 || *report.Diagnostics[0].Code != "MISSING_TRANSITION_TARGET" {
		c.t.Errorf("the report is %v %+v", report.Result, report.Diagnostics)
	}
	same(c, call(c, c.ValidateStateMachineDefinition, sfn.ValidateStateMachineDefinitionInput{Definition: definition}).Result, types.ValidateStateMachineDefinitionResultCodeOk)
}

// deleted deletes all that there is.
func deleted(c *caller, activity *string) {
	machines := call(c, c.ListStateMachines, sfn.ListStateMachinesInput{}).StateMachines
	same(c, len(machines), 3)
	for _, m := range machines {
		call(c, c.DeleteStateMachine, sfn.DeleteStateMachineInput{StateMachineArn: m.StateMachineArn})
	}
	for len(call(c, c.ListStateMachines, sfn.ListStateMachinesInput{}).StateMachines) > 0 {
		<-time.After(50 * time.Millisecond)
	}
	refused[*types.StateMachineDoesNotExist](c, c.DescribeStateMachine, sfn.DescribeStateMachineInput{StateMachineArn: machines[0].StateMachineArn})
	call(c, c.DeleteActivity, sfn.DeleteActivityInput{ActivityArn: activity})
	refused[*types.ActivityDoesNotExist](c, c.DescribeActivity, sfn.DescribeActivityInput{ActivityArn: activity})
}
