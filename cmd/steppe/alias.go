package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/steppehq/steppe/catalogue"
)

type aliasCommand struct {
	Shift  aliasShiftCommand  `cmd:"" help:"Begin to bring an alias to another version, and follow it. The server goes on with it by itself."`
	Status aliasStatusCommand `cmd:"" help:"Show how far the last shift of an alias is."`
	Cancel aliasCancelCommand `cmd:"" help:"Roll a shift back."`
}

// aliasFlags are those of commands about an alias.
type aliasFlags struct {
	Name string `arg:"" help:"MACHINE:ALIAS, or the ARN of the alias."`
	serverFlags
}

// alias is the alias's ARN.
func (f *aliasFlags) alias() (string, error) {
	if strings.HasPrefix(f.Name, "arn:") {
		return f.Name, nil
	}
	if machine, alias, ok := strings.Cut(f.Name, ":"); !ok || machine == "" || alias == "" || strings.Contains(alias, ":") {
		return "", fmt.Errorf("'%s' is neither MACHINE:ALIAS nor an ARN", f.Name)
	}
	return f.serverFlags.arn("stateMachine", f.Name)
}

// aliasShift is what the command line shows of a shift.
type aliasShift struct {
	Alias      string  `json:"stateMachineAliasArn"`
	Status     string  `json:"status"`
	Reason     string  `json:"reason"`
	From       string  `json:"fromVersionArn"`
	To         string  `json:"toVersionArn"`
	Weight     int     `json:"weight"`
	Next       float64 `json:"nextStepDate"`
	Executions int64   `json:"executions"`
	Failed     int64   `json:"failed"`
}

// line shows a shift in a line.
func (s *aliasShift) line() string {
	version := func(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }
	line := fmt.Sprintf("%-11s  version %s: %d%%  version %s: %d%%  executions: %d, failed: %d", s.Status, version(s.From), 100-s.Weight, version(s.To), s.Weight, s.Executions, s.Failed)
	if s.Next != 0 {
		line += "  next step: " + seconds(s.Next).UTC().Format("2006-01-02T15:04:05Z")
	}
	if s.Reason != "" {
		line += "  " + s.Reason
	}
	return line
}

type aliasShiftCommand struct {
	aliasFlags
	To         string `required:"" help:"Number or ARN of the version to bring the alias to." placeholder:"VERSION"`
	Canary     string `help:"Give the new version this much for so long, and then all: 10%/5m." placeholder:"PERCENT/TIME" xor:"steps"`
	Linear     string `help:"Give the new version this much more each time: 10%/1m." placeholder:"PERCENT/TIME" xor:"steps"`
	RollbackOn string `help:"Roll back when more executions fail or time out: 'error-rate>2%'." placeholder:"RULE"`
	Detach     bool   `help:"Do not wait for the end."`
}

// Run begins the shift and follows it. The exit status reports whether the alias
// leads to the new version.
func (c *aliasShiftCommand) Run(con *console) error {
	arn, err := c.alias()
	if err != nil {
		return err
	}
	version := c.To
	if !strings.HasPrefix(version, "arn:") {
		version = arn[:strings.LastIndexByte(arn, ':')+1] + version
	}
	server := c.client(arn)
	var s aliasShift
	in := map[string]string{"stateMachineAliasArn": arn, "stateMachineVersionArn": version, "canary": c.Canary, "linear": c.Linear, "rollbackOn": c.RollbackOn}
	if err := server.post("alias-shifts", in, &s); err != nil {
		return err
	}
	fmt.Fprintln(con.out, s.line())
	if c.Detach {
		return nil
	}
	return s.follow(con, server)
}

// followEvery is how often a shift is asked for.
const followEvery = 500 * time.Millisecond

// follow shows a shift whenever it moves, until it ends. The exit status reports
// whether the alias leads to the new version.
func (s *aliasShift) follow(con *console, server client) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for s.Status == string(catalogue.ShiftRunning) {
		select {
		case <-ctx.Done():
			return errors.New("the shift goes on; to roll it back: steppe alias cancel " + s.Alias)
		case <-time.After(followEvery):
		}
		before := *s
		*s = aliasShift{}
		if err := server.get("alias-shifts/"+before.Alias, nil, s); err != nil {
			return err
		}
		if *s != before {
			fmt.Fprintln(con.out, s.line())
		}
	}
	if s.Status != string(catalogue.ShiftSucceeded) {
		return exitCode(1)
	}
	return nil
}

type aliasStatusCommand struct {
	aliasFlags
	Follow bool `help:"Wait for its end."`
}

// Run shows the shift.
func (c *aliasStatusCommand) Run(con *console) error {
	arn, err := c.alias()
	if err != nil {
		return err
	}
	var s aliasShift
	server := c.client(arn)
	if err := server.get("alias-shifts/"+arn, nil, &s); err != nil {
		return err
	}
	fmt.Fprintln(con.out, s.line())
	if !c.Follow {
		return nil
	}
	return s.follow(con, server)
}

type aliasCancelCommand struct{ aliasFlags }

// Run rolls the shift back, and shows what it is then: one that has ended stays.
func (c *aliasCancelCommand) Run(con *console) error {
	arn, err := c.alias()
	if err != nil {
		return err
	}
	var s aliasShift
	if err := c.client(arn).remove("alias-shifts/"+arn, &s); err != nil {
		return err
	}
	fmt.Fprintln(con.out, s.line())
	return nil
}
