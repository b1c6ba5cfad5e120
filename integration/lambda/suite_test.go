package lambda_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/integrationtest"
	"github.com/steppehq/steppe/integration/lambda"
	"github.com/steppehq/steppe/value"
)

// functionsOfSuite has a function for each promise of an integration.
func functionsOfSuite(began chan<- struct{}) *lambda.Functions {
	set := lambda.NewFunctions()
	set.Add("echo", lambda.GoFunction(func(_ context.Context, in json.RawMessage) (any, error) { return in, nil }), own)
	set.Add("fail", lambda.GoFunction(func(context.Context, json.RawMessage) (any, error) { return nil, refused{"no"} }), own)
	set.Add("large", lambda.GoFunction(func(context.Context, json.RawMessage) (any, error) { return strings.Repeat("x", 2000), nil }), own)
	set.Add("endless", lambda.GoFunction(func(ctx context.Context, _ json.RawMessage) (any, error) {
		began <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}), own)
	return set
}

func TestSuite(t *testing.T) {
	began := make(chan struct{})
	set := functionsOfSuite(began)
	defer set.Close()
	task := func(arn, input string) integration.Task {
		return integration.Task{
			Resource: integrationtest.Resource(t, arn), Input: value.NewDoc([]byte(input)), Account: "000000000000", Region: "us-east-1",
			Idempotency: "0123456789abcdef0123456789abcdef", MaxBytes: 1000, StateName: "A",
		}
	}
	t.Run("by ARN", func(t *testing.T) {
		integrationtest.Run(t, integrationtest.Fixture{
			Integration: set.ByARN(),
			Good:        task(byName+"echo", `{"a":1}`), Want: `{"a":1}`,
			Bad: task(byName+"fail", `{}`), BadName: "refused",
			Large: task(byName+"large", `{}`), Endless: task(byName+"endless", `{}`), Began: began,
		})
	})
	t.Run("optimized", func(t *testing.T) {
		invoke := func(name string) integration.Task {
			return task("arn:aws:states:::lambda:invoke", `{"FunctionName":"`+name+`","InvocationType":"RequestResponse","Payload":{"a":1}}`)
		}
		good := invoke("echo")
		out, err := set.Optimized().Perform(t.Context(), good)
		if err != nil {
			t.Fatal(err)
		}
		integrationtest.Run(t, integrationtest.Fixture{
			Integration: set.Optimized(), Unsupported: "arn:aws:states:::lambda:invoke.sync",
			Good: good, Want: out.String(),
			Bad: invoke("fail"), BadName: "refused",
			Large: invoke("large"), Endless: invoke("endless"), Began: began,
		})
	})
}
