// Command steppe runs Amazon States Language state machines durably and answers
// the AWS Step Functions API.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the whole surface: each command is a struct with a Run method in a
// file of its own.
type cli struct {
	Serve      serveCommand      `cmd:"" help:"Answer the Step Functions API."`
	Run        runCommand        `cmd:"" help:"Run one execution of a state machine and show what happens."`
	Validate   validateCommand   `cmd:"" help:"Check definitions and show what is wrong, with line and column."`
	Test       testCommand       `cmd:"" help:"Run the cases of a definition with mocks, in virtual time."`
	Eval       evalCommand       `cmd:"" help:"Evaluate a JSONata or JSONPath expression as a state would."`
	Ls         lsCommand         `cmd:"" help:"Search for executions."`
	Stop       stopCommand       `cmd:"" help:"Stop an execution, or all that a search finds."`
	Resume     resumeCommand     `cmd:"" help:"Have an execution go on that is held, since the server died in the middle of its steps."`
	Describe   describeCommand   `cmd:"" help:"Show what is known of an execution."`
	Redrive    redriveCommand    `cmd:"" help:"Redrive an execution, or all that a search finds."`
	Fork       forkCommand       `cmd:"" help:"Start an execution that takes up another one at some event."`
	Alias      aliasCommand      `cmd:"" help:"Bring an alias from one version to another, step by step."`
	History    historyCommand    `cmd:"" help:"Show the history of an execution as a tree."`
	Check      checkCommand      `cmd:"" help:"Verify a data directory."`
	Export     exportCommand     `cmd:"" help:"Write state machines and executions as lines of JSON."`
	Import     importCommand     `cmd:"" help:"Read what export wrote into a data directory."`
	Bench      benchCommand      `cmd:"" help:"Measure this machine: workloads over HTTP and through the library, beside what its disk can do."`
	BenchServe benchServeCommand `cmd:"" hidden:""`
	Bystand    bystandCommand    `cmd:"" hidden:"" name:"hostile-bystand"`
	Chaos      chaosCommand      `cmd:"" help:"Kill a server again and again while it runs a definition, and check that nothing is lost or done twice."`
	ChaosServe chaosServeCommand `cmd:"" hidden:""`
	Soak       soakCommand       `cmd:"" help:"Have a server under full mixed load, with kills and failing tasks, and check that reads stay fast and nothing leaks."`
	Hostile    hostileCommand    `cmd:"" help:"Attack a server with executions that take more than they should get, and see what another tenant notices."`
	Clock      clockCommand      `cmd:"" help:"Show the time of a server, and have a virtual clock go on."`
	Approve    approveCommand    `cmd:"" help:"End a task that waits for its task token."`
	Env        envCommand        `cmd:"" help:"Write the environment variables with which AWS's CLI and SDKs call a server."`
	Version    versionCommand    `cmd:"" help:"Show the version."`
	ShowIt     versionFlag       `help:"Show the version." name:"version" short:"v"`
}

// console is where commands read and write.
type console struct {
	out, err io.Writer
	colours  bool
	width    int // columns that lines may have; 0: any
}

// interrupted is a context that ends when the process is asked to.
func interrupted() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// writeJSON writes a report into a file, if one is named.
func writeJSON(name string, report any) error {
	if name == "" {
		return nil
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o600)
}

// exitCode is an error that only sets the exit status.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// ballastBytes is how much of the heap is never touched.
const ballastBytes = 32 << 20

func main() {
	// Go's collector waits for as much garbage as the heap holds. An execution
	// leaves some kilobytes behind, for which a heap of few megabytes would be
	// collected a hundred times in a second: the ballast has it wait for at least
	// its size. Nobody writes there, so it takes addresses and no memory.
	ballast := make([]byte, ballastBytes)
	status := Main(os.Args[1:], os.Stdout, os.Stderr)
	runtime.KeepAlive(ballast)
	os.Exit(status)
}

// Main runs the command line and returns the exit status: 0 for success, 1 for
// failure, 2 for a command line that is not right; run returns more (see there).
func Main(args []string, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("steppe"),
		kong.Description("AWS Step Functions that you can own."),
		kong.ValueFormatter(flagHelp),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
	)
	if err != nil {
		fmt.Fprintln(stderr, "steppe:", err)
		return 1
	}
	addHelp(parser)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	ctx, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help, --version
	}
	if err != nil {
		fmt.Fprintln(stderr, mistake(err))
		return 2
	}
	err = ctx.Run(&console{stdout, stderr, hasColours(stdout), terminalWidth(stdout)})
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	if err != nil {
		fmt.Fprintln(stderr, "steppe:", strings.TrimPrefix(err.Error(), "steppe: ")) // the library's prefix is the same
		return 1
	}
	return 0
}
