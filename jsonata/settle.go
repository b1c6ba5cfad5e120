package jsonata

import "github.com/steppehq/steppe/value"

// settling finds out what is left of what a loop has built. A loop that makes each
// value of the one before, as $reduce and calls at the end of a function do, leaves
// all but the last behind as garbage.
type settling struct {
	base int64 // what was held before the loop
	fns  int   // functions may hold anything
	next int64 // how much must have been built to look
}

// settleBytes is how much a loop may build before it is looked at.
const settleBytes = 1 << 20

// settling begins a loop: what is built from here on counts as the loop's.
func (e *evaluation) settling() settling {
	return settling{e.meter.Built(), len(e.fns), settleBytes}
}

// settle releases to the meter what is not held any more, when only the values in
// kept are left of what was built since the loop began. It looks only after the loop
// has built a MiB, or twice what was left the last time, so that looking costs no
// more than building did. Where a function was made in the loop nothing is known, for
// a function holds a frame and that holds anything.
func (e *evaluation) settle(s *settling, kept []val) {
	if e.meter == nil {
		return
	}
	built := e.meter.Built() - s.base
	if built < s.next || len(e.fns) > s.fns {
		return
	}
	left := int64(0)
	for i := range kept {
		left = e.weigh(&kept[i].Value, left, built)
	}
	if left < built {
		e.meter.Release(built - left)
	}
	s.next = max(settleBytes, 2*left)
}

// weigh adds what a value holds, at most up to a limit.
func (e *evaluation) weigh(v *value.Value, sum, limit int64) int64 {
	sum += itemBytes + int64(len(v.Str()))
	e.tick(1)
	items, names := v.Items(), v.Names()
	for i := range items {
		if sum >= limit {
			return limit
		}
		if names != nil {
			sum += memberBytes - itemBytes + int64(len(names[i]))
		}
		sum = e.weigh(&items[i], sum, limit)
	}
	return min(sum, limit)
}
