package main

import (
	"fmt"
)

type forkCommand struct {
	Execution  string `arg:"" help:"MACHINE/NAME of the execution to take up, as ls shows it, or its ARN."`
	At         int64  `help:"The last event that both have; the last one of all by default." placeholder:"EVENT"`
	Name       string `help:"Name of the new execution." placeholder:"NAME"`
	Definition string `help:"File of the definition that the new execution runs by." placeholder:"FILE" type:"existingfile"`
	Input      string `help:"Input of the state that the event is in or leads to, as JSON; at event 1, of the execution." placeholder:"JSON"`
	substitutionFlags
	serverFlags
}

// Run starts the new execution and shows its ARN.
func (c *forkCommand) Run(con *console) error {
	arn, err := c.execution(c.Execution)
	if err != nil {
		return err
	}
	in := map[string]any{"executionArn": arn, "event": c.At, "name": c.Name, "input": c.Input}
	if c.Definition != "" {
		d, err := openDefinition(c.Definition, "", &c.substitutionFlags, nil)
		if err != nil {
			return err
		}
		in["definition"] = string(d.json)
	}
	var out struct {
		ARN string `json:"executionArn"`
	}
	if err := c.client(arn).post("forks", in, &out); err != nil {
		return err
	}
	fmt.Fprintln(con.out, out.ARN)
	return nil
}
