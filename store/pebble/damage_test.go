package pebble_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/pebble"
)

var trials = flag.Int("trials", 3, "damaged directories of each kind of file and damage")

// damages are what happens to the bytes of a file, of which an older copy is given. A
// damage is false where it would change nothing, and gives nil for a file that is
// removed.
var damages = []struct {
	name string
	do   func(random *rand.Rand, text, older []byte) (damaged []byte, changed bool)
}{
	{"bit", func(random *rand.Rand, text, _ []byte) ([]byte, bool) {
		if len(text) == 0 {
			return nil, false
		}
		text[random.IntN(len(text))] ^= 1 << random.IntN(8)
		return text, true
	}},
	{"cut", func(random *rand.Rand, text, _ []byte) ([]byte, bool) {
		if len(text) == 0 {
			return nil, false
		}
		return text[:random.IntN(len(text))], true
	}},
	{"removed", func(*rand.Rand, []byte, []byte) ([]byte, bool) { return nil, true }},
	{"zeroed", func(random *rand.Rand, text, _ []byte) ([]byte, bool) {
		if len(text) == 0 {
			return nil, false
		}
		at := random.IntN(len(text)) &^ 511
		clear(text[at:min(at+512, len(text))])
		return text, true
	}},
	{"older", func(_ *rand.Rand, text, older []byte) ([]byte, bool) {
		return older, older != nil && !bytes.Equal(text, older)
	}},
}

// kind is a file's name without its numbers.
func kind(name string) string {
	if strings.HasSuffix(name, ".log") || strings.HasSuffix(name, ".sst") {
		return path.Ext(name)
	}
	return regexp.MustCompile(`[0-9]+`).ReplaceAllString(name, "#")
}

// damageable is a directory that was left, with what it must hold.
type damageable struct {
	disk, older *vfs.MemFS // older is a copy from before the last commits
	want        map[store.ExecutionID]int64
}

// leave makes a directory with tables, and logs that are still to be read, and
// leaves it: closed, or as a process does that is killed.
func leave(t *testing.T, clean bool) damageable {
	t.Helper()
	d := damageable{want: make(map[store.ExecutionID]int64)}
	live := vfs.NewMem()
	for round := range 4 {
		s := open(t, "data", pebble.Options{FS: live})
		h, err := s.Acquire(t.Context(), 0, store.Owner{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			id := nth(round*60 + i)
			row := store.Edit{Key: string(id[:]), Value: []byte("row")}
			if err := errors.Join(h.Commit(t.Context(), bulky(id)), writeRow(t, s, row)); err != nil {
				t.Fatal(err)
			}
			d.want[id] = 2
			if round == 2 && i == 40 {
				if err := s.Raw().Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if round == 3 && i == 30 {
				d.older = died(t, live)
			}
		}
		if round == 3 && !clean {
			d.disk = died(t, live)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if clean {
		d.disk = live
	}
	return d
}

func writeRow(t *testing.T, s *pebble.DB, row store.Edit) error {
	_, err := s.Table("rows").Write(t.Context(), row)
	return err
}

// bytesOf is an id as bytes.
func bytesOf(id store.ExecutionID) []byte { return id[:] }

// bulk is the size of an execution's events.
const bulk = 800

// bulky is the first transition of an execution that takes some space.
func bulky(id store.ExecutionID) *store.Transition {
	first := step(id, 0)
	first.Chunk.Data = make([]byte, bulk)
	return first
}

// contents reads a file of the directory, nil when it is not there.
func contents(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(fs.PathJoin("data", name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return append([]byte{}, text...)
}

// replace writes a file of the directory anew, or removes it.
func replace(t *testing.T, fs vfs.FS, name string, text []byte) {
	t.Helper()
	path := fs.PathJoin("data", name)
	if text == nil {
		if err := fs.Remove(path); err != nil {
			t.Fatal(err)
		}
		return
	}
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// outcome opens a damaged directory and reads all that was acknowledged: "intact",
// "refused", "told" where a table was said to be damaged before anything was read,
// "error" where a read failed all the same, "stopped" where the store ended the
// process, and what must not be: "LOST" and "WRONG".
func outcome(t *testing.T, fs vfs.FS, want map[store.ExecutionID]int64) string {
	t.Helper()
	told := make(chan string, 16)
	go func() {
		said := new(lines)
		s, err := pebble.Open("data", pebble.Options{FS: fs, Logger: said.logger(), MemTableSize: 4 << 20, CacheSize: 4 << 20, Fatal: func(string) {
			told <- "stopped"
			select {} // a process would end here
		}})
		if err != nil {
			told <- "refused"
			return
		}
		s.Scrubbed()
		damaged := len(said.with("a table of the data directory is damaged")) > 0
		result := readAll(t, s, want)
		if damaged && (result == "error" || result == "intact") {
			result = "told" // a filter that cannot be read is done without
		}
		_ = s.Close() // what is damaged may not be closed well
		told <- result
	}()
	return <-told
}

func readAll(t *testing.T, s *pebble.DB, want map[store.ExecutionID]int64) string {
	result := "intact"
	for id, last := range want {
		r, err := s.Execution(t.Context(), id)
		if err == nil && r.Last != last {
			return "WRONG"
		}
		if errors.Is(err, store.ErrNotFound) {
			return "LOST"
		}
		chunks, failed := s.History(t.Context(), id, 1, 0, false)
		if err = errors.Join(err, failed); err != nil {
			result = "error"
		} else if len(chunks) != 1 || len(chunks[0].Data) != bulk {
			return "LOST"
		}
	}
	for _, read := range []func(*testing.T, *pebble.DB, map[store.ExecutionID]int64) error{readLetters, readRows} {
		switch err := read(t, s, want); {
		case errors.Is(err, store.ErrNotFound):
			return "LOST"
		case err != nil:
			result = "error"
		}
	}
	return result
}

// readLetters looks for the letter that each execution has sent. store.ErrNotFound.
func readLetters(t *testing.T, s *pebble.DB, want map[store.ExecutionID]int64) error {
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		return err
	}
	letters, err := h.Letters(t.Context(), store.LetterID{}, 0)
	if err != nil {
		return err
	}
	from := make(map[store.ExecutionID]bool)
	for _, l := range letters {
		from[l.ID.From] = l.To == l.ID.From
	}
	for id := range want {
		if !from[id] {
			return store.ErrNotFound
		}
	}
	return nil
}

// readRows looks for the row that was written after each execution.
func readRows(t *testing.T, s *pebble.DB, want map[store.ExecutionID]int64) error {
	entries, err := s.Table("rows").Scan(t.Context(), "", "", 0, false)
	if err != nil {
		return err
	}
	rows := make(map[string]bool)
	for _, e := range entries {
		rows[e.Key] = string(e.Value) == "row"
	}
	for id := range want {
		if !rows[string(id[:])] {
			return store.ErrNotFound
		}
	}
	return nil
}

// TestDamage damages each kind of file in each way, after a clean end and after a
// kill. What was acknowledged is there, or the directory is refused, or a damaged
// table is told of before anybody reads: never is anything not found.
func TestDamage(t *testing.T) {
	for _, clean := range []bool{true, false} {
		d := leave(t, clean)
		names, err := d.disk.List("data")
		if err != nil {
			t.Fatal(err)
		}
		kinds := make(map[string][]string)
		slices.Sort(names)
		for _, name := range names {
			kinds[kind(name)] = append(kinds[kind(name)], name)
		}
		for k, names := range kinds {
			for i := range damages {
				t.Run(fmt.Sprintf("clean=%v/%s/%s", clean, k, damages[i].name), func(t *testing.T) {
					found := make(map[string]int)
					for trial := range *trials {
						random := rand.New(rand.NewPCG(uint64(trial), uint64(i)))
						name := names[random.IntN(len(names))]
						damaged, changed := damages[i].do(random, contents(t, d.disk, name), contents(t, d.older, name))
						if !changed {
							continue
						}
						disk := died(t, d.disk)
						replace(t, disk, name, damaged)
						result := outcome(t, disk, d.want)
						found[result]++
						if result == "LOST" || result == "WRONG" || k == ".sst" && result == "error" {
							t.Errorf("trial %d, %s: %s", trial, name, result)
						}
					}
					t.Log(found)
				})
			}
		}
		if len(kinds) < 8 {
			t.Errorf("only these kinds of files: %v", kinds)
		}
	}
}

// TestCopied copies a directory, file by file in any order, while it is written. The
// copy holds what was acknowledged before it began, or is refused.
func TestCopied(t *testing.T) {
	found := make(map[string]int)
	for seed := range max(1, *trials/10) {
		copied(t, uint64(seed), found)
	}
	t.Log(found)
}

// copied makes ten copies of one directory.
func copied(t *testing.T, seed uint64, found map[string]int) {
	t.Helper()
	live := vfs.NewMem()
	s := open(t, "data", pebble.Options{FS: live})
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	acknowledged := make(chan store.ExecutionID, 16)
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			row := store.Edit{Key: string(bytesOf(nth(i))), Value: []byte("row")}
			if err := errors.Join(h.Commit(t.Context(), bulky(nth(i))), writeRow(t, s, row)); err != nil {
				t.Error(err)
				return
			}
			select {
			case acknowledged <- nth(i): // the copies come along
			case <-stop:
				return
			}
			if i%23 == 0 {
				if err := s.Raw().Flush(); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	want := make(map[store.ExecutionID]int64)
	random := rand.New(rand.NewPCG(seed, 9))
	for range 10 {
		for range 20 + random.IntN(40) {
			want[<-acknowledged] = 2
		}
		result := outcome(t, copyFiles(t, random, live), want)
		found[result]++
		if result != "intact" && result != "refused" {
			t.Errorf("seed %d, a copy: %s", seed, result)
		}
	}
	close(stop)
	<-done
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// copyFiles copies as cp -r does: a list first, then one file after the other, as
// far as they are still there.
func copyFiles(t *testing.T, random *rand.Rand, from vfs.FS) vfs.FS {
	t.Helper()
	to := vfs.NewMem()
	if err := to.MkdirAll("data", 0o700); err != nil {
		t.Fatal(err)
	}
	names, err := from.List("data")
	if err != nil {
		t.Fatal(err)
	}
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names {
		if text := contents(t, from, name); text != nil {
			replace(t, to, name, text)
		}
	}
	return to
}
