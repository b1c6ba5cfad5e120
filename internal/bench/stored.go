package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/steppehq/steppe/catalogue"
)

// Stored is the workload whose executions have all ended: W7.
const Stored = "W7"

// StoredIndex is the field that the server indexes for it.
const StoredIndex = "input.id"

// storedStep is after how many executions the server's CPU time is read: so many
// that each step has its part of flushes and compactions.
const storedStep = 50_000

// storedReads is how often each way to read is taken, at most.
const storedReads = 2000

// StoredResult is what was measured of a server with many closed executions.
type StoredResult struct {
	Executions int `json:"executions"`
	// CPU is server CPU seconds for 1,000 executions, of each 50,000 or of what is
	// left; the last are 50,000 more when all are there.
	CPU []float64 `json:"cpuSecondsPer1000"`
	// Rate is executions a second over all.
	Rate  float64 `json:"executionsPerSecond"`
	Reads []Read  `json:"reads"`
	// Restart is seconds from the start of the process to its first answer,
	// after it was killed; Check is seconds that checking the directory takes.
	Restart float64 `json:"restartSeconds"`
	Check   float64 `json:"checkSeconds"`
	// Disk is bytes of the data directory, Resident the server's memory after
	// the reads.
	Disk     int64 `json:"diskBytes"`
	Resident int64 `json:"residentBytes"`
}

// Read is how long one way to read takes, in milliseconds.
type Read struct {
	What string  `json:"what"`
	P50  float64 `json:"p50Millis"`
	P99  float64 `json:"p99Millis"`
	Max  float64 `json:"maxMillis"`
}

// MeasureStored runs n executions, one of a hundred of which fails, and measures
// what reading, restarting and checking cost with all of them stored. check is
// the command that checks the data directory appended to it.
func MeasureStored(ctx context.Context, n int, check []string, opts Options) (r StoredResult, err error) {
	dir, err := os.MkdirTemp(opts.Dir, "steppe-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	command := append(slices.Clone(opts.Command), "--index", StoredIndex, dir)
	p, err := Start(command)
	if err != nil {
		return r, err
	}
	r.Executions = n
	arn, arns, err := fill(ctx, p, n, &r)
	if err != nil {
		return r, errors.Join(err, p.Stop())
	}
	if err := r.read(ctx, p.Address, arn, arns); err != nil {
		return r, errors.Join(err, p.Stop())
	}
	used, err := p.Usage(false)
	r.Resident, r.Disk = used.Resident, diskOf(dir)
	if err != nil {
		return r, errors.Join(err, p.Stop())
	}
	if p, r.Restart, err = killed(p, command); err != nil {
		return r, err
	}
	if err := p.Stop(); err != nil {
		return r, err
	}
	begin := time.Now()
	checker := exec.CommandContext(ctx, check[0], append(slices.Clone(check[1:]), dir)...)
	if out, err := checker.CombinedOutput(); err != nil {
		return r, fmt.Errorf("%w: %s", err, out)
	}
	r.Check = time.Since(begin).Seconds()
	return r, nil
}

// storedStates are five states, of which the last fails for some.
var storedStates = strings.Replace(fiveStates, `"E":{"Type":"Succeed"}`,
	`"E":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericEquals":0,"Next":"F"}],"Default":"G"},"F":{"Type":"Fail","Error":"Unlucky"},"G":{"Type":"Succeed"}`, 1)

// fill runs the executions, and as many more as are measured at the end.
func fill(ctx context.Context, p *Process, n int, r *StoredResult) (arn string, arns []string, err error) {
	arn, err = create(p.Address, &Workload{Kind: catalogue.Standard, Definition: storedStates})
	if err != nil {
		return "", nil, err
	}
	run := func(first, n int) error {
		before, err := p.Usage(false)
		if err != nil {
			return err
		}
		more, err := startMany(ctx, p.Address, arn, n, func(i int) string { return fmt.Sprintf(`{"id":"A-%d","n":%d}`, first+i, (first+i)%100) })
		arns = append(arns, more...)
		if err != nil {
			return err
		}
		after, err := p.Usage(false)
		r.CPU = append(r.CPU, (after.CPU-before.CPU).Seconds()/float64(n)*1000)
		return err
	}
	begin := time.Now()
	for first := 0; first < n; first += storedStep {
		if err := run(first, min(storedStep, n-first)); err != nil {
			return "", nil, err
		}
	}
	r.Rate = float64(n) / time.Since(begin).Seconds()
	return arn, arns, run(n, min(storedStep, n))
}

// read takes each way to read many times, at places that are drawn again.
func (r *StoredResult) read(ctx context.Context, address, arn string, arns []string) error {
	c, err := Dial(address)
	if err != nil {
		return err
	}
	defer c.Close()                                       //nolint:errcheck // it was read
	random := rand.New(rand.NewPCG(1, uint64(len(arns)))) //nolint:gosec // the same places each time
	one := func() string { return arns[random.IntN(len(arns))] }
	token := "" // of a list that goes on
	list := func(filter string) func() error {
		return func() error {
			body := fmt.Sprintf(`{"stateMachineArn":%q,"maxResults":100%s`, arn, filter)
			if token != "" {
				body += fmt.Sprintf(`,"nextToken":%q`, token)
			}
			answer, err := c.Call("ListExecutions", body+"}")
			if err != nil {
				return err
			}
			var page struct {
				Executions []json.RawMessage
				NextToken  string
			}
			err = json.Unmarshal(answer, &page)
			if err == nil && len(page.Executions) == 0 {
				err = errors.New("ListExecutions gives an empty page")
			}
			token = page.NextToken
			return err
		}
	}
	search := func(query func() string, want int) func() error {
		return func() error {
			answer, err := c.Get("/api/v1/executions?limit=100&q=" + url.QueryEscape(query()))
			if got := bytes.Count(answer, []byte(`"executionArn"`)); err == nil && got != want {
				err = fmt.Errorf("%s finds %d executions, not %d", query(), got, want)
			}
			return err
		}
	}
	for _, way := range []struct {
		what string
		read func() error
	}{
		{"ListExecutions, a page of 100", list("")},
		{"ListExecutions, a page of 100 that failed", list(`,"statusFilter":"FAILED"`)},
		{"DescribeExecution", func() error {
			_, err := c.Call("DescribeExecution", fmt.Sprintf(`{"executionArn":%q}`, one()))
			return err
		}},
		{"GetExecutionHistory", func() error {
			_, err := c.Call("GetExecutionHistory", fmt.Sprintf(`{"executionArn":%q}`, one()))
			return err
		}},
		{"search for an indexed value", search(func() string { return fmt.Sprintf(`%s = "A-%d"`, StoredIndex, random.IntN(len(arns))) }, 1)},
		{"search for an Error Name, 100 newest", search(func() string { return "error:Unlucky" }, min(100, len(arns)/100))},
		{"search for a status and a time, 100 newest", search(func() string { return "status:failed since:24h" }, min(100, len(arns)/100))},
	} {
		took := make([]time.Duration, min(storedReads, 1+len(arns)/20))
		token = ""
		for i := range took {
			begin := time.Now()
			if err := errors.Join(way.read(), ctx.Err()); err != nil {
				return fmt.Errorf("%s: %w", way.what, err)
			}
			took[i] = time.Since(begin)
		}
		slices.Sort(took)
		r.Reads = append(r.Reads, Read{way.what, millis(percentile(took, 50)), millis(percentile(took, 99)), millis(took[len(took)-1])})
	}
	return nil
}

// quarters returns the mean CPU seconds for 1,000 executions of the first and the
// last quarter of the steps.
func (r *StoredResult) quarters() (first, last float64) {
	n := (len(r.CPU) + 3) / 4
	for i := range n {
		first += r.CPU[i] / float64(n)
		last += r.CPU[len(r.CPU)-1-i] / float64(n)
	}
	return first, last
}

// Write writes what was measured.
func (r *StoredResult) Write(w io.Writer) {
	first, last := r.quarters()
	fmt.Fprintf(w, "%s: %d closed executions, run at %.0f/s for %.3f CPU s per 1,000 in the first quarter, %.3f in the last; %d bytes of disk each, %.0f MB resident; killed, it answers again after %.2f s; a check takes %.1f s\n",
		Stored, r.Executions, r.Rate, first, last, r.Disk/int64(r.Executions), float64(r.Resident)/(1<<20), r.Restart, r.Check)
	for _, read := range r.Reads {
		fmt.Fprintf(w, "  %-44s %8.2f ms (p50) %8.2f ms (p99) %8.2f ms (longest)\n", read.What, read.P50, read.P99, read.Max)
	}
}
