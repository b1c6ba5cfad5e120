package api

import (
	"context"

	"github.com/steppehq/steppe/aws/server"
)

// noMapRun checks the ARN of a Map Run and reports that there is none.
func (a *api) noMapRun(arn string) error {
	if _, err := parseARN(arn, "mapRun"); err != nil {
		return err
	}
	return resourceNotFound(arn)
}

// describeMapRun is DescribeMapRun.
func (a *api) describeMapRun(_ context.Context, r *server.Request) ([]byte, error) {
	return nil, a.noMapRun(r.Str("mapRunArn"))
}

// updateMapRun is UpdateMapRun.
func (a *api) updateMapRun(_ context.Context, r *server.Request) ([]byte, error) {
	if !r.Has("maxConcurrency") && !r.Has("toleratedFailureCount") && !r.Has("toleratedFailurePercentage") {
		return nil, invalidFor("MISSING_REQUIRED_PARAMETER", "Either the maxConcurrency, the toleratedFailureCount or the toleratedFailurePercentage must be specified")
	}
	return nil, a.noMapRun(r.Str("mapRunArn"))
}

// listMapRuns answers for an execution that is there: its Map states, which are
// inline, have no Map Runs.
func (a *api) listMapRuns(ctx context.Context, r *server.Request) ([]byte, error) {
	d, err := a.execution(ctx, r.Str("executionArn"), false)
	if err != nil {
		return nil, err
	}
	if _, err := a.position(r, d.ARN); err != nil {
		return nil, err
	}
	var o server.Object
	return o.Raw("mapRuns", []byte("[]")).JSON(), nil
}
