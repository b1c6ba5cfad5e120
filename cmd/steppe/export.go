package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/steppehq/steppe/api"
	"github.com/steppehq/steppe/transfer"
)

type exportCommand struct {
	Query          []string `arg:"" optional:"" help:"What must hold of the executions (see: steppe ls --help), machine:orders for all of a state machine; everything by default."`
	Data           string   `help:"Data directory; no server may be using it." default:"steppe-data" placeholder:"DIR"`
	Out            string   `help:"File to write, - for standard output." default:"-" placeholder:"FILE"`
	Account        string   `help:"Export what is this account's only." placeholder:"ID"`
	Region         string   `help:"Export what is of this region only." placeholder:"REGION"`
	EncryptionKeys string   `help:"File of the keys that the server has: what is exported is not encrypted." placeholder:"FILE"`
	Secret         bool     `help:"Export the key of task tokens, too: tokens that were given out are good in the other store."`
}

// Run writes the export. Counts and problems go to standard error; the exit
// status is 1 when something could not be exported.
func (c *exportCommand) Run(con *console) (err error) {
	opts := transfer.ExportOptions{Account: c.Account, Region: c.Region, Secret: c.Secret, Problem: func(text string) { fmt.Fprintln(con.err, text) }}
	if query := strings.Join(c.Query, " "); query != "" {
		q, err := api.ParseSearch(query, time.Now())
		if err != nil {
			return err
		}
		opts.Search = &q
	}
	if opts.EncryptionKeys, err = loadEncryptionKeys(c.EncryptionKeys); err != nil {
		return err
	}
	collectSeldom()
	db, err := openData(c.Data)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	for _, text := range db.Findings() {
		fmt.Fprintln(con.err, text)
	}
	out, err := createOutput(con, c.Out)
	if err != nil {
		return err
	}
	ctx, stop := interrupted()
	defer stop()
	n, err := transfer.Export(ctx, db, out, opts)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("the export is not complete: %w", err)
	}
	fmt.Fprintf(con.err, "%d state machines, %d activities, %d executions (%d running)\n", n.Machines, n.Activities, n.Executions, n.Running)
	if n.Running > 0 && !c.Secret {
		fmt.Fprintln(con.err, "without --secret, another store takes no task tokens that tasks of the running executions have given out")
	}
	if n.Problems > 0 || len(db.Findings()) > 0 {
		return exitCode(1)
	}
	return nil
}

// collectSeldom has garbage collected seldom: what goes by in an export or an
// import is much, and hardly anything of it is kept. What is left of the memory is
// bounded all the same.
func collectSeldom() {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(512 << 20)
}

// createOutput makes a file that only its owner can read: exports hold payloads.
// "-" is the standard output.
func createOutput(con *console, name string) (io.WriteCloser, error) {
	if name == "-" {
		return nopCloser{con.out}, nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return durable{f}, err
}

// durable is a file that is on disk when it was closed.
type durable struct{ *os.File }

// Close syncs the file, unless it is none of a disk, and closes it.
func (f durable) Close() error {
	var err error
	if info, failed := f.Stat(); failed == nil && info.Mode().IsRegular() {
		err = f.Sync()
	}
	return errors.Join(err, f.File.Close())
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
