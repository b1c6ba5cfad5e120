package main

import (
	"errors"
	"fmt"
	"slices"
)

// bulkFlags are those of commands that act on executions: one by its name, or
// all that a search finds.
type bulkFlags struct {
	Execution string `arg:"" optional:"" help:"MACHINE/NAME of the execution, as ls shows it, or its ARN."`
	Where     string `help:"Act on all executions that a search finds (see: steppe ls --help)." placeholder:"QUERY"`
	DryRun    bool   `help:"Only show the executions that would be acted on."`
	serverFlags
}

type stopCommand struct {
	bulkFlags
	Error string `help:"Error Name of the executions' end." placeholder:"NAME"`
	Cause string `help:"Its cause." placeholder:"TEXT"`
}

// Run stops executions.
func (c *stopCommand) Run(con *console) error {
	// What has ended cannot be stopped.
	return c.run(con, "stopped", "status:running ", func(server client, arn string) error {
		in := map[string]string{"executionArn": arn}
		if c.Error != "" {
			in["error"] = c.Error
		}
		if c.Cause != "" {
			in["cause"] = c.Cause
		}
		return server.call("StopExecution", in, new(struct{}))
	})
}

type resumeCommand struct{ bulkFlags }

// Run has executions continue.
func (c *resumeCommand) Run(con *console) error {
	return c.run(con, "resumed", "status:running ", func(server client, arn string) error {
		return server.post("resumptions", map[string]any{"executionArn": arn}, new(struct{}))
	})
}

type redriveCommand struct{ bulkFlags }

// Run redrives executions.
func (c *redriveCommand) Run(con *console) error {
	return c.run(con, "redriven", "status:failed,timed_out,aborted ", func(server client, arn string) error {
		return server.call("RedriveExecution", map[string]string{"executionArn": arn}, new(struct{}))
	})
}

// run acts on the executions and reports what became of each, and of all. The
// exit status reports whether any failed.
func (c *bulkFlags) run(con *console, done, can string, act func(server client, arn string) error) error {
	switch {
	case (c.Execution == "") == (c.Where == ""):
		return errors.New("give either an execution (MACHINE/NAME, or its ARN) or --where QUERY")
	case c.Execution != "" && c.DryRun:
		return errors.New("--dry-run is for --where QUERY")
	case c.Execution != "":
		arn, err := c.execution(c.Execution)
		if err == nil {
			err = act(c.client(arn), arn)
		}
		if err == nil {
			fmt.Fprintln(con.out, done)
		}
		return err
	}
	server := c.client("")
	// All are found before the first is acted on: acting changes what is found.
	var found []*foundExecution
	err := search(server, can+c.Where, func(x *foundExecution) (bool, error) {
		found = append(found, x)
		return true, nil
	})
	if err != nil {
		return err
	}
	if c.DryRun {
		for _, x := range found {
			fmt.Fprintln(con.out, x.line())
		}
		fmt.Fprintf(con.out, "%d executions would be %s\n", len(found), done)
		return nil
	}
	failed := make(map[string]int)
	for _, x := range found {
		if err := act(server, x.ARN); err != nil {
			failed[err.Error()]++
			fmt.Fprintf(con.out, "%s: %v\n", x.ARN, err)
			continue
		}
		fmt.Fprintln(con.out, x.ARN, done)
	}
	return report(con, done, len(found), failed)
}

// report sums a bulk operation up.
func report(con *console, done string, all int, failed map[string]int) error {
	n := 0
	reasons := make([]string, 0, len(failed))
	for reason, count := range failed {
		n += count
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	fmt.Fprintf(con.out, "%d of %d executions %s\n", all-n, all, done)
	for _, reason := range reasons {
		fmt.Fprintf(con.out, "%d not: %s\n", failed[reason], reason)
	}
	if n > 0 {
		return exitCode(1)
	}
	return nil
}
