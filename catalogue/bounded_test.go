package catalogue

import (
	"math/rand/v2"
	"testing"
)

// TestBounded holds the memory against what it must be: never too heavy, and
// never with another value than the last one put.
func TestBounded(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	b := newBounded[int, int](1000)
	last := make(map[int]int)
	for i := range 100_000 {
		key := random.IntN(200)
		switch random.IntN(4) {
		case 0:
			b.forget(key)
			delete(last, key)
		case 1:
			if v, ok := b.get(key); ok && v != last[key] {
				t.Fatalf("%d is %d, not %d", key, v, last[key])
			}
		default:
			b.put(key, i, random.Int64N(120))
			last[key] = i
		}
		var weight int64
		for place, e := range b.ring {
			if e.place != place || b.known[e.key] != e {
				t.Fatalf("the entry of %d is not where it should be", e.key)
			}
			weight += e.weight
		}
		if weight != b.weight || weight > 1000 || len(b.ring) != len(b.known) {
			t.Fatalf("weight %d, counted %d, %d entries and %d known", b.weight, weight, len(b.ring), len(b.known))
		}
	}
	b.put(1, 1, 1001)
	if _, ok := b.get(1); ok {
		t.Fatal("what is too heavy was kept")
	}
}

// TestBoundedKeepsWhatIsUsed sees that what is asked for outlives what is not.
func TestBoundedKeepsWhatIsUsed(t *testing.T) {
	b := newBounded[int, int](100)
	for i := range 1000 {
		b.put(i, i, 10)
		if _, ok := b.get(0); !ok {
			t.Fatalf("what is asked for all the time was forgotten for %d", i)
		}
	}
}
