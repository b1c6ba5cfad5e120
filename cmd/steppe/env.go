package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type envCommand struct {
	Endpoint string `help:"URL of the server." default:"http://127.0.0.1:8083" env:"STEPPE_ENDPOINT" placeholder:"URL"`
	Region   string `help:"Region of what is made." default:"us-east-1" env:"AWS_REGION,AWS_DEFAULT_REGION" placeholder:"REGION"`
	Shell    string `help:"Whose commands to write: sh, fish or powershell. Default: that of $$SHELL." enum:",sh,fish,powershell" default:"" placeholder:"SHELL"`
}

// Run writes what has AWS's CLI and SDKs call the server. Credentials that are there
// stay: the server may know them.
func (c *envCommand) Run(con *console) error { //nolint:unparam // as kong calls it
	shell := c.Shell
	if shell == "" && filepath.Base(os.Getenv("SHELL")) == "fish" {
		shell = "fish"
	}
	for _, v := range clientVariables(c.Endpoint, c.Region) {
		if v.credential && os.Getenv("AWS_ACCESS_KEY_ID") != "" {
			continue
		}
		switch shell {
		case "fish":
			fmt.Fprintf(con.out, "set -gx %s '%s'\n", v.name, v.value)
		case "powershell":
			fmt.Fprintf(con.out, "$env:%s = '%s'\n", v.name, v.value)
		default:
			fmt.Fprintf(con.out, "export %s='%s'\n", v.name, strings.ReplaceAll(v.value, "'", `'\''`))
		}
	}
	return nil
}

// variable is an environment variable.
type variable struct {
	name, value string
	credential  bool
}

// clientVariables have AWS's CLI and SDKs call a server for Step Functions, and for
// the question who they are. Without credentials they call nobody; with the prefix
// "sync-" before its host they do not find it for StartSyncExecution and TestState.
// The credentials tell no account, so that they are of the server's.
func clientVariables(endpoint, region string) []variable {
	return []variable{
		{name: "AWS_ENDPOINT_URL_SFN", value: endpoint},
		{name: "AWS_ENDPOINT_URL_STS", value: endpoint},
		{name: "AWS_DISABLE_HOST_PREFIX_INJECTION", value: "true"},
		{name: "AWS_REGION", value: region},
		{name: "AWS_DEFAULT_REGION", value: region},
		{name: "AWS_ACCESS_KEY_ID", value: "local", credential: true},
		{name: "AWS_SECRET_ACCESS_KEY", value: "local", credential: true},
	}
}
