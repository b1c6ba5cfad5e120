package engine

import (
	"context"
	"log/slog"
)

// Drain has no task begin any more and waits until those that are being performed
// have ended, and what they bring about is durable, or the context ends: what is
// under way then is logged, and performed again by the next engine, as
// is what has not begun. All else goes on; Close follows.
func (e *Engine) Drain(ctx context.Context) {
	p := &e.pools
	p.mu.Lock()
	if p.drained == nil {
		p.drained = make(chan struct{})
		if len(p.performed) == 0 {
			close(p.drained)
		}
	}
	drained, n := p.drained, len(p.performed)
	p.mu.Unlock()
	if n > 0 {
		e.log.Info("waiting for tasks under way", slog.Int("tasks", n))
	}
	select {
	case <-drained:
		return
	case <-ctx.Done():
	}
	for _, t := range e.pools.underWay() {
		e.log.Warn("a task is cut; the next server performs it again, with the same idempotency key",
			slog.String("executionArn", t.m.ExecutionARN()), slog.Int64("event", t.id.event),
			slog.String("idempotencyKey", idempotency(t.id.execution, t.id.event)))
	}
}

// Draining reports whether [Engine.Drain] was called: tasks do not begin any more.
func (e *Engine) Draining() bool {
	e.pools.mu.Lock()
	defer e.pools.mu.Unlock()
	return e.pools.drained != nil
}
