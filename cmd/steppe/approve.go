package main

import (
	"fmt"

	"github.com/steppehq/steppe/engine"
)

type approveCommand struct {
	Token string `arg:"" help:"Task token."`
	serverFlags
	Output string `help:"Output of the task, as JSON." default:"{\"approved\":true}" placeholder:"JSON"`
	Reject bool   `help:"Fail the task instead."`
	Error  string `help:"Error Name with --reject." default:"Rejected" placeholder:"NAME"`
	Cause  string `help:"Cause with --reject." placeholder:"TEXT"`
}

// Run answers the task.
func (c *approveCommand) Run(con *console) error {
	server := c.client("")
	if of, ok := engine.TokenTenant(c.Token); ok {
		server.tenant = of
	}
	var none struct{}
	if c.Reject {
		in := map[string]string{"taskToken": c.Token, "error": c.Error, "cause": c.Cause}
		if err := server.call("SendTaskFailure", in, &none); err != nil {
			return err
		}
		fmt.Fprintln(con.out, "rejected")
		return nil
	}
	if err := server.call("SendTaskSuccess", map[string]string{"taskToken": c.Token, "output": c.Output}, &none); err != nil {
		return err
	}
	fmt.Fprintln(con.out, "approved")
	return nil
}
