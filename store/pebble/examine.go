package pebble

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"slices"
	"strings"

	logs "github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A LossError is what a directory does not hold any more, although it was
// acknowledged.
type LossError struct {
	Dir string
	// Losses are lines, each with its file.
	Losses []string
}

// Error names the losses and the ways on.
func (e *LossError) Error() string {
	return fmt.Sprintf("store: the data directory %s does not hold all that was acknowledged:\n  %s\nRestore a backup of the whole directory, or give --accept-loss to go on with what is left",
		e.Dir, strings.Join(e.Losses, "\n  "))
}

// examination is what a directory holds, as far as it can be known without opening
// the database. Nothing is written.
type examination struct {
	fs  vfs.FS
	dir string

	known    *trail // nil when the directory has none
	manifest written
	// The MANIFEST asks for logs from this number on, and for sequence numbers up to
	// the last.
	minLog, lastSeq uint64
	logs            []written // that are there, by number, as far as they can be read
	hole            uint64    // the first log that is missing or damaged, 0 for none
	dropped         int64     // bytes behind the last record that is whole
	torn            string    // which log they are in
	replayed        int64     // bytes that the log is read for

	losses, warnings []string
	// fatal is a loss that cannot be accepted, for there is no way on.
	fatal error
}

func (x *examination) lost(format string, args ...any) {
	x.losses = append(x.losses, fmt.Sprintf(format, args...))
}

func (x *examination) warn(format string, args ...any) {
	x.warnings = append(x.warnings, fmt.Sprintf(format, args...))
}

// examine looks at a directory that no process has open.
func examine(fs vfs.FS, dir string) (*examination, error) {
	x := &examination{fs: fs, dir: dir}
	names, err := fs.List(dir)
	if isNotExist(err) {
		return x, nil
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	known, damaged, err := readTrail(fs, dir)
	if err != nil {
		return nil, err
	}
	x.known = known
	for _, text := range damaged {
		x.warn("%s is damaged (%s): losses may not be noticed", trailName, text)
	}
	if known == nil && len(damaged) == 0 && slices.Contains(names, marksName) {
		x.warn("%s is missing: losses may not be noticed", trailName)
	}
	if there := x.readMarker(names); !there || x.fatal != nil {
		return x, nil
	}
	if err := x.readManifest(); err != nil {
		return nil, err
	}
	return x, x.readLogs(names)
}

// readMarker finds the MANIFEST that counts. It is false when there is none, and
// never was.
func (x *examination) readMarker(names []string) (there bool) {
	var newest uint64
	used := false
	for _, name := range names {
		if iteration, number, ok := markedManifest(name); ok && (!there || iteration > newest) {
			there, newest, x.manifest.Number = true, iteration, number
		}
		_, isLog := logNumber(name)
		_, isManifest := manifestNumber(name)
		// The first MANIFEST is there before its marker, and the trail before both.
		made := isManifest && (x.known == nil || x.known.Current != 0)
		used = used || isLog || made || strings.HasSuffix(name, ".sst")
	}
	used = used || x.known != nil && x.known.Current != 0
	if !there && used {
		x.fatal = fmt.Errorf("store: the data directory %s has lost the file marker.manifest.*, so that nothing tells which MANIFEST counts; restore a backup of the whole directory", x.dir)
		return false
	}
	if !there || x.known == nil {
		return there
	}
	name := x.manifestName()
	switch {
	case x.manifest.Number < x.known.Current:
		x.lost("marker.manifest.*: it names %s, and MANIFEST-%06d was there after it", name, x.known.Current)
	case find(x.known.Manifests, x.manifest.Number) == nil:
		x.lost("marker.manifest.*: it names %s, which %s does not know; one of the two is not of this directory's last run", name, trailName)
	}
	return true
}

func (x *examination) manifestName() string { return fmt.Sprintf("MANIFEST-%06d", x.manifest.Number) }

// readManifest holds the MANIFEST against what was durable of it, and reads what it
// asks for.
func (x *examination) readManifest() error {
	name := x.manifestName()
	text, err := x.read(name)
	if isNotExist(err) {
		x.fatal = fmt.Errorf("store: the data directory %s has lost the file %s, which names its tables; restore a backup of the whole directory", x.dir, name)
		return nil
	}
	if err != nil {
		return err
	}
	if x.known != nil {
		if want := find(x.known.Manifests, x.manifest.Number); want != nil {
			x.compare(name, text, want, x.known.Clean)
		}
	}
	rr := logs.NewReader(bytes.NewReader(text), 0)
	for {
		r, err := rr.Next()
		if err != nil {
			break // Pebble takes what comes before, whatever the error is
		}
		if !x.readEdit(bufio.NewReader(r)) {
			break
		}
		x.manifest.Bytes = rr.Offset()
	}
	x.manifest.Sum = crc32.Checksum(text[:x.manifest.Bytes], castagnoli)
	if left := int64(len(text)) - x.manifest.Bytes; left > 0 && len(x.losses) == 0 {
		x.warn("%s: the last %d bytes are no whole record and are left out", name, left)
	}
	return nil
}

// The tags of a MANIFEST's records before those of the tables.
const (
	tagComparer    = 1
	tagMinLog      = 2
	tagNextFile    = 3
	tagLastSeq     = 4
	tagPreviousLog = 9
	tagBacking     = 105
	tagNoBacking   = 106
)

// readEdit reads what a record of the MANIFEST says of logs and sequence numbers.
// It is false when the record is cut short.
func (x *examination) readEdit(r *bufio.Reader) bool {
	for {
		tag, err := binary.ReadUvarint(r)
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		switch tag {
		case tagComparer, tagMinLog, tagNextFile, tagLastSeq, tagPreviousLog, tagNoBacking, tagBacking:
		default:
			_, err = io.Copy(io.Discard, r) // tables; the record must be whole
			return err == nil
		}
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return false
		}
		switch tag {
		case tagComparer:
			_, err = r.Discard(int(min(n, 1<<20)))
		case tagBacking:
			_, err = binary.ReadUvarint(r)
		case tagMinLog:
			x.minLog = n
		case tagLastSeq:
			x.lastSeq = n
		}
		if err != nil {
			return false
		}
	}
}

// compare holds a file against what was durable of it.
func (x *examination) compare(name string, text []byte, want *written, exact bool) (ok bool) {
	n := int64(len(text))
	switch {
	case n < want.Bytes:
		x.lost("%s: it has %d bytes, and %d were durable%s", name, n, want.Bytes, commits(want.Commits))
	case crc32.Checksum(text[:want.Bytes], castagnoli) != want.Sum:
		x.lost("%s: its first %d bytes are not what was written%s", name, want.Bytes, commits(want.Commits))
	case exact && !want.Reused && n > want.Bytes:
		x.lost("%s: it has %d bytes, and had %d when it was closed", name, n, want.Bytes)
	default:
		return true
	}
	return false
}

func commits(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", with %d commits", n)
}

func (x *examination) read(name string) ([]byte, error) {
	f, err := x.fs.Open(x.fs.PathJoin(x.dir, name))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(f)
	return text, errors.Join(err, f.Close())
}

// readLogs holds the logs that will be replayed against what was durable of them,
// and their sequence numbers against each other.
func (x *examination) readLogs(names []string) error {
	var there []uint64
	for _, name := range names {
		if number, ok := logNumber(name); ok && number >= x.minLog {
			there = append(there, number)
		}
	}
	slices.Sort(there)
	var asked []written
	if x.known != nil {
		asked = x.known.Logs
	}
	for i := range asked {
		if w := &asked[i]; w.Number >= x.minLog && !slices.Contains(there, w.Number) && w.Bytes > 0 {
			x.holed(w.Number)
			x.lost("%06d.log: it is missing, and %d bytes of it were durable%s", w.Number, w.Bytes, commits(w.Commits))
		}
	}
	next := max(x.lastSeq+1, firstSeq)
	for i, number := range there {
		if err := x.readLog(number, find(asked, number), i == len(there)-1, &next); err != nil {
			return err
		}
	}
	return nil
}

const (
	// firstSeq is the first sequence number that Pebble assigns.
	firstSeq = 10
	// batchHeader is the head of a record: sequence number (8), operations (4).
	batchHeader = 12
)

// readLog reads a log as Pebble will. next is the sequence number that must not be
// left out.
func (x *examination) readLog(number uint64, want *written, last bool, next *uint64) error {
	name := fmt.Sprintf("%06d.log", number)
	text, err := x.read(name)
	if err != nil {
		return err
	}
	whole := want == nil || x.compare(name, text, want, x.known.Clean)
	w := written{Number: number, Reused: want != nil && want.Reused}
	rr := numberedReader(logs.NewReader, bytes.NewReader(text), number)
	var stopped error
	for {
		var r io.Reader
		if r, stopped = rr.Next(); stopped != nil {
			break
		}
		var batch []byte
		if batch, stopped = io.ReadAll(r); stopped != nil {
			break
		}
		w.Commits++
		w.Bytes = rr.Offset()
		if len(batch) < batchHeader {
			x.lost("%s: the record that ends at byte %d is none", name, w.Bytes)
			break
		}
		seq, count := binary.LittleEndian.Uint64(batch), uint64(binary.LittleEndian.Uint32(batch[8:]))
		if seq > *next && whole {
			x.lost("%s: the %d operations before number %d are nowhere", name, seq-*next, seq)
		}
		*next = max(*next, seq+count)
	}
	x.replayed += w.Bytes
	before := len(x.losses)
	if !whole {
		before--
	}
	switch {
	case whole && want == nil && x.known != nil && w.Commits > 0:
		x.lost("%s: it has %d commits, and %s does not know it; one of the two is not of this directory's last run", name, w.Commits, trailName)
	case !whole:
		if len(x.losses) > 0 && want.Commits > w.Commits {
			x.losses[len(x.losses)-1] += fmt.Sprintf("; %d of them can be read", w.Commits)
		}
	case errors.Is(stopped, io.EOF):
	case !last || errors.Is(stopped, logs.ErrInvalidChunk) || errors.Is(stopped, logs.ErrZeroedChunk):
		x.lost("%s: it is damaged behind byte %d, after %d commits", name, w.Bytes, w.Commits)
	case !w.Reused:
		x.torn, x.dropped = name, int64(len(text))-w.Bytes
	}
	if len(x.losses) > before {
		x.holed(number)
	}
	w.Sum = crc32.Checksum(text[:w.Bytes], castagnoli)
	x.logs = append(x.logs, w)
	return nil
}

// holed remembers from which log on not all can be read.
func (x *examination) holed(number uint64) {
	if x.hole == 0 || number < x.hole {
		x.hole = number
	}
}

// numberedReader calls NewReader, whose type of a number cannot be named here.
func numberedReader[N ~uint64](open func(io.Reader, N) *logs.Reader, r io.Reader, number uint64) *logs.Reader {
	return open(r, N(number))
}

// judge reports what was found, and refuses what was lost.
func (x *examination) judge(opts *Options) error {
	if x.fatal != nil {
		return x.fatal
	}
	for _, text := range x.warnings {
		opts.Logger.Warn("the data directory is damaged", slog.String("directory", x.dir), slog.String("what", text))
	}
	if len(x.losses) > 0 && !opts.AcceptLoss {
		return &LossError{x.dir, x.losses}
	}
	for _, text := range x.losses {
		opts.Logger.Error("lost: what was acknowledged is not there", slog.String("directory", x.dir), slog.String("what", text))
	}
	if x.manifest.Number == 0 || x.known != nil && x.known.Clean {
		return nil
	}
	commits := int64(0)
	for i := range x.logs {
		commits += x.logs[i].Commits
	}
	replayed := []any{slog.String("directory", x.dir), slog.Int64("commits", commits), slog.Int64("bytes", x.replayed)}
	if x.dropped > 0 {
		opts.Logger.Warn("the data directory was not closed, and its log ends in the middle of a commit, which is left out", append(replayed, slog.String("log", x.torn), slog.Int64("bytes-left-out", x.dropped))...)
	} else {
		opts.Logger.Info("the data directory was not closed; its log is read again", replayed...)
	}
	return nil
}

// findings are the losses and warnings, for people.
func (x *examination) findings() []string { return append(slices.Clone(x.losses), x.warnings...) }

// cut makes the logs end before the first loss in them, so that the database can be
// opened with what is left: a commit is not read without those before it. What is
// taken away stays beside them, under another name.
func (x *examination) cut() error {
	if x.hole == 0 {
		return nil
	}
	kept := x.logs[:0]
	for _, w := range x.logs {
		if w.Number < x.hole {
			kept = append(kept, w)
			continue
		}
		name := fmt.Sprintf("%06d.log", w.Number)
		text, err := x.read(name)
		if err != nil {
			return err
		}
		path := x.fs.PathJoin(x.dir, name)
		if err := x.fs.Rename(path, x.fs.PathJoin(x.dir, "lost-"+name)); err != nil {
			return err
		}
		if w.Number > x.hole {
			continue
		}
		w.Reused = false
		if err := writeFile(x.fs, path, text[:w.Bytes]); err != nil {
			return err
		}
		kept = append(kept, w)
	}
	x.logs = kept
	return syncDir(x.fs, x.dir)
}

// next is the trail of the run that begins: what was found is the least there is.
func (x *examination) next() trail {
	t := trail{}
	if x.known != nil {
		t.Generation = x.known.Generation
	}
	if x.manifest.Number != 0 {
		t.Current, t.Manifests = x.manifest.Number, []written{x.manifest}
	}
	t.Logs = x.logs
	return t
}
