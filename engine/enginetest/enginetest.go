// Package enginetest opens engines in tests, and moves stores from one to another.
//
// Stability: may move in any minor release.
package enginetest

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/transfer"
)

// Tenant is whose the machines of tests are.
var Tenant = catalogue.Tenant{Account: "000000000000", Region: "us-east-1"}

// Open starts an engine that runs until the test ends, and is closed then. Without a
// store it has an empty one in memory, and without integrations none.
func Open(t testing.TB, cfg engine.Config) *engine.Engine {
	t.Helper()
	e, _ := OpenUntil(t, cfg)
	return e
}

// OpenUntil is [Open] of an engine that stop closes, or the end of the test if stop has
// not been called by then.
func OpenUntil(t testing.TB, cfg engine.Config) (e *engine.Engine, stop func()) {
	t.Helper()
	if cfg.Store == nil {
		cfg.Store = memory.New(memory.Options{})
	}
	if cfg.Integrations == nil {
		cfg.Integrations = new(integration.Registry)
	}
	e, err := engine.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	// The context of a test ends before its cleanups run, which still need one.
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { e.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		done.Wait()
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return e, stop
}

// Exported returns the export of a store.
func Exported(t testing.TB, s store.Store, opts transfer.ExportOptions) string {
	t.Helper()
	var b bytes.Buffer
	opts.Problem = func(text string) { t.Error(text) }
	if _, err := transfer.Export(t.Context(), s, &b, opts); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Imported imports an export, of which each line must be right.
func Imported(t testing.TB, s store.Store, export string, opts transfer.ImportOptions) transfer.Imported {
	t.Helper()
	opts.Problem = func(line int, text string) { t.Errorf("line %d: %s", line, text) }
	n, err := transfer.Import(t.Context(), s, strings.NewReader(export), opts)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Moved moves a store's content to another store, which must then have the same
// export, byte for byte, must have nothing to take from the same export a second time,
// and must pass a check.
func Moved(t testing.TB, from, to store.Store, keys ...catalogue.EncryptionKey) {
	t.Helper()
	out, in := transfer.ExportOptions{Secret: true, EncryptionKeys: keys}, transfer.ImportOptions{EncryptionKeys: keys}
	before := Exported(t, from, out)
	in.DryRun = true
	dry := Imported(t, to, before, in)
	in.DryRun = false
	if n := Imported(t, to, before, in); n != dry || n.Executions != strings.Count(before, `{"kind":"execution"`) || n.Tokens > 0 {
		t.Errorf("imported %+v, and in a dry run %+v", n, dry)
	}
	if diff := cmp.Diff(before, Exported(t, to, out)); diff != "" {
		t.Errorf("the export of the import differs (-first +second):\n%s", diff)
	}
	if n := Imported(t, to, before, in); n.Machines+n.Activities+n.Executions > 0 || n.Same != dry.Machines+dry.Activities+dry.Executions {
		t.Errorf("imported once more: %+v", n)
	}
	checker, err := transfer.NewChecker(to, keys)
	if err != nil {
		t.Fatal(err)
	}
	all, err := to.Executions(t.Context(), store.ExecutionID{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		chunks, err := to.History(t.Context(), all[i].ID, 1, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		if problem := checker.Check(t.Context(), &all[i], chunks); problem != "" {
			t.Error(problem)
		}
	}
}
