// Package steppe runs Amazon States Language state machines durably and
// answers the AWS Step Functions API.
//
// [Open] makes a server of a [Config]: an http.Handler for the API, and the
// engine behind it. It is the one room that knows every concrete type, and the
// door for Go programs that embed the engine:
//
//	greet := steppe.GoFunction("greet", func(ctx context.Context, in Input) (Output, error) { … })
//	server, err := steppe.Open(steppe.Config{Dir: "data", Functions: []steppe.Function{greet}})
//	http.ListenAndServe("127.0.0.1:8083", server.Handler())
//
// Stability: may move in any minor release.
package steppe

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe/api"
	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/awssdk"
	"github.com/steppehq/steppe/integration/lambda"
	"github.com/steppehq/steppe/internal/awsjson"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/store/pebble"
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
	// TestCases gives the mocks of a test case of a state machine, nil for one that is
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
	// Unattended tells that activities have no workers: their tasks do not hold a
	// virtual clock, and time out.
	Unattended bool
	// AcceptLoss opens a data directory that does not hold all that was
	// acknowledged, after telling the logger what is lost. Otherwise Open gives a
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
	EncryptionKeys []engine.EncryptionKey
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
	// Observe is told of each step of each execution after it was committed.
	// It must not block.
	Observe func(engine.Step)
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

// Server is a running house. Its methods may be called from any goroutine.
type Server struct {
	engine    *engine.Engine
	store     store.Store
	functions *lambda.Functions
	handler   http.Handler
	account   string
	region    string
	homes     []string // the accounts whose functions are that say nothing else
	registry  *integration.Registry
	testCases *testCases // nil where there are none
	audit     io.Closer

	stop context.CancelFunc
	done sync.WaitGroup
}

// Open starts a server. Executions that were running when the data directory
// was last open go on. Close must be called.
func Open(cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.TestCases != nil && cfg.Dir != "" {
		return nil, errors.New("steppe: a server with test cases keeps nothing: after a restart their executions would go on without mocks")
	}
	homes := homeAccounts(&cfg)
	cfg.anyARN = cfg.Account == "" && len(cfg.Keys) == 0
	if cfg.Account == "" {
		cfg.Account = DefaultAccount
	}
	if cfg.Region == "" {
		cfg.Region = DefaultRegion
	}
	cfg.signedSince = signedSince(cfg.Dir)
	db, err := openStore(&cfg)
	if err != nil {
		return nil, err
	}
	memory, err := openFunctionMemory(context.Background(), db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	functions, err := openFunctions(&cfg, homes, memory)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Server{functions: functions, store: db, account: cfg.Account, region: cfg.Region, homes: homes}
	if cfg.TestCases != nil {
		s.testCases = &testCases{find: cfg.TestCases}
	}
	registry := performers(&cfg, functions)
	s.registry = registry
	ec := engine.Config{
		Store: s.store, Integrations: registry, Logger: cfg.Logger, Limits: cfg.Limits, Observe: cfg.Observe,
		Retention: cfg.Retention, Index: cfg.Index, EncryptionKeys: ownedKeys(&cfg), Memory: cfg.Memory, Unattended: cfg.Unattended,
		Mock: mocked(&cfg, s.testCases),
	}
	if db, ok := s.store.(*pebble.DB); ok {
		ec.Marks = db.Marks()
	}
	if cfg.VirtualTime {
		ec.Virtual = engine.NewVirtualClock(time.Now())
	}
	if cfg.Mock != nil {
		ec.Concurrency = 1 // mocks answer in the order in which tasks are scheduled
	}
	s.engine, err = engine.Open(context.Background(), ec)
	if err != nil {
		return nil, errors.Join(err, s.store.Close(), functions.Close())
	}
	if s.handler, err = s.open(&cfg, registry); err != nil {
		return nil, errors.Join(err, s.engine.Close(context.Background()), s.store.Close(), functions.Close())
	}
	run, stop := context.WithCancel(context.Background())
	s.stop = stop
	if cfg.FindFunction != nil {
		functions.Find(func(name string) (lambda.Function, []string) { return s.find(&cfg, name) })
		s.done.Go(func() { s.probe(run) })
	}
	s.done.Go(func() { s.engine.Run(run) })
	return s, nil
}

// performers finds who performs the tasks of a server.
func performers(cfg *Config, functions *lambda.Functions) *integration.Registry {
	registry := new(integration.Registry)
	switch {
	case cfg.Mock != nil:
		registry.Register("*", cfg.Mock)
		return registry
	case cfg.Perform != nil:
		registry.Register("*", cfg.Perform)
	case cfg.TestCases != nil:
		registry.Register("*", unperformed{})
	}
	if cfg.Perform == nil || len(cfg.Functions) > 0 {
		registry.Register(integration.FunctionService, functions.ByARN())
		registry.Register("lambda", functions.Optimized())
	}
	return registry
}

// mocked returns what stands for tasks instead of what performs them (engine.Config.Mock);
// nil where nothing does.
func mocked(cfg *Config, cases *testCases) func(executionARN, state string) integration.Runner {
	switch {
	case cfg.Mock != nil:
		return func(string, string) integration.Runner { return cfg.Mock }
	case cfg.TestCases != nil:
		return cases.mock
	}
	return nil
}

// offer is what a definition is held against.
func offer(registry *integration.Registry) asl.Offer {
	return asl.Offer{Recognized: awssdk.Recognizer(), Lacks: registry.Lacks}
}

// OfferOf tells what a server of that configuration would perform, for those who
// examine a definition for it. It is for one goroutine.
func OfferOf(cfg Config) asl.Offer { return offer(performers(&cfg, lambda.NewFunctions())) }

// open makes the handler of the API.
func (s *Server) open(cfg *Config, registry *integration.Registry) (http.Handler, error) {
	ac := api.Config{
		Engine: s.engine, Integrations: registry, Log: cfg.Logger, Account: cfg.Account, Region: cfg.Region, Quotas: cfg.Quotas,
		Hosts: cfg.AllowedHosts, Origins: cfg.AllowedOrigins, UnderWay: cfg.MaxRequests,
		Ready: s.ready,
	}
	if s.testCases != nil {
		ac.TestCase = s.testCases.choose
	}
	for _, k := range cfg.Keys {
		ac.Keys = append(ac.Keys, awsjson.Key(k))
	}
	if cfg.Audit != nil {
		audit := awsjson.NewAuditLog(cfg.Audit, cfg.Logger)
		ac.Audit, s.audit = audit.Write, audit
	}
	if len(cfg.Keys) > 0 && cfg.Dir != "" {
		memory, err := openSignatures(context.Background(), s.store)
		if err != nil {
			return nil, err
		}
		ac.Memory, ac.Since = memory, cfg.signedSince
		time.Sleep(time.Until(ac.Since))
	}
	return api.New(ac)
}

// signedSince is from when on requests must be signed that a server with this data
// directory takes, which begins then: what was signed in this second may have been
// received by the server before it, for signatures tell no more of their time. It is
// zero where none was before.
func signedSince(dir string) time.Time {
	if entries, err := os.ReadDir(dir); dir == "" || err != nil || len(entries) == 0 {
		return time.Time{}
	}
	return time.Now().Truncate(time.Second).Add(time.Second)
}

// ownedKeys are the encryption keys with the accounts that they belong to.
func ownedKeys(cfg *Config) []engine.EncryptionKey {
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

// smallestCache is what the store's cache needs to hold anything beside what waits
// to be flushed.
const smallestCache = 96 << 20

func openStore(cfg *Config) (store.Store, error) {
	if cfg.Dir == "" {
		return memory.New(memory.Options{}), nil
	}
	var cache int64
	if cfg.Memory > 0 {
		cache = max(cfg.Memory, smallestCache)
	}
	return pebble.Open(cfg.Dir, pebble.Options{Logger: cfg.Logger, AcceptLoss: cfg.AcceptLoss, OpenFiles: cfg.OpenFiles, CacheSize: cache})
}

// ready tells why the server should get no new work now.
func (s *Server) ready() error {
	if s.engine.Draining() {
		return errors.New("the server is about to end")
	}
	if db, ok := s.store.(store.Maintained); ok && db.Full() {
		return store.ErrFull
	}
	return nil
}

// Advance lets time pass where time is virtual ([Config.VirtualTime]), also while
// somebody owes an answer, and gives the time then. What becomes due on the way,
// and what that brings about, is done when it returns.
func (s *Server) Advance(ctx context.Context, by time.Duration) (time.Time, error) {
	return s.engine.Advance(ctx, by)
}

// Handler answers the API.
func (s *Server) Handler() http.Handler { return s.handler }

// Engine is the engine behind the API, for programs that start executions
// without HTTP.
func (s *Server) Engine() *engine.Engine { return s.engine }

// Running is how many executions run, those that wait among them.
func (s *Server) Running() int { return s.engine.Running() }

// Stats reports what the store of a server has written and holds; nothing for one
// that keeps everything in memory.
func (s *Server) Stats() store.Stats {
	if db, ok := s.store.(store.Maintained); ok {
		return db.Stats()
	}
	return store.Stats{}
}

// Compact rewrites the data directory, without what is obsolete. It is not
// needed, and takes long: the store compacts by itself.
func (s *Server) Compact(ctx context.Context) error {
	if db, ok := s.store.(store.Maintained); ok {
		return db.Compact(ctx)
	}
	return nil
}

// closeTimeout bounds how long Close waits for tasks under way.
const closeTimeout = 10 * time.Second

// Shutdown stops the server gently: no task begins any more, those under way may
// end until the context does, and then it closes. What is cut is told to the
// logger. Give callers of [Server.Handler] their answers first.
func (s *Server) Shutdown(ctx context.Context) error {
	s.engine.Drain(ctx)
	return s.Close()
}

// Close stops the server. Tasks under way are cut, and executions that run taken up
// again by the next Open (see [Server.Shutdown]).
func (s *Server) Close() error {
	s.stop()
	s.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := s.engine.Close(ctx)
	err = errors.Join(err, s.functions.Close(), s.store.Close())
	if s.audit != nil {
		err = errors.Join(err, s.audit.Close())
	}
	return err
}
