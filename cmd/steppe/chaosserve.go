package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/internal/bench"
	"github.com/steppehq/steppe/value"
)

// chaosServeCommand is the server process of the command chaos, which kills it.
type chaosServeCommand struct {
	Dir    string `arg:""`
	Target string `arg:""`
}

// Run serves until its standard input ends.
func (c *chaosServeCommand) Run(con *console) error {
	server, err := steppe.Open(steppe.Config{Dir: c.Dir, Perform: forwarded{c.Target}})
	if err != nil {
		return err
	}
	return errors.Join(bench.Listen(server.Handler(), os.Stdin, con.out), server.Close())
}

// forwarded has the process that kills this one perform all tasks.
type forwarded struct{ target string }

// chaosTask is a task on its way to the target, chaosAnswer what it gives.
type (
	chaosTask struct {
		Execution   string          `json:"execution"`
		State       string          `json:"state"`
		Event       int64           `json:"event"`
		Idempotency string          `json:"idempotency"`
		Waits       bool            `json:"waits"` // for its task token
		Input       json.RawMessage `json:"input"`
	}
	chaosAnswer struct {
		Output json.RawMessage `json:"output,omitempty"`
		Error  string          `json:"error,omitempty"`
		Cause  string          `json:"cause,omitempty"`
	}
)

// Supports is always nil.
func (forwarded) Supports(asl.Resource) error { return nil }

// Perform asks the target.
func (f forwarded) Perform(ctx context.Context, task integration.Task) (*value.Doc, error) {
	body, err := json.Marshal(chaosTask{
		Execution: task.ExecutionARN, State: task.StateName, Event: task.Event, Idempotency: task.Idempotency,
		Waits: task.Resource.Pattern == asl.WaitForTaskToken, Input: task.Input.Raw(),
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	var answer chaosAnswer
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, integration.Failed(answer.Error, answer.Cause)
	}
	return value.ParseDoc(answer.Output)
}
