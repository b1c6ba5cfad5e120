package api

import (
	"context"
	"errors"
	"time"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/engine"
)

// showClock answers GET /api/v1/clock.
func (a *api) showClock(context.Context, *server.Request) ([]byte, error) {
	return a.clock(a.Engine.Now()), nil
}

// clock is the state of the clock: the time, whether it is virtual, and how many
// executions hold it, for which an answer is owed.
func (a *api) clock(now time.Time) []byte {
	var o server.Object
	virtual, owed := a.Engine.Virtual()
	return o.Time("now", now).Bool("virtual", virtual).Int("owed", int64(owed)).JSON()
}

// advanceClock answers POST /api/v1/clock: time passes, where it is virtual.
func (a *api) advanceClock(ctx context.Context, r *server.Request) ([]byte, error) {
	var in struct {
		Advance string `json:"advance"`
	}
	if err := body(r, &in); err != nil {
		return nil, err
	}
	by, err := engine.ParseDays(in.Advance)
	if err != nil || by < 0 {
		return nil, invalid("advance is how much time is to pass, as in 90s, 36h or 7d, not '" + in.Advance + "'")
	}
	now, err := a.Engine.Advance(ctx, by)
	if errors.Is(err, engine.ErrRealTime) {
		return nil, invalid("The clock is the real one and goes by itself: only a server with --time virtual has one that can be moved on.")
	}
	if err != nil {
		return nil, err
	}
	return a.clock(now), nil
}
