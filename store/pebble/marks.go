package pebble

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/steppehq/steppe/store"
)

// Marks name, for the next process, the executions that this one was at work on when it
// died. Work that brings the process down would otherwise bring it down again at every
// start; the engine holds an execution that it finds here twice.
//
// A mark is set before a step that does much and cleared after it, so it must cost next
// to nothing: a write of 16 bytes at a fixed place, without a sync, which the operating
// system keeps when the process dies. A power failure may lose it; that is not the work
// of an execution, and nothing needs to be held then.
//
// What the run before left stays in the file until this run sets its first mark: by
// then the owner has recorded what follows from it. If the process dies earlier, the
// next one finds the same marks again.

// marksName is the file of the marks.
const marksName = "in-step"

const markSize = len(store.ExecutionID{})

// marks is a file of slots, each the id of an execution or zeros. It is written
// without a sync.
type marks struct {
	file vfs.File

	mu    sync.Mutex
	left  []store.ExecutionID
	asked bool // the owner knows what is left
	fresh bool // nothing of the run before stands in the file
}

// Marks returns the marks of the directory.
func (s *DB) Marks() store.Marks { return s.marks }

// openMarks reads what the run before left. What is no execution's id, in a file
// that is damaged, is left out.
func openMarks(fs vfs.FS, dir string, shards int) (*marks, error) {
	name := fs.PathJoin(dir, marksName)
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", name, err)
	}
	slots := make([]byte, store.MarkSlots*markSize)
	n, err := f.ReadAt(slots, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("store: read %s: %w", name, err), f.Close())
	}
	m := &marks{file: f}
	for slot := range slices.Chunk(slots[:n-n%markSize], markSize) {
		id := store.ExecutionID(slot)
		if id != (store.ExecutionID{}) && int(id.Shard()) < shards && !slices.Contains(m.left, id) {
			m.left = append(m.left, id)
		}
	}
	return m, nil
}

// Set marks an execution.
func (m *marks) Set(slot int, id store.ExecutionID) error {
	m.mu.Lock()
	if !m.fresh {
		if err := m.wipe(); err != nil {
			m.mu.Unlock()
			return err
		}
	}
	m.mu.Unlock()
	return m.write(slot, id)
}

// Clear leaves a slot empty.
func (m *marks) Clear(slot int) error { return m.write(slot, store.ExecutionID{}) }

func (m *marks) write(slot int, id store.ExecutionID) error {
	if slot < 0 || slot >= store.MarkSlots {
		return fmt.Errorf("store: there is no slot %d for a mark", slot)
	}
	if _, err := m.file.WriteAt(id[:], int64(slot*markSize)); err != nil {
		return fmt.Errorf("store: write %s: %w", marksName, err)
	}
	return nil
}

// Left is what the run before left.
func (m *marks) Left() []store.ExecutionID {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = true
	return slices.Clone(m.left)
}

// wipe forgets what the run before left. The mutex is held.
func (m *marks) wipe() error {
	if _, err := m.file.WriteAt(make([]byte, store.MarkSlots*markSize), 0); err != nil {
		return fmt.Errorf("store: write %s: %w", marksName, err)
	}
	m.fresh = true
	return nil
}

// close ends a run that went well: nothing is left of it, nor of what it read
// of the one before.
func (m *marks) close() (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked || m.fresh {
		err = m.wipe()
	}
	return errors.Join(err, m.file.Close())
}
