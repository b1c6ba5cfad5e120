package lambda_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/lambda"
)

// TestInvocationType: the answer to each type is that of Invoke, whatever the
// function is, and a dry run runs nothing.
func TestInvocationType(t *testing.T) {
	calls := make(chan string, 10)
	set, _ := remote(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/invoke" {
			calls <- "url"
			_, _ = io.WriteString(w, `1`)
			return
		}
		w.WriteHeader(map[string]int{"DryRun": 204, "Event": 202, "RequestResponse": 200}[r.Header.Get("X-Amz-Invocation-Type")])
	})
	set.Add("go", lambda.GoFunction(func(context.Context, json.RawMessage) (any, error) { calls <- "go"; return 1, nil }), own)
	for _, tt := range []struct {
		kind    string
		status  string
		runs    bool
		version string
	}{
		{`"RequestResponse"`, "200", true, `"$LATEST"`},
		{`null`, "200", true, `"$LATEST"`},
		{`"Event"`, "202", true, ""},
		{`"DryRun"`, "204", false, `"$LATEST"`},
	} {
		for _, name := range []string{"go", "url", "any"} {
			out, err := set.Optimized().Perform(t.Context(), invokeTask(t, `{"FunctionName":"`+name+`","InvocationType":`+tt.kind+`}`))
			if err != nil {
				t.Fatalf("%s %s: %v", name, tt.kind, err)
			}
			if got := out.Value().Get("StatusCode").String(); got != tt.status {
				t.Errorf("%s %s: status %s, want %s", name, tt.kind, got, tt.status)
			}
			if name == "any" {
				continue
			}
			if got := out.Value().Get("ExecutedVersion"); got.String() != tt.version && (tt.version != "" || !got.IsUndefined()) {
				t.Errorf("%s %s: version %v, want %s", name, tt.kind, got, tt.version)
			}
			if tt.runs {
				if ran := <-calls; ran != name {
					t.Errorf("%s ran instead of %s", ran, name)
				}
			}
		}
	}
	if len(calls) != 0 {
		t.Errorf("%s ran in a dry run", <-calls)
	}
}

// TestRefusedValues: what Invoke refuses fails the task in the service's words.
func TestRefusedValues(t *testing.T) {
	set := lambda.NewFunctions()
	defer set.Close()
	set.Add("f", lambda.GoFunction(func(context.Context, json.RawMessage) (any, error) { t.Error("it ran"); return 1, nil }), own)
	const bad = "Lambda.AWSLambdaException"
	for _, tt := range []struct{ params, name, cause string }{
		{`"InvocationType":"Nope"`, bad, "1 validation error detected: Value 'Nope' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"},
		{`"InvocationType":"dryrun"`, bad, "1 validation error detected: Value 'dryrun' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"},
		{`"LogType":"tail"`, bad, "1 validation error detected: Value 'tail' at 'logType' failed to satisfy constraint: Member must satisfy enum value set: [None, Tail]"},
		{`"ClientContext":"$$$"`, "Lambda.InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."},
		{`"ClientContext":"` + base64.StdEncoding.EncodeToString([]byte(`[1]`)) + `","InvocationType":"Event"`, "Lambda.InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."},
		{`"FunctionName":"f:live","Qualifier":"old"`, "Lambda.InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier."},
		{`"Qualifier":"a b"`, bad, "1 validation error detected: Value 'a b' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: "},
	} {
		_, err := set.Optimized().Perform(t.Context(), invokeTask(t, `{"FunctionName":"f",`+tt.params+`}`))
		f := integration.FailureOf(err)
		if err == nil || f.Error != tt.name || len(f.Cause) < len(tt.cause) || f.Cause[:len(tt.cause)] != tt.cause {
			t.Errorf("%s: %+v", tt.params, f)
		}
	}
}

// TestQualifier: a function sees by which ARN it was called, and which version
// it is.
func TestQualifier(t *testing.T) {
	set := lambda.NewFunctions()
	defer set.Close()
	dir := t.TempDir()
	write(t, dir, "h.py", "def handler(e, c):\n    return [c.invoked_function_arn, c.function_version]\n")
	fn, err := lambda.NewProcess(lambda.Process{Name: "f", Runtime: "python", Handler: "h.handler", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	set.Add("f", fn, own)
	for _, tt := range []struct{ params, arn, version string }{
		{`"FunctionName":"f"`, "f", "$LATEST"},
		{`"FunctionName":"f:live"`, "f:live", "$LATEST"},
		{`"FunctionName":"f","Qualifier":"live"`, "f:live", "$LATEST"},
		{`"FunctionName":"f:live","Qualifier":"live"`, "f:live", "$LATEST"},
		{`"FunctionName":"f","Qualifier":"$LATEST"`, "f:$LATEST", "$LATEST"},
		{`"FunctionName":"f","Qualifier":"12"`, "f:12", "12"},
		{`"FunctionName":"` + byName + `f:7"`, "f:7", "7"},
	} {
		out, err := set.Optimized().Perform(t.Context(), invokeTask(t, "{"+tt.params+"}"))
		if err != nil {
			t.Fatal(err)
		}
		v := out.Value()
		if got, want := v.Get("Payload").String(), `["`+byName+tt.arn+`","`+tt.version+`"]`; got != want || v.Get("ExecutedVersion").Str() != tt.version {
			t.Errorf("%s: %s, %v; want %s", tt.params, got, v.Get("ExecutedVersion"), want)
		}
	}
}
