package api_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/steppehq/steppe/api"
	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/store/memory"
)

// TestShiftPages: the shifts of an account come page by page, each once.
func TestShiftPages(t *testing.T) {
	h := serve(t)
	const owner = "000000000000"
	for i := range 5 {
		sm := fmt.Sprintf("arn:aws:states:us-east-1:%s:stateMachine:m%d", owner, i)
		must(t, h, "CreateStateMachine", fmt.Sprintf(`{"name":"m%d","roleArn":"%s",%s,"publish":true}`, i, role, passes("1")))
		must(t, h, "UpdateStateMachine", `{"stateMachineArn":"`+sm+`",`+passes("2")+`,"publish":true}`)
		must(t, h, "CreateStateMachineAlias", `{"name":"prod","routingConfiguration":[{"stateMachineVersionArn":"`+sm+`:1","weight":100}]}`)
		if status, text := resource(t, h, owner, http.MethodPost, "alias-shifts", `{"stateMachineAliasArn":"`+sm+`:prod","stateMachineVersionArn":"`+sm+`:2"}`); status != http.StatusOK {
			t.Fatal(text)
		}
	}
	seen, pages, next := map[string]bool{}, 0, ""
	for {
		status, text := resource(t, h, owner, http.MethodGet, "alias-shifts?limit=2"+next, "")
		if status != http.StatusOK {
			t.Fatal(text)
		}
		page := decoded(t, text)
		for _, item := range page.Get("aliasShifts").Items() {
			seen[item.Get("stateMachineAliasArn").Str()] = true
		}
		pages++
		token := page.Get("nextToken").Str()
		if token == "" {
			break
		}
		next = "&nextToken=" + token
	}
	if len(seen) != 5 || pages != 3 {
		t.Errorf("%d shifts in %d pages", len(seen), pages)
	}
}

// TestQueriesOfResources: what cannot be read, or stands there twice, is refused.
func TestQueriesOfResources(t *testing.T) {
	h := serve(t)
	for _, path := range []string{"executions?limit=%zz", "executions?q=status:failed&q=status:running", "executions?limit=5;q=a", "alias-shifts?limit=1&limit=2", "alias-shifts?limit=x"} {
		if status, text := resource(t, h, "000000000000", http.MethodGet, path, ""); status != http.StatusBadRequest || !strings.Contains(text, "ValidationException") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

// TestTraceHeader: what goes into a header of HTTP has no line breaks.
func TestTraceHeader(t *testing.T) {
	h := serve(t)
	arn := machine(t, h, "m", "STANDARD")
	for header, want := range map[string]int{`Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1`: 200, `a\r\nX-Evil: 1`: 400, `a\u0000`: 400, `a\u007f`: 400} {
		if status, v := post(t, h, "StartExecution", `{"stateMachineArn":"`+arn+`","traceHeader":"`+header+`"}`); status != want {
			t.Errorf("%s: %d %v", header, status, v)
		}
	}
}

// TestPagesOfOthers has a page of another origin, and a name that is not the
// server's, try every door.
func TestPagesOfOthers(t *testing.T) {
	h := serve(t)
	machine(t, h, "m", "STANDARD")
	for _, door := range []struct{ method, path, target string }{
		{"POST", "/", "ListStateMachines"},
		{"POST", "//", "ListStateMachines"},
		{"POST", "/any", "CreateActivity"},
		{"OPTIONS", "/", ""},
		{"GET", "/", ""},
		{"GET", "/api/v1/executions", ""},
		{"POST", "/api/v1/forks", ""},
		{"POST", "/api/v1/alias-shifts", ""},
		{"DELETE", "/api/v1/alias-shifts/x", ""},
		{"GET", "/api/v1//executions", ""},
		{"GET", "/api/v1/nothing", ""},
		{"OPTIONS", "/api/v1/forks", ""},
	} {
		for _, header := range []map[string]string{
			{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}, {"Host": "evil.example:8083", "Origin": "http://evil.example:8083"},
		} {
			r := httptest.NewRequest(door.method, "http://localhost"+door.path, strings.NewReader(`{"name":"evil"}`))
			r.Header.Set("X-Amz-Target", "AWSStepFunctions."+door.target)
			r.Header.Set("Content-Type", "application/json")
			for name, v := range header {
				r.Header.Set(name, v)
			}
			if host := header["Host"]; host != "" {
				r.Host = host
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s %v: %d %s", door.method, door.path, header, w.Code, w.Body)
			}
		}
	}
	if n := must(t, h, "ListActivities", `{}`).Get("activities").Len(); n > 0 {
		t.Error("a page has made an activity")
	}
}

// TestManyTags: as many tags as a body holds are refused before they are compared
// with each other.
func TestManyTags(t *testing.T) {
	h := serve(t)
	arn := machine(t, h, "m", "STANDARD")
	var tags strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&tags, `{"key":"k%d","value":""},`, i)
	}
	list := "[" + strings.TrimSuffix(tags.String(), ",") + "]"
	for operation, body := range map[string]string{"TagResource": `"resourceArn":"` + arn + `"`, "CreateActivity": `"name":"a"`} {
		if status, v := post(t, h, operation, "{"+body+`,"tags":`+list+"}"); status != http.StatusBadRequest || v.Get("__type").Str() != "TooManyTags" {
			t.Errorf("%s: %d %v", operation, status, v)
		}
	}
}

// TestLongSearches: a search has few conditions.
func TestLongSearches(t *testing.T) {
	for _, q := range []string{strings.Repeat("input.a=1 ", 1000), "machine:" + strings.Repeat("m,", 2000) + "m"} {
		if _, err := api.ParseSearch(q, time.Now()); err == nil || !strings.Contains(err.Error(), "at most") {
			t.Errorf("%.30s: %v", q, err)
		}
	}
}

// TestAuditTells: each line names what it is about, those of /api/v1 and of
// answers to tasks, too, and what was made.
func TestAuditTells(t *testing.T) {
	var out bytes.Buffer
	port := newPort()
	port.Audit = server.NewAuditLog(&out, slog.New(slog.DiscardHandler)).Write
	h := serveConfig(t, memory.New(memory.Options{}), api.Config{Port: port})
	const (
		owner = "000000000000"
		sm    = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
		x     = "arn:aws:states:us-east-1:000000000000:execution:m:x"
		act   = "arn:aws:states:us-east-1:000000000000:activity:work"
	)
	must(t, h, "CreateActivity", `{"name":"work"}`)
	must(t, h, "CreateStateMachine", `{"name":"m","publish":true,"roleArn":"`+role+`","definition":"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Task\",\"Resource\":\"`+act+`\",\"End\":true}}}"}`)
	must(t, h, "UpdateStateMachine", `{"stateMachineArn":"`+sm+`",`+passes("2")+`,"publish":true}`)
	must(t, h, "CreateStateMachineAlias", `{"name":"prod","routingConfiguration":[{"stateMachineVersionArn":"`+sm+`:1","weight":100}]}`)
	must(t, h, "StartExecution", `{"stateMachineArn":"`+sm+`:1","name":"x"}`)
	var token string
	for token == "" {
		token = must(t, h, "GetActivityTask", `{"activityArn":"`+act+`"}`).Get("taskToken").Str()
	}
	must(t, h, "SendTaskSuccess", `{"taskToken":"`+token+`","output":"1"}`)
	must(t, h, "TestState", `{"roleArn":"`+role+`","definition":"{\"Type\":\"Pass\",\"End\":true}"}`)
	for path, body := range map[string]string{
		"forks":        `{"executionArn":"` + x + `","event":1,"name":"forked"}`,
		"alias-shifts": `{"stateMachineAliasArn":"` + sm + `:prod","stateMachineVersionArn":"` + sm + `:2"}`,
	} {
		if status, text := resource(t, h, owner, http.MethodPost, path, body); status != http.StatusOK {
			t.Fatalf("%s: %s", path, text)
		}
	}
	for operation, wants := range map[string][]string{
		"CreateStateMachineAlias": {sm, sm + ":prod"}, "StartExecution": {x, sm + ":1"}, "SendTaskSuccess": {x}, "TestState": {},
		"POST /api/v1/forks": {x, `"name":"forked"`, "execution:m:forked"}, "POST /api/v1/alias-shifts": {sm + ":prod", sm + ":2"},
	} {
		_, rest, found := strings.Cut(out.String(), `"operation":"`+operation+`"`)
		line, _, _ := strings.Cut(rest, "\n")
		if !found {
			t.Errorf("%s has no line", operation)
		}
		for _, want := range wants {
			if !strings.Contains(line, want) {
				t.Errorf("%s does not name %s: %s", operation, want, line)
			}
		}
	}
}
