package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration/awssdk"
	"github.com/steppehq/steppe/integration/mock"
	"github.com/steppehq/steppe/value"
)

type testCommand struct {
	Files    []string      `arg:"" name:"file" help:"Files of cases (YAML), or a MockConfigFile.json of Step Functions Local."`
	Only     string        `help:"Run only cases whose name holds this." name:"run" placeholder:"TEXT"`
	Coverage bool          `help:"List what no case came through."`
	JUnit    string        `help:"Write the results in JUnit's format." name:"junit" placeholder:"FILE"`
	Timeout  time.Duration `help:"How long a case may take, in real time." default:"30s"`
	substitutionFlags
}

// anyEnd expects nothing of the end.
const anyEnd = "*"

// testSuite is the cases of one definition.
type testSuite struct {
	file, definition string
	substitutions    substitutions
	cases            []testCase
	machine          *asl.StateMachine
	text             string
	covered          coverage
}

// testOutcome is how a case ended; wrong is empty when it passed.
type testOutcome struct {
	suite *testSuite
	name  string
	wrong []string
	took  time.Duration
	// events are those of the execution.
	events []history.Event
}

// Run runs the cases in virtual time. The exit status is 1 when one fails.
func (c *testCommand) Run(con *console) error {
	var outcomes []testOutcome
	var names []string
	for _, file := range c.Files {
		suites, err := loadCases(file)
		if err != nil {
			return err
		}
		for _, s := range suites {
			if err := s.load(con, &c.substitutionFlags); err != nil {
				return err
			}
			for i := range s.cases {
				names = append(names, s.cases[i].Name)
				if tc := &s.cases[i]; strings.Contains(tc.Name, c.Only) {
					o := s.run(tc, c.Timeout)
					showOutcome(con, o)
					outcomes = append(outcomes, o)
				}
			}
			s.covered.report(con, s, c.Coverage)
		}
	}
	if len(outcomes) == 0 {
		return c.noCase(names)
	}
	if c.JUnit != "" {
		if err := writeJUnit(c.JUnit, outcomes); err != nil {
			return err
		}
	}
	failed := 0
	for _, o := range outcomes {
		if len(o.wrong) > 0 {
			failed++
		}
	}
	fmt.Fprintf(con.out, "%d passed, %d failed\n", len(outcomes)-failed, failed)
	if failed > 0 {
		return exitFailed
	}
	return nil
}

func showOutcome(con *console, o testOutcome) {
	tree := newTree(con)
	if len(o.wrong) == 0 {
		fmt.Fprintf(con.out, "%s %s\n", tree.paint(green, "✓"), o.name)
		return
	}
	fmt.Fprintf(con.out, "%s %s\n", tree.paint(red, "✗"), o.name)
	for _, wrong := range o.wrong {
		fmt.Fprintf(con.out, "%s%s\n", caseIndent, wrong)
	}
	if len(o.events) == 0 {
		return
	}
	fmt.Fprintf(con.out, "%swhat happened:\n", caseIndent)
	for _, line := range treeOf(o.events, con) {
		fmt.Fprintf(con.out, "%s%s\n", caseIndent, line)
	}
}

// load reads the definition of the suite.
func (s *testSuite) load(con *console, flags *substitutionFlags) error {
	d, err := openDefinition(s.definition, "", flags, s.substitutions)
	if err != nil {
		return fmt.Errorf("%s: %w", s.file, err)
	}
	machine, diagnostics := asl.Runnable(d.json, false, asl.Offer{Recognized: awssdk.Recognizer()})
	if machine == nil {
		for _, diagnostic := range diagnostics {
			new(validateCommand).show(con, d, diagnostic)
		}
		return exitFailed
	}
	d.warnDoubled(con)
	s.machine, s.text = machine, string(d.json)
	s.covered = newCoverage(machine)
	return s.checkMocks()
}

// run runs one case.
func (s *testSuite) run(tc *testCase, timeout time.Duration) testOutcome {
	o := testOutcome{suite: s, name: tc.Name}
	start := time.Now()
	defer func() { o.took = time.Since(start) }()
	trace := &trace{covered: &s.covered, states: make(map[int64]string)}
	mocks := mock.New(tc.steps)
	server, err := steppe.Open(steppe.Config{VirtualTime: true, Mock: mocks, Listener: engine.Listener{Step: trace.observe}})
	if err != nil {
		o.wrong = append(o.wrong, err.Error())
		return o
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	input, err := yamlValue(&tc.Input)
	if err != nil || input.IsUndefined() {
		input = value.Obj()
	}
	output, err := server.Execute(ctx, s.text, rawJSON(input.Append(nil)))
	if closed := server.Close(); closed != nil {
		o.wrong = append(o.wrong, closed.Error())
	}
	o.wrong = append(o.wrong, tc.check(output, err, trace.path())...)
	o.wrong = append(o.wrong, mocks.Missing()...)
	if len(o.wrong) > 0 {
		o.events = trace.happened()
	}
	return o
}

// rawJSON is JSON that is encoded as it is.
type rawJSON []byte

// MarshalJSON returns the text.
func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

// check holds the end of a case against what it expects.
func (c *testCase) check(output []byte, err error, path []string) (wrong []string) {
	x := &c.Expect
	failed, isFailed := errors.AsType[*steppe.ExecutionError](err)
	switch {
	case err != nil && !isFailed:
		return []string{err.Error()}
	case x.Error == anyEnd:
		return nil
	case isFailed && x.Error == "":
		wrong = append(wrong, "the "+failed.Error()+"; it should have succeeded")
	case !isFailed && x.Error != "":
		wrong = append(wrong, fmt.Sprintf("it succeeded with %s; it should have failed with %s", output, x.Error))
	case isFailed && failed.Name != x.Error:
		wrong = append(wrong, fmt.Sprintf("it failed with %s; it should have failed with %s", failed.Name, x.Error))
	case isFailed && x.Cause != "" && !strings.Contains(failed.Cause, x.Cause):
		wrong = append(wrong, fmt.Sprintf("the cause is %q; it should hold %q", failed.Cause, x.Cause))
	}
	if !isFailed && !x.output.IsUndefined() {
		if got, err := value.Decode(output); err != nil || !value.Equal(got, x.output) {
			wrong = append(wrong, fmt.Sprintf("the output is %s; it should be %s", output, x.output))
			if parts := differences(got, x.output); len(parts) > 1 || len(parts) == 1 && !strings.HasPrefix(parts[0], "$ ") {
				wrong = append(wrong, parts...)
			}
		}
	}
	if x.Path != nil && !slices.Equal(path, x.Path) {
		wrong = append(wrong, fmt.Sprintf("it came through %s; it should have come through %s", strings.Join(path, ", "), strings.Join(x.Path, ", ")))
	}
	return wrong
}

// trace follows an execution through its states.
type trace struct {
	covered *coverage
	mu      sync.Mutex
	entered []string
	events  []history.Event
	states  map[int64]string // that each branch is in
}

func (t *trace) observe(step engine.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, step.Events...)
	for i := range step.Events {
		ev := &step.Events[i]
		switch {
		case ev.Type.Entered():
			t.entered = append(t.entered, ev.Name)
			t.states[ev.Branch] = ev.Name
			t.covered.entered(ev.Name)
		case ev.Type.Exited() && ev.Next != "":
			t.covered.left(ev.Name, ev.Next)
		}
		if ev.Retry != nil {
			t.covered.retried(t.states[ev.Retry.Branch], ev.Retry.Retrier)
		}
	}
}

// happened returns the events so far.
func (t *trace) happened() []history.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.events
}

func (t *trace) path() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.entered
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string  `xml:"name,attr"`
	Class   string  `xml:"classname,attr"`
	Time    float64 `xml:"time,attr"`
	Failure *struct {
		Message string `xml:"message,attr"`
	} `xml:"failure,omitempty"`
}

func writeJUnit(file string, outcomes []testOutcome) error {
	suite := junitSuite{Name: "steppe", Tests: len(outcomes)}
	for _, o := range outcomes {
		c := junitCase{Name: o.name, Class: o.suite.definition, Time: o.took.Seconds()}
		if len(o.wrong) > 0 {
			suite.Failures++
			c.Failure = &struct {
				Message string `xml:"message,attr"`
			}{strings.Join(o.wrong, "; ")}
		}
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644) //nolint:gosec // a report for others to read
}
