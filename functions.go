package steppe

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/steppehq/steppe/integration/lambda"
)

// Function is a Lambda function: a process on this machine, an HTTP URL, or Go
// code ([GoFunction]).
type Function struct {
	lambda.Process
	// URL is set for a function that an HTTP server performs.
	URL string
	// Account is whose function it is: others get the answer that they would get
	// if it were not there. "" stands for the server's own account, and for that of
	// the keys if these have only one and Config.Account is not set; "*" for all.
	Account string
	// Removed tells that the function was given up: tasks that call it fail with
	// Lambda.ResourceNotFoundException, and do not wait for it to come back.
	Removed bool

	code lambda.Function
}

// GoFunction is a Lambda function of that name in Go, of this process. In and
// Out are what encoding/json can decode and encode. An error becomes an Error
// Name: the name of its type, or what its method ErrorType() string gives.
func GoFunction[In, Out any](name string, fn func(ctx context.Context, in In) (Out, error)) Function {
	return Function{Process: lambda.Process{Name: name}, code: lambda.GoFunction(func(ctx context.Context, input json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, fmt.Errorf("the input of function %s: %w", name, err)
		}
		return fn(ctx, in)
	})}
}

// FunctionARN is the ARN by which Task states name a function of this server.
func (s *Server) FunctionARN(name string) string {
	return "arn:aws:lambda:" + s.region + ":" + s.account + ":function:" + name
}

// RegisterFunction makes a [GoFunction] available to a server that is open, as
// one of the server's account.
// Tasks that have called it before, in this or an earlier life of the data
// directory, and wait for it are performed then.
func RegisterFunction[In, Out any](s *Server, name string, fn func(ctx context.Context, in In) (Out, error)) {
	s.functions.Add(name, GoFunction(name, fn).code, s.homes...)
	s.engine.Retry(context.Background())
}

// IdempotencyKey gives the code of a [GoFunction], by the context that it is
// given, what tells the attempts of tasks apart: the same each time that the same
// attempt of the same task is performed, as after a crash. It is "" for other
// contexts.
func IdempotencyKey(ctx context.Context) string { return lambda.IdempotencyKey(ctx) }

// ClientContext gives the code of a [GoFunction], by the context that it is given,
// the client context with which lambda:invoke called it, as JSON (parameter
// ClientContext; Lambda API, Invoke). It is nil where there is none.
func ClientContext(ctx context.Context) json.RawMessage { return lambda.ClientContext(ctx) }

// CheckFunctions loads the code of the functions that are processes of this
// machine, as their first invocations would, and tells of each that fails. keep
// leaves the processes for these.
func (s *Server) CheckFunctions(ctx context.Context, keep bool, failed func(name string, err error)) {
	s.functions.Check(ctx, keep, failed)
}

// homeAccounts are those whose functions are that say nothing else. A server
// whose keys are all of one account has no other callers than its own program and
// that account's.
func homeAccounts(cfg *Config) []string {
	if cfg.Account != "" {
		return []string{cfg.Account}
	}
	homes := []string{DefaultAccount}
	for _, k := range cfg.Keys {
		if k.Account != cfg.Keys[0].Account {
			return homes
		}
	}
	if len(cfg.Keys) > 0 && cfg.Keys[0].Account != DefaultAccount {
		homes = append(homes, cfg.Keys[0].Account)
	}
	return homes
}

// accountsOf are those whose a function is. One that nobody can call is told
// about.
func accountsOf(cfg *Config, homes []string, what, account string) ([]string, error) {
	accounts := homes
	if account != "" {
		accounts = []string{account}
	}
	if account != lambda.AllAccounts && strings.ContainsFunc(account, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return nil, fmt.Errorf("steppe: the account %q of %s is none: it has twelve digits, or is * for all", account, what)
	}
	callable := len(cfg.Keys) == 0 || account == lambda.AllAccounts
	for _, k := range cfg.Keys {
		callable = callable || slices.Contains(accounts, k.Account)
	}
	if !callable {
		cfg.Logger.Warn("no key is of the account that it belongs to, so no caller reaches it; say whose it is (account: in steppe.yaml, --lambda-endpoint-account, or --account for all)",
			slog.String("of", what), slog.String("account", accounts[0]))
	}
	return accounts, nil
}

// openFunctions makes the set of a server's functions.
func openFunctions(cfg *Config, homes []string, memory *functionMemory) (*lambda.Functions, error) {
	set := lambda.NewFunctions()
	set.Remember(memory)
	if cfg.anyARN {
		set.AnyARN() // callers are believed, and definitions come with ARNs of accounts on AWS
	}
	addFunctionKeys(cfg)
	if cfg.LambdaEndpoint != "" {
		others, err := lambda.Endpoint(cfg.LambdaEndpoint)
		if err != nil {
			return nil, err
		}
		accounts, err := accountsOf(cfg, homes, "the Lambda endpoint", cfg.LambdaEndpointAccount)
		if err != nil {
			return nil, err
		}
		set.AddOthers(others, accounts...)
	}
	for _, f := range cfg.Functions {
		accounts, err := accountsOf(cfg, homes, "function "+f.Name, f.Account)
		if err != nil {
			return nil, errors.Join(err, set.Close())
		}
		if f.Removed {
			if err := memory.forget(context.Background(), f.Name, accounts); err != nil {
				return nil, errors.Join(err, set.Close())
			}
			continue
		}
		made, err := openFunction(cfg, homes, f)
		if err != nil {
			return nil, errors.Join(err, set.Close())
		}
		set.Add(f.Name, made, accounts...)
	}
	return set, nil
}

// addFunctionKeys makes a key for each account that has one: by it the functions of
// the account call the server. It is good in this life of the server.
func addFunctionKeys(cfg *Config) {
	keys := make(map[string]Key)
	for _, k := range cfg.Keys {
		if _, made := keys[k.Account]; !made && k.Account != "" {
			keys[k.Account] = Key{ID: "FUNCTION" + rand.Text(), Secret: rand.Text(), Account: k.Account}
		}
	}
	cfg.functionKeys = keys
	cfg.Keys = slices.Clone(cfg.Keys)
	for _, account := range slices.Sorted(maps.Keys(keys)) {
		cfg.Keys = append(cfg.Keys, keys[account])
	}
}

// credentials are what a function calls the server with, as one of the account that
// it belongs to: where no keys are checked the account is the ID.
func credentials(cfg *Config, homes []string, account string) (id, secret string) {
	if account == "" || account == lambda.AllAccounts {
		account = homes[len(homes)-1]
	}
	if len(cfg.Keys) == 0 {
		return account, "none"
	}
	k := cfg.functionKeys[account]
	return k.ID, k.Secret
}

// find asks for a function that is not in the set.
func (s *Server) find(cfg *Config, name string) (lambda.Function, []string) {
	f, ok := cfg.FindFunction(name)
	if !ok {
		return nil, nil
	}
	accounts, err := accountsOf(cfg, s.homes, "function "+name, f.Account)
	if err == nil {
		var made lambda.Function
		if made, err = openFunction(cfg, s.homes, f); err == nil {
			cfg.Logger.Info("a function has come", slog.String("function", name))
			s.engine.Retry(context.Background())
			return made, accounts
		}
	}
	cfg.Logger.Error("a function was found and cannot be used", slog.String("function", name), slog.Any("error", err))
	return nil, nil
}

// probeEvery is how often missing functions are looked for that tasks wait for.
const probeEvery = 2 * time.Second

func (s *Server) probe(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.engine.Probe(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func openFunction(cfg *Config, homes []string, f Function) (lambda.Function, error) {
	if f.code != nil {
		return f.code, nil
	}
	if f.URL != "" {
		return lambda.URLFunction(f.URL)
	}
	if f.Log == nil {
		f.Log = functionLog(cfg, f.Name)
	}
	if f.Region == "" {
		f.Region = cfg.Region
	}
	if f.EndpointURL == "" {
		f.EndpointURL = cfg.URL
		f.AccessKeyID, f.SecretAccessKey = credentials(cfg, homes, f.Account)
	}
	return lambda.NewProcess(f.Process)
}

func functionLog(cfg *Config, name string) func(lambda.Line) {
	if cfg.FunctionLog != nil {
		return func(line lambda.Line) { cfg.FunctionLog(name, line.Text) }
	}
	return func(line lambda.Line) {
		attributes := []any{slog.String("function", name)}
		if line.RequestID != "" {
			attributes = append(attributes, slog.String("executionArn", line.ExecutionARN), slog.String("requestId", line.RequestID))
		}
		cfg.Logger.Info(line.Text, attributes...)
	}
}
