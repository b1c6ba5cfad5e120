package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"go/token"
	"net/http"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

// GoFunction makes a function of Go code. Its input and output are JSON. An
// error becomes a FunctionError whose errorType is the name of the error's
// type, or what its ErrorType method says.
func GoFunction(fn func(ctx context.Context, input json.RawMessage) (any, error)) Function {
	return &goFunction{fn}
}

type invocationKey struct{}

// InvocationOf gives the code of a [GoFunction], by the context that it is given,
// the call that it performs; nil for other contexts.
func InvocationOf(ctx context.Context) *Invocation {
	in, _ := ctx.Value(invocationKey{}).(*Invocation)
	return in
}

// IdempotencyKey returns what distinguishes the attempts of tasks, to the code of a
// [GoFunction], by the context that it is given: the same each time that the same
// attempt of the same task is performed. It is "" for other contexts.
func IdempotencyKey(ctx context.Context) string {
	if in := InvocationOf(ctx); in != nil {
		return in.Idempotency
	}
	return ""
}

// ClientContext gives the code of a [GoFunction], by the context that it is given,
// the client context of the call as JSON (parameter ClientContext of lambda:invoke);
// nil for a call without one, and for other contexts.
func ClientContext(ctx context.Context) json.RawMessage {
	in := InvocationOf(ctx)
	if in == nil || in.ClientContext == "" {
		return nil
	}
	text, err := base64.StdEncoding.DecodeString(in.ClientContext)
	if err != nil || !json.Valid(text) {
		return nil
	}
	return text
}

type goFunction struct {
	fn func(ctx context.Context, input json.RawMessage) (any, error)
}

// Invoke calls the code in the caller's goroutine. A panic is an error of it.
func (g *goFunction) Invoke(ctx context.Context, in Invocation) (r *Response, err error) {
	r = &Response{Status: http.StatusOK, Version: in.version(), RequestID: requestID(in.Idempotency)}
	defer func() {
		if p := recover(); p != nil {
			r.fail("Runtime.Panic", fmt.Sprint(p), stackTrace()...)
		}
	}()
	if len(in.Payload) == 0 {
		in.Payload = []byte("{}") // as Lambda has it of a call without one
	}
	out, err := g.fn(context.WithValue(ctx, invocationKey{}, &in), in.Payload)
	if err == nil {
		r.Payload, err = json.Marshal(out)
	}
	if err != nil {
		r.fail(errorType(err), err.Error())
	}
	return r, nil
}

// Close does nothing.
func (*goFunction) Close() error { return nil }

// fail makes r the answer of a function that failed.
func (r *Response) fail(errorType, message string, stack ...string) {
	r.FunctionError = "Unhandled"
	r.Payload, _ = json.Marshal(struct { // plain strings
		ErrorMessage string   `json:"errorMessage"`
		ErrorType    string   `json:"errorType"`
		StackTrace   []string `json:"stackTrace,omitempty"`
	}{message, errorType, stack})
}

// maxFrames bounds what is told of a stack.
const maxFrames = 32

// stackTrace reports where a panic that was recovered came from: a line for each
// frame, the innermost first, up to the code that called the function.
func stackTrace() []string {
	pcs := make([]uintptr, maxFrames+8)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)]) // this one, and who recovered, are of no use
	var stack []string
	for more := true; more && len(stack) < maxFrames; {
		var f runtime.Frame
		f, more = frames.Next()
		if strings.HasSuffix(f.Function, "lambda.goFunction.Invoke") {
			break
		}
		if !strings.HasPrefix(f.Function, "runtime.") {
			stack = append(stack, fmt.Sprintf("%s (%s:%d)", f.Function, filepath.Base(f.File), f.Line))
		}
	}
	return stack
}

// errorType is the Error Name of an error: what the first in its chain says of
// itself by the method ErrorType() string, or whose type's name is exported. Where
// there is none, it is the first type's that is not of the standard library's own
// (errors.New, fmt.Errorf), or "Error".
func errorType(err error) string {
	inner := ""
	if name := errorTypeIn(err, &inner); name != "" {
		return name
	}
	if inner != "" {
		return inner
	}
	return "Error"
}

// errorTypeIn looks through the chain of an error as errors.As does. inner is the
// first name of a type that is not exported.
func errorTypeIn(err error, inner *string) string {
	if named, ok := err.(interface{ ErrorType() string }); ok {
		return named.ErrorType()
	}
	t := reflect.TypeOf(err)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil && t.Name() != "" {
		if token.IsExported(t.Name()) {
			return t.Name()
		}
		if *inner == "" && !isStandard(t.PkgPath()) {
			*inner = t.Name()
		}
	}
	switch wrap := err.(type) { //nolint:errorlint // the chain is walked
	case interface{ Unwrap() error }:
		if next := wrap.Unwrap(); next != nil {
			return errorTypeIn(next, inner)
		}
	case interface{ Unwrap() []error }:
		for _, next := range wrap.Unwrap() {
			if name := errorTypeIn(next, inner); name != "" {
				return name
			}
		}
	}
	return ""
}

// isStandard reports whether a package is of the standard library: those of modules
// have a dot in the first part of their path, or are the program's own.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	if path == "main" || strings.Contains(first, ".") {
		return false
	}
	own := mainModule()
	return own == "" || path != own && !strings.HasPrefix(path, own+"/")
}

var mainModule = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Path
	}
	return ""
})
