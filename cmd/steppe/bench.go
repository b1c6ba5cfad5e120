package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/steppehq/steppe/internal/bench"
)

type benchCommand struct {
	Workloads []string      `help:"Workloads to run: W1 to W7, floor." default:"floor,W1,W2,W3,W4,W5,W6,W7" placeholder:"NAME"`
	Clients   []int         `help:"Clients at once." default:"1,64,1000" placeholder:"N"`
	Doors     []string      `help:"Ways to the server: http, library." default:"http,library" enum:"http,library" placeholder:"DOOR"`
	Duration  time.Duration `help:"How long each load lasts." default:"5s" placeholder:"DURATION"`
	Runs      int           `help:"Runs of each, of which the median is shown." default:"1" placeholder:"N"`
	Sleepers  int           `help:"Executions that wait in W5." default:"1000000" placeholder:"N"`
	Stored    int           `help:"Executions that are stored in W7." default:"1000000" placeholder:"N"`
	Dir       string        `help:"Where the data is put for the time being; the disk that is measured." placeholder:"DIR"`
	JSON      string        `help:"Write the figures as JSON." placeholder:"FILE" name:"json"`
	SVG       string        `help:"Draw the rates." placeholder:"FILE" name:"svg"`
}

// benchServeCommand is the server process of the command bench.
type benchServeCommand struct {
	Index []string `help:"Fields to index."`
	Dir   string   `arg:""`
}

// Run serves the workloads until its standard input ends.
func (c *benchServeCommand) Run(con *console) error {
	return bench.Serve(c.Dir, c.Index, os.Stdin, con.out)
}

// Run measures and shows each figure as it is known.
func (c *benchCommand) Run(con *console) error {
	known := []string{bench.FloorName, bench.Sleepers, bench.Stored}
	for _, w := range bench.Workloads() {
		known = append(known, w.Name)
	}
	for _, name := range c.Workloads {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no workload %s; there are %s", name, strings.Join(known, ", "))
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	opts := bench.Options{Dir: c.Dir, Command: []string{self, "bench-serve"}, Duration: c.Duration}
	report := bench.NewReport(version(), c.Runs, opts)
	if err := c.measure(ctx, con, opts, report); err != nil {
		return err
	}
	if err := writeJSON(c.JSON, report); err != nil {
		return err
	}
	if c.SVG == "" {
		return nil
	}
	f, err := os.Create(c.SVG)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // SVG tells what could not be written
	return report.SVG(f)
}

// defaultRecord stands for the bytes of an execution of W1 in the log, until W1
// was measured.
const defaultRecord = 800

func (c *benchCommand) measure(ctx context.Context, con *console, opts bench.Options, report *bench.Report) error {
	fmt.Fprintln(con.out, bench.Head)
	add := func(measure func() (bench.Result, error)) (*bench.Row, error) {
		runs, err := repeat(c.Runs, measure)
		if err != nil {
			return nil, err
		}
		row := report.Add(runs)
		fmt.Fprintln(con.out, row.Line())
		return row, nil
	}
	record := defaultRecord
	for _, w := range bench.Workloads() {
		if !slices.Contains(c.Workloads, w.Name) {
			continue
		}
		for _, door := range c.Doors {
			for _, clients := range c.Clients {
				if w.MaxClients > 0 && clients > w.MaxClients {
					continue
				}
				at := func(pace float64) (*bench.Row, error) {
					return add(func() (bench.Result, error) { return bench.Measure(ctx, &w, bench.Door(door), clients, pace, opts) })
				}
				row, err := at(0)
				if err != nil {
					return err
				}
				if w.Name == "W1" {
					record = int(row.Log)
				}
				if clients > 1 && w.MaxClients == 0 {
					if _, err := at(row.Rate / 2); err != nil {
						return err
					}
				}
			}
		}
	}
	if slices.Contains(c.Workloads, bench.FloorName) {
		floors := []func(clients int) (bench.Result, error){
			func(clients int) (bench.Result, error) { return bench.Floor(ctx, record, clients, opts) },
			func(clients int) (bench.Result, error) { return bench.FloorHTTP(ctx, clients, opts) },
		}
		for _, floor := range floors {
			for _, clients := range c.Clients {
				if _, err := add(func() (bench.Result, error) { return floor(clients) }); err != nil {
					return err
				}
			}
		}
	}
	return c.measureStores(ctx, con, opts, report)
}

// measureStores measures the workloads that are of how much a server holds.
func (c *benchCommand) measureStores(ctx context.Context, con *console, opts bench.Options, report *bench.Report) error {
	if slices.Contains(c.Workloads, bench.Sleepers) {
		runs, err := repeat(c.Runs, func() (bench.SleepersResult, error) { return bench.MeasureSleepers(ctx, c.Sleepers, opts) })
		if err != nil {
			return err
		}
		report.AddSleepers(runs).Write(con.out)
	}
	if slices.Contains(c.Workloads, bench.Stored) {
		check := []string{opts.Command[0], "check", "--data"}
		runs, err := repeat(c.Runs, func() (bench.StoredResult, error) { return bench.MeasureStored(ctx, c.Stored, check, opts) })
		if err != nil {
			return err
		}
		report.AddStored(runs).Write(con.out)
	}
	return nil
}

func repeat[R any](n int, measure func() (R, error)) ([]R, error) {
	runs := make([]R, n)
	for i := range runs {
		var err error
		if runs[i], err = measure(); err != nil {
			return nil, err
		}
	}
	return runs, nil
}
