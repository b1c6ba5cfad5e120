package api

import "github.com/steppehq/steppe/internal/awsjson"

// The shapes of the API's structures, as the service model of 2016-11-23 has
// them (see awsjson.ParseShape for the notation).
var (
	// A tag without a key would have one that cannot be named to take it away.
	tagShape        = awsjson.ParseShape("key*:1..128 value:0..256").Match("key", tagText, tagText).Match("value", tagText, tagText)
	encryptionShape = awsjson.ParseShape("kmsKeyId:1..2048 kmsDataKeyReusePeriodSeconds:i60..900 type*:{AWS_OWNED_KEY|CUSTOMER_MANAGED_KMS_KEY}")
	tracingShape    = awsjson.ParseShape("enabled:b")
	loggingShape    = awsjson.ParseShape("level:{ALL|ERROR|FATAL|OFF} includeExecutionData:b destinations:l").
			Nest("destinations", awsjson.ParseShape("cloudWatchLogsLogGroup:o").Nest("cloudWatchLogsLogGroup", awsjson.ParseShape("logGroupArn:1..256")))
	routingShape = awsjson.ParseShape("stateMachineVersionArn*:1..256 weight*:i0..100")
	mockShape    = awsjson.ParseShape("result:0..262144 errorOutput:o fieldValidationMode:{STRICT|PRESENT|NONE}").
			Nest("errorOutput", awsjson.ParseShape("error:0..256 cause:0..32768"))
	testConfigurationShape = awsjson.ParseShape("retrierRetryCount:i0.. errorCausedByState:1..80 mapIterationFailureCount:i0.. mapItemReaderData:0..262144")
)

const (
	machineARN   = "stateMachineArn*:1..256"
	executionARN = "executionArn*:1..256"
	activityARN  = "activityArn*:1..256"
	resourceARN  = "resourceArn*:1..256"
	paging       = " maxResults:i0..1000 nextToken:1..1024"
	included     = " includedData:{ALL_DATA|METADATA_ONLY}"
	startMembers = machineARN + " name:1..80 input:0..262144 traceHeader:0..256"
	// tagText is what a tag may consist of: "only Unicode letters, digits, white
	// space, or these symbols: _ . : / = + - @" (API reference, "Tag").
	tagText   = `^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`
	aliasName = `^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$`
)

func configured(s awsjson.Shape) awsjson.Shape {
	return s.Nest("loggingConfiguration", loggingShape).Nest("tracingConfiguration", tracingShape).Nest("encryptionConfiguration", encryptionShape)
}

// traced is the shape of what takes a trace header.
func traced(s awsjson.Shape) awsjson.Shape {
	return s.Match("traceHeader", `^[\x00-\x7F]*$`, `\p{ASCII}*`)
}

// model is the input of every operation.
var model = awsjson.Model{
	"CreateActivity":                   awsjson.ParseShape("name*:1..80 tags:l encryptionConfiguration:o").Nest("tags", tagShape).Nest("encryptionConfiguration", encryptionShape),
	"CreateStateMachine":               configured(awsjson.ParseShape("name*:1..80 definition*:1..1048576 roleArn*:1..256 type:{STANDARD|EXPRESS} loggingConfiguration:o tags:l tracingConfiguration:o publish:b versionDescription:0..256 encryptionConfiguration:o").Nest("tags", tagShape)),
	"CreateStateMachineAlias":          awsjson.ParseShape("description:0..256 name*:1..80 routingConfiguration*:l1..2").Items("routingConfiguration", "RoutingConfigurationListItem", routingShape).Match("name", `^[a-zA-Z0-9_\-.]*[a-zA-Z_\-.][a-zA-Z0-9_\-.]*$`, aliasName),
	"DeleteActivity":                   awsjson.ParseShape(activityARN),
	"DeleteStateMachine":               awsjson.ParseShape(machineARN),
	"DeleteStateMachineAlias":          awsjson.ParseShape("stateMachineAliasArn*:1..256"),
	"DeleteStateMachineVersion":        awsjson.ParseShape("stateMachineVersionArn*:1..2000"),
	"DescribeActivity":                 awsjson.ParseShape(activityARN),
	"DescribeExecution":                awsjson.ParseShape(executionARN + included),
	"DescribeMapRun":                   awsjson.ParseShape("mapRunArn*:1..2000"),
	"DescribeStateMachine":             awsjson.ParseShape(machineARN + included),
	"DescribeStateMachineAlias":        awsjson.ParseShape("stateMachineAliasArn*:1..256"),
	"DescribeStateMachineForExecution": awsjson.ParseShape(executionARN + included),
	"GetActivityTask":                  awsjson.ParseShape(activityARN + " workerName:1..80"),
	"GetExecutionHistory":              awsjson.ParseShape(executionARN + paging + " reverseOrder:b includeExecutionData:b"),
	"ListActivities":                   awsjson.ParseShape(paging),
	// The order of the statuses is that of AWS's message.
	"ListExecutions":                 awsjson.ParseShape("stateMachineArn:1..256 statusFilter:{SUCCEEDED|TIMED_OUT|PENDING_REDRIVE|ABORTED|FAILED|RUNNING} maxResults:i0..1000 nextToken:1..3096 mapRunArn:1..2000 redriveFilter:{REDRIVEN|NOT_REDRIVEN}"),
	"ListMapRuns":                    awsjson.ParseShape(executionARN + paging),
	"ListStateMachineAliases":        awsjson.ParseShape(machineARN + paging),
	"ListStateMachineVersions":       awsjson.ParseShape(machineARN + paging),
	"ListStateMachines":              awsjson.ParseShape(paging),
	"ListTagsForResource":            awsjson.ParseShape(resourceARN),
	"PublishStateMachineVersion":     awsjson.ParseShape(machineARN + " revisionId: description:0..256"),
	"RedriveExecution":               awsjson.ParseShape(executionARN+" clientToken:1..64").Match("clientToken", `^[!-~]+$`, `[!-~]+`),
	"SendTaskFailure":                awsjson.ParseShape("taskToken*:1..2048 error:0..256 cause:0..32768"),
	"SendTaskHeartbeat":              awsjson.ParseShape("taskToken*:1..2048"),
	"SendTaskSuccess":                awsjson.ParseShape("taskToken*:1..2048 output*:0..262144"),
	"StartExecution":                 traced(awsjson.ParseShape(startMembers)),
	"StartSyncExecution":             traced(awsjson.ParseShape(startMembers + included)),
	"StopExecution":                  awsjson.ParseShape(executionARN + " error:0..256 cause:0..32768"),
	"TagResource":                    awsjson.ParseShape(resourceARN+" tags*:l").Nest("tags", tagShape),
	"TestState":                      awsjson.ParseShape("definition*:1..1048576 roleArn:1..256 input:0..262144 inspectionLevel:{INFO|DEBUG|TRACE} revealSecrets:b variables:0..262144 stateName:1..80 mock:o context:0..262144 stateConfiguration:o").Nest("mock", mockShape).Nest("stateConfiguration", testConfigurationShape),
	"UntagResource":                  awsjson.ParseShape(resourceARN+" tagKeys*:l").Each("tagKeys", 1, 128),
	"UpdateMapRun":                   awsjson.ParseShape("mapRunArn*:1..2000 maxConcurrency:i0.. toleratedFailurePercentage:f0..100 toleratedFailureCount:i0.."),
	"UpdateStateMachine":             configured(awsjson.ParseShape(machineARN + " definition:1..1048576 roleArn:1..256 loggingConfiguration:o tracingConfiguration:o publish:b versionDescription:0..256 encryptionConfiguration:o")),
	"UpdateStateMachineAlias":        awsjson.ParseShape("stateMachineAliasArn*:1..256 description:0..256 routingConfiguration:l1..2").Items("routingConfiguration", "RoutingConfigurationListItem", routingShape),
	"ValidateStateMachineDefinition": awsjson.ParseShape("definition*:1..1048576 type:{STANDARD|EXPRESS} severity:{ERROR|WARNING} maxResults:i0..100"),
}
