package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/steppehq/steppe/internal/bench"
)

type soakCommand struct {
	Duration time.Duration `help:"How long the load lasts." default:"10m" placeholder:"DURATION"`
	Readers  int           `help:"Clients that read: lists, searches, descriptions, histories." default:"4" placeholder:"N"`
	Writers  int           `help:"Clients that start, stop, redrive, and answer tasks." default:"12" placeholder:"N"`
	Kills    int           `help:"How often the server is killed, in the first half of the load." default:"5" placeholder:"N"`
	Attacked bool          `help:"Have an attacker beside the load: unsigned floods, slow and foreign callers, and executions that take what they can."`
	ReadP99  time.Duration `help:"How long 99 of 100 reads may take at most." default:"20ms" placeholder:"DURATION" name:"read-p99"`
	Dir      string        `help:"Where the data is put for the time being; the disk that is used." placeholder:"DIR"`
	Seed     uint64        `help:"Seed of what the clients do; another one each time by default." placeholder:"N"`
	JSON     string        `help:"Write the report as JSON." placeholder:"FILE" name:"json"`
}

// Run has a server under load and reports each window of time. The exit status
// is 1 when anything is not as it must be.
func (c *soakCommand) Run(con *console) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.Dir, "steppe-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is temporary
	dir = filepath.Join(dir, "data")
	if c.Seed == 0 {
		c.Seed = uint64(time.Now().UnixNano())
	}
	ctx, stop := interrupted()
	defer stop()
	fmt.Fprintf(con.out, "%d readers and %d writers for %v, %d kills, seed %d\n%s\n", c.Readers, c.Writers, c.Duration, c.Kills, c.Seed, bench.SoakHead)
	report, err := bench.Soak(ctx, bench.SoakOptions{
		Command: []string{self, "bench-serve"}, Dir: dir, Duration: c.Duration, Readers: c.Readers, Writers: c.Writers,
		Kills: c.Kills, Attacked: c.Attacked, ReadP99: c.ReadP99, Seed: c.Seed, Out: con.out,
	})
	if err != nil {
		return err
	}
	err = checkDirectory(dir, func(text string) { report.Violations = append(report.Violations, "data directory: "+text) })
	if err != nil {
		return err
	}
	return c.tell(con, report)
}

// tell returns the verdict.
func (c *soakCommand) tell(con *console, r *bench.SoakReport) error {
	if err := writeJSON(c.JSON, r); err != nil {
		return err
	}
	fmt.Fprintf(con.out, "%.1f s down; %d bytes of disk left when everything was forgotten\n", r.Down, r.Left)
	for _, v := range r.Violations {
		fmt.Fprintln(con.out, "VIOLATION", v)
	}
	if len(r.Violations) > 0 {
		fmt.Fprintf(con.out, "%d violations\n", len(r.Violations))
		return exitCode(1)
	}
	fmt.Fprintln(con.out, "no violation: reads were fast throughout, everything has ended, and nothing is left of it: no goroutine, no memory, no disk")
	return nil
}
