package steppe_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/steppehq/steppe"

// impure lists what the pure floors may not import: without these a package
// reaches no clock it is not handed, no disk, no network, no other goroutine.
var impure = []string{
	"context", "database/sql", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os", "os/exec",
	"sync", "sync/atomic", "syscall", "testing",
}

// allowed lists the third parties of pure floors, by room.
var allowed = map[string][]string{
	"value": {"github.com/go-json-experiment/json/jsontext"},
}

// house is the policy that ARCHITECTURE.md draws.
type house struct {
	floor map[string]int
	pure  map[string]bool
}

// check returns what is wrong with a package's imports.
func (h house) check(pkg string, imports []string) []string {
	at, ok := h.floor[pkg]
	if !ok {
		return []string{pkg + " stands on no floor: add it to ARCHITECTURE.md"}
	}
	var wrong []string
	for _, imp := range imports {
		room, ours := strings.CutPrefix(imp, module+"/")
		if imp == module {
			room, ours = ".", true
		}
		below, known := h.floor[room]
		switch {
		case ours && (!known || below >= at):
			wrong = append(wrong, pkg+" imports "+room+", which is not below it")
		case !ours && h.pure[pkg] && slices.Contains(impure, imp):
			wrong = append(wrong, pkg+" imports "+imp+", but it is pure")
		case !ours && h.pure[pkg] && strings.Contains(strings.Split(imp, "/")[0], ".") && !slices.Contains(allowed[pkg], imp):
			wrong = append(wrong, pkg+" imports "+imp+", but a pure floor has no third parties")
		}
	}
	return wrong
}

func floors(t *testing.T) house {
	t.Helper()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```floors\n")
	block, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatal("ARCHITECTURE.md has no floors block")
	}
	h := house{make(map[string]int), make(map[string]bool)}
	for number, line := range strings.Split(strings.TrimSpace(block), "\n") {
		rooms := strings.Fields(line)
		pure := rooms[0] == "pure"
		if pure {
			rooms = rooms[1:]
		}
		for _, room := range rooms {
			h.floor[room], h.pure[room] = number, pure
		}
	}
	return h
}

// TestArchitecture holds the imports against the floors drawn in
// ARCHITECTURE.md. It reads the files itself rather than asking go list, so
// that the test cache knows what it read.
func TestArchitecture(t *testing.T) {
	h := floors(t)
	files := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || name == "conformance") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		files++
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, spec := range parsed.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imp)
		}
		for _, wrong := range h.check(path.Dir(filepath.ToSlash(file)), imports) {
			t.Errorf("%s: %s", file, wrong)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files were read", files)
	}
}

// TestArchitectureSeesFaults plants one fault of each kind.
func TestArchitectureSeesFaults(t *testing.T) {
	h := floors(t)
	for _, fault := range []struct{ pkg, imp string }{
		{"asl", module + "/engine"},
		{"jsonpath", module + "/history"},
		{"value", "net/http"},
		{"interpreter", "sync"},
		{"query", "github.com/google/go-cmp/cmp"},
		{"util", "fmt"},
		{"engine", module},
		{"engine", module + "/util"},
	} {
		if len(h.check(fault.pkg, []string{fault.imp})) == 0 {
			t.Errorf("%s may import %s", fault.pkg, fault.imp)
		}
	}
	if wrong := h.check("value", allowed["value"]); len(wrong) > 0 {
		t.Error(wrong)
	}
}
