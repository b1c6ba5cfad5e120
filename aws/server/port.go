package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/steppehq/steppe/internal/door"
)

// Port is what all services share that are served at one port.
type Port struct {
	// Authorizer reports whose a request is, and refuses those that no key has
	// signed who may.
	Authorizer *Authorizer
	// Bodies and Answers bound what all requests and answers hold together.
	Bodies, Answers *door.Budget
	// Turn waits until so many bytes of a request may be worked on, and returns what
	// ends that; nil: at once.
	Turn func(ctx context.Context, r *Request, bytes int) (done func(), err error)
	// UnderWay bounds the requests of a tenant that are performed at once.
	UnderWay door.Gate[Tenant]
	// Audit is called with each request that changes something, or tried to, after
	// it was performed; nil: nothing is.
	Audit func(r *Request, err error)
	Log   *slog.Logger
}

const (
	// heldBytes is what all bodies may take together, and all answers, and
	// patience how long a request waits for its part.
	heldBytes = 128 << 20
	patience  = 5 * time.Second
	// stall is how long a caller that neither sends nor reads is waited for when
	// others want its part.
	stall = time.Second
)

// NewPort returns a port without audit and turns, which are the caller's to add
// before it serves; atOnce is how many requests of a tenant may be performed at
// once, 0 for any number.
func NewPort(a *Authorizer, atOnce int, log *slog.Logger) *Port {
	return &Port{
		Authorizer: a, UnderWay: door.Gate[Tenant]{Most: atOnce}, Log: log,
		Bodies:  &door.Budget{Bytes: heldBytes, Patience: patience, Stall: stall},
		Answers: &door.Budget{Bytes: heldBytes, Patience: patience, Stall: stall},
	}
}

// Tenant is an account in a region.
type Tenant struct{ Account, Region string }
