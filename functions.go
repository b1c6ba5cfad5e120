package steppe

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/steppehq/steppe/integration/lambda"
)

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
