//go:build !cgo

package pebble

// inHeap tells that the cache and the memtables stand in Go's heap.
const inHeap = true
