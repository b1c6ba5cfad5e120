package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// v1Prefix is where the resources beyond AWS's API are. They speak JSON in the
// words of AWS's API, and fail with its exceptions (docs/api.md).
const v1Prefix = "/api/v1/"

// v1 adds the resources beyond AWS's API to a mux. They are served as
// operations are: the caller's account and region decide what is seen.
func (a *api) v1(mux *http.ServeMux, s *server.Server) {
	for pattern, handle := range map[string]server.Handler{
		"GET /api/v1/executions":            a.searchExecutions,
		"GET /api/v1/executions/{arn...}":   a.showExecution,
		"POST /api/v1/forks":                a.forkExecution,
		"POST /api/v1/resumptions":          a.resumeExecution,
		"GET /api/v1/clock":                 a.showClock,
		"POST /api/v1/clock":                a.advanceClock,
		"GET /api/v1/alias-shifts":          a.listShifts,
		"POST /api/v1/alias-shifts":         a.beginShift,
		"GET /api/v1/alias-shifts/{arn}":    a.showShift,
		"DELETE /api/v1/alias-shifts/{arn}": a.cancelShift,
	} {
		mux.Handle(pattern, s.Resource(ofTenant(handle)))
	}
	mux.Handle(v1Prefix, s.Resource(func(_ context.Context, r *server.Request) ([]byte, error) {
		return nil, &server.Exception{Type: "ResourceNotFound", Status: http.StatusNotFound, Message: "There is no resource " + r.HTTP.Method + " " + r.HTTP.URL.Path + "."}
	}))
}

// body reads the JSON of a request into a structure. A member that the
// structure has not is refused, so that a misspelt one is not passed over.
func body(r *server.Request, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more after the JSON object")
		}
	}
	if err != nil {
		return server.Fail("SerializationException", "The body of the request: "+err.Error())
	}
	return nil
}

// query reads the parameters of a request, each of which may stand there once: a
// signature does not cover the order of several.
func query(r *server.Request) (url.Values, error) {
	params, err := url.ParseQuery(r.HTTP.URL.RawQuery)
	if err != nil {
		return nil, invalid("The query string cannot be read: " + err.Error())
	}
	for name, values := range params {
		if len(values) > 1 {
			return nil, invalid("The parameter '" + name + "' stands in the query string more than once.")
		}
	}
	return params, nil
}

// limit is how many items a page may have.
func limit(params url.Values) (int, error) {
	text := params.Get("limit")
	if text == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1000 {
		return 0, invalid("limit is a number from 1 to 1000, not '" + text + "'")
	}
	return n, nil
}

// searchExecutions answers GET /api/v1/executions?q=QUERY&limit=N&nextToken=T.
func (a *api) searchExecutions(ctx context.Context, r *server.Request) ([]byte, error) {
	params, err := query(r)
	if err != nil {
		return nil, err
	}
	q, err := ParseSearch(params.Get("q"), a.Engine.Now())
	if err != nil {
		return nil, invalid(err.Error())
	}
	q.Tenant = tenant(r)
	if q.Limit, err = limit(params); err != nil {
		return nil, err
	}
	asked := q.Tenant.Account + "/" + q.Tenant.Region + "?" + params.Get("q")
	r.Operation = "SearchExecutions"
	if q.After, err = a.positionOf(r, params.Get("nextToken"), asked); err != nil {
		return nil, err
	}
	found, err := a.Engine.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	var o server.Object
	o.List("executions", len(found.Executions), func(dst []byte, i int) []byte { return append(dst, a.foundItem(found.Executions[i])...) })
	o.Int("looked", int64(found.Looked))
	if found.Next != "" {
		o.Str("nextToken", a.nextToken(r, asked, found.Next))
	}
	return o.JSON(), nil
}

// foundItem is an execution that a search has found, with its error and why it is held.
func (a *api) foundItem(d *stored.Description) []byte {
	o := executionItem(d)
	return a.held(o.Ptr("error", d.Failure.Error), d).JSON()
}

// showExecution answers GET /api/v1/executions/ARN: what a list shows of an
// execution, where it was forked from, and what was forked from it.
func (a *api) showExecution(ctx context.Context, r *server.Request) ([]byte, error) {
	d, err := a.execution(ctx, r.HTTP.PathValue("arn"), true)
	if err != nil {
		return nil, err
	}
	forks, err := a.Engine.Forks(ctx, d)
	if err != nil {
		return nil, err
	}
	o := a.held(executionItem(d), d)
	o.Ptr("error", d.Failure.Error).Ptr("cause", d.Failure.Cause).Doc("input", d.Input).Doc("output", d.Output)
	if d.Fork != nil {
		var from server.Object
		o.Raw("forkOf", from.Str("executionArn", d.Fork.ExecutionArn).Int("event", d.Fork.Event).JSON())
	}
	o.List("forks", len(forks), func(dst []byte, i int) []byte { return append(dst, a.foundItem(forks[i])...) })
	return o.JSON(), nil
}

// forkExecution answers POST /api/v1/forks.
func (a *api) forkExecution(ctx context.Context, r *server.Request) ([]byte, error) {
	var in struct {
		ExecutionArn string `json:"executionArn"`
		Event        int64  `json:"event"`
		Name         string `json:"name"`
		Definition   string `json:"definition"`
		Input        string `json:"input"`
	}
	if err := body(r, &in); err != nil {
		return nil, err
	}
	r.About, r.Named = []string{in.ExecutionArn}, in.Name
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	if _, err := parseARN(in.ExecutionArn, "execution"); err != nil {
		return nil, err
	}
	req := engine.ForkRequest{ARN: in.ExecutionArn, At: in.Event, Name: in.Name, Definition: in.Definition}
	if in.Input != "" {
		var err error
		if req.Input, err = value.ParseText(in.Input); err != nil {
			return nil, invalidInput(in.Input)
		}
	}
	started, err := a.Engine.Fork(ctx, req)
	if refused, ok := errors.AsType[*engine.InvalidForkError](err); ok {
		return nil, invalid(refused.Reason)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, executionDoesNotExist(in.ExecutionArn)
	case errors.Is(err, catalogue.ErrDeleting):
		return nil, server.Fail("StateMachineDeleting", "The state machine of the execution is being deleted.")
	}
	return begun(r, started, err)
}
