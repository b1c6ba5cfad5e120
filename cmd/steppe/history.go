package main

import (
	"encoding/json"
	"fmt"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/value"
)

type historyCommand struct {
	Execution string `arg:"" help:"MACHINE/NAME of the execution, as ls shows it, or its ARN."`
	serverFlags
	Full bool `help:"Show inputs and outputs in full, also where a line of the terminal is too short."`
	JSON bool `help:"Write the events as the API has them, one a line." name:"json"`
}

// Run shows the history.
func (c *historyCommand) Run(con *console) error {
	arn, err := c.execution(c.Execution)
	if err != nil {
		return err
	}
	if c.Full {
		con.width = 0
	}
	tree := newTree(con)
	reader := history.Reader{Lax: true} // the server may be a newer one
	request := map[string]any{"executionArn": arn, "maxResults": 1000}
	for {
		var page struct {
			Events    []json.RawMessage `json:"events"`
			NextToken string            `json:"nextToken"`
		}
		if err := c.client(arn).call("GetExecutionHistory", request, &page); err != nil {
			return err
		}
		for _, raw := range page.Events {
			if c.JSON {
				fmt.Fprintln(con.out, string(raw))
				continue
			}
			ev, err := reader.Event(value.NewScanner(raw))
			if err != nil {
				return err
			}
			tree.show(&ev)
		}
		if page.NextToken == "" {
			return nil
		}
		request["nextToken"] = page.NextToken
	}
}
