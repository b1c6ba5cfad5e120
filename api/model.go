package api

import "github.com/steppehq/steppe/aws/server"

// The shapes of the API's structures, as the service model of 2016-11-23 has
// them (see server.ParseShape for the notation).
var (
	// A tag without a key would have one that cannot be named to take it away.
	tagShape        = server.ParseShape("key*:1..128 value:0..256").Match("key", tagText, tagText).Match("value", tagText, tagText)
	encryptionShape = server.ParseShape("kmsKeyId:1..2048 kmsDataKeyReusePeriodSeconds:i60..900 type*:{AWS_OWNED_KEY|CUSTOMER_MANAGED_KMS_KEY}")
	tracingShape    = server.ParseShape("enabled:b")
	loggingShape    = server.ParseShape("level:{ALL|ERROR|FATAL|OFF} includeExecutionData:b destinations:l").
			Nest("destinations", server.ParseShape("cloudWatchLogsLogGroup:o").Nest("cloudWatchLogsLogGroup", server.ParseShape("logGroupArn:1..256")))
	routingShape = server.ParseShape("stateMachineVersionArn*:1..256 weight*:i0..100")
	mockShape    = server.ParseShape("result:0..262144 errorOutput:o fieldValidationMode:{STRICT|PRESENT|NONE}").
			Nest("errorOutput", server.ParseShape("error:0..256 cause:0..32768"))
	testConfigurationShape = server.ParseShape("retrierRetryCount:i0.. errorCausedByState:1..80 mapIterationFailureCount:i0.. mapItemReaderData:0..262144")
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

// configured is the shape of what takes logging, tracing and encryption configurations.
func configured(s server.Shape) server.Shape {
	return s.Nest("loggingConfiguration", loggingShape).Nest("tracingConfiguration", tracingShape).Nest("encryptionConfiguration", encryptionShape)
}

// traced is the shape of what takes a trace header.
func traced(s server.Shape) server.Shape {
	return s.Match("traceHeader", `^[\x00-\x7F]*$`, `\p{ASCII}*`)
}

// model is the input of every operation.
var model = server.Model{
	"CreateActivity":                   server.ParseShape("name*:1..80 tags:l encryptionConfiguration:o").Nest("tags", tagShape).Nest("encryptionConfiguration", encryptionShape),
	"CreateStateMachine":               configured(server.ParseShape("name*:1..80 definition*:1..1048576 roleArn*:1..256 type:{STANDARD|EXPRESS} loggingConfiguration:o tags:l tracingConfiguration:o publish:b versionDescription:0..256 encryptionConfiguration:o").Nest("tags", tagShape)),
	"CreateStateMachineAlias":          server.ParseShape("description:0..256 name*:1..80 routingConfiguration*:l1..2").Items("routingConfiguration", "RoutingConfigurationListItem", routingShape).Match("name", `^[a-zA-Z0-9_\-.]*[a-zA-Z_\-.][a-zA-Z0-9_\-.]*$`, aliasName),
	"DeleteActivity":                   server.ParseShape(activityARN),
	"DeleteStateMachine":               server.ParseShape(machineARN),
	"DeleteStateMachineAlias":          server.ParseShape("stateMachineAliasArn*:1..256"),
	"DeleteStateMachineVersion":        server.ParseShape("stateMachineVersionArn*:1..2000"),
	"DescribeActivity":                 server.ParseShape(activityARN),
	"DescribeExecution":                server.ParseShape(executionARN + included),
	"DescribeMapRun":                   server.ParseShape("mapRunArn*:1..2000"),
	"DescribeStateMachine":             server.ParseShape(machineARN + included),
	"DescribeStateMachineAlias":        server.ParseShape("stateMachineAliasArn*:1..256"),
	"DescribeStateMachineForExecution": server.ParseShape(executionARN + included),
	"GetActivityTask":                  server.ParseShape(activityARN + " workerName:1..80"),
	"GetExecutionHistory":              server.ParseShape(executionARN + paging + " reverseOrder:b includeExecutionData:b"),
	"ListActivities":                   server.ParseShape(paging),
	// The order of the statuses is that of AWS's message.
	"ListExecutions":                 server.ParseShape("stateMachineArn:1..256 statusFilter:{SUCCEEDED|TIMED_OUT|PENDING_REDRIVE|ABORTED|FAILED|RUNNING} maxResults:i0..1000 nextToken:1..3096 mapRunArn:1..2000 redriveFilter:{REDRIVEN|NOT_REDRIVEN}"),
	"ListMapRuns":                    server.ParseShape(executionARN + paging),
	"ListStateMachineAliases":        server.ParseShape(machineARN + paging),
	"ListStateMachineVersions":       server.ParseShape(machineARN + paging),
	"ListStateMachines":              server.ParseShape(paging),
	"ListTagsForResource":            server.ParseShape(resourceARN),
	"PublishStateMachineVersion":     server.ParseShape(machineARN + " revisionId: description:0..256"),
	"RedriveExecution":               server.ParseShape(executionARN+" clientToken:1..64").Match("clientToken", `^[!-~]+$`, `[!-~]+`),
	"SendTaskFailure":                server.ParseShape("taskToken*:1..2048 error:0..256 cause:0..32768"),
	"SendTaskHeartbeat":              server.ParseShape("taskToken*:1..2048"),
	"SendTaskSuccess":                server.ParseShape("taskToken*:1..2048 output*:0..262144"),
	"StartExecution":                 traced(server.ParseShape(startMembers)),
	"StartSyncExecution":             traced(server.ParseShape(startMembers + included)),
	"StopExecution":                  server.ParseShape(executionARN + " error:0..256 cause:0..32768"),
	"TagResource":                    server.ParseShape(resourceARN+" tags*:l").Nest("tags", tagShape),
	"TestState":                      server.ParseShape("definition*:1..1048576 roleArn:1..256 input:0..262144 inspectionLevel:{INFO|DEBUG|TRACE} revealSecrets:b variables:0..262144 stateName:1..80 mock:o context:0..262144 stateConfiguration:o").Nest("mock", mockShape).Nest("stateConfiguration", testConfigurationShape),
	"UntagResource":                  server.ParseShape(resourceARN+" tagKeys*:l").Each("tagKeys", 1, 128),
	"UpdateMapRun":                   server.ParseShape("mapRunArn*:1..2000 maxConcurrency:i0.. toleratedFailurePercentage:f0..100 toleratedFailureCount:i0.."),
	"UpdateStateMachine":             configured(server.ParseShape(machineARN + " definition:1..1048576 roleArn:1..256 loggingConfiguration:o tracingConfiguration:o publish:b versionDescription:0..256 encryptionConfiguration:o")),
	"UpdateStateMachineAlias":        server.ParseShape("stateMachineAliasArn*:1..256 description:0..256 routingConfiguration:l1..2").Items("routingConfiguration", "RoutingConfigurationListItem", routingShape),
	"ValidateStateMachineDefinition": server.ParseShape("definition*:1..1048576 type:{STANDARD|EXPRESS} severity:{ERROR|WARNING} maxResults:i0..100"),
}
