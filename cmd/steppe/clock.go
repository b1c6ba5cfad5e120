package main

import (
	"fmt"
	"time"
)

type clockCommand struct {
	Advance string `help:"Let so much time pass, as in 90s, 36h or 7d." placeholder:"DURATION"`
	serverFlags
}

// Run shows the time of a server, and moves a virtual clock on.
func (c *clockCommand) Run(con *console) error {
	var clock struct {
		Now     float64 `json:"now"`
		Virtual bool    `json:"virtual"`
		Owed    int     `json:"owed"`
	}
	server := c.client("")
	var err error
	if c.Advance != "" {
		err = server.post("clock", map[string]string{"advance": c.Advance}, &clock)
	} else {
		err = server.get("clock", nil, &clock)
	}
	if err != nil {
		return err
	}
	line := seconds(clock.Now).UTC().Format(time.RFC3339)
	switch {
	case clock.Virtual && clock.Owed > 0:
		line += fmt.Sprintf("  virtual, stands: somebody owes an answer to %d executions", clock.Owed)
	case clock.Virtual:
		line += "  virtual"
	}
	fmt.Fprintln(con.out, line)
	return nil
}
