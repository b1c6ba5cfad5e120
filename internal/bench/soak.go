package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// SoakOptions say what load a server is under.
type SoakOptions struct {
	// Command runs [Serve] with the data directory that is appended to it.
	Command []string
	// Dir is the data directory, which is new.
	Dir string
	// Duration is how long the load lasts. Its first half has the kills; in its
	// second half memory, goroutines and disk must stay what they are.
	Duration time.Duration
	// Readers and Writers are clients, each of which calls as soon as it was
	// answered.
	Readers, Writers int
	// Kills is how often the server is killed.
	Kills int
	// Attacked has an attacker beside the load, who calls as another tenant.
	Attacked bool
	// ReadP99 is how long a read may take.
	ReadP99 time.Duration
	Seed    uint64
	// Out is told of each window when it is over.
	Out io.Writer
}

// SoakReport is what was seen, and what of it must not be.
type SoakReport struct {
	Windows []SoakWindow `json:"windows"`
	// Down is for how many seconds the server did not answer, all kills together.
	Down float64 `json:"secondsDown"`
	// Before and After are a server without work: before the load, and when all
	// of the load had ended.
	Before Usage `json:"before"`
	After  Usage `json:"after"`
	// Left is the bytes of the data directory after every execution was forgotten.
	Left       int64    `json:"bytesLeft"`
	Violations []string `json:"violations"`
}

// SoakWindow is a twentieth of the load.
type SoakWindow struct {
	Seconds float64 `json:"seconds"`
	Reads   float64 `json:"readsPerSecond"`
	Writes  float64 `json:"writesPerSecond"`
	// The percentiles are of milliseconds.
	ReadP50  float64        `json:"readP50Millis"`
	ReadP99  float64        `json:"readP99Millis"`
	ReadMax  float64        `json:"readMaxMillis"`
	WriteP50 float64        `json:"writeP50Millis"`
	WriteP99 float64        `json:"writeP99Millis"`
	Usage    Usage          `json:"usage"` // at the end
	Errors   map[string]int `json:"errors"`
}

// windows is how many a soak has, quarters of them half of that half in which
// nothing is killed.
const windows, quarter = 20, 5

const activityWorkers = 2

// What may be more after the load than before, for pools and caches fill.
const (
	moreHeap = 32 << 20
	// attackedHeap is that of a server that was attacked: parsed definitions and
	// versions of machines stay in memory up to a bound of 80 MiB (docs/limits.md),
	// which the load alone does not come near.
	attackedHeap = moreHeap + 80<<20
	moreDisk     = 64 << 20
	// leftDisk is what an empty data directory may take.
	leftDisk = 1 << 20
	// settleTimeout bounds how long what runs may take to end after the load.
	settleTimeout = time.Minute
)

// Soak puts a mixed load on a new server: starts of all kinds, synchronous
// executions, stops, task tokens, activities, redrives, and reads of all that,
// while tasks fail and hang and the server is killed; and sees that nothing
// grows that must not.
func Soak(ctx context.Context, opts SoakOptions) (r *SoakReport, err error) {
	s := &soak{opts: opts, report: &SoakReport{Violations: []string{}}, tally: &tally{errors: make(map[string]int)}}
	if s.server, err = s.start(); err != nil {
		return nil, err
	}
	defer func() { _ = s.server.Kill() }() // unless it has ended
	if err := createMixed(s.server.Address, s.retention()); err != nil {
		return nil, err
	}
	if s.report.Before, err = s.server.Usage(true); err != nil {
		return nil, err
	}
	s.write("before", &s.report.Before)
	// An activity's task waits for its worker, however long: the workers work on
	// until everything has ended.
	work, stop := context.WithCancel(ctx)
	defer s.clients.Wait()
	defer stop()
	for i := range activityWorkers {
		s.client(work, -1-i, (*mixedClient).work)
	}
	if err := s.attackedLoad(ctx); err != nil {
		return nil, err
	}
	if err := s.ended(ctx); err != nil {
		return nil, err
	}
	stop()
	s.clients.Wait()
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	s.judge()
	return s.report, s.forget(ctx)
}

type soak struct {
	opts    SoakOptions
	report  *SoakReport
	tally   *tally
	server  *Process
	address atomic.Pointer[string]
	clients sync.WaitGroup
}

// client puts a client to work until the context ends.
func (s *soak) client(ctx context.Context, number int, do func(*mixedClient)) {
	m := &mixedClient{ctx: ctx, address: &s.address, tally: s.tally, random: rand.New(rand.NewPCG(s.opts.Seed, uint64(number)))}
	s.clients.Go(func() {
		for ctx.Err() == nil {
			do(m)
		}
		m.close()
	})
}

func (s *soak) wrong(format string, args ...any) {
	s.report.Violations = append(s.report.Violations, fmt.Sprintf(format, args...))
}

// retention is how long executions are kept: for one window.
func (s *soak) retention() time.Duration {
	return max(s.opts.Duration/windows, time.Second).Round(time.Second)
}

func (s *soak) start() (*Process, error) {
	p, err := Start(append(slices.Clone(s.opts.Command), s.opts.Dir))
	if err == nil {
		s.address.Store(&p.Address)
	}
	return p, err
}

// attackedLoad is the load, with the attacker beside it.
func (s *soak) attackedLoad(ctx context.Context) error {
	if !s.opts.Attacked {
		return s.load(ctx)
	}
	a := newAttacker(&s.address, s.retention(), s.opts.Seed)
	work, stop := context.WithCancel(ctx)
	var attack sync.WaitGroup
	attack.Go(func() { a.attack(work) })
	err := s.load(ctx)
	stop()
	attack.Wait()
	if err == nil {
		err = a.clear(ctx)
	}
	if err == nil && (a.bombs == 0 || a.refusals == 0) {
		s.wrong("the attacker did nothing: %d bombs, %d requests that were refused", a.bombs, a.refusals)
	}
	fmt.Fprintf(s.opts.Out, "the attacker had %d bombs go off, and %d requests refused\n", a.bombs, a.refusals)
	return err
}

// load has the clients at work while windows end and kills come.
func (s *soak) load(asked context.Context) error {
	ctx, cancel := context.WithTimeout(asked, s.opts.Duration)
	defer cancel()
	for i := range s.opts.Readers {
		s.client(ctx, i, (*mixedClient).read)
	}
	for i := range s.opts.Writers {
		s.client(ctx, s.opts.Readers+i, (*mixedClient).write)
	}
	begin := time.Now()
	killed := 0
	for window := 1; window <= windows; {
		ends := s.opts.Duration * time.Duration(window) / windows
		kill := killed < s.opts.Kills
		if kill {
			at := s.opts.Duration / 2 * time.Duration(2*killed+1) / time.Duration(2*s.opts.Kills)
			kill, ends = at <= ends, min(at, ends)
		}
		wait := time.NewTimer(time.Until(begin.Add(ends)))
		select {
		case <-wait.C:
		case <-ctx.Done(): // the last window ends with the load, and others that come late
		}
		switch {
		case asked.Err() != nil:
			return asked.Err()
		case kill:
			killed++
			if err := s.kill(); err != nil {
				return err
			}
		default:
			window++
			if err := s.window(time.Since(begin)); err != nil {
				return err
			}
		}
	}
	return nil
}

// kill kills the server and starts it again.
func (s *soak) kill() error {
	begin := time.Now()
	err := s.server.Kill()
	if err == nil {
		s.server, err = s.start()
	}
	s.report.Down += time.Since(begin).Seconds()
	return err
}

// window ends a window at a time since the beginning.
func (s *soak) window(now time.Duration) error {
	used, err := s.server.Usage(false)
	if err != nil {
		return err
	}
	took, failed, wrong := s.tally.take()
	w := SoakWindow{Usage: used, Errors: failed, Seconds: now.Seconds()}
	for i := range s.report.Windows {
		w.Seconds -= s.report.Windows[i].Seconds
	}
	w.Reads, w.Writes = float64(len(took[opRead]))/w.Seconds, float64(len(took[opWrite]))/w.Seconds
	w.ReadP50, w.ReadP99, w.ReadMax = millis(percentile(took[opRead], 50)), millis(percentile(took[opRead], 99)), millis(percentile(took[opRead], 100))
	w.WriteP50, w.WriteP99 = millis(percentile(took[opWrite], 50)), millis(percentile(took[opWrite], 99))
	s.report.Windows = append(s.report.Windows, w)
	for _, text := range wrong {
		s.wrong("window %d: %s", len(s.report.Windows), text)
	}
	s.write(fmt.Sprintf("%.0fs", now.Seconds()), &used)
	return nil
}

// SoakHead is the head of the table of windows.
const SoakHead = "    at   reads/s  p50 ms  p99 ms  max ms  writes/s  p50 ms  p99 ms  RSS MB  heap MB  disk MB  goroutines  files  errors"

// write writes a line of the table: the last window's, if it is of one.
func (s *soak) write(at string, u *Usage) {
	calls, failed := strings.Repeat(" ", 62), ""
	if n := len(s.report.Windows); n > 0 && at != "after" {
		w := &s.report.Windows[n-1]
		calls = fmt.Sprintf("%8.0f  %6.2f  %6.2f  %6.1f  %8.0f  %6.2f  %6.2f  ", w.Reads, w.ReadP50, w.ReadP99, w.ReadMax, w.Writes, w.WriteP50, w.WriteP99)
		for _, name := range slices.Sorted(maps.Keys(w.Errors)) {
			failed += fmt.Sprintf("  %d %s", w.Errors[name], name)
		}
	}
	const mb = 1 << 20
	fmt.Fprintf(s.opts.Out, "%6s  %s%6d  %7d  %7d  %10d  %5d%s\n", at, calls, u.Resident/mb, u.Heap/mb, u.Disk/mb, u.Goroutines, u.Files, failed)
}

// ended waits until everything has ended.
func (s *soak) ended(ctx context.Context) error {
	running, err := s.until(ctx, `,"statusFilter":"RUNNING"`)
	if running > 0 {
		s.wrong("%d executions, or more, run still", running)
	}
	return err
}

// settle takes the measure of a server without work.
func (s *soak) settle(ctx context.Context) (err error) {
	_, _, wrong := s.tally.take()
	for _, text := range wrong {
		s.wrong("after the load: %s", text)
	}
	deadline := time.Now().Add(settleTimeout)
	// Connections and tasks that were given up have a moment to notice.
	for {
		if s.report.After, err = s.server.Usage(true); err != nil {
			return err
		}
		if s.report.After.Goroutines <= s.report.Before.Goroutines || time.Now().After(deadline) {
			break
		}
		<-time.After(again)
	}
	s.write("after", &s.report.After)
	return ctx.Err()
}

// until waits until a list of executions is empty, and returns how many are in it
// when that takes too long.
func (s *soak) until(ctx context.Context, filter string) (int, error) {
	deadline := time.Now().Add(settleTimeout)
	c, err := Dial(s.server.Address)
	if err != nil {
		return 0, err
	}
	defer c.Close() //nolint:errcheck // nothing is left in it
	for {
		answer, err := c.Call("ListExecutions", fmt.Sprintf(`{"stateMachineArn":%q%s}`, mixedStandard, filter))
		if err != nil {
			return 0, err
		}
		var page executionPage
		if err := json.Unmarshal(answer, &page); err != nil {
			return 0, err
		}
		if len(page.Executions) == 0 || time.Now().After(deadline) || ctx.Err() != nil {
			return len(page.Executions), ctx.Err()
		}
		<-time.After(again)
	}
}

// judge says what must not be.
func (s *soak) judge() {
	r := s.report
	reads, writes := 0.0, 0.0
	for i := range r.Windows {
		w := &r.Windows[i]
		if p99 := s.opts.ReadP99; w.ReadP99 > millis(p99) {
			s.wrong("window %d: the p99 of reads is %.1f ms; it should be %v at most", i+1, w.ReadP99, p99)
		}
		reads, writes = reads+w.Reads, writes+w.Writes
	}
	if reads == 0 || writes == 0 {
		s.wrong("nothing was read, or nothing written")
	}
	growth := func(what string, figure func(*Usage) int64, more int64) {
		third, fourth := r.median(windows-2*quarter, figure), r.median(windows-quarter, figure)
		if fourth > third+third/10+more {
			s.wrong("%s grows: %d in the third quarter, %d in the fourth", what, third, fourth)
		}
	}
	// The resident memory rises for long, for the store's memtables fill; without
	// cgo everything else is on Go's heap.
	more := int64(moreHeap)
	if s.opts.Attacked {
		more = attackedHeap
	}
	growth("the heap", func(u *Usage) int64 { return u.Heap }, more)
	growth("the data directory", func(u *Usage) int64 { return int64(u.Disk) }, moreDisk)
	growth("the number of open files", func(u *Usage) int64 { return int64(u.Files) }, 100)
	if was, is := r.Before.Goroutines, r.After.Goroutines; is > was {
		s.wrong("%d goroutines are left of the load", is-was)
	}
	if was, is := r.Before.Heap, r.After.Heap; is > was+more {
		s.wrong("%d bytes of the heap are left of the load", is-was)
	}
}

// median is that of a figure over the windows of a quarter of the load.
func (r *SoakReport) median(from int, figure func(*Usage) int64) int64 {
	all := make([]int64, quarter)
	for i := range all {
		all[i] = figure(&r.Windows[from+i].Usage)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// forget waits until every execution has expired and is forgotten, ends the
// server, and sees what is left of the disk.
func (s *soak) forget(ctx context.Context) error {
	if err := s.server.Stop(); err != nil {
		s.wrong("the server did not end cleanly: %v", err)
	}
	wait := time.NewTimer(s.retention())
	select {
	case <-wait.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	// A server that begins forgets what has expired.
	var err error
	if s.server, err = s.start(); err != nil {
		return err
	}
	left, err := s.until(ctx, "")
	if left > 0 {
		s.wrong("%d executions, or more, are not forgotten", left)
	}
	if err = errors.Join(err, s.server.Stop()); err != nil {
		return err
	}
	if s.report.Left, err = compacted(s.opts.Dir); s.report.Left > leftDisk {
		s.wrong("the data directory has %d bytes when everything is forgotten", s.report.Left)
	}
	return err
}
