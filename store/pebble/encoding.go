package pebble

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/steppehq/steppe/store"
)

// The first byte of a key says what it is of (docs/storage.md).
const (
	prefixCatalogue = 'c'
	prefixRecord    = 'e'
	prefixChunk     = 'h'
	prefixList      = 'l'
	prefixName      = 'n'
	prefixLetter    = 'o'
	prefixTerm      = 'q'
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

func nameKey(key store.NameKey) []byte {
	b := make([]byte, 0, 1+len(key.Scope)+len(key.Name))
	return append(append(append(b, prefixName), key.Scope[:]...), key.Name...)
}

// listKey orders the executions of a group and status by start and swapped id,
// the newest first.
func listKey(group uint32, status store.Status, start time.Time, id store.ExecutionID) []byte {
	return appendPlace(listPrefix(group, status), start, id)
}

// termKey orders the executions that have a term in the same way.
func termKey(term store.Term, start time.Time, id store.ExecutionID) []byte {
	return appendPlace(termPrefix(term), start, id)
}

func termPrefix(term store.Term) []byte {
	b := make([]byte, 0, 1+len(term)+placeSize)
	return append(append(b, prefixTerm), term[:]...)
}

// placeSize is the size of an execution's place in a list.
const placeSize = 8 + 16

// appendPlace appends the place of an execution in a list: its start and its
// swapped id, inverted, so that the newest comes first.
func appendPlace(b []byte, start time.Time, id store.ExecutionID) []byte {
	b = appendStart(b, start)
	for _, c := range id.Swapped() {
		b = append(b, ^c)
	}
	return b
}

// readPlace reads what appendPlace appends.
func readPlace(place []byte) (id store.ExecutionID, start time.Time) {
	for i, c := range place[8:] {
		id[i] = ^c
	}
	return id.Swapped(), time.UnixMilli(int64(^bigEndian(place[:8])))
}

// appendStart appends the first part of a place: those of later starts are
// smaller.
func appendStart(b []byte, start time.Time) []byte {
	return appendUint64(b, ^uint64(start.UnixMilli()))
}

func listPrefix(group uint32, status store.Status) []byte {
	b := make([]byte, 0, 1+4+1+placeSize)
	b = binary.BigEndian.AppendUint32(append(b, prefixList), group)
	return append(b, byte(status))
}

func retentionKey(expire time.Time, id store.ExecutionID) []byte {
	b := make([]byte, 0, 1+8+len(id))
	return append(appendUint64(append(b, prefixRetention), uint64(expire.UnixMilli())), id[:]...)
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
	key    store.NameKey
	expire time.Time
	terms  []store.Term
}

const recordVersion = 1

var errCorrupt = fmt.Errorf("%w: a record is corrupt", store.ErrDamaged)

// millis is a time as it is stored, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// fromMillis is the inverse of millis.
func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

func (r *record) encode() []byte {
	b := make([]byte, 0, 80+len(r.key.Name)+len(r.terms)*len(store.Term{})+len(r.Meta))
	b = append(b, recordVersion, byte(r.Status))
	b = binary.AppendUvarint(b, uint64(r.Group))
	b = binary.AppendVarint(b, millis(r.Start))
	b = binary.AppendVarint(b, millis(r.Stop))
	b = binary.AppendVarint(b, r.Last)
	b = binary.AppendUvarint(b, uint64(r.Redrives))
	b = binary.AppendVarint(b, millis(r.Redriven))
	b = binary.AppendVarint(b, millis(r.expire))
	b = append(b, r.key.Scope[:]...)
	b = binary.AppendUvarint(b, uint64(len(r.key.Name)))
	b = append(b, r.key.Name...)
	b = binary.AppendUvarint(b, uint64(len(r.terms)))
	for _, term := range r.terms {
		b = append(b, term[:]...)
	}
	return append(b, r.Meta...)
}

func decodeRecord(id store.ExecutionID, b []byte) (*record, error) {
	if len(b) < 2 || b[0] != recordVersion {
		return nil, errCorrupt
	}
	r := &record{}
	r.ID, r.Status = id, store.Status(b[1])
	d := reader{b: b[2:]}
	r.Group = uint32(d.uint())
	r.Start, r.Stop = fromMillis(d.int()), fromMillis(d.int())
	r.Last = d.int()
	r.Redrives = int(d.uint())
	r.Redriven = fromMillis(d.int())
	r.expire = fromMillis(d.int())
	copy(r.key.Scope[:], d.bytes(len(r.key.Scope)))
	r.key.Name = string(d.bytes(d.size(1)))
	r.terms = make([]store.Term, d.size(len(store.Term{})))
	for i := range r.terms {
		copy(r.terms[i][:], d.bytes(len(r.terms[i])))
	}
	r.Meta = d.b
	if d.bad {
		return nil, errCorrupt
	}
	return r, nil
}

// encodeRunning writes the entry of an execution that runs on, whose events have so
// many bytes.
func encodeRunning(t *store.Transition, size int64) []byte {
	b := make([]byte, 0, 32)
	busy := byte(0)
	if t.Busy {
		busy = 1
	}
	b = append(b, recordVersion, busy)
	b = binary.AppendVarint(b, t.Chunk.Last)
	b = binary.AppendVarint(b, millis(t.Wake))
	return binary.AppendVarint(b, size)
}

func decodeRunning(id store.ExecutionID, b []byte) (r store.RunningRecord, size int64, err error) {
	if len(b) < 2 || b[0] != recordVersion {
		return r, 0, errCorrupt
	}
	d := reader{b: b[2:]}
	r = store.RunningRecord{ID: id, Busy: b[1] != 0, Last: d.int(), Wake: fromMillis(d.int())}
	if len(d.b) > 0 { // it is not in what older programs wrote
		size = d.int()
	}
	if d.bad {
		return r, 0, errCorrupt
	}
	return r, size, nil
}

// encodeOwnership writes the owner of a shard behind its epoch. Directories of
// format 2 have the epoch alone.
func encodeOwnership(epoch uint64, o store.Owner) []byte {
	b := appendUint64(make([]byte, 0, 16+len(o.Name)+len(o.Address)), epoch)
	b = append(binary.AppendUvarint(b, uint64(len(o.Name))), o.Name...)
	return append(b, o.Address...)
}

func decodeOwnership(b []byte) (epoch uint64, o store.Owner, err error) {
	if len(b) < 8 {
		return 0, o, errCorrupt
	}
	epoch = bigEndian(b[:8])
	if len(b) == 8 {
		return epoch, o, nil
	}
	d := reader{b: b[8:]}
	o.Name = string(d.bytes(d.size(1)))
	o.Address = string(d.b)
	if d.bad {
		return 0, o, errCorrupt
	}
	return epoch, o, nil
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

// size reads the number of things that follow, of some bytes each.
func (d *reader) size(each int) int {
	n := d.uint()
	if n > uint64(len(d.b)/each) {
		d.bad, d.b = true, nil
		return 0
	}
	return int(n)
}

func (d *reader) bytes(n int) []byte {
	if n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
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
