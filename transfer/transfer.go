// Package transfer carries what a store holds to another one ([Export], [Import]),
// takes over executions that AWS ran ([ImportRecording]), and checks what the
// histories of a store mean ([Checker]). It works on a store that no engine has
// open, but for exports and checks, which change nothing.
//
// The form of an export is described in docs/export.md.
//
// Stability: may move in any minor release.
package transfer

import (
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// source is a store with what reads and writes it.
type source struct {
	store     store.Store
	catalogue *catalogue.Catalogue
	stored    *stored.Executions
}

// open makes the readers of a store. The error is that of a key.
func open(s store.Store, keys []catalogue.EncryptionKey) (*source, error) {
	c, err := catalogue.New(catalogue.Config{Store: s, EncryptionKeys: keys})
	if err != nil {
		return nil, err
	}
	return &source{store: s, catalogue: c, stored: stored.New(s, c)}, nil
}
