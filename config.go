package steppe

import (
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
)

// Defaults of what a caller's credentials do not tell.
const (
	DefaultAccount = "000000000000"
	DefaultRegion  = "us-east-1"
)

// Config says what a server is to be. The zero value is a server that keeps
// everything in memory.
type Config struct {
	// Dir is the data directory; "" keeps everything in memory.
	Dir string
	// Account and Region are those of callers whose credentials tell none.
	// Functions are the account's, too.
	Account, Region string
	// Keys are what requests must be signed with (AWS Signature Version 4);
	// without any, requests are believed. A key belongs to an account.
	Keys []Key
	// AllowedHosts are names by which a server without keys may be called, beside
	// localhost and the addresses that connections come in at: else any page that
	// a browser near it shows could call it under a name of its own. "*" is any.
	AllowedHosts []string
	// AllowedOrigins are those of the web pages that may call the server, as in
	// "https://console.example"; its own may always.
	AllowedOrigins []string
	// MaxRequests is how many requests of a tenant may be performed at once, long
	// polls among them; 0: any number.
	MaxRequests int
	// OpenFiles is how many tables the store may have open, some 1000 when 0.
	OpenFiles int
	// Quotas has callers throttled as on AWS.
	Quotas bool
	// Audit is written a line of JSON for each request that changes something;
	// nil: none. Close closes it if it is an io.Closer.
	Audit io.Writer
	// Functions are the Lambda functions run on this machine. Open performs the
	// tasks again that were under way when the data directory was last open. Those
	// that call a function which was called before and is not here wait for it, also
	// in a later life of the data directory (see [Function.Removed]).
	Functions []Function
	// FindFunction, where it is set, is asked for functions that tasks call and that
	// are not among Functions: they may have come since.
	FindFunction func(name string) (Function, bool)
	// LambdaEndpoint is the URL of a server with Lambda's Invoke operation, for
	// the functions that are not among Functions; "" for none.
	LambdaEndpoint string
	// LambdaEndpointAccount is whose functions these are, as for
	// [Function.Account].
	LambdaEndpointAccount string
	// URL is that of the server where it is known beforehand: functions are told
	// it as AWS_ENDPOINT_URL_SFN.
	URL string
	// Perform, where it is set, performs the tasks of all services, functions
	// among them unless Functions are given.
	Perform integration.Integration
	// Mock, where it is set, performs all tasks instead of functions, services
	// and the workers of activities.
	Mock integration.Runner
	// TestCases returns the mocks of a test case of a state machine, nil for one that is
	// not there: StartExecution and StartSyncExecution take the ARN of a state machine
	// with #TESTCASE behind it, as Step Functions Local does. It makes a new one for
	// each execution. They are forgotten when the server is closed, so it must keep
	// nothing (Dir).
	TestCases func(machine, testCase string) TestCase
	// VirtualTime has the clock jump to the next timer whenever nothing else is
	// under way: a Wait of a year takes no time. The clock stands while somebody owes
	// an answer, so that a program can give it: who has a task token, the workers of
	// activities, functions. [Server.Advance] has such time pass.
	VirtualTime bool
	// Unattended says that activities have no workers: their tasks do not hold a
	// virtual clock, and time out.
	Unattended bool
	// AcceptLoss opens a data directory that does not hold all that was
	// acknowledged, after telling the logger what is lost. Otherwise Open returns a
	// *pebble.LossError.
	AcceptLoss bool
	// Retention is how long executions are kept after their end, 90 days when
	// 0. The tag steppe:retention of a state machine sets its own.
	Retention time.Duration
	// EncryptionKeys are the customers' keys that the encryption configurations
	// of state machines and activities name. Without any nothing is encrypted; with
	// some, a configuration that names another key is refused. A key without an
	// account is of the account that its ID names, or else of Account; "*" stands
	// for all accounts.
	EncryptionKeys []catalogue.EncryptionKey
	// Index names the values of inputs and outputs by which executions are
	// found fast: "input.orderId".
	Index []string
	// Limits bounds executions; the zero value stands for AWS's quotas.
	Limits interpreter.Limits
	// Memory bounds, in bytes, what steps of executions under way hold together,
	// and sizes the store's cache; engine.DefaultMemory when 0.
	Memory int64
	// Logger is told what operators should know; nil discards it.
	Logger *slog.Logger
	// Listener is told what the engine does: steps, tasks, commits, shards. Its
	// funcs must not block.
	Listener engine.Listener
	// FunctionLog is told what functions print, line by line; nil logs it.
	FunctionLog func(function, line string)

	signedSince  time.Time      // requests that change something, where there are keys
	anyARN       bool           // ARNs of all accounts name the functions of the server
	functionKeys map[string]Key // what functions call the server with, by account
}

// Key is an access key: what a caller signs requests with.
type Key struct {
	ID, Secret string
	// Account is whose the key is.
	Account string
	// Regions are those it is good for; none: all.
	Regions []string
}

// ownedKeys are the encryption keys with the accounts that they belong to.
func ownedKeys(cfg *Config) []catalogue.EncryptionKey {
	keys := slices.Clone(cfg.EncryptionKeys)
	for i := range keys {
		switch k := &keys[i]; {
		case k.Account == "*":
			k.Account = ""
		case k.Account == "" && !strings.HasPrefix(k.ID, "arn:"):
			k.Account = cfg.Account
		}
	}
	return keys
}
