package engine_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
)

// TestActivityGoneAtOnce: that the activity of a task is not there is durable with
// the task: an engine that dies leaves none that waits for nobody.
func TestActivityGoneAtOnce(t *testing.T) {
	task := fmt.Sprintf(`{"Type":"Task","Resource":%q,"End":true}`, tenant.ARN("activity", "never"))
	one := `{"StartAt":"A","States":{"A":` + task + `}}`
	other := `{"StartAt":"B","States":{"B":` + task + `}}`
	for what, tt := range map[string]struct {
		states  string
		commits int
	}{
		"the first state":  {`"S":` + task, 1},
		"two at once":      {`"S":{"Type":"Parallel","Branches":[` + one + `,` + other + `],"End":true}`, 1},
		"one for an item":  {`"S":{"Type":"Map","ItemsPath":"$.items","ItemProcessor":` + one + `,"End":true}`, 1},
		"after some time":  {`"S":{"Type":"Wait","Seconds":60,"Next":"T"},"T":` + task, 2},
		"another's beside": {`"S":{"Type":"Parallel","Branches":[{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}},` + one + `],"End":true}`, 1},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var statuses []store.Status
				s := memory.New(memory.Options{Fault: func(tr *store.Transition) memory.Fault {
					mu.Lock()
					defer mu.Unlock()
					if len(tr.Chunk.Data) > 0 {
						statuses = append(statuses, tr.Status)
					}
					return memory.None
				}})
				e := open(t, engine.Config{Store: s})
				m := create(t, e, catalogue.Standard, `{"StartAt":"S","States":{`+tt.states+`}}`)
				started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{"items":[1,2,3]}`)})
				if err != nil {
					t.Fatal(err)
				}
				if d := end(t, e, started.ARN, store.Failed); *d.Failure.Error != "States.Runtime" {
					t.Errorf("%s", *d.Failure.Error)
				}
				mu.Lock()
				defer mu.Unlock()
				if len(statuses) != tt.commits || statuses[tt.commits-1] != store.Failed {
					t.Errorf("%d commits: %v", len(statuses), statuses)
				}
			})
		})
	}
}
