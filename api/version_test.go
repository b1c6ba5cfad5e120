package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// call is a step of a conversation: what is asked and what comes back, times
// and revision ids left out. A want of "TYPE: MESSAGE" is an exception.
type call struct{ operation, body, want string }

var (
	passing = regexp.MustCompile(`"(creationDate|updateDate|startDate|stopDate)":[0-9.]+,?`)
	masked  = []struct {
		is      *regexp.Regexp
		instead string
	}{
		{regexp.MustCompile(`("revisionId":"|revision is )[0-9a-f-]{36}`), "${1}R"},
		{regexp.MustCompile(`"nextToken":"[^"]*"`), `"nextToken":"N"`},
		{regexp.MustCompile(`"(timestamp|redriveDate)":[0-9.]+`), `"$1":T`},
	}
)

// converse makes calls one after the other. SM stands for the ARN of the state
// machine m.
func converse(t *testing.T, h http.Handler, calls []call) {
	t.Helper()
	for _, c := range calls {
		if got, want := step(t, h, c); got != want {
			t.Errorf("%s %s\n got %s\nwant %s", c.operation, c.body, got, want)
		}
	}
}

// step makes a call and gives what came back and what was wanted.
func step(t *testing.T, h http.Handler, c call) (got, want string) {
	t.Helper()
	long := func(s string) string {
		return strings.ReplaceAll(s, "SM", "arn:aws:states:us-east-1:000000000000:stateMachine:m")
	}
	status, v := post(t, h, c.operation, long(c.body))
	if got = passing.ReplaceAllString(v.String(), ""); status != http.StatusOK {
		got = v.Get("__type").Str() + ": " + v.Get("message").Str()
	}
	for _, m := range masked {
		got = m.is.ReplaceAllString(got, m.instead)
	}
	return strings.ReplaceAll(got, ",}", "}"), long(c.want)
}

// passes is the definition of a machine of one Pass state.
func passes(comment string) string {
	return fmt.Sprintf(`"definition":"{\"Comment\":\"%s\",\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"End\":true}}}"`, comment)
}

func TestVersions(t *testing.T) {
	h := serve(t)
	const (
		none      = "StateMachineDoesNotExist: State Machine Does Not Exist: "
		described = `"definition":"{}","roleArn":"` + role + `","type":"STANDARD","loggingConfiguration":{"level":"OFF","includeExecutionData":false},"tracingConfiguration":{"enabled":false},`
		owned     = `"encryptionConfiguration":{"type":"AWS_OWNED_KEY"}}`
	)
	created := `{"name":"m","roleArn":"` + role + `",` + passes("1")
	converse(t, h, []call{
		{"CreateStateMachine", created + `,"versionDescription":"x"}`, "ValidationException: Version description can only be set when publish is true"},
		{"CreateStateMachine", created + `,"publish":true,"versionDescription":"first"}`, `{"stateMachineArn":"SM","stateMachineVersionArn":"SM:1"}`},
		{"CreateStateMachine", created + `,"publish":true,"versionDescription":"first"}`, `{"stateMachineArn":"SM","stateMachineVersionArn":"SM:1"}`},
		{"CreateStateMachine", created + `,"publish":true}`, "StateMachineAlreadyExists: State Machine Already Exists: 'SM'"},
		{"CreateStateMachine", created + `}`, "StateMachineAlreadyExists: State Machine Already Exists: 'SM'"},
		{"DescribeStateMachine", `{"stateMachineArn":"SM:1","includedData":"METADATA_ONLY"}`, `{"stateMachineArn":"SM:1","name":"m","status":"ACTIVE",` + described + `"description":"first",` + owned},
		{"PublishStateMachineVersion", `{"stateMachineArn":"SM","description":"again"}`, `{"stateMachineVersionArn":"SM:1"}`},
		{"PublishStateMachineVersion", `{"stateMachineArn":"SM","revisionId":"INITIAL"}`, `{"stateMachineVersionArn":"SM:1"}`},
		{"PublishStateMachineVersion", `{"stateMachineArn":"SM","revisionId":"x"}`, "ConflictException: Failed to publish the State Machine version for revision x. The current State Machine revision is INITIAL."},
		{"UpdateStateMachine", `{"stateMachineArn":"SM",` + passes("1") + `,"publish":true}`, `{"stateMachineVersionArn":"SM:1"}`},
		{"UpdateStateMachine", `{"stateMachineArn":"SM",` + passes("2") + `,"publish":true,"versionDescription":"second"}`, `{"revisionId":"R","stateMachineVersionArn":"SM:2"}`},
		{"UpdateStateMachine", `{"stateMachineArn":"SM",` + passes("3") + `,"versionDescription":"third"}`, "ValidationException: Version description can only be set when publish is true"},
		{"UpdateStateMachine", `{"stateMachineArn":"SM:2",` + passes("3") + `}`, none + "'SM:2'"},
		{"UpdateStateMachine", `{"stateMachineArn":"SM",` + passes("3") + `}`, `{"revisionId":"R"}`},
		{"DescribeStateMachine", `{"stateMachineArn":"SM:2","includedData":"METADATA_ONLY"}`, `{"stateMachineArn":"SM:2","name":"m","status":"ACTIVE",` + described + `"revisionId":"R","description":"second",` + owned},
		{"DescribeStateMachine", `{"stateMachineArn":"SM:3"}`, none + "'SM:3'"},
		{"DescribeStateMachine", `{"stateMachineArn":"SM:02"}`, none + "'SM:02'"},
		{"ListStateMachineVersions", `{"stateMachineArn":"SM"}`, `{"stateMachineVersions":[{"stateMachineVersionArn":"SM:2"},{"stateMachineVersionArn":"SM:1"}]}`},
		{"ListStateMachineVersions", `{"stateMachineArn":"SM-gone"}`, `{"stateMachineVersions":[]}`},
		{"DeleteStateMachineVersion", `{"stateMachineVersionArn":"SM:2"}`, `{}`},
		{"DeleteStateMachineVersion", `{"stateMachineVersionArn":"SM:2"}`, `{}`},
		{"DeleteStateMachineVersion", `{"stateMachineVersionArn":"SM"}`, "InvalidArn: Invalid Arn: 'Invalid ARN of a state machine version: SM'"},
		{"PublishStateMachineVersion", `{"stateMachineArn":"SM"}`, `{"stateMachineVersionArn":"SM:3"}`},
		{"PublishStateMachineVersion", `{"stateMachineArn":"SM:3"}`, none + "'SM:3'"},
		{"PublishStateMachineVersion", `{"stateMachineArn":"SM-gone"}`, none + "'SM-gone'"},
		{"DeleteStateMachine", `{"stateMachineArn":"SM:3"}`, "ValidationException: DeleteStateMachine does not take the ARN of a version or an alias: 'SM:3'"},
		{"DeleteStateMachine", `{"stateMachineArn":"SM"}`, `{}`},
		{"ListStateMachineVersions", `{"stateMachineArn":"SM"}`, `{"stateMachineVersions":[]}`},
		{"StartExecution", `{"stateMachineArn":"SM:3"}`, none + "'SM:3'"},
	})
	for _, operation := range []string{"StartExecution", "StartSyncExecution", "UpdateStateMachine", "DeleteStateMachine", "ListExecutions", "PublishStateMachineVersion", "ListStateMachineVersions", "ListStateMachineAliases"} {
		status, v := post(t, h, operation, `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m/label"}`)
		if status != http.StatusBadRequest || v.Get("__type").Str() != "ValidationException" || v.Get("reason").Str() != "API_DOES_NOT_SUPPORT_LABELED_ARNS" {
			t.Errorf("%s with a label: %d %v", operation, status, v)
		}
	}
}

func TestAliases(t *testing.T) {
	h := serve(t)
	const (
		missing = "ResourceNotFound: Request references a resource that does not exist."
		prod    = `"name":"prod","description":"d","routingConfiguration":[{"stateMachineVersionArn":"SM:1","weight":70},{"stateMachineVersionArn":"SM:2","weight":30}]`
		exists  = "ConflictException: Failed to create alias because an alias with the same name and a different routing configuration already exists."
	)
	to := func(routes ...string) string {
		var items []string
		for _, route := range routes {
			arn, weight, _ := strings.Cut(route, "=")
			items = append(items, fmt.Sprintf(`{"stateMachineVersionArn":"%s","weight":%s}`, arn, weight))
		}
		return `"routingConfiguration":[` + strings.Join(items, ",") + `]`
	}
	converse(t, h, []call{
		{"CreateStateMachine", `{"name":"m","roleArn":"` + role + `",` + passes("1") + `,"publish":true}`, `{"stateMachineArn":"SM","stateMachineVersionArn":"SM:1"}`},
		{"UpdateStateMachine", `{"stateMachineArn":"SM",` + passes("2") + `,"publish":true}`, `{"revisionId":"R","stateMachineVersionArn":"SM:2"}`},
		{"ListStateMachineAliases", `{"stateMachineArn":"SM"}`, `{"stateMachineAliases":[]}`},
		{"CreateStateMachineAlias", `{` + prod + `}`, `{"stateMachineAliasArn":"SM:prod"}`},
		{"CreateStateMachineAlias", `{` + prod + `}`, `{"stateMachineAliasArn":"SM:prod"}`},
		{"CreateStateMachineAlias", `{"name":"prod",` + to("SM:1=100") + `}`, exists},
		{"CreateStateMachineAlias", `{"name":"a",` + to("SM:1=50", "SM:2=60") + `}`, "ValidationException: Sum of routing configuration weights must equal 100. Received: [50, 60]"},
		{"CreateStateMachineAlias", `{"name":"a",` + to("SM:1=50", "SM:1=50") + `}`, "ValidationException: Routing configuration must contain distinct state machine version ARNs. Received: [SM:1, SM:1]"},
		{"CreateStateMachineAlias", `{"name":"a",` + to("SM:1=50", "SM-other:1=50") + `}`, "ValidationException: Routing configuration must contain versions of the same state machine. Received: [SM:1, SM-other:1]"},
		{"CreateStateMachineAlias", `{"name":"a",` + to("SM=100") + `}`, "ValidationException: Routing configuration must contain state machine version ARNs. Received: [SM]"},
		{"CreateStateMachineAlias", `{"name":"a",` + to("SM:prod=100") + `}`, "ValidationException: Routing configuration must contain state machine version ARNs. Received: [SM:prod]"},
		{"CreateStateMachineAlias", `{"name":"a",` + to("SM:9=100") + `}`, missing},
		{"CreateStateMachineAlias", `{"name":"a",` + to("SM-other:1=100") + `}`, missing},
		{"CreateStateMachineAlias", `{"name":"a",` + to("SM:1=101") + `}`, "ValidationException: 1 validation error detected: Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value less than or equal to 100"},
		{"CreateStateMachineAlias", `{"name":"a",` + to() + `}`, "ValidationException: 1 validation error detected: Value '[]' at 'routingConfiguration' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"CreateStateMachineAlias", `{"name":"a",` + to("x=1", "y=2", "z=3") + `}`, "ValidationException: 1 validation error detected: Value '[RoutingConfigurationListItem(stateMachineVersionArn=x, weight=1), RoutingConfigurationListItem(stateMachineVersionArn=y, weight=2), RoutingConfigurationListItem(stateMachineVersionArn=z, weight=3)]' at 'routingConfiguration' failed to satisfy constraint: Member must have length less than or equal to 2"},
		{"CreateStateMachineAlias", `{"name":"12",` + to("SM:1=100") + `}`, `ValidationException: 1 validation error detected: Value '12' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$`},
		{"DescribeStateMachineAlias", `{"stateMachineAliasArn":"SM:prod"}`, `{"stateMachineAliasArn":"SM:prod",` + prod + `}`},
		{"DescribeStateMachineAlias", `{"stateMachineAliasArn":"SM:test"}`, missing},
		{"DescribeStateMachineAlias", `{"stateMachineAliasArn":"SM:1"}`, "InvalidArn: Invalid Arn: 'Invalid ARN of a state machine alias: SM:1'"},
		{"CreateStateMachineAlias", `{"name":"v1.2",` + to("SM:2=100") + `}`, `{"stateMachineAliasArn":"SM:v1.2"}`},
		{"CreateStateMachineAlias", `{"name":"beta",` + to("SM:2=100", "SM:1=0") + `}`, `{"stateMachineAliasArn":"SM:beta"}`},
		{"ListStateMachineAliases", `{"stateMachineArn":"SM"}`, `{"stateMachineAliases":[{"stateMachineAliasArn":"SM:beta"},{"stateMachineAliasArn":"SM:prod"},{"stateMachineAliasArn":"SM:v1.2"}]}`},
		{"ListStateMachineAliases", `{"stateMachineArn":"SM:1"}`, `{"stateMachineAliases":[{"stateMachineAliasArn":"SM:beta"},{"stateMachineAliasArn":"SM:prod"}]}`},
		{"ListStateMachineAliases", `{"stateMachineArn":"SM:9"}`, missing},
		{"ListStateMachineAliases", `{"stateMachineArn":"SM-gone"}`, "StateMachineDoesNotExist: State Machine Does Not Exist: 'SM-gone'"},
		{"ListStateMachineAliases", `{"stateMachineArn":"SM","nextToken":"x"}`, "InvalidToken: Invalid Token: 'Invalid token'"},
		{"DeleteStateMachineVersion", `{"stateMachineVersionArn":"SM:1"}`, "ConflictException: Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [beta, prod]"},
		{"UpdateStateMachineAlias", `{"stateMachineAliasArn":"SM:test","description":"x"}`, missing},
		{"UpdateStateMachineAlias", `{"stateMachineAliasArn":"SM:prod"}`, "ValidationException: Either the description or the routing configuration must be specified"},
		{"UpdateStateMachineAlias", `{"stateMachineAliasArn":"SM:prod",` + to("SM:9=100") + `}`, missing},
		{"UpdateStateMachineAlias", `{"stateMachineAliasArn":"SM:prod",` + to("SM:2=100") + `}`, `{}`},
		{"DescribeStateMachineAlias", `{"stateMachineAliasArn":"SM:prod"}`, `{"stateMachineAliasArn":"SM:prod","name":"prod","description":"d",` + to("SM:2=100") + `}`},
		{"DeleteStateMachineAlias", `{"stateMachineAliasArn":"SM:beta"}`, `{}`},
		{"DeleteStateMachineAlias", `{"stateMachineAliasArn":"SM:beta"}`, `{}`},
		{"DeleteStateMachineVersion", `{"stateMachineVersionArn":"SM:1"}`, `{}`},
		{"StartExecution", `{"stateMachineArn":"SM:prod","name":"x"}`, `{"executionArn":"arn:aws:states:us-east-1:000000000000:execution:m:x"}`},
		{"StartExecution", `{"stateMachineArn":"SM:beta","name":"x"}`, "StateMachineDoesNotExist: State Machine Does Not Exist: 'SM:beta'"},
		{"DeleteStateMachine", `{"stateMachineArn":"SM"}`, `{}`},
		{"DescribeStateMachineAlias", `{"stateMachineAliasArn":"SM:prod"}`, missing},
	})
}

// TestQualifiedExecutions: what was started by a version or an alias says so
// everywhere, and is listed under it.
func TestQualifiedExecutions(t *testing.T) {
	h := serve(t)
	arn := must(t, h, "CreateStateMachine", `{"name":"m","roleArn":"`+role+`",`+passes("1")+`,"publish":true}`).Get("stateMachineArn").Str()
	must(t, h, "UpdateStateMachine", `{"stateMachineArn":"`+arn+`",`+passes("2")+`,"publish":true}`)
	must(t, h, "UpdateStateMachine", `{"stateMachineArn":"`+arn+`",`+passes("3")+`}`)
	must(t, h, "CreateStateMachineAlias", `{"name":"prod","routingConfiguration":[{"stateMachineVersionArn":"`+arn+`:1","weight":50},{"stateMachineVersionArn":"`+arn+`:2","weight":50}]}`)
	perVersion := make(map[string]int)
	for i := range 100 {
		x := must(t, h, "StartExecution", fmt.Sprintf(`{"stateMachineArn":"%s:prod","name":"aliased-%d"}`, arn, i)).Get("executionArn").Str()
		perVersion[must(t, h, "DescribeExecution", `{"executionArn":"`+x+`"}`).Get("stateMachineVersionArn").Str()]++
	}
	if perVersion[arn+":1"] < 20 || perVersion[arn+":2"] < 20 || len(perVersion) != 2 {
		t.Errorf("the alias started %v", perVersion)
	}
	x := must(t, h, "StartExecution", `{"stateMachineArn":"`+arn+`:1","name":"versioned"}`).Get("executionArn").Str()
	must(t, h, "StartExecution", `{"stateMachineArn":"`+arn+`","name":"plain"}`)
	converse(t, h, []call{
		{"DescribeExecution", `{"executionArn":"` + x + `","includedData":"METADATA_ONLY"}`, `{"executionArn":"` + x + `","stateMachineArn":"SM","name":"versioned","status":"SUCCEEDED","stateMachineVersionArn":"SM:1","redriveCount":0,"redriveStatus":"NOT_REDRIVABLE","redriveStatusReason":"Execution is SUCCEEDED and cannot be redriven"}`},
	})
	if got := must(t, h, "DescribeStateMachineForExecution", `{"executionArn":"`+x+`"}`).Get("definition").Str(); !strings.Contains(got, `"Comment":"1"`) {
		t.Errorf("the execution of version 1 runs by %s", got)
	}
	started := must(t, h, "GetExecutionHistory", `{"executionArn":"arn:aws:states:us-east-1:000000000000:execution:m:aliased-0"}`).Get("events").At(0).Get("executionStartedEventDetails")
	if started.Get("stateMachineAliasArn").Str() != arn+":prod" || !strings.HasPrefix(started.Get("stateMachineVersionArn").Str(), arn+":") {
		t.Errorf("the history begins with %v", started)
	}
	for _, tt := range []struct {
		arn, more string
		want      int
	}{
		{arn, "", 102},
		{arn + ":prod", "", 100},
		{arn + ":1", "", perVersion[arn+":1"] + 1},
		{arn + ":2", "", perVersion[arn+":2"]},
		{arn + ":2", `,"statusFilter":"SUCCEEDED"`, perVersion[arn+":2"]},
		{arn + ":2", `,"statusFilter":"FAILED"`, 0},
	} {
		seen, token := make(map[string]bool), ""
		for {
			page := must(t, h, "ListExecutions", `{"stateMachineArn":"`+tt.arn+`","maxResults":7`+tt.more+token+`}`)
			for _, item := range page.Get("executions").Items() {
				seen[item.Get("executionArn").Str()] = true
			}
			if token = page.Get("nextToken").Str(); token == "" {
				break
			}
			token = `,"nextToken":"` + token + `"`
		}
		if len(seen) != tt.want {
			t.Errorf("%s%s: %d executions are listed, want %d", tt.arn, tt.more, len(seen), tt.want)
		}
	}
}

// TestPublishedQuotas: 1,000 versions and 100 aliases.
func TestPublishedQuotas(t *testing.T) {
	h := serve(t)
	arn := must(t, h, "CreateStateMachine", `{"name":"m","roleArn":"`+role+`",`+passes("x")+`,"publish":true}`).Get("stateMachineArn").Str()
	for i := 2; i <= 1000; i++ {
		must(t, h, "UpdateStateMachine", fmt.Sprintf(`{"stateMachineArn":%q,%s,"publish":true}`, arn, passes(fmt.Sprint(i))))
	}
	for i := range 100 {
		must(t, h, "CreateStateMachineAlias", fmt.Sprintf(`{"name":"a%d","routingConfiguration":[{"stateMachineVersionArn":"%s:7","weight":100}]}`, i, arn))
	}
	versions := "ServiceQuotaExceededException: The state machine has the maximum number of versions, 1000: 'SM'"
	converse(t, h, []call{
		{"UpdateStateMachine", `{"stateMachineArn":"SM",` + passes("y") + `,"publish":true}`, versions},
		{"UpdateStateMachine", `{"stateMachineArn":"SM",` + passes("y") + `}`, `{"revisionId":"R"}`},
		{"PublishStateMachineVersion", `{"stateMachineArn":"SM"}`, versions},
		{"DeleteStateMachineVersion", `{"stateMachineVersionArn":"SM:1000"}`, `{}`},
		{"PublishStateMachineVersion", `{"stateMachineArn":"SM"}`, `{"stateMachineVersionArn":"SM:1001"}`},
		{"CreateStateMachineAlias", `{"name":"b","routingConfiguration":[{"stateMachineVersionArn":"SM:7","weight":100}]}`, "ServiceQuotaExceededException: The state machine has the maximum number of aliases, 100: 'SM'"},
		{"DeleteStateMachineAlias", `{"stateMachineAliasArn":"SM:a1"}`, `{}`},
		{"CreateStateMachineAlias", `{"name":"b","routingConfiguration":[{"stateMachineVersionArn":"SM:7","weight":100}]}`, `{"stateMachineAliasArn":"SM:b"}`},
		{"DeleteStateMachine", `{"stateMachineArn":"SM"}`, `{}`},
	})
}

func TestMapRuns(t *testing.T) {
	h := serve(t)
	arn := machine(t, h, "m", "STANDARD")
	x := must(t, h, "StartExecution", `{"stateMachineArn":"`+arn+`"}`).Get("executionArn").Str()
	const run = "arn:aws:states:us-east-1:000000000000:mapRun:m/label:x"
	converse(t, h, []call{
		{"ListMapRuns", `{"executionArn":"` + x + `"}`, `{"mapRuns":[]}`},
		{"ListMapRuns", `{"executionArn":"` + x + `","nextToken":"x"}`, "InvalidToken: Invalid Token: 'Invalid token'"},
		{"ListMapRuns", `{"executionArn":"` + x + `0"}`, "ExecutionDoesNotExist: Execution Does Not Exist: '" + x + "0'"},
		{"DescribeMapRun", `{"mapRunArn":"x"}`, "InvalidArn: Invalid Arn: 'Invalid ARN prefix: x'"},
		{"DescribeMapRun", `{"mapRunArn":"SM"}`, "InvalidArn: Invalid Arn: 'Resource type not valid in this context: stateMachine'"},
		{"DescribeMapRun", `{"mapRunArn":"` + run + `"}`, "ResourceNotFound: Resource not found: '" + run + "'"},
		{"UpdateMapRun", `{"mapRunArn":"` + run + `","maxConcurrency":-1}`, "ValidationException: 1 validation error detected: Value '-1' at 'maxConcurrency' failed to satisfy constraint: Member must have value greater than or equal to 0"},
		{"UpdateMapRun", `{"mapRunArn":"` + run + `","maxConcurrency":1}`, "ResourceNotFound: Resource not found: '" + run + "'"},
		{"ListExecutions", `{"mapRunArn":"` + run + `"}`, "ResourceNotFound: Resource not found: '" + run + "'"},
		{"ListExecutions", `{"mapRunArn":"` + run + `","stateMachineArn":"SM"}`, "ValidationException: Must specify either a StateMachineArn or a MapRunArn"},
	})
}

// resource calls a resource of /api/v1/ as an account.
func resource(t testing.TB, h http.Handler, account, method, path, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, "http://localhost/api/v1/"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+account+"/20260101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestShifts: what begins and what does not, and that nobody else sees it.
func TestShifts(t *testing.T) {
	h := serve(t)
	const (
		owner = "000000000000"
		sm    = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
		path  = "alias-shifts/" + sm + ":prod"
	)
	must(t, h, "CreateStateMachine", `{"name":"m","roleArn":"`+role+`",`+passes("1")+`,"publish":true}`)
	must(t, h, "UpdateStateMachine", `{"stateMachineArn":"`+sm+`",`+passes("2")+`,"publish":true}`)
	must(t, h, "CreateStateMachineAlias", `{"name":"prod","routingConfiguration":[{"stateMachineVersionArn":"`+sm+`:1","weight":100}]}`)
	begin := func(more string) string {
		return `{"stateMachineAliasArn":"` + sm + `:prod","stateMachineVersionArn":"` + sm + `:2"` + more + `}`
	}
	running := `{"stateMachineAliasArn":"` + sm + `:prod","status":"RUNNING","fromVersionArn":"` + sm + `:1","toVersionArn":"` + sm + `:2","weight":25,"executions":0,"failed":0}`
	times := regexp.MustCompile(`"(startDate|nextStepDate|stopDate)":[0-9.]+,`)
	for _, tt := range []struct{ account, method, path, body, want string }{
		{owner, "GET", path, "", "ResourceNotFound"},
		{owner, "POST", "alias-shifts", begin(`,"canary":"0%/5m"`), "ValidationException"},
		{owner, "POST", "alias-shifts", begin(`,"canary":"100%/5m"`), "ValidationException"},
		{owner, "POST", "alias-shifts", begin(`,"canary":"10%/1ms"`), "ValidationException"},
		{owner, "POST", "alias-shifts", begin(`,"canary":"10%/5m","linear":"10%/5m"`), "ValidationException"},
		{owner, "POST", "alias-shifts", begin(`,"linear":"10%/5m","rollbackOn":"error-rate>100%"`), "ValidationException"},
		{owner, "POST", "alias-shifts", begin(`,"linear":"10%/5m","rollbackOn":"p99>1s"`), "ValidationException"},
		{owner, "POST", "alias-shifts", begin(`,"steps":1`), "SerializationException"},
		{owner, "POST", "alias-shifts", `{"stateMachineAliasArn":"` + sm + `:prod","stateMachineVersionArn":"` + sm + `"}`, "InvalidArn"},
		{owner, "POST", "alias-shifts", `{"stateMachineAliasArn":"` + sm + `:prod","stateMachineVersionArn":"` + sm + `x:2"}`, "ValidationException"},
		{owner, "POST", "alias-shifts", `{"stateMachineAliasArn":"` + sm + `:prod","stateMachineVersionArn":"` + sm + `:1"}`, "ConflictException"},
		{attacker, "POST", "alias-shifts", begin(`,"linear":"25%/1d"`), "ResourceNotFound"},
		{owner, "POST", "alias-shifts", begin(`,"linear":"25%/1d","rollbackOn":"error-rate>2.5%"`), running},
		{owner, "GET", path, "", running},
		{owner, "GET", "alias-shifts", "", `{"aliasShifts":[` + running + `]}`},
		{attacker, "GET", path, "", "ResourceNotFound"},
		{attacker, "GET", "alias-shifts", "", `{"aliasShifts":[]}`},
		{attacker, "DELETE", path, "", "ResourceNotFound"},
		{owner, "DELETE", path, "", strings.NewReplacer("RUNNING", "CANCELLED", `"weight":25`, `"weight":0`).Replace(running)},
		{owner, "DELETE", path, "", strings.NewReplacer("RUNNING", "CANCELLED", `"weight":25`, `"weight":0`).Replace(running)},
	} {
		status, got := resource(t, h, tt.account, tt.method, tt.path, tt.body)
		got = times.ReplaceAllString(got, "")
		if refused := status != http.StatusOK; refused && !strings.Contains(got, `"__type":"`+tt.want+`"`) || !refused && got != tt.want {
			t.Errorf("%s %s %s as %s\n got %d %s\nwant %s", tt.method, tt.path, tt.body, tt.account, status, got, tt.want)
		}
	}
}

// TestDeleting: what can be asked about a machine that waits for its executions.
func TestDeleting(t *testing.T) {
	h := serve(t)
	const deleting = "StateMachineDeleting: State Machine is being deleted: "
	const waits = `"definition":"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Wait\",\"Seconds\":1000,\"End\":true}}}"`
	must(t, h, "CreateStateMachine", `{"name":"m","roleArn":"`+role+`",`+waits+`,"publish":true}`)
	const version = `"arn:aws:states:us-east-1:000000000000:stateMachine:m:1"`
	must(t, h, "CreateStateMachineAlias", `{"name":"prod","routingConfiguration":[{"stateMachineVersionArn":`+version+`,"weight":100}]}`)
	x := must(t, h, "StartExecution", `{"stateMachineArn":`+version+`,"name":"x"}`).Get("executionArn").Str()
	const missing = "ResourceNotFound: Request references a resource that does not exist."
	const none = "StateMachineDoesNotExist: State Machine Does Not Exist: "
	converse(t, h, []call{
		{"DeleteStateMachine", `{"stateMachineArn":"SM"}`, `{}`},
		{"DeleteStateMachine", `{"stateMachineArn":"SM"}`, `{}`},
		{"CreateStateMachine", `{"name":"m","roleArn":"` + role + `",` + waits + `}`, deleting + "'SM'"},
		{"UpdateStateMachine", `{"stateMachineArn":"SM","roleArn":"` + role + `2"}`, deleting + "'SM'"},
		{"PublishStateMachineVersion", `{"stateMachineArn":"SM"}`, deleting + "'SM'"},
		{"StartExecution", `{"stateMachineArn":"SM"}`, deleting + "'SM'"},
		{"StartExecution", `{"stateMachineArn":"SM:1"}`, deleting + "'SM:1'"},
		{"StartExecution", `{"stateMachineArn":"SM:prod"}`, deleting + "'SM:prod'"},
		{"CreateStateMachineAlias", `{"name":"a","routingConfiguration":[{"stateMachineVersionArn":"SM:1","weight":100}]}`, deleting + "'SM'"},
		{"UpdateStateMachineAlias", `{"stateMachineAliasArn":"SM:prod","description":"x"}`, deleting + "'SM:prod'"},
		{"ListStateMachineAliases", `{"stateMachineArn":"SM"}`, deleting + "'SM'"},
		{"DescribeStateMachineAlias", `{"stateMachineAliasArn":"SM:prod"}`, missing},
		{"DeleteStateMachineAlias", `{"stateMachineAliasArn":"SM:prod"}`, `{}`},
		{"DeleteStateMachineVersion", `{"stateMachineVersionArn":"SM:1"}`, `{}`},
		{"ListStateMachineVersions", `{"stateMachineArn":"SM"}`, `{"stateMachineVersions":[]}`},
		{"DescribeStateMachine", `{"stateMachineArn":"SM:1"}`, none + "'SM:1'"},
		{"ListExecutions", `{"stateMachineArn":"SM:prod"}`, none + "'SM:prod'"},
		{"ListStateMachines", `{}`, `{"stateMachines":[{"stateMachineArn":"SM","name":"m","type":"STANDARD"}]}`},
	})
	if v := must(t, h, "DescribeStateMachine", `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m"}`); v.Get("status").Str() != "DELETING" {
		t.Errorf("it is %v", v)
	}
	must(t, h, "StopExecution", `{"executionArn":"`+x+`"}`)
}
