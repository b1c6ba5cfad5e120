package model

import (
	"fmt"
	"sync"
	"testing"
)

// sized makes a model that takes at least so many bytes.
func sized(bytes int) *Service {
	return &Service{Operations: map[string]*Operation{"": {HTTP: HTTP{RequestURI: string(make([]byte, bytes))}}}}
}

// TestCache fills a cache beyond its bound: those unused for longest are read again.
func TestCache(t *testing.T) {
	c := cache{most: 100_000}
	reads := make(map[string]int)
	get := func(name string, bytes int) {
		if c.get(name, func() *Service { reads[name]++; return sized(bytes) }) == nil {
			t.Fatalf("%s is nil", name)
		}
		if c.size > c.most && c.order.Len() > 1 {
			t.Errorf("after %s the cache holds %d bytes", name, c.size)
		}
	}
	get("a", 40_000)
	get("b", 40_000)
	get("a", 40_000)
	get("c", 40_000) // b goes
	get("a", 40_000)
	get("b", 40_000) // c goes
	get("large", 200_000)
	get("large", 200_000)
	if fmt.Sprint(reads) != "map[a:1 b:2 c:1 large:1]" {
		t.Errorf("reads: %v", reads)
	}
	if c.order.Len() != 1 || len(c.entries) != 1 {
		t.Errorf("%d entries, %d in order", len(c.entries), c.order.Len())
	}
}

// TestCacheAtOnce has many goroutines ask for few models: one reads each.
func TestCacheAtOnce(t *testing.T) {
	c := cache{most: 1 << 30}
	var mu sync.Mutex
	reads := make(map[string]int)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			name := fmt.Sprint("s", i%4)
			c.get(name, func() *Service {
				mu.Lock()
				defer mu.Unlock()
				reads[name]++
				return sized(100)
			})
		})
	}
	wg.Wait()
	if fmt.Sprint(reads) != "map[s0:1 s1:1 s2:1 s3:1]" {
		t.Errorf("reads: %v", reads)
	}
}

// TestLinkFaults has a model whose references lead nowhere.
func TestLinkFaults(t *testing.T) {
	s := &Service{Shapes: map[string]*Shape{"A": {Type: "structure", Members: Members{{Name: "b", ShapeRef: ShapeRef{Shape: "B"}}}}}}
	if err := s.Link(); err == nil || err.Error() != `A.b refers to the shape "B", which the model does not have` {
		t.Errorf("got %v", err)
	}
	s.Shapes["B"] = &Shape{Type: "string"}
	if err := s.Link(); err != nil {
		t.Error(err)
	}
}
