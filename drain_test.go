package steppe_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// TestShutdown: a task that is under way ends, and what it brings about is
// durable; none begins any more; and who does not end in time is cut and told.
func TestShutdown(t *testing.T) {
	for what, cut := range map[string]bool{"in time": false, "cut": true} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			var log bytes.Buffer
			begun, end, seconds := make(chan struct{}), make(chan struct{}), 0
			first, err := steppe.Open(steppe.Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil)), Functions: []steppe.Function{
				steppe.GoFunction("first", func(ctx context.Context, _ int) (int, error) {
					close(begun)
					select {
					case <-end:
						return 1, nil
					case <-ctx.Done():
						return 0, ctx.Err()
					}
				}),
				steppe.GoFunction("second", func(context.Context, int) (int, error) { seconds++; return 2, nil }),
			}})
			if err != nil {
				t.Fatal(err)
			}
			m, err := first.StateMachine(t.Context(), "m", catalogue.Standard, `{"StartAt": "A", "States": {
				"A": {"Type": "Task", "Resource": "`+first.FunctionARN("first")+`", "Next": "B"},
				"B": {"Type": "Task", "Resource": "`+first.FunctionARN("second")+`", "End": true}}}`)
			if err != nil {
				t.Fatal(err)
			}
			started, err := first.Engine().Start(t.Context(), engine.StartRequest{Machine: m, Input: value.NewDoc([]byte("0"))})
			if err != nil {
				t.Fatal(err)
			}
			<-begun
			ctx, cancel := context.WithCancel(t.Context())
			if cut {
				cancel()
			} else {
				close(end)
			}
			if err := first.Shutdown(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			if told := strings.Contains(log.String(), "a task is cut"); told != cut {
				t.Errorf("the log is %s", log.String())
			}
			firsts := 0
			second, err := steppe.Open(steppe.Config{Dir: dir, Functions: []steppe.Function{
				steppe.GoFunction("first", func(context.Context, int) (int, error) { firsts++; return 1, nil }),
				steppe.GoFunction("second", func(context.Context, int) (int, error) { return 2, nil }),
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer second.Close()
			d, err := second.Engine().Wait(t.Context(), started.ARN)
			if err != nil || d.Status != store.Succeeded {
				t.Fatalf("%+v, %v", d, err)
			}
			if again := firsts > 0; again != cut {
				t.Errorf("the task was performed again: %v", again)
			}
			if !cut && strings.Contains(log.String(), "work broke") {
				t.Error(log.String())
			}
		})
	}
}
