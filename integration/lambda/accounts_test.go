package lambda_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/integrationtest"
	"github.com/steppehq/steppe/integration/lambda"
	"github.com/steppehq/steppe/value"
)

const (
	alice = "111111111111"
	bob   = "222222222222"
)

// as performs a task of an account, by lambda:invoke unless the name is an ARN
// that stands alone.
func as(t *testing.T, f *lambda.Functions, account, name string, byARN bool) (string, integration.Failure) {
	t.Helper()
	task := integration.Task{
		Account: account, Region: "us-east-1", Idempotency: "0123456789abcdef0123456789abcdef", MaxBytes: 1000, StateName: "A",
		Resource: integrationtest.Resource(t, "arn:aws:states:::lambda:invoke"),
		Input:    value.DocOf(value.Obj(value.Member{Name: "FunctionName", Value: value.Str(name)})),
	}
	i := f.Optimized()
	if byARN {
		i, task.Resource, task.Input = f.ByARN(), integrationtest.Resource(t, name), value.NewDoc([]byte(`{}`))
	}
	out, err := i.Perform(t.Context(), task)
	if err != nil {
		return "", integration.FailureOf(err)
	}
	if byARN {
		return out.Value().Str(), integration.Failure{}
	}
	return out.Value().Get("Payload").Str(), integration.Failure{}
}

func says(text string) lambda.Function {
	return lambda.GoFunction(func(context.Context, json.RawMessage) (any, error) { return text, nil })
}

// TestAccounts: a function answers its own account, by its ARN and all shorter
// names; for others it is not there.
func TestAccounts(t *testing.T) {
	set := lambda.NewFunctions()
	defer set.Close()
	set.Add("echo", says("bob's"), bob)
	set.Add("both", says("alice's"), alice)
	set.Add("both", says("bob's"), bob)
	set.Add("common", says("everybody's"), lambda.AllAccounts)
	arn := func(account, name string) string { return "arn:aws:lambda:us-east-1:" + account + ":function:" + name }
	tests := []struct{ caller, name, want string }{
		{bob, "echo", "bob's"},
		{bob, "echo:PROD", "bob's"},
		{bob, bob + ":function:echo", "bob's"},
		{bob, "us-east-1:" + bob + ":function:echo:7", "bob's"},
		{bob, "function:echo", "bob's"},
		{bob, arn(bob, "echo"), "bob's"},
		{bob, arn(bob, "echo:$LATEST"), "bob's"},
		{alice, "both", "alice's"},
		{bob, "both", "bob's"},
		{alice, "common", "everybody's"},
		{bob, arn(bob, "common"), "everybody's"},
		{alice, "echo", ""},
		{alice, arn(alice, "echo"), ""},
		{alice, arn(bob, "echo"), ""},
		{alice, bob + ":function:echo", ""},
		{alice, arn(bob, "both"), ""},
		{alice, arn(bob, "common"), ""},
		{alice, "us-east-1:" + bob + ":function:common", ""},
	}
	for _, tt := range tests {
		for _, byARN := range []bool{false, true} {
			if byARN && !strings.HasPrefix(tt.name, "arn:") {
				continue
			}
			out, failed := as(t, set, tt.caller, tt.name, byARN)
			if out != tt.want || (tt.want == "") != (failed.Error == "Lambda.ResourceNotFoundException") {
				t.Errorf("%s calls %s: %q, %+v; want %q", tt.caller, tt.name, out, failed, tt.want)
			}
			nobody := strings.NewReplacer("echo", "gone", "both", "gone", "common", "gone").Replace(tt.name)
			if _, other := as(t, set, tt.caller, nobody, byARN); tt.want == "" && strings.ReplaceAll(other.Cause, "gone", "") !=
				strings.NewReplacer("echo", "", "both", "", "common", "").Replace(failed.Cause) {
				t.Errorf("%s can tell %s (%s) from %s (%s)", tt.caller, tt.name, failed.Cause, nobody, other.Cause)
			}
		}
	}
}

// TestOthersAccount: what stands for all other functions is an account's, too.
func TestOthersAccount(t *testing.T) {
	set := lambda.NewFunctions()
	defer set.Close()
	set.AddOthers(says("the endpoint"), bob)
	set.Add("own", says("bob's"), bob)
	for caller, want := range map[string]string{bob: "the endpoint", alice: ""} {
		if out, failed := as(t, set, caller, "any", false); out != want {
			t.Errorf("%s: %q, %+v", caller, out, failed)
		}
	}
	if out, _ := as(t, set, alice, "arn:aws:lambda:us-east-1:"+bob+":function:any", true); out != "" {
		t.Errorf("alice at bob's endpoint: %s", out)
	}
	if out, _ := as(t, set, bob, "own", false); out != "bob's" {
		t.Errorf("a function of the set: %s", out)
	}
	set.AddOthers(says("everybody's"), lambda.AllAccounts)
	if out, _ := as(t, set, alice, "any", false); out != "everybody's" {
		t.Errorf("an endpoint of all accounts: %q", out)
	}
}

// TestNames: what is no name is refused in the service's words, and is sent
// nowhere.
func TestNames(t *testing.T) {
	set := lambda.NewFunctions()
	defer set.Close()
	set.AddOthers(says("called"), lambda.AllAccounts)
	for _, name := range []string{
		"../functions/x", "a?b=c#d", "a\r\nInjected: 1", "a b", "a\x00", "é", "a:b:c", "a:", ":b", "a:$OLDEST", "a:b/c", "function:", "-:*",
		strings.Repeat("a", 171), strings.Repeat("a", 5000), "arn:aws:s3:us-east-1:" + own + ":function:x", "arn:aws:lambda:us-east-1:" + own + ":function:a/b",
		"arn:aws:lambda:us east:" + own + ":function:x", "a:" + strings.Repeat("b", 129),
	} {
		out, failed := as(t, set, own, name, false)
		if failed.Error != "Lambda.AWSLambdaException" || !strings.Contains(failed.Cause, "' at 'functionName' failed to satisfy constraint: Member must ") ||
			!strings.Contains(failed.Cause, "(Service: AWSLambda; Status Code: 400; Error Code: ValidationException; Request ID: 0123") || len(failed.Cause) > 1000 {
			t.Errorf("%.40q: %q, %+v", name, out, failed)
		}
	}
	for _, name := range []string{"a", "a-b_c.d", "fn-1:PROD", "my-fn-1:PROD", "a:$LATEST", "a:1", strings.Repeat("a", 170), "function:a:b", "arn:aws-cn:lambda:cn-north-1:" + own + ":function:x:1"} {
		if out, failed := as(t, set, own, name, false); out != "called" {
			t.Errorf("%.40s: %+v", name, failed)
		}
	}
}

// TestLanes: what tasks share is their function as the account's that has it,
// however they name it.
func TestLanes(t *testing.T) {
	set := lambda.NewFunctions()
	defer set.Close()
	dir := t.TempDir()
	write(t, dir, "h.py", "def handler(e, c): pass\n")
	process, err := lambda.NewProcess(lambda.Process{Name: "p", Runtime: "python", Handler: "h.handler", Dir: dir, Concurrency: 7})
	if err != nil {
		t.Fatal(err)
	}
	set.Add("p", process, alice)
	set.Add("g", says(""), alice)
	set.Add("c", process, lambda.AllAccounts)
	lane := func(i integration.Integration, account, resource, input string) (string, int) {
		return i.(integration.Laned).Lane(integration.Task{
			Account: account, Region: "us-east-1", Resource: integrationtest.Resource(t, resource), Input: value.NewDoc([]byte(input)),
		})
	}
	const invoke = "arn:aws:states:::lambda:invoke"
	for _, tt := range []struct {
		account, name, lane string
		limit               int
	}{
		{alice, "p", alice + ":p", 7},
		{alice, "p:PROD", alice + ":p", 7},
		{alice, "arn:aws:lambda:us-east-1:" + alice + ":function:p", alice + ":p", 7},
		{alice, "g", alice + ":g", 0},
		{alice, "c", "*:c", 7},
		{bob, "c", "*:c", 7},
		{bob, "p", bob + ":p", 0},
		{bob, "arn:aws:lambda:us-east-1:" + alice + ":function:p", alice + ":p", 0},
		{bob, "no name", "", 0},
	} {
		if name, limit := lane(set.Optimized(), tt.account, invoke, `{"FunctionName":"`+tt.name+`"}`); name != tt.lane || limit != tt.limit {
			t.Errorf("%s calls %s: lane %s of %d", tt.account, tt.name, name, limit)
		}
		if !strings.HasPrefix(tt.name, "arn:") {
			continue
		}
		if name, limit := lane(set.ByARN(), tt.account, tt.name, `{}`); name != tt.lane || limit != tt.limit {
			t.Errorf("%s calls %s by ARN: lane %s of %d", tt.account, tt.name, name, limit)
		}
	}
}
