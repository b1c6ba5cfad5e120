package engine

import (
	"context"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
)

// pace begins to pace work for a tenant that ends with the context.
func (e *Engine) pace(ctx context.Context, t catalogue.Tenant, id store.ExecutionID) *paced {
	p := &paced{e: e, tenant: t, id: id}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	return p
}

// Paced paces an evaluation that belongs to no execution: pace is for
// interpreter.Env. It ends when the context does, with its cause. done must be
// called.
func (e *Engine) Paced(ctx context.Context, t catalogue.Tenant) (pace func(work, held int64) error, done func()) {
	p := e.pace(ctx, t, store.ExecutionID{})
	return p.on, p.end
}

// turnBytes is how many bytes of a request, a definition or a history are worked on
// without a turn.
const turnBytes = 32 << 10

// Turn waits for a turn for work on so many bytes: what is parsed, checked or
// encoded of requests takes turns with the long steps of executions, tenant by
// tenant, so that one who has much of it does not keep others waiting. done ends the
// turn; nothing that waits is done before. Few bytes need none. The error is the
// context's cause.
func (e *Engine) Turn(ctx context.Context, t catalogue.Tenant, bytes int) (done func(), err error) {
	e.pacer.seen(t)
	if bytes < turnBytes || e.simulated {
		return func() {}, nil
	}
	if err := e.pacer.turns.take(ctx, t); err != nil {
		return nil, err
	}
	return func() { e.pacer.turns.give(t) }, nil
}
