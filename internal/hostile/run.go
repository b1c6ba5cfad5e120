package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how bombs are tried.
type Options struct {
	// Binary is the program whose command serve is attacked.
	Binary string
	// Bystander is a command that runs [Bystand]: another tenant in a process of
	// their own, so that what the attacker does with answers does not slow them.
	Bystander []string
	// Dir is where data directories are put for the time being.
	Dir string
	// Bombs are those that are tried, AtOnce how many executions of each at once.
	Bombs  []Bomb
	AtOnce int
	// Patience is how long the executions that end by themselves may take, all of
	// them, and how long the others continue before they are stopped.
	Patience, Endless time.Duration
	// What must hold: how long an execution alone may take to end, 99 of 100
	// requests of the other tenant, a stop; how many MB the server may take.
	Alone, P99, Stop time.Duration
	Resident         int
	// Served is how long an execution of the other tenant may take after a start, for
	// [Restarts].
	Served time.Duration
	Out    io.Writer
}

// Result is what one bomb did.
type Result struct {
	Name string `json:"name"`
	// Alone is how long one execution took to end, by itself; Together how long
	// the last of all that ran at once.
	Alone, Together time.Duration
	// End is how it ended: an Error Name, "stopped", "refused" or "SUCCEEDED".
	End string
	// P50, P99 and Max are of the other tenant's requests during the attack.
	P50, P99, Max time.Duration
	Requests      int
	// Stop is the slowest stop; Term how long SIGTERM took with bombs under way.
	Stop, Term time.Duration
	Resident   int // MB, at most
	Violations []string
}

// Head stands above the lines of results.
const Head = "bomb                        end                            alone  together   p50    p99    max   stop   term   MB"

// Line shows a result.
func (r *Result) Line() string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d.Microseconds())/1000) }
	return fmt.Sprintf("%-27s %-28s %7s %9s %5s %6s %6s %6s %6s %4d", r.Name, r.End, ms(r.Alone), ms(r.Together), ms(r.P50), ms(r.P99), ms(r.Max), ms(r.Stop), ms(r.Term), r.Resident)
}

// Run tries bombs one after the other, each on a server of its own.
func Run(ctx context.Context, o Options) ([]*Result, error) {
	var results []*Result
	for i := range o.Bombs {
		r, err := try(ctx, &o, &o.Bombs[i])
		if err != nil {
			return results, fmt.Errorf("%s: %w", o.Bombs[i].Name, err)
		}
		fmt.Fprintln(o.Out, r.Line())
		for _, v := range r.Violations {
			fmt.Fprintf(o.Out, "  VIOLATION %s\n", v)
		}
		results = append(results, r)
	}
	return results, nil
}

// trial is one bomb at work.
type trial struct {
	o       *Options
	bomb    *Bomb
	r       *Result
	s       *server
	a, b    *Client
	machine string
	quick   string // the bystander's machine
	request []byte // the bomb's, of an operation

	took []time.Duration // the bystander's requests

	mu sync.Mutex
}

func (t *trial) wrong(format string, args ...any) {
	t.r.Violations = append(t.r.Violations, fmt.Sprintf(format, args...))
}

const quick = `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"C"},"C":{"Type":"Choice","Choices":[{"Variable":"$.n","IsPresent":true,"Next":"D"}],"Default":"D"},"D":{"Type":"Pass","Next":"E"},"E":{"Type":"Pass","End":true}}}`

func try(ctx context.Context, o *Options, bomb *Bomb) (*Result, error) {
	dir, err := os.MkdirTemp(o.Dir, "steppe-hostile-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is temporary
	t := &trial{o: o, bomb: bomb, r: &Result{Name: bomb.Name}}
	if t.s, err = serve(o.Binary, filepath.Join(dir, "data")); err != nil {
		return nil, err
	}
	defer func() {
		if t.s != nil {
			t.s.kill()
		}
	}()
	t.a, t.b = t.s.client(attacker), t.s.client(bystander)
	if t.quick, err = create(ctx, t.b, "quick", "STANDARD", quick); err != nil {
		return nil, err
	}
	if refused, err := t.create(ctx); refused || err != nil {
		return t.r, err
	}
	if err := t.alone(ctx); err != nil {
		return nil, err
	}
	if err := t.together(ctx); err != nil {
		return nil, err
	}
	t.end(ctx)
	t.judge()
	return t.r, nil
}

func create(ctx context.Context, c *Client, name, kind, definition string) (string, error) {
	out, err := c.Call(ctx, "CreateStateMachine", object{"name": name, "type": kind, "definition": definition, "roleArn": role})
	if err != nil {
		return "", err
	}
	return out["stateMachineArn"].(string), nil
}

// create creates the bomb's machine, unless it is refused.
func (t *trial) create(ctx context.Context) (refused bool, err error) {
	kind := "STANDARD"
	if t.bomb.Express {
		kind = "EXPRESS"
	}
	if t.bomb.Definition == "" {
		return false, nil
	}
	t.machine, err = create(ctx, t.a, "bomb", kind, t.bomb.Definition)
	if e, ok := errors.AsType[*Exception](err); ok && t.bomb.Refused {
		t.r.End, t.r.Resident = "refused: "+e.Type, t.s.resident()
		t.judge()
		return true, nil
	}
	return false, err
}

// start starts an execution and returns its ARN. An Express one is run until the
// context ends.
func (t *trial) start(ctx context.Context) (string, error) {
	operation := "StartExecution"
	if t.bomb.Express {
		operation = "StartSyncExecution"
	}
	out, err := t.a.Call(ctx, operation, object{"stateMachineArn": t.machine, "input": t.bomb.Input})
	if err != nil {
		return "", err
	}
	return out["executionArn"].(string), nil
}

// status reports how an execution is: its status, or the Error Name by which it
// ended.
func (t *trial) status(ctx context.Context, arn string) (string, error) {
	out, err := t.a.Call(ctx, "DescribeExecution", object{"executionArn": arn, "includedData": "METADATA_ONLY"})
	if err != nil {
		return "", err
	}
	status, _ := out["status"].(string)
	if status == "RUNNING" {
		return status, nil
	}
	if out, err = t.a.Call(ctx, "DescribeExecution", object{"executionArn": arn}); err != nil {
		return "", err
	}
	if name, ok := out["error"].(string); ok && status == "FAILED" {
		status = name
	}
	return status, nil
}

// look is how often an execution is looked at: seldom, for that is load too.
const look = 100 * time.Millisecond

// await waits for the end of an execution.
func (t *trial) await(ctx context.Context, arn string) (string, error) {
	for {
		status, err := t.status(ctx, arn)
		if err != nil || status != "RUNNING" {
			return status, err
		}
		select {
		case <-ctx.Done():
			return status, nil
		case <-time.After(look):
		}
	}
}

// waitBefore is how long bombs wait before they go off.
const waitBefore = time.Second

// alone has one go off.
func (t *trial) alone(ctx context.Context) error {
	begun := time.Now()
	if t.bomb.Express {
		return nil
	}
	if t.bomb.Operation != "" {
		return t.callAlone(ctx)
	}
	arn, err := t.start(ctx)
	if err != nil {
		return err
	}
	patience := t.o.Patience
	if len(t.bomb.Ends) == 0 {
		patience = waitBefore + t.o.Endless/4
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	status, err := t.await(wait, arn)
	if err != nil && wait.Err() == nil {
		return err
	}
	if err != nil {
		status = "RUNNING" // it was, and was looked at when the time was over
	}
	t.r.Alone = max(time.Since(begun)-waitBefore, 0)
	switch {
	case len(t.bomb.Ends) == 0:
		t.r.Alone = 0
		if status == "RUNNING" {
			return t.stop(ctx, arn)
		}
	case !t.ends(status):
		t.wrong("alone it is %s, not one of %q", status, t.bomb.Ends)
		if status == "RUNNING" {
			return t.stop(ctx, arn)
		}
	case t.r.Alone > t.o.Alone:
		t.wrong("alone it took %v to end; it should be %v at most", t.r.Alone, t.o.Alone)
	}
	t.r.End = status
	return nil
}

func (t *trial) ends(status string) bool {
	return slices.Contains(t.bomb.Ends, status) || status == "SUCCEEDED" && slices.Contains(t.bomb.Ends, "")
}

// stop stops an execution, and sees that it is.
func (t *trial) stop(ctx context.Context, arn string) error {
	begun := time.Now()
	_, err := t.a.Call(ctx, "StopExecution", object{"executionArn": arn})
	took := time.Since(begun)
	if err != nil {
		return err
	}
	status, err := t.status(ctx, arn)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r.Stop = max(t.r.Stop, took)
	if status == "RUNNING" {
		t.wrong("%s goes on after it was stopped", arn)
	}
	t.r.End = "stopped"
	return nil
}

// together has many go off at once, while the other tenant works.
func (t *trial) together(ctx context.Context) error {
	var arns []string
	for range t.o.AtOnce {
		if t.bomb.Express || t.bomb.Operation != "" {
			break
		}
		arn, err := t.start(ctx)
		if err != nil {
			return err
		}
		arns = append(arns, arn)
	}
	begun := time.Now()
	work, cancel := context.WithTimeout(ctx, t.o.Patience)
	defer cancel()
	var all, others sync.WaitGroup
	var over atomic.Bool
	other, err := startBystander(t.o.Bystander, t.s.endpoint, t.quick)
	if err != nil {
		return err
	}
	others.Go(func() { t.watch(&over) })
	if t.bomb.Express {
		t.express(ctx, &all)
	}
	if t.bomb.Operation != "" {
		t.callTogether(ctx, &all)
	}
	failed := make([]error, len(arns))
	for i, arn := range arns {
		all.Go(func() { failed[i] = t.endOf(work, ctx, arn) })
	}
	all.Wait()
	t.r.Together = max(time.Since(begun)-waitBefore, 0)
	over.Store(true)
	others.Wait()
	report, err := other.end()
	t.took = report.Took
	for _, failed := range report.Failed {
		t.wrong("the other tenant's %s", failed)
	}
	return errors.Join(append(failed, err)...)
}

// endOf awaits the end of an execution, or stops it.
func (t *trial) endOf(work, ctx context.Context, arn string) error {
	if len(t.bomb.Ends) == 0 {
		select {
		case <-time.After(waitBefore + t.o.Endless):
		case <-ctx.Done():
		}
		return t.stop(ctx, arn)
	}
	status, err := t.await(work, arn)
	if err != nil && work.Err() == nil {
		return err
	}
	if !t.ends(status) {
		t.mu.Lock()
		t.wrong("with others it is %s after %v, not one of %q", status, t.o.Patience, t.bomb.Ends)
		t.mu.Unlock()
		return t.stop(ctx, arn)
	}
	return nil
}

// express runs executions synchronously, and leaves them.
func (t *trial) express(ctx context.Context, all *sync.WaitGroup) {
	t.r.End = "left"
	for range t.o.AtOnce {
		all.Go(func() {
			run, cancel := context.WithTimeout(ctx, t.o.Endless)
			defer cancel()
			_, _ = t.start(run) // it is left, or ends
		})
	}
}

// watch samples what the server takes of the memory.
func (t *trial) watch(over *atomic.Bool) {
	for !over.Load() {
		t.r.Resident = max(t.r.Resident, t.s.resident())
		time.Sleep(look)
	}
}

// grace is how long the server may take to end.
const grace = 12 * time.Second

// end asks the server to end while bombs are at work.
func (t *trial) end(ctx context.Context) {
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	for range 4 {
		if t.bomb.Express {
			go func() { _, _ = t.start(work) }() // the server ends
		} else if t.bomb.Operation != "" {
			go func() { _ = t.a.Ask(work, t.bomb.Operation, t.request) }() // the server ends
		} else if _, err := t.start(ctx); err != nil {
			t.wrong("start before the end of the server: %v", err)
		}
	}
	time.Sleep(waitBefore + waitBefore/5)
	var err error
	t.r.Term, err = t.s.terminate(grace)
	t.s = nil
	if err != nil {
		t.wrong("the server's end: %v", err)
	}
}

// judge holds the figures against what must hold.
func (t *trial) judge() {
	r := t.r
	slices.Sort(t.took)
	if n := len(t.took); n > 0 {
		r.Requests, r.P50, r.P99, r.Max = n, t.took[n/2], t.took[n*99/100], t.took[n-1]
	}
	if r.P99 > t.o.P99 {
		t.wrong("the p99 of the other tenant's %d requests is %v; it should be %v at most", r.Requests, r.P99, t.o.P99)
	}
	if r.Stop > t.o.Stop {
		t.wrong("a stop took %v; it should be %v at most", r.Stop, t.o.Stop)
	}
	if r.Resident > t.o.Resident {
		t.wrong("the server took %d MB; it should be %d at most", r.Resident, t.o.Resident)
	}
}

// Named returns the bombs whose names have a text.
func Named(part string) []Bomb {
	return slices.DeleteFunc(Bombs(), func(b Bomb) bool { return !strings.Contains(b.Name, part) })
}
