package api

import (
	"encoding/json"
	"regexp"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/value"
)

// Defaults of what a machine may leave out. What is the same is not kept, so
// that saying it makes no difference.
var (
	noLogging = []byte(`{"level":"OFF","includeExecutionData":false}`)
	noTracing = []byte(`{"enabled":false}`)
	ownedKey  = []byte(`{"type":"AWS_OWNED_KEY"}`)
)

// defaultReuse is how long a data key is used again where the configuration does
// not say, in seconds.
const defaultReuse = 300

// orElse is a configuration as answers show it: a default is not kept, but shown.
func orElse(given json.RawMessage, otherwise []byte) []byte {
	if len(given) == 0 {
		return otherwise
	}
	return given
}

// configurations is what a request says of logging, tracing and encryption: nil where it
// says nothing, and a pointer to nil where it names the default.
type configurations struct{ logging, tracing, encryption *json.RawMessage }

// orNil is a configuration to create a machine with, nil for the default.
func orNil(given *json.RawMessage) json.RawMessage {
	if given == nil {
		return nil
	}
	return *given
}

// configuration checks what a request says of logging, tracing and encryption.
func configuration(r *server.Request) (c configurations, err error) {
	var kept json.RawMessage
	if r.Has("loggingConfiguration") {
		if kept, err = logging(r.Input.Get("loggingConfiguration")); err != nil {
			return c, err
		}
		c.logging = new(kept)
	}
	if r.Has("tracingConfiguration") {
		enabled := r.Input.Get("tracingConfiguration").Get("enabled")
		if enabled.Kind() != value.Bool {
			return c, server.Fail("InvalidTracingConfiguration", "Invalid Tracing Configuration: 'enabled must be true or false'")
		}
		kept = nil
		if enabled.Bool() {
			kept = json.RawMessage(`{"enabled":true}`)
		}
		c.tracing = new(kept)
	}
	if r.Has("encryptionConfiguration") {
		if kept, err = encryption(r); err != nil {
			return c, err
		}
		c.encryption = new(kept)
	}
	return c, nil
}

// logGroup is the ARN of a log group with all its streams.
var logGroup = regexp.MustCompile(`^arn:[^:]+:logs:[^:]+:[^:]+:log-group:[^:]+:\*$`)

// logging checks a logging configuration and returns it with its defaults; nil
// when it is the default.
func logging(given value.Value) (json.RawMessage, error) {
	level, destinations := given.Get("level").Str(), given.Get("destinations")
	if level == "" {
		level = "OFF"
	}
	if n := destinations.Len(); n > 1 || n == 0 && level != "OFF" {
		return nil, server.Fail("InvalidLoggingConfiguration", "Invalid Logging Configuration: Must specify exactly one Log Destination.")
	}
	var o server.Object
	o.Str("level", level).Bool("includeExecutionData", given.Get("includeExecutionData").Bool())
	for _, destination := range destinations.Items() {
		arn := destination.Get("cloudWatchLogsLogGroup").Get("logGroupArn").Str()
		if !logGroup.MatchString(arn) {
			return nil, server.Fail("InvalidLoggingConfiguration", "Invalid Logging Configuration: Log Destination must be the ARN of a CloudWatch Logs log group that ends with ':*'. Received: '"+arn+"'")
		}
	}
	if destinations.Kind() == value.Array {
		o.Raw("destinations", destinations.Append(nil))
	}
	kept := o.JSON()
	if string(kept) == string(noLogging) {
		return nil, nil
	}
	return kept, nil
}

// kmsKey is a key's id or ARN, or an alias's name or ARN.
var kmsKey = regexp.MustCompile(`^(arn:[^:]+:kms:[^:]+:[0-9]{12}:(key|alias)/[a-zA-Z0-9/_-]+|alias/[a-zA-Z0-9/_-]+|(mrk-)?[0-9a-fA-F-]{32,36})$`)

// kmsAccessDenied is answered where a customer's key is needed and not there.
func kmsAccessDenied(missing *catalogue.KeyError) error {
	return server.Fail("KmsAccessDeniedException", "KMS Access Denied: '"+missing.Error()+"; the server must be started with a file of --encryption-keys that has it'")
}

// encryption checks the member encryptionConfiguration and returns it with its
// defaults; nil when it is the default.
func encryption(r *server.Request) (json.RawMessage, error) {
	refuse := func(message string) (json.RawMessage, error) {
		return nil, server.Fail("InvalidEncryptionConfiguration", "Invalid Encryption Configuration: '"+message+"'")
	}
	given := r.Input.Get("encryptionConfiguration")
	key, reuse := given.Get("kmsKeyId"), given.Get("kmsDataKeyReusePeriodSeconds")
	seconds, set := reuse.Int64()
	if given.Get("type").Str() != "CUSTOMER_MANAGED_KMS_KEY" {
		if key.Kind() == value.String || set {
			return refuse("kmsKeyId and kmsDataKeyReusePeriodSeconds are only for the type CUSTOMER_MANAGED_KMS_KEY")
		}
		return nil, nil
	}
	switch {
	case key.Kind() != value.String:
		return refuse("kmsKeyId must be specified for the type CUSTOMER_MANAGED_KMS_KEY")
	case !kmsKey.MatchString(key.Str()):
		return refuse("kmsKeyId is not the id or ARN of a key, or the name or ARN of an alias: " + key.Str())
	case !set:
		seconds = defaultReuse
	}
	var o server.Object
	return o.Str("kmsKeyId", key.Str()).Int("kmsDataKeyReusePeriodSeconds", seconds).Str("type", "CUSTOMER_MANAGED_KMS_KEY").JSON(), nil
}
