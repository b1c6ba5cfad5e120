package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMemoryLimit: the smallest limit of the groups around the process counts.
func TestMemoryLimit(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"a": "max\n", "a/b": "300000000\n", "a/b/c": "500000000\n", "other": "1\n"} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name, "memory.max"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for self, want := range map[string]int64{"0::/a/b/c\n": 300000000, "0::/a\n": 0, "0::/\n": 0, "1:cpu:/a/b\n": 0, "": 0} {
		if got := memoryLimit(root, self); got != want {
			t.Errorf("%q: %d, want %d", self, got, want)
		}
	}
}
