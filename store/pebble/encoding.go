package pebble

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/steppehq/steppe/store"
)

// The first byte of a key tells what it is of (docs/storage.md).
const (
	prefixCatalogue = 'c'
	prefixRecord    = 'e'
	prefixChunk     = 'h'
	prefixList      = 'l'
	prefixName      = 'n'
	prefixRetention = 'r'
	prefixEpoch     = 's'
	prefixRunning   = 'x'
)

var formatKey = []byte("v")

func bigEndian(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func appendUint64(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

func epochKey(id store.ShardID) []byte { return []byte{prefixEpoch, byte(id >> 8), byte(id)} }

func recordKey(id store.ExecutionID) []byte  { return append([]byte{prefixRecord}, id[:]...) }
func runningKey(id store.ExecutionID) []byte { return append([]byte{prefixRunning}, id[:]...) }

// chunkKey is the key of the chunk that begins with an event; -1 is behind all.
func chunkKey(id store.ExecutionID, first int64) []byte {
	b := make([]byte, 0, 1+len(id)+8)
	b = append(append(b, prefixChunk), id[:]...)
	return appendUint64(b, uint64(first))
}

func nameKey(key store.NameKey) []byte { return append([]byte{prefixName}, key[:]...) }

// listKey orders the executions of a machine and status by start and swapped id,
// the newest first.
func listKey(machine uint32, status store.Status, start time.Time, id store.ExecutionID) []byte {
	b := listPrefix(machine, status)
	b = appendUint64(b, ^uint64(start.UnixMilli()))
	for _, c := range id.Swapped() {
		b = append(b, ^c)
	}
	return b
}

func listPrefix(machine uint32, status store.Status) []byte {
	b := make([]byte, 0, 1+4+1+8+16)
	b = binary.BigEndian.AppendUint32(append(b, prefixList), machine)
	return append(b, byte(status))
}

func retentionKey(stop time.Time, id store.ExecutionID) []byte {
	b := make([]byte, 0, 1+8+len(id))
	return append(appendUint64(append(b, prefixRetention), uint64(stop.UnixMilli())), id[:]...)
}

func catalogueKey(key string) []byte { return append([]byte{prefixCatalogue}, key...) }

// after is the first key behind all that begin with a prefix, whose last byte
// is not 255.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// record is what is kept of an execution beside its history.
type record struct {
	store.Record
	key store.NameKey
}

const recordVersion = 1

var errCorrupt = errors.New("store: a record is corrupt")

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

func (r *record) encode() []byte {
	b := make([]byte, 0, 64+len(r.Meta))
	b = append(b, recordVersion, byte(r.Status))
	b = binary.AppendUvarint(b, uint64(r.Machine))
	b = binary.AppendVarint(b, millis(r.Start))
	b = binary.AppendVarint(b, millis(r.Stop))
	b = binary.AppendVarint(b, r.Last)
	b = binary.AppendUvarint(b, uint64(r.Redrives))
	b = binary.AppendVarint(b, millis(r.Redriven))
	b = append(b, r.key[:]...)
	return append(b, r.Meta...)
}

func decodeRecord(id store.ExecutionID, b []byte) (*record, error) {
	if len(b) < 2 || b[0] != recordVersion {
		return nil, errCorrupt
	}
	r := &record{}
	r.ID, r.Status = id, store.Status(b[1])
	d := reader{b: b[2:]}
	r.Machine = uint32(d.uint())
	r.Start, r.Stop = fromMillis(d.int()), fromMillis(d.int())
	r.Last = d.int()
	r.Redrives = int(d.uint())
	r.Redriven = fromMillis(d.int())
	if d.bad || len(d.b) < len(r.key) {
		return nil, errCorrupt
	}
	copy(r.key[:], d.b)
	r.Meta = d.b[len(r.key):]
	return r, nil
}

func encodeRunning(r *store.RunningRecord) []byte {
	b := make([]byte, 0, 24)
	busy := byte(0)
	if r.Busy {
		busy = 1
	}
	b = append(b, recordVersion, busy)
	b = binary.AppendVarint(b, r.Last)
	return binary.AppendVarint(b, millis(r.Wake))
}

func decodeRunning(id store.ExecutionID, b []byte) (store.RunningRecord, error) {
	if len(b) < 2 || b[0] != recordVersion {
		return store.RunningRecord{}, errCorrupt
	}
	d := reader{b: b[2:]}
	r := store.RunningRecord{ID: id, Busy: b[1] != 0, Last: d.int(), Wake: fromMillis(d.int())}
	if d.bad {
		return r, errCorrupt
	}
	return r, nil
}

// encodeChunk puts the number of events in front of the data.
func encodeChunk(c *store.Chunk) []byte {
	b := make([]byte, 0, len(c.Data)+5)
	return append(binary.AppendUvarint(b, uint64(c.Last-c.First)), c.Data...)
}

func decodeChunk(first int64, b []byte) (store.Chunk, error) {
	d := reader{b: b}
	n := d.uint()
	if d.bad {
		return store.Chunk{}, errCorrupt
	}
	return store.Chunk{First: first, Last: first + int64(n), Data: append([]byte(nil), d.b...)}, nil
}

type reader struct {
	b   []byte
	bad bool
}

func (d *reader) uint() uint64 {
	n, size := binary.Uvarint(d.b)
	return n * d.step(size)
}

func (d *reader) int() int64 {
	n, size := binary.Varint(d.b)
	return n * int64(d.step(size))
}

// step passes over a number; 0 when there was none.
func (d *reader) step(size int) uint64 {
	if size <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return 1
}
