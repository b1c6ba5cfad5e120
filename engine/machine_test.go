package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
)

// scans notes how many entries are asked for at once.
type scans struct {
	store.Store
	most atomic.Int64 // 0 asked for all: a million
}

func (s *scans) Scan(ctx context.Context, prefix, after string, limit int) ([]store.Entry, error) {
	if !strings.HasPrefix(prefix, "machine/") {
		return s.Store.Scan(ctx, prefix, after, limit) // of the engine's own work beside the test
	}
	if limit == 0 {
		limit = 1_000_000
	}
	for most := s.most.Load(); int64(limit) > most && !s.most.CompareAndSwap(most, int64(limit)); most = s.most.Load() {
	}
	return s.Store.Scan(ctx, prefix, after, limit)
}

// TestMachinesAreReadPieceByPiece: a list of state machines, whose definitions may
// have a megabyte each, has few of them in memory at once, and pages all the same.
func TestMachinesAreReadPieceByPiece(t *testing.T) {
	noted := &scans{Store: memory.New(memory.Options{})}
	e := open(t, engine.Config{Store: noted})
	const definition = `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`
	for i := range 50 {
		if _, err := e.Catalogue().CreateMachine(t.Context(), catalogue.Machine{Tenant: tenant, Name: fmt.Sprintf("m%02d", i), Type: catalogue.Standard, Definition: definition}, parse(t, definition)); err != nil {
			t.Fatal(err)
		}
	}
	noted.most.Store(0)
	for _, limit := range []int{0, 1, 16, 17, 48, 1000} {
		var names []string
		for after := ""; ; {
			page, err := e.Catalogue().Machines(t.Context(), tenant, after, limit)
			if err != nil || limit > 0 && len(page) > limit {
				t.Fatal(len(page), err)
			}
			for _, m := range page {
				names = append(names, m.Name)
				after = m.Name
			}
			if limit == 0 || len(page) < limit {
				break
			}
		}
		if len(names) != 50 || !slices.IsSorted(names) {
			t.Errorf("by %d: %q", limit, names)
		}
	}
	if most := noted.most.Load(); most > 16 {
		t.Errorf("%d entries were asked for at once", most)
	}
}
