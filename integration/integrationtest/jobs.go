package integrationtest

import (
	"testing"

	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/value"
)

// JobFixture is a Runner with jobs that show each of its promises, and a service that runs
// them and outlives the Runner.
type JobFixture struct {
	// Runner makes a Runner of the service: another one each time, as after a restart.
	Runner func() integration.Runner
	// Job is a task whose job runs until End is called with its idempotency key. Its result
	// is Want then, which is decoded before it is compared.
	Job  integration.Task
	End  func(idempotency string)
	Want string
	// Bad is a task whose job fails by itself with this Error Name.
	Bad     integration.Task
	BadName string
	// Running is how many jobs the service runs.
	Running func() int
}

// RunJobs tests an integration that runs jobs. The idempotency keys of the fixture's tasks are changed from
// test to test.
func RunJobs(t *testing.T, f JobFixture) {
	for i, tt := range []struct {
		name string
		run  func(*testing.T, JobFixture)
	}{
		{"submit once", submitOnce},
		{"poll after a restart", pollAfterRestart},
		{"stop twice", stopTwice},
		{"stop after the end", stopAfterEnd},
		{"failed job", failedJob},
		{"poll does not wait", pollDoesNotWait},
	} {
		f.Job.Idempotency, f.Bad.Idempotency = key(2*i), key(2*i+1)
		t.Run(tt.name, func(t *testing.T) { tt.run(t, f) })
	}
}

// key is an idempotency key.
func key(n int) string {
	const digits = "0123456789abcdef"
	return "0000000000000000000000000000" + "00" + digits[n/16%16:][:1] + digits[n%16:][:1]
}

// submit submits the job of a task.
func submit(t *testing.T, r integration.Runner, task integration.Task) *value.Doc {
	t.Helper()
	submitted, err := r.Perform(t.Context(), task)
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	return submitted
}

// poll asks about a job until it has ended, when it is one that ends.
func poll(t *testing.T, r integration.Runner, task integration.Task, submitted *value.Doc, want bool) integration.Progress {
	t.Helper()
	progress, err := r.Poll(t.Context(), task, submitted)
	for err == nil && want && !progress.Done {
		progress, err = r.Poll(t.Context(), task, submitted)
	}
	if err != nil || progress.Done != want {
		t.Fatalf("the job has ended: %v, %v; want %v", progress.Done, err, want)
	}
	return progress
}

func wantRunning(t *testing.T, f JobFixture, want int) {
	t.Helper()
	if n := f.Running(); n != want {
		t.Errorf("%d jobs run, want %d", n, want)
	}
}

// submitOnce: a submission with the key of an earlier one finds the job of that.
func submitOnce(t *testing.T, f JobFixture) {
	before := f.Running()
	first := submit(t, f.Runner(), f.Job)
	again := submit(t, f.Runner(), f.Job) // the answer was lost with the engine
	wantRunning(t, f, before+1)
	f.End(f.Job.Idempotency)
	poll(t, f.Runner(), f.Job, first, true)
	poll(t, f.Runner(), f.Job, again, true)
	wantRunning(t, f, before)
}

// pollAfterRestart: another Runner, which has submitted nothing, knows the job by what
// the first one returned.
func pollAfterRestart(t *testing.T, f JobFixture) {
	submitted := submit(t, f.Runner(), f.Job)
	poll(t, f.Runner(), f.Job, submitted, false)
	f.End(f.Job.Idempotency)
	for range 2 { // the answer may be lost, too
		got := poll(t, f.Runner(), f.Job, submitted, true).Output.Value()
		if want, err := value.DecodeString(f.Want); err != nil || !value.Equal(got, want) {
			t.Errorf("got %v, want %v, %v", got, want, err)
		}
	}
}

// stopTwice: Stop ends the job, and then there is nothing to end, which is no error.
func stopTwice(t *testing.T, f JobFixture) {
	before := f.Running()
	submitted := submit(t, f.Runner(), f.Job)
	wantRunning(t, f, before+1)
	for range 2 {
		if err := f.Runner().Stop(t.Context(), f.Job, submitted); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	wantRunning(t, f, before)
}

// stopAfterEnd: a job that ended by itself, and one that never was, are stopped already.
func stopAfterEnd(t *testing.T, f JobFixture) {
	submitted := submit(t, f.Runner(), f.Job)
	f.End(f.Job.Idempotency)
	poll(t, f.Runner(), f.Job, submitted, true)
	if err := f.Runner().Stop(t.Context(), f.Job, submitted); err != nil {
		t.Errorf("stop of a job that has ended: %v", err)
	}
	if err := f.Runner().Stop(t.Context(), f.Bad, nil); err != nil {
		t.Errorf("stop of a job that was never submitted: %v", err)
	}
}

// failedJob: the failure of a job is one of the task, not of the poll.
func failedJob(t *testing.T, f JobFixture) {
	r := f.Runner()
	submitted := submit(t, r, f.Bad)
	progress, err := r.Poll(t.Context(), f.Bad, submitted)
	for err == nil && !progress.Done {
		progress, err = r.Poll(t.Context(), f.Bad, submitted)
	}
	if err == nil || !integration.IsFailure(err) || errorName(err) != f.BadName {
		t.Errorf("got %v, want the failure %q", err, f.BadName)
	}
}

// pollDoesNotWait: the job ends only after the poll has returned, so that one that waited would never return.
func pollDoesNotWait(t *testing.T, f JobFixture) {
	submitted := submit(t, f.Runner(), f.Job)
	for range 3 {
		if progress := poll(t, f.Runner(), f.Job, submitted, false); progress.After < 0 {
			t.Errorf("it is to be asked about again after %v", progress.After)
		}
	}
	f.End(f.Job.Idempotency)
}
