package asl_test

import (
	"testing"

	"github.com/steppehq/steppe/asl"
)

func TestParseResource(t *testing.T) {
	tests := []struct {
		arn  string
		want asl.Resource
		ok   bool
	}{
		{"arn:aws:lambda:us-east-1:000000000000:function:f", asl.Resource{Kind: asl.FunctionResource}, true},
		{"arn:aws:lambda:us-east-1:000000000000:function:f:PROD", asl.Resource{Kind: asl.FunctionResource}, true},
		{"arn:aws:states:us-east-1:000000000000:activity:a", asl.Resource{Kind: asl.ActivityResource}, true},
		{"arn:aws:states:::lambda:invoke", asl.Resource{Kind: asl.ServiceResource, Service: "lambda", Action: "invoke", Name: "invoke"}, true},
		{"arn:aws:states:::lambda:invoke.waitForTaskToken", asl.Resource{Kind: asl.ServiceResource, Service: "lambda", Action: "invoke", Name: "invoke.waitForTaskToken", Pattern: asl.WaitForTaskToken}, true},
		{"arn:aws:states:::states:startExecution.sync:2", asl.Resource{Kind: asl.ServiceResource, Service: "states", Action: "startExecution", Name: "startExecution.sync:2", Pattern: asl.RunJob}, true},
		{"arn:aws-cn:states:::aws-sdk:dynamodb:putItem", asl.Resource{Kind: asl.ServiceResource, Service: "aws-sdk:dynamodb", Action: "putItem", Name: "putItem"}, true},
		{"arn:aws:states:us-east-1:111122223333:aws-sdk:s3:getObject", asl.Resource{Kind: asl.ServiceResource, Service: "aws-sdk:s3", Action: "getObject", Name: "getObject"}, true},
		{"arn:aws-us-gov:states:us-gov-west-1:111122223333:lambda:invoke", asl.Resource{Kind: asl.ServiceResource, Service: "lambda", Action: "invoke", Name: "invoke"}, true},
		{"arn:aws-cn:states:cn-north-1:111122223333:sqs:sendMessage.waitForTaskToken", asl.Resource{Kind: asl.ServiceResource, Service: "sqs", Action: "sendMessage", Name: "sendMessage.waitForTaskToken", Pattern: asl.WaitForTaskToken}, true},
		{"arn:aws-cn:lambda:cn-north-1:111122223333:function:f", asl.Resource{Kind: asl.FunctionResource}, true},
		{"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST", asl.Resource{Kind: asl.FunctionResource}, true},
		{"arn:aws:lambda:us-east-1:000000000000:function:f:12", asl.Resource{Kind: asl.FunctionResource}, true},
		{"arn:aws:lambda:us-east-1:000000000000:function:f:", asl.Resource{}, false},
		{"arn:aws:lambda:us-east-1:000000000000:function:f:a b", asl.Resource{}, false},
		{"arn:aws:lambda:us-east-1:000000000000:function:f:a:b", asl.Resource{}, false},
		{"arn:aws:lambda:us-east-1:000000000000:function:f:$OLDEST", asl.Resource{}, false},
		{"arn:aws:states:us-east-1::lambda:invoke", asl.Resource{}, false},
		{"arn:aws:states::111122223333:lambda:invoke", asl.Resource{}, false},
		{"arn:aws:states:us-east-1:111122223333:stateMachine:m", asl.Resource{}, false},
		{"arn:aws:states:us-east-1:111122223333:execution:m:x", asl.Resource{}, false},
		{"arn:aws:states:::lambda:invoke.later", asl.Resource{}, false},
		{"arn:aws:states:::aws-sdk:dynamodb", asl.Resource{}, false},
		{"arn:aws:states:::lambda:", asl.Resource{}, false},
		{"arn:aws:lambda:us-east-1:000000000000:function:", asl.Resource{}, false},
		{"lambda", asl.Resource{}, false},
		{"", asl.Resource{}, false},
	}
	for _, tt := range tests {
		got, ok := asl.ParseResource(tt.arn)
		if ok != tt.ok {
			t.Errorf("%s: ok = %v", tt.arn, ok)
		}
		tt.want.ARN = tt.arn
		if ok && got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.arn, got, tt.want)
		}
	}
}
