package engine

import (
	"log/slog"

	"github.com/steppehq/steppe/catalogue"
)

// awaitKey tells operators, once for each key, that executions wait for one that
// is missing. They do so until an engine has it.
func (e *Engine) awaitKey(missing *catalogue.KeyError) {
	if _, told := e.awaited.LoadOrStore(*missing, true); !told {
		e.log.Error("executions wait until the server is started with their encryption key", slog.String("kmsKeyId", missing.ID), slog.Any("error", missing))
	}
}
