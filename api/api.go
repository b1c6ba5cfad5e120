// Package api is the Step Functions API (2016-11-23): its operations, one file
// for each kind of resource, and its exceptions.
//
// It checks what callers send, in AWS's order and words, and reports to them what
// the engine and the store know. It decides nothing about executions.
//
// Stability: may move in any minor release.
package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
)

// Config is what the API is made of. Engine, Integrations and Port are required.
type Config struct {
	Engine *engine.Engine
	// Catalogue is the engine's, which is taken when it is nil.
	Catalogue    *catalogue.Catalogue
	Integrations *integration.Registry
	// Port is where it is served.
	Port *server.Port
	// TestCase notes that an execution which is about to be started has its tasks
	// answered by a test case. It is false when there is none of that name; nil: there
	// are none.
	TestCase func(t catalogue.Tenant, machine, execution, testCase string) bool
	// Quotas has callers throttled as on AWS.
	Quotas bool
	// ActivityPoll is how long GetActivityTask waits for a task; 60 seconds,
	// as on AWS, when 0.
	ActivityPoll time.Duration
}

// maxBody bounds a request: a definition of 1 MiB, escaped, and some more.
const maxBody = 4 << 20

// API is the service: an http.Handler for the operations of Step Functions.
type API struct {
	*server.Server
	resources http.Handler
}

// Resources returns what stands beside AWS's API, and the beginning of its paths.
func (a *API) Resources() (prefix string, handler http.Handler) { return v1Prefix, a.resources }

type api struct {
	Config
}

// New returns the service at its port.
func New(cfg Config) *API {
	if cfg.Catalogue == nil {
		cfg.Catalogue = cfg.Engine.Catalogue()
	}
	if cfg.ActivityPoll == 0 {
		cfg.ActivityPoll = 60 * time.Second
	}
	a := &api{cfg}
	s := &server.Server{
		Port: cfg.Port, Service: "states", Prefix: "AWSStepFunctions.", MaxBody: maxBody,
		Model: model, Operations: a.operations(), Reads: reads, Weigh: weight,
	}
	if cfg.Quotas {
		s.Admit = newQuotas(time.Now).admit
	}
	mux := http.NewServeMux()
	a.v1(mux, s)
	return &API{s, mux}
}

// operations is the table of all operations.
func (a *api) operations() map[string]server.Handler {
	table := map[string]server.Handler{
		"CreateActivity":                   a.createActivity,
		"CreateStateMachine":               a.createStateMachine,
		"CreateStateMachineAlias":          a.createStateMachineAlias,
		"DeleteActivity":                   a.deleteActivity,
		"DeleteStateMachine":               a.deleteStateMachine,
		"DeleteStateMachineAlias":          a.deleteStateMachineAlias,
		"DeleteStateMachineVersion":        a.deleteStateMachineVersion,
		"DescribeActivity":                 a.describeActivity,
		"DescribeExecution":                a.describeExecution,
		"DescribeMapRun":                   a.describeMapRun,
		"DescribeStateMachine":             a.describeStateMachine,
		"DescribeStateMachineAlias":        a.describeStateMachineAlias,
		"DescribeStateMachineForExecution": a.describeStateMachineForExecution,
		"GetActivityTask":                  a.getActivityTask,
		"GetExecutionHistory":              a.getExecutionHistory,
		"ListActivities":                   a.listActivities,
		"ListExecutions":                   a.listExecutions,
		"ListMapRuns":                      a.listMapRuns,
		"ListStateMachineAliases":          a.listStateMachineAliases,
		"ListStateMachineVersions":         a.listStateMachineVersions,
		"ListStateMachines":                a.listStateMachines,
		"ListTagsForResource":              a.listTagsForResource,
		"PublishStateMachineVersion":       a.publishStateMachineVersion,
		"RedriveExecution":                 a.redriveExecution,
		"SendTaskFailure":                  a.sendTaskFailure,
		"SendTaskHeartbeat":                a.sendTaskHeartbeat,
		"SendTaskSuccess":                  a.sendTaskSuccess,
		"StartExecution":                   a.startExecution,
		"StartSyncExecution":               a.startSyncExecution,
		"StopExecution":                    a.stopExecution,
		"TagResource":                      a.tagResource,
		"TestState":                        a.testState,
		"UntagResource":                    a.untagResource,
		"UpdateMapRun":                     a.updateMapRun,
		"UpdateStateMachine":               a.updateStateMachine,
		"UpdateStateMachineAlias":          a.updateStateMachineAlias,
		"ValidateStateMachineDefinition":   a.validateStateMachineDefinition,
	}
	for name, handle := range table {
		table[name] = ofTenant(handle)
	}
	return table
}

// ofTenant performs an operation in the context of the caller's tenant, so that
// it sees nothing of others. Any operation may find that a key is missing.
func ofTenant(handle server.Handler) server.Handler {
	return func(ctx context.Context, r *server.Request) ([]byte, error) {
		answer, err := handle(catalogue.For(ctx, tenant(r)), r)
		if missing, ok := errors.AsType[*catalogue.KeyError](err); ok {
			return nil, kmsAccessDenied(missing)
		}
		if full, ok := errors.AsType[*catalogue.QuotaError](err); ok {
			return nil, quotaExceeded(r.Operation, full)
		}
		return answer, err
	}
}

// inTurn does work on so many bytes of a request, in turn with other callers.
func (a *api) inTurn(ctx context.Context, r *server.Request, bytes int, work func()) error {
	done, err := a.Engine.Turn(ctx, tenant(r), bytes)
	if err != nil {
		return err
	}
	defer done()
	work()
	return nil
}

// quotaExceeded is the exception of an operation that would have the account
// exceed a quota.
func quotaExceeded(operation string, full *catalogue.QuotaError) error {
	switch operation {
	case "CreateStateMachine":
		return server.Fail("StateMachineLimitExceeded", "State Machine Limit Exceeded: '"+full.Error()+"'")
	case "CreateActivity":
		return server.Fail("ActivityLimitExceeded", "Activity Limit Exceeded: '"+full.Error()+"'")
	}
	return &server.Exception{Type: "ServiceQuotaExceededException", Status: http.StatusPaymentRequired, Message: full.Error()}
}

// reads reports whether an operation changes nothing.
func reads(operation string) bool {
	return strings.HasPrefix(operation, "Describe") || strings.HasPrefix(operation, "List") ||
		operation == "GetExecutionHistory" || operation == "ValidateStateMachineDefinition"
}

// weight is what the making of an answer may take, in bytes: of those that may
// be large, and are made at once.
func weight(operation string) int64 {
	switch operation {
	case "GetExecutionHistory", "GET " + v1Prefix + "executions":
		return 4 << 20
	case "DescribeExecution", "DescribeStateMachine", "DescribeStateMachineForExecution", "ListExecutions", "ListStateMachines":
		return 1 << 20
	}
	return 0
}

// tenant is the account and region whose resources a request is about.
func tenant(r *server.Request) catalogue.Tenant {
	return catalogue.Tenant{Account: r.Account, Region: r.Region}
}

// parseARN reads an ARN that must be of one of the given kinds.
func parseARN(arn string, kinds ...string) (catalogue.Name, error) {
	if !strings.HasPrefix(arn, "arn:") {
		return catalogue.Name{}, invalidARN("Invalid ARN prefix: " + arn)
	}
	name, ok := catalogue.ParseARN(arn)
	if !ok {
		return name, invalidARN("Invalid ARN: " + arn)
	}
	if slices.Contains(kinds, name.Kind) {
		return name, nil
	}
	return name, invalidARN("Resource type not valid in this context: " + name.Kind)
}

// invalidARN is the exception InvalidArn with a reason.
func invalidARN(reason string) error {
	return server.Fail("InvalidArn", "Invalid Arn: '"+reason+"'")
}

// checkName holds a name against the rule for names of state machines,
// executions and activities.
func checkName(name string) error {
	if catalogue.CheckName(name) != nil {
		return server.Fail("InvalidName", "Invalid Name: '"+name+"'")
	}
	return nil
}
