package pebble

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Why the directory keeps a trail.
//
// A log-structured database cannot see that the end of its log is missing. It reads
// records until one is not whole, takes the rest for a write that a crash cut short,
// and opens: which is right after a crash, and wrong after a disk that acknowledged
// an fsync without writing, a backup that copied files at different moments, or a file
// that was deleted or restored from yesterday. Executions whose start was acknowledged
// would be gone, and nobody would know. The trail is a second witness: for each log
// and MANIFEST it says how many bytes were durable, and the checksum of these bytes.
// examine.go holds the directory against it before the database is opened, and
// reports a [LossError] that names the files.
//
// The witness must never ask for more than was acknowledged, or a crash at the wrong
// moment would be taken for a loss. The order of writes makes sure of that:
//
//   - What is added to the trail was durable before: the file is synced first, then
//     the trail, and only then does Pebble learn that the sync has ended.
//   - What is deleted is not asked for by then: a log is removed when the MANIFEST says
//     durably that it is obsolete, and a MANIFEST when a slot is durable without it
//     (settle).
//
// In between the directory holds more than the trail asks for, never less, whatever the
// moment of the crash.
//
// The log is synced a thousand times a second, and a second fsync for each would halve
// the throughput. So the position of the log goes into the note, 40 bytes at the
// beginning of the file that are written over without a sync. It outlives the process.
// If power fails, the note may be an older one, or torn, which its checksum shows; the
// trail is then less strict about the end of the last log, and as strict as ever about
// all others: with the beginning of the next log, the length and checksum of the one
// before are entered in a slot, and slots are synced. There are two slots, written in turns with a growing generation
// and a checksum each, so that a write that power cuts short damages only the slot that
// is not needed. The newest whole slot counts, brought up to the note.
//
// The file has its full size from the beginning and only changes in place. It needs no
// space, so it can be kept when the disk is full, which is when things go wrong.
//
// A run that ends as it should sets Clean: then the lengths are exact, and bytes behind
// them are not of this directory either.

// trailName is the file that says how much there is in the directory.
const trailName = "steppe-state"

// The trail is one file that never grows, so that a full disk does not stop it:
// the note, and two slots that are written in turns.
const (
	noteSize  = 40
	slotAt    = 4 << 10
	slotSize  = 32 << 10
	trailSize = slotAt + 2*slotSize
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// written is how much of a file was durable: it must begin with so many bytes of
// that checksum.
type written struct {
	Number uint64 `json:"number"`
	Bytes  int64  `json:"bytes"`
	Sum    uint32 `json:"crc32c"`
	// Commits is how many are in these bytes of a log.
	Commits int64 `json:"commits,omitempty"`
	// Reused reports that the log took over the file of an older one, of which there
	// may be something behind its end.
	Reused bool `json:"reused,omitempty"`
}

// trail is the least that the directory holds. What it says was durable before it;
// what it no longer says is deleted after it. So a directory that holds less has
// lost something, wherever a crash came between.
type trail struct {
	Generation uint64 `json:"generation"`
	// Clean reports that nothing was written after this.
	Clean bool `json:"clean"`
	// Current is the number of the MANIFEST that counts, or of an older one than
	// that; 0 before the first.
	Current   uint64    `json:"current"`
	Manifests []written `json:"manifests"`
	Logs      []written `json:"logs"`
}

// find returns the entry of a file, nil when there is none.
func find(files []written, number uint64) *written {
	for i := range files {
		if files[i].Number == number {
			return &files[i]
		}
	}
	return nil
}

// encode returns a slot: checksum, length, JSON. When there are too many logs the
// oldest, which are long obsolete, are left out.
func (t *trail) encode() []byte {
	for {
		text, err := json.Marshal(t)
		if err != nil {
			panic(err) // numbers only
		}
		if len(text)+8 > slotSize {
			t.Logs = slices.Delete(t.Logs, 0, len(t.Logs)/2)
			continue
		}
		slot := binary.BigEndian.AppendUint32(nil, crc32.Checksum(text, castagnoli))
		slot = binary.BigEndian.AppendUint32(slot, uint32(len(text)))
		return append(slot, text...)
	}
}

// decodeTrail reads a slot. It is nil when the slot was never written.
func decodeTrail(slot []byte) (*trail, error) {
	if len(slot) < 8 {
		return nil, errors.New("it is cut short")
	}
	sum, n := binary.BigEndian.Uint32(slot), int(binary.BigEndian.Uint32(slot[4:]))
	if sum == 0 && n == 0 && !slices.ContainsFunc(slot, func(b byte) bool { return b != 0 }) {
		return nil, nil
	}
	if n > len(slot)-8 || crc32.Checksum(slot[8:8+n], castagnoli) != sum {
		return nil, errors.New("its checksum is wrong")
	}
	t := new(trail)
	return t, json.Unmarshal(slot[8:8+n], t)
}

// encodeNote puts the note of the last sync of the log into b.
func encodeNote(b *[noteSize]byte, w *written) {
	binary.BigEndian.PutUint64(b[0:], w.Number)
	binary.BigEndian.PutUint64(b[8:], uint64(w.Bytes))
	binary.BigEndian.PutUint64(b[16:], uint64(w.Commits))
	binary.BigEndian.PutUint32(b[24:], w.Sum)
	binary.BigEndian.PutUint32(b[36:], crc32.Checksum(b[:36], castagnoli))
}

// decodeNote reads the note. It fails on one that power has cut short.
func decodeNote(b []byte) (written, error) {
	if len(b) < noteSize || crc32.Checksum(b[:36], castagnoli) != binary.BigEndian.Uint32(b[36:]) {
		return written{}, errors.New("the note of the last sync is damaged")
	}
	return written{
		Number: binary.BigEndian.Uint64(b), Bytes: int64(binary.BigEndian.Uint64(b[8:])),
		Commits: int64(binary.BigEndian.Uint64(b[16:])), Sum: binary.BigEndian.Uint32(b[24:]),
	}, nil
}

// readTrail reads the file: the newest slot that is whole, brought up to the note;
// nil when there is no file. damaged lists what could not be read of it.
func readTrail(fs vfs.FS, dir string) (t *trail, damaged []string, err error) {
	f, err := fs.Open(fs.PathJoin(dir, trailName))
	if isNotExist(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	b := make([]byte, trailSize)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	if n < trailSize {
		damaged = append(damaged, fmt.Sprintf("it has %d bytes of %d", n, trailSize))
	}
	for i := range 2 {
		at := slotAt + i*slotSize
		if at > n {
			continue
		}
		slot, err := decodeTrail(b[at:min(at+slotSize, n)])
		switch {
		case err != nil:
			damaged = append(damaged, fmt.Sprintf("slot %d: %v", i, err))
		case slot != nil && (t == nil || slot.Generation > t.Generation):
			t = slot
		}
	}
	note, err := decodeNote(b[:min(n, noteSize)])
	if err != nil {
		damaged = append(damaged, err.Error())
	}
	if t != nil && !t.Clean && note.Number > 0 {
		t.note(note)
	}
	return t, damaged, nil
}

// note takes the note in.
func (t *trail) note(n written) {
	log := find(t.Logs, n.Number)
	switch {
	case log == nil:
		t.Logs = append(t.Logs, n)
	case log.Bytes < n.Bytes:
		n.Reused = log.Reused
		*log = n
	}
}

// keeper keeps the trail of a directory that is open.
type keeper struct {
	mu    sync.Mutex
	file  vfs.File
	trail trail
	// next is the MANIFEST of the newest marker, whose directory was not synced yet.
	next uint64
}

// openKeeper begins to keep the trail: from t on, durably.
func openKeeper(fs vfs.FS, dir string, t trail) (*keeper, error) {
	name := fs.PathJoin(dir, trailName)
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", name, err)
	}
	k := &keeper{file: f, trail: t}
	if err = errors.Join(k.allot(), k.save(), syncDir(fs, dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("store: write %s: %w", name, err), f.Close())
	}
	return k, nil
}

// allot brings the file to its size, and takes the last run's note away.
func (k *keeper) allot() error {
	info, err := k.file.Stat()
	if err != nil {
		return err
	}
	if missing := trailSize - info.Size(); missing > 0 {
		if _, err := k.file.WriteAt(make([]byte, missing), info.Size()); err != nil {
			return err
		}
	}
	var note [noteSize]byte
	encodeNote(&note, &written{})
	_, err = k.file.WriteAt(note[:], 0)
	return err
}

// save writes the next slot. The mutex is held, or no other goroutine has the keeper.
func (k *keeper) save() error {
	k.trail.Generation++
	at := int64(slotAt + k.trail.Generation%2*slotSize)
	if _, err := k.file.WriteAt(k.trail.encode(), at); err != nil {
		return err
	}
	return k.file.SyncData()
}

// put enters what is durable of a MANIFEST, before any caller knows that it is.
func (k *keeper) put(w written) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old := find(k.trail.Manifests, w.Number); old != nil {
		*old = w
	} else {
		k.trail.Manifests = append(k.trail.Manifests, w)
	}
	return k.save()
}

// settle enters that the newest marker counts. It is called when that is durable.
func (k *keeper) settle() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.next == 0 {
		return nil
	}
	k.trail.Current, k.next = k.next, 0
	k.trail.Manifests = slices.DeleteFunc(k.trail.Manifests, func(w written) bool { return w.Number < k.trail.Current })
	return k.save()
}

// begin enters a new log, before anything is written to it.
func (k *keeper) begin(w written) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(w.Number)
	k.trail.Logs = append(k.trail.Logs, w)
	return k.save()
}

// end enters how much a log had in the end. The next log, or the end of the run,
// makes it durable; until then the note says the same.
func (k *keeper) end(w written) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if log := find(k.trail.Logs, w.Number); log != nil {
		*log = w
	}
}

// forget leaves a log out that is obsolete: the MANIFEST says so durably, and the
// trail asks only for logs that it needs.
func (k *keeper) forget(number uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(number)
}

func (k *keeper) drop(number uint64) {
	k.trail.Logs = slices.DeleteFunc(k.trail.Logs, func(w written) bool { return w.Number == number })
}

// seal says that nothing more is written, and closes the file.
func (k *keeper) seal() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trail.Clean = true
	return errors.Join(k.save(), k.file.Close())
}

// syncDir makes the entries of a directory durable.
func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// syncFile makes a file durable that another part wrote.
func syncFile(fs vfs.FS, name string) error {
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// writeFile writes a file durably.
func writeFile(fs vfs.FS, name string, text []byte) error {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	err = makePrivate(f)
	if err == nil {
		_, err = f.Write(text)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
