package catalogue

import (
	"context"
	"sync"

	"github.com/steppehq/steppe/store"
)

// unusedRevisions are those that were made since the engine was opened and by
// which nothing has run. They are forgotten when another one takes their place:
// who updates a machine again and again does not fill the disk.
type unusedRevisions struct {
	mu   sync.Mutex
	all  map[RevisionKey]bool // false: it is being forgotten, or is gone
	gone []RevisionKey        // those that are, the last maxGone of them
}

func newUnusedRevisions() unusedRevisions {
	return unusedRevisions{all: make(map[RevisionKey]bool)}
}

const (
	// maxUnused bounds how many revisions are known to be unused. Those beyond are
	// kept in the store.
	maxUnused = 100_000
	// maxGone is how many are remembered that are gone, for those who have read
	// them and are about to use them.
	maxGone = 10_000
)

// made notes a new revision.
func (u *unusedRevisions) made(key RevisionKey) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.all) < maxUnused {
		u.all[key] = true
	}
}

// use notes that something runs by a revision from now on. It is false when the
// revision is gone.
func (u *unusedRevisions) use(key RevisionKey) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	unused, known := u.all[key]
	if known && unused {
		delete(u.all, key)
	}
	return !known || unused
}

// giveUp ends the use of a revision. It is false when an execution may use it.
func (u *unusedRevisions) giveUp(key RevisionKey) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.all[key] {
		return false
	}
	u.all[key] = false
	if u.gone = append(u.gone, key); len(u.gone) > maxGone {
		if oldest := u.gone[0]; !u.all[oldest] {
			delete(u.all, oldest)
		}
		u.gone = u.gone[1:]
	}
	return true
}

// keep lets a revision be used again that was given up.
func (u *unusedRevisions) keep(key RevisionKey) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all[key] = true
}

// forgetUnused returns the edits that take the revision before a machine's out of
// the catalogue if nothing has run by it. kept must be called with whether they
// were made.
func (c *Catalogue) forgetUnused(ctx context.Context, m *Machine) (edits []store.Edit, kept func(made bool)) {
	u := &c.unused
	before := RevisionKey{m.Number, m.Revision - 1}
	if m.Revision == 0 || !u.giveUp(before) {
		return nil, func(bool) {}
	}
	kept = func(made bool) {
		if !made {
			u.keep(before)
		}
	}
	entry, err := c.store.Get(ctx, before.String())
	if err != nil {
		kept(false)
		return nil, func(bool) {}
	}
	return []store.Edit{{Key: entry.Key, Version: entry.Version}}, kept
}

// Using returns the machine to start an execution of, and notes that its revision is
// used: the one that was asked for, or what stands in its place by now.
func (c *Catalogue) Using(ctx context.Context, m *Machine) (*Machine, error) {
	for range attempts {
		if c.unused.use(RevisionKey{m.Number, m.Revision}) {
			return m, nil
		}
		var err error
		if m, err = c.Machine(ctx, m.ARN()); err != nil {
			return nil, err
		}
	}
	return nil, store.ErrBusy
}
