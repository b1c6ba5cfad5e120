package main

import (
	"fmt"
	"os"
	"time"

	"github.com/steppehq/steppe/internal/hostile"
)

type hostileCommand struct {
	Bomb     string        `help:"Try the bombs whose names have this text only." placeholder:"TEXT"`
	AtOnce   int           `help:"Executions of each bomb at once." default:"20" placeholder:"N"`
	Patience time.Duration `help:"How long all executions of a bomb may take to end." default:"30s" placeholder:"DURATION"`
	Endless  time.Duration `help:"How long bombs that do not end are at work." default:"4s" placeholder:"DURATION"`
	Alone    time.Duration `help:"How long one execution may take to end." default:"2s" placeholder:"DURATION"`
	P99      time.Duration `help:"How long 99 of 100 requests of another tenant may take." default:"100ms" placeholder:"DURATION" name:"p99"`
	Stop     time.Duration `help:"How long a stop may take." default:"200ms" placeholder:"DURATION"`
	Restarts int           `help:"Instead, kill and start a server so often with one execution of each bomb at work." placeholder:"N"`
	Served   time.Duration `help:"How long an execution of another tenant may take after a start, with --restarts." default:"1500ms" placeholder:"DURATION"`
	Resident int           `help:"How many MB of memory the server may take." default:"1000" placeholder:"MB"`
	Dir      string        `help:"Where the data is put for the time being." placeholder:"DIR"`
	JSON     string        `help:"Write the report as JSON." placeholder:"FILE" name:"json"`
}

// Run attacks servers and tells what became of it. The exit status is 1 when
// anything is not as it must be.
func (c *hostileCommand) Run(con *console) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	options := hostile.Options{
		Binary: self, Bystander: []string{self, "hostile-bystand"}, Dir: c.Dir, Bombs: hostile.Named(c.Bomb), AtOnce: c.AtOnce, Patience: c.Patience, Endless: c.Endless,
		Alone: c.Alone, P99: c.P99, Stop: c.Stop, Resident: c.Resident, Served: c.Served, Out: con.out,
	}
	if c.Restarts > 0 {
		violations, err := hostile.Restarts(ctx, &options, c.Restarts)
		for _, v := range violations {
			fmt.Fprintln(con.out, "VIOLATION", v)
		}
		if err == nil && len(violations) > 0 {
			err = exitCode(1)
		}
		return err
	}
	fmt.Fprintln(con.out, hostile.Head)
	results, err := hostile.Run(ctx, options)
	if err != nil {
		return err
	}
	if err := writeJSON(c.JSON, results); err != nil {
		return err
	}
	violations := 0
	for _, r := range results {
		violations += len(r.Violations)
	}
	if violations > 0 {
		fmt.Fprintf(con.out, "%d violations\n", violations)
		return exitCode(1)
	}
	fmt.Fprintf(con.out, "no violation: %d bombs, and nobody else noticed\n", len(results))
	return nil
}

// bystandCommand is the process of the other tenant of the command hostile.
type bystandCommand struct {
	Endpoint string `arg:""`
	Machine  string `arg:""`
}

// Run asks until its standard input ends.
func (c *bystandCommand) Run(con *console) error {
	return hostile.Bystand(c.Endpoint, c.Machine, os.Stdin, con.out)
}
