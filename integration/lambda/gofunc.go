package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
)

// GoFunction makes a function of Go code. Its input and output are JSON. An
// error becomes a FunctionError whose errorType is the name of the error's
// type, or what its ErrorType method says.
func GoFunction(fn func(ctx context.Context, input json.RawMessage) (any, error)) Function {
	return &goFunction{fn}
}

type idempotencyKey struct{}

// IdempotencyKey gives what tells the attempts of tasks apart to the code of a
// [GoFunction], by the context that it is given: the same each time that the same
// attempt of the same task is performed. It is "" for other contexts.
func IdempotencyKey(ctx context.Context) string {
	key, _ := ctx.Value(idempotencyKey{}).(string)
	return key
}

type goFunction struct {
	fn func(ctx context.Context, input json.RawMessage) (any, error)
}

// Invoke calls the code in the caller's goroutine. A panic is an error of it.
func (g *goFunction) Invoke(ctx context.Context, in Invocation) (r *Response, err error) {
	r = &Response{Status: http.StatusOK, Version: in.version(), RequestID: in.Idempotency}
	defer func() {
		if p := recover(); p != nil {
			r.fail("Runtime.Panic", fmt.Sprint(p))
		}
		r.Header = header(r.RequestID, r.Version, len(r.Payload))
	}()
	if len(in.Payload) == 0 {
		in.Payload = []byte("{}") // as Lambda has it of a call without one
	}
	out, err := g.fn(context.WithValue(ctx, idempotencyKey{}, in.Idempotency), in.Payload)
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
func (r *Response) fail(errorType, message string) {
	r.FunctionError = "Unhandled"
	r.Payload, _ = json.Marshal(struct { // two plain strings
		ErrorMessage string `json:"errorMessage"`
		ErrorType    string `json:"errorType"`
	}{message, errorType})
}

func errorType(err error) string {
	if named, ok := err.(interface{ ErrorType() string }); ok {
		return named.ErrorType()
	}
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}
