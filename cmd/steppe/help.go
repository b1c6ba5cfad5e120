package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// versionFlag shows the version and ends the program.
type versionFlag bool

// BeforeReset shows the version.
func (versionFlag) BeforeReset(app *kong.Kong) error { //nolint:unparam // as kong calls it
	fmt.Fprintln(app.Stdout, "steppe", version())
	app.Exit(0)
	return nil
}

// flagHelp is the help of a flag with its default and its environment variables,
// where the help does not tell them.
func flagHelp(v *kong.Value) string {
	help := v.Help
	if v.HasDefault && v.Default != "" && !v.IsBool() && !strings.Contains(help, "Default:") {
		help = strings.TrimSuffix(help, ".") + ". Default: " + v.Default + "."
	}
	if v.Flag != nil && len(v.Flag.Envs) > 0 {
		help += " ($" + strings.Join(v.Flag.Envs, ", $") + ")"
	}
	return help
}

// parts of the help of commands.
const (
	exitStatuses     = "Exit status: 0 when it was done, 1 when it failed, 2 when the command line is not right."
	serverVariables  = "Environment: STEPPE_ENDPOINT is the server, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN) sign, AWS_REGION or AWS_DEFAULT_REGION is the region."
	colourVariables  = "Environment: NO_COLOR or TERM=dumb switch colours off, COLUMNS is the width of the terminal."
	nothingFoundExit = "Exit status: 0 also when nothing was found, 1 when it failed, 2 when the command line is not right."
)

// helps is what the help of each command says at its end: examples, exit statuses,
// environment variables.
var helps = map[string]string{
	"serve": "Example: steppe serve --data steppe-data --keys keys.yaml --addr 0.0.0.0:8083\n\n" +
		"GET /healthz and /readyz tell monitors how it is. SIGTERM and SIGINT end it, SIGHUP has it open its audit file anew.\n\n" +
		"Exit status: 0 when it was asked to end, 1 when it could not begin or had to end, 2 when the command line is not right.",
	"run": "Example: steppe run examples/order-approval --approve --input @order.json\n\n" +
		"Exit status: 0 when the execution succeeded, 1 when it failed or could not be run, 2 when the command line is not right, 3 when it timed out, 4 when it was aborted (Ctrl-C).\n\n" + colourVariables,
	"validate": "Example: steppe validate --express order.asl.json\n\nExit status: 0 when no file has an error, 1 when one has, 2 when the command line is not right.",
	"test":     "Example: steppe test --coverage --junit report.xml cases.yaml\n\nExit status: 0 when all cases passed, 1 when one failed, there was none, or a file is not right, 2 when the command line is not right.",
	"eval":     "Example: steppe eval '$sum($states.input.prices)' --input '{\"prices\": [1, 2]}'\n\n" + exitStatuses,
	"ls":       "Example: steppe ls status:failed since:2h machine:orders\n\n" + nothingFoundExit + "\n\n" + serverVariables,
	"stop":     "Example: steppe stop --where 'machine:orders since:1h' --dry-run\n\nExit status: 0 when all were stopped, 1 when one was not, 2 when the command line is not right.\n\n" + serverVariables,
	"resume":   "Example: steppe resume orders/A-17\n\n" + exitStatuses + "\n\n" + serverVariables,
	"redrive":  "Example: steppe redrive orders/A-17\n\nExit status: 0 when all were redriven, 1 when one was not, 2 when the command line is not right.\n\n" + serverVariables,
	"describe": "Example: steppe describe orders/A-17\n\n" + exitStatuses + "\n\n" + serverVariables,
	"fork":     "Example: steppe fork orders/A-17 --at 12 --definition new.asl.json\n\n" + exitStatuses + "\n\n" + serverVariables,
	"history":  "Example: steppe history orders/A-17 --full\n\n" + exitStatuses + "\n\n" + serverVariables + "\n\n" + colourVariables,
	"alias shift": "Example: steppe alias shift orders:live --to 7 --canary 10%/5m --rollback-on 'error-rate>2%'\n\n" +
		"Exit status: 0 when the alias leads to the new version, 1 when it was rolled back or the command failed, 2 when the command line is not right.\n\n" + serverVariables,
	"alias status": "Example: steppe alias status orders:live --follow\n\n" + exitStatuses + "\n\n" + serverVariables,
	"alias cancel": "Example: steppe alias cancel orders:live\n\n" + exitStatuses + "\n\n" + serverVariables,
	"check":        "Example: steppe check --data steppe-data\n\nExit status: 0 when all is well, 1 when something is not, 2 when the command line is not right.",
	"export":       "Example: steppe export --data steppe-data > all.jsonl\n\n" + exitStatuses,
	"import":       "Example: steppe import --data new-data --dry-run all.jsonl\n\n" + exitStatuses,
	"bench":        "Example: steppe bench --workloads W1,W2\n\n" + exitStatuses,
	"chaos":        "Example: steppe chaos examples/order-approval/cases.yaml --kills 3\n\nExit status: 0 when nothing was lost or done twice, 1 when something was, 2 when the command line is not right.",
	"soak":         "Example: steppe soak --duration 10m --kills 1\n\nExit status: 0 when all was in its bounds, 1 when something was not, 2 when the command line is not right.",
	"hostile":      "Example: steppe hostile\n\nExit status: 0 when the other tenant noticed nothing, 1 when it did, 2 when the command line is not right.",
	"approve":      "Example: steppe approve --reject --cause 'too expensive' TOKEN\n\n" + exitStatuses + "\n\n" + serverVariables,
	"env":          "Example: eval \"$(steppe env)\"\n\n" + exitStatuses,
	"version":      "Example: steppe version\n\n" + exitStatuses,
}

// addHelp gives commands what their help says at the end.
func addHelp(app *kong.Kong) {
	for _, node := range app.Model.Leaves(false) {
		node.Detail = helps[commandName(node)]
	}
}

// mistake is what to say of a command line that is not right, and of which command
// the help tells more.
func mistake(err error) string {
	command := "steppe"
	if parsing, ok := err.(*kong.ParseError); ok && parsing.Context != nil { //nolint:errorlint // Parse gives no other
		if node := parsing.Context.Selected(); node != nil {
			command += " " + commandName(node)
		}
	}
	return fmt.Sprintf("steppe: %v\nTry: %s --help", err, command)
}

// commandName is what is typed for a command: "alias shift".
func commandName(node *kong.Node) string {
	if node.Parent != nil && node.Parent.Type == kong.CommandNode {
		return commandName(node.Parent) + " " + node.Name
	}
	return node.Name
}
