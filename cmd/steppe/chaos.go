package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/internal/bench"
	"github.com/steppehq/steppe/value"
)

type chaosCommand struct {
	Cases      string        `arg:"" help:"File of cases as steppe test runs them: inputs, what tasks give, what must come out; or the folder of a definition and its cases.yaml."`
	Executions int           `help:"Executions to start." default:"1000" placeholder:"N"`
	Kills      int           `help:"How often the server is killed." default:"20" placeholder:"N"`
	Data       string        `help:"Data directory, which must not exist; a temporary one by default." placeholder:"DIR"`
	Seed       uint64        `help:"Seed of the moments; another one each time by default." placeholder:"N"`
	Timeout    time.Duration `help:"How long all may take after the last kill." default:"5m" placeholder:"DURATION"`
	JSON       string        `help:"Write the report as JSON." placeholder:"FILE" name:"json"`
}

// chaosReport is what was done and what came of it.
type chaosReport struct {
	Version     string   `json:"version"`
	Seed        uint64   `json:"seed"`
	Executions  int      `json:"executions"`
	Kills       int      `json:"kills"`
	Downtime    float64  `json:"secondsDown"`
	Seconds     float64  `json:"seconds"`
	Events      int      `json:"events"`
	Calls       int      `json:"taskCalls"`
	CallsAgain  int      `json:"taskCallsAgain"`
	StartsAgain int      `json:"startsAskedAgain"`
	Violations  []string `json:"violations"`
}

// maxViolations bounds how many are told.
const maxViolations = 50

// Run starts executions on a server that it kills again and again, waits until
// all have ended, and checks every one. The exit status is 1 when anything is
// not as it must be.
func (c *chaosCommand) Run(con *console) error {
	suite, err := c.suite(con)
	if err != nil {
		return err
	}
	if c.Seed == 0 {
		c.Seed = uint64(time.Now().UnixNano())
	}
	dir := c.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "steppe-chaos-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // it is temporary
		dir = filepath.Join(dir, "data")
	} else if _, err := os.Stat(dir); err == nil {
		return fmt.Errorf("--data %s exists; name a directory that does not", dir)
	}
	x := &chaos{chaosCommand: c, con: con, suite: suite, dir: dir, random: rand.New(rand.NewPCG(c.Seed, 1))}
	x.report = chaosReport{Version: version(), Seed: c.Seed, Executions: c.Executions, Kills: c.Kills, Violations: []string{}}
	x.target = newChaosTarget(x.caseOf)
	begin := time.Now()
	if err := x.run(); err != nil {
		return err
	}
	x.report.Seconds = time.Since(begin).Seconds()
	return x.tell()
}

func (c *chaosCommand) suite(con *console) (*testSuite, error) {
	file := c.Cases
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, "cases.yaml")
	}
	suites, err := loadCases(file)
	if err != nil {
		return nil, err
	}
	if len(suites) != 1 || len(suites[0].cases) == 0 {
		return nil, fmt.Errorf("%s: it must hold the cases of one definition", file)
	}
	return suites[0], suites[0].load(con, new(substitutionFlags))
}

// chaos is one run.
type chaos struct {
	*chaosCommand
	con    *console
	suite  *testSuite
	dir    string
	random *rand.Rand
	target *chaosTarget
	report chaosReport

	mu     sync.Mutex
	server *bench.Process
	url    string // of the target
}

func (x *chaos) name(n int) string { return fmt.Sprintf("x%d-case%d", n, n%len(x.suite.cases)) }

// caseOf returns the case of an execution's name.
func (x *chaos) caseOf(name string) *testCase {
	_, number, _ := strings.Cut(name, "-case")
	n, err := strconv.Atoi(number)
	if err != nil || n >= len(x.suite.cases) {
		return &testCase{}
	}
	return &x.suite.cases[n]
}

func (x *chaos) run() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	x.url = "http://" + listener.Addr().String()
	hs := &http.Server{Handler: x.target, ReadHeaderTimeout: time.Minute}
	go func() { _ = hs.Serve(listener) }() // ends with Close
	defer hs.Close()                       //nolint:errcheck // nothing is left in it
	if err := x.start(); err != nil {
		return err
	}
	defer func() { _ = x.server.Kill() }() // unless it has ended
	machine, err := x.create()
	if err != nil {
		return err
	}
	if err := x.storm(machine); err != nil {
		return err
	}
	arns, err := x.settle()
	if err != nil {
		return err
	}
	x.checkAll(arns)
	if err := x.server.Stop(); err != nil {
		x.violation("the server did not end cleanly: %v", err)
	}
	return checkDirectory(x.dir, func(text string) { x.violation("data directory: %s", text) })
}

// start starts the server process.
func (x *chaos) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	server, err := bench.Start([]string{self, "chaos-serve", x.dir, x.url})
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.server = server
	return nil
}

func (x *chaos) client() client {
	x.mu.Lock()
	defer x.mu.Unlock()
	flags := serverFlags{Endpoint: "http://" + x.server.Address, Region: steppe.DefaultRegion}
	return flags.client("")
}

// kill kills the server and starts it again.
func (x *chaos) kill() error {
	begin := time.Now()
	if err := errors.Join(x.server.Kill(), x.start()); err != nil {
		return err
	}
	x.report.Downtime += time.Since(begin).Seconds()
	return nil
}

func (x *chaos) create() (string, error) {
	var out struct{ StateMachineArn string }
	err := x.client().call("CreateStateMachine", map[string]string{
		"name": "chaos", "definition": x.suite.text, "roleArn": "arn:aws:iam::" + steppe.DefaultAccount + ":role/chaos",
	}, &out)
	return out.StateMachineArn, err
}

// storm starts the executions while the server is killed at random moments.
func (x *chaos) storm(machine string) error {
	work := make(chan int)
	done := make(chan struct{})
	var starters sync.WaitGroup
	const atOnce = 16
	for range atOnce {
		starters.Go(func() {
			for n := range work {
				x.begin(machine, n)
			}
		})
	}
	go func() {
		defer close(done)
		for n := range x.Executions {
			work <- n
		}
		close(work)
		starters.Wait()
	}()
	for range x.Kills {
		wait := time.NewTimer(time.Duration(x.random.IntN(400)) * time.Millisecond)
		<-wait.C
		_ = x.target.sendTokens(x.client()) // what was not taken is sent again
		if err := x.kill(); err != nil {
			return err
		}
	}
	<-done
	return nil
}

// begin starts an execution, and asks again until it is told that it runs: by
// name that is safe.
func (x *chaos) begin(machine string, n int) {
	name := x.name(n)
	input, err := yamlValue(&x.caseOf(name).Input)
	if err != nil || input.IsUndefined() {
		input = value.Obj()
	}
	request := map[string]string{"stateMachineArn": machine, "name": name, "input": input.String()}
	for attempt := 0; ; attempt++ {
		err := x.client().call("StartExecution", request, new(struct{}))
		switch {
		case err == nil, strings.HasPrefix(err.Error(), "ExecutionAlreadyExists") && attempt > 0:
			return
		case attempt == 1000:
			x.violation("%s cannot be started: %v", name, err)
			return
		}
		x.mu.Lock()
		x.report.StartsAgain++
		x.mu.Unlock()
		<-time.After(10 * time.Millisecond)
	}
}

// settle waits until every execution has ended, and returns their ARNs.
func (x *chaos) settle() ([]string, error) {
	tenant := catalogue.Tenant{Account: steppe.DefaultAccount, Region: steppe.DefaultRegion}
	arns := make([]string, x.Executions)
	deadline := time.Now().Add(x.Timeout)
	for n := range arns {
		arns[n] = tenant.ARN("execution", "chaos:"+x.name(n))
		for {
			if err := x.target.sendTokens(x.client()); err != nil {
				return nil, err
			}
			var d struct{ Status string }
			if err := x.client().call("DescribeExecution", map[string]string{"executionArn": arns[n], "includedData": "METADATA_ONLY"}, &d); err != nil {
				x.violation("%s: it was acknowledged, and: %v", arns[n], err)
				break
			}
			if d.Status != "RUNNING" {
				break
			}
			if time.Now().After(deadline) {
				x.violation("%s is stuck", arns[n])
				break
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	return arns, nil
}

func (x *chaos) violation(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.report.Violations) < maxViolations {
		x.report.Violations = append(x.report.Violations, fmt.Sprintf(format, args...))
	}
}

// checkDirectory verifies a data directory as steppe check does, and reports what
// is wrong in it.
func checkDirectory(dir string, tell func(string)) error {
	db, err := openData(dir)
	if err != nil {
		return err
	}
	_, err = checkData(context.Background(), db, nil, tell)
	return errors.Join(err, db.Close())
}

// tell writes the report.
func (x *chaos) tell() error {
	r := &x.report
	x.target.mu.Lock()
	r.Calls, r.CallsAgain = x.target.total, x.target.again
	x.target.mu.Unlock()
	out := x.con.out
	fmt.Fprintf(out, "%d executions of %d cases, %d kills, %.1f s down of %.1f s, seed %d\n", r.Executions, len(x.suite.cases), r.Kills, r.Downtime, r.Seconds, r.Seed)
	fmt.Fprintf(out, "%d events, %d task calls, %d of them again, %d starts asked again\n", r.Events, r.Calls, r.CallsAgain, r.StartsAgain)
	for _, v := range r.Violations {
		fmt.Fprintln(out, "VIOLATION", v)
	}
	if err := writeJSON(x.JSON, r); err != nil {
		return err
	}
	if len(r.Violations) > 0 {
		fmt.Fprintf(out, "%d violations\n", len(r.Violations))
		return exitCode(1)
	}
	fmt.Fprintln(out, "no violation: every execution ended as its case says, no history has a gap, no recorded effect was asked for again, nothing is stuck")
	return nil
}
