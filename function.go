package steppe

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/steppehq/steppe/integration/lambda"
)

// Function is a Lambda function: a process on this machine, an HTTP URL, or Go
// code ([GoFunction]).
type Function struct {
	lambda.Process
	// URL is set for a function that an HTTP server performs.
	URL string
	// Account is whose function it is: others get the answer that they would get
	// if it were not there. "" stands for the server's own account, and for that of
	// the keys if these have only one and Config.Account is not set; "*" for all.
	Account string
	// Removed reports that the function was given up: tasks that call it fail with
	// Lambda.ResourceNotFoundException, and do not wait for it to come back.
	Removed bool

	code lambda.Function
}

// GoFunction is a Lambda function of that name in Go, of this process. In and
// Out are what encoding/json can decode and encode. An error becomes an Error
// Name: the name of its type, or what its method ErrorType() string gives.
func GoFunction[In, Out any](name string, fn func(ctx context.Context, in In) (Out, error)) Function {
	return Function{Process: lambda.Process{Name: name}, code: lambda.GoFunction(func(ctx context.Context, input json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, fmt.Errorf("the input of function %s: %w", name, err)
		}
		return fn(ctx, in)
	})}
}

// FunctionARN is the ARN by which Task states name a function of this server.
func (s *Server) FunctionARN(name string) string {
	return "arn:aws:lambda:" + s.region + ":" + s.account + ":function:" + name
}

// RegisterFunction makes a [GoFunction] available to a server that is open, as
// one of the server's account.
// Tasks that have called it before, in this or an earlier life of the data
// directory, and wait for it are performed then.
func RegisterFunction[In, Out any](s *Server, name string, fn func(ctx context.Context, in In) (Out, error)) {
	s.functions.Add(name, GoFunction(name, fn).code, s.homes...)
	s.engine.Retry(context.Background())
}

// IdempotencyKey gives the code of a [GoFunction], by the context that it is
// given, what tells the attempts of tasks apart: the same each time that the same
// attempt of the same task is performed, as after a crash. It is "" for other
// contexts.
func IdempotencyKey(ctx context.Context) string { return lambda.IdempotencyKey(ctx) }

// ClientContext gives the code of a [GoFunction], by the context that it is given,
// the client context with which lambda:invoke called it, as JSON (parameter
// ClientContext; Lambda API, Invoke). It is nil where there is none.
func ClientContext(ctx context.Context) json.RawMessage { return lambda.ClientContext(ctx) }

// CheckFunctions loads the code of the functions that are processes of this
// machine, as their first invocations would, and reports each that fails. keep
// leaves the processes for these.
func (s *Server) CheckFunctions(ctx context.Context, keep bool, failed func(name string, err error)) {
	s.functions.Check(ctx, keep, failed)
}
