package engine_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/store/pebble"
)

var (
	seeds = flag.Int("seeds", 400, "number of seeds of the simulation")
	first = flag.Uint64("seed", 1, "first seed of the simulation")
)

// found are seeds that have found bugs. What a seed does changes with the
// simulation: the bugs have tests of their own, too.
var found = []uint64{4645}

// TestSimulation runs whole engines, each world in one goroutine, under a seeded
// schedule of everything that can go wrong: commits and edits of the catalogue
// that are lost before or after they are written, or in the middle of which
// something else happens; answers that come late, twice or never; engines that
// die; power cuts; and a rival that takes shards away. Callers start, stop,
// redrive and fork executions, work on activities, and create, publish, shift
// and delete state machines. Time passes, also beyond retention.
//
// Executions have jobs, which a service outside of the engines runs, and children, which
// are jobs by themselves: whatever happens, each is submitted once, asked about until it
// ends, and stopped when nobody waits for it any more.
//
// Whatever is written is held against what must be true of it (see truth); in
// the end every execution must have ended as the language says, and nothing may
// be left of what has expired. Every fiftieth seed must give the same bytes twice.
func TestSimulation(t *testing.T) {
	if *seeds > 1000 { // rather some memory than half of the time
		defer debug.SetGCPercent(debug.SetGCPercent(800))
	}
	all := slices.Clone(found)
	for i := range uint64(*seeds) {
		all = append(all, *first+i)
	}
	var next, failed atomic.Int64
	failed.Store(int64(len(all)))
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 2) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < failed.Load(); i = next.Add(1) - 1 {
				if !simulateSeed(t, all[i]) {
					failed.Store(min(failed.Load(), i))
				}
			}
		})
	}
	workers.Wait()
	if i := failed.Load(); i < int64(len(all)) {
		s := simulate(t.Context(), all[i], func(s *simulation) { s.tracing = true })
		if len(s.problems) == 0 {
			t.Fatalf("seed %d has failed, and does not repeat that", all[i])
		}
		t.Fatalf("seed %d (repeat it with -seeds 1 -seed %d):\n%s\n%s", all[i], all[i], strings.Join(s.trace, "\n"), strings.Join(s.problems, "\n"))
	}
}

// simulateSeed runs a seed, and every fiftieth twice.
func simulateSeed(t *testing.T, seed uint64) bool {
	twice := seed%50 == 0
	record := func(s *simulation) {
		if twice {
			s.record = new(bytes.Buffer)
		}
	}
	s := simulate(t.Context(), seed, record)
	if len(s.problems) > 0 {
		t.Errorf("seed %d: %s", seed, s.problems[0])
		return false
	}
	if twice {
		again := simulate(t.Context(), seed, record)
		if !bytes.Equal(s.record.Bytes(), again.record.Bytes()) {
			t.Errorf("seed %d does not repeat", seed)
			return false
		}
	}
	return true
}

// simulation is one run: a world of its own.
type simulation struct {
	ctx    context.Context
	seed   uint64
	random *rand.Rand
	now    time.Time
	calm   bool // no more faults

	// solo: there is one engine at a time, which also edits the catalogue; else
	// a rival may be there, and machines stay as they are.
	solo  bool
	base  store.Store
	disk  *vfs.MemFS // under base, where power cuts are simulated
	truth *truth
	nodes [2]*node

	jobs    []job
	late    []func() error      // commits that arrive late
	working []store.ExecutionID // executions in the middle of a commit
	depth   int                 // of what happens in the middle of something else
	between int                 // counts what did
	tokens  []token
	service map[string]*fakeJob // the jobs of the simulated service, by their idempotency keys
	tombs   map[string]bool     // keys of what was stopped
	calmed  time.Time           // when all faults ended
	keys    map[string]string   // idempotency keys
	decoded map[string]any      // what bytes of the catalogue say
	starts  int
	forks   int
	arns    []string // of the executions that were started, in their order
	syncs   int
	opened  int // engines

	tracing  bool
	trace    []string
	problems []string
	record   *bytes.Buffer
}

// node is an engine that may die.
type node struct {
	*engine.Engine
	number int
	store  *nodeStore
	dead   bool
}

type job struct {
	owner *node
	work  func()
}

const (
	simulatedShards    = 3
	simulatedRetention = 3 * 24 * time.Hour
)

func simulate(ctx context.Context, seed uint64, prepare func(*simulation)) *simulation {
	s := newSimulation(ctx, seed, prepare)
	s.moves(240)
	s.end()
	return s
}

func newSimulation(ctx context.Context, seed uint64, prepare func(*simulation)) *simulation {
	s := &simulation{
		ctx: ctx, seed: seed, random: rand.New(rand.NewPCG(seed, 7)), now: time.UnixMilli(1_700_000_000_000).UTC(),
		solo: seed%4 != 0, keys: make(map[string]string), decoded: make(map[string]any),
		service: make(map[string]*fakeJob), tombs: make(map[string]bool),
	}
	s.truth = newTruth(s)
	prepare(s)
	if seed%75 == 50 { // with and without a rival
		s.disk = vfs.NewCrashableMem()
		s.openDisk()
	} else {
		s.base = memory.New(memory.Options{Shards: simulatedShards})
	}
	s.nodes[0] = s.open()
	s.makeActivity()
	return s
}

// makeActivity makes the activity that all machines have tasks for, and the machine of
// their children.
func (s *simulation) makeActivity() {
	calm := s.calm
	s.calm = true
	defer func() { s.calm = calm }()
	if err := s.nodes[0].Catalogue().PutActivity(s.ctx, catalogue.Activity{Tenant: tenant, Name: "a"}); err != nil {
		panic(err)
	}
	s.machine(s.nodes[0], "child", catalogue.Standard, child)
}

// moves makes things happen until something is wrong.
func (s *simulation) moves(n int) {
	for ; n > 0 && len(s.problems) == 0; n-- {
		s.move()
	}
}

// end brings everything to its end and looks at it.
func (s *simulation) end() {
	for _, part := range []func(){s.settle, s.check, s.expire} {
		if len(s.problems) == 0 {
			part()
		}
	}
	if err := s.base.Close(); err != nil {
		s.wrong("%v", err)
	}
}

// openDisk opens the store on the disk.
func (s *simulation) openDisk() {
	db, err := pebble.Open("data", pebble.Options{FS: s.disk, Shards: simulatedShards, MemTableSize: 1 << 20, CacheSize: 1 << 20})
	if err != nil {
		panic(err)
	}
	s.base = db
}

func (s *simulation) wrong(format string, args ...any) {
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

func (s *simulation) note(format string, args ...any) {
	if s.tracing {
		s.trace = append(s.trace, s.now.Format("02 15:04:05.000 ")+strings.Repeat("  ", s.depth)+fmt.Sprintf(format, args...))
	}
}

// open starts an engine on the store: it takes all shards.
func (s *simulation) open() *node {
	calm := s.calm
	s.calm = true // an engine that cannot be opened is opened again
	defer func() { s.calm = calm }()
	s.opened++
	s.note("open %d", s.opened)
	n := &node{number: s.opened}
	n.store = &nodeStore{s.base, s, n}
	var registry integration.Registry
	registry.Register("fake", fake{s, n})
	e, err := engine.Open(s.ctx, engine.Config{
		Store: n.store, Logger: s.logger(), Integrations: &registry, Owner: "simulated", Retention: simulatedRetention,
		Clock:  func() time.Time { return s.now },
		Random: reader{s.random},
		Go:     func(work func()) { s.jobs = append(s.jobs, job{n, work}) },
	})
	if err != nil {
		panic(err)
	}
	n.Engine = e
	return n
}

// logger notes what engines log.
func (s *simulation) logger() *slog.Logger {
	if !s.tracing {
		return nil
	}
	return slog.New(slog.NewTextHandler(noted{s}, nil))
}

type noted struct{ s *simulation }

func (n noted) Write(line []byte) (int, error) {
	_, text, _ := strings.Cut(strings.TrimSpace(string(line)), "level=")
	n.s.note("%s", text)
	return len(line), nil
}

// reader gives the bytes of a seeded source.
type reader struct{ random *rand.Rand }

func (r reader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.random.Uint32())
	}
	return len(b), nil
}

var _ io.Reader = reader{}

// move makes one thing happen.
func (s *simulation) move() {
	switch n := s.random.IntN(100); {
	case n < 45 && len(s.jobs) > 0:
		s.work()
	case n < 60:
		s.tick()
	case n < 70 && len(s.tokens) > 0:
		s.answer()
	case n < 76:
		s.poll()
	case n < 78:
		s.die(s.random.IntN(2))
	case n < 79 && !s.solo && s.nodes[1] == nil:
		s.nodes[1] = s.open()
	case n < 80 && s.random.IntN(3) == 0:
		s.leap()
	default:
		s.call()
	}
}

// interrupt lets something else happen in the middle of a write: what other
// goroutines, or another engine, could do then.
func (s *simulation) interrupt() {
	if s.calm || s.depth > 1 || s.random.IntN(30) != 0 {
		return
	}
	s.depth++
	s.between++
	defer func() { s.depth-- }()
	switch n := s.random.IntN(10); {
	case n < 1:
		s.die(s.random.IntN(2))
	case n < 3:
		s.acquire()
	case n < 4:
		_, _ = s.alive().store.Retain(s.ctx, s.now, 1000) // as the engine does in a goroutine of its own
	case n < 5 && len(s.tokens) > 0:
		s.answer()
	default:
		s.call()
	}
}

// busy reports whether an execution is in the middle of a commit: whoever
// delivers to it now would wait for the end of that.
func (s *simulation) busy(arn string) bool {
	x := s.truth.byARN[arn]
	return len(s.working) > 0 && (x == nil || slices.Contains(s.working, x.id))
}

func (s *simulation) acquire() {
	n := s.alive()
	shard := store.ShardID(s.random.IntN(simulatedShards))
	s.note("%d takes shard %d", n.number, shard)
	if err := n.Acquire(s.ctx, shard); err != nil && !n.dead {
		s.wrong("acquire: %v", err)
	}
}

func (s *simulation) alive() *node {
	if n := s.nodes[s.random.IntN(2)]; n != nil {
		return n
	}
	return s.nodes[0]
}

// work does one of the jobs that the engines want done, in any order. Those of
// a dead engine are never done.
func (s *simulation) work() {
	i := s.random.IntN(len(s.jobs))
	j := s.jobs[i]
	s.jobs[i] = s.jobs[len(s.jobs)-1]
	s.jobs = s.jobs[:len(s.jobs)-1]
	if !j.owner.dead {
		j.work()
	}
}

// tick lets some time pass, up to the next timer of an engine.
func (s *simulation) tick() {
	n := s.alive()
	if s.random.IntN(2) == 0 {
		s.pass(n)
	}
	n.Tick(s.ctx, s.now)
}

// pass goes to the next time at which something is due.
func (s *simulation) pass(n *node) {
	if next := n.NextDue(); next != 0 {
		if at := time.UnixMilli(next).UTC(); at.After(s.now) {
			s.now = at
		}
	}
}

// leap lets much time pass.
func (s *simulation) leap() {
	s.now = s.now.Add(time.Duration(s.random.Int64N(int64(simulatedRetention))))
	s.alive().Tick(s.ctx, s.now)
}

// die kills an engine; the first one is replaced at once. Where power cuts are
// simulated that is one, and all that was not synced goes with it.
func (s *simulation) die(i int) {
	s.kill(i)
	if s.nodes[0] != nil {
		return
	}
	if s.disk != nil {
		s.cutPower()
	}
	s.nodes[0] = s.open()
}

func (s *simulation) kill(i int) {
	if n := s.nodes[i]; n != nil {
		s.note("die: %d", n.number)
		n.dead = true
		s.nodes[i] = nil
	}
}

func (s *simulation) cutPower() {
	s.kill(1)
	left := s.disk.CrashClone(vfs.CrashCloneCfg{})
	if err := s.base.Close(); err != nil {
		s.wrong("%v", err)
	}
	s.disk, s.late = left, nil
	s.openDisk()
	s.truth.after(s.base)
}

// tidy lets the engine do what it does now and then.
func (s *simulation) tidy() {
	s.now = s.now.Add(time.Hour)
	s.nodes[0].Tick(s.ctx, s.now)
	for len(s.jobs) > 0 {
		s.work()
	}
}

// acquireAll has the first engine take back what a rival had.
func (s *simulation) acquireAll() {
	for shard := range simulatedShards {
		if err := s.nodes[0].Acquire(s.ctx, store.ShardID(shard)); err != nil {
			s.wrong("acquire: %v", err)
		}
	}
}

// settle runs everything to its end, with one engine and without faults.
func (s *simulation) settle() {
	s.calm, s.calmed = true, s.now
	for len(s.late) > 0 {
		s.arrive()
	}
	s.die(1)
	if s.seed%3 > 0 { // else the engine must have kept all in mind
		s.die(0)
	} else if !s.solo {
		s.acquireAll()
	}
	n := s.nodes[0]
	for range 20_000 {
		switch next := n.NextDue(); {
		case len(s.problems) > 0:
			return
		case len(s.jobs) > 0:
			s.work()
		case s.truth.running() == 0 && s.redriveAll():
		case s.truth.running() == 0 && next == 0:
			s.tidy()
			return
		case s.truth.running() > 0 && s.poll():
		case s.truth.running() > 0 && len(s.tokens) > 0: // else more of them could come than are answered
			s.answer()
		case next != 0:
			s.pass(n)
			n.Tick(s.ctx, s.now)
		default:
			s.wrong("%d executions are stuck", s.truth.running())
			return
		}
	}
	s.wrong("it does not end; %d executions run", s.truth.running())
}

// redriveAll has all executions go on that can. It is false when there was none.
func (s *simulation) redriveAll() (some bool) {
	for _, arn := range s.arns {
		x := s.truth.byARN[arn]
		if x == nil || x.express || x.status == store.Succeeded {
			continue
		}
		_, err := s.nodes[0].Redrive(s.ctx, arn, "")
		if err == nil {
			some = true
		} else if _, refused := errors.AsType[*engine.NotRedrivableError](err); !refused {
			s.wrong("redrive: %v", err)
		}
	}
	return some
}
