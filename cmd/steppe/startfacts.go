package main

import (
	"log/slog"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/store/pebble"
)

// startFacts tells the log what a server has found when it began.
func startFacts(log *slog.Logger, cfg *steppe.Config, server *steppe.Server) {
	facts := []any{slog.String("version", version()), slog.Int("executions", server.Running())}
	if cfg.Dir != "" {
		facts = append(facts, slog.String("data", cfg.Dir), slog.Int("format", pebble.FormatVersion))
	}
	facts = append(facts, slog.Int("accessKeys", len(cfg.Keys)), slog.Int("encryptionKeys", len(cfg.EncryptionKeys)))
	if len(cfg.Index) > 0 {
		facts = append(facts, slog.Any("index", cfg.Index))
	}
	log.Info("started: executions that ran before go on", facts...)
}
