package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/value"
)

// Door is the way to a server.
type Door string

// The doors: HTTP to a process of its own, and the Go library.
const (
	HTTP    Door = "http"
	Library Door = "library"
)

// Result is what was measured of a workload.
type Result struct {
	Workload    string  `json:"workload"`
	Door        Door    `json:"door"`
	Clients     int     `json:"clients"`
	Executions  int     `json:"executions"`
	Rate        float64 `json:"executionsPerSecond"`
	Transitions float64 `json:"transitionsPerSecond"`
	// Pace is how many executions were to be started in a second, 0: as many as
	// the server takes.
	Pace float64 `json:"pacePerSecond,omitempty"`
	// P50, P99 and Max are milliseconds from the start of an execution, or from
	// when its pace had it start, to its end.
	P50 float64 `json:"p50Millis"`
	P99 float64 `json:"p99Millis"`
	Max float64 `json:"maxMillis"`
	// Stall is the longest time in milliseconds in which no execution ended.
	Stall float64 `json:"stallMillis"`
	// GapP50 and GapP99 are milliseconds from a task's answer to the start of the
	// execution's next task; 0 where there are no tasks.
	GapP50 float64 `json:"gapP50Millis,omitempty"`
	GapP99 float64 `json:"gapP99Millis,omitempty"`
	// CPU is seconds for 1,000 executions: of the server, over HTTP; of server
	// and client, through the library. 0 where the system does not tell.
	CPU float64 `json:"cpuSecondsPer1000"`
	// Disk is bytes for an execution after compaction, Log bytes written to the
	// log for one.
	Disk float64 `json:"diskBytesEach"`
	Log  float64 `json:"logBytesEach"`
	// Resident is the server's memory at the end, ResidentHalf after half of the
	// time, in bytes.
	Resident     int64 `json:"residentBytes"`
	ResidentHalf int64 `json:"residentHalfBytes"`
}

// Options say how to measure.
type Options struct {
	// Dir is where data directories are made; the system's for temporary files
	// when "".
	Dir string
	// Command runs [Serve] with the data directory that is appended to it.
	Command []string
	// Duration is how long the load lasts.
	Duration time.Duration
}

// Measure puts a workload's load on a new server: pace executions a second, or
// as many as it takes when 0.
func Measure(ctx context.Context, w *Workload, door Door, clients int, pace float64, opts Options) (r Result, err error) {
	dir, err := os.MkdirTemp(opts.Dir, "steppe-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r = Result{Workload: w.Name, Door: door, Clients: clients, Pace: pace}
	if door == HTTP {
		err = r.overHTTP(ctx, w, dir, opts, func(address string) (func(*Client) call, error) {
			arn, err := create(address, w)
			return func(c *Client) call { return httpCall(c, w, arn) }, err
		})
	} else {
		err = measureLibrary(ctx, w, dir, opts, &r)
	}
	if err != nil {
		return r, fmt.Errorf("%s over %s with %d clients: %w", w.Name, door, clients, err)
	}
	size, err := compacted(dir)
	if r.Executions > 0 && w.Kind == catalogue.Standard {
		r.Disk = float64(size) / float64(r.Executions)
	}
	return r, err
}

// overHTTP measures a server in a process of its own. prepare makes what is
// called there, and returns what a client calls.
func (r *Result) overHTTP(ctx context.Context, w *Workload, dir string, opts Options, prepare func(address string) (func(*Client) call, error)) error {
	p, err := Start(append(slices.Clone(opts.Command), dir))
	if err != nil {
		return err
	}
	stop := sync.OnceValue(p.Stop)
	defer stop() //nolint:errcheck // it is asked again below
	callOf, err := prepare(p.Address)
	if err != nil {
		return err
	}
	calls := make([]call, r.Clients)
	for i := range calls {
		c, err := Dial(p.Address)
		if err != nil {
			return err
		}
		defer c.Close() //nolint:errcheck // nothing is left in it
		calls[i] = callOf(c)
	}
	err = r.measure(ctx, calls, w, opts.Duration, func() (Usage, error) { return p.Usage(false) })
	return errors.Join(err, stop())
}

// benchARN is the state machine's that create makes.
var benchARN = catalogue.Tenant{Account: steppe.DefaultAccount, Region: steppe.DefaultRegion}.ARN("stateMachine", "bench")

// create makes the state machine of a workload.
func create(address string, w *Workload) (string, error) {
	c, err := Dial(address)
	if err != nil {
		return "", err
	}
	defer c.Close() //nolint:errcheck // nothing is left in it
	body := `{"name":"bench","type":"` + string(w.Kind) + `","roleArn":"arn:aws:iam::000000000000:role/r","definition":` + strconv.Quote(w.Definition) + `}`
	if _, err := c.Call("CreateStateMachine", body); err != nil {
		return "", err
	}
	return benchARN, nil
}

func httpCall(c *Client, w *Workload, arn string) call {
	operation := "StartExecution"
	if w.Kind == catalogue.Express {
		operation = "StartSyncExecution"
	}
	return func() error {
		input, _ := json.Marshal(w.input()) // one string
		answer, err := c.Call(operation, `{"stateMachineArn":"`+arn+`","input":`+string(input)+`}`)
		if err != nil || !w.Waits {
			return err
		}
		var started struct{ ExecutionArn string }
		if err := json.Unmarshal(answer, &started); err != nil {
			return err
		}
		status, err := c.Get("/bench/wait?arn=" + started.ExecutionArn)
		if err == nil && string(status) != "SUCCEEDED" {
			err = fmt.Errorf("the execution %s", status)
		}
		return err
	}
}

func measureLibrary(ctx context.Context, w *Workload, dir string, opts Options, r *Result) error {
	server, err := open(dir)
	if err != nil {
		return err
	}
	m, err := server.StateMachine(ctx, "bench", w.Kind, w.Definition)
	if err != nil {
		return errors.Join(err, server.Close())
	}
	calls := make([]call, r.Clients)
	for i := range calls {
		calls[i] = libraryCall(ctx, server.Engine(), w, m)
	}
	err = r.measure(ctx, calls, w, opts.Duration, func() (Usage, error) { return server.usage(), nil })
	return errors.Join(err, server.Close())
}

func libraryCall(ctx context.Context, e *engine.Engine, w *Workload, m *catalogue.Machine) call {
	return func() error {
		req := engine.StartRequest{Machine: m, Input: value.NewDoc([]byte(w.input()))}
		if w.Kind == catalogue.Express {
			_, err := e.StartSync(ctx, req)
			return err
		}
		started, err := e.Start(ctx, req)
		if err != nil || !w.Waits {
			return err
		}
		d, err := e.Wait(ctx, started.ARN)
		if err == nil && d.Status.String() != "SUCCEEDED" {
			err = fmt.Errorf("the execution %s", d.Status)
		}
		return err
	}
}

// measure puts the load on a server and notes what that uses.
func (r *Result) measure(ctx context.Context, calls []call, w *Workload, d time.Duration, usage func() (Usage, error)) error {
	before, err := usage()
	if err != nil {
		return err
	}
	half := make(chan error, 1)
	time.AfterFunc(d/2, func() {
		at, err := usage()
		r.ResidentHalf = at.Resident
		half <- err
	})
	if err := errors.Join(load(ctx, calls, w, d, r), <-half); err != nil {
		return err
	}
	after, err := usage()
	r.used(before, after)
	return err
}

func (r *Result) used(before, after Usage) {
	n := float64(max(r.Executions, 1))
	r.CPU = (after.CPU - before.CPU).Seconds() / n * 1000
	r.Log = float64(after.WAL-before.WAL) / n
	r.Resident = after.Resident
	r.GapP50, r.GapP99 = millis(after.GapP50), millis(after.GapP99)
}
