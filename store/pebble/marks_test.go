package pebble_test

import (
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/pebble"
)

// died is what is on the disk when the process ends at once: all that was written,
// synced or not.
func died(t *testing.T, disk vfs.FS) *vfs.MemFS {
	t.Helper()
	copied := vfs.NewMem()
	if ok, err := vfs.Clone(disk, copied, "data", "data"); err != nil || !ok {
		t.Fatal(ok, err)
	}
	return copied
}

// TestMarks: what was marked when the process died is left, until somebody has been
// told of it and marks again, or closes the store.
func TestMarks(t *testing.T) {
	a, b, c := nth(1), nth(2), nth(3)
	disk := vfs.NewMem()
	s := open(t, "data", pebble.Options{FS: disk})
	m := s.Marks()
	left := func(fs vfs.FS, want ...store.ExecutionID) *pebble.DB {
		t.Helper()
		s := open(t, "data", pebble.Options{FS: fs})
		got := s.Marks().Left()
		slices.SortFunc(got, func(a, b store.ExecutionID) int { return slices.Compare(a[:], b[:]) })
		if !slices.Equal(got, want) {
			t.Errorf("left: %v, want %v", got, want)
		}
		return s
	}
	set := func(m store.Marks, slot int, id store.ExecutionID) {
		t.Helper()
		if err := m.Set(slot, id); err != nil {
			t.Fatal(err)
		}
	}
	set(m, 0, a)
	set(m, store.MarkSlots-1, b)
	set(m, 7, c)
	set(m, 8, b)
	if err := m.Clear(7); err != nil {
		t.Fatal(err)
	}
	if err := m.Set(store.MarkSlots, a); err == nil {
		t.Error("a slot that is not there is taken")
	}
	disk1 := died(t, disk)
	s1 := left(disk1, a, b)
	disk2 := died(t, disk1) // before anything was done about it
	s2 := left(disk2, a, b)
	set(s2.Marks(), 3, c)
	disk3 := died(t, disk2)
	s3 := left(disk3, c)
	if err := s1.Close(); err != nil {
		t.Fatal(err)
	}
	left(disk1)
	if err := s3.Close(); err != nil {
		t.Fatal(err)
	}
	left(disk3)
	// Who does not ask does not take it away.
	disk4 := died(t, disk2)
	if err := open(t, "data", pebble.Options{FS: disk4}).Close(); err != nil {
		t.Fatal(err)
	}
	left(disk4, c)
}
