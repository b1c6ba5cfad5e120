package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
)

// rotten is a store of which some histories are damaged: cannot be read, or are
// read as other bytes than were written.
type rotten struct {
	store.Store
	ids map[store.ExecutionID]func([]store.Chunk) ([]store.Chunk, error)
}

// History reads chunks of an execution.
func (s *rotten) History(ctx context.Context, id store.ExecutionID, from int64, limit int, reverse bool) ([]store.Chunk, error) {
	chunks, err := s.Store.History(ctx, id, from, limit, reverse)
	if rot := s.ids[id]; rot != nil && err == nil {
		return rot(chunks)
	}
	return chunks, err
}

// TestDamagedExecution: an execution whose history cannot be read is told once, by
// its ARN, and not tried again; the others go on. What may be read the next time is.
func TestDamagedExecution(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var line []func()
	drain := func() {
		for len(line) > 0 {
			next := line[0]
			line = line[1:]
			next()
		}
	}
	var log strings.Builder
	cfg := engine.Config{
		Store: memory.New(memory.Options{}), Integrations: new(integration.Registry), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Clock: func() time.Time { return now }, Go: func(work func()) { line = append(line, work) },
	}
	e, err := engine.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	m := create(t, e, catalogue.Standard, `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}`)
	arns := make(map[string]string)
	rot := &rotten{Store: cfg.Store, ids: make(map[store.ExecutionID]func([]store.Chunk) ([]store.Chunk, error))}
	failing := 2
	for name, how := range map[string]func([]store.Chunk) ([]store.Chunk, error){
		"whole":      nil,
		"unreadable": func([]store.Chunk) ([]store.Chunk, error) { return nil, fmt.Errorf("%w: block 7", store.ErrDamaged) },
		"other bytes": func(chunks []store.Chunk) ([]store.Chunk, error) {
			chunks[0].Data = []byte("something else")
			return chunks, nil
		},
		"other events": func(chunks []store.Chunk) ([]store.Chunk, error) { return append(chunks, chunks...), nil },
		"this time": func(chunks []store.Chunk) ([]store.Chunk, error) {
			if failing--; failing >= 0 {
				return nil, errors.New("input/output error")
			}
			return chunks, nil
		},
	} {
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: strings.ReplaceAll(name, " ", "-"), Input: doc(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		id, err := e.Find(t.Context(), started.ARN)
		if err != nil {
			t.Fatal(err)
		}
		arns[name], rot.ids[id] = started.ARN, how
	}
	drain()
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.Store = rot
	if e, err = engine.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour)
	for range 5 {
		e.Tick(t.Context(), now)
		drain()
		now = now.Add(time.Minute)
	}
	clear(rot.ids)
	for name, arn := range arns {
		d, err := e.Describe(t.Context(), arn)
		if err != nil {
			t.Fatal(err)
		}
		told := strings.Count(log.String(), "executionArn="+arn+" ")
		if goesOn := name == "whole" || name == "this time"; goesOn && (d.Status != store.Succeeded || told != 0) || !goesOn && (d.Status != store.Running || told != 1) {
			t.Errorf("%s: %v, told %d times", name, d.Status, told)
		}
	}
	if n := strings.Count(log.String(), "trying again"); n != 2 {
		t.Errorf("%d times tried again, want 2", n)
	}
	if t.Failed() {
		t.Log(log.String())
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
