package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/store/pebble"
	"github.com/steppehq/steppe/transfer"
)

type importCommand struct {
	Files          []string `arg:"" optional:"" help:"Exports, - for standard input."`
	Data           string   `help:"Data directory, made when it is not there; no server may be using it." default:"steppe-data" placeholder:"DIR"`
	OnConflict     string   `help:"What to do about what is there already, and differs: skip it, or fail." enum:"skip,fail" default:"fail"`
	Partial        bool     `help:"Take an export that was cut, or filtered by other programs."`
	EncryptionKeys string   `help:"File of the keys that the server is to have: what is imported is encrypted with the one that its configuration names." placeholder:"FILE"`
	DryRun         bool     `help:"Check everything and write nothing."`
	recordingFlags

	keys []catalogue.EncryptionKey
}

// Run imports exports, or an execution that AWS ran. The exit status is 1 when
// something is wrong with them.
func (c *importCommand) Run(con *console) (err error) {
	if (len(c.Files) == 0) == (c.AWSHistory == "") {
		return errors.New("give either exports to import, - for standard input, or --aws-history FILE")
	}
	if c.keys, err = loadEncryptionKeys(c.EncryptionKeys); err != nil {
		return err
	}
	collectSeldom()
	ctx, stop := interrupted()
	defer stop()
	if c.AWSHistory != "" {
		return c.importRecording(ctx, con)
	}
	return c.importFiles(ctx, con)
}

// options are those of the import.
func (c *importCommand) options(dry bool) transfer.ImportOptions {
	return transfer.ImportOptions{DryRun: dry, Skip: c.OnConflict == "skip", Partial: c.Partial, EncryptionKeys: c.keys}
}

// importFiles checks all files, and if there is nothing wrong with any of them
// imports them.
func (c *importCommand) importFiles(ctx context.Context, con *console) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // each commit was durable
	files, done, err := c.files()
	if err != nil {
		return err
	}
	defer done()
	n, err := c.pass(ctx, con, s, files, true)
	if err == nil && n.Problems > 0 {
		fmt.Fprintf(con.err, "%d lines are not right; nothing was imported\n", n.Problems)
		return exitCode(1)
	}
	if err == nil && !c.DryRun && n.Writes > 0 {
		n, err = c.pass(ctx, con, s, files, false)
	}
	if err != nil {
		return err
	}
	return c.report(con, n)
}

// open opens the data directory. A dry run does not make one.
func (c *importCommand) open() (store.Store, error) {
	if _, err := os.Stat(c.Data); errors.Is(err, os.ErrNotExist) && c.DryRun {
		return memory.New(memory.Options{}), nil
	}
	return pebble.Open(c.Data, pebble.Options{})
}

// files are the files to read. They are read twice, so standard input is put
// into one that is gone afterwards.
func (c *importCommand) files() (names []string, done func(), err error) {
	done = func() {}
	for _, name := range c.Files {
		if name == "-" {
			f, err := os.CreateTemp("", "steppe-import-*.jsonl")
			if err != nil {
				return nil, done, err
			}
			before := done
			done = func() {
				before()
				_ = f.Close()
				_ = os.Remove(f.Name())
			}
			if _, err := io.Copy(f, os.Stdin); err != nil {
				done()
				return nil, done, err
			}
			name = f.Name()
		}
		names = append(names, name)
	}
	return names, done, nil
}

// pass reads all files once.
func (c *importCommand) pass(ctx context.Context, con *console, s store.Store, files []string, dry bool) (all transfer.Imported, err error) {
	for i, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return all, err
		}
		opts := c.options(dry)
		opts.Problem = func(line int, text string) { fmt.Fprintf(con.err, "%s:%d: %s\n", c.Files[i], line, text) }
		n, err := transfer.Import(ctx, s, file, opts)
		all.Add(n)
		if err = errors.Join(err, file.Close()); err != nil {
			return all, fmt.Errorf("%s: %w", c.Files[i], err)
		}
	}
	return all, nil
}

func (c *importCommand) report(con *console, n transfer.Imported) error {
	what := ""
	if c.DryRun {
		what = "would be imported: "
	}
	fmt.Fprintf(con.out, "%s%d state machines, %d activities, %d executions (%d running); %d were there already, %d skipped\n",
		what, n.Machines, n.Activities, n.Executions, n.Running, n.Same, n.Skipped)
	if n.Tokens > 0 {
		fmt.Fprintf(con.err, "%d tasks under way wait for task tokens that are not valid here: the export was made without --secret\n", n.Tokens)
	}
	if n.Plain > 0 {
		fmt.Fprintf(con.err, "%d state machines name encryption keys, and none were given (--encryption-keys): nothing of them is encrypted\n", n.Plain)
	}
	if n.Problems > 0 {
		fmt.Fprintf(con.err, "%d lines are not right, and were left out\n", n.Problems)
		return exitCode(1)
	}
	return nil
}
