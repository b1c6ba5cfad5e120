package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/store"
)

// TestRetention: executions are kept after their end for as long as the
// configuration or their machine's tag says, not while they run, and their
// names are free from then on. Forks outlive what they were forked from.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, engine.Config{Retention: 30 * time.Minute})
		const definition = `{"StartAt":"A","States":{"A":{"Type":"Wait","SecondsPath":"$.wait","Next":"B"},"B":{"Type":"Succeed"}}}`
		machine := func(name string, tags ...catalogue.Tag) *catalogue.Machine {
			parsed, diagnostics := asl.Parse([]byte(definition))
			if parsed == nil {
				t.Fatal(diagnostics)
			}
			m, err := e.Catalogue().CreateMachine(t.Context(), catalogue.Machine{Tenant: tenant, Name: name, Type: catalogue.Standard, Definition: definition, Tags: tags}, parsed)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		begin := func(m *catalogue.Machine, input string) string {
			started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Name: "x", Input: doc(input)})
			if err != nil {
				t.Fatal(err)
			}
			return started.ARN
		}
		m, kept := machine("m"), machine("kept", catalogue.Tag{Key: engine.RetentionTag, Value: "2d"})
		long := machine("long")
		arns := map[string]string{"ended": begin(m, `{"wait":0}`), "kept": begin(kept, `{"wait":0}`), "running": begin(long, `{"wait":259200}`)}
		fork, err := e.Fork(t.Context(), engine.ForkRequest{ARN: arns["kept"], At: 1, Name: "fork", Input: doc(`{"wait":259200}`)})
		if err != nil {
			t.Fatal(err)
		}
		arns["fork"] = fork.ARN
		check := func(after time.Duration, want ...string) {
			t.Helper()
			<-time.After(after)
			synctest.Wait()
			for name, arn := range arns {
				_, err := e.Describe(t.Context(), arn)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Fatal(err)
				}
				there := false
				for _, w := range want {
					there = there || w == name
				}
				if there != (err == nil) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		check(29*time.Minute, "ended", "kept", "running", "fork")
		check(12*time.Minute, "kept", "running", "fork")
		arns["ended"] = begin(m, `{"wait":0}`) // the name is free
		check(47*time.Hour, "kept", "running", "fork")
		check(2*time.Hour, "running", "fork")
		check(26*time.Hour, "fork")
		check(48 * time.Hour)
	})
}
