package main

import (
	"encoding/json"
	"fmt"
	"net/url"
)

type describeCommand struct {
	Execution string `arg:"" help:"MACHINE/NAME of the execution, as ls shows it, or its ARN."`
	serverFlags
	JSON bool `help:"Write what the server says, as JSON." name:"json"`
}

// Run shows the execution.
func (c *describeCommand) Run(con *console) error {
	arn, err := c.execution(c.Execution)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.client(arn).get("executions/"+url.PathEscape(arn), nil, &raw); err != nil {
		return err
	}
	if c.JSON {
		fmt.Fprintln(con.out, string(raw))
		return nil
	}
	var x struct {
		foundExecution
		Cause  string `json:"cause"`
		Input  string `json:"input"`
		Output string `json:"output"`
	}
	if err := json.Unmarshal(raw, &x); err != nil {
		return err
	}
	fmt.Fprintln(con.out, x.line())
	for _, part := range []struct{ name, text string }{
		{"arn", x.ARN}, {"held", x.Held}, {"awaits", x.Awaits}, {"cause", x.Cause}, {"input", x.Input}, {"output", x.Output},
	} {
		if part.text != "" {
			fmt.Fprintf(con.out, "  %-7s %s\n", part.name, part.text)
		}
	}
	if x.Held != "" {
		fmt.Fprintf(con.out, "  steppe resume %s has it go on, steppe stop %s ends it\n", x.ARN, x.ARN)
	}
	return nil
}
