package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/awssdk"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/value"
)

// testTimeout is how long a tested state may take (AWS's quota).
const testTimeout = 5 * time.Minute

// testedName is the name of a state that is given without one.
const testedName = "StateName"

// invalid is a ValidationException.
func invalid(message string) error { return server.Fail("ValidationException", message) }

// testState tries one state by itself.
func (a *api) testState(ctx context.Context, r *server.Request) ([]byte, error) {
	var spec interpreter.TrialSpec
	var err error
	if waited := a.inTurn(ctx, r, len(r.Str("definition"))+len(r.Str("input")), func() { spec, err = a.trialSpec(r) }); waited != nil || err != nil {
		return nil, errors.Join(waited, err)
	}
	mock := r.Input.Get("mock")
	if err := checkMock(spec.State, r, mock); err != nil {
		return nil, err
	}
	if task, ok := spec.State.(*asl.Task); ok && !r.Has("mock") {
		if err := a.performed(task); err != nil {
			return nil, err
		}
	}
	p := &pacing{engine: a.Engine, tenant: tenant(r)}
	spec.Env.Pace = func(work, held int64) error { return p.pace(work, held) }
	trial := interpreter.NewTrial(spec)
	var task *interpreter.Effect
	var done *interpreter.TrialResult
	if err := p.evaluate(ctx, func() { task, done = trial.Begin() }); err != nil {
		return nil, err
	}
	if done != nil {
		return testResult(r, done), nil
	}
	end := func() interpreter.TrialResult { return mocked(trial, mock) }
	if !r.Has("mock") {
		end = a.perform(ctx, r, spec, trial, task)
	}
	var result interpreter.TrialResult
	if err := p.evaluate(ctx, func() { result = end() }); err != nil {
		return nil, err
	}
	if result.Interrupted != nil {
		return nil, result.Interrupted
	}
	return testResult(r, &result), nil
}

// evaluationTimeout bounds what the expressions of a tested state take, waiting
// for others included.
const evaluationTimeout = 30 * time.Second

// pacing paces the evaluations of one test.
type pacing struct {
	engine *engine.Engine
	tenant catalogue.Tenant
	pace   func(work, held int64) error
}

// evaluate does something that evaluates, as long as the caller is there.
func (p *pacing) evaluate(ctx context.Context, do func()) error {
	bound, cancel := context.WithTimeoutCause(ctx, evaluationTimeout, invalid("The expressions of the state take longer than "+evaluationTimeout.String()+"."))
	defer cancel()
	pace, done := p.engine.Paced(bound, p.tenant)
	defer done()
	p.pace = pace
	do()
	return context.Cause(bound)
}

// trialSpec reads what is to be tried.
func (a *api) trialSpec(r *server.Request) (interpreter.TrialSpec, error) {
	name, machine := a.Catalogue.UUID(), a.Catalogue.UUID()
	t := tenant(r)
	spec := interpreter.TrialSpec{
		Info: interpreter.Info{
			ARN: t.ARN("express", machine+":"+name), Name: name, StateMachineARN: t.ARN("stateMachine", machine), MachineName: machine,
			RoleARN: r.Str("roleArn"), Region: t.Region, Express: true, Seed: uint64(a.Engine.Now().UnixNano()),
		},
		Env: interpreter.Env{Now: a.Engine.Now(), Limits: interpreter.AWSLimits, Token: func(int64) string { return name }},
	}
	var err error
	if spec.State, spec.Iterated, err = testedState(r); err != nil {
		return spec, err
	}
	input := "{}"
	if r.Has("input") {
		input = r.Str("input")
	}
	if spec.Input, err = value.ParseText(input); err != nil {
		return spec, invalidInput(input)
	}
	if spec.Variables, err = testedVariables(r); err != nil {
		return spec, err
	}
	if spec.Context, err = testedContext(r); err != nil {
		return spec, err
	}
	spec.Mocked = r.Has("mock")
	configuration := r.Input.Get("stateConfiguration")
	spec.Retries, _ = configuration.Get("retrierRetryCount").Int64()
	spec.Failures, _ = configuration.Get("mapIterationFailureCount").Int64()
	if data := configuration.Get("mapItemReaderData"); data.Kind() == value.String {
		spec.ReaderData = new(data.Str())
	}
	return spec, checkOrigin(spec.State, configuration.Get("errorCausedByState").Str())
}

// checkOrigin refuses an error that is said to come from a state that is not
// inside of the tested one.
func checkOrigin(st asl.State, name string) error {
	if name == "" || asl.Contains(st, name) {
		return nil
	}
	return invalid("State not found in definition")
}

// testedState reads the state: the whole definition, or one of its states.
func testedState(r *server.Request) (st asl.State, iterated bool, err error) {
	text := []byte(value.EscapeHalves(r.Str("definition")))
	if r.Has("stateName") {
		m, diagnostics := asl.Parse(text)
		if m == nil {
			return nil, false, server.Fail("InvalidDefinition", asl.InvalidDefinition(diagnostics))
		}
		if st, iterated = m.Find(r.Str("stateName")); st == nil {
			return nil, false, invalid("State not found in definition")
		}
		return st, iterated, nil
	}
	v, err := value.Decode(text)
	if err != nil || v.Kind() != value.Object {
		_, diagnostics := asl.Parse(text)
		return nil, false, server.Fail("InvalidDefinition", asl.InvalidDefinition(diagnostics))
	}
	st, diagnostics := asl.ParseState(testedName, v)
	if st == nil {
		return nil, false, server.Fail("InvalidDefinition", asl.InvalidDefinition(diagnostics))
	}
	return st, false, nil
}

// testedVariables reads the variables that are assigned before the state is entered.
func testedVariables(r *server.Request) ([]history.Variable, error) {
	if !r.Has("variables") {
		return nil, nil
	}
	v, err := value.DecodeString(r.Str("variables"))
	if err != nil || v.Kind() != value.Object {
		return nil, invalid("Variables must be a valid JSON object")
	}
	vars := make([]history.Variable, v.Len())
	for i, name := range v.Names() {
		vars[i] = history.Variable{Name: name, Value: value.DocOf(v.At(i))}
	}
	return vars, nil
}

// contextFields are the fields of a Context Object and their types.
var contextFields = map[string]map[string]value.Kind{
	"Execution": {
		"Id": value.String, "Input": value.Undefined, "Name": value.String, "RoleArn": value.String, "StartTime": value.String,
		"RedriveCount": value.Number, "RedriveTime": value.String,
	},
	"State":        {"EnteredTime": value.String, "Name": value.String, "RetryCount": value.Number},
	"StateMachine": {"Id": value.String, "Name": value.String},
	"Task":         {"Token": value.String},
}

// testedContext checks the Context Object that a mock may bring along.
func testedContext(r *server.Request) (value.Value, error) {
	if !r.Has("context") {
		return value.Value{}, nil
	}
	const wrong = "Invalid Context object provided: "
	v, err := value.DecodeString(r.Str("context"))
	if err != nil || v.Kind() != value.Object {
		return v, invalid(wrong + "Context must be a valid JSON object")
	}
	if !r.Has("mock") {
		return v, invalid("Context is only supported when a mock is specified")
	}
	for i, name := range v.Names() {
		fields, known := contextFields[name]
		part := v.At(i)
		switch {
		case name == "Map":
			return v, invalid(wrong + "'Map' field is not supported when mocking a Context object")
		case !known:
			return v, invalid(wrong + "Field '" + name + "' is not allowed")
		case part.Kind() != value.Object:
			return v, invalid(wrong + name + " must be an object")
		}
		for j, field := range part.Names() {
			kind, known := fields[field]
			switch {
			case !known:
				return v, invalid(wrong + "Field '" + field + "' is not allowed")
			case kind != value.Undefined && part.At(j).Kind() != kind:
				return v, invalid(wrong + name + "." + field + " must be a " + kind.String())
			}
		}
	}
	return v, nil
}

// checkMock holds a mock, or that there is none, against the state.
func checkMock(st asl.State, r *server.Request, mock value.Value) error {
	parallel, isParallel := st.(*asl.Parallel)
	mapped, isMap := st.(*asl.Map)
	task, isTask := st.(*asl.Task)
	if !r.Has("mock") {
		switch {
		case isParallel, isMap:
			return server.Fail("InvalidDefinition", "TestState API does not support Map or Parallel states. "+
				"Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]")
		case isTask && !r.Has("roleArn"):
			return invalid("RoleArn must be specified when testing a Task state")
		case isTask:
			return testable(task)
		}
		return nil
	}
	switch {
	case !isParallel && !isMap && !isTask:
		return invalid("State type '" + st.Base().Type + "' is not supported when a mock is specified")
	case r.Input.Get("revealSecrets").Bool():
		return invalid("RevealSecrets is not supported when a mock is specified")
	}
	text, failed := mock.Get("result"), mock.Get("errorOutput")
	given := func(v value.Value) bool { return v.Kind() != value.Undefined && v.Kind() != value.Null }
	switch {
	case given(text) && given(failed):
		return invalid("A test mock should have only one of the following fields: [result, errorOutput].")
	case !given(text) && !given(failed):
		return invalid("A test mock must have one of the following fields: [result, errorOutput].")
	case !given(text) && !given(failed.Get("error")):
		return invalid("A mocked errorOutput must have the following field: [error].")
	case !given(text):
		return nil
	}
	result, err := value.DecodeString(text.Str())
	switch {
	case err != nil:
		return invalid("Mocked result must be valid JSON")
	case isMap && mapped.Distributed != nil && mapped.Distributed.ResultWriter != nil:
		if result.Kind() != value.Object {
			return invalid("Mocked result must be a JSON object.")
		}
	case (isParallel || isMap) && result.Kind() != value.Array:
		return invalid("Mocked result must be an array.")
	case isParallel && result.Len() != len(parallel.Branches):
		return invalid("Mocked result must contain the same number of items as number of Parallel branches.")
	case isTask:
		return checkModel(task, result, mock)
	}
	return nil
}

// checkModel holds a mocked result against the model of the API that the task
// calls.
func checkModel(task *asl.Task, result, mock value.Value) error {
	mode := awssdk.Strict
	if given := mock.Get("fieldValidationMode").Str(); given != "" {
		mode = awssdk.Mode(given)
	}
	resource, _ := asl.ParseResource(task.Resource)
	response := awssdk.ResponseOf(resource)
	switch {
	case mode == awssdk.None || response == nil:
		return nil
	case result.Kind() != value.Object:
		return invalid("Mocked result must be a JSON object.")
	}
	if wrong := response.Check(result, mode); wrong != "" {
		return invalid("Mock result schema validation error: " + wrong)
	}
	return nil
}

// testable refuses the tasks that no worker would answer.
func testable(task *asl.Task) error {
	resource, _ := asl.ParseResource(task.Resource)
	if resource.Kind == asl.ActivityResource || resource.Pattern != asl.RequestResponse {
		return server.Fail("InvalidDefinition", "TestState API does not support activities, '.sync' or '.waitForTaskToken' service integrations without a mock")
	}
	return nil
}

// performed refuses a task that nothing here performs.
func (a *api) performed(task *asl.Task) error {
	diagnostics := asl.TaskLacking(task, a.offer())
	if message := asl.InvalidDefinition(diagnostics); message != "" {
		return server.Fail("InvalidDefinition", message)
	}
	return nil
}

// mocked is the end of a trial whose work a mock stands for.
func mocked(trial *interpreter.Trial, mock value.Value) interpreter.TrialResult {
	if failed := mock.Get("errorOutput"); failed.Kind() == value.Object {
		output := history.ErrorOutput{Error: new(failed.Get("error").Str())}
		if cause := failed.Get("cause"); cause.Kind() == value.String {
			output.Cause = new(cause.Str())
		}
		return trial.Fail(output)
	}
	return trial.Succeed(value.NewDoc([]byte(value.EscapeHalves(mock.Get("result").Str()))))
}

// perform has the work of a Task state done. It returns what the trial makes of the
// outcome.
func (a *api) perform(ctx context.Context, r *server.Request, spec interpreter.TrialSpec, trial *interpreter.Trial, task *interpreter.Effect) func() interpreter.TrialResult {
	timeout := testTimeout
	if task.Timeout > 0 {
		timeout = min(timeout, time.Duration(task.Timeout)*time.Second)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	i, err := a.Integrations.Lookup(task.Resource)
	if err == nil {
		var output *value.Doc
		output, err = i.Perform(ctx, integration.Task{
			Resource: task.Resource, Input: task.Input, Idempotency: strings.ReplaceAll(spec.Info.Name, "-", ""),
			ExecutionARN: spec.Info.ARN, StateMachineARN: spec.Info.StateMachineARN, StateName: task.StateName,
			Account: r.Account, Region: r.Region, TimeoutSeconds: task.Timeout, Credentials: task.Credentials,
			MaxBytes: interpreter.AWSLimits.PayloadBytes,
		})
		if err == nil {
			return func() interpreter.TrialResult { return trial.Succeed(output) }
		}
	}
	failed := history.ErrorOutput{Error: new("States.Timeout")}
	if ctx.Err() == nil {
		f := integration.FailureOf(err)
		failed = history.ErrorOutput{Error: &f.Error, Cause: &f.Cause}
	}
	return func() interpreter.TrialResult { return trial.Fail(failed) }
}

// testResult writes the answer. Without an inspection level there is none.
func testResult(r *server.Request, result *interpreter.TrialResult) []byte {
	var o server.Object
	o.Doc("output", result.Output).Ptr("error", result.Failure.Error).Ptr("cause", result.Failure.Cause)
	if slices.Contains([]string{"DEBUG", "TRACE"}, r.Str("inspectionLevel")) {
		o.Raw("inspectionData", result.Inspection.Append(nil))
	}
	return o.Opt("nextState", result.Next).Str("status", result.Status).JSON()
}
