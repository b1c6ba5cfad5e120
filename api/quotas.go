package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/steppehq/steppe/aws/server"
)

// throttle is a token bucket: its size, and how many tokens come back a second.
type throttle struct{ bucket, refill float64 }

// throttles are AWS's quotas of API calls in its largest Regions (Step Functions
// quotas, "Throttling of API actions"). Those that are not here have the last.
var throttles = map[string]throttle{
	"DescribeActivity":                 {200, 1},
	"DescribeExecution":                {300, 15},
	"DescribeStateMachine":             {200, 20},
	"DescribeStateMachineForExecution": {200, 1},
	"GetActivityTask":                  {3000, 500},
	"GetExecutionHistory":              {400, 20},
	"ListActivities":                   {100, 10},
	"ListExecutions":                   {200, 5},
	"ListStateMachines":                {100, 5},
	"RedriveExecution":                 {1300, 300},
	"SendTaskFailure":                  {3000, 500},
	"SendTaskHeartbeat":                {3000, 500},
	"SendTaskSuccess":                  {3000, 500},
	"StartExecution":                   {1300, 300},
	"StartSyncExecution":               {6000, 6000},
	"StopExecution":                    {1000, 200},
	"TagResource":                      {200, 1},
	"TestState":                        {50, 10},
	"UntagResource":                    {200, 1},
	"":                                 {100, 1},
}

// quotas throttles callers: each tenant has a bucket for each operation.
type quotas struct {
	clock func() time.Time

	mu      sync.Mutex
	buckets map[quotaKey]*rate.Limiter
}

type quotaKey struct{ account, region, operation string }

// maxBuckets bounds the buckets; when there are more, all are full again.
const maxBuckets = 100_000

// newQuotas makes quotas of which nothing was used yet.
func newQuotas(clock func() time.Time) *quotas {
	return &quotas{clock: clock, buckets: make(map[quotaKey]*rate.Limiter)}
}

// admit takes a token for a request. It is false when there is none.
func (q *quotas) admit(r *server.Request) bool {
	key := quotaKey{r.Account, r.Region, r.Operation}
	q.mu.Lock()
	limiter := q.buckets[key]
	if limiter == nil {
		t, known := throttles[r.Operation]
		if !known {
			t = throttles[""]
		}
		if len(q.buckets) >= maxBuckets {
			clear(q.buckets)
		}
		limiter = rate.NewLimiter(rate.Limit(t.refill), int(t.bucket))
		q.buckets[key] = limiter
	}
	q.mu.Unlock()
	return limiter.AllowN(q.clock(), 1)
}
