package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/value"
)

type runCommand struct {
	File    string `arg:"" help:"Definition (JSON or YAML), or a folder that holds one."`
	Input   string `help:"Input as JSON, or @FILE; - is standard input. Default: input.json beside the definition, or {}." placeholder:"JSON"`
	Config  string `help:"Configuration file; its functions and substitutions; steppe.yaml beside the definition when there is one. Functions of the folder functions are found beside the definition, too." placeholder:"FILE"`
	Account string `help:"Account of the execution and of the functions. Default: 000000000000, and ARNs of all accounts name the functions." placeholder:"ID"`
	Approve bool   `help:"Approve every task that waits for a task token, with {\"approved\":true}."`
	Addr    string `help:"Where task tokens are taken while an execution waits." default:"127.0.0.1:8083" placeholder:"HOST:PORT"`
	Time    string `help:"Real, or virtual: the clock jumps to the next timer whenever nothing else is under way and nobody owes an answer." enum:"real,virtual" default:"real"`
	substitutionFlags
	Full bool `help:"Show inputs and outputs in full, also where a line of the terminal is too short."`
	JSON bool `help:"Write the events as JSON, one a line." name:"json"`
}

// Exit statuses of run beside 0, for an execution that succeeded.
const (
	exitFailed   = exitCode(1)
	exitTimedOut = exitCode(3)
	exitAborted  = exitCode(4)
)

// runName is the name of the state machine that run makes.
const runName = "run"

// Run runs one execution in this process. The exit status reports how it ended:
// 0 succeeded, 1 failed, 3 timed out, 4 aborted.
func (c *runCommand) Run(con *console) error {
	d, err := openDefinition(c.File, c.Config, &c.substitutionFlags, substitutions{"AWS::AccountId": cmp.Or(c.Account, steppe.DefaultAccount)})
	if err != nil {
		return err
	}
	parsed, diagnostics := asl.Runnable(d.json, false, steppe.OfferOf(steppe.Config{}))
	if parsed == nil {
		show := &validateCommand{JSON: c.JSON}
		for _, diagnostic := range diagnostics {
			show.show(con, d, diagnostic)
		}
		if slices.ContainsFunc(diagnostics, func(d asl.Diagnostic) bool { return d.Code == asl.NotPerformed }) && !c.JSON {
			fmt.Fprintln(con.err, "steppe: nothing was run; steppe test runs the definition with mocks for what is not performed here")
		}
		return exitFailed
	}
	d.warnDoubled(con)
	input, err := c.input(d.file)
	if err != nil {
		return err
	}
	if c.Full {
		con.width = 0
	}
	r := &runner{command: c, con: con, tree: newTree(con), events: make(chan engine.Step, 1024)}
	cfg := steppe.Config{Account: c.Account, VirtualTime: c.Time == "virtual", Unattended: true, FunctionLog: r.functionLog}
	cfg.Listener.Step = func(s engine.Step) { r.events <- s }
	functions, err := findFunctions(filepath.Dir(d.file), c.Config)
	if err != nil {
		return err
	}
	cfg.Functions = functions.functions
	if !c.JSON {
		for _, passed := range functions.passed {
			fmt.Fprintln(con.err, "passed over:", passed)
		}
	}
	if r.server, err = steppe.Open(cfg); err != nil {
		return err
	}
	var told sync.Mutex
	r.server.CheckFunctions(context.Background(), true, func(name string, err error) {
		told.Lock()
		defer told.Unlock()
		fmt.Fprintf(con.err, "function %s cannot be loaded: %v\n", name, err)
	})
	status, err := r.run(d, parsed, input)
	if err := errors.Join(err, r.server.Close()); err != nil {
		return err
	}
	return status
}

// input reads the execution's input.
func (c *runCommand) input(file string) (*value.Doc, error) {
	text := []byte(c.Input)
	from := "--input"
	switch {
	case c.Input == "-" || c.Input == "@-":
		from = "standard input"
		var err error
		if text, err = io.ReadAll(os.Stdin); err != nil {
			return nil, err
		}
	case strings.HasPrefix(c.Input, "@"):
		from = c.Input[1:]
		var err error
		if text, err = os.ReadFile(from); err != nil {
			return nil, err
		}
	case c.Input == "":
		from = filepath.Join(filepath.Dir(file), "input.json")
		var err error
		if text, err = os.ReadFile(from); err != nil {
			text = []byte("{}")
		}
	}
	doc, err := value.ParseDoc([]byte(strings.TrimSpace(string(text))))
	if err != nil {
		return nil, fmt.Errorf("%s: %w%s", from, err, fileHint(from, c.Input))
	}
	return doc, nil
}

// runner is one run of the command.
type runner struct {
	command *runCommand
	con     *console
	tree    *tree
	server  *steppe.Server
	events  chan engine.Step
	serving func()
}

func (r *runner) functionLog(name, line string) {
	if !r.command.JSON {
		fmt.Fprintf(r.con.err, "%s\n", r.tree.paint(grey, "               "+name+": "+line))
	}
}

// account is the execution's.
func (r *runner) account() string { return cmp.Or(r.command.Account, steppe.DefaultAccount) }

// makeActivities makes the activities whose workers are to perform tasks of the
// definition: who runs one has not called CreateActivity.
func (r *runner) makeActivities(ctx context.Context, parsed *asl.StateMachine) (err error) {
	made := make(map[string]bool)
	parsed.Walk(func(st asl.State) {
		task, ok := st.(*asl.Task)
		if !ok || made[task.Resource] {
			return
		}
		if name, ok := catalogue.ParseARN(task.Resource); ok && name.Kind == "activity" && len(name.Path) == 1 {
			made[task.Resource] = true
			err = errors.Join(err, r.server.Engine().Catalogue().PutActivity(ctx, catalogue.Activity{Tenant: name.Tenant, Name: name.Path[0], Created: time.Now()}))
		}
	})
	return err
}

func (r *runner) run(d *definition, parsed *asl.StateMachine, input *value.Doc) (error, error) { //nolint:revive // the first is the exit status
	ctx, stop := interrupted()
	defer stop()
	m, err := r.server.Engine().Catalogue().Create(ctx, catalogue.Spec{
		Tenant: catalogue.Tenant{Account: r.account(), Region: steppe.DefaultRegion}, Name: runName,
		RoleARN: "arn:aws:iam::" + r.account() + ":role/" + runName, Definition: string(d.json),
	})
	if err != nil {
		return nil, err
	}
	if err := r.makeActivities(ctx, parsed); err != nil {
		return nil, err
	}
	started, err := r.server.Engine().Start(ctx, engine.StartRequest{Machine: m, Input: input})
	if err != nil {
		return nil, err
	}
	defer func() {
		if r.serving != nil {
			r.serving()
		}
	}()
	for {
		select {
		case step := <-r.events:
			for i := range step.Events {
				r.show(&step.Events[i])
			}
			if err := r.tokens(ctx, step); err != nil {
				return nil, err
			}
			if status, ended := outcome(&step.Events[len(step.Events)-1]); ended {
				return status, nil
			}
		case <-ctx.Done():
			if _, err := r.server.Engine().Stop(context.Background(), started.ARN, history.ErrorOutput{}); err != nil {
				return exitAborted, err
			}
			return r.rest()
		}
	}
}

// rest shows what happens until an execution that was stopped has ended.
func (r *runner) rest() (error, error) { //nolint:revive // the first is the exit status
	for {
		select {
		case step := <-r.events:
			for i := range step.Events {
				r.show(&step.Events[i])
			}
			if status, ended := outcome(&step.Events[len(step.Events)-1]); ended {
				return status, nil
			}
		case <-time.After(restTimeout):
			return exitAborted, errors.New("the execution was stopped, but its end is not told")
		}
	}
}

// restTimeout bounds how long the end of an execution that was stopped is waited
// for.
const restTimeout = 5 * time.Second

func (r *runner) show(ev *history.Event) {
	if r.command.JSON {
		fmt.Fprintln(r.con.out, string(ev.AppendJSON(nil, true)))
		return
	}
	r.tree.show(ev)
}

// outcome returns the exit status when an event ends the execution.
func outcome(ev *history.Event) (error, bool) { //nolint:revive // an exit status, not a failure
	switch ev.Type {
	case history.ExecutionSucceeded:
		return nil, true
	case history.ExecutionFailed:
		return exitFailed, true
	case history.ExecutionTimedOut:
		return exitTimedOut, true
	case history.ExecutionAborted:
		return exitAborted, true
	default:
		return nil, false
	}
}

// tokens approves the tasks that wait for their token, or tells how to.
func (r *runner) tokens(ctx context.Context, step engine.Step) error {
	for i := range step.Events {
		ev := &step.Events[i]
		if ev.Type != history.TaskSubmitted || !strings.HasSuffix(ev.Resource, ".waitForTaskToken") {
			continue
		}
		token := step.Token(ev.Previous - 1) // TaskStarted, and before it TaskScheduled
		if r.command.Approve {
			output := value.NewDoc([]byte(`{"approved":true}`))
			err := r.server.Engine().SendTask(ctx, token, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: output})
			if err != nil && !errors.Is(err, engine.ErrStale) { // it is over: its time, or the execution
				return err
			}
			continue
		}
		if err := r.listen(); err != nil {
			return err
		}
		r.explain(token)
	}
	return nil
}

// listen takes task tokens from other programs while the execution waits.
func (r *runner) listen() error {
	if r.serving != nil {
		return nil
	}
	if host, _, err := net.SplitHostPort(r.command.Addr); err != nil || !isLoopback(host) {
		return fmt.Errorf("--addr %s: task tokens are taken on the loopback interface only, for nobody's keys are checked", r.command.Addr)
	}
	listener, err := net.Listen("tcp", r.command.Addr)
	if err != nil {
		return fmt.Errorf("listen for task tokens (give another --addr): %w", err)
	}
	r.command.Addr = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = serveHTTP(ctx, listener, r.server.Handler(), slog.New(slog.DiscardHandler)) // ends with cancel
	}()
	r.serving = func() { cancel(); <-done }
	return nil
}

func (r *runner) explain(token string) {
	w := r.con.out
	if r.command.JSON {
		w = r.con.err
	}
	endpoint := "http://" + r.command.Addr
	fmt.Fprintf(w, "\nThe execution waits for an approval. In another terminal, either of\n\n")
	fmt.Fprintf(w, "  aws stepfunctions send-task-success --endpoint-url %s --task-token %s --task-output '{\"approved\":true}'\n\n", endpoint, token)
	fmt.Fprintf(w, "  steppe approve --endpoint %s %s\n\n", endpoint, token)
	if r.command.Time == "virtual" {
		fmt.Fprintf(w, "The clock stands until then. To let time pass instead:\n\n  steppe clock --advance 1h --endpoint %s\n\n", endpoint)
	}
}
