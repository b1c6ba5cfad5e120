package api_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/steppehq/steppe/value"
)

// as makes a call of an account.
func as(t testing.TB, h http.Handler, account, operation, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+account+"/20260101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const (
	victim   = "111111111111"
	attacker = "222222222222"
)

// TestTenants has one account try everything on what another one has, and
// compares with what it is answered about things that are not there: there must
// be no difference, and the other one's things must be as they were.
func TestTenants(t *testing.T) {
	h := serve(t)
	mine := func(operation, body string) value.Value {
		t.Helper()
		status, text := as(t, h, victim, operation, body)
		v, err := value.DecodeString(text)
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s", operation, status, text)
		}
		return v
	}
	const definition = `{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Task\",\"Resource\":\"arn:aws:states:us-east-1:111111111111:activity:work\",\"End\":true}}}`
	mine("CreateActivity", `{"name":"work"}`)
	mine("CreateStateMachine", `{"name":"secret","roleArn":"`+role+`","definition":"`+definition+`","tags":[{"key":"a","value":"b"}]}`)
	things := map[string]string{
		"stateMachineArn": "arn:aws:states:us-east-1:111111111111:stateMachine:secret", "activityArn": "arn:aws:states:us-east-1:111111111111:activity:work",
	}
	things["executionArn"] = mine("StartExecution", `{"stateMachineArn":"`+things["stateMachineArn"]+`","name":"running"}`).Get("executionArn").Str()
	things["taskToken"] = mine("GetActivityTask", `{"activityArn":"`+things["activityArn"]+`"}`).Get("taskToken").Str()
	things["resourceArn"] = things["stateMachineArn"]
	things["stateMachineVersionArn"] = mine("PublishStateMachineVersion", `{"stateMachineArn":"`+things["stateMachineArn"]+`"}`).Get("stateMachineVersionArn").Str()
	things["stateMachineAliasArn"] = mine("CreateStateMachineAlias", `{"name":"prod","routingConfiguration":[{"stateMachineVersionArn":"`+things["stateMachineVersionArn"]+`","weight":100}]}`).Get("stateMachineAliasArn").Str()
	mine("StartExecution", `{"stateMachineArn":"`+things["stateMachineAliasArn"]+`","name":"aliased"}`)
	things["mapRunArn"] = "arn:aws:states:us-east-1:111111111111:mapRun:secret/label:x"
	before := everything(t, h, things)
	random := rand.New(rand.NewPCG(1, 1))
	attempts := 0
	for attempts < 1000 {
		for operation, body := range attacks(things, random) {
			attempts++
			there, nowhere := body(false), body(true)
			statusThere, answerThere := as(t, h, attacker, operation, there)
			statusNowhere, answerNowhere := as(t, h, attacker, operation, nowhere)
			for kind, thing := range things {
				answerThere = strings.ReplaceAll(answerThere, thing, "«"+kind+"»")
				answerNowhere = strings.ReplaceAll(answerNowhere, elsewhere(thing), "«"+kind+"»")
			}
			if statusThere != statusNowhere || answerThere != answerNowhere {
				t.Errorf("%s %s\n tells of what is there:     %d %s\n of what is not there: %d %s", operation, there, statusThere, answerThere, statusNowhere, answerNowhere)
			}
			for _, leaked := range []string{"secret", "work", "running"} {
				if statusThere == http.StatusOK && strings.Contains(answerThere, leaked) {
					t.Errorf("%s leaks: %s", operation, answerThere)
				}
			}
		}
		if t.Failed() {
			return
		}
	}
	if after := everything(t, h, things); after != before {
		t.Errorf("something changed:\n%s\nwas\n%s", after, before)
	}
}

// elsewhere is a thing of the same kind that is not there.
func elsewhere(thing string) string {
	return strings.NewReplacer("secret", "nobody", "work", "idle", "running", "nowhere").Replace(thing)
}

// everything is all that the account can tell of what it has.
func everything(t *testing.T, h http.Handler, things map[string]string) string {
	t.Helper()
	var all strings.Builder
	for _, call := range [][2]string{
		{"ListStateMachines", "{}"},
		{"ListActivities", "{}"},
		{"DescribeStateMachine", `{"stateMachineArn":"` + things["stateMachineArn"] + `"}`},
		{"ListTagsForResource", `{"resourceArn":"` + things["stateMachineArn"] + `"}`},
		{"ListExecutions", `{"stateMachineArn":"` + things["stateMachineArn"] + `"}`},
		{"ListExecutions", `{"stateMachineArn":"` + things["stateMachineAliasArn"] + `"}`},
		{"ListStateMachineVersions", `{"stateMachineArn":"` + things["stateMachineArn"] + `"}`},
		{"DescribeStateMachineAlias", `{"stateMachineAliasArn":"` + things["stateMachineAliasArn"] + `"}`},
		{"GetExecutionHistory", `{"executionArn":"` + things["executionArn"] + `"}`},
	} {
		status, text := as(t, h, victim, call[0], call[1])
		fmt.Fprintf(&all, "%s %d %s\n", call[0], status, text)
	}
	return all.String()
}

// attacks gives a body for each operation that names things, of what is there
// or of what is not.
func attacks(things map[string]string, random *rand.Rand) map[string]func(nowhere bool) string {
	n := random.IntN(1000)
	// What takes the ARN of a state machine takes that of a version or an alias.
	named := maps.Clone(things)
	named["stateMachineArn"] = things[[]string{"stateMachineArn", "stateMachineVersionArn", "stateMachineAliasArn"}[n%3]]
	pick := func(kind string) func(bool) string {
		return func(nowhere bool) string {
			thing := named[kind]
			if nowhere {
				thing = elsewhere(thing)
			}
			if kind == "taskToken" && nowhere {
				thing = "A" + thing[1:] // of no server
			}
			return fmt.Sprintf("%q:%q", kind, thing)
		}
	}
	with := func(kind, more string) func(bool) string {
		return func(nowhere bool) string { return "{" + pick(kind)(nowhere) + more + "}" }
	}
	arn := things["stateMachineArn"]
	return map[string]func(bool) string{
		"DeleteActivity":                   with("activityArn", ""),
		"DeleteStateMachine":               with("stateMachineArn", ""),
		"DeleteStateMachineAlias":          with("stateMachineAliasArn", ""),
		"DeleteStateMachineVersion":        with("stateMachineVersionArn", ""),
		"DescribeActivity":                 with("activityArn", ""),
		"DescribeExecution":                with("executionArn", ""),
		"DescribeMapRun":                   with("mapRunArn", ""),
		"DescribeStateMachine":             with("stateMachineArn", ""),
		"DescribeStateMachineAlias":        with("stateMachineAliasArn", ""),
		"DescribeStateMachineForExecution": with("executionArn", ""),
		"GetActivityTask":                  with("activityArn", ""),
		"GetExecutionHistory":              with("executionArn", fmt.Sprintf(`,"reverseOrder":%v`, n%2 == 0)),
		"ListExecutions":                   with("stateMachineArn", fmt.Sprintf(`,"maxResults":%d`, n)),
		"ListMapRuns":                      with("executionArn", ""),
		"ListStateMachineAliases":          with("stateMachineArn", ""),
		"ListStateMachineVersions":         with("stateMachineArn", ""),
		"ListTagsForResource":              with("resourceArn", ""),
		"PublishStateMachineVersion":       with("stateMachineArn", ""),
		"RedriveExecution":                 with("executionArn", ""),
		"SendTaskFailure":                  with("taskToken", `,"error":"E"`),
		"SendTaskHeartbeat":                with("taskToken", ""),
		"SendTaskSuccess":                  with("taskToken", `,"output":"1"`),
		"StartExecution":                   with("stateMachineArn", fmt.Sprintf(`,"name":"x%d"`, n)),
		"StartSyncExecution":               with("stateMachineArn", ""),
		"StopExecution":                    with("executionArn", ""),
		"TagResource":                      with("resourceArn", `,"tags":[{"key":"mine","value":"now"}]`),
		"UntagResource":                    with("resourceArn", `,"tagKeys":["a"]`),
		"UpdateMapRun":                     with("mapRunArn", `,"maxConcurrency":1`),
		"UpdateStateMachine":               with("stateMachineArn", `,"roleArn":"`+role+`"`),
		"UpdateStateMachineAlias":          with("stateMachineAliasArn", `,"description":"mine"`),
		"ListStateMachines":                func(bool) string { return "{}" },
		"ListActivities":                   func(bool) string { return "{}" },
		"CreateStateMachineAlias": func(nowhere bool) string {
			version := arn
			if nowhere {
				version = elsewhere(arn)
			}
			return fmt.Sprintf(`{"name":"mine","routingConfiguration":[{"stateMachineVersionArn":"%s:1","weight":100}]}`, version)
		},
	}
}
