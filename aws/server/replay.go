package server

import (
	"hash/maphash"
	"net/http"
	"sync"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
)

// invocationID and attempt are the headers by which SDKs distinguish one call from
// another, and its attempts from each other.
const (
	invocationID = "amz-sdk-invocation-id"
	attempt      = "amz-sdk-request"
)

const (
	// sameSecond is for how long a signature may come with other invocations.
	sameSecond = 2 * time.Second
	// elsewhere is how often it may on other connections than that of its first.
	elsewhere = 16
)

// invocation distinguishes calls with one signature from each other: that of AWS's
// SDKs for Python says no more of its time than the second, and a worker may
// well ask for its next task, in the same words, within a second. It is "" where
// the id is signed, or not there.
func invocation(s *sigv4.Signature, r *http.Request) string {
	if s.Expires > 0 || s.Covers(invocationID) || r.Header.Get(invocationID) == "" {
		return ""
	}
	return r.Header.Get(invocationID) + " " + r.Header.Get(attempt)
}

// replays remembers the signatures of requests for as long as they are valid,
// by the minute in which they expire.
type replays struct {
	mu      sync.Mutex
	seed    maphash.Seed
	buckets map[int64]map[uint64]seen
	swept   int64
}

// seen is what is remembered of a signature, or of a call with it.
type seen struct {
	came      int64  // milliseconds
	from      uint32 // the connection
	elsewhere uint32 // calls on other ones
}

// first reports whether a request is received for the first time: its signature
// is new, or has just come with another invocation, on the same connection or
// a few times on others.
func (r *replays) first(signature, invocation, connection string, now, expires time.Time) (ok, fresh bool) {
	minute, current := expires.Unix()/60, now.Unix()/60
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buckets == nil {
		r.seed = maphash.MakeSeed()
		r.buckets = make(map[int64]map[uint64]seen)
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
		bucket = make(map[uint64]seen)
		r.buckets[minute] = bucket
	}
	of, from, millis := maphash.String(r.seed, signature), uint32(maphash.String(r.seed, connection)), now.UnixMilli()
	before, known := bucket[of]
	if !known {
		before = seen{came: millis, from: from}
		bucket[of] = before
	}
	if invocation == "" {
		return !known, !known
	}
	call := maphash.String(r.seed, signature+" "+invocation)
	if _, again := bucket[call]; again || known && millis-before.came > sameSecond.Milliseconds() {
		return false, false
	}
	if known && from != before.from {
		if before.elsewhere++; before.elsewhere > elsewhere {
			return false, false
		}
		bucket[of] = before
	}
	bucket[call] = seen{came: millis}
	return true, !known
}
