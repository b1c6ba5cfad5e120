package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
)

// published makes a machine of two versions, the second of which fails when its
// input says so, and an alias of the first.
func published(t *testing.T, e *engine.Engine) *catalogue.Machine {
	t.Helper()
	const second = `{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Variable":"$.bad","BooleanEquals":true,"Next":"F"}],"Default":"S"},"F":{"Type":"Fail","Error":"Bad"},"S":{"Type":"Succeed"}}}`
	m := create(t, e, catalogue.Standard, `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`)
	if _, err := e.Catalogue().Publish(t.Context(), m, ""); err != nil {
		t.Fatal(err)
	}
	parsed, diagnostics := asl.Parse([]byte(second))
	if parsed == nil {
		t.Fatal(diagnostics)
	}
	edited := *m
	edited.Definition = second
	m, _, err := e.Catalogue().PutPublished(t.Context(), edited, parsed, true, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Catalogue().PutAlias(t.Context(), m, catalogue.Alias{Name: "prod", Routes: []catalogue.Route{{Version: 1, Weight: 100}}}); err != nil {
		t.Fatal(err)
	}
	return m
}

func weight(t *testing.T, e *engine.Engine, m *catalogue.Machine, version uint32) int {
	t.Helper()
	a, err := e.Catalogue().Alias(t.Context(), m, "prod")
	if err != nil {
		t.Fatal(err)
	}
	return a.Weight(version)
}

// startAliased starts executions by the alias until n of them are on version 2.
func startAliased(t *testing.T, e *engine.Engine, m *catalogue.Machine, n int, input string) {
	t.Helper()
	for n > 0 {
		req, err := e.StartOf(t.Context(), m.AliasARN("prod"))
		if err != nil {
			t.Fatal(err)
		}
		req.Input = doc(input)
		if _, err := e.Start(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		if req.VersionARN == m.VersionARN(2) {
			n--
		}
	}
}

// TestShiftSteps: the weights of the new version, and when it has them.
func TestShiftSteps(t *testing.T) {
	tests := []struct {
		name string
		plan catalogue.ShiftPlan
		want string
	}{
		{"at once", catalogue.ShiftPlan{First: 100}, "0s:100"},
		{"canary", catalogue.ShiftPlan{First: 10, Step: 90, Every: 5 * time.Minute}, "0s:10 5m0s:100"},
		{"linear", catalogue.ShiftPlan{First: 30, Step: 30, Every: time.Hour}, "0s:30 1h0m0s:60 2h0m0s:90 3h0m0s:100"},
		{"watched", catalogue.ShiftPlan{First: 50, Step: 50, Every: 7 * time.Second, Rule: &catalogue.ErrorRate{Percent: 1}}, "0s:50 7s:100"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := open(t, engine.Config{})
				m := published(t, e)
				began := time.Now()
				s, err := e.BeginShift(t.Context(), m, "prod", 2, tt.plan)
				if err != nil {
					t.Fatal(err)
				}
				got := fmt.Sprintf("0s:%d", weight(t, e, m, 2))
				for last := s.Weight; s.Status == catalogue.ShiftRunning; {
					time.Sleep(500 * time.Millisecond) // of the bubble's clock
					synctest.Wait()
					if s, err = e.Shift(t.Context(), m, "prod"); err != nil {
						t.Fatal(err)
					}
					if w := weight(t, e, m, 2); w != last {
						got += fmt.Sprintf(" %v:%d", time.Since(began).Round(time.Second), w)
						last = w
					}
				}
				if got != tt.want || s.Status != catalogue.ShiftSucceeded || weight(t, e, m, 1) != 0 {
					t.Errorf("%s, %s", got, s.Status)
				}
			})
		})
	}
}

// TestShiftRollsBack: when more than the rule allows fail, of the executions
// that the alias started with the new version since.
func TestShiftRollsBack(t *testing.T) {
	canary := catalogue.ShiftPlan{First: 50, Step: 50, Every: 10 * time.Minute, Rule: &catalogue.ErrorRate{Percent: 2}}
	synctest.Test(t, func(t *testing.T) {
		e := open(t, engine.Config{})
		m := published(t, e)
		direct := func() {
			req, err := e.StartOf(t.Context(), m.VersionARN(2))
			if err != nil {
				t.Fatal(err)
			}
			req.Input = doc(`{"bad":true}`)
			if _, err := e.Start(t.Context(), req); err != nil {
				t.Fatal(err)
			}
		}
		direct() // not by the alias, and before
		if _, err := e.BeginShift(t.Context(), m, "prod", 2, canary); err != nil {
			t.Fatal(err)
		}
		direct()
		startAliased(t, e, m, 98, `{"bad":false}`)
		startAliased(t, e, m, 2, `{"bad":true}`)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		s, err := e.Shift(t.Context(), m, "prod")
		if err != nil || s.Status != catalogue.ShiftRunning || s.Tally != (catalogue.Tally{Executions: 100, Failed: 2}) {
			t.Fatalf("with 2%% of errors the shift is %+v, %v", s, err)
		}
		startAliased(t, e, m, 1, `{"bad":true}`)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		s, err = e.Shift(t.Context(), m, "prod")
		if err != nil || s.Status != catalogue.ShiftRolledBack || s.Reason != "3 of 101 executions failed or timed out: 2.97%, more than 2%" || weight(t, e, m, 1) != 100 {
			t.Errorf("with 3%% of errors the shift is %+v, %v; version 1 has %d", s, err, weight(t, e, m, 1))
		}
	})
}

// TestShiftEnds: what else ends a shift, and what cannot begin.
func TestShiftEnds(t *testing.T) {
	linear := catalogue.ShiftPlan{First: 10, Step: 10, Every: time.Minute}
	synctest.Test(t, func(t *testing.T) {
		e := open(t, engine.Config{})
		m := published(t, e)
		begin := func(to uint32) error {
			_, err := e.BeginShift(t.Context(), m, "prod", to, linear)
			return err
		}
		refused := func(err error) bool {
			_, ok := errors.AsType[*catalogue.RefusedShiftError](err)
			return ok
		}
		if err := begin(7); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("to a version that is not there: %v", err)
		}
		if err := begin(1); !refused(err) {
			t.Errorf("to where it is: %v", err)
		}
		if err := begin(2); err != nil {
			t.Fatal(err)
		}
		if err := begin(2); !refused(err) {
			t.Errorf("twice: %v", err)
		}
		time.Sleep(150 * time.Second)
		synctest.Wait()
		if w := weight(t, e, m, 2); w != 30 {
			t.Errorf("after 2.5 minutes the weight is %d", w)
		}
		s, err := e.CancelShift(t.Context(), m, "prod")
		if err != nil || s.Status != catalogue.ShiftCancelled || weight(t, e, m, 1) != 100 {
			t.Errorf("cancelled: %+v, %v", s, err)
		}
		if err := begin(2); err != nil {
			t.Fatal(err)
		}
		a, err := e.Catalogue().Alias(t.Context(), m, "prod")
		if err != nil {
			t.Fatal(err)
		}
		edited := *a
		edited.Routes = []catalogue.Route{{Version: 1, Weight: 60}, {Version: 2, Weight: 40}}
		if _, err := e.Catalogue().PutAlias(t.Context(), m, edited); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		s, err = e.Shift(t.Context(), m, "prod")
		if err != nil || s.Status != catalogue.ShiftOverruled || weight(t, e, m, 2) != 40 {
			t.Errorf("after a change of the alias: %+v, %v", s, err)
		}
		if err := begin(2); !refused(err) {
			t.Errorf("from two versions: %v", err)
		}
		if err := e.Catalogue().DeleteAlias(t.Context(), m, "prod"); err != nil {
			t.Fatal(err)
		}
		if s, err := e.Shift(t.Context(), m, "prod"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after the alias was deleted: %+v, %v", s, err)
		}
	})
}

// TestShiftSurvives: a shift goes on where another engine left it, and counts
// what ran before. Nothing is left of it when its machine is deleted.
func TestShiftSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		first, err := engine.Open(t.Context(), engine.Config{Store: s, Integrations: new(integration.Registry)})
		if err != nil {
			t.Fatal(err)
		}
		m := published(t, first)
		plan := catalogue.ShiftPlan{First: 20, Step: 40, Every: time.Hour, Rule: &catalogue.ErrorRate{Percent: 10}}
		if _, err := first.BeginShift(t.Context(), m, "prod", 2, plan); err != nil {
			t.Fatal(err)
		}
		startAliased(t, first, m, 5, `{"bad":false}`)
		if err := first.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Minute) // nobody is there when the step is due
		e := open(t, engine.Config{Store: s})
		synctest.Wait()
		if w := weight(t, e, m, 2); w != 60 {
			t.Errorf("after the restart the weight is %d", w)
		}
		startAliased(t, e, m, 5, `{"bad":false}`)
		startAliased(t, e, m, 1, `{"bad":true}`)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		now, err := e.Shift(t.Context(), m, "prod")
		if err != nil || now.Status != catalogue.ShiftRunning || now.Tally != (catalogue.Tally{Executions: 11, Failed: 1}) {
			t.Errorf("%+v, %v", now, err)
		}
		startAliased(t, e, m, 1, `{"bad":true}`)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if now, err = e.Shift(t.Context(), m, "prod"); err != nil || now.Status != catalogue.ShiftRolledBack {
			t.Errorf("%+v, %v", now, err)
		}
		if err := e.DeleteMachine(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if left, err := s.Scan(t.Context(), "shift/", "", 0); err != nil || len(left) > 0 {
			t.Errorf("left in the catalogue: %v, %v", left, err)
		}
	})
}

// TestShiftInVirtualTime: the clock jumps from step to step.
func TestShiftInVirtualTime(t *testing.T) {
	clock := engine.NewVirtualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	e, err := engine.Open(t.Context(), engine.Config{Store: memory.New(memory.Options{}), Integrations: new(integration.Registry), Virtual: clock})
	if err != nil {
		t.Fatal(err)
	}
	m := published(t, e)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.Run(ctx)
	}()
	if _, err := e.BeginShift(t.Context(), m, "prod", 2, catalogue.ShiftPlan{First: 1, Step: 1, Every: 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	for {
		s, err := e.Shift(t.Context(), m, "prod")
		if err != nil {
			t.Fatal(err)
		}
		if s.Status == catalogue.ShiftRunning {
			continue
		}
		if took := s.Ended.Sub(s.Started); s.Status != catalogue.ShiftSucceeded || took != 99*24*time.Hour {
			t.Errorf("%s after %v", s.Status, took)
		}
		break
	}
	cancel()
	<-done
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
