package steppe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/steppehq/steppe/store"
)

// calledPrefix is where the catalogue keeps the functions that tasks were
// performed by: called/ACCOUNT/NAME.
const calledPrefix = "called/"

// functionMemory is the lambda.Memory of a store. A function is written once.
type functionMemory struct {
	store store.Store
	known sync.Map // the keys of those that are written
}

func openFunctionMemory(ctx context.Context, s store.Store) (*functionMemory, error) {
	m := &functionMemory{store: s}
	const atOnce = 1000
	for after := ""; ; {
		entries, err := s.Scan(ctx, calledPrefix, after, atOnce)
		if err != nil {
			return nil, fmt.Errorf("steppe: read the functions that were called: %w", err)
		}
		for _, entry := range entries {
			m.known.Store(entry.Key, entry.Version)
		}
		if len(entries) < atOnce {
			return m, nil
		}
		after = entries[len(entries)-1].Key
	}
}

// Called writes a function that is not known.
func (m *functionMemory) Called(ctx context.Context, account, name string) error {
	key := calledPrefix + account + "/" + name
	if _, known := m.known.Load(key); known {
		return nil
	}
	err := m.store.Put(ctx, store.Edit{Key: key, Value: []byte("{}")})
	if err != nil && !errors.Is(err, store.ErrVersion) { // somebody was faster
		return fmt.Errorf("steppe: remember function %s: %w", name, err)
	}
	m.known.Store(key, uint64(1))
	return nil
}

// WasCalled reports whether a function is known.
func (m *functionMemory) WasCalled(account, name string) bool {
	_, known := m.known.Load(calledPrefix + account + "/" + name)
	return known
}

// forget has a function be unknown: its name was given up.
func (m *functionMemory) forget(ctx context.Context, name string, accounts []string) error {
	var gone []store.Edit
	m.known.Range(func(key, version any) bool {
		account, rest, _ := strings.Cut(strings.TrimPrefix(key.(string), calledPrefix), "/")
		for _, of := range accounts {
			if rest == name && (of == account || of == "*") {
				gone = append(gone, store.Edit{Key: key.(string), Version: version.(uint64)})
			}
		}
		return true
	})
	if len(gone) == 0 {
		return nil
	}
	if err := m.store.Put(ctx, gone...); err != nil {
		return fmt.Errorf("steppe: forget function %s: %w", name, err)
	}
	for _, edit := range gone {
		m.known.Delete(edit.Key)
	}
	return nil
}
