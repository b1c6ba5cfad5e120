package asl

import "strings"

// ResourceKind decides which family of history events a Task has: LambdaFunction…,
// Activity… or Task….
type ResourceKind uint8

// The kinds of what a Task's Resource names.
const (
	// FunctionResource is a Lambda function named by its own ARN.
	FunctionResource ResourceKind = iota + 1
	// ActivityResource is an activity, whose workers poll for tasks.
	ActivityResource
	// ServiceResource is an integration: arn:aws:states:::service:action.
	ServiceResource
)

// Pattern decides when a Task that names a service integration is done (developer guide, "Discover service integration patterns").
type Pattern uint8

// The service integration patterns.
const (
	// RequestResponse: when the service has answered.
	RequestResponse Pattern = iota
	// RunJob (".sync", ".sync:2"): when the job that was started has ended.
	RunJob
	// WaitForTaskToken: when the task token is sent back.
	WaitForTaskToken
)

// Resource is what the Resource field of a Task names.
//
//	arn:aws:lambda:us-east-1:1…:function:f               FunctionResource
//	arn:aws:states:us-east-1:1…:activity:a               ActivityResource
//	arn:aws:states:::lambda:invoke                       ServiceResource
//	arn:aws:states:::ecs:runTask.sync                    with RunJob
//	arn:aws:states:::aws-sdk:dynamodb:getItem            an SDK integration
type Resource struct {
	Kind ResourceKind
	ARN  string
	// Service is "lambda" or "aws-sdk:dynamodb"; Action is "invoke" without,
	// Name with the suffix of its pattern: "invoke.waitForTaskToken".
	Service, Action, Name string
	Pattern               Pattern
}

// Optimized integrations that cannot run a job (.sync), and those that cannot
// wait for a task token; the SDK integrations can do the latter.
var (
	withoutRunJob = map[string]bool{
		"apigateway": true, "bedrockagentcore": true, "dynamodb": true, "events": true, "http": true, "lambda": true, "sns": true, "sqs": true,
	}
	withoutTaskToken = map[string]bool{
		"athena": true, "batch": true, "bedrockagentcore": true, "codebuild": true, "databrew": true, "dynamodb": true, "elasticmapreduce": true,
		"emr-containers": true, "emr-serverless": true, "glue": true, "http": true, "mediaconvert": true, "sagemaker": true,
	}
)

// offered reports whether AWS offers the resource's pattern for its service.
// Services that AWS does not have may have any.
func (r Resource) offered() bool {
	switch r.Pattern {
	case RunJob:
		if strings.HasSuffix(r.Name, ".sync:2") {
			return r.Service == "states"
		}
		return !withoutRunJob[r.Service] && !strings.HasPrefix(r.Service, "aws-sdk:")
	case WaitForTaskToken:
		return !withoutTaskToken[r.Service]
	case RequestResponse:
	}
	return true
}

// ResultName returns how the service names the task of the resource whose result is
// too large: the ARN of a function or an activity (recorded for a function:
// test_task_lambda_catch_state_all_data_limit_exceeded_on_large_utf8_response), else
// the service.
func (r Resource) ResultName() string {
	if r.Kind == ServiceResource {
		return r.Service
	}
	return r.ARN
}

// ParseResource reads the Resource field of a Task. It is false when the text
// is no ARN of a function, an activity or a service integration.
func ParseResource(arn string) (Resource, bool) {
	r := Resource{ARN: arn}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[5] == "" {
		return r, false
	}
	rest := parts[5]
	switch service := parts[2]; {
	case service == "lambda" && strings.HasPrefix(rest, "function:"):
		r.Kind = FunctionResource
		name, qualifier, qualified := strings.Cut(rest[len("function:"):], ":")
		return r, name != "" && (!qualified || validQualifier(qualifier))
	case service == "states" && strings.HasPrefix(rest, "activity:"):
		r.Kind = ActivityResource
		return r, len(rest) > len("activity:")
	case service == "states" && integrationScope(parts[3], parts[4], rest):
		return r.integration(rest)
	}
	return r, false
}

// validQualifier reports whether a text may name a version or an alias of a function
// (Lambda API, Qualifier).
func validQualifier(text string) bool {
	if text == "$LATEST" || text == "$LATEST.PUBLISHED" {
		return true
	}
	for i := range len(text) {
		c := text[i] | 0x20 // lower case
		if (c < 'a' || c > 'z') && (text[i] < '0' || text[i] > '9') && text[i] != '-' && text[i] != '_' {
			return false
		}
	}
	return text != "" && len(text) <= 128
}

// integrationScope reports whether an integration's ARN may have these in the
// places of region and account: both or neither. Published definitions have both,
// where the ARN may also name what Step Functions itself has, which no Task calls.
func integrationScope(region, account, rest string) bool {
	if region == "" || account == "" {
		return region == account
	}
	kind, _, _ := strings.Cut(rest, ":")
	return !named[kind]
}

// named are the kinds of what Step Functions has by name.
var named = map[string]bool{"stateMachine": true, "execution": true, "express": true, "mapRun": true, "activity": true}

// integration reads service:action[.pattern] of an integration's ARN.
func (r Resource) integration(rest string) (Resource, bool) {
	cut := strings.IndexByte(rest, ':')
	if strings.HasPrefix(rest, "aws-sdk:") {
		if next := strings.IndexByte(rest[cut+1:], ':'); next >= 0 {
			cut += 1 + next
		} else {
			return r, false
		}
	}
	if cut <= 0 || cut == len(rest)-1 {
		return r, false
	}
	r.Kind = ServiceResource
	r.Service, r.Name = rest[:cut], rest[cut+1:]
	action, suffix, _ := strings.Cut(r.Name, ".")
	r.Action = action
	switch suffix {
	case "":
	case "sync", "sync:2":
		r.Pattern = RunJob
	case "waitForTaskToken":
		r.Pattern = WaitForTaskToken
	default:
		return r, false
	}
	return r, action != ""
}
