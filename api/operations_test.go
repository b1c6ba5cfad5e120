package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// sentence is a sentence of the API reference, and a call that shows that it
// holds.
type sentence struct {
	says string
	call
}

// TestSentences goes through the API reference, operation by operation. What an
// operation has in common with others (ARNs that are none, lengths) is held
// elsewhere.
func TestSentences(t *testing.T) {
	for _, page := range [][]sentence{activitySentences(), machineSentences(), configurationSentences(), listSentences(), versionSentences(), tagSentences(), validateSentences()} {
		h := serve(t)
		for _, s := range page {
			if got, want := step(t, h, s.call); got != want {
				t.Errorf("%s\n%s %s\n got %s\nwant %s", s.says, s.operation, s.body, got, want)
			}
		}
	}
}

const (
	activityARN = "arn:aws:states:us-east-1:000000000000:activity:a"
	unquoted    = `"definition":"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Wait\",\"Seconds\":1000,\"End\":true}}}","roleArn":"` + role + `"`
)

func activitySentences() []sentence {
	const noActivity = "ActivityDoesNotExist: Activity Does Not Exist: '" + activityARN + "'"
	const created = `{"activityArn":"` + activityARN + `"}`
	return []sentence{
		{"CreateActivity is an idempotent API", call{"CreateActivity", `{"name":"a","tags":[{"key":"k","value":"1"}]}`, created}},
		{"The idempotency check is based on the activity name", call{"CreateActivity", `{"name":"a"}`, created}},
		{"If a following request has different tags values, Step Functions will ignore these differences", call{"CreateActivity", `{"name":"a","tags":[{"key":"k","value":"2"}]}`, created}},
		{"In this case, tags will not be updated, even if they are different", call{"ListTagsForResource", `{"resourceArn":"` + activityARN + `"}`, `{"tags":[{"key":"k","value":"1"}]}`}},
		{"A name must not contain brackets", call{"CreateActivity", `{"name":"a[0]"}`, "InvalidName: Invalid Name: 'a[0]'"}},
		{"A name must not contain control characters (U+007F-009F)", call{"CreateActivity", "{\"name\":\"a\u0085\"}", "InvalidName: Invalid Name: 'a\u0085'"}},
		{"A name may contain other characters", call{"CreateActivity", `{"name":"é(=)'!+@_-."}`, `{"activityArn":"arn:aws:states:us-east-1:000000000000:activity:é(=)'!+@_-."}`}},
		{"Describes an activity", call{"DescribeActivity", `{"activityArn":"` + activityARN + `"}`, `{"activityArn":"` + activityARN + `","name":"a","encryptionConfiguration":{"type":"AWS_OWNED_KEY"}}`}},
		{"If no task is available within 60 seconds, the poll returns a taskToken with a null string", call{"GetActivityTask", `{"activityArn":"` + activityARN + `"}`, `{"taskToken":null}`}},
		{"Deletes an activity", call{"DeleteActivity", `{"activityArn":"` + activityARN + `"}`, `{}`}},
		{"Deletes an activity (that is not there: the operation has no exception for it)", call{"DeleteActivity", `{"activityArn":"` + activityARN + `"}`, `{}`}},
		{"The specified activity does not exist", call{"DescribeActivity", `{"activityArn":"` + activityARN + `"}`, noActivity}},
		{"The specified activity does not exist", call{"GetActivityTask", `{"activityArn":"` + activityARN + `"}`, noActivity}},
	}
}

func machineSentences() []sentence {
	const (
		created = `{"stateMachineArn":"SM"}`
		exists  = "StateMachineAlreadyExists: State Machine Already Exists: 'SM'"
		same    = `{"name":"m",` + unquoted
		deny    = "Invalid Arn: 'Resource type not valid in this context: express'"
		express = "arn:aws:states:us-east-1:000000000000:express:m:x:1"
		logged  = `,"loggingConfiguration":{"level":"ALL","destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:us-east-1:000000000000:log-group:g:*"}}]}}`
		only    = "ValidationException: Version description can only be set when publish is true"
		x       = `{"executionArn":"arn:aws:states:us-east-1:000000000000:execution:m:x"`
		same1   = `"definition":"{}","roleArn":"` + role
		configs = `"loggingConfiguration":{"level":"OFF","includeExecutionData":false},"tracingConfiguration":{"enabled":false},`
	)
	return []sentence{
		{"If you set versionDescription, but publish to false, this API action throws ValidationException", call{"CreateStateMachine", same + `,"publish":false,"versionDescription":"d"}`, only}},
		{"If you do not set the publish parameter to true, stateMachineVersionArn returns null", call{"CreateStateMachine", same + `,"tags":[{"key":"k","value":"1"}]}`, created}},
		{"The default type is STANDARD; by default, the level is set to OFF; tracing is false", call{"CreateStateMachine", same + `,"type":"STANDARD","publish":false,"loggingConfiguration":{"level":"OFF"},"tracingConfiguration":{"enabled":false},"encryptionConfiguration":{"type":"AWS_OWNED_KEY"}}`, created}},
		{"If a following request has a different roleArn or tags, Step Functions will ignore these differences", call{"CreateStateMachine", strings.Replace(same, "role/r", "role/other", 1) + `,"tags":[{"key":"k","value":"2"}]}`, created}},
		{"In this case, tags will not be updated", call{"ListTagsForResource", `{"resourceArn":"SM"}`, `{"tags":[{"key":"k","value":"1"}]}`}},
		{"In this case, roleArn will not be updated", call{"DescribeStateMachine", `{"stateMachineArn":"SM","includedData":"METADATA_ONLY"}`, `{"stateMachineArn":"SM","name":"m","status":"ACTIVE",` + same1 + `","type":"STANDARD",` + configs + `"encryptionConfiguration":{"type":"AWS_OWNED_KEY"}}`}},
		{"The idempotency check is based on the definition", call{"CreateStateMachine", `{"name":"m","roleArn":"` + role + `",` + passes("1") + `}`, exists}},
		{"The idempotency check is based on the type", call{"CreateStateMachine", same + `,"type":"EXPRESS"}`, exists}},
		{"The idempotency check is based on LoggingConfiguration", call{"CreateStateMachine", same + logged, exists}},
		{"The idempotency check is based on TracingConfiguration", call{"CreateStateMachine", same + `,"tracingConfiguration":{"enabled":true}}`, exists}},
		{"The check is also based on the publish parameter", call{"CreateStateMachine", same + `,"publish":true}`, exists}},
		{"The execution has the name that was given", call{"StartExecution", `{"stateMachineArn":"SM","name":"x"}`, x + `}`}},
		{"The provided JSON input data is not valid", call{"StartExecution", `{"stateMachineArn":"SM","name":"y","input":""}`, "InvalidExecutionInput: Invalid State Machine Execution Input: 'Invalid execution input.'"}},
		{"The provided JSON input data is not valid", call{"StartExecution", `{"stateMachineArn":"SM","name":"y","input":" \n"}`, "InvalidExecutionInput: Invalid State Machine Execution Input: 'Invalid execution input.'"}},
		{"With the same name and input as a running execution, the call succeeds", call{"StartExecution", `{"stateMachineArn":"SM","name":"x","input":"{}"}`, x + `}`}},
		{"If the input is different, it returns a 400 ExecutionAlreadyExists error", call{"StartExecution", `{"stateMachineArn":"SM","name":"x","input":"[]"}`, "ExecutionAlreadyExists: Execution Already Exists: " + strings.ReplaceAll(x[len(`{"executionArn":`):], `"`, "'")}},
		{"Running executions will continue to use the previous definition and roleArn", call{"UpdateStateMachine", `{"stateMachineArn":"SM","roleArn":"arn:aws:iam::000000000000:role/new"}`, `{"revisionId":"R"}`}},
		{"The first revision ID when you create the state machine is null", call{"DescribeStateMachineForExecution", x + `,"includedData":"METADATA_ONLY"}`, `{"stateMachineArn":"SM","name":"m",` + same1 + `",` + configs + `"encryptionConfiguration":{"type":"AWS_OWNED_KEY"}}`}},
		{"If the specified revision ID doesn't match the state machine's current revision ID, the API returns ConflictException", call{"PublishStateMachineVersion", `{"stateMachineArn":"SM","revisionId":"INITIAL"}`, "ConflictException: Failed to publish the State Machine version for revision INITIAL. The current State Machine revision is R."}},
		{"You must include at least one of definition or roleArn", call{"UpdateStateMachine", `{"stateMachineArn":"SM","publish":true}`, "MissingRequiredParameter: Either the definition, the role ARN, the LoggingConfiguration, the EncryptionConfiguration or the TracingConfiguration must be specified"}},
		{"You can only specify the versionDescription parameter if you've set publish to true", call{"UpdateStateMachine", `{"stateMachineArn":"SM","roleArn":"` + role + `","versionDescription":""}`, only}},
		{"Execution is RUNNING and cannot be redriven", call{"RedriveExecution", x + `}`, "ExecutionNotRedrivable: Execution is not redrivable: 'Execution is RUNNING and cannot be redriven'"}},
		{"stopDate: if the execution already ended; input, not output: only if the execution succeeds", call{"DescribeExecution", x + `}`, x + `,"stateMachineArn":"SM","name":"x","status":"RUNNING","input":"{}","inputDetails":{"included":true},"redriveCount":0,"redriveStatus":"NOT_REDRIVABLE","redriveStatusReason":"Execution is RUNNING and cannot be redriven"}`}},
		{"Stops an execution", call{"StopExecution", x + `,"error":"E","cause":"C"}`, `{}`}},
		{"The error string and the cause string if the state machine execution failed", call{"DescribeExecution", x + `}`, x + `,"stateMachineArn":"SM","name":"x","status":"ABORTED","input":"{}","inputDetails":{"included":true},"error":"E","cause":"C","redriveCount":0,"redriveStatus":"REDRIVABLE"}`}},
		{"If the execution is closed, it returns a 400 ExecutionAlreadyExists error", call{"StartExecution", `{"stateMachineArn":"SM","name":"x","input":"{}"}`, "ExecutionAlreadyExists: Execution Already Exists: " + strings.ReplaceAll(x[len(`{"executionArn":`):], `"`, "'")}},
		{"redriveCount is the number of times you've redriven an execution", call{"RedriveExecution", x + `,"clientToken":"t"}`, `{"redriveDate":T}`}},
		{"A unique, case-sensitive identifier to ensure the idempotency of the request", call{"RedriveExecution", x + `,"clientToken":"t"}`, `{"redriveDate":T}`}},
		{"DescribeExecution returns information about the redrives of that execution", call{"DescribeExecution", x + `,"includedData":"METADATA_ONLY"}`, x + `,"stateMachineArn":"SM","name":"x","status":"RUNNING","redriveCount":1,"redriveDate":T,"redriveStatus":"NOT_REDRIVABLE","redriveStatusReason":"Execution is RUNNING and cannot be redriven"}`}},
		{"DescribeExecution is not supported by EXPRESS state machines", call{"DescribeExecution", `{"executionArn":"` + express + `"}`, "InvalidArn: " + deny}},
		{"DescribeStateMachineForExecution is not supported by EXPRESS state machines", call{"DescribeStateMachineForExecution", `{"executionArn":"` + express + `"}`, "InvalidArn: " + deny}},
		{"GetExecutionHistory is not supported by EXPRESS state machines", call{"GetExecutionHistory", `{"executionArn":"` + express + `"}`, "InvalidArn: " + deny}},
		{"StopExecution is not supported by EXPRESS state machines", call{"StopExecution", `{"executionArn":"` + express + `"}`, "InvalidArn: " + deny}},
		{"The specified execution does not exist", call{"StopExecution", x[:len(x)-1] + `y"}`, "ExecutionDoesNotExist: Execution Does Not Exist: 'arn:aws:states:us-east-1:000000000000:execution:m:xy'"}},
		{"It sets the state machine's status to DELETING", call{"DeleteStateMachine", `{"stateMachineArn":"SM"}`, `{}`}},
		{"The current status of the state machine", call{"DescribeStateMachine", `{"stateMachineArn":"SM","includedData":"METADATA_ONLY"}`, `{"stateMachineArn":"SM","name":"m","status":"DELETING","definition":"{}","roleArn":"arn:aws:iam::000000000000:role/new","type":"STANDARD",` + configs + `"revisionId":"R","encryptionConfiguration":{"type":"AWS_OWNED_KEY"}}`}},
		{"Deletes a state machine (that is not there: the operation has no exception for it)", call{"DeleteStateMachine", `{"stateMachineArn":"SM-gone"}`, `{}`}},
	}
}

func configurationSentences() []sentence {
	const (
		create = `{"name":"m",` + unquoted
		group  = `{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:us-east-1:000000000000:log-group:g:*"}}`
		one    = "InvalidLoggingConfiguration: Invalid Logging Configuration: Must specify exactly one Log Destination."
		traced = "InvalidTracingConfiguration: Invalid Tracing Configuration: 'enabled must be true or false'"
	)
	return []sentence{
		{"Destinations are required, if your log level is not set to OFF", call{"CreateStateMachine", create + `,"loggingConfiguration":{"level":"ERROR"}}`, one}},
		{"Destinations are limited to size 1", call{"CreateStateMachine", create + `,"loggingConfiguration":{"level":"ERROR","destinations":[` + group + `,` + group + `]}}`, one}},
		{"The ARN must end with :*", call{"CreateStateMachine", create + `,"loggingConfiguration":{"level":"ERROR","destinations":[` + strings.Replace(group, ":*", "", 1) + `]}}`, "InvalidLoggingConfiguration: Invalid Logging Configuration: Log Destination must be the ARN of a CloudWatch Logs log group that ends with ':*'. Received: 'arn:aws:logs:us-east-1:000000000000:log-group:g'"}},
		{"enabled has not been set to true or false", call{"CreateStateMachine", create + `,"tracingConfiguration":{}}`, traced}},
		{"Your tracingConfiguration key does not match", call{"CreateStateMachine", create + `,"tracingConfiguration":{"enable":true}}`, traced}},
		{"type is set to CUSTOMER_MANAGED_KMS_KEY, but kmsKeyId is null", call{"CreateStateMachine", create + `,"encryptionConfiguration":{"type":"CUSTOMER_MANAGED_KMS_KEY"}}`, "InvalidEncryptionConfiguration: Invalid Encryption Configuration: 'kmsKeyId must be specified for the type CUSTOMER_MANAGED_KMS_KEY'"}},
		{"kmsDataKeyReusePeriodSeconds only applies to customer managed keys", call{"CreateActivity", `{"name":"a","encryptionConfiguration":{"type":"AWS_OWNED_KEY","kmsDataKeyReusePeriodSeconds":60}}`, "InvalidEncryptionConfiguration: Invalid Encryption Configuration: 'kmsKeyId and kmsDataKeyReusePeriodSeconds are only for the type CUSTOMER_MANAGED_KMS_KEY'"}},
	}
}

func listSentences() []sentence {
	const (
		item = `{"executionArn":"arn:aws:states:us-east-1:000000000000:execution:m:%s","stateMachineArn":"SM","name":"%[1]s","status":"%s","redriveCount":0}`
		both = "ValidationException: Must specify either a StateMachineArn or a MapRunArn"
		maps = "ValidationException: PENDING_REDRIVE and redriveFilter need a MapRunArn"
		x    = "arn:aws:states:us-east-1:000000000000:execution:m:x"
	)
	listed := func(items ...string) string { return `{"executions":[` + strings.Join(items, ",") + `]}` }
	running := func(name string) string { return fmt.Sprintf(item, name, "RUNNING") }
	return []sentence{
		{"", call{"CreateStateMachine", `{"name":"m",` + unquoted + `}`, `{"stateMachineArn":"SM"}`}},
		{"", call{"StartExecution", `{"stateMachineArn":"SM","name":"x"}`, `{"executionArn":"` + x + `"}`}},
		{"", call{"StartExecution", `{"stateMachineArn":"SM","name":"a"}`, `{"executionArn":"` + strings.TrimSuffix(x, "x") + `a"}`}},
		{"Results are sorted by time, with the most recent execution first; neither mapRunArn nor itemCount is returned", call{"ListExecutions", `{"stateMachineArn":"SM"}`, listed(running("a"), running("x"))}},
		{"A value of 0 uses the default", call{"ListExecutions", `{"stateMachineArn":"SM","maxResults":0}`, listed(running("a"), running("x"))}},
		{"The maximum allowed page size is 1000", call{"ListExecutions", `{"stateMachineArn":"SM","maxResults":1000}`, listed(running("a"), running("x"))}},
		{"", call{"StopExecution", `{"executionArn":"` + x + `"}`, `{}`}},
		{"Only list the executions whose current execution status matches the given filter", call{"ListExecutions", `{"stateMachineArn":"SM","statusFilter":"RUNNING"}`, listed(running("a"))}},
		{"Only list the executions whose current execution status matches the given filter", call{"ListExecutions", `{"stateMachineArn":"SM","statusFilter":"ABORTED"}`, listed(fmt.Sprintf(item, "x", "ABORTED"))}},
		{"You can specify either a mapRunArn or a stateMachineArn, but not both", call{"ListExecutions", `{"stateMachineArn":"SM","mapRunArn":"arn:aws:states:us-east-1:000000000000:mapRun:m/l:x"}`, both}},
		{"You can specify either a mapRunArn or a stateMachineArn", call{"ListExecutions", `{}`, both}},
		{"If you provide a stateMachineArn and a PENDING_REDRIVE statusFilter, the API returns a validation exception", call{"ListExecutions", `{"stateMachineArn":"SM","statusFilter":"PENDING_REDRIVE"}`, maps}},
		{"If you provide a state machine ARN and a redriveFilter, the API returns a validation exception", call{"ListExecutions", `{"stateMachineArn":"SM","redriveFilter":"REDRIVEN"}`, maps}},
		{"The specified state machine does not exist", call{"ListExecutions", `{"stateMachineArn":"SM-gone"}`, "StateMachineDoesNotExist: State Machine Does Not Exist: 'SM-gone'"}},
		{"You can select whether execution data is returned; parameters of the execution that are none stay", call{"GetExecutionHistory", `{"executionArn":"` + x + `","includeExecutionData":false,"maxResults":1}`, `{"events":[{"timestamp":T,"type":"ExecutionStarted","id":1,"previousEventId":0,"executionStartedEventDetails":{"roleArn":"` + role + `"}}],"nextToken":"N"}`}},
		{"The default of includeExecutionData is true; the results are returned in ascending order", call{"GetExecutionHistory", `{"executionArn":"` + x + `","maxResults":1}`, `{"events":[{"timestamp":T,"type":"ExecutionStarted","id":1,"previousEventId":0,"executionStartedEventDetails":{"input":"{}","inputDetails":{"truncated":false},"roleArn":"` + role + `"}}],"nextToken":"N"}`}},
		{"Use the reverseOrder parameter to get the latest events first", call{"GetExecutionHistory", `{"executionArn":"` + x + `","maxResults":1,"reverseOrder":true}`, `{"events":[{"timestamp":T,"type":"ExecutionAborted","id":3,"previousEventId":0,"executionAbortedEventDetails":{}}],"nextToken":"N"}`}},
		{"The specified execution does not exist", call{"GetExecutionHistory", `{"executionArn":"` + x + `y"}`, "ExecutionDoesNotExist: Execution Does Not Exist: '" + x + "y'"}},
		{"Lists the existing activities", call{"ListActivities", `{}`, `{"activities":[]}`}},
		{"Lists the existing state machines", call{"ListStateMachines", `{}`, `{"stateMachines":[{"stateMachineArn":"SM","name":"m","type":"STANDARD"}]}`}},
	}
}

func versionSentences() []sentence {
	const (
		x      = "arn:aws:states:us-east-1:000000000000:execution:m:"
		status = `"status":"RUNNING","redriveCount":0,"redriveStatus":"NOT_REDRIVABLE","redriveStatusReason":"Execution is RUNNING and cannot be redriven"}`
		none   = "StateMachineDoesNotExist: State Machine Does Not Exist: "
		config = `"definition":"{}","roleArn":"%s","type":"STANDARD","loggingConfiguration":{"level":"OFF","includeExecutionData":false},"tracingConfiguration":{"enabled":false},`
	)
	described := func(name, more string) string {
		return `{"executionArn":"` + x + name + `","stateMachineArn":"SM","name":"` + name + `",` + strings.Replace(status, `"redriveCount"`, more+`"redriveCount"`, 1)
	}
	return []sentence{
		{"It publishes version 1 as the first revision of the state machine", call{"CreateStateMachine", `{"name":"m",` + unquoted + `,"publish":true}`, `{"stateMachineArn":"SM","stateMachineVersionArn":"SM:1"}`}},
		{"It doesn't create a duplicate state machine version if it already exists for the current revision", call{"PublishStateMachineVersion", `{"stateMachineArn":"SM","description":"other"}`, `{"stateMachineVersionArn":"SM:1"}`}},
		{"The state machine after the update is published", call{"UpdateStateMachine", `{"stateMachineArn":"SM","roleArn":"` + role + `2","publish":true,"versionDescription":"two"}`, `{"revisionId":"R","stateMachineVersionArn":"SM:2"}`}},
		{"The request fails if a weight is missing", call{"CreateStateMachineAlias", `{"name":"PROD","routingConfiguration":[{"stateMachineVersionArn":"SM:1"}]}`, "ValidationException: 1 validation error detected: Value null at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must not be null"}},
		{"Specify a single RoutingConfig object with a weight set to 100", call{"CreateStateMachineAlias", `{"name":"PROD","routingConfiguration":[{"stateMachineVersionArn":"SM:1","weight":100}]}`, `{"stateMachineAliasArn":"SM:PROD"}`}},
		{"The idempotency check is based on the description", call{"CreateStateMachineAlias", `{"name":"PROD","description":"d","routingConfiguration":[{"stateMachineVersionArn":"SM:1","weight":100}]}`, "ConflictException: Failed to create alias because an alias with the same name and a different routing configuration already exists."}},
		{"Step Functions associates executions that you start with an alias ARN with that alias and the version", call{"StartExecution", `{"stateMachineArn":"SM:PROD","name":"aliased"}`, `{"executionArn":"` + x + `aliased"}`}},
		{"DescribeExecution returns that ARN", call{"DescribeExecution", `{"executionArn":"` + x + `aliased","includedData":"METADATA_ONLY"}`, described("aliased", `"stateMachineVersionArn":"SM:1","stateMachineAliasArn":"SM:PROD",`)}},
		{"It doesn't associate executions that you start with a version ARN with any aliases", call{"StartExecution", `{"stateMachineArn":"SM:1","name":"versioned"}`, `{"executionArn":"` + x + `versioned"}`}},
		{"If you start with a version ARN, stateMachineAliasArn will be null", call{"DescribeExecution", `{"executionArn":"` + x + `versioned","includedData":"METADATA_ONLY"}`, described("versioned", `"stateMachineVersionArn":"SM:1",`)}},
		{"It doesn't associate executions that you start with an unqualified ARN with a version", call{"StartExecution", `{"stateMachineArn":"SM","name":"plain"}`, `{"executionArn":"` + x + `plain"}`}},
		{"Even if that version uses the same revision", call{"DescribeExecution", `{"executionArn":"` + x + `plain","includedData":"METADATA_ONLY"}`, described("plain", "")}},
		{"For a state machine version: the version's ARN, description and role", call{"DescribeStateMachine", `{"stateMachineArn":"SM:2","includedData":"METADATA_ONLY"}`, `{"stateMachineArn":"SM:2","name":"m","status":"ACTIVE",` + fmt.Sprintf(config, role+"2") + `"revisionId":"R","description":"two","encryptionConfiguration":{"type":"AWS_OWNED_KEY"}}`}},
		{"Executions of the version's definition and role are those of its revision", call{"DescribeStateMachineForExecution", `{"executionArn":"` + x + `versioned","includedData":"METADATA_ONLY"}`, `{"stateMachineArn":"SM","name":"m",` + strings.Replace(fmt.Sprintf(config, role), `"type":"STANDARD",`, "", 1) + `"encryptionConfiguration":{"type":"AWS_OWNED_KEY"}}`}},
		{"You can't delete a state machine version currently referenced by one or more aliases", call{"DeleteStateMachineVersion", `{"stateMachineVersionArn":"SM:1"}`, "ConflictException: Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [PROD]"}},
		{"Either delete the aliases or update them to point to another version", call{"UpdateStateMachineAlias", `{"stateMachineAliasArn":"SM:PROD","routingConfiguration":[{"stateMachineVersionArn":"SM:2","weight":100}]}`, `{}`}},
		{"Deletes a state machine version", call{"DeleteStateMachineVersion", `{"stateMachineVersionArn":"SM:1"}`, `{}`}},
		{"Deleting a state machine version won't terminate its in-progress executions", call{"DescribeExecution", `{"executionArn":"` + x + `versioned","includedData":"METADATA_ONLY"}`, described("versioned", `"stateMachineVersionArn":"SM:1",`)}},
		{"After you delete a version, you can't call StartExecution using that version's ARN", call{"StartExecution", `{"stateMachineArn":"SM:1"}`, none + "'SM:1'"}},
		{"After you delete a version, you can't use the version with a state machine alias", call{"UpdateStateMachineAlias", `{"stateMachineAliasArn":"SM:PROD","routingConfiguration":[{"stateMachineVersionArn":"SM:1","weight":100}]}`, "ResourceNotFound: Request references a resource that does not exist."}},
		{"Deletes a state machine alias", call{"DeleteStateMachineAlias", `{"stateMachineAliasArn":"SM:PROD"}`, `{}`}},
		{"After you delete a state machine alias, you can't use it to start executions", call{"StartExecution", `{"stateMachineArn":"SM:PROD"}`, none + "'SM:PROD'"}},
		{"When you delete a state machine alias, Step Functions doesn't delete the versions that it references", call{"ListStateMachineVersions", `{"stateMachineArn":"SM"}`, `{"stateMachineVersions":[{"stateMachineVersionArn":"SM:2"}]}`}},
	}
}

func tagSentences() []sentence {
	const missing = "ResourceNotFound: Resource not found: 'SM-gone'"
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf(`{"key":"%d","value":""}`, i)
	}
	return []sentence{
		{"You've exceeded the number of tags allowed for a resource", call{"CreateStateMachine", `{"name":"m",` + unquoted + `,"tags":[` + strings.Join(many, ",") + `]}`, "TooManyTags: Too Many Tags: 'SM'"}},
		{"Tags to be added when creating a state machine", call{"CreateStateMachine", `{"name":"m",` + unquoted + `,"tags":[{"key":"k","value":"v"},{"key":"only key","value":""}]}`, `{"stateMachineArn":"SM"}`}},
		{"List tags for a given resource", call{"ListTagsForResource", `{"resourceArn":"SM"}`, `{"tags":[{"key":"k","value":"v"},{"key":"only key","value":""}]}`}},
		{"You've exceeded the number of tags allowed for a resource", call{"TagResource", `{"resourceArn":"SM","tags":[` + strings.Join(many[:49], ",") + `]}`, "TooManyTags: Too Many Tags: 'SM'"}},
		{"Remove a tag from a Step Functions resource", call{"UntagResource", `{"resourceArn":"SM","tagKeys":["K","only key"]}`, `{}`}},
		{"Tag keys are case sensitive; tags that were refused are not added", call{"ListTagsForResource", `{"resourceArn":"SM"}`, `{"tags":[{"key":"k","value":"v"}]}`}},
		{"Add a tag to a Step Functions resource", call{"TagResource", `{"resourceArn":"SM","tags":[{"key":"k","value":"w"}]}`, `{}`}},
		{"List tags for a given resource", call{"ListTagsForResource", `{"resourceArn":"SM"}`, `{"tags":[{"key":"k","value":"w"}]}`}},
		{"The length of a key is at least 1", call{"TagResource", `{"resourceArn":"SM","tags":[{"value":"w"}]}`, "ValidationException: 1 validation error detected: Value null at 'tags.1.member.key' failed to satisfy constraint: Member must not be null"}},
		{"Could not find the referenced resource", call{"TagResource", `{"resourceArn":"SM-gone","tags":[]}`, missing}},
		{"Could not find the referenced resource", call{"UntagResource", `{"resourceArn":"SM-gone","tagKeys":[]}`, missing}},
		{"Could not find the referenced resource", call{"ListTagsForResource", `{"resourceArn":"SM-gone"}`, missing}},
		{"Only state machines and activities can be tagged", call{"TagResource", `{"resourceArn":"arn:aws:states:us-east-1:000000000000:execution:m:x","tags":[]}`, "InvalidArn: Invalid Arn: 'Resource type not valid in this context: execution'"}},
	}
}

func validateSentences() []sentence {
	const wrong = `{"result":"FAIL","diagnostics":[{"severity":"ERROR","code":"%s","message":"%s"%s}],"truncated":false}`
	return []sentence{
		{"If the result is OK, this field will be empty", call{"ValidateStateMachineDefinition", `{` + passes("x") + `}`, `{"result":"OK","diagnostics":[],"truncated":false}`}},
		{"Validation errors are returned as diagnostic elements, rather than raise an exception", call{"ValidateStateMachineDefinition", `{"definition":"{}"}`, fmt.Sprintf(wrong, "SCHEMA_VALIDATION_FAILED", "These fields are required: [StartAt, States]", `,"location":"/"`)}},
		{"The default and maximum value of maxResults is 100", call{"ValidateStateMachineDefinition", `{"definition":"{}","maxResults":101}`, "ValidationException: 1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"}},
	}
}

// TestSameResponse: "if you call StartExecution with the same name and input as a
// running execution, the call succeeds and return the same response as the
// original request"; "StartExecution isn't idempotent for EXPRESS workflows"; a
// second stop of an execution tells when the first one was.
func TestSameResponse(t *testing.T) {
	h := serve(t)
	must(t, h, "CreateStateMachine", `{"name":"m",`+unquoted+`}`)
	const sm = "arn:aws:states:us-east-1:000000000000:stateMachine:"
	same := func(operation, body string) {
		t.Helper()
		first, second := must(t, h, operation, body).String(), must(t, h, operation, body).String()
		if first != second {
			t.Errorf("%s: first %s, then %s", operation, first, second)
		}
	}
	same("StartExecution", `{"stateMachineArn":"`+sm+`m","name":"x"}`)
	same("StopExecution", `{"executionArn":"arn:aws:states:us-east-1:000000000000:execution:m:x"}`)
	same("RedriveExecution", `{"executionArn":"arn:aws:states:us-east-1:000000000000:execution:m:x","clientToken":"t"}`)
	same("CreateActivity", `{"name":"a"}`)
	same("CreateStateMachine", `{"name":"m",`+unquoted+`}`)
	same("PublishStateMachineVersion", `{"stateMachineArn":"`+sm+`m"}`)
	same("CreateStateMachineAlias", `{"name":"prod","routingConfiguration":[{"stateMachineVersionArn":"`+sm+`m:1","weight":100}]}`)
	same("UpdateStateMachineAlias", `{"stateMachineAliasArn":"`+sm+`m:prod","description":"d"}`)
	express := machine(t, h, "e", "EXPRESS")
	body := `{"stateMachineArn":"` + express + `","name":"x"}`
	if first, second := must(t, h, "StartExecution", body).Get("executionArn").Str(), must(t, h, "StartExecution", body).Get("executionArn").Str(); first == second || !strings.HasPrefix(first, "arn:aws:states:us-east-1:000000000000:express:e:x:") {
		t.Errorf("Express executions %s and %s", first, second)
	}
}

// TestTokensOfLongNames: page tokens are at most 1024 characters, those of
// ListExecutions 3096, and task tokens 2048, whatever the names.
func TestTokensOfLongNames(t *testing.T) {
	h := serve(t)
	long := strings.Repeat("\u4e2d", 80)
	sm := "arn:aws:states:us-east-1:000000000000:stateMachine:" + long
	must(t, h, "CreateStateMachine", `{"name":"`+long+`",`+unquoted+`,"publish":true}`)
	must(t, h, "CreateStateMachine", `{"name":"`+long[3:]+`",`+unquoted+`}`)
	must(t, h, "UpdateStateMachine", `{"stateMachineArn":"`+sm+`","roleArn":"`+role+`1","publish":true}`)
	var x string
	for _, name := range []string{long, long[3:]} {
		must(t, h, "CreateActivity", `{"name":"`+name+`"}`)
		x = must(t, h, "StartExecution", `{"stateMachineArn":"`+sm+`","name":"`+name+`"}`).Get("executionArn").Str()
	}
	for _, name := range []string{strings.Repeat("a", 80), strings.Repeat("a", 79)} {
		must(t, h, "CreateStateMachineAlias", `{"name":"`+name+`","routingConfiguration":[{"stateMachineVersionArn":"`+sm+`:1","weight":100}]}`)
	}
	for operation, asked := range map[string]string{
		"ListStateMachines": "", "ListActivities": "", "ListExecutions": `"stateMachineArn":"` + sm + `",`, "GetExecutionHistory": `"executionArn":"` + x + `",`,
		"ListStateMachineVersions": `"stateMachineArn":"` + sm + `",`, "ListStateMachineAliases": `"stateMachineArn":"` + sm + `",`,
	} {
		token := must(t, h, operation, `{`+asked+`"maxResults":1}`).Get("nextToken").Str()
		if token == "" {
			t.Errorf("%s has no second page", operation)
		} else if status, v := post(t, h, operation, `{`+asked+`"maxResults":1,"nextToken":"`+token+`"}`); status != http.StatusOK {
			t.Errorf("%s: a token of %d characters: %v", operation, len(token), v)
		}
	}
}

// TestDefaultPage: "The default is 100 and the maximum allowed page size is 1000. A
// value of 0 uses the default."
func TestDefaultPage(t *testing.T) {
	h := serve(t)
	for i := range 101 {
		must(t, h, "CreateActivity", fmt.Sprintf(`{"name":"a%d"}`, i))
	}
	for body, want := range map[string]int{`{}`: 100, `{"maxResults":0}`: 100, `{"maxResults":null}`: 100, `{"maxResults":1}`: 1, `{"maxResults":1000}`: 101} {
		page := must(t, h, "ListActivities", body)
		if n := page.Get("activities").Len(); n != want || (page.Get("nextToken").Str() == "") != (want == 101) {
			t.Errorf("%s: %d activities, nextToken %v", body, n, page.Get("nextToken"))
		}
	}
}
