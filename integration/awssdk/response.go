package awssdk

import (
	"strings"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/aws/model"
)

// Response is what an API answers a Task with, as the Task's result has it.
type Response struct {
	service *model.Service
	// shape is the output's; "" where the operation has none.
	shape string
	// member returns the name that a member has in the result.
	member func(name string) string
	// parsed names the members whose text Step Functions reads as JSON, so that
	// anything may stand there.
	parsed []string
}

// ResponseOf finds the API that a Task's result comes from. It is nil where
// none does: for a function or an activity, for a result that comes by task
// token, and for an API that has no model (http:invoke, apigateway:invoke,
// eks:call).
func ResponseOf(resource asl.Resource) *Response {
	if resource.Kind != asl.ServiceResource || resource.Pattern == asl.WaitForTaskToken {
		return nil
	}
	if name, ok := strings.CutPrefix(resource.Service, "aws-sdk:"); ok {
		return respond(name, resource.Action, javaName)
	}
	o, ok := optimized[resource.Service]
	if !ok {
		return nil
	}
	action := resource.Action
	if resource.Pattern == asl.RunJob {
		action = o.polls[action]
	} else if other, ok := o.calls[action]; ok {
		action = other
	}
	r := respond(o.service, action, capitalized)
	if r != nil && (resource.Pattern != asl.RunJob || strings.HasSuffix(resource.Name, ".sync:2")) {
		r.parsed = o.parsed
	}
	return r
}

func respond(service, action string, member func(string) string) *Response {
	s := model.Load(service)
	if s == nil {
		return nil
	}
	operation := s.Action(action)
	if operation == nil {
		return nil
	}
	r := &Response{service: s, member: member}
	if operation.Output != nil {
		r.shape = operation.Output.Shape
	}
	return r
}

// optimizedService says which APIs stand behind an optimized integration,
// whose members are named as in the API, with a capital at their start.
type optimizedService struct {
	service string
	// calls has the actions that are named otherwise in the API.
	calls map[string]string
	// polls has for each action that can be run as a job (.sync) the action that
	// tells how it goes: the result is its answer.
	polls map[string]string
	// parsed is [Response]'s.
	parsed []string
}

// optimized is the table of the optimized integrations that have an API model.
var optimized = map[string]optimizedService{
	"athena": {service: "athena", polls: map[string]string{"startQueryExecution": "getQueryExecution"}},
	"batch":  {service: "batch", polls: map[string]string{"submitJob": "describeJobs"}},
	"bedrock": {service: "bedrock", polls: map[string]string{
		"createModelCustomizationJob": "getModelCustomizationJob",
	}},
	"codebuild": {service: "codebuild", polls: map[string]string{
		"startBuild": "batchGetBuilds", "startBuildBatch": "batchGetBuildBatches", "retryBuildBatch": "batchGetBuildBatches",
	}},
	"databrew": {service: "databrew", polls: map[string]string{"startJobRun": "describeJobRun"}},
	"dynamodb": {service: "dynamodb"},
	"ecs":      {service: "ecs", polls: map[string]string{"runTask": "describeTasks"}},
	"eks": {service: "eks", polls: map[string]string{
		"createCluster": "describeCluster", "deleteCluster": "describeCluster",
		"createNodegroup": "describeNodegroup", "deleteNodegroup": "describeNodegroup",
		"createFargateProfile": "describeFargateProfile", "deleteFargateProfile": "describeFargateProfile",
	}},
	"elasticmapreduce": {
		service: "emr",
		calls: map[string]string{
			"createCluster": "runJobFlow", "terminateCluster": "terminateJobFlows", "addStep": "addJobFlowSteps", "cancelStep": "cancelSteps",
			"setClusterTerminationProtection": "setTerminationProtection",
			"modifyInstanceFleetByName":       "modifyInstanceFleet", "modifyInstanceGroupByName": "modifyInstanceGroups",
		},
		polls: map[string]string{"createCluster": "describeCluster", "terminateCluster": "describeCluster", "addStep": "describeStep"},
	},
	"emr-containers": {service: "emrcontainers", polls: map[string]string{
		"startJobRun": "describeJobRun", "deleteVirtualCluster": "describeVirtualCluster",
	}},
	"emr-serverless": {service: "emrserverless", polls: map[string]string{
		"startJobRun": "getJobRun", "cancelJobRun": "getJobRun", "createApplication": "getApplication",
		"startApplication": "getApplication", "stopApplication": "getApplication", "deleteApplication": "getApplication",
	}},
	"events":       {service: "eventbridge"},
	"glue":         {service: "glue", polls: map[string]string{"startJobRun": "getJobRun"}},
	"lambda":       {service: "lambda", parsed: []string{"Payload"}},
	"mediaconvert": {service: "mediaconvert", polls: map[string]string{"createJob": "getJob"}},
	"sagemaker": {service: "sagemaker", polls: map[string]string{
		"createAutoMLJob": "describeAutoMLJob", "createHyperParameterTuningJob": "describeHyperParameterTuningJob",
		"createLabelingJob": "describeLabelingJob", "createProcessingJob": "describeProcessingJob",
		"createTrainingJob": "describeTrainingJob", "createTransformJob": "describeTransformJob",
	}},
	"sns":    {service: "sns"},
	"sqs":    {service: "sqs"},
	"states": {service: "sfn", polls: map[string]string{"startExecution": "describeExecution"}, parsed: []string{"Input", "Output"}},
}
