package awsjson

import (
	"hash/maphash"
	"net/http"
	"sync"
	"time"
)

// invocationID and attempt are the headers by which SDKs tell one call from
// another, and its attempts from each other.
const (
	invocationID = "amz-sdk-invocation-id"
	attempt      = "amz-sdk-request"
)

// sameSecond is for how long a signature may come with other invocations.
const sameSecond = 2 * time.Second

// invocation tells calls with one signature from each other: that of AWS's
// SDKs for Python says no more of its time than the second, and a worker may
// well ask for its next task, in the same words, within a second. It is "" where
// the id is signed, or not there.
func (s *signature) invocation(r *http.Request) string {
	if s.covers(invocationID) || r.Header.Get(invocationID) == "" {
		return ""
	}
	return r.Header.Get(invocationID) + " " + r.Header.Get(attempt)
}

// replays remembers the signatures of requests for as long as they are valid,
// by the minute in which they expire.
type replays struct {
	mu      sync.Mutex
	seed    maphash.Seed
	buckets map[int64]map[uint64]time.Time // when a signature came
	swept   int64
}

// first reports whether a request is received for the first time: its signature
// is new, or has just come with another invocation.
func (r *replays) first(signature, invocation string, now, expires time.Time) bool {
	minute, current := expires.Unix()/60, now.Unix()/60
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buckets == nil {
		r.seed = maphash.MakeSeed()
		r.buckets = make(map[int64]map[uint64]time.Time)
	}
	if r.swept != current {
		r.swept = current
		for m := range r.buckets {
			if m < current {
				delete(r.buckets, m)
			}
		}
	}
	bucket := r.buckets[minute]
	if bucket == nil {
		bucket = make(map[uint64]time.Time)
		r.buckets[minute] = bucket
	}
	came, seen := bucket[maphash.String(r.seed, signature)]
	if !seen {
		bucket[maphash.String(r.seed, signature)] = now
	}
	if invocation == "" {
		return !seen
	}
	call := maphash.String(r.seed, signature+" "+invocation)
	if _, again := bucket[call]; again || seen && now.Sub(came) > sameSecond {
		return false
	}
	bucket[call] = now
	return true
}
