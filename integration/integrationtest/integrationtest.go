// Package integrationtest is the suite that an integration passes to be done.
//
// Stability: may move in any minor release.
package integrationtest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/value"
)

// Fixture is an integration with tasks that show each of its promises.
type Fixture struct {
	Integration integration.Integration
	// Unsupported is a resource of the same service with an action or a
	// pattern that the integration does not have.
	Unsupported string
	// Good is a task that succeeds with the result Want, which is decoded
	// before it is compared.
	Good integration.Task
	Want string
	// Bad is a task that fails with this Error Name.
	Bad     integration.Task
	BadName string
	// Large is a task whose result has more than MaxBytes bytes.
	Large integration.Task
	// Endless is a task that ends only with its context; Began is closed or
	// sent to as soon as the target is at work on it.
	Endless integration.Task
	Began   <-chan struct{}
}

// Run tests an integration.
func Run(t *testing.T, f Fixture) {
	for _, tt := range []struct {
		name string
		run  func(*testing.T, Fixture)
	}{
		{"supports", supports},
		{"result", result},
		{"failure", failure},
		{"large result", large},
		{"cancelled", cancelled},
		{"many at once", manyAtOnce},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, f) })
	}
}

// Resource parses a resource of a test.
func Resource(t *testing.T, arn string) asl.Resource {
	t.Helper()
	r, ok := asl.ParseResource(arn)
	if !ok {
		t.Fatalf("%s is no resource", arn)
	}
	return r
}

// supports: the tasks of the fixture are the integration's, another action or pattern
// is not.
func supports(t *testing.T, f Fixture) {
	for _, task := range []integration.Task{f.Good, f.Bad, f.Large, f.Endless} {
		if err := f.Integration.Supports(task.Resource); err != nil {
			t.Errorf("%v is not supported: %v", task.Resource, err)
		}
	}
	if f.Unsupported != "" && f.Integration.Supports(Resource(t, f.Unsupported)) == nil {
		t.Errorf("%s is supported", f.Unsupported)
	}
}

// check performs the good task.
func check(t *testing.T, f Fixture) {
	t.Helper()
	out, err := f.Integration.Perform(t.Context(), f.Good)
	if err != nil {
		t.Fatal(err)
	}
	got, err := value.Decode(out.Raw())
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	want, err := value.DecodeString(f.Want)
	if err != nil {
		t.Fatal(err)
	}
	if !value.Equal(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// result: a task that is performed again, as after a crash, has the same result.
func result(t *testing.T, f Fixture) {
	check(t, f)
	check(t, f) // the same task may be handed over twice
}

// failure: Retry and Catch see the Error Name, so it must be the documented one.
func failure(t *testing.T, f Fixture) {
	out, err := f.Integration.Perform(t.Context(), f.Bad)
	if got := errorName(err); got != f.BadName {
		t.Errorf("got %q and %v, want the failure %q", got, out, f.BadName)
	}
}

// errorName is the Error Name of an error, "" for none.
func errorName(err error) string {
	if err == nil {
		return ""
	}
	return integration.FailureOf(err).Error
}

// large: the bound of a result is kept, with AWS's error, and only that bound.
func large(t *testing.T, f Fixture) {
	if f.Large.MaxBytes <= 0 {
		t.Fatal("the fixture does not bound the result")
	}
	_, err := f.Integration.Perform(t.Context(), f.Large)
	if got := errorName(err); got != "States.DataLimitExceeded" {
		t.Errorf("got %v", err)
	}
	f.Large.MaxBytes = 0
	if _, err := f.Integration.Perform(t.Context(), f.Large); err != nil {
		t.Errorf("without a bound: %v", err)
	}
}

// cancelled: a task ends with its context, which keeps nothing of the integration
// from working.
func cancelled(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := f.Integration.Perform(ctx, f.Endless)
		ended <- err
	}()
	select {
	case <-f.Began:
	case err := <-ended:
		t.Fatalf("it ended by itself: %v", err)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("a cancelled task succeeded")
	}
	check(t, f)
	if _, err := f.Integration.Perform(ctx, f.Good); err != nil && !errors.Is(err, context.Canceled) && errorName(err) == "" {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// manyAtOnce: tasks that succeed and tasks that fail do not mix up.
func manyAtOnce(t *testing.T, f Fixture) {
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := f.Integration.Perform(t.Context(), f.Good); err != nil {
				t.Error(err)
			}
			if _, err := f.Integration.Perform(t.Context(), f.Bad); errorName(err) != f.BadName {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
