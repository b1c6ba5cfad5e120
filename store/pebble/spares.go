package pebble

import (
	"io"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// spareFiles is how many descriptors are kept for files that the store must write.
const spareFiles = 8

// spares holds descriptors that are given up, one by one, when the process has no
// other left and a file must be created.
type spares struct {
	mu   sync.Mutex
	held []io.Closer
	want int
}

// refill takes descriptors again, as far as there are some.
func (s *spares) refill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.held) < s.want {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		s.held = append(s.held, f)
	}
}

// give removes one. It is false when none is left.
func (s *spares) give() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.held)
	if n == 0 {
		return false
	}
	_ = s.held[n-1].Close() // it was only held
	s.held = s.held[:n-1]
	return true
}

// open opens a file, with a descriptor of the reserve when there is no other.
func (s *spares) open(open func() (vfs.File, error)) (vfs.File, error) {
	for {
		f, err := open()
		if err == nil || !noDescriptors(err) || !s.give() {
			return f, err
		}
	}
}

// close removes all.
func (s *spares) close() {
	s.mu.Lock()
	s.want = 0
	s.mu.Unlock()
	for s.give() {
	}
}
