package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/steppehq/steppe/catalogue"
)

// SleepersResult is what was measured of executions that wait.
type SleepersResult struct {
	Sleepers int `json:"sleepers"`
	// Rate is how many were started in a second.
	Rate float64 `json:"startsPerSecond"`
	// Resident is the server's memory with all of them waiting, in bytes;
	// ResidentAfter the same after a restart.
	Resident      int64 `json:"residentBytes"`
	ResidentAfter int64 `json:"residentBytesAfterRestart"`
	// Restart is seconds from the start of the process to its first answer,
	// after it was killed.
	Restart float64 `json:"restartSeconds"`
	// LateP50 and LateP99 are how late timers fired, in milliseconds.
	LateP50 float64 `json:"lateP50Millis"`
	LateP99 float64 `json:"lateP99Millis"`
}

const sleeper = `{"StartAt":"W","States":{"W":{"Type":"Wait","SecondsPath":"$.s","Next":"E"},"E":{"Type":"Succeed"}}}`

// wakers are the executions whose timers fire while the others sleep.
const wakers = 5000

// MeasureSleepers has n executions wait for hours, kills the server, starts it
// again, and sees how late timers of others fire beside them.
func MeasureSleepers(ctx context.Context, n int, opts Options) (r SleepersResult, err error) {
	dir, err := os.MkdirTemp(opts.Dir, "steppe-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	command := append(slices.Clone(opts.Command), dir)
	p, err := Start(command)
	if err != nil {
		return r, err
	}
	arn, err := create(p.Address, &Workload{Kind: catalogue.Standard, Definition: sleeper})
	if err != nil {
		return r, errors.Join(err, p.Stop())
	}
	r.Sleepers = n
	begin := time.Now()
	if _, err := startMany(ctx, p.Address, arn, n, func(int) string { return seconds(24 * 3600) }); err != nil {
		return r, errors.Join(err, p.Stop())
	}
	r.Rate = float64(n) / time.Since(begin).Seconds()
	used, err := p.Usage(true)
	r.Resident = used.Resident
	if err != nil {
		return r, errors.Join(err, p.Stop())
	}
	if p, r.Restart, err = killed(p, command); err != nil {
		return r, err
	}
	used, err = p.Usage(true)
	r.ResidentAfter = used.Resident
	if err == nil {
		err = late(ctx, p.Address, arn, &r)
	}
	return r, errors.Join(err, p.Stop())
}

// startMany starts executions over many connections and returns their ARNs.
func startMany(ctx context.Context, address, arn string, n int, input func(i int) string) ([]string, error) {
	const connections = 128
	arns := make([]string, n)
	var next atomic.Int64
	failed := make([]error, connections)
	var wg sync.WaitGroup
	for k := range connections {
		wg.Go(func() {
			c, err := Dial(address)
			if err != nil {
				failed[k] = err
				return
			}
			defer c.Close() //nolint:errcheck // nothing is left in it
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				answer, err := c.Call("StartExecution", fmt.Sprintf(`{"stateMachineArn":%q,"input":%q}`, arn, input(i)))
				var started struct{ ExecutionArn string }
				if err == nil {
					err = json.Unmarshal(answer, &started)
				}
				if failed[k] = err; err != nil {
					return
				}
				arns[i] = started.ExecutionArn
			}
		})
	}
	wg.Wait()
	return arns, errors.Join(errors.Join(failed...), ctx.Err())
}

// seconds is the input of a sleeper.
func seconds(n int) string { return fmt.Sprintf(`{"s":%d}`, n) }

// late starts executions that wait for a few seconds, and reads from their
// histories how late they went on.
func late(ctx context.Context, address, arn string, r *SleepersResult) error {
	sleep := func(i int) int { return 3 + i%5 }
	arns, err := startMany(ctx, address, arn, wakers, func(i int) string { return seconds(sleep(i)) })
	if err != nil {
		return err
	}
	c, err := Dial(address)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing is left in it
	var lates []time.Duration
	for i, arn := range arns {
		if _, err := c.Get("/bench/wait?arn=" + url.QueryEscape(arn)); err != nil {
			return err
		}
		answer, err := c.Call("GetExecutionHistory", fmt.Sprintf(`{"executionArn":%q}`, arn))
		if err != nil {
			return err
		}
		var page struct {
			Events []struct {
				Type      string
				Timestamp float64
			}
		}
		if err := json.Unmarshal(answer, &page); err != nil {
			return err
		}
		if len(page.Events) < 3 {
			return fmt.Errorf("%s has %d events", arn, len(page.Events))
		}
		waited := page.Events[2].Timestamp - page.Events[1].Timestamp
		lates = append(lates, time.Duration((waited-float64(sleep(i)))*1e9))
	}
	slices.Sort(lates)
	r.LateP50, r.LateP99 = millis(percentile(lates, 50)), millis(percentile(lates, 99))
	return nil
}
