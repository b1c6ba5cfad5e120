package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestConfigurations: what is kept of logging, tracing and encryption, and what
// is refused. A want that begins with { is the member of the description.
func TestConfigurations(t *testing.T) {
	const (
		group   = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/vendedlogs/states/m:*"
		key     = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
		logs    = "InvalidLoggingConfiguration: Invalid Logging Configuration: "
		crypt   = "InvalidEncryptionConfiguration: Invalid Encryption Configuration: "
		broken  = "ValidationException: 1 validation error detected: Value "
		owned   = `{"type":"AWS_OWNED_KEY"}`
		managed = `{"kmsKeyId":"` + key + `","kmsDataKeyReusePeriodSeconds":300,"type":"CUSTOMER_MANAGED_KMS_KEY"}`
		off     = `{"level":"OFF","includeExecutionData":false}`
	)
	destination := func(arn string) string {
		return `{"cloudWatchLogsLogGroup":{"logGroupArn":"` + arn + `"}}`
	}
	all := func(arn string) string {
		return `{"level":"ALL","includeExecutionData":true,"destinations":[` + destination(arn) + `]}`
	}
	tests := []struct{ member, given, want string }{
		{"loggingConfiguration", `{}`, off},
		{"loggingConfiguration", `{"level":"OFF"}`, off},
		{"loggingConfiguration", all(group), all(group)},
		{"loggingConfiguration", `{"destinations":[]}`, `{"level":"OFF","includeExecutionData":false,"destinations":[]}`},
		{"loggingConfiguration", `{"destinations":[` + destination(group) + `]}`, `{"level":"OFF","includeExecutionData":false,"destinations":[` + destination(group) + `]}`},
		{"loggingConfiguration", `{"level":"FATAL"}`, logs + "Must specify exactly one Log Destination."},
		{"loggingConfiguration", `{"level":"ALL","destinations":[` + destination(group) + "," + destination(group) + `]}`, logs + "Must specify exactly one Log Destination."},
		{"loggingConfiguration", all(strings.TrimSuffix(group, ":*")), logs + "Log Destination must be the ARN of a CloudWatch Logs log group that ends with ':*'. Received: '" + strings.TrimSuffix(group, ":*") + "'"},
		{"loggingConfiguration", `{"level":"ALL","destinations":[{}]}`, logs + "Log Destination must be the ARN of a CloudWatch Logs log group that ends with ':*'. Received: ''"},
		{"loggingConfiguration", `{"level":"SOME"}`, broken + "'SOME' at 'loggingConfiguration.level' failed to satisfy constraint: Member must satisfy enum value set: [ALL, ERROR, FATAL, OFF]"},
		{"tracingConfiguration", `{"enabled":true}`, `{"enabled":true}`},
		{"tracingConfiguration", `{"enabled":false}`, `{"enabled":false}`},
		{"tracingConfiguration", `{}`, "InvalidTracingConfiguration: Invalid Tracing Configuration: 'enabled must be true or false'"},
		{"encryptionConfiguration", owned, owned},
		{"encryptionConfiguration", `{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"` + key + `"}`, managed},
		{"encryptionConfiguration", `{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"alias/mine","kmsDataKeyReusePeriodSeconds":900}`, `{"kmsKeyId":"alias/mine","kmsDataKeyReusePeriodSeconds":900,"type":"CUSTOMER_MANAGED_KMS_KEY"}`},
		{"encryptionConfiguration", `{"type":"CUSTOMER_MANAGED_KMS_KEY"}`, crypt + "'kmsKeyId must be specified for the type CUSTOMER_MANAGED_KMS_KEY'"},
		{"encryptionConfiguration", `{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"my key"}`, crypt + "'kmsKeyId is not the id or ARN of a key, or the name or ARN of an alias: my key'"},
		{"encryptionConfiguration", `{"type":"AWS_OWNED_KEY","kmsKeyId":"` + key + `"}`, crypt + "'kmsKeyId and kmsDataKeyReusePeriodSeconds are only for the type CUSTOMER_MANAGED_KMS_KEY'"},
		{"encryptionConfiguration", `{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"` + key + `","kmsDataKeyReusePeriodSeconds":59}`, broken + "'59' at 'encryptionConfiguration.kmsDataKeyReusePeriodSeconds' failed to satisfy constraint: Member must have value greater than or equal to 60"},
		{"encryptionConfiguration", `{"kmsKeyId":"` + key + `"}`, broken + "null at 'encryptionConfiguration.type' failed to satisfy constraint: Member must not be null"},
	}
	h := serve(t)
	for i, tt := range tests {
		refused := !strings.HasPrefix(tt.want, "{")
		check := func(operation, body, describe string) {
			t.Helper()
			status, v := post(t, h, operation, body)
			got := v.Get("__type").Str() + ": " + v.Get("message").Str()
			if status == http.StatusOK {
				_, v = post(t, h, "Describe"+strings.TrimPrefix(operation, "Create"), describe)
				got = v.Get(tt.member).String()
			}
			if got != tt.want {
				t.Errorf("%s with %s\n got %s\nwant %s", operation, tt.given, got, tt.want)
			}
		}
		name := fmt.Sprintf("m%d", i)
		arn := "arn:aws:states:us-east-1:000000000000:stateMachine:" + name
		check("CreateStateMachine", fmt.Sprintf(`{"name":%q,"roleArn":%q,%s,%q:%s}`, name, role, passes("x"), tt.member, tt.given), `{"stateMachineArn":"`+arn+`"}`)
		if tt.member == "encryptionConfiguration" {
			check("CreateActivity", fmt.Sprintf(`{"name":%q,"encryptionConfiguration":%s}`, name, tt.given), `{"activityArn":"arn:aws:states:us-east-1:000000000000:activity:`+name+`"}`)
		}
		if refused {
			continue
		}
		// The same again is idempotent, with its defaults too; and it is no
		// change of the machine.
		for _, given := range []string{tt.given, tt.want} {
			must(t, h, "CreateStateMachine", fmt.Sprintf(`{"name":%q,"roleArn":%q,%s,%q:%s}`, name, role, passes("x"), tt.member, given))
			if v := must(t, h, "UpdateStateMachine", fmt.Sprintf(`{"stateMachineArn":%q,%q:%s}`, arn, tt.member, given)); v.Get("revisionId").Str() != "" {
				t.Errorf("an update with the same %s made revision %v", given, v)
			}
		}
	}
	must(t, h, "CreateActivity", `{"name":"a"}`)
	must(t, h, "CreateActivity", `{"name":"a","encryptionConfiguration":`+owned+`,"tags":[{"key":"k","value":"v"}]}`)
	converse(t, h, []call{
		{"CreateActivity", `{"name":"a","encryptionConfiguration":` + managed + `}`, "ActivityAlreadyExists: Activity Already Exists: 'arn:aws:states:us-east-1:000000000000:activity:a'"},
	})
}

// TestTagsAreChecked: their number, keys and lengths.
func TestTagsAreChecked(t *testing.T) {
	h := serve(t)
	machine(t, h, "m", "STANDARD")
	list := func(n int) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf(`{"key":"k%d","value":"v"}`, i)
		}
		return `"tags":[` + strings.Join(items, ",") + `]`
	}
	const resource = `"resourceArn":"SM"`
	long := strings.Repeat("k", 129)
	converse(t, h, []call{
		{"CreateStateMachine", `{"name":"n","roleArn":"` + role + `",` + passes("x") + `,` + list(51) + `}`, "TooManyTags: Too Many Tags: 'arn:aws:states:us-east-1:000000000000:stateMachine:n'"},
		{"CreateActivity", `{"name":"n",` + list(51) + `}`, "TooManyTags: Too Many Tags: 'arn:aws:states:us-east-1:000000000000:activity:n'"},
		{"TagResource", `{` + resource + `,` + list(50) + `}`, `{}`},
		{"TagResource", `{` + resource + `,"tags":[{"key":"k1","value":"w"}]}`, `{}`},
		{"TagResource", `{` + resource + `,"tags":[{"key":"more","value":"w"}]}`, "TooManyTags: Too Many Tags: 'SM'"},
		{"TagResource", `{` + resource + `,"tags":[{"key":"aws:x","value":"w"}]}`, "ValidationException: The key of a tag cannot begin with aws: 'aws:x'"},
		{"TagResource", `{` + resource + `,"tags":[{"key":"","value":"w"}]}`, "ValidationException: 1 validation error detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"UntagResource", `{` + resource + `,"tagKeys":["k","` + long + `"]}`, "ValidationException: 1 validation error detected: Value '[k, " + long + "]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]"},
		{"StartExecution", `{"stateMachineArn":"SM","traceHeader":"Root=é"}`, `ValidationException: 1 validation error detected: Value 'Root=é' at 'traceHeader' failed to satisfy constraint: Member must satisfy regular expression pattern: \p{ASCII}*`},
	})
}

// TestPageTokensExpire: after a day, and they are for one list only.
func TestPageTokensExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t)
		arn := machine(t, h, "m", "STANDARD")
		machine(t, h, "n", "STANDARD")
		for i := range 3 {
			must(t, h, "UpdateStateMachine", fmt.Sprintf(`{"stateMachineArn":%q,%s,"publish":true}`, arn, passes(fmt.Sprint(i))))
			must(t, h, "CreateStateMachineAlias", fmt.Sprintf(`{"name":"a%d","routingConfiguration":[{"stateMachineVersionArn":"%s:1","weight":100}]}`, i, arn))
			must(t, h, "StartExecution", `{"stateMachineArn":"`+arn+`:1"}`)
		}
		lists := map[string]string{
			"ListStateMachines": `{`, "ListStateMachineVersions": `{"stateMachineArn":"` + arn + `",`,
			"ListStateMachineAliases": `{"stateMachineArn":"` + arn + `",`, "ListExecutions": `{"stateMachineArn":"` + arn + `:1",`,
		}
		tokens := make(map[string]string)
		for operation, body := range lists {
			tokens[operation] = must(t, h, operation, body+`"maxResults":1}`).Get("nextToken").Str()
		}
		invalid := func(operation, body string) {
			t.Helper()
			if status, v := post(t, h, operation, body); status != http.StatusBadRequest || v.Get("__type").Str() != "InvalidToken" {
				t.Errorf("%s %s: %d %v", operation, body, status, v)
			}
		}
		for operation, body := range lists {
			for of, token := range tokens {
				if of != operation {
					invalid(operation, body+`"nextToken":"`+token+`"}`)
				}
			}
			must(t, h, operation, body+`"maxResults":1000,"nextToken":"`+tokens[operation]+`"}`)
		}
		invalid("ListExecutions", `{"stateMachineArn":"`+arn+`","nextToken":"`+tokens["ListExecutions"]+`"}`)
		invalid("ListStateMachineAliases", `{"stateMachineArn":"`+arn+`:1","nextToken":"`+tokens["ListStateMachineAliases"]+`"}`)
		time.Sleep(24*time.Hour + 2*time.Second)
		for operation, body := range lists {
			invalid(operation, body+`"nextToken":"`+tokens[operation]+`"}`)
		}
	})
}
