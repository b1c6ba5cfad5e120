package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/steppehq/steppe/store"
)

// RunTables tests the tables of a store. open opens the one of a directory; reopen
// is nil for a store that keeps nothing.
func RunTables(t *testing.T, open func(t *testing.T, dir string) store.Store, durable bool) {
	for _, tt := range []struct {
		name string
		run  func(f *tableFixture)
	}{
		{"rows have versions", rowVersions},
		{"a write is all or nothing", wholeWrites},
		{"scans have bounds", tableScans},
		{"tables are apart", apart},
		{"one of many wins", rowRivals},
		{"money is moved, not made", moved},
		{"many writers of one row each", writersApart},
		{"a row that is written again is another", writtenAgain},
		{"random against a model", tableModel},
		{"closed", tableClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &tableFixture{t: t, dir: t.TempDir(), rand: rand.New(rand.NewPCG(3, 4))}
			f.open = func() { f.s = open(t, f.dir); f.table = f.s.Table("rows") }
			f.durable = durable
			f.open()
			tt.run(f)
			if err := f.s.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
				t.Errorf("close: %v", err)
			}
		})
	}
}

type tableFixture struct {
	t       *testing.T
	s       store.Store
	table   store.Table
	dir     string
	durable bool
	open    func()
	rand    *rand.Rand
	last    uint64 // version of the last write
}

// again closes the store and opens it again, where it keeps something.
func (f *tableFixture) again() {
	if !f.durable {
		return
	}
	if err := f.s.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.open()
}

func edit(key string, version uint64, value string) store.Edit {
	return store.Edit{Key: key, Version: version, Value: []byte(value)}
}

// write writes, and returns the version.
func (f *tableFixture) write(want error, edits ...store.Edit) uint64 {
	f.t.Helper()
	version, err := f.table.Write(f.t.Context(), edits...)
	if !errors.Is(err, want) || want == nil && err != nil {
		f.t.Fatalf("write %v: %v, not %v", edits, err, want)
	}
	switch {
	case err != nil && version != 0:
		f.t.Errorf("write %v: version %d of what was refused", edits, version)
	case err == nil && version <= f.last:
		f.t.Errorf("write %v: version %d after %d", edits, version, f.last)
	}
	f.last = max(f.last, version)
	return version
}

// versions are those of rows, 0 for one that is not there.
func (f *tableFixture) versions(keys ...string) (versions []uint64) {
	f.t.Helper()
	for _, key := range keys {
		row, err := f.table.Get(f.t.Context(), key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			f.t.Fatal(err)
		}
		versions = append(versions, row.Version)
	}
	return versions
}

// rows shows rows as KEY=VALUE.
func rows(entries []store.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s=%s ", e.Key, e.Value)
	}
	return strings.TrimSuffix(b.String(), " ")
}

func (f *tableFixture) scan(from, to string, limit int, reverse bool) string {
	f.t.Helper()
	entries, err := f.table.Scan(f.t.Context(), from, to, limit, reverse)
	if err != nil {
		f.t.Fatal(err)
	}
	return rows(entries)
}

func (f *tableFixture) is(want, got string) {
	f.t.Helper()
	if got != want {
		f.t.Errorf("there is %q, not %q", got, want)
	}
}

func rowVersions(f *tableFixture) {
	first := f.write(nil, edit("a", 0, "1"))
	f.write(store.ErrVersion, edit("a", 0, "x"))
	f.write(store.ErrVersion, edit("a", first+1, "x"))
	second := f.write(nil, edit("a", first, ""))
	f.is("a=", f.scan("", "", 0, false))
	f.write(store.ErrVersion, edit("a", first, "x"))
	f.write(nil, edit("a", second, "2"))
	third := f.write(nil, edit("a", store.Blind, "3"))
	f.again()
	row, err := f.table.Get(f.t.Context(), "a")
	f.is("a=3", rows([]store.Entry{row}))
	if err != nil || row.Version != third {
		f.t.Errorf("version %d, not %d, %v", row.Version, third, err)
	}
	f.write(store.ErrVersion, store.Edit{Key: "a", Version: second})
	f.write(nil, store.Edit{Key: "a", Version: third})
	f.write(nil, store.Edit{Key: "a", Version: store.Blind}) // it is not there
	if _, err := f.table.Get(f.t.Context(), "a"); !errors.Is(err, store.ErrNotFound) {
		f.t.Errorf("a deleted row: %v", err)
	}
	f.write(nil, edit("a", 0, "4"))
	f.is("a=4", f.scan("", "", 0, false))
}

// writtenAgain: who has read a row that was deleted and written again since, in this
// run or the one before, does not change the new one.
func writtenAgain(f *tableFixture) {
	for _, again := range []func(){func() {}, f.again} {
		read := f.write(nil, edit("a", store.Blind, "read"))
		deleted := f.write(nil, store.Edit{Key: "a", Version: read})
		again()
		f.write(store.ErrVersion, edit("a", read, "x"))
		f.write(store.ErrVersion, edit("a", deleted, "x"))
		f.write(nil, edit("a", 0, "new"))
		f.write(store.ErrVersion, edit("a", read, "x"), edit("b", store.Blind, "x"))
		f.is("a=new", f.scan("", "", 0, false))
	}
}

func wholeWrites(f *tableFixture) {
	first := f.write(nil, edit("a", 0, "1"), edit("b", 0, "1"), edit("c", 0, "1"))
	f.write(store.ErrVersion, edit("a", first, "2"), edit("b", first+7, "2"), edit("d", 0, "2"))
	f.write(store.ErrVersion, edit("d", 0, "2"), store.Edit{Key: "a", Version: first}, edit("c", 0, "2"))
	f.write(store.ErrVersion, edit("a", store.Blind, "2"), edit("c", 0, "2"))
	f.is("a=1 b=1 c=1", f.scan("", "", 0, false))
	second := f.write(nil, edit("b", first, "2"), store.Edit{Key: "a", Version: first}, edit("d", 0, "2"))
	f.again()
	f.is("b=2 c=1 d=2", f.scan("", "", 0, false))
	if got, want := f.versions("a", "b", "c", "d"), []uint64{0, second, first, second}; !slices.Equal(got, want) {
		f.t.Errorf("versions %d, not %d", got, want)
	}
}

func tableScans(f *tableFixture) {
	for _, key := range []string{"b", "a", "aa", "\xff", "", "a\x00"} {
		f.write(nil, edit(key, 0, "v"))
	}
	for _, tt := range []struct {
		from, to string
		limit    int
		reverse  bool
		want     string
	}{
		{"", "", 0, false, "=v a=v a\x00=v aa=v b=v \xff=v"},
		{"", "", 2, false, "=v a=v"},
		{"", "", 2, true, "\xff=v b=v"},
		{"a", "b", 0, false, "a=v a\x00=v aa=v"},
		{"a", "b", 1, true, "aa=v"},
		{"a\x00", "", 2, false, "a\x00=v aa=v"},
		{"", "a", 0, true, "=v"},
		{"b", "a", 0, false, ""},
		{"c", "", 9, true, "\xff=v"},
	} {
		f.is(tt.want, f.scan(tt.from, tt.to, tt.limit, tt.reverse))
	}
}

// apart: tables whose names begin alike have nothing in common, nor has one with
// the catalogue.
func apart(f *tableFixture) {
	for _, name := range []string{"r", "rows", "rowsa", "a"} {
		if _, err := f.s.Table(name).Write(f.t.Context(), edit("k", 0, name)); err != nil {
			f.t.Fatal(err)
		}
	}
	f.again()
	for _, name := range []string{"r", "rows", "rowsa", "a"} {
		f.table = f.s.Table(name)
		f.is("k="+name, f.scan("", "", 0, false))
		f.is("k="+name, f.scan("", "", 0, true))
	}
	f.table = f.s.Table("other")
	f.is("", f.scan("", "", 0, false))
	if entries, err := f.s.Scan(f.t.Context(), "", "", 0); err != nil || len(entries) > 0 {
		f.t.Errorf("the catalogue has %v, %v", entries, err)
	}
}

// rowRivals has many write one row that each has seen: one wins.
func rowRivals(f *tableFixture) {
	seen := uint64(0)
	for range 20 {
		const rivals = 8
		type result struct {
			version uint64
			err     error
		}
		results := make(chan result, rivals)
		for i := range rivals {
			go func() {
				version, err := f.table.Write(f.t.Context(), edit("a", seen, fmt.Sprint(i)), edit(fmt.Sprint("of", i), store.Blind, "x"))
				results <- result{version, err}
			}()
		}
		won := uint64(0)
		for range rivals {
			switch r := <-results; {
			case r.err == nil && won == 0:
				won = r.version
			case !errors.Is(r.err, store.ErrVersion):
				f.t.Fatalf("%d has won, and another has %d, %v", won, r.version, r.err)
			}
		}
		seen = won
		if got := f.versions("a"); got[0] != won {
			f.t.Fatalf("version %d, not %d", got, won)
		}
	}
}

// writersApart has many write, each a row of its own by the version that it had, and
// one that all write: each finds its own as it left it, and no version is of two
// writes.
func writersApart(f *tableFixture) {
	const writers, writes = 32, 30
	var mu sync.Mutex
	of := make(map[uint64]string)
	var work sync.WaitGroup
	for i := range writers {
		work.Go(func() {
			key, version := fmt.Sprint("own", i), uint64(0)
			for n := range writes {
				e := edit(key, version, fmt.Sprint(n))
				if n%10 == 9 {
					e.Value = nil
				}
				wrote, err := f.table.Write(f.t.Context(), e, edit("all", store.Blind, key))
				if err != nil || wrote <= version {
					f.t.Errorf("%s: version %d after %d, %v", key, wrote, version, err)
					return
				}
				mu.Lock()
				if of[wrote] != "" {
					f.t.Errorf("version %d is of %s and %s", wrote, of[wrote], key)
				}
				of[wrote] = key
				mu.Unlock()
				if version = wrote; e.Value == nil {
					version = 0
				}
				if got := f.versions(key); got[0] != version {
					f.t.Errorf("%s has version %d, not %d", key, got, version)
					return
				}
			}
		})
	}
	work.Wait()
	f.again()
	all, err := f.table.Get(f.t.Context(), "all")
	if err != nil || of[all.Version] != string(all.Value) || all.Version != slices.Max(slices.Collect(maps.Keys(of))) {
		f.t.Errorf("the row of all is %s, version %d, %v", all.Value, all.Version, err)
	}
}

// moved has many move amounts between rows, each by reading two and writing both: no
// scan sees another sum.
func moved(f *tableFixture) {
	const accounts, movers, moves, each = 6, 8, 40, 100
	name := func(i int) string { return fmt.Sprint("account", i) }
	for i := range accounts {
		f.write(nil, edit(name(i), 0, fmt.Sprint(each)))
	}
	sum := func() (all int) {
		entries, err := f.table.Scan(f.t.Context(), "", "", 0, false)
		if err != nil {
			f.t.Error(err)
		}
		for _, e := range entries {
			n := 0
			_, _ = fmt.Sscan(string(e.Value), &n) // it was written as a number
			all += n
		}
		return all
	}
	var work sync.WaitGroup
	for m := range movers {
		random := rand.New(rand.NewPCG(uint64(m), 9))
		work.Go(func() {
			for done := 0; done < moves; {
				a, b := random.IntN(accounts), random.IntN(accounts)
				if a == b {
					continue
				}
				from, err1 := f.table.Get(f.t.Context(), name(a))
				to, err2 := f.table.Get(f.t.Context(), name(b))
				if err := errors.Join(err1, err2); err != nil {
					f.t.Error(err)
					return
				}
				x, y := 0, 0
				_, _ = fmt.Sscan(string(from.Value), &x)
				_, _ = fmt.Sscan(string(to.Value), &y)
				_, err := f.table.Write(f.t.Context(), edit(from.Key, from.Version, fmt.Sprint(x-1)), edit(to.Key, to.Version, fmt.Sprint(y+1)))
				if err == nil {
					done++
				} else if !errors.Is(err, store.ErrVersion) {
					f.t.Error(err)
					return
				}
			}
		})
	}
	work.Go(func() {
		for range 20 {
			if got := sum(); got != accounts*each {
				f.t.Errorf("a scan sees %d", got)
			}
		}
	})
	work.Wait()
	f.again()
	if got := sum(); got != accounts*each {
		f.t.Errorf("in the end there are %d", got)
	}
}

// tableModel holds random writes against a map.
func tableModel(f *tableFixture) {
	model := make(map[string]store.Entry)
	key := func() string { return strings.Repeat(string(rune('a'+f.rand.IntN(3))), 1+f.rand.IntN(4)) }
	for range 600 {
		edits := make(map[string]store.Edit)
		right := true
		for range 1 + f.rand.IntN(4) {
			e := store.Edit{Key: key(), Version: store.Blind}
			if f.rand.IntN(2) == 0 {
				e.Version = model[e.Key].Version
			}
			if f.rand.IntN(10) == 0 {
				e.Version = f.last + 1
			}
			if f.rand.IntN(4) > 0 {
				e.Value = []byte(fmt.Sprint(f.rand.IntN(1000)))
			}
			edits[e.Key] = e
		}
		for _, e := range edits {
			right = right && (e.Version == store.Blind || e.Version == model[e.Key].Version)
		}
		want := store.ErrVersion
		if right {
			want = nil
		}
		version := f.write(want, slices.Collect(maps.Values(edits))...)
		for _, e := range edits {
			switch {
			case !right:
			case e.Value == nil:
				delete(model, e.Key)
			default:
				model[e.Key] = store.Entry{Key: e.Key, Version: version, Value: e.Value}
			}
		}
		if f.rand.IntN(100) == 0 {
			f.again()
		}
		all := slices.SortedFunc(maps.Values(model), func(a, b store.Entry) int { return cmp.Compare(a.Key, b.Key) })
		from := key()
		all = slices.DeleteFunc(all, func(e store.Entry) bool { return e.Key < from })
		got, err := f.table.Scan(f.t.Context(), from, "", 0, false)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(all) {
			f.t.Fatalf("there is %v, not %v, %v", got, all, err)
		}
	}
}

func tableClosed(f *tableFixture) {
	if err := f.s.Close(); err != nil {
		f.t.Fatal(err)
	}
	_, get := f.table.Get(f.t.Context(), "a")
	_, scan := f.table.Scan(f.t.Context(), "", "", 0, false)
	_, write := f.table.Write(f.t.Context(), edit("a", 0, "1"))
	for _, err := range []error{get, scan, write} {
		if !errors.Is(err, store.ErrClosed) {
			f.t.Errorf("%v", err)
		}
	}
}
