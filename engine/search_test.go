package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// searched is an execution of the test of searches.
type searched struct {
	machine, name string
	started       time.Time
	*stored.Description
}

// TestSearch asks in many ways, page by page, and compares with what a look at
// every execution finds. A part of the executions is older than the index, and
// those of one machine are encrypted, of another one from some time on.
func TestSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memory.New(memory.Options{})
		const definition = `{"StartAt":"W","States":{
		  "W":{"Type":"Wait","SecondsPath":"$.wait","Next":"C"},
		  "C":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":3,"Next":"F"}],"Default":"S"},
		  "F":{"Type":"Fail","Error":"TooFew","Cause":"few"},
		  "S":{"Type":"Succeed"}}}`
		machines := make(map[string]*catalogue.Machine)
		configurations := map[string]json.RawMessage{"bills": encrypted("k")}
		keys := []catalogue.EncryptionKey{key("k", 1)}
		var all []searched
		fill := func(e *engine.Engine, round int) {
			for _, name := range []string{"orders", "bills", "mails"} {
				if machines[name] == nil {
					machines[name] = createEncrypted(t, e, name, definition, configurations[name])
				}
			}
			for i := range 60 {
				name := []string{"orders", "bills", "mails"}[i%3]
				x := fmt.Sprintf("%s-%d-%d", []string{"a", "b"}[i%2], round, i)
				input := fmt.Sprintf(`{"n":%d,"id":"A-%d","wait":%d}`, i%7, i%5, []int{0, 3600 * 24 * 300, 60}[i%4%3])
				started, err := e.Start(t.Context(), engine.StartRequest{Machine: machines[name], Name: x, Input: doc(input)})
				if err != nil {
					t.Fatal(err)
				}
				all = append([]searched{{name, x, started.At, &stored.Description{ARN: started.ARN}}}, all...)
				<-time.After(time.Second)
			}
			<-time.After(2 * time.Minute)
		}
		first := open(t, engine.Config{Store: db, EncryptionKeys: keys})
		fill(first, 1)
		e := open(t, engine.Config{Store: db, EncryptionKeys: keys, Index: []string{"input.id", "output.n"}})
		machines["mails"] = encryptFromNow(t, e, machines["mails"], "k")
		fill(e, 2)
		for i := range all {
			d, err := e.Describe(t.Context(), all[i].ARN)
			if err != nil {
				t.Fatal(err)
			}
			all[i].Description = d
		}
		for i, q := range searches(t, all) {
			for _, limit := range []int{1, 7, 1000} {
				q.search.Tenant, q.search.Limit, q.search.After = tenant, limit, ""
				var want, got []string
				for _, x := range all {
					if q.holds(x) {
						want = append(want, x.name)
					}
				}
				for {
					found, err := e.Search(t.Context(), q.search)
					if err != nil {
						t.Fatal(err)
					}
					for _, d := range found.Executions {
						got = append(got, d.Name)
					}
					if q.search.After = found.Next; found.Next == "" {
						break
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("search %d, pages of %d:\n got %v\nwant %v", i, limit, got, want)
				}
				if len(want) == 0 && !q.none {
					t.Errorf("search %d finds nothing", i)
				}
			}
		}
	})
}

type searchCase struct {
	search stored.Search
	holds  func(searched) bool
	none   bool
}

func searches(t *testing.T, all []searched) []searchCase {
	field := func(text string) stored.Field {
		f, err := stored.ParseField(text)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	compare := func(path, op, text string) []stored.Comparison {
		v, err := value.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return []stored.Comparison{{Field: field(path), Op: op, Value: v}}
	}
	n := func(x searched) int64 { n, _ := x.Input.Value().Get("n").Int64(); return n }
	middle := all[len(all)/2].started
	return []searchCase{
		{search: stored.Search{}, holds: func(searched) bool { return true }},
		{search: stored.Search{Machines: []string{"bills", "nobody"}}, holds: func(x searched) bool { return x.machine == "bills" }},
		{search: stored.Search{Machines: []string{"nobody"}}, holds: func(searched) bool { return false }, none: true},
		{search: stored.Search{Statuses: []store.Status{store.Failed, store.Running}}, holds: func(x searched) bool { return x.Status == store.Failed || x.Status == store.Running }},
		{search: stored.Search{Name: "b-2-31"}, holds: func(x searched) bool { return x.name == "b-2-31" }},
		{search: stored.Search{Name: "a-1", Prefix: true}, holds: func(x searched) bool { return strings.HasPrefix(x.name, "a-1") }},
		{search: stored.Search{Name: "a-", Prefix: true, Machines: []string{"mails"}, From: middle}, holds: func(x searched) bool {
			return strings.HasPrefix(x.name, "a-") && x.machine == "mails" && !x.started.Before(middle)
		}},
		{search: stored.Search{Error: "TooFew"}, holds: func(x searched) bool { return x.Status == store.Failed }},
		{search: stored.Search{Error: "Other"}, holds: func(searched) bool { return false }, none: true},
		{search: stored.Search{State: "W"}, holds: func(x searched) bool { return x.Status == store.Running }},
		{search: stored.Search{State: "F", To: middle}, holds: func(x searched) bool { return x.Status == store.Failed && x.started.Before(middle) }},
		{search: stored.Search{Shortest: 30 * time.Second, Longest: 10 * time.Minute}, holds: func(x searched) bool {
			return x.Status == store.Running && time.Since(x.Start) <= 10*time.Minute || x.Stop.Sub(x.Start) == time.Minute
		}},
		{search: stored.Search{Values: compare("input.id", "=", `"A-3"`)}, holds: func(x searched) bool { return x.Input.Value().Get("id").Str() == "A-3" }},
		{search: stored.Search{Values: compare("input.id", "=", `"A-3"`), To: middle}, holds: func(x searched) bool {
			return x.Input.Value().Get("id").Str() == "A-3" && x.started.Before(middle)
		}},
		{search: stored.Search{Values: compare("input.id", "!=", `"A-3"`)}, holds: func(x searched) bool { return x.Input.Value().Get("id").Str() != "A-3" }},
		{search: stored.Search{Values: compare("output.n", "=", `5.0`)}, holds: func(x searched) bool { return x.Status == store.Succeeded && n(x) == 5 }},
		{search: stored.Search{Values: compare("input.n", ">=", `5`)}, holds: func(x searched) bool { return n(x) >= 5 }},
		{search: stored.Search{Values: compare("input['n']", "<", `1`), Statuses: []store.Status{store.Failed}}, holds: func(x searched) bool { return n(x) < 1 && x.Status == store.Failed }},
		{search: stored.Search{Values: compare("input.n", "<", `"1"`)}, holds: func(searched) bool { return false }, none: true},
	}
}
