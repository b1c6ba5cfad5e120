package interpreter_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/value"
)

var update = flag.Bool("update", false, "write the golden scripts anew")

// TestGolden runs the scripts of testdata: a machine, an input, what happens in
// the world outside, and the history and effects that must come of it. At every
// event the replay of the history so far must equal the live execution, and the
// same script must give the same bytes again.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), "testdata/"), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, archive)
			for range 20 {
				if again := play(t, archive); again != got {
					t.Fatalf("the script does not repeat:\n%s", cmp.Diff(got, again))
				}
			}
			if *update {
				setFile(archive, "history", got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(getFile(archive, "history"), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func getFile(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func setFile(a *txtar.Archive, name, text string) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(text)
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
}

// script is one run of a golden script.
type script struct {
	t      *testing.T
	m      *asl.StateMachine
	info   interpreter.Info
	x      *interpreter.Execution
	now    time.Time
	events []history.Event
	tasks  map[string][]int64 // scheduled tasks, by the name of their state
	out    strings.Builder
	beaten bool // a heartbeat has moved a deadline
	limits interpreter.Limits

	interruption *interruption // nil: nothing interrupts
	effects      []interpreter.Effect
	sent         interpreter.MessageKind // the message of the step under way; 0 for none
}

func play(t *testing.T, a *txtar.Archive) string {
	t.Helper()
	s := newScript(t, a)
	s.play(a)
	s.damage()
	return s.out.String()
}

func machine(t testing.TB, text string) *asl.StateMachine {
	t.Helper()
	m, diagnostics := asl.Parse([]byte(text))
	if m == nil {
		t.Fatal(diagnostics)
	}
	return m
}

func newScript(t *testing.T, a *txtar.Archive) *script {
	t.Helper()
	m, diagnostics := asl.Parse([]byte(getFile(a, "machine.asl.json")))
	if m == nil {
		t.Fatal(diagnostics)
	}
	s := &script{
		t: t, m: m, now: time.UnixMilli(1_700_000_000_000), tasks: make(map[string][]int64), limits: interpreter.AWSLimits,
		info: interpreter.Info{ARN: "arn:execution", Name: "x", StateMachineARN: "arn:machine", MachineName: "m", RoleARN: "arn:role", Region: "us-east-1", Seed: 42},
	}
	for line := range strings.Lines(getFile(a, "limits")) {
		name, n, _ := strings.Cut(strings.TrimSpace(line), " ")
		number, err := strconv.ParseInt(n, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		switch name {
		case "events":
			s.limits.Events = number
		case "runahead":
			s.limits.RunAhead = int(number)
		case "bytes":
			s.limits.PayloadBytes = int(number)
		}
	}
	return s
}

func (s *script) play(a *txtar.Archive) {
	x, out := interpreter.Start(s.m, s.info, value.NewDoc([]byte(strings.TrimSpace(getFile(a, "input.json")))), s.env())
	s.x = x
	s.took(out)
	for line := range strings.Lines(getFile(a, "script")) {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintf(&s.out, "> %s\n", line)
			s.do(strings.Fields(line), line)
		}
	}
}

func (s *script) env() interpreter.Env {
	env := interpreter.Env{Now: s.now, Limits: s.limits, Token: func(event int64) string { return fmt.Sprintf("token-%d", event) }}
	if s.interruption != nil {
		env.Pace = s.interruption.pace
		env = interpreter.Paced(env, 1)
	}
	return env
}

// do plays one line of the script.
func (s *script) do(words []string, line string) {
	switch words[0] {
	case "advance":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(d)
		s.step(interpreter.Message{Kind: interpreter.Wake})
	case "stop":
		s.step(interpreter.Message{Kind: interpreter.Stop, Failure: failure(words[1:])})
	case "takeover":
		for _, line := range s.pending(s.x) {
			fmt.Fprintf(&s.out, "  %s\n", line)
		}
	case "continue":
		s.step(interpreter.Message{Kind: interpreter.Continue})
	case "succeed", "submit":
		_, rest, _ := strings.Cut(line, words[1])
		msg := interpreter.Message{Kind: interpreter.TaskSucceeded, Cause: s.task(words[1]), Output: value.NewDoc([]byte(strings.TrimSpace(rest)))}
		if words[0] == "submit" {
			msg.Kind = interpreter.TaskSubmitted
		}
		s.step(msg)
	case "fail":
		s.step(interpreter.Message{Kind: interpreter.TaskFailed, Cause: s.task(words[1]), Failure: failure(words[2:])})
	case "gone":
		s.step(interpreter.Message{Kind: interpreter.TaskUnscheduled, Cause: s.task(words[1]), Failure: failure([]string{"", "It is gone."})})
	case "start":
		s.step(interpreter.Message{Kind: interpreter.TaskStarted, Cause: s.task(words[1]), Worker: words[2]})
	case "redrive":
		s.step(interpreter.Message{Kind: interpreter.Redrive})
	case "fork":
		s.fork(words, line)
	case "beat":
		s.beaten = true
		s.step(interpreter.Message{Kind: interpreter.TaskHeartbeat, Cause: s.task(words[1])})
	default:
		s.t.Fatalf("unknown word %q", words[0])
	}
}

// fork goes on with an execution that takes up where this one was at an event:
// fork EVENT [INPUT].
func (s *script) fork(words []string, line string) {
	at, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	var input *value.Doc
	if len(words) > 2 {
		_, rest, _ := strings.Cut(line, words[1])
		input = value.NewDoc([]byte(strings.TrimSpace(rest)))
	}
	from := history.Fork{ExecutionArn: s.info.ARN, Event: at}
	s.info.ARN += "-fork"
	s.events = s.events[:at:at]
	s.sent = 0
	x, out, err := interpreter.Fork(s.m, s.info, s.events, from, input, s.env())
	if out.Interrupted != nil && len(out.Events) == 0 {
		x, out, err = interpreter.Fork(s.m, s.info, s.events, from, input, s.env())
	}
	if err != nil {
		fmt.Fprintf(&s.out, "  %v\n", err)
		return
	}
	s.x = x
	s.took(out)
}

// task finds a scheduled task: NAME is the last of its state, NAME#n the nth.
func (s *script) task(name string) int64 {
	name, number, numbered := strings.Cut(name, "#")
	list := s.tasks[name]
	if len(list) == 0 {
		s.t.Fatalf("no task of %s was scheduled", name)
	}
	if !numbered {
		return list[len(list)-1]
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		s.t.Fatal(err)
	}
	return list[n-1]
}

func failure(words []string) history.ErrorOutput {
	var f history.ErrorOutput
	if len(words) > 0 {
		f.Error = &words[0]
	}
	if len(words) > 1 {
		f.Cause = new(strings.Join(words[1:], " "))
	}
	return f
}

func (s *script) step(msg interpreter.Message) {
	s.sent = msg.Kind
	before := s.x.String()
	out := interpreter.Step(s.x, msg, s.env())
	if out.Interrupted != nil && len(out.Events) == 0 { // it has not come to pass
		s.again(out)
		s.step(msg)
		return
	}
	if out.Stale {
		s.out.WriteString("stale\n")
		if len(out.Events) > 0 || s.x.String() != before {
			s.t.Errorf("a stale message changed the execution")
		}
		return
	}
	s.took(out)
}

// took prints what a step decided, and compares the live execution with its
// replay. Events of a step that ran ahead are replayed together.
func (s *script) took(out interpreter.Outcome) {
	for i := range out.Events {
		s.print(&out.Events[i])
	}
	for _, e := range out.Effects {
		if e.Kind == interpreter.Invoke {
			s.tasks[e.StateName] = append(s.tasks[e.StateName], e.Cause)
		}
		fmt.Fprintf(&s.out, "  %s\n", effect(e))
	}
	if wake := s.x.Wake(); wake != 0 {
		fmt.Fprintf(&s.out, "  wake in %v\n", time.UnixMilli(wake).Sub(s.now))
	}
	if out.More {
		s.out.WriteString("  more\n")
	}
	s.events = append(s.events, out.Events...)
	s.effects = append(s.effects, out.Effects...)
	if out.Interrupted != nil {
		s.again(out)
		switch {
		case s.x.Status() != interpreter.Running:
		case s.sent == interpreter.Wake: // not all that was due may have happened
			s.step(interpreter.Message{Kind: interpreter.Wake})
		case s.x.Ready():
			s.step(interpreter.Message{Kind: interpreter.Continue})
		}
		return
	}
	stored, err := history.Decode(nil, history.Encode(nil, s.events))
	if err != nil {
		s.t.Fatal(err)
	}
	replayed, err := interpreter.Replay(s.m, s.info, stored)
	if err != nil {
		s.t.Fatal(err)
	}
	if !s.x.Whole() {
		s.t.Errorf("the step ended in the middle, with event %d", s.x.Last())
	}
	s.transport(stored)
	if problem := interpreter.Valid(s.x); problem != nil {
		s.t.Errorf("after event %d: %v", s.x.Last(), problem)
	}
	if diff := cmp.Diff(s.pending(s.x), s.pending(replayed)); diff != "" {
		s.t.Errorf("after event %d the replay has other pending effects (-live +replayed):\n%s", s.x.Last(), diff)
	}
	live, again := s.x.String(), replayed.String()
	if s.beaten { // a heartbeat is the one thing that no event tells
		due := regexp.MustCompile(`due \d+`)
		live, again = due.ReplaceAllString(live, ""), due.ReplaceAllString(again, "")
	}
	if diff := cmp.Diff(live, again); diff != "" {
		s.t.Errorf("after event %d the replay differs (-live +replayed):\n%s", s.x.Last(), diff)
	}
}

// effect shows an effect in a line.
func effect(e interpreter.Effect) string {
	line := fmt.Sprintf("%s %s #%d", [...]string{"", "invoke", "await", "cancel"}[e.Kind], e.StateName, e.Cause)
	if e.Kind == interpreter.Invoke {
		line += fmt.Sprintf(" %s %s", e.Resource.ARN, e.Input)
	}
	if e.Submitted != nil {
		line += fmt.Sprintf(" submitted %s", e.Submitted)
	}
	if e.Token != "" {
		line += " with " + e.Token
	}
	return line
}

// pending shows what is to be performed by whoever takes an execution over.
func (s *script) pending(x *interpreter.Execution) (lines []string) {
	for _, e := range x.Pending(s.env().Token) {
		if !e.Again {
			s.t.Errorf("the pending effect of event %d is not marked as returned before", e.Cause)
		}
		lines = append(lines, effect(e))
	}
	if (len(lines) > 0) != x.Owes() {
		s.t.Errorf("%d effects are pending, and Owes is %v", len(lines), x.Owes())
	}
	return lines
}

// damage replays histories that no execution has had. They may be refused, or
// not; what they must not do is break the program, which no test of theirs can
// survive.
func (s *script) damage() {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		events := slices.Clone(s.events)
		for range 1 + random.IntN(3) {
			ev := &events[random.IntN(len(events))]
			switch random.IntN(6) {
			case 0:
				ev.Type = history.Types()[random.IntN(len(history.Types()))]
			case 1:
				ev.Branch = random.Int64N(6)
			case 2:
				ev.Length, ev.Index = random.Int64(), random.Int64()
			case 3:
				ev.Retry = &history.Retry{Branch: random.Int64N(3), Retrier: random.Int64()}
			case 4:
				ev.Name, ev.Next, ev.Items, ev.Output = "B", "B", nil, nil
			case 5:
				*ev = events[random.IntN(len(events))]
			}
		}
		for i := range events {
			events[i].ID = int64(i) + 1
		}
		_, _ = interpreter.Replay(s.m, s.info, events)
	}
}

// transport writes events in their whole wire form and reads them again:
// nothing may be lost.
func (s *script) transport(events []history.Event) {
	var r history.Reader
	for i := range events {
		read, err := r.Event(value.NewScanner(events[i].AppendWhole(nil)))
		if err != nil {
			s.t.Fatal(err)
		}
		same := cmp.Comparer(func(a, b *value.Doc) bool { return (a == nil) == (b == nil) && (a == nil || a.String() == b.String()) })
		if diff := cmp.Diff(events[i], read, same); diff != "" {
			s.t.Errorf("event %d is lost on its way (-want +got):\n%s", events[i].ID, diff)
		}
	}
}

// print shows an event in a line.
func (s *script) print(ev *history.Event) {
	if ev.ID != int64(len(s.events))+1 && ev.ID <= int64(len(s.events)) || ev.Previous >= ev.ID {
		s.t.Errorf("event %d follows %d", ev.ID, ev.Previous)
	}
	fmt.Fprintf(&s.out, "%3d <- %-3d %v", ev.ID, ev.Previous, ev.Type)
	if ev.Name != "" {
		fmt.Fprintf(&s.out, " %s", ev.Name)
	}
	switch ev.Type {
	case history.MapIterationStarted, history.MapIterationSucceeded, history.MapIterationFailed, history.MapIterationAborted:
		fmt.Fprintf(&s.out, "[%d]", ev.Index)
	default:
	}
	if ev.Failure.Error != nil {
		fmt.Fprintf(&s.out, " error=%s", *ev.Failure.Error)
	}
	if ev.Failure.Cause != nil {
		fmt.Fprintf(&s.out, " cause=%q", *ev.Failure.Cause)
	}
	if ev.Input != nil {
		fmt.Fprintf(&s.out, " in=%s", ev.Input)
	}
	if ev.Output != nil {
		fmt.Fprintf(&s.out, " out=%s", ev.Output)
	}
	for _, v := range ev.Assigned {
		fmt.Fprintf(&s.out, " $%s=%s", v.Name, v.Value)
	}
	if ev.Type == history.ExecutionRedriven {
		fmt.Fprintf(&s.out, " count=%d", ev.RedriveCount)
		if ev.Fork != nil {
			fmt.Fprintf(&s.out, " fork=%s#%d", ev.Fork.ExecutionArn, ev.Fork.Event)
		}
	}
	if ev.Retry != nil {
		fmt.Fprintf(&s.out, " retry=%v", time.Duration(ev.Retry.Due-ev.Millis)*time.Millisecond)
	}
	s.out.WriteString("\n")
}

// BenchmarkStart runs five states that need nothing of the world.
func BenchmarkStart(b *testing.B) {
	m, diagnostics := asl.Parse([]byte(`{"StartAt":"A","States":{
	  "A":{"Type":"Pass","Next":"B"},
	  "B":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericGreaterThan":5,"Next":"C"}],"Default":"D"},
	  "C":{"Type":"Pass","Result":{"big":true},"ResultPath":"$.c","Next":"D"},
	  "D":{"Type":"Pass","Parameters":{"n.$":"$.n","text":"done"},"Next":"E"},
	  "E":{"Type":"Succeed"}}}`))
	if m == nil {
		b.Fatal(diagnostics)
	}
	env := interpreter.Env{Now: time.UnixMilli(1), Limits: interpreter.AWSLimits}
	b.ReportAllocs()
	for b.Loop() {
		x, _ := interpreter.Start(m, interpreter.Info{}, value.NewDoc([]byte(`{"n":7,"text":"some payload of an order"}`)), env)
		if x.Status() != interpreter.Succeeded {
			b.Fatal(x)
		}
	}
}

// BenchmarkMap runs ten thousand iterations of a Pass state.
func BenchmarkMap(b *testing.B) {
	m, diagnostics := asl.Parse([]byte(`{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}}}}`))
	if m == nil {
		b.Fatal(diagnostics)
	}
	items := value.DocOf(value.Arr(make([]value.Value, 10_000)...))
	limits := interpreter.AWSLimits
	limits.Events = 0
	env := interpreter.Env{Now: time.UnixMilli(1), Limits: limits}
	b.ReportAllocs()
	for b.Loop() {
		x, _ := interpreter.Start(m, interpreter.Info{}, items, env)
		for x.Ready() {
			interpreter.Step(x, interpreter.Message{Kind: interpreter.Continue}, env)
		}
		if x.Status() != interpreter.Succeeded {
			b.Fatal(x.Status())
		}
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "items/s")
}
