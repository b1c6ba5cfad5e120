package engine_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/engine/enginetest"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/value"
)

// hall is a service outside of all engines that runs jobs, until the test ends them.
type hall struct {
	mu      sync.Mutex
	ended   map[string]error // by idempotency key: how the job has ended
	submits map[string]int
	polls   map[string]int
	stops   map[string]int
	mute    int           // how many polls and stops still fail
	calls   int           // of tasks that are no jobs
	wait    chan struct{} // where it is set, a submission waits for it
}

func newHall() *hall {
	return &hall{ended: make(map[string]error), submits: make(map[string]int), polls: make(map[string]int), stops: make(map[string]int)}
}

func (*hall) Supports(asl.Resource) error { return nil }

func (h *hall) Perform(ctx context.Context, task integration.Task) (*value.Doc, error) {
	if task.Resource.Pattern != asl.RunJob {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.calls++
		return doc(`"called"`), nil
	}
	h.mu.Lock()
	h.submits[task.Idempotency]++
	wait := h.wait
	h.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done(): // the job was submitted all the same
		}
	}
	return doc(`{"id":"` + task.Idempotency + `"}`), nil
}

func (h *hall) Poll(_ context.Context, task integration.Task, submitted *value.Doc) (integration.Progress, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := submitted.Value().Get("id").Str()
	if key != task.Idempotency {
		return integration.Progress{}, fmt.Errorf("the job %s is asked about as %v", task.Idempotency, submitted)
	}
	h.polls[key]++
	if h.mute > 0 {
		h.mute--
		return integration.Progress{}, errors.New("no answer")
	}
	how, done := h.ended[key]
	return integration.Progress{Done: done, Output: doc(`"done"`), After: 10 * time.Second}, how
}

func (h *hall) Stop(_ context.Context, task integration.Task, submitted *value.Doc) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if submitted == nil || submitted.Value().Get("id").Str() != task.Idempotency {
		return fmt.Errorf("the job %s is stopped as %v", task.Idempotency, submitted)
	}
	h.stops[task.Idempotency]++
	if h.mute > 0 {
		h.mute--
		return errors.New("no answer")
	}
	return nil
}

// silence has so many of the polls and stops that follow fail.
func (h *hall) silence(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mute = n
}

// forgetStops has the stops so far count no more, and returns them.
func (h *hall) forgetStops() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.stops
	h.stops = make(map[string]int)
	return before
}

// end ends all jobs.
func (h *hall) end(how error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key := range h.submits {
		h.ended[key] = how
	}
}

// counts are the submissions, polls and stops so far.
func (h *hall) counts() (submits, polls, stops int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, counts := range []struct {
		of  map[string]int
		sum *int
	}{{h.submits, &submits}, {h.polls, &polls}, {h.stops, &stops}} {
		for _, n := range counts.of {
			*counts.sum += n
		}
	}
	return submits, polls, stops
}

// inHall opens an engine on a store whose jobs a hall runs. It is closed by stop, or at
// the end of the test.
func inHall(t *testing.T, h *hall, cfg engine.Config) (e *engine.Engine, stop func()) {
	t.Helper()
	cfg.Integrations = new(integration.Registry)
	cfg.Integrations.Register("hall", h)
	return enginetest.OpenUntil(t, cfg)
}

const oneJob = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::hall:run.sync","End":true}}}`

func begin(t *testing.T, e *engine.Engine, m *catalogue.Machine) string {
	t.Helper()
	started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	return started.ARN
}

// TestJob: a job is submitted once, also over a restart; it is asked about until it ends, errors that are no failure
// of it notwithstanding; and the history says what AWS's does.
func TestJob(t *testing.T) {
	for _, how := range []error{nil, integration.Failed("Hall.Broken", "it broke")} {
		synctest.Test(t, func(t *testing.T) {
			h, db := newHall(), memory.New(memory.Options{})
			first, stop := inHall(t, h, engine.Config{Store: db})
			arn := begin(t, first, create(t, first, catalogue.Standard, oneJob))
			synctest.Wait()
			time.Sleep(65 * time.Second) // of the test's own clock
			if submits, polls, _ := h.counts(); submits != 1 || polls != 7 {
				t.Errorf("%d submissions and %d polls in 65 seconds", submits, polls)
			}
			if all, loaded := first.Residents(); all != 1 || loaded != 0 {
				t.Errorf("%d executions in memory, %d of them loaded", all, loaded)
			}
			stop()
			h.silence(2)
			second, _ := inHall(t, h, engine.Config{Store: db})
			time.Sleep(time.Second)
			h.end(how)
			want := store.Succeeded
			if how != nil {
				want = store.Failed
			}
			end(t, second, arn, want)
			if submits, _, stops := h.counts(); submits != 1 || stops != 0 {
				t.Errorf("%d submissions and %d stops", submits, stops)
			}
			if got, want := types(t, second, arn), "TaskScheduled TaskStarted TaskSubmitted Task"; !strings.Contains(got, want) {
				t.Error(got)
			}
		})
	}
}

// types are the types of the events of an execution.
func types(t *testing.T, e *engine.Engine, arn string) string {
	t.Helper()
	id, err := e.Find(t.Context(), arn)
	if err != nil {
		t.Fatal(err)
	}
	events, _, err := e.History(t.Context(), id, 0, 100, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range events {
		names = append(names, events[i].Type.String())
	}
	return strings.Join(names, " ")
}

// TestStoppedJob: a job that nobody waits for any more is stopped, however that came, and although the engine dies before it
// could be: by the next one.
func TestStoppedJob(t *testing.T) {
	const beside = `{"StartAt":"P","States":{"P":{"Type":"Parallel","Catch":[{"ErrorEquals":["States.ALL"],"Next":"S"}],"End":true,"Branches":[
	  {"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::hall:run.sync","End":true}}},
	  {"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":20,"Next":"F"},"F":{"Type":"Fail"}}}]},"S":{"Type":"Succeed"}}}`
	for name, definition := range map[string]string{
		"stop":    oneJob,
		"timeout": strings.Replace(oneJob, `"End"`, `"TimeoutSeconds":20,"End"`, 1),
		"beside":  beside,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, db := newHall(), memory.New(memory.Options{})
				first, stop := inHall(t, h, engine.Config{Store: db})
				arn := begin(t, first, create(t, first, catalogue.Standard, definition))
				time.Sleep(15 * time.Second)
				h.silence(1 << 30)
				if name == "stop" {
					if _, err := first.Stop(t.Context(), arn, history.ErrorOutput{}); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := first.Wait(t.Context(), arn); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
				if _, _, stops := h.counts(); stops < 2 {
					t.Errorf("%d stops that failed", stops)
				}
				stop()
				h.silence(0)
				before := h.forgetStops()
				inHall(t, h, engine.Config{Store: db})
				time.Sleep(time.Hour)
				if submits, _, stops := h.counts(); submits != 1 || stops != 1 {
					t.Errorf("%d submissions, %d stops by the next engine; before %v", submits, stops, before)
				}
			})
		})
	}
}

// TestJobSubmittedLate: a job whose execution is stopped while it is submitted is stopped as what it was submitted as.
func TestJobSubmittedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.wait = make(chan struct{})
		e, _ := inHall(t, h, engine.Config{Store: memory.New(memory.Options{})})
		arn := begin(t, e, create(t, e, catalogue.Standard, oneJob))
		synctest.Wait()
		if _, err := e.Stop(t.Context(), arn, history.ErrorOutput{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if submits, polls, stops := h.counts(); submits != 1 || polls != 0 || stops != 1 {
			t.Errorf("%d submissions, %d polls, %d stops", submits, polls, stops)
		}
	})
}

// TestWaitingJobsHoldNothing: many jobs wait without a goroutine each, and calls of the same service, of which one
// may be under way, are performed meanwhile.
func TestWaitingJobsHoldNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		e, _ := inHall(t, h, engine.Config{Store: memory.New(memory.Options{}), Concurrency: 1})
		m := create(t, e, catalogue.Standard, oneJob)
		const jobs = 500
		arns := make([]string, jobs)
		for i := range arns {
			arns[i] = begin(t, e, m)
		}
		time.Sleep(5 * time.Second)
		if n := runtime.NumGoroutine(); n > 50 {
			t.Errorf("%d goroutines for %d jobs that wait", n, jobs)
		}
		if all, loaded := e.Residents(); all != jobs || loaded != 0 {
			t.Errorf("%d executions in memory, %d of them loaded", all, loaded)
		}
		call, err := e.Catalogue().CreateMachine(t.Context(), catalogue.Machine{Tenant: tenant, Name: "call", Type: catalogue.Standard, Definition: strings.Replace(oneJob, ".sync", "", 1)},
			parse(t, strings.Replace(oneJob, ".sync", "", 1)))
		if err != nil {
			t.Fatal(err)
		}
		end(t, e, begin(t, e, call), store.Succeeded)
		h.end(nil)
		for _, arn := range arns {
			end(t, e, arn, store.Succeeded)
		}
	})
}
