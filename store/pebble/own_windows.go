package pebble

import "os"

// lockFile does nothing: a file that is open cannot be removed here, so LOCK is
// enough.
func lockFile(*os.File) error { return nil }

// unlinked is false: an open file cannot be removed.
func unlinked(uintptr) bool { return false }

// noDescriptors is false: there is no such limit.
func noDescriptors(error) bool { return false }
