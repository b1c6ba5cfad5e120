package engine

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
)

// ErrHeld reports that an execution is held: it is not stepped until an operator says
// that it may go on ([Engine.Resume]), or stops it.
var ErrHeld = errors.New("engine: the execution is held")

// heldAfter is how many deaths of the process, while an execution was being
// stepped, have it held.
const heldAfter = 2

// suspects are the executions in the middle of whose steps the process died. A
// step that does much, or holds much, is marked outside of the process while it
// is under way, so that the next one knows. Who is found there twice is held.
type suspects struct {
	e     *Engine
	marks store.Marks

	any  atomic.Bool // so that the common case takes no lock
	mu   sync.Mutex
	free []int // slots of marks
	all  map[store.ExecutionID]*Suspect
}

// Suspect describes an execution in the middle of whose steps the process died,
// or that broke it.
type Suspect struct {
	ID     store.ExecutionID `json:"-"`
	Deaths int
	// Held reports that it is not stepped any more, Reason why.
	Held   bool
	Reason string
	At     time.Time // of the last death that was seen

	entry uint64 // version of the catalogue's entry
}

const suspectPrefix = "suspect/"

func suspectKey(id store.ExecutionID) string { return suspectPrefix + hex.EncodeToString(id[:]) }

// open reads who is suspected, and adds those that the run before left marked.
func (s *suspects) open(ctx context.Context, e *Engine) error {
	s.e, s.marks, s.all = e, e.cfg.Marks, make(map[store.ExecutionID]*Suspect)
	entries, err := e.store.Scan(ctx, suspectPrefix, "", 0)
	if err != nil {
		return fmt.Errorf("engine: read suspects: %w", err)
	}
	for _, entry := range entries {
		x := &Suspect{entry: entry.Version}
		id, err := hex.DecodeString(strings.TrimPrefix(entry.Key, suspectPrefix))
		if err == nil {
			err = catalogue.DecodeEntry(entry, x)
		}
		if err != nil || copy(x.ID[:], id) != len(x.ID) {
			e.log.Error("a suspect cannot be read, and is passed over", slog.String("entry", entry.Key), slog.Any("error", err))
			continue
		}
		s.all[x.ID] = x
		s.any.Store(true)
	}
	if s.marks == nil {
		return nil
	}
	for _, id := range s.marks.Left() {
		if err := s.suspect(ctx, id, "the process ended in the middle of a step of the execution"); err != nil {
			return err
		}
	}
	for slot := range store.MarkSlots {
		if err := s.marks.Clear(slot); err != nil {
			return fmt.Errorf("engine: marks of executions: %w", err)
		}
		s.free = append(s.free, slot)
	}
	for _, x := range s.all {
		if x.Held {
			e.log.Warn("an execution is held: `steppe resume` has it go on, `steppe stop` ends it",
				slog.String("execution", s.name(ctx, x.ID)), slog.String("reason", x.Reason))
		}
	}
	return nil
}

// name is the ARN of an execution for the log.
func (s *suspects) name(ctx context.Context, id store.ExecutionID) string {
	if record, err := s.e.store.Execution(ctx, id); err == nil {
		if m, err := stored.DecodeMeta(record.Meta); err == nil {
			return m.ExecutionARN()
		}
	}
	return hex.EncodeToString(id[:])
}

// suspect counts a death in the middle of a step of an execution.
func (s *suspects) suspect(ctx context.Context, id store.ExecutionID, reason string) error {
	record, err := s.e.store.Execution(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && record.Status != store.Running {
		return nil // it was not durable, or has ended
	}
	if err != nil {
		return fmt.Errorf("engine: read a suspect: %w", err)
	}
	x := s.get(id)
	if x == nil {
		x = &Suspect{ID: id}
	}
	changed := *x
	changed.Deaths++
	changed.At = s.e.Now()
	if changed.Deaths >= heldAfter {
		changed.Held, changed.Reason = true, fmt.Sprintf("%s, %d times", reason, changed.Deaths)
	}
	return s.put(ctx, &changed)
}

// hold holds an execution at once.
func (s *suspects) hold(ctx context.Context, id store.ExecutionID, reason string) error {
	changed := Suspect{ID: id}
	if x := s.get(id); x != nil {
		changed = *x
	}
	changed.Held, changed.Reason, changed.At = true, reason, s.e.Now()
	return s.put(ctx, &changed)
}

// put writes a suspect.
func (s *suspects) put(ctx context.Context, x *Suspect) error {
	encoded, _ := json.Marshal(x) // plain fields
	if err := s.e.catalogue.Put(ctx, store.Edit{Key: suspectKey(x.ID), Version: x.entry, Value: encoded}); err != nil {
		return fmt.Errorf("engine: write a suspect: %w", err)
	}
	x.entry++
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[x.ID] = x
	s.any.Store(true)
	return nil
}

func (s *suspects) get(id store.ExecutionID) *Suspect {
	if !s.any.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id]
}

// held reports whether an execution is held.
func (s *suspects) held(id store.ExecutionID) bool {
	x := s.get(id)
	return x != nil && x.Held
}

// forget clears an execution of suspicion, when it has ended or is to go on.
func (s *suspects) forget(ctx context.Context, id store.ExecutionID) error {
	x := s.get(id)
	if x == nil {
		return nil
	}
	err := s.e.catalogue.Put(ctx, store.Edit{Key: suspectKey(id), Version: x.entry})
	if err != nil && !errors.Is(err, store.ErrVersion) {
		return fmt.Errorf("engine: forget a suspect: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, id)
	return nil
}

// ended forgets an execution that has ended.
func (s *suspects) ended(id store.ExecutionID) {
	if s.get(id) == nil {
		return
	}
	s.e.spawn(func() {
		if err := s.forget(s.e.closing, id); err != nil && s.e.closing.Err() == nil {
			s.e.log.Error("forget a suspect", slog.Any("error", err))
		}
	})
}

// mark notes outside of the process that an execution is in the middle of a step
// that does or holds much. It returns the number to clear it by, 0 when there is
// no place.
func (s *suspects) mark(id store.ExecutionID) int {
	if s.marks == nil || id == (store.ExecutionID{}) {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.free)
	if n == 0 {
		return 0
	}
	slot := s.free[n-1]
	if err := s.marks.Set(slot, id); err != nil {
		s.e.log.Error("mark an execution", slog.Any("error", err))
		return 0
	}
	s.free = s.free[:n-1]
	return slot + 1
}

func (s *suspects) clear(mark int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.marks.Clear(mark - 1); err != nil {
		s.e.log.Error("clear the mark of an execution", slog.Any("error", err))
	}
	s.free = append(s.free, mark-1)
}
