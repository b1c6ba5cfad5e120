package door

import "sync"

// Gate bounds how many requests of one caller are under way at once.
type Gate[K comparable] struct {
	// Most are how many; 0 is no bound.
	Most int

	mu    sync.Mutex
	under map[K]int
}

// Enter lets a request in. It is false when the caller has as many under way as
// it may; else Leave must be called.
func (g *Gate[K]) Enter(k K) bool {
	if g.Most == 0 {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.under == nil {
		g.under = make(map[K]int)
	}
	if g.under[k] >= g.Most {
		return false
	}
	g.under[k]++
	return true
}

// Leave lets a request out.
func (g *Gate[K]) Leave(k K) {
	if g.Most == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.under[k]--; g.under[k] == 0 {
		delete(g.under, k)
	}
}
