package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/pebble"
	"github.com/steppehq/steppe/transfer"
)

type checkCommand struct {
	Data           string `help:"Data directory; no server may be using it." default:"steppe-data" placeholder:"DIR"`
	EncryptionKeys string `help:"File of the keys that the server has." placeholder:"FILE"`
}

// Run checks the directory and tells what is wrong. The exit status is 1 when
// anything is.
func (c *checkCommand) Run(con *console) error {
	keys, err := loadEncryptionKeys(c.EncryptionKeys)
	if err != nil {
		return err
	}
	db, err := openData(c.Data)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	ctx, stop := interrupted()
	defer stop()
	var mu sync.Mutex
	problems := 0
	tell := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		problems++
		fmt.Fprintln(con.out, text)
	}
	for _, text := range db.Findings() {
		tell(text)
	}
	checked, err := checkData(ctx, db, keys, tell)
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "%d executions (%d running), %d chunks of events, %d keys: ", checked.Executions, checked.Running, checked.Chunks, checked.Keys)
	if problems > 0 {
		fmt.Fprintf(con.out, "%d problems\n", problems)
		return exitCode(1)
	}
	fmt.Fprintln(con.out, "all is well")
	return nil
}

// openData opens a data directory that is there, to read what is left in it.
func openData(dir string) (*pebble.DB, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	return pebble.Open(dir, pebble.Options{ReadOnly: true, AcceptLoss: true})
}

// checkData checks keys in their order, and beside that what each history
// means.
func checkData(ctx context.Context, db *pebble.DB, keys []catalogue.EncryptionKey, tell func(string)) (pebble.Checked, error) {
	type execution struct {
		record store.Record
		chunks []store.Chunk
	}
	checker, err := transfer.NewChecker(db, keys)
	if err != nil {
		return pebble.Checked{}, err
	}
	line := make(chan execution, 256)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for x := range line {
				if text := checker.Check(ctx, &x.record, x.chunks); text != "" {
					tell(text)
				}
			}
		})
	}
	checked, err := db.Check(ctx, func(r store.Record, chunks []store.Chunk) { line <- execution{r, chunks} }, tell)
	close(line)
	workers.Wait()
	if err == nil {
		err = checker.CheckDefinitions(ctx, tell)
	}
	for _, text := range checker.Locked() {
		tell(text + " (--encryption-keys)")
	}
	return checked, err
}
