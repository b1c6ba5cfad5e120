package memory_test

import (
	"errors"
	"testing"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memory.New(memory.Options{}) })
}

func TestFaults(t *testing.T) {
	fault := memory.None
	s := memory.New(memory.Options{Fault: func(*store.Transition) memory.Fault { return fault }})
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		fault   memory.Fault
		want    error
		written bool
	}{
		{memory.None, nil, true},
		{memory.LoseBefore, store.ErrUnknown, false},
		{memory.LoseAfter, store.ErrUnknown, true},
		{memory.Busy, store.ErrBusy, false},
	} {
		fault = tt.fault
		id := store.ExecutionID{15: byte(tt.fault) + 1}
		tr := &store.Transition{
			Execution: id, Status: store.Running, Chunk: store.Chunk{First: 1, Last: 1},
			New: &store.NewExecution{Key: store.NameKey{Name: string(id[:])}},
		}
		if err := h.Commit(t.Context(), tr); !errors.Is(err, tt.want) {
			t.Errorf("fault %d: %v, want %v", tt.fault, err, tt.want)
		}
		if _, err := s.Execution(t.Context(), id); (err == nil) != tt.written {
			t.Errorf("fault %d: written: %v", tt.fault, err)
		}
	}
}

func TestTables(t *testing.T) {
	storetest.RunTables(t, func(*testing.T, string) store.Store { return memory.New(memory.Options{}) }, false)
}
