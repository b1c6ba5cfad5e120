package steppe

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/awssdk"
	"github.com/steppehq/steppe/integration/lambda"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/store/pebble"
)

// Open starts a server. Executions that were running when the data directory
// was last open continue. Close must be called.
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
		Store: s.store, Integrations: registry, Recognized: awssdk.Recognizer(), Logger: cfg.Logger, Limits: cfg.Limits, Listener: cfg.Listener,
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

// OfferOf reports what a server of that configuration would perform, for those who
// examine a definition for it. It is for one goroutine.
func OfferOf(cfg Config) asl.Offer { return offer(performers(&cfg, lambda.NewFunctions())) }
