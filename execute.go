package steppe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/store"
)

// ExecutionError is the end of an execution that did not succeed.
type ExecutionError struct {
	// Status is FAILED, TIMED_OUT or ABORTED.
	Status string
	// Name and Cause are its Error Output, "" where it has none.
	Name, Cause string
}

// Error returns status, Error Name and cause.
func (e *ExecutionError) Error() string {
	return strings.TrimSuffix("execution "+e.Status+": "+e.Name+": "+e.Cause, ": ")
}

// Execute runs a definition to its end and returns its output as JSON. The input
// is encoded as JSON. An execution that does not succeed returns an
// [*ExecutionError]; it continues when the context ends before it does.
func (s *Server) Execute(ctx context.Context, definition string, input any) (json.RawMessage, error) {
	doc, err := encoded("input", input)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(definition))
	m, err := s.StateMachine(ctx, "execute-"+hex.EncodeToString(sum[:8]), catalogue.Standard, definition)
	if err != nil {
		return nil, err
	}
	started, err := s.engine.Start(ctx, engine.StartRequest{Machine: m, Input: doc})
	if err != nil {
		return nil, err
	}
	var out json.RawMessage
	return out, s.Run(started.ARN).Result(ctx, &out)
}

// Execute is [Server.Execute] with its output as a Go value.
func Execute[Out any](ctx context.Context, s *Server, definition string, input any) (out Out, err error) {
	raw, err := s.Execute(ctx, definition, input)
	if err == nil {
		err = decoded(raw, &out)
	}
	return out, err
}

// Run is an execution of a state machine.
type Run struct {
	// ARN is its name in the API, by which [Server.Run] gives it again.
	ARN string

	server *Server
}

// Run returns the execution of that ARN: of a program's earlier life, too.
func (s *Server) Run(arn string) *Run { return &Run{ARN: arn, server: s} }

// StartOption says more of an execution.
type StartOption func(*engine.StartRequest)

// Name has an execution be of that name, which is told by its ARN and given once
// to one of its state machine. A start that is made again while the execution runs,
// with the same input, gives that execution.
func Name(name string) StartOption {
	return func(r *engine.StartRequest) { r.Name = name }
}

// Start begins an execution of a state machine, a version or an alias: its ARN, or
// the name of one of the server's account, as in "orders" or "orders:prod". It
// returns when the start is durable. The input is encoded as JSON.
// store.ErrNotFound, engine.ErrAlreadyExists, engine.ErrBusy.
func (s *Server) Start(ctx context.Context, machine string, input any, options ...StartOption) (*Run, error) {
	doc, err := encoded("input", input)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(machine, "arn:") {
		machine = s.tenant().ARN("stateMachine", machine)
	}
	req, err := s.engine.StartOf(ctx, machine)
	if err != nil {
		return nil, fmt.Errorf("steppe: start %s: %w", machine, err)
	}
	req.Input = doc
	for _, option := range options {
		option(&req)
	}
	started, err := s.engine.Start(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("steppe: start %s: %w", machine, err)
	}
	return s.Run(started.ARN), nil
}

// Result waits for the end of the execution and decodes its output into what out
// points to; nil for nothing. An execution that does not succeed returns an
// [*ExecutionError].
func (r *Run) Result(ctx context.Context, out any) error {
	d, err := r.server.engine.Wait(ctx, r.ARN)
	if err != nil {
		return err
	}
	if d.Status == store.Succeeded {
		return decoded(d.Output.Raw(), out)
	}
	failed := &ExecutionError{Status: d.Status.String()}
	if d.Failure.Error != nil {
		failed.Name = *d.Failure.Error
	}
	if d.Failure.Cause != nil {
		failed.Cause = *d.Failure.Cause
	}
	return failed
}

func decoded(output []byte, out any) error {
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(output, out); err != nil {
		return fmt.Errorf("steppe: output: %w", err)
	}
	return nil
}
