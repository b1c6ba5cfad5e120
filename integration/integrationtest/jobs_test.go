package integrationtest_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/integrationtest"
	"github.com/steppehq/steppe/value"
)

// service runs jobs in memory, and outlives its Runners.
type service struct {
	mu   sync.Mutex
	jobs map[string]string // by idempotency key: RUNNING, ENDED, STOPPED, BROKEN
}

// runner is a Runner of a service, as it should be.
type runner struct{ *service }

func (runner) Supports(r asl.Resource) error {
	if r.Action != "run" {
		return integration.Unsupported(r)
	}
	return nil
}

func (r runner) Perform(_ context.Context, task integration.Task) (*value.Doc, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.jobs[task.Idempotency]; !there {
		r.jobs[task.Idempotency] = "RUNNING"
		if task.Input.Value().Get("breaks").Bool() {
			r.jobs[task.Idempotency] = "BROKEN"
		}
	}
	return value.DocOf(value.Str(task.Idempotency)), nil
}

func (r runner) Poll(_ context.Context, _ integration.Task, submitted *value.Doc) (integration.Progress, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.jobs[submitted.Value().Str()] {
	case "RUNNING":
		return integration.Progress{}, nil
	case "ENDED":
		return integration.Progress{Done: true, Output: value.DocOf(value.Str("done"))}, nil
	case "BROKEN":
		return integration.Progress{}, integration.Failed("Broken", "it broke")
	}
	return integration.Progress{}, errors.New("there is no such job")
}

func (r runner) Stop(_ context.Context, task integration.Task, _ *value.Doc) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.jobs[task.Idempotency] == "RUNNING" {
		r.jobs[task.Idempotency] = "STOPPED"
	}
	return nil
}

// TestRunJobs: a Runner that keeps all promises passes.
func TestRunJobs(t *testing.T) {
	s := &service{jobs: make(map[string]string)}
	task := func(input string) integration.Task {
		return integration.Task{Resource: integrationtest.Resource(t, "arn:aws:states:::hall:run.sync"), Input: value.NewDoc([]byte(input))}
	}
	integrationtest.RunJobs(t, integrationtest.JobFixture{
		Runner: func() integration.Runner { return runner{s} },
		Job:    task(`{}`), Want: `"done"`, Bad: task(`{"breaks":true}`), BadName: "Broken",
		End: func(key string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.jobs[key] = "ENDED"
		},
		Running: func() (n int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, status := range s.jobs {
				if status == "RUNNING" {
					n++
				}
			}
			return n
		},
	})
}
