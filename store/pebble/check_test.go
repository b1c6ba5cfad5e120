package pebble_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	cockroach "github.com/cockroachdb/pebble/v2"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/pebble"
)

// TestCheck damages a store in every way that a check must see.
func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		damage     func(db *cockroach.DB, find func(prefix string) []byte) error
	}{
		{"nothing", "", func(*cockroach.DB, func(string) []byte) error { return nil }},
		{"a record is lost", "the execution is not there", remove("e")},
		{"a record is cut", "a record is corrupt", func(db *cockroach.DB, find func(string) []byte) error { return db.Set(find("e"), []byte{1, 2}, nil) }},
		{"a chunk is lost", "the history", remove("h")},
		{"a chunk is cut", "a record is corrupt", func(db *cockroach.DB, find func(string) []byte) error { return db.Set(find("h"), nil, nil) }},
		{"a chunk of nobody", "the execution is not there", func(db *cockroach.DB, find func(string) []byte) error {
			key := bytes.Clone(find("h"))
			key[8] ^= 1
			return db.Set(key, []byte{0}, nil)
		}},
		{"a running execution is lost", "a running execution has the key x", remove("x")},
		{"an ended one runs", "a running execution has the key x", func(db *cockroach.DB, find func(string) []byte) error {
			key := append([]byte("x"), find("r")[9:]...)
			return db.Set(key, []byte{1, 0, 4, 0}, nil)
		}},
		{"a list's entry is lost", "the execution is in no list", remove("l")},
		{"an entry in another list", "the execution belongs to another list", func(db *cockroach.DB, find func(string) []byte) error {
			key := bytes.Clone(find("l"))
			key[4] = 9
			return db.Set(key, nil, nil)
		}},
		{"a term is lost", "the execution has 1 terms and is found by 0", remove("q")},
		{"an expiry is lost", "the execution would never expire", remove("r")},
		{"an expiry of nobody", "the execution is not there", func(db *cockroach.DB, find func(string) []byte) error {
			key := bytes.Clone(find("r"))
			key[20] ^= 1
			return db.Set(key, nil, nil)
		}},
		{"a name of another", "the execution has another name", func(db *cockroach.DB, find func(string) []byte) error {
			return db.Set([]byte("n12345678other"), find("r")[9:], nil)
		}},
		{"a catalogue entry is cut", "a record is corrupt", func(db *cockroach.DB, find func(string) []byte) error { return db.Set(find("c"), []byte{1}, nil) }},
		{"a letter is cut", "a record is corrupt", func(db *cockroach.DB, find func(string) []byte) error { return db.Set(find("o"), []byte{1, 0}, nil) }},
		{"a letter's key is cut", "a record is corrupt", func(db *cockroach.DB, find func(string) []byte) error {
			return db.Set(find("o")[:20], make([]byte, 17), nil)
		}},
		{"a letter to no shard", "an execution of no shard", func(db *cockroach.DB, find func(string) []byte) error {
			return db.Set(find("o"), append([]byte{1, 0xff, 0xff}, make([]byte, 14)...), nil)
		}},
		{"a letter of no event", "was sent with event 0", func(db *cockroach.DB, find func(string) []byte) error {
			key := find("o")
			clear(key[17:25])
			return db.Set(key, append([]byte{1}, make([]byte, 16)...), nil)
		}},
		{"a row is cut", "a record is corrupt", func(db *cockroach.DB, find func(string) []byte) error { return db.Set(find("t"), []byte{1}, nil) }},
		{"a row of no table", "it names no table", func(db *cockroach.DB, _ func(string) []byte) error {
			return db.Set([]byte("t\x09abc"), make([]byte, 9), nil)
		}},
		{"a row above the ceiling", "above 1048577", func(db *cockroach.DB, find func(string) []byte) error {
			return db.Set(find("t"), []byte("\x00\x00\x00\x00\x00\x10\x00\x02x"), nil)
		}},
		{"a ceiling is cut", "not the highest version of a table", func(db *cockroach.DB, find func(string) []byte) error { return db.Set(find("u"), []byte{1}, nil) }},
		{"an owner is cut", "not the owner of a shard", func(db *cockroach.DB, find func(string) []byte) error { return db.Set(find("s"), []byte{1}, nil) }},
		{"a key of no kind", "keys of this kind are not known", func(db *cockroach.DB, _ func(string) []byte) error { return db.Set([]byte("z1"), nil, nil) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, t.TempDir(), pebble.Options{})
			defer s.Close()
			fill(t, s)
			raw := s.Raw()
			find := func(prefix string) []byte {
				it, err := raw.NewIter(&cockroach.IterOptions{LowerBound: []byte(prefix)})
				if err != nil {
					t.Fatal(err)
				}
				defer it.Close()
				if !it.First() || !strings.HasPrefix(string(it.Key()), prefix) {
					t.Fatalf("no key begins with %s", prefix)
				}
				return bytes.Clone(it.Key())
			}
			if err := tt.damage(raw, find); err != nil {
				t.Fatal(err)
			}
			var problems []string
			visited := 0
			checked, err := s.Check(t.Context(), func(store.Record, []store.Chunk) { visited++ }, func(text string) { problems = append(problems, text) })
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(problems, "\n"); tt.want == "" && (all != "" || visited != 3 || checked.Executions != 3 || checked.Running != 1) || !strings.Contains(all, tt.want) {
				t.Errorf("%+v, problems:\n%s\nwant %q", checked, all, tt.want)
			}
		})
	}
}

func remove(prefix string) func(*cockroach.DB, func(string) []byte) error {
	return func(db *cockroach.DB, find func(string) []byte) error { return db.Delete(find(prefix), nil) }
}

// fill commits three executions, the first of them running.
func fill(t *testing.T, s *pebble.DB) {
	t.Helper()
	h, err := s.Acquire(t.Context(), 0, store.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_700_000_000_000)
	for i := range 3 {
		var id store.ExecutionID
		binary.BigEndian.PutUint64(id[8:], uint64(i))
		first := &store.Transition{
			Execution: id, Status: store.Running, Chunk: store.Chunk{First: 1, Last: 2, Data: []byte("two")},
			New:   &store.NewExecution{Key: store.NameKey{Name: string(rune('a' + i))}, Group: 1, Start: at},
			Terms: []store.Term{{1}}, Send: []store.Letter{{To: id, Body: []byte("stop")}},
		}
		if err := h.Commit(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue
		}
		end := &store.Transition{Execution: id, Status: store.Failed, Stop: at, Expire: at.Add(time.Hour), Chunk: store.Chunk{First: 3, Last: 4, Data: []byte("more")}}
		if err := h.Commit(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(t.Context(), store.Edit{Key: "a", Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Table("rows").Write(t.Context(), store.Edit{Key: "a", Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
}
