package pebble

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/bits"
	"runtime"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// scrubPiece is how much of a table is read at once.
	scrubPiece = 256 << 10
	// scrubRate is how many bytes a second are read at most, while the store is in use.
	scrubRate = 100 << 20
	// scrubYield is how long a scrub waits while the disk is behind what is written.
	scrubYield = 100 * time.Millisecond
)

var errScrubEnded = errors.New("store: closed")

// scrubbed sums up what was read.
type scrubbed struct {
	tables, damaged int
	bytes           int64
}

// scrub reads all tables once, beside all other work, and reports to the log
// those that are damaged: a read would, but only when a caller asks for what stands
// there. Tables that are written later are not read.
func (s *DB) scrub() {
	s.counting.Go(func() {
		found, err := s.readTables(s.yield, s.guard.pause.damaged)
		switch {
		case errors.Is(err, errScrubEnded):
		case err != nil:
			s.log.Error("the tables of the data directory could not be looked at", slog.String("error", err.Error()))
		case found.tables > 0:
			level, text := slog.LevelInfo, "all tables of the data directory were read, and are whole"
			if found.damaged > 0 {
				level, text = slog.LevelError, "all tables of the data directory were read; some are damaged"
			}
			s.log.Log(context.Background(), level, text, slog.String("directory", s.guard.dir),
				slog.Int("tables", found.tables), slog.Int64("bytes", found.bytes), slog.Int("damaged", found.damaged))
		}
	})
}

// yield waits after a piece of a table: so that no more than scrubRate is read, for
// at least as long as the piece took, and until the disk is not behind.
func (s *DB) yield(n int, took time.Duration) error {
	p := s.guard.pause
	next := max(took, time.Duration(n)*time.Second/scrubRate)
	for {
		select {
		case <-p.stop:
			return errScrubEnded
		case <-p.after(next):
		}
		if !s.stalled.Load() && !s.lag.behind(s.db) {
			return nil
		}
		next = scrubYield
	}
}

// readTables reads each block of each table there is. It calls yield after each
// piece, and ends with its error; damaged receives each table that cannot be read,
// by its path.
func (s *DB) readTables(yield func(n int, took time.Duration) error, damaged func(name string, err error)) (scrubbed, error) {
	var found scrubbed
	levels, err := s.db.SSTables()
	if err != nil {
		return found, fmt.Errorf("store: list the tables: %w", err)
	}
	seen := make(map[uint64]bool)
	pieces := &pieces{yield: yield, buf: make([]byte, 0, scrubPiece)}
	for _, level := range levels {
		for i := range level {
			number := uint64(level[i].BackingSSTNum) // several may share a file
			if seen[number] {
				continue
			}
			seen[number] = true
			name := s.guard.PathJoin(s.guard.dir, fmt.Sprintf("%06d.sst", number))
			size, err := s.readTable(name, pieces)
			switch {
			case pieces.ended != nil:
				return found, pieces.ended
			case isNotExist(err):
				continue // compacted away since
			case err != nil:
				found.damaged++
				damaged(name, err)
			}
			found.tables++
			found.bytes += size
		}
	}
	return found, nil
}

// readTable reads all blocks of a table, and holds them against their checksums.
func (s *DB) readTable(name string, pieces *pieces) (size int64, err error) {
	f, err := s.guard.FS.Open(name, vfs.SequentialReadsOption)
	for noDescriptors(err) && pieces.wait(0, scrubYield) == nil {
		f, err = s.guard.FS.Open(name, vfs.SequentialReadsOption)
	}
	if err != nil {
		return 0, err
	}
	pieces.begin(f)
	readable, err := sstable.NewSimpleReadable(pieces)
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	size = readable.Size()
	r, err := sstable.NewReader(context.Background(), readable, s.reader)
	if err != nil {
		return size, errors.Join(err, readable.Close())
	}
	layout, err := r.Layout()
	if err == nil {
		err = readBlocks(layout, pieces)
	}
	return size, errors.Join(err, r.Close())
}

// readBlocks reads the blocks of a table in their order. Other than
// sstable.Reader.ValidateBlockChecksums it decompresses none, for the checksums are of
// what is stored, leaves none out, and does not look for the bit that was flipped,
// which takes seconds where it was more than one.
func readBlocks(layout *sstable.Layout, table io.ReaderAt) error {
	handles := slices.Concat(layout.Index, layout.ValueBlock, []block.Handle{
		layout.TopIndex, layout.RangeDel, layout.RangeKey, layout.ValueIndex,
		layout.Properties, layout.MetaIndex, layout.BlobReferenceIndex,
	})
	for i := range layout.Data {
		handles = append(handles, layout.Data[i].Handle)
	}
	for i := range layout.Filter {
		handles = append(handles, layout.Filter[i].Handle)
	}
	slices.SortFunc(handles, func(a, b block.Handle) int { return cmp.Compare(a.Offset, b.Offset) })
	var buf []byte
	for _, h := range handles {
		if h.Length == 0 {
			continue // it has no such block
		}
		n := int(h.Length) + block.TrailerLen
		buf = slices.Grow(buf[:0], n)[:n]
		if _, err := table.ReadAt(buf, int64(h.Offset)); err != nil {
			return fmt.Errorf("block at byte %d: %w", h.Offset, err)
		}
		if sum, want := blockChecksum(buf[:h.Length+1]), binary.LittleEndian.Uint32(buf[h.Length+1:]); sum != want {
			return fmt.Errorf("block at byte %d: its checksum is %08x, not %08x", h.Offset, sum, want)
		}
	}
	return nil
}

// blockChecksum is that of a block with the byte that says how it is compressed, as
// Pebble writes tables (sstable/block, ChecksumTypeCRC32c).
func blockChecksum(b []byte) uint32 {
	sum := crc32.Checksum(b, castagnoli)
	return bits.RotateLeft32(sum, 17) + 0xa282ead8
}

// pieces is a table that is read piece by piece, for the blocks are small and in
// order.
type pieces struct {
	vfs.File
	yield func(n int, took time.Duration) error
	ended error // of yield

	buf   []byte
	at    int64     // where buf is from
	since time.Time // when the work on it began
	turn  time.Time // when others could run last
}

func (p *pieces) begin(f vfs.File) {
	p.File, p.buf, p.since = f, p.buf[:0], time.Now()
}

// ReadAt reads a block.
func (p *pieces) ReadAt(b []byte, at int64) (int, error) {
	if now := time.Now(); now.Sub(p.turn) > yieldEvery {
		runtime.Gosched()
		p.turn = now
	}
	if at < p.at || at+int64(len(b)) > p.at+int64(len(p.buf)) {
		if err := p.read(len(b), at); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.buf[min(at-p.at, int64(len(p.buf))):])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// wait lets others go first.
func (p *pieces) wait(n int, took time.Duration) error {
	p.ended = p.yield(n, took)
	return p.ended
}

// read reads the piece that begins at a block.
func (p *pieces) read(block int, at int64) error {
	if err := p.wait(len(p.buf), time.Since(p.since)); err != nil {
		return err
	}
	p.since = time.Now()
	if cap(p.buf) < block {
		p.buf = make([]byte, block)
	}
	buf := p.buf[:cap(p.buf)]
	n, err := p.File.ReadAt(buf, at)
	p.buf, p.at = buf[:n], at
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
