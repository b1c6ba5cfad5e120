package bench

import (
	"slices"
	"sync"
	"time"
)

// opKind is what a call of the mixed load does.
type opKind int

const (
	opRead  opKind = iota
	opWrite        // is answered when it is durable
	opPoll         // waits for something to come
	opKinds
)

// tally is what was seen in a window of time.
type tally struct {
	mu     sync.Mutex
	took   [opKinds][]time.Duration
	errors map[string]int
	wrong  []string // what must not be answered
}

// expected are the exceptions that belong to the mixed load: what was asked for
// is over by now, or was forgotten.
var expected = []string{"TaskTimedOut", "ExecutionDoesNotExist", "ExecutionNotRedrivable"}

// maxWrong bounds how many wrong answers are told.
const maxWrong = 20

func (t *tally) add(kind opKind, took time.Duration, refusal *Refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took[kind] = append(t.took[kind], took)
	if refusal == nil {
		return
	}
	name := refusal.Type()
	t.errors[name]++
	if !slices.Contains(expected, name) && len(t.wrong) < maxWrong {
		t.wrong = append(t.wrong, refusal.Error())
	}
}

// lost reports a call that was not answered.
func (t *tally) lost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors[unanswered]++
}

// unanswered is the name of no exception: the server was killed.
const unanswered = "unanswered"

// take ends a window.
func (t *tally) take() (took [opKinds][]time.Duration, errors map[string]int, wrong []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	took, errors, wrong = t.took, t.errors, t.wrong
	t.took, t.errors, t.wrong = [opKinds][]time.Duration{}, make(map[string]int), nil
	for i := range took {
		slices.Sort(took[i])
	}
	return took, errors, wrong
}
