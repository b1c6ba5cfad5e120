package pebble

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard is the file system of an open directory. It keeps the trail of its logs and
// MANIFESTs, sees that these files stay its own, and makes all files private.
type guard struct {
	vfs.FS
	dir      string
	readOnly bool
	keeper   *keeper
	own      *ownership
	spares   *spares
	pause    *pause
	// fatal ends the process. It is called once the directory is open, for what
	// Pebble would panic on, or go on after.
	fatal func(string)
	armed atomic.Bool
}

// newGuard is the file system of a directory that is held.
func newGuard(opts *Options, dir string, own *ownership) *guard {
	g := &guard{FS: opts.FS, dir: dir, own: own, fatal: opts.Fatal, readOnly: opts.ReadOnly, spares: &spares{}}
	g.pause = &pause{log: opts.Logger, after: time.After, stop: make(chan struct{})}
	if own.disk && !opts.ReadOnly {
		g.spares.want = spareFiles
		g.spares.refill()
	}
	return g
}

// begin begins to keep the trail, before anything is changed.
func (g *guard) begin(x *examination) (err error) {
	if g.readOnly {
		return nil
	}
	if err := g.FS.MkdirAll(g.dir, privateDirectory); err != nil {
		return fmt.Errorf("store: make the data directory: %w", err)
	}
	if err := x.enough(); err != nil {
		return err
	}
	if err := x.cut(); err != nil {
		return fmt.Errorf("store: set damaged logs aside: %w", err)
	}
	if x.manifest.Number != 0 {
		// Pebble acts on all that it reads in the MANIFEST: it must not be only in
		// memory.
		if err := syncFile(g.FS, g.PathJoin(g.dir, x.manifestName())); err != nil {
			return fmt.Errorf("store: sync %s: %w", x.manifestName(), err)
		}
	}
	if err := g.tighten(); err != nil {
		return fmt.Errorf("store: the modes of %s: %w", g.dir, err)
	}
	g.keeper, err = openKeeper(g, g.dir, x.next())
	return err
}

// ready is called when the database is open.
func (g *guard) ready() error {
	err := g.settle()
	if g.own.disk {
		err = errors.Join(err, g.own.list(g.dir), g.own.keep(g.dir), g.own.keep(g.PathJoin(g.dir, "LOCK")), g.own.keep(g.PathJoin(g.dir, trailName)))
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	g.armed.Store(true)
	if g.own.disk {
		go g.own.watch(func(err error) { g.fatal(err.Error()) }, g.spares.refill)
	}
	return nil
}

// disarm is called before the database is closed.
func (g *guard) disarm() {
	g.armed.Store(false)
	g.own.stop()
	close(g.pause.stop)
}

// seal ends a run that went well.
func (g *guard) seal() error {
	err := g.keeper.seal()
	g.spares.close()
	return errors.Join(err, g.own.release())
}

// abandon ends a run without saying so.
func (g *guard) abandon() error {
	var err error
	if g.keeper != nil {
		err = g.keeper.file.Close()
	}
	g.spares.close()
	return errors.Join(err, g.own.release())
}

// Unwrap returns the file system below.
func (g *guard) Unwrap() vfs.FS { return g.FS }

// numbered returns the number in the name of a log or of a MANIFEST.
func numbered(name, prefix, suffix string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	if digits, ok = strings.CutSuffix(digits, suffix); !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}

func logNumber(name string) (uint64, bool)      { return numbered(name, "", ".log") }
func manifestNumber(name string) (uint64, bool) { return numbered(name, "MANIFEST-", "") }

// markedManifest returns the number that a marker names, and which marker it is.
func markedManifest(name string) (iteration, number uint64, ok bool) {
	rest, ok := strings.CutPrefix(name, "marker.manifest.")
	if !ok {
		return 0, 0, false
	}
	count, named, _ := strings.Cut(rest, ".")
	iteration, err := strconv.ParseUint(count, 10, 64)
	number, ok = manifestNumber(named)
	return iteration, number, ok && err == nil
}

// Create creates a file.
func (g *guard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	base := g.PathBase(name)
	if strings.HasSuffix(base, ".sst") {
		g.pause.wait()
	}
	f, err := g.spares.open(func() (vfs.File, error) { return g.FS.Create(name, category) })
	if err == nil {
		g.own.made(base)
		err = makePrivate(f)
	}
	if number, ok := logNumber(base); ok {
		return g.log(f, err, name, written{Number: number})
	}
	if err != nil {
		g.pause.failed(base, err)
		return f, err
	}
	if _, number, ok := markedManifest(base); ok {
		g.keeper.mu.Lock()
		g.keeper.next = number
		g.keeper.mu.Unlock()
	}
	if number, ok := manifestNumber(base); ok {
		m := &guarded{File: f, g: g, name: name, written: written{Number: number}}
		return m, g.own.add(m)
	}
	if strings.HasSuffix(base, ".sst") {
		return &table{File: f, g: g, name: base}, nil
	}
	return f, nil
}

// OpenReadWrite opens or creates a file.
func (g *guard) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := g.spares.open(func() (vfs.File, error) { return g.FS.OpenReadWrite(name, category, opts...) })
	if err != nil {
		return f, err
	}
	return f, makePrivate(f)
}

// Lock locks a file. Who only reads makes none.
func (g *guard) Lock(name string) (io.Closer, error) {
	if g.readOnly {
		if _, err := g.Stat(name); err != nil {
			return noLock{}, nil //nolint:nilerr // the directory itself is locked
		}
	}
	lock, err := g.FS.Lock(name)
	if g.readOnly && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)) {
		return noLock{}, nil
	}
	if err == nil && g.own.disk && !g.readOnly {
		err = os.Chmod(name, privateFile)
	}
	return lock, err
}

type noLock struct{}

func (noLock) Close() error { return nil }

// OpenDir opens a directory for syncing.
func (g *guard) OpenDir(name string) (vfs.File, error) {
	return g.spares.open(func() (vfs.File, error) { return g.FS.OpenDir(name) })
}

// ReuseForWrite makes an old log a new one.
func (g *guard) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if old, ok := logNumber(g.PathBase(oldname)); ok {
		g.keeper.forget(old)
	}
	g.own.removes(g.PathBase(oldname))
	f, err := g.spares.open(func() (vfs.File, error) { return g.FS.ReuseForWrite(oldname, newname, category) })
	if err == nil {
		g.own.made(g.PathBase(newname))
		err = makePrivate(f)
	}
	number, ok := logNumber(g.PathBase(newname))
	if !ok {
		return f, err
	}
	return g.log(f, err, newname, written{Number: number, Reused: true})
}

// log begins a log. Pebble panics when it cannot.
func (g *guard) log(f vfs.File, err error, name string, w written) (vfs.File, error) {
	if err == nil {
		err = g.keeper.begin(w)
	}
	if err != nil {
		g.failed(name, err)
		return nil, err
	}
	l := &guarded{File: f, g: g, name: name, written: w, keeper: g.keeper}
	return l, g.own.add(l)
}

// Remove removes a file. A marker goes after the trail knows the one that counts.
func (g *guard) Remove(name string) error {
	base := g.PathBase(name)
	if number, ok := logNumber(base); ok {
		g.keeper.forget(number)
	}
	if _, _, ok := markedManifest(base); ok {
		if err := g.settle(); err != nil {
			return err
		}
	}
	g.own.removes(base)
	return g.FS.Remove(name)
}

// Rename renames a file.
func (g *guard) Rename(oldname, newname string) error {
	g.own.removes(g.PathBase(oldname))
	err := g.FS.Rename(oldname, newname)
	if err == nil && storeFile(g.PathBase(newname)) {
		g.own.made(g.PathBase(newname))
	}
	return err
}

// settle makes the newest marker durable, and then the trail ask for its MANIFEST.
func (g *guard) settle() error { return errors.Join(syncDir(g, g.dir), g.keeper.settle()) }

// failed ends the process, when the directory is open, for a file that cannot be
// written.
func (g *guard) failed(name string, err error) {
	if g.armed.Load() {
		g.fatal(fmt.Sprintf("%s: %v", name, err))
	}
}

// guarded is a log or a MANIFEST that is written.
type guarded struct {
	vfs.File
	g      *guard
	name   string
	keeper *keeper // nil for a MANIFEST

	written
	count counter
	note  [noteSize]byte
	was   fs.FileInfo // what stands under its name
}

// Write adds to the file.
func (f *guarded) Write(b []byte) (int, error) {
	f.Sum = crc32.Update(f.Sum, castagnoli, b) // writing may change b
	if f.keeper != nil {
		f.count.add(b)
	}
	n, err := f.File.Write(b)
	f.Bytes += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		f.g.failed(f.name, err)
	}
	return n, err
}

// Sync is SyncData.
func (f *guarded) Sync() error { return f.SyncData() }

// SyncData makes what was written durable, and the trail know it.
func (f *guarded) SyncData() error {
	err := f.File.SyncData()
	if err == nil && unlinked(f.Fd()) {
		err = errRemoved
	}
	if err == nil {
		err = f.tell()
	}
	if err != nil {
		f.g.failed(f.name, err)
	}
	return err
}

// tell notes how much is durable: of a log without a sync, for a note that is lost
// with the power only makes the trail less strict.
func (f *guarded) tell() error {
	if f.keeper == nil {
		return f.g.keeper.put(f.written)
	}
	f.Commits = f.count.records
	encodeNote(&f.note, &f.written)
	_, err := f.keeper.file.WriteAt(f.note[:], 0)
	return err
}

// Close closes the file.
func (f *guarded) Close() error {
	f.g.own.remove(f)
	if f.keeper != nil {
		f.keeper.end(f.written)
	}
	err := f.File.Close()
	if err != nil {
		f.g.failed(f.name, err)
	}
	return err
}

// table is one that is written.
type table struct {
	vfs.File
	g    *guard
	name string
}

// Write writes a block, or some.
func (t *table) Write(b []byte) (int, error) {
	n, err := t.File.Write(b)
	return n, t.told(err)
}

// Sync makes the table durable.
func (t *table) Sync() error { return t.told(t.File.Sync()) }

// SyncData makes the table durable.
func (t *table) SyncData() error { return t.told(t.File.SyncData()) }

// Close ends the table.
func (t *table) Close() error {
	err := t.told(t.File.Close())
	if err == nil {
		t.g.pause.done()
	}
	return err
}

// told has the background pause after an error.
func (t *table) told(err error) error {
	if err != nil {
		t.g.pause.failed(t.name, err)
	}
	return err
}

// The format of a log: blocks of chunks, each with checksum (4), length (2), type
// (1), number of the log (4), and where it is synced up to (8). A block's rest that
// has no room for a chunk is left empty.
const (
	logBlock  = 32 << 10
	logHeader = 19
	fullChunk = 9
	lastChunk = 12
)

// counter counts the records that go by in a log, each a commit.
type counter struct {
	records  int64
	at, next int64 // where the stream and the next chunk are
}

// add counts the records that end in the next bytes of the log. Chunks may begin in one
// write and end in another, so only their headers are looked at.
func (c *counter) add(b []byte) {
	start := c.at
	c.at += int64(len(b))
	for {
		if room := logBlock - c.next%logBlock; room < logHeader {
			c.next += room
		}
		i := c.next - start
		if i < 0 || i+7 > int64(len(b)) {
			return
		}
		length, kind := int64(b[i+4])|int64(b[i+5])<<8, b[i+6]
		if kind == fullChunk || kind == lastChunk {
			c.records++
		}
		c.next += logHeader + length
	}
}
