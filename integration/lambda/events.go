package lambda

import (
	"context"
	"net/http"
	"sync"
)

// Bounds of the invocations of a function that nobody waits for and that have
// not ended: how many, and the bytes of their payloads.
const (
	maxEvents     = 1000
	maxEventBytes = 16 << 20
)

// events are the invocations that nobody waits for.
type events struct {
	mu      sync.Mutex
	of      map[Function]backlog
	running map[*context.CancelFunc]struct{}
	stopped bool
}

// backlog is how many invocations of a function have not ended, and the bytes of
// their payloads.
type backlog struct {
	calls int
	bytes int64
}

// run accepts an invocation, and has it performed beside its caller. It is an
// error of the service when too many have not ended.
func (e *events) run(ctx context.Context, function Function, in Invocation) error {
	size := int64(len(in.Payload))
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.of[function]
	if e.stopped {
		cancel()
		return errStopped
	}
	if b.calls == maxEvents || b.bytes+size > maxEventBytes {
		cancel()
		return &ServiceError{Status: http.StatusTooManyRequests, Code: "TooManyRequestsException", Message: "Rate Exceeded.", RequestID: in.Idempotency}
	}
	if e.of == nil {
		e.of, e.running = make(map[Function]backlog), make(map[*context.CancelFunc]struct{})
	}
	e.of[function] = backlog{b.calls + 1, b.bytes + size}
	e.running[&cancel] = struct{}{}
	go func() {
		_, _ = function.Invoke(ctx, in) // nobody is told
		cancel()
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.running, &cancel)
		if b := e.of[function]; b.calls > 1 {
			e.of[function] = backlog{b.calls - 1, b.bytes - size}
		} else {
			delete(e.of, function)
		}
	}()
	return nil
}

// stop ends the invocations that nobody waits for.
func (e *events) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
	for cancel := range e.running {
		(*cancel)()
	}
}
