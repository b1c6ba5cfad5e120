package main

import (
	"fmt"
)

type approveCommand struct {
	Token    string `arg:"" help:"Task token."`
	Endpoint string `help:"URL of the server." default:"http://127.0.0.1:8083" placeholder:"URL"`
	Output   string `help:"Output of the task, as JSON." default:"{\"approved\":true}" placeholder:"JSON"`
	Reject   bool   `help:"Fail the task instead."`
	Error    string `help:"Error Name with --reject." default:"Rejected" placeholder:"NAME"`
	Cause    string `help:"Cause with --reject." placeholder:"TEXT"`
}

// Run answers the task.
func (c *approveCommand) Run(con *console) error {
	server := client{c.Endpoint}
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
