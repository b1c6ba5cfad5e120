package pebble

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRemovedByItself: a file that the store is about to remove while its files are
// listed is not missed.
func TestRemovedByItself(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"000001.sst", "000002.sst"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := new(ownership)
	o.removes("000001.sst")
	if err := o.list(dir); err != nil {
		t.Fatal(err)
	}
	remove := func(name string) error {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		return o.missing()
	}
	if err := remove("000001.sst"); err != nil {
		t.Error(err)
	}
	if err := remove("000002.sst"); err == nil {
		t.Error("a file that somebody else removed is not missed")
	}
}
