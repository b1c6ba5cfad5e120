package api_test

import (
	"testing"

	"github.com/steppehq/steppe/store/memory"
)

// TestKeyIsMissing: what needs a customer's key is refused with its name where
// the key is not there; what needs none is done.
func TestKeyIsMissing(t *testing.T) {
	with := func(key string) string {
		return `,"encryptionConfiguration":{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"alias/` + key + `"}`
	}
	const (
		express  = `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:x"`
		standard = `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m"`
		version  = `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m:1"`
		x        = `{"executionArn":"arn:aws:states:us-east-1:000000000000:execution:m:x"`
		activity = `{"activityArn":"arn:aws:states:us-east-1:000000000000:activity:a"`
		metadata = `,"includedData":"METADATA_ONLY"}`
		refused  = "KmsAccessDeniedException: KMS Access Denied: 'the encryption key 'alias/one' is missing; the server must be started with a file of --encryption-keys that has it'"
	)
	create := func(name, more string) string {
		return `{"name":"` + name + `","roleArn":"` + role + `","definition":"{\"StartAt\":\"W\",\"States\":{\"W\":{\"Type\":\"Wait\",\"Seconds\":1000,\"End\":true}}}"` + more + `}`
	}
	db := memory.New(memory.Options{})
	first := serveStore(t, db, "alias/one")
	for _, c := range []call{
		{"CreateStateMachine", create("x", `,"type":"EXPRESS"`+with("one")), ""},
		{"CreateStateMachine", create("m", `,"publish":true`+with("one")), ""},
		{"CreateStateMachine", create("m", `,"publish":true`+with("one")), ""},
		{"CreateActivity", `{"name":"a"` + with("one") + `}`, ""},
		{"StartExecution", express + `}`, ""},
		{"StartExecution", standard + `,"name":"x"}`, ""},
	} {
		must(t, first, c.operation, c.body)
	}
	second := serveStore(t, db, "alias/two")
	converse(t, second, []call{
		{"CreateStateMachine", create("m", `,"publish":true`+with("one")), refused},
		{"CreateStateMachine", create("n", with("one")), refused},
		{"CreateActivity", `{"name":"b"` + with("one") + `}`, refused},
		{"GetActivityTask", activity + `}`, refused},
		{"StartSyncExecution", express + `}`, refused},
		{"StartExecution", express + `}`, refused},
		{"StartExecution", standard + `}`, refused},
		{"StartExecution", version + `}`, refused},
		{"DescribeExecution", x + `}`, refused},
		{"GetExecutionHistory", x + `}`, refused},
		{"RedriveExecution", x + `}`, refused},
		{"StopExecution", x + `}`, refused},
		{"DescribeStateMachine", standard + `}`, refused},
		{"DescribeStateMachine", version + `}`, refused},
		{"DescribeStateMachineForExecution", x + `}`, refused},
		{"UpdateStateMachine", standard + `,"roleArn":"` + role + `2"}`, refused},
		{"UpdateStateMachine", standard + `,` + passes("new") + `}`, refused},
	})
	for _, c := range []call{
		{"DescribeActivity", activity + `}`, ""},
		{"DescribeExecution", x + metadata, ""},
		{"DescribeStateMachineForExecution", x + metadata, ""},
		{"DescribeStateMachine", standard + metadata, ""},
		{"DescribeStateMachine", version + metadata, ""},
		{"ListExecutions", standard + `}`, ""},
		{"ListStateMachines", `{}`, ""},
		{"ListActivities", `{}`, ""},
		{"TagResource", `{"resourceArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m","tags":[{"key":"k","value":"v"}]}`, ""},
		{"DeleteStateMachine", express + `}`, ""},
		// Another definition, for a key that is there, makes the machine whole again.
		{"UpdateStateMachine", standard + `,` + passes("new") + with("two") + `}`, ""},
		{"DescribeStateMachine", standard + `}`, ""},
		{"StartExecution", standard + `,"name":"y"}`, ""},
	} {
		must(t, second, c.operation, c.body)
	}
}
