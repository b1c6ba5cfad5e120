package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

// How an import trusts nothing, is repeated without harm, and is fast.
//
// An export is a text that anyone may have edited, and what stands in a store is
// believed for years. So each execution is checked as the engine would have written it:
// its events are replayed by the definition it was started with, and status, times,
// redrives and names of the record must be what the replay results in. A line that
// fails is refused with its number and the reason, and all others are imported; an
// execution is written in one transition, so there is no half of one. (Of what AWS
// recorded, which cannot be replayed, only numbers, links and the end are checked.)
//
// Order matters between lines of different kinds only. State machines come before
// their executions, and are placed one after the other by the goroutine that reads
// (read, line): each is found in the store or created, and its number there may differ
// from that in the export. The table from one to the other (exportRead.machines) is
// what executions need. These are independent of each other, and go to many workers:
// each one waits for an fsync most of its time, and a store makes one fsync of all
// commits that wait. The number of workers is therefore not that of processors. What
// bounds the memory is room, by the bytes of the lines under way: lines differ in size
// by a factor of a million.
//
// An import that was interrupted is made again from the beginning. What is there
// already is exported from the store and compared with the line, byte for byte: if it
// is the same it counts as [Imported].Same, otherwise it is a conflict, which is
// refused or skipped; nothing is overwritten. Two lines of one execution may be under way at
// once; the store refuses the second one, and it is then compared like any other that
// is there.
//
// Two things are left behind if they are not in the export. Without the key of task
// tokens, tokens that are under way are invalid in the new store (Imported.Tokens says
// how many). Without the customers' keys, what was encrypted is stored in plain text
// (Imported.Plain). Both are counted and reported, since both may be what is wanted.
//
// A dry run does all of this except the writes, and so reports the same problems.

// ImportOptions says how to import.
type ImportOptions struct {
	// DryRun checks everything and writes nothing.
	DryRun bool
	// Skip leaves out what is there already and differs, and executions whose
	// definition does; otherwise it is refused.
	Skip bool
	// Partial takes an export that ends before its last line.
	Partial bool
	// EncryptionKeys encrypt what is imported, where its configuration names one.
	// Without any, nothing is encrypted.
	EncryptionKeys []catalogue.EncryptionKey
	// Problem receives lines that are refused, one call at a time. They are
	// left out; all else is imported.
	Problem func(line int, text string)
}

// Imported counts what was imported, or would be.
type Imported struct {
	Machines, Activities int
	// Executions are all, Running those of them that have not ended.
	Executions, Running int
	// Same were there already, as they are.
	Same int
	// Skipped were left out: see [ImportOptions].Skip.
	Skipped int
	// Problems are lines that were refused.
	Problems int
	// Tokens are tasks under way whose task tokens this store does not know: the
	// export was made without the key.
	Tokens int
	// Plain are machines that name encryption keys, where none were given.
	Plain int
	// Writes counts what was written; nothing is when all was there.
	Writes int
}

// Add adds other counts.
func (n *Imported) Add(m Imported) {
	n.Machines += m.Machines
	n.Activities += m.Activities
	n.Executions += m.Executions
	n.Running += m.Running
	n.Same += m.Same
	n.Skipped += m.Skipped
	n.Problems += m.Problems
	n.Tokens += m.Tokens
	n.Plain += m.Plain
	n.Writes += m.Writes
}

// Import reads what [Export] wrote into a store that no engine has open. What is
// there already is left as it is. An execution is there as a whole or not at
// all; importing again after a failure imports the rest.
func Import(ctx context.Context, s store.Store, r io.Reader, opts ImportOptions) (Imported, error) {
	im, err := newImporter(ctx, s, opts)
	if err != nil {
		return Imported{}, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	lines := make(chan importLine)
	var workers sync.WaitGroup
	for range importers {
		workers.Go(func() {
			var reader history.Reader
			for l := range lines {
				if err := im.told(l.number, im.execution(ctx, l.from, l.text, &reader)); err != nil {
					stop(err)
				}
				reader.Forget()
				im.room.leave(len(l.text))
			}
		})
	}
	err = im.read(ctx, r, lines)
	close(lines)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return im.Imported, errors.Join(err, im.release())
}

// How much is under way at once: lines, which share the syncs of their commits,
// and bytes of them.
const (
	importers  = 256
	importRoom = 16 << 20
)

// importer is an import under way.
type importer struct {
	ImportOptions
	db    *source
	index stored.Index
	// encrypts reports that there are keys to encrypt with.
	encrypts bool
	shards   []store.Shard // nil when nothing is written
	room     room
	key      atomic.Bool // the export has the keys of task tokens
	// gone has the numbers of deleted machines, by what they were; nil until it is
	// asked for.
	gone map[string][]uint32

	mu sync.Mutex
	Imported
}

// newImporter acquires all shards of the store, unless nothing is to be written: no engine
// can have it open while it imports.
func newImporter(ctx context.Context, s store.Store, opts ImportOptions) (*importer, error) {
	db, err := open(s, opts.EncryptionKeys)
	if err != nil {
		return nil, err
	}
	im := &importer{ImportOptions: opts, db: db, encrypts: len(opts.EncryptionKeys) > 0}
	im.room.size, im.room.free.L = importRoom, &im.room.mu
	if err := im.index.Read(ctx, s); err != nil {
		return nil, err
	}
	if opts.DryRun {
		return im, nil
	}
	im.shards = make([]store.Shard, s.Shards())
	for i := range im.shards {
		var err error
		if im.shards[i], err = s.Acquire(ctx, store.ShardID(i), store.Owner{Name: "import"}); err != nil {
			return nil, errors.Join(err, im.release())
		}
	}
	return im, nil
}

// release ends the ownership of the shards, also when the import was cancelled.
func (im *importer) release() (err error) {
	for _, s := range im.shards {
		if s != nil {
			err = errors.Join(err, s.Release(context.Background()))
		}
	}
	return err
}

// importLine is the line of an execution on its way to a worker.
type importLine struct {
	number int
	from   *exportRead
	text   []byte
}

// exportRead is an export while it is read: a file may hold several, one after
// the other.
type exportRead struct {
	exportedEnd // what was read so far
	mu          sync.RWMutex
	machines    map[int]*placed
}

func (x *exportRead) machine(number int) *placed {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.machines[number]
}

// refusedError reports what is wrong with a line.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

// refuse is the error of a line that cannot be.
func refuse(format string, args ...any) error { return &refusedError{fmt.Sprintf(format, args...)} }

// told counts and reports a line that was refused. Any other error is returned.
func (im *importer) told(line int, err error) error {
	refused, ok := errors.AsType[*refusedError](err)
	if missing, locked := errors.AsType[*catalogue.KeyError](err); locked {
		refused, ok = &refusedError{missing.Error() + " (--encryption-keys)"}, true
	}
	if !ok {
		return err
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	im.Problems++
	if im.Problem != nil {
		im.Problem(line, refused.text)
	}
	return nil
}

// count adds to what is counted, which workers do at the same time.
func (im *importer) count(add func(n *Imported)) {
	im.mu.Lock()
	defer im.mu.Unlock()
	add(&im.Imported)
}

// read reads lines, hands executions on, and sees to all else itself.
func (im *importer) read(ctx context.Context, r io.Reader, lines chan<- importLine) error {
	in := bufio.NewReaderSize(r, 1<<20)
	var x *exportRead
	for n := 1; ctx.Err() == nil; n++ {
		text, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("line %d: %w", n, err)
		}
		last := err != nil
		if text = bytes.TrimSpace(text); len(text) > 0 {
			if x, err = im.line(ctx, x, n, text, lines); err != nil {
				if err = im.told(n, err); err != nil {
					return err
				}
			}
		}
		if last {
			if x != nil && !im.Partial {
				return im.told(n, refuse("the export is cut: its last line is not there (--partial takes what is)"))
			}
			return nil
		}
	}
	return ctx.Err()
}

// line sees to one line of an export, and returns the export that goes on.
func (im *importer) line(ctx context.Context, x *exportRead, n int, text []byte, lines chan<- importLine) (*exportRead, error) {
	kind, err := kindOf(text)
	switch {
	case err != nil:
		return x, refuse("%v", err)
	case kind == "":
		return im.begin(x, text)
	case x == nil:
		return x, refuse(`an export begins with {"format":"%s","version":%d}`, exportFormat, exportVersion)
	}
	switch kind {
	case kindExecution:
		x.Executions++
		im.room.enter(len(text))
		lines <- importLine{n, x, text}
		return x, nil
	case kindMachine:
		x.Machines++
		return x, im.machine(ctx, x, text)
	case kindActivity:
		x.Activities++
		return x, im.activity(ctx, text)
	case kindSecret:
		return x, im.secret(ctx, text)
	case kindEnd:
		return nil, im.end(x, text)
	}
	return x, refuse("there is no kind %q", kind)
}

// kindOf returns the kind of a line, "" for the first of an export.
func kindOf(text []byte) (string, error) {
	if bytes.HasPrefix(text, []byte(`{"kind":"`+kindExecution+`",`)) {
		return kindExecution, nil
	}
	v, err := value.Decode(text)
	if err != nil {
		return "", err
	}
	if v.Get("format").Kind() == value.String {
		return "", nil
	}
	if v.Get("kind").Str() == "" {
		return "", errors.New("a line is an object with a member kind")
	}
	return v.Get("kind").Str(), nil
}

// begin reads the first line of an export.
func (im *importer) begin(before *exportRead, text []byte) (*exportRead, error) {
	var head exportedHeader
	if err := decodeLine(text, &head); err != nil {
		return before, refuse("%v", err)
	}
	if head.Format != exportFormat || head.Version != exportVersion {
		return before, refuse("the format is %s %d; this program knows %s %d", head.Format, head.Version, exportFormat, exportVersion)
	}
	x := &exportRead{machines: make(map[int]*placed)}
	if before != nil && !im.Partial {
		return x, refuse("another export begins, and the last line of the one before is not there (--partial takes what is)")
	}
	return x, nil
}

// end holds what was read against the last line of an export.
func (im *importer) end(x *exportRead, text []byte) error {
	var end exportedEnd
	if err := decodeLine(text, &end); err != nil {
		return refuse("%v", err)
	}
	x.Kind = kindEnd
	if end != x.exportedEnd && !im.Partial {
		return refuse("the export had %d state machines, %d activities and %d executions; here are %d, %d and %d of them (--partial takes what is there)",
			end.Machines, end.Activities, end.Executions, x.Machines, x.Activities, x.Executions)
	}
	return nil
}

// secret imports a key of task tokens. The first becomes the store's own if it
// has none.
func (im *importer) secret(ctx context.Context, text []byte) error {
	var line exportedSecret
	if err := decodeLine(text, &line); err != nil {
		return refuse("%v", err)
	}
	if len(line.TaskTokenKey) == 0 {
		return refuse("taskTokenKey is missing")
	}
	im.key.Store(true)
	edits, err := im.db.catalogue.AddTokenKey(ctx, line.TaskTokenKey)
	if errors.Is(err, catalogue.ErrTokenKey) {
		return refuse("%v", err)
	}
	if err != nil || len(edits) == 0 {
		return err
	}
	return im.put(ctx, edits...)
}

// activity imports the line of an activity.
func (im *importer) activity(ctx context.Context, text []byte) error {
	var line exportedActivity
	if err := decodeLine(text, &line); err != nil {
		return refuse("%v", err)
	}
	name, ok := parseExported(line.ARN, "activity", 1)
	if !ok {
		return refuse("activityArn %q is no ARN of an activity", line.ARN)
	}
	a := &catalogue.Activity{Tenant: name.Tenant, Name: name.Path[0], Created: time.Time(line.Created), Encryption: line.Encryption, Tags: line.Tags}
	there, err := im.db.catalogue.Activity(ctx, a.Tenant, a.Name)
	if errors.Is(err, store.ErrNotFound) {
		edit, err := a.Edit()
		if err != nil {
			return refuse("%v", err)
		}
		im.count(func(n *Imported) { n.Activities++ })
		return im.put(ctx, edit)
	}
	if err != nil {
		return err
	}
	return im.met(line.ARN, bytes.Equal(encodeLine(exportActivity(there)), encodeLine(exportActivity(a))))
}

// met sees to something that is there already.
func (im *importer) met(arn string, same bool) error {
	switch {
	case same:
		im.count(func(n *Imported) { n.Same++ })
	case im.Skip:
		im.count(func(n *Imported) { n.Skipped++ })
	default:
		return refuse("%s is there already, and differs (--on-conflict skip leaves it as it is)", arn)
	}
	return nil
}

// put writes catalogue entries, unless nothing is to be written.
func (im *importer) put(ctx context.Context, edits ...store.Edit) error {
	im.count(func(n *Imported) { n.Writes++ })
	if im.DryRun {
		return nil
	}
	return im.db.catalogue.Put(ctx, edits...)
}

// room bounds the bytes that are under way.
type room struct {
	size int

	mu   sync.Mutex
	used int
	free sync.Cond
}

// enter takes bytes, when there is room for them. What is larger than all room
// takes it alone.
func (r *room) enter(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.used > 0 && r.used+n > r.size {
		r.free.Wait()
	}
	r.used += n
}

func (r *room) leave(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= n
	r.free.Broadcast()
}
