package awssdk_test

import (
	"strings"
	"testing"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration/awssdk"
	"github.com/steppehq/steppe/value"
)

// TestCheck has a result for each rule.
func TestCheck(t *testing.T) {
	const arn = "arn:aws:states:::"
	tests := []struct {
		resource, result string
		mode             awssdk.Mode
		want             string
	}{
		// Required members, under the names that each kind of integration has.
		{"states:startExecution", `{}`, awssdk.Strict, "Required field 'ExecutionArn' is missing"},
		{"states:startExecution", `{"ExecutionArn":"a"}`, awssdk.Strict, "Required field 'StartDate' is missing"},
		{"states:startExecution", `{"ExecutionArn":"a","StartDate":null}`, awssdk.Strict, "Required field 'StartDate' is missing"},
		{"states:startExecution", `{"ExecutionArn":"a","StartDate":"now"}`, awssdk.Strict, ""},
		{"states:startExecution", `{"executionArn":"a","startDate":"now"}`, awssdk.Strict, "Required field 'ExecutionArn' is missing"},
		{"states:startExecution", `{"executionArn":1}`, awssdk.Present, ""},
		{"states:startExecution", `{}`, awssdk.Present, ""},
		{"aws-sdk:sfn:startExecution", `{}`, awssdk.Strict, "Required field 'ExecutionArn' is missing"},
		{"aws-sdk:rds:describeDBInstances", `{"DBInstances":1}`, awssdk.Strict, ""},
		{"aws-sdk:rds:describeDBInstances", `{"DbInstances":1}`, awssdk.Strict, "Field 'DbInstances' must be an array"},
		{"aws-sdk:sqs:sendMessage", `{"Md5OfMessageBody":1}`, awssdk.Strict, "Field 'Md5OfMessageBody' must be a string"},
		{"sqs:sendMessage", `{"MD5OfMessageBody":1}`, awssdk.Strict, "Field 'MD5OfMessageBody' must be a string"},
		// Types.
		{"sqs:sendMessage", `{"MessageId":true}`, awssdk.Strict, "Field 'MessageId' must be a string"},
		{"events:putEvents", `{"Entries":{}}`, awssdk.Strict, "Field 'Entries' must be an array"},
		{"events:putEvents", `{"Entries":["x"]}`, awssdk.Strict, "Field 'Entries' must be an object"},
		{"events:putEvents", `{"Entries":[{"EventId":[]}]}`, awssdk.Strict, "Field 'EventId' must be a string"},
		{"events:putEvents", `{"Entries":[null]}`, awssdk.Strict, ""},
		{"events:putEvents", `{"FailedEntryCount":"1"}`, awssdk.Strict, "Field 'FailedEntryCount' must be a number"},
		{"dynamodb:putItem", `{"ConsumedCapacity":{"CapacityUnits":"1.5"}}`, awssdk.Present, "Field 'CapacityUnits' must be a number"},
		{"dynamodb:putItem", `{"ConsumedCapacity":{"CapacityUnits":1.5}}`, awssdk.Present, ""},
		{"dynamodb:getItem", `{"Item":{"id":{"S":1}}}`, awssdk.Strict, "Field 'S' must be a string"},
		{"dynamodb:getItem", `{"Item":{"id":"x"}}`, awssdk.Strict, "Field 'id' must be an object"},
		{"dynamodb:getItem", `{"Item":{"id":{"BOOL":"true"}}}`, awssdk.Strict, "Field 'BOOL' must be a boolean"},
		{"aws-sdk:dynamodb:getItem", `{"Item":{"id":{"Bool":"true"}}}`, awssdk.Strict, "Field 'Bool' must be a boolean"},
		{"aws-sdk:kms:encrypt", `{"CiphertextBlob":123}`, awssdk.Strict, "Field 'CiphertextBlob' must be a string"},
		{"aws-sdk:sfn:startExecution", `{"ExecutionArn":"a","StartDate":1764103483}`, awssdk.Strict, "Field 'StartDate' must be a string"},
		{"aws-sdk:s3:getObject", `{"ContentLength":"9000"}`, awssdk.Present, "Field 'ContentLength' must be a number"},
		{"aws-sdk:s3:getObject", `{"Body":"text","Metadata":{"a":"b"}}`, awssdk.Strict, ""},
		{"aws-sdk:s3:getObject", `{"Metadata":{"a":1}}`, awssdk.Strict, "Field 'a' must be a string"},
		// Bounds.
		{"aws-sdk:kms:encrypt", `{"CiphertextBlob":""}`, awssdk.Strict, "Field 'CiphertextBlob' is smaller than the minimum length"},
		{"aws-sdk:kms:encrypt", `{"CiphertextBlob":"` + strings.Repeat("x", 6145) + `"}`, awssdk.Present, "Field 'CiphertextBlob' exceeds the maximum length"},
		{"aws-sdk:kms:encrypt", `{"KeyId":""}`, awssdk.Present, "Field 'KeyId' is smaller than the minimum length"},
		{"aws-sdk:lambda:getFunction", `{"Configuration":{"MemorySize":10241}}`, awssdk.Strict, "Field 'MemorySize' exceeds the maximum value"},
		{"aws-sdk:lambda:getFunction", `{"Configuration":{"MemorySize":127}}`, awssdk.Strict, "Field 'MemorySize' is less than the minimum value"},
		{"aws-sdk:lambda:getFunction", `{"Configuration":{"MemorySize":128}}`, awssdk.Strict, ""},
		{"aws-sdk:s3:getObject", `{"StorageClass":"Papyrus"}`, awssdk.Strict, "Field 'StorageClass' is not an expected value"},
		{"aws-sdk:s3:getObject", `{"StorageClass":"GLACIER"}`, awssdk.Strict, ""},
		{"aws-sdk:s3:getObject", `{"StorageClass":"Papyrus"}`, awssdk.None, ""},
		// Members that the API does not have, and an operation without output.
		{"lambda:invoke", `{"pokemon":"pikachu","SdkHttpMetadata":1}`, awssdk.Strict, ""},
		{"aws-sdk:sqs:purgeQueue", `{"a":1}`, awssdk.Strict, ""},
		// What Step Functions has parsed may be anything.
		{"lambda:invoke", `{"Payload":{"a":1},"StatusCode":200}`, awssdk.Strict, ""},
		{"lambda:invoke", `{"Payload":{"a":1},"StatusCode":"200"}`, awssdk.Strict, "Field 'StatusCode' must be a number"},
		{"aws-sdk:lambda:invoke", `{"Payload":{"a":1}}`, awssdk.Strict, "Field 'Payload' must be a string"},
		// A job's result is what tells how it goes.
		{"states:startExecution.sync", `{"ExecutionArn":"a","StartDate":"now"}`, awssdk.Strict, "Required field 'StateMachineArn' is missing"},
		{"states:startExecution.sync", `{"Output":{}}`, awssdk.Present, "Field 'Output' must be a string"},
		{"states:startExecution.sync:2", `{"ExecutionArn":"a","StateMachineArn":"m","StartDate":"now","Status":"DONE"}`, awssdk.Strict, "Field 'Status' is not an expected value"},
		{"states:startExecution.sync:2", `{"ExecutionArn":"a","StateMachineArn":"m","StartDate":"now","Status":"SUCCEEDED","Output":{}}`, awssdk.Strict, ""},
		{"batch:submitJob.sync", `{"Jobs":[{}]}`, awssdk.Strict, "Required field 'JobName' is missing"},
		{"batch:submitJob", `{}`, awssdk.Strict, "Required field 'JobName' is missing"},
		{"glue:startJobRun.sync", `{"JobRun":{"JobRunState":"LOST"}}`, awssdk.Strict, "Field 'JobRunState' is not an expected value"},
		{"ecs:runTask.sync", `{"Tasks":[{"Cpu":1}]}`, awssdk.Strict, "Field 'Cpu' must be a string"},
		{"elasticmapreduce:addStep.sync", `{"Step":{"Status":{"State":"LOST"}}}`, awssdk.Strict, "Field 'State' is not an expected value"},
		{"elasticmapreduce:createCluster", `{"ClusterId":"j-1"}`, awssdk.Strict, ""},
	}
	for _, tt := range tests {
		resource, ok := asl.ParseResource(arn + tt.resource)
		if !ok {
			t.Fatal(tt.resource)
		}
		result, err := value.DecodeString(tt.result)
		if err != nil {
			t.Fatal(err)
		}
		response := awssdk.ResponseOf(resource)
		if response == nil {
			t.Errorf("%s has no model", tt.resource)
			continue
		}
		if got := response.Check(result, tt.mode); got != tt.want {
			t.Errorf("%s %s %.80s: got %q, want %q", tt.resource, tt.mode, tt.result, got, tt.want)
		}
	}
}

// TestNoResponse has the tasks whose results no API gives.
func TestNoResponse(t *testing.T) {
	for _, arn := range []string{
		"arn:aws:lambda:us-east-1:123456789012:function:f",
		"arn:aws:states:us-east-1:123456789012:activity:a",
		"arn:aws:states:::http:invoke",
		"arn:aws:states:::apigateway:invoke",
		"arn:aws:states:::eks:call",
		"arn:aws:states:::eks:runJob.sync",
		"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
		"arn:aws:states:::aws-sdk:nosuch:getThing",
		"arn:aws:states:::aws-sdk:sqs:getThing",
	} {
		resource, ok := asl.ParseResource(arn)
		if !ok {
			t.Fatal(arn)
		}
		if awssdk.ResponseOf(resource) != nil {
			t.Errorf("%s has a model", arn)
		}
	}
}

func TestRecognizer(t *testing.T) {
	recognized := awssdk.Recognizer()
	for arn, want := range map[string]bool{
		"arn:aws:states:::aws-sdk:sqs:sendMessage":                  true,
		"arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken": true,
		"arn:aws:states:::aws-sdk:sqs:SendMessage":                  false,
		"arn:aws:states:::aws-sdk:sqs:sendMesage":                   false,
		"arn:aws:states:::aws-sdk:SQS:sendMessage":                  false,
		"arn:aws:states:::aws-sdk:cloudfront:createDistribution":    true,
		"arn:aws:states:::sqs:sendMessage":                          true,
		"arn:aws:states:::anything:goes":                            false,
		"arn:aws:lambda:us-east-1:123456789012:function:f":          true,
	} {
		resource, ok := asl.ParseResource(arn)
		if !ok || recognized(resource) != want {
			t.Errorf("%s: want %v", arn, want)
		}
	}
}

// TestOptimized sees that the APIs behind the optimized integrations are there.
func TestOptimized(t *testing.T) {
	awssdk.EachOptimized(func(resource string) {
		r, ok := asl.ParseResource(resource)
		if !ok || awssdk.ResponseOf(r) == nil {
			t.Errorf("%s has no model", resource)
		}
	})
}
