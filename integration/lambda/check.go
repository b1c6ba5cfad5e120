package lambda

import (
	"context"
	"encoding/json"
)

// check starts a worker of a function whose code an interpreter loads, as its first
// invocation would; keep leaves it for that one. It returns what the code fails with
// when it is loaded, in Lambda's words.
func (f *processes) check(ctx context.Context, keep bool) error {
	if len(f.command) < 2 {
		return nil // whether an executable is a runtime is seen when it is needed
	}
	w, err := f.worker(ctx)
	if err == nil {
		f.release(w, keep)
	}
	return err
}

// Error returns the error's type and message.
func (e *initError) Error() string {
	var told struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal(e.payload, &told) != nil || told.ErrorType == "" {
		return "lambda: the function could not be started: " + string(e.payload)
	}
	return told.ErrorType + ": " + told.ErrorMessage
}
