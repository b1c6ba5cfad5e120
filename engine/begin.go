package engine

import (
	"context"
	"errors"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
)

// StartOf makes the request that starts an execution of what an ARN leads to.
// An alias picks one of its versions at random. store.ErrNotFound, ErrDeleting.
func (e *Engine) StartOf(ctx context.Context, arn string) (StartRequest, error) {
	var (
		t   catalogue.Target
		err error
	)
	for range attempts {
		if t, err = e.catalogue.Resolve(ctx, arn); err != nil {
			return StartRequest{}, err
		}
		req, number := StartRequest{Machine: t.Machine}, t.Version
		if t.Alias != nil {
			number, req.AliasARN = e.catalogue.Pick(t.Alias), t.Machine.AliasARN(t.Alias.Name)
			req.Machine, err = e.catalogue.MachineAt(ctx, t.Machine, number)
			if errors.Is(err, store.ErrNotFound) {
				continue // the alias has been changed, and the version deleted
			}
		}
		if number > 0 {
			req.VersionARN = t.Machine.VersionARN(number)
		}
		return req, err
	}
	return StartRequest{}, err
}
