package integration_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/value"
)

// glue is a whole integration: it performs glue:getJobRun, and runs glue:startJobRun.sync as
// a job. The jobs stand for those of a service; a real integration would call it.
type glue struct {
	mu   sync.Mutex
	jobs map[string]*job // by the idempotency key of the task
}

type job struct {
	polls   int
	stopped bool
}

var _ integration.Runner = (*glue)(nil)

// Supports knows actions and patterns without touching the service.
func (g *glue) Supports(r asl.Resource) error {
	if r.Service == "glue" && (r.Action == "getJobRun" || r.Action == "startJobRun") {
		return nil
	}
	return integration.Unsupported(r)
}

// Perform submits a job. After a crash it may be called again for the same task: the
// idempotency key has it find the job that was submitted then.
func (g *glue) Perform(_ context.Context, t integration.Task) (*value.Doc, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if name := t.Input.Value().Get("JobName").Str(); name != "nightly" {
		return nil, integration.Failed("Glue.EntityNotFoundException", "there is no job "+name)
	}
	if g.jobs[t.Idempotency] == nil {
		g.jobs[t.Idempotency] = new(job)
	}
	return value.DocOf(value.Obj(value.Member{Name: "JobRunId", Value: value.Str(t.Idempotency)})), nil
}

// Poll asks about the job by what Perform returned. It does not wait: After says when
// it wants to be called again.
func (g *glue) Poll(_ context.Context, t integration.Task, submitted *value.Doc) (integration.Progress, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	j := g.jobs[submitted.Value().Get("JobRunId").Str()]
	if j == nil {
		return integration.Progress{}, errors.New("the run is not listed yet") // asked about again
	}
	if j.polls++; j.polls < 3 {
		return integration.Progress{After: 10 * time.Minute}, nil
	}
	fmt.Println("done after", j.polls, "polls of", t.StateName)
	return integration.Progress{Done: true, Output: value.NewDoc([]byte(`{"JobRunState":"SUCCEEDED"}`))}, nil
}

// Stop ends a job that no execution waits for any more. A job that has ended, and one
// that was never there, are no errors.
func (g *glue) Stop(_ context.Context, _ integration.Task, submitted *value.Doc) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if submitted != nil {
		if j := g.jobs[submitted.Value().Get("JobRunId").Str()]; j != nil {
			j.stopped = true
		}
	}
	return nil
}

// An integration of one's own runs jobs for a server. The time is virtual: the half
// hour that the job takes passes at once.
func Example() {
	server, err := steppe.Open(steppe.Config{VirtualTime: true, Perform: &glue{jobs: make(map[string]*job)}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	for _, name := range []string{"nightly", "weekly"} {
		output, err := server.Execute(context.Background(), `{"StartAt": "Export", "States": {"Export": {"Type": "Task",
		  "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {"JobName.$": "$"}, "End": true}}}`, name)
		fmt.Println(string(output), err)
	}
	// Output:
	// done after 3 polls of Export
	// {"JobRunState":"SUCCEEDED"} <nil>
	//  execution FAILED: Glue.EntityNotFoundException: there is no job weekly
}
