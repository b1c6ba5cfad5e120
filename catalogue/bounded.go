package catalogue

import "sync/atomic"

// bounded is memory of things that can be had again, bounded by what they weigh.
// What was not asked for lately goes first. Get may be called by many at once,
// the others by one alone.
type bounded[K comparable, V any] struct {
	limit  int64
	weight int64
	known  map[K]*boundedEntry[K, V]
	ring   []*boundedEntry[K, V] // all, in the order in which they are looked at
	hand   int                   // the next to be looked at
}

type boundedEntry[K comparable, V any] struct {
	key    K
	value  V
	weight int64
	place  int // in ring
	used   atomic.Bool
}

func newBounded[K comparable, V any](limit int64) *bounded[K, V] {
	return &bounded[K, V]{limit: limit, known: make(map[K]*boundedEntry[K, V])}
}

// get returns what is known under a key.
func (b *bounded[K, V]) get(key K) (v V, ok bool) {
	e := b.known[key]
	if e == nil {
		return v, false
	}
	if !e.used.Load() {
		e.used.Store(true)
	}
	return e.value, true
}

// put keeps a value, and forgets others where that is too much. One that is too
// heavy by itself is not kept.
func (b *bounded[K, V]) put(key K, v V, weight int64) {
	b.forget(key)
	if weight > b.limit {
		return
	}
	for b.weight+weight > b.limit {
		e := b.ring[b.hand]
		if e.used.Swap(false) {
			b.hand = (b.hand + 1) % len(b.ring)
			continue
		}
		b.forget(e.key)
	}
	e := &boundedEntry[K, V]{key: key, value: v, weight: weight, place: len(b.ring)}
	b.known[key], b.ring = e, append(b.ring, e)
	b.weight += weight
}

// forget takes a key out.
func (b *bounded[K, V]) forget(key K) {
	e := b.known[key]
	if e == nil {
		return
	}
	delete(b.known, key)
	b.weight -= e.weight
	last := len(b.ring) - 1
	b.ring[e.place] = b.ring[last]
	b.ring[e.place].place = e.place
	b.ring[last] = nil
	b.ring = b.ring[:last]
	if b.hand >= last {
		b.hand = 0
	}
}
