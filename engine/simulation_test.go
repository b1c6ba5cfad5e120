package engine_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/value"
)

var (
	seeds = flag.Int("seeds", 150, "number of seeds of the simulation")
	first = flag.Uint64("seed", 1, "first seed of the simulation")
)

// TestSimulation runs whole engines in one goroutine, under a seeded schedule
// of everything that can go wrong: commits that are lost before or after they
// are written, answers that come late, twice or never, engines that die, and a
// rival that takes shards away at any moment, also in the middle of a commit.
// In the end every execution must have ended with the output that the language
// says, by a history without gaps that a replay agrees with; and every seed
// must give the same bytes twice.
func TestSimulation(t *testing.T) {
	for seed := *first; seed < *first+uint64(*seeds); seed++ {
		one := simulate(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d (repeat it with -seeds 1 -seed %d)", seed, seed)
		}
		if simulate(t, seed) != one {
			t.Fatalf("seed %d does not repeat", seed)
		}
	}
}

// machine has every kind of waiting: a task that is retried, branches and
// iterations with tasks, a Wait, a task token, and a failure that is caught.
const machine = `{
  "StartAt": "First",
  "States": {
    "First": {
      "Type": "Task", "Resource": "arn:aws:states:::fake:work", "ResultPath": "$.first",
      "Parameters": {"n.$": "$.n", "failures": 2, "attempt.$": "$$.State.RetryCount"},
      "Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 3, "MaxAttempts": 5, "JitterStrategy": "FULL"}],
      "Next": "Both"
    },
    "Both": {
      "Type": "Parallel", "ResultPath": "$.both", "Next": "Each",
      "Branches": [
        {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::fake:work", "Parameters": {"n.$": "$.n"}, "Next": "A2"}, "A2": {"Type": "Pass", "End": true}}},
        {"StartAt": "B", "States": {"B": {"Type": "Wait", "Seconds": 30, "Next": "B2"}, "B2": {"Type": "Pass", "Result": "waited", "End": true}}}
      ]
    },
    "Each": {
      "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "ResultPath": "$.each", "Next": "Ask",
      "ItemSelector": {"n.$": "$$.Map.Item.Value", "fail": "ItemRefused", "failures": 1, "attempt": 0},
      "ItemProcessor": {"StartAt": "Item", "States": {
        "Item": {"Type": "Task", "Resource": "arn:aws:states:::fake:work", "Catch": [{"ErrorEquals": ["Flaky"], "Next": "Caught"}], "End": true},
        "Caught": {"Type": "Pass", "Parameters": {"caught.$": "$.Error"}, "End": true}
      }}
    },
    "Ask": {
      "Type": "Task", "Resource": "arn:aws:states:::fake:ask.waitForTaskToken", "ResultPath": "$.answer",
      "Parameters": {"token.$": "$$.Task.Token", "n.$": "$.n"}, "Next": "Sum"
    },
    "Sum": {"Type": "Pass", "Parameters": {"first.$": "$.first.twice", "both.$": "$.both", "each.$": "$.each", "answer.$": "$.answer"}, "End": true}
  }
}`

// expected is the output of an execution with input n, in the order of names
// that payload templates have.
func expected(n int) string {
	return fmt.Sprintf(`{"answer":{"to":%d},"first":%d,"each":[{"caught":"Flaky"},{"caught":"Flaky"},{"caught":"Flaky"}],"both":[{"twice":%d},"waited"]}`, n, 2*n, 2*n)
}

// simulation is one run.
type simulation struct {
	t      *testing.T
	seed   uint64
	random *rand.Rand
	now    time.Time
	store  *memory.Store
	calm   bool // no more faults

	engines []*node
	jobs    []job
	tokens  []token
	started map[string]int // ARN → n
	arns    []string       // of the started, in their order
	starts  int
	forks   int
}

// node is an engine that may die.
type node struct {
	*engine.Engine
	dead bool
}

type job struct {
	owner *node
	work  func()
}

type token struct {
	text string
	n    value.Value
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{
		t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 7)), now: time.UnixMilli(1_700_000_000_000).UTC(),
		started: make(map[string]int),
	}
	s.store = memory.New(memory.Options{Shards: 3, Fault: s.fault})
	s.engines = []*node{s.open(), nil}
	return s
}

func simulate(t *testing.T, seed uint64) string {
	t.Helper()
	s := newSimulation(t, seed)
	for range 400 {
		s.move()
		if t.Failed() {
			return ""
		}
	}
	s.settle()
	return s.check()
}

// fault decides the fate of a commit. A rival may take the shard just before.
func (s *simulation) fault(tr *store.Transition) memory.Fault {
	if s.calm {
		return memory.None
	}
	switch n := s.random.IntN(100); {
	case n < 4:
		return memory.LoseBefore
	case n < 8:
		return memory.LoseAfter
	case n < 10:
		if rival := s.engines[1]; rival != nil && s.random.IntN(2) == 0 {
			s.acquire(rival, tr.Execution.Shard())
		}
	}
	return memory.None
}

func (s *simulation) acquire(n *node, shard store.ShardID) {
	if err := n.Acquire(s.t.Context(), shard); err != nil {
		s.t.Error(err)
	}
}

// open starts an engine on the store: it takes all shards.
func (s *simulation) open() *node {
	n := new(node)
	var registry integration.Registry
	registry.Register("fake", fake{s})
	e, err := engine.Open(s.t.Context(), engine.Config{
		Store: s.store, Integrations: &registry, Owner: "simulated",
		Clock:  func() time.Time { return s.now },
		Random: reader{s.random},
		Go:     func(work func()) { s.jobs = append(s.jobs, job{n, work}) },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	n.Engine = e
	return n
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
	case n < 8 && s.starts < 6:
		s.start()
	case n < 60 && len(s.jobs) > 0:
		s.work()
	case n < 75:
		s.tick()
	case n < 90 && len(s.tokens) > 0:
		s.answer()
	case n < 92:
		s.die(s.random.IntN(2))
	case n < 95:
		if s.engines[1] == nil {
			s.engines[1] = s.open()
		}
	case n < 97:
		if e := s.alive(); e != nil {
			s.acquire(e, store.ShardID(s.random.IntN(3)))
		}
	case n < 98 && len(s.arns) > 0:
		s.stop()
	case n < 99 && len(s.arns) > 0:
		s.redrive(s.alive(), s.arns[s.random.IntN(len(s.arns))])
	case len(s.arns) > 0 && s.forks < 3:
		s.fork()
	}
}

// know remembers an execution whose start was acknowledged, or found.
func (s *simulation) know(arn string, n int, count *int) {
	*count++
	s.started[arn] = n
	s.arns = append(s.arns, arn)
}

// transient reports whether a call may fail so in the course of faults.
func transient(err error) bool {
	return errors.Is(err, engine.ErrNotOwner) || errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrFenced) ||
		errors.Is(err, engine.ErrNotRunning) || errors.Is(err, store.ErrBusy)
}

// stop ends an execution that may have ended before.
func (s *simulation) stop() {
	_, err := s.alive().Stop(s.t.Context(), s.arns[s.random.IntN(len(s.arns))], history.ErrorOutput{})
	if err != nil && !transient(err) {
		s.t.Errorf("stop: %v", err)
	}
}

// redrive has an execution go on that may run, or have succeeded.
func (s *simulation) redrive(e *node, arn string) {
	_, err := e.Redrive(s.t.Context(), arn, fmt.Sprint(s.random.IntN(3)))
	if _, refused := errors.AsType[*engine.NotRedrivableError](err); err != nil && !refused && !transient(err) {
		s.t.Errorf("redrive: %v", err)
	}
}

// fork takes an execution up again at some event of it.
func (s *simulation) fork() {
	e, arn := s.alive(), s.arns[s.random.IntN(len(s.arns))]
	d, err := e.Describe(s.t.Context(), arn)
	if err != nil {
		s.t.Fatal(err)
	}
	name := fmt.Sprintf("f%d", s.forks+1)
	started, err := e.Fork(s.t.Context(), engine.ForkRequest{ARN: arn, At: 1 + s.random.Int64N(d.Last), Name: name})
	switch {
	case err == nil:
		s.know(started.ARN, s.started[arn], &s.forks)
	case transient(err):
		s.found(e, name, s.started[arn], &s.forks)
	default:
		s.t.Errorf("fork: %v", err)
	}
}

// found looks whether a start of unknown outcome was made: the caller would ask
// again, and by name that is safe.
func (s *simulation) found(e *node, name string, n int, count *int) {
	if d, err := e.Describe(s.t.Context(), tenant.ARN("execution", "m:"+name)); err == nil {
		s.know(d.ARN, n, count)
	}
}

func (s *simulation) alive() *node {
	if e := s.engines[s.random.IntN(2)]; e != nil {
		return e
	}
	return s.engines[0]
}

func (s *simulation) start() {
	e := s.alive()
	n := s.starts + 1
	m, err := s.machine(e)
	if err != nil {
		s.t.Fatal(err)
	}
	input := value.NewDoc(fmt.Appendf(nil, `{"n":%d,"items":[1,2,3]}`, n))
	name := fmt.Sprintf("x%d", n)
	started, err := e.Start(s.t.Context(), engine.StartRequest{Machine: m, Name: name, Input: input})
	switch {
	case err == nil:
		s.know(started.ARN, n, &s.starts)
	case transient(err):
		s.found(e, name, n, &s.starts)
	default:
		s.t.Errorf("start: %v", err)
	}
}

func (s *simulation) machine(e *node) (*engine.Machine, error) {
	if m, err := e.Machine(s.t.Context(), tenant.ARN("stateMachine", "m")); err == nil {
		return m, nil
	}
	parsed, diagnostics := asl.Parse([]byte(machine))
	if parsed == nil {
		return nil, fmt.Errorf("%v", diagnostics)
	}
	return e.CreateMachine(s.t.Context(), engine.Machine{Tenant: tenant, Name: "m", Type: engine.Standard, Definition: machine, Created: s.now}, parsed)
}

// work does one of the jobs that the engines want done, in any order. Those of
// a dead engine are never done.
func (s *simulation) work() {
	i := s.random.IntN(len(s.jobs))
	j := s.jobs[i]
	s.jobs = append(s.jobs[:i], s.jobs[i+1:]...)
	if !j.owner.dead {
		j.work()
	}
}

// tick lets some time pass, up to the next timer of an engine.
func (s *simulation) tick() {
	e := s.alive()
	if next := e.NextDue(); next != 0 && s.random.IntN(2) == 0 {
		if at := time.UnixMilli(next).UTC(); at.After(s.now) {
			s.now = at
		}
	}
	e.Tick(s.t.Context(), s.now)
}

// answer sends a task token back: to any engine, sometimes twice, sometimes
// after it was sent before.
func (s *simulation) answer() {
	i := s.random.IntN(len(s.tokens))
	tok := s.tokens[i]
	output := value.DocOf(value.Obj(value.Member{Name: "to", Value: tok.n}))
	for range 1 + s.random.IntN(2) {
		err := s.alive().SendTask(s.t.Context(), tok.text, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: output})
		switch {
		case err == nil, errors.Is(err, engine.ErrStale), errors.Is(err, engine.ErrNotOwner), errors.Is(err, store.ErrUnknown):
		default:
			s.t.Errorf("send task: %v", err)
		}
	}
}

// die kills an engine; the first one is replaced at once.
func (s *simulation) die(i int) {
	if e := s.engines[i]; e != nil {
		e.dead = true
		s.engines[i] = nil
	}
	if s.engines[0] == nil {
		s.engines[0] = s.open()
	}
}

// settle runs everything to its end, with one engine and without faults.
func (s *simulation) settle() {
	s.calm = true
	s.die(1)
	s.die(0)
	e := s.engines[0]
	for range 100_000 {
		switch next := e.NextDue(); {
		case len(s.jobs) > 0:
			s.work()
		case s.running() == 0:
			if !s.redriveAll() {
				return
			}
		case len(s.tokens) > 0 && s.random.IntN(2) == 0:
			s.answer()
		case next != 0 && next <= s.now.Add(24*time.Hour).UnixMilli():
			if at := time.UnixMilli(next).UTC(); at.After(s.now) {
				s.now = at
			}
			e.Tick(s.t.Context(), s.now)
		case len(s.tokens) == 0:
			s.t.Errorf("seed %d: %d executions are stuck", s.seed, s.running())
			return
		}
	}
	s.t.Errorf("seed %d: it does not end; %d executions run", s.seed, s.running())
}

// redriveAll has all executions go on that were stopped. It is false when there
// was none.
func (s *simulation) redriveAll() (any bool) {
	for _, arn := range s.arns {
		d, err := s.engines[0].Describe(s.t.Context(), arn)
		if err != nil {
			s.t.Error(err)
			return false
		}
		if d.Status != store.Succeeded {
			s.redrive(s.engines[0], arn)
			any = true
		}
	}
	return any
}

func (s *simulation) running() int {
	all, _ := s.engines[0].Residents()
	return all
}

// check looks at every execution that was acknowledged. It gives a digest of
// all histories.
func (s *simulation) check() string {
	e := s.engines[0]
	digest := sha256.New()
	for _, arn := range s.arns {
		s.checkOne(e, arn, s.started[arn], digest)
	}
	return fmt.Sprintf("%x %d", digest.Sum(nil), len(s.arns))
}

func (s *simulation) checkOne(e *node, arn string, n int, digest io.Writer) {
	d, err := e.Describe(s.t.Context(), arn)
	if err != nil {
		s.t.Errorf("%s: %v", arn, err)
		return
	}
	if d.Status != store.Succeeded {
		s.t.Errorf("%s: %v %+v", arn, d.Status, d.Failure)
		return
	}
	if got := d.Output.String(); got != expected(n) {
		s.t.Errorf("%s:\n got %s\nwant %s", arn, got, expected(n))
	}
	events, err := e.History(s.t.Context(), d.ID, 0, 25000, false)
	if err != nil {
		s.t.Error(err)
		return
	}
	results := make(map[int64]int)
	for i := range events {
		ev := &events[i]
		if ev.ID != int64(i+1) || ev.Previous >= ev.ID {
			s.t.Errorf("%s: event %d has number %d and follows %d", arn, i+1, ev.ID, ev.Previous)
		}
		switch ev.Type {
		case history.TaskSucceeded, history.TaskFailed, history.TaskTimedOut:
			if results[ev.Previous]++; results[ev.Previous] > 1 {
				s.t.Errorf("%s: the task started at event %d has two results", arn, ev.Previous)
			}
		default:
		}
	}
	parsed, _ := asl.Parse([]byte(machine))
	if _, err := interpreter.Replay(parsed, interpreter.Info{}, events); err != nil {
		s.t.Errorf("%s: %v", arn, err)
	}
	_, _ = digest.Write(history.Encode(nil, events))
}

// fake is a service whose results depend on nothing but the task.
type fake struct{ s *simulation }

func (fake) Supports(asl.Resource) bool { return true }

func (f fake) Perform(_ context.Context, task integration.Task) (*value.Doc, error) {
	in := task.Input.Value()
	if strings.HasPrefix(task.Resource.Name, "ask") {
		f.s.tokens = append(f.s.tokens, token{in.Get("token").Str(), in.Get("n")})
		return value.NewDoc([]byte(`{}`)), nil
	}
	attempt, _ := in.Get("attempt").Int64()
	if failures, _ := in.Get("failures").Int64(); attempt < failures {
		return nil, integration.Failed("Flaky", "once more")
	}
	n, _ := in.Get("n").Int64()
	return value.NewDoc(fmt.Appendf(nil, `{"twice":%d}`, 2*n)), nil
}
