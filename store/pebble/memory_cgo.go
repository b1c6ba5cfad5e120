//go:build cgo

package pebble

// inHeap tells that the cache and the memtables stand outside of Go's heap.
const inHeap = false
