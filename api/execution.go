package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// itoa is a number as tokens of pages hold it.
func itoa(n int) string { return strconv.Itoa(n) }

// executionDoesNotExist is the exception for an ARN that no execution has.
func executionDoesNotExist(arn string) error {
	return server.Fail("ExecutionDoesNotExist", "Execution Does Not Exist: '"+arn+"'")
}

// errEnding is answered for synchronous executions while the server ends: their
// tasks would not begin.
var errEnding = &server.Exception{
	Type: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Message: "The server is about to end: ask another one, or again.",
}

// errFull is answered while the disk is nearly full: clients try again.
var errFull = &server.Exception{
	Type: "ServiceUnavailable", Status: http.StatusServiceUnavailable,
	Message: "The disk of the data directory is nearly full: new executions are refused until there is space again.",
}

var errThrottled = server.Fail("ThrottlingException", "Rate exceeded")

// execution finds the execution that a request names, with its payloads or, where
// they are not asked for, without.
func (a *api) execution(ctx context.Context, arn string, payloads bool) (*stored.Description, error) {
	if _, err := parseARN(arn, "execution"); err != nil {
		return nil, err
	}
	describe := a.Engine.Summary
	if payloads {
		describe = a.Engine.Describe
	}
	d, err := describe(ctx, arn)
	if errors.Is(err, store.ErrNotFound) {
		return nil, executionDoesNotExist(arn)
	}
	return d, err
}

// startRequest checks what StartExecution and StartSyncExecution are given.
func (a *api) startRequest(ctx context.Context, r *server.Request) (engine.StartRequest, error) {
	var req engine.StartRequest
	if err := checkName(r.Str("name")); err != nil {
		return req, err
	}
	// Step Functions Local takes the name of a test case behind the ARN, or none.
	arn, testCase, _ := strings.Cut(r.Str("stateMachineArn"), "#")
	if _, err := unlabelled(arn); err != nil {
		return req, err
	}
	req, err := a.Engine.StartOf(ctx, arn)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return req, machineDoesNotExist(arn)
	case errors.Is(err, catalogue.ErrDeleting), err == nil && req.Machine.Deleting:
		return req, machineDeleting(arn)
	case err != nil:
		return req, err
	}
	req.Name = r.Str("name")
	if req.TraceHeader, err = traceHeader(r); err != nil {
		return req, err
	}
	input := "{}"
	if r.Has("input") {
		input = r.Str("input")
	}
	if req.Input, err = value.ParseText(input); err != nil {
		return req, invalidInput(input)
	}
	return req, a.chooseTestCase(&req, testCase)
}

// invalidInput refuses the input of an execution that is not JSON, in the words
// of the recordings: nothing at all has some of its own.
func invalidInput(input string) error {
	reason := "Invalid execution input."
	if strings.Trim(input, " \t\r\n") != "" {
		reason = value.JacksonMessage([]byte(input))
	}
	return server.Fail("InvalidExecutionInput", "Invalid State Machine Execution Input: '"+reason+"'")
}

// traceHeader returns the X-Ray trace header of a request: "If both sources are
// provided, Step Functions will use the header value (preferred) over the value in
// the request body" (API reference, StartExecution). A header that could not stand
// in the body is none, as the callers' proxies set it, not they.
func traceHeader(r *server.Request) (string, error) {
	header := r.HTTP.Header.Get("X-Amzn-Trace-Id")
	if header != "" && len(header) <= maxTraceHeader && !strings.ContainsFunc(header, notPrintable) {
		return header, nil
	}
	given := r.Str("traceHeader")
	if strings.ContainsFunc(given, unicode.IsControl) {
		return "", invalid("traceHeader must not have line breaks or other control characters: it is sent to functions as a header of HTTP")
	}
	return given, nil
}

// maxTraceHeader is how long a trace header may be, in characters (API model,
// TraceHeader).
const maxTraceHeader = 256

// notPrintable reports whether a character cannot stand in a header.
func notPrintable(c rune) bool { return c < ' ' || c > '~' }

// chooseTestCase has the tasks of an execution answered by a test case, if one is
// named.
func (a *api) chooseTestCase(req *engine.StartRequest, name string) error {
	if name == "" {
		return nil
	}
	if req.Name == "" {
		req.Name = a.Catalogue.UUID()
	}
	switch m := req.Machine; {
	case a.TestCase == nil:
		return invalid("The server has no test cases, and so none that is called '" + name + "'. Start it with --mock-config FILE, or leave the # out.")
	case !a.TestCase(m.Tenant, m.Name, req.Name, name):
		return invalid("The state machine " + m.Name + " has no test case '" + name + "' in the file of mocks.")
	}
	return nil
}

// startExecution is StartExecution. It answers when the first events are durable. The
// engine makes it idempotent by name and input while the execution runs (API reference,
// "StartExecution is idempotent for STANDARD workflows").
func (a *api) startExecution(ctx context.Context, r *server.Request) ([]byte, error) {
	req, err := a.startRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	started, err := a.Engine.Start(ctx, req)
	if errors.Is(err, catalogue.ErrDeleting) {
		return nil, machineDeleting(r.Str("stateMachineArn"))
	}
	return begun(r, started, err)
}

// begun answers for an execution that was started, or could not be.
func begun(r *server.Request, started engine.Started, err error) ([]byte, error) {
	switch {
	case errors.Is(err, engine.ErrAlreadyExists):
		return nil, server.Fail("ExecutionAlreadyExists", "Execution Already Exists: '"+started.ARN+"'")
	case errors.Is(err, engine.ErrBusy), errors.Is(err, store.ErrBusy):
		return nil, errThrottled
	case errors.Is(err, store.ErrFull):
		return nil, errFull
	case err != nil:
		return nil, err
	}
	r.About = append(r.About, started.ARN)
	var o server.Object
	return o.Str("executionArn", started.ARN).Time("startDate", started.At).JSON(), nil
}

// stopExecution is StopExecution. The answer has the time at which the execution ended:
// that of its end, where it has ended before.
func (a *api) stopExecution(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("executionArn")
	if _, err := parseARN(arn, "execution"); err != nil {
		return nil, err
	}
	at, err := a.Engine.Stop(ctx, arn, failure(r))
	if errors.Is(err, store.ErrNotFound) {
		return nil, executionDoesNotExist(arn)
	}
	if err != nil {
		return nil, err
	}
	var o server.Object
	return o.Time("stopDate", at).JSON(), nil
}

// failure reads the members error and cause.
func failure(r *server.Request) history.ErrorOutput {
	var f history.ErrorOutput
	if r.Has("error") {
		f.Error = new(r.Str("error"))
	}
	if r.Has("cause") {
		f.Cause = new(r.Str("cause"))
	}
	return f
}

// metadataOnly reports whether no payloads are asked for. What has none needs no
// key.
func metadataOnly(r *server.Request) bool { return r.Str("includedData") == "METADATA_ONLY" }

var dataIncluded = []byte(`{"included":true}`)

// describeExecution is DescribeExecution. Without payloads (includedData METADATA_ONLY)
// it needs no key of the customer's.
func (a *api) describeExecution(ctx context.Context, r *server.Request) ([]byte, error) {
	payloads := !metadataOnly(r)
	d, err := a.execution(ctx, r.Str("executionArn"), payloads)
	if err != nil {
		return nil, err
	}
	var o server.Object
	o.Str("executionArn", d.ARN).Str("stateMachineArn", d.MachineARN).Str("name", d.Name)
	o.Str("status", d.Status.String()).Time("startDate", d.Start).Time("stopDate", d.Stop)
	if payloads {
		o.Doc("input", d.Input).Raw("inputDetails", dataIncluded)
		if d.Output != nil {
			o.Doc("output", d.Output).Raw("outputDetails", dataIncluded)
		}
		if d.Status != store.TimedOut { // that it was States.Timeout stands in its history only, on AWS
			o.Ptr("error", d.Failure.Error).Ptr("cause", d.Failure.Cause)
		}
	}
	o.Opt("traceHeader", d.TraceHeader).Opt("stateMachineVersionArn", d.VersionARN).Opt("stateMachineAliasArn", d.AliasARN)
	o.Int("redriveCount", int64(d.Redrives)).Time("redriveDate", d.Redriven)
	if reason := a.Engine.NotRedrivable(d); reason != "" {
		o.Str("redriveStatus", "NOT_REDRIVABLE").Str("redriveStatusReason", reason)
	} else {
		o.Str("redriveStatus", "REDRIVABLE")
	}
	return o.JSON(), nil
}

// listExecutions is ListExecutions, newest start first, of a machine, a version or an
// alias. There are no executions of Express machines to list (API reference).
func (a *api) listExecutions(ctx context.Context, r *server.Request) ([]byte, error) {
	arn, status := r.Str("stateMachineArn"), r.Str("statusFilter")
	if r.Has("mapRunArn") == r.Has("stateMachineArn") {
		return nil, server.Fail("ValidationException", "Must specify either a StateMachineArn or a MapRunArn")
	}
	if r.Has("mapRunArn") {
		return nil, a.noMapRun(r.Str("mapRunArn"))
	}
	if status == "PENDING_REDRIVE" || r.Has("redriveFilter") {
		return nil, server.Fail("ValidationException", "PENDING_REDRIVE and redriveFilter need a MapRunArn")
	}
	if _, err := unlabelled(arn); err != nil {
		return nil, err
	}
	t, err := a.target(ctx, arn)
	if err != nil {
		return nil, err
	}
	if t.Machine.Type == catalogue.Express {
		return nil, typeNotSupported
	}
	asked := arn + "?" + status
	after, err := a.position(r, asked)
	if err != nil {
		return nil, err
	}
	var list []*stored.Description
	var next string
	if t.Version > 0 || t.Alias != nil {
		list, next, err = a.Engine.ListQualified(ctx, t.Machine, arn, store.StatusOf(status), pageSize(r), after)
	} else {
		list, next, err = a.Engine.List(ctx, t.Machine, store.StatusOf(status), pageSize(r), after)
	}
	if err != nil {
		return nil, err
	}
	var o server.Object
	o.List("executions", len(list), func(dst []byte, i int) []byte { return append(dst, listItem(list[i])...) })
	if next != "" {
		o.Str("nextToken", a.nextToken(r, asked, next))
	}
	return o.JSON(), nil
}

// listItem is an execution in the answer of ListExecutions.
func listItem(d *stored.Description) []byte { return executionItem(d).JSON() }

// executionItem begins what lists show of an execution.
func executionItem(d *stored.Description) *server.Object {
	o := new(server.Object)
	o.Str("executionArn", d.ARN).Str("stateMachineArn", d.MachineARN).Str("name", d.Name)
	o.Str("status", d.Status.String()).Time("startDate", d.Start).Time("stopDate", d.Stop)
	o.Opt("stateMachineVersionArn", d.VersionARN).Opt("stateMachineAliasArn", d.AliasARN)
	return o.Int("redriveCount", int64(d.Redrives)).Time("redriveDate", d.Redriven)
}

// historyBytes bounds the payloads of a page of a history.
const historyBytes = 1 << 20

// getExecutionHistory is GetExecutionHistory. A page ends with its maxResults or with so
// many bytes of payloads as historyBytes, whichever comes first: "The actual number of
// results returned per call might be fewer than the specified maximum" (API reference).
func (a *api) getExecutionHistory(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("executionArn")
	if _, err := parseARN(arn, "execution"); err != nil {
		return nil, err
	}
	id, err := a.Engine.Find(ctx, arn)
	if errors.Is(err, store.ErrNotFound) {
		return nil, executionDoesNotExist(arn)
	}
	if err != nil {
		return nil, err
	}
	reverse := r.Bool("reverseOrder", false)
	data := r.Bool("includeExecutionData", true)
	asked := arn + "?" + strconv.FormatBool(reverse) + strconv.FormatBool(data)
	at, err := a.position(r, asked)
	if err != nil {
		return nil, err
	}
	from, _ := strconv.ParseInt(at, 10, 64)
	events, more, err := a.Engine.History(ctx, id, from, pageSize(r), historyBytes, reverse)
	if err != nil {
		return nil, err
	}
	var o server.Object
	err = a.inTurn(ctx, r, engine.PayloadBytes(events), func() {
		o.List("events", len(events), func(dst []byte, i int) []byte { return events[i].AppendJSON(dst, data) })
	})
	if err != nil {
		return nil, err
	}
	if more {
		next := events[len(events)-1].ID + 1
		if reverse {
			next -= 2
		}
		o.Str("nextToken", a.nextToken(r, asked, strconv.FormatInt(next, 10)))
	}
	return o.JSON(), nil
}

var typeNotSupported = server.Fail("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")

// billedMemory is what the smallest Express execution is billed for, in MB.
const billedMemory = 64

// startSyncExecution is StartSyncExecution: it runs an Express execution in the request
// itself and answers with its end. An execution that fails is an answer, not an exception.
func (a *api) startSyncExecution(ctx context.Context, r *server.Request) ([]byte, error) {
	req, err := a.startRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	if req.Machine.Type != catalogue.Express {
		return nil, typeNotSupported
	}
	if a.Engine.Draining() {
		return nil, errEnding
	}
	result, err := a.Engine.StartSync(ctx, req)
	switch {
	case errors.Is(err, engine.ErrBusy):
		return nil, errThrottled
	case err != nil && a.Engine.Draining() && ctx.Err() == nil:
		return nil, errEnding
	}
	if err != nil {
		return nil, err
	}
	var o server.Object
	o.Str("executionArn", result.ARN).Str("stateMachineArn", req.Machine.ARN()).Str("name", result.Name)
	o.Time("startDate", result.Start).Time("stopDate", result.Stop).Str("status", syncStatus(result))
	o.Ptr("error", result.Failure.Error).Ptr("cause", result.Failure.Cause)
	if !metadataOnly(r) {
		o.Doc("input", req.Input).Raw("inputDetails", dataIncluded)
		if result.Output != nil {
			o.Doc("output", result.Output).Raw("outputDetails", dataIncluded)
		}
	}
	o.Opt("traceHeader", req.TraceHeader)
	billed := (result.Stop.Sub(result.Start).Milliseconds() + 99) / 100 * 100
	var billing server.Object
	billing.Int("billedMemoryUsedInMB", billedMemory).Int("billedDurationInMilliseconds", max(billed, 100))
	return o.Raw("billingDetails", billing.JSON()).JSON(), nil
}
