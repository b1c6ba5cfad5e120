package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// Open acquires the store's shards and takes up the executions that run in
// them: their timers are set, and the effects whose outcome was not recorded
// are performed again. The engine works as soon as [Engine.Run] does.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	e := &Engine{cfg: cfg.withDefaults(), store: cfg.Store}
	e.log = e.cfg.Logger
	e.closing, e.close = context.WithCancel(context.Background())
	if e.simulated = e.cfg.Go != nil; !e.simulated {
		e.cfg.Go = (&workers{closing: e.closing.Done()}).start
	}
	e.timers.init(e)
	e.duties.init(e)
	e.under.init()
	e.virtual = virtual{clock: e.cfg.Virtual, asked: make(chan *advance)}
	e.residency.limit = int(e.cfg.Memory / 2)
	e.pacer = newPacer(e.cfg.Memory, e.cfg.Limits.Bytes+int64(e.cfg.Limits.RunAheadBytes))
	e.pools.init(e)
	e.jobs.init(e)
	e.letters.init(e)
	e.activities.init()
	var err error
	e.catalogue, err = catalogue.New(catalogue.Config{
		Store: cfg.Store, EncryptionKeys: e.cfg.EncryptionKeys, Quotas: e.cfg.Quotas, Turn: e.Turn,
		Offer: asl.Offer{Recognized: e.cfg.Recognized, Lacks: e.cfg.Integrations.Lacks},
		Clock: e.cfg.Clock, Random: e.cfg.Random, Logger: e.log,
	})
	if err != nil {
		return nil, err
	}
	e.stored = stored.New(cfg.Store, e.catalogue)
	if err := e.loadKeys(ctx); err != nil {
		return nil, err
	}
	if err := e.catalogue.Reencrypt(ctx); err != nil {
		return nil, err
	}
	if err := e.suspects.open(ctx, e); err != nil {
		return nil, err
	}
	if err := e.index.Open(ctx, e.store, e.cfg.Index, e.Now()); err != nil {
		return nil, err
	}
	if err := e.deletions.open(ctx, e); err != nil {
		return nil, err
	}
	if err := e.shifts.open(ctx, e); err != nil {
		return nil, err
	}
	e.shards = make([]*shard, cfg.Store.Shards())
	for i := range e.shards {
		e.shards[i] = newShard(store.ShardID(i))
	}
	if err := e.acquireAll(ctx); err != nil {
		return nil, err
	}
	e.deletions.resume(e)
	return e, nil
}

func (cfg Config) withDefaults() Config {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Limits == (interpreter.Limits{}) {
		cfg.Limits = interpreter.AWSLimits
	}
	if cfg.Retention == 0 {
		cfg.Retention = 90 * 24 * time.Hour
	}
	if cfg.Concurrency == 0 {
		cfg.Concurrency = 256
	}
	if cfg.MaxQueued == 0 {
		cfg.MaxQueued = 200_000
	}
	if cfg.Memory == 0 {
		cfg.Memory = DefaultMemory
	}
	if cfg.Virtual != nil {
		cfg.Clock = cfg.Virtual.Now
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	return cfg
}

// loadKeys reads the keys that task tokens are made with, or makes the first.
func (e *Engine) loadKeys(ctx context.Context) error {
	if err := e.catalogue.MakeTokenKey(ctx); err != nil {
		return err
	}
	keys, err := e.catalogue.TokenKeys(ctx)
	if err != nil {
		return err
	}
	e.tokens.key, e.tokens.others = keys[0], keys[1:]
	return nil
}

// Close stops taking up work, waits for commits and tasks under way to notice,
// and releases the shards. The store stays open.
func (e *Engine) Close(ctx context.Context) error {
	e.close()
	done := make(chan struct{})
	go func() {
		e.work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	var failed error
	for _, s := range e.shards {
		if h := s.handle(); h != nil {
			failed = errors.Join(failed, h.Release(ctx))
		}
	}
	return failed
}
