package integration_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/value"
)

// only supports one action.
type only string

func (o only) Supports(r asl.Resource) error {
	if r.Action != string(o) && o != "*" {
		return integration.Unsupported(r)
	}
	return nil
}

func (only) Perform(context.Context, integration.Task) (*value.Doc, error) {
	return nil, errors.New("not asked for")
}

// runner also runs jobs.
type runner struct{ only }

func (runner) Poll(context.Context, integration.Task, *value.Doc) (integration.Progress, error) {
	return integration.Progress{}, errors.New("not asked for")
}

func (runner) Stop(context.Context, integration.Task, *value.Doc) error {
	return errors.New("not asked for")
}

// TestRegistry: a resource is performed by what was registered for its service last, if
// that supports it, and a job by a Runner.
func TestRegistry(t *testing.T) {
	var r integration.Registry
	function, invoke, table, sdk := only("*"), only("invoke"), only("putItem"), only("listBuckets")
	r.Register(integration.FunctionService, function)
	r.Register("lambda", only("nothing"))
	r.Register("lambda", invoke) // takes its place
	r.Register("aws-sdk:dynamodb", table)
	r.Register("aws-sdk:*", sdk)
	jobs := runner{only("startJobRun")}
	r.Register("glue", jobs)
	tests := []struct {
		arn, err string
		want     integration.Integration
	}{
		{"arn:aws:lambda:us-east-1:123456789012:function:f", "", function},
		{"arn:aws:states:::lambda:invoke", "", invoke},
		{"arn:aws:states:::aws-sdk:dynamodb:putItem", "", table},
		{"arn:aws:states:::aws-sdk:s3:listBuckets", "", sdk},
		{"arn:aws:states:::lambda:delete", "arn:aws:states:::lambda:delete is not performed here: the integration for lambda does not have delete", nil},
		{"arn:aws:states:::lambda:invoke.sync", "arn:aws:states:::lambda:invoke.sync is not performed here: the integration for lambda does not run jobs (.sync)", nil},
		{"arn:aws:states:::glue:startJobRun.sync", "", jobs},
		{"arn:aws:states:::glue:startJobRun", "", jobs},
		{"arn:aws:states:::sqs:sendMessage", "arn:aws:states:::sqs:sendMessage is not performed here: there is no integration for sqs; there are activities, aws-sdk:*, aws-sdk:dynamodb, glue, lambda, Lambda functions by their ARN", nil},
	}
	for _, tt := range tests {
		resource, ok := asl.ParseResource(tt.arn)
		if !ok {
			t.Fatal(tt.arn)
		}
		got, err := r.Lookup(resource)
		if message := text(err); got != tt.want || message != tt.err {
			t.Errorf("%s: got %v, %q, want %v, %q", tt.arn, got, message, tt.want, tt.err)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestFailureOf(t *testing.T) {
	if got := integration.FailureOf(integration.Failed("A", "b")); got != (integration.Failure{Error: "A", Cause: "b"}) {
		t.Error(got)
	}
	if !integration.IsFailure(fmt.Errorf("poll: %w", integration.Failed("A", "b"))) || integration.IsFailure(errors.New("x")) {
		t.Error("a failure of the task is none, or what is none is one")
	}
	if got := integration.FailureOf(errors.New("x")); got != (integration.Failure{Error: "States.TaskFailed", Cause: "x"}) {
		t.Error(got)
	}
}
