package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

type lsCommand struct {
	Query []string `arg:"" optional:"" help:"What must hold: machine:orders status:failed error:States.Timeout state:Charge name:order-* since:2h until:2026-03-01 duration>5m 'input.orderId = \"A-17\"'."`
	serverFlags
	Limit int  `help:"Executions to show at most." default:"100" placeholder:"N"`
	JSON  bool `help:"Write the executions as JSON, one a line." name:"json"`
}

// foundExecution is what the command line shows of an execution.
type foundExecution struct {
	ARN     string   `json:"executionArn"`
	Machine string   `json:"stateMachineArn"`
	Name    string   `json:"name"`
	Status  string   `json:"status"`
	Start   float64  `json:"startDate"`
	Stop    *float64 `json:"stopDate"`
	Error   string   `json:"error"`
	Held    string   `json:"held"`
	Awaits  string   `json:"awaits"`

	raw json.RawMessage
}

// Run shows the executions, newest first.
func (c *lsCommand) Run(con *console) error {
	n := 0
	err := search(c.client(""), strings.Join(c.Query, " "), func(x *foundExecution) (bool, error) {
		if n == 0 && !c.JSON && con.width > 0 {
			fmt.Fprintln(con.out, lsHeader)
		}
		if c.JSON {
			fmt.Fprintln(con.out, string(x.raw))
		} else {
			fmt.Fprintln(con.out, x.line())
		}
		n++
		return n < c.Limit, nil
	})
	if err == nil && n == 0 && !c.JSON {
		fmt.Fprintln(con.err, "no executions")
	}
	if err == nil && n == c.Limit && !c.JSON {
		fmt.Fprintf(con.err, "there may be more; --limit shows more than %d\n", c.Limit)
	}
	return err
}

// lsHeader stands above the lines of executions on a terminal.
var lsHeader = fmt.Sprintf("%-20s  %-9s  %-10s  %s", "STARTED", "STATUS", "TOOK", "MACHINE/NAME")

// line shows an execution in a line.
func (x *foundExecution) line() string {
	start := seconds(x.Start)
	took, why := "running", x.Error
	if x.Held != "" {
		took, why = "held", x.Held
	} else if x.Awaits != "" {
		took, why = "waits", x.Awaits
	}
	if x.Stop != nil {
		took = seconds(*x.Stop).Sub(start).Round(time.Millisecond).String()
	}
	machine := x.Machine[strings.LastIndexByte(x.Machine, ':')+1:]
	return strings.TrimRight(fmt.Sprintf("%s  %-9s  %-10s  %s/%s  %s", start.UTC().Format("2006-01-02T15:04:05Z"), x.Status, took, machine, x.Name, why), " ")
}

func seconds(n float64) time.Time { return time.UnixMilli(int64(n*1000 + 0.5)) }

// search visits what a search finds, newest first, until visit says no.
func search(server client, query string, visit func(*foundExecution) (bool, error)) error {
	const atOnce = 200
	params := url.Values{"q": {query}, "limit": {strconv.Itoa(atOnce)}}
	for {
		var page struct {
			Executions []json.RawMessage `json:"executions"`
			NextToken  string            `json:"nextToken"`
		}
		if err := server.get("executions", params, &page); err != nil {
			return err
		}
		for _, raw := range page.Executions {
			x := foundExecution{raw: raw}
			if err := json.Unmarshal(raw, &x); err != nil {
				return err
			}
			if more, err := visit(&x); err != nil || !more {
				return err
			}
		}
		if page.NextToken == "" {
			return nil
		}
		params.Set("nextToken", page.NextToken)
	}
}
