package interpreter_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/interpreter/interpretertest"
	"github.com/steppehq/steppe/value"
)

var errInterrupted = errors.New("interrupted")

// interruption interrupts a script at the nth call of Pace, once.
type interruption struct {
	at, calls int
	happened  bool
}

func (i *interruption) pace(_, _ int64) error {
	if i.calls++; i.calls == i.at {
		i.happened = true
		return errInterrupted
	}
	return nil
}

// TestInterrupted interrupts each golden script at each place where that can
// happen: at every call of Pace, which here comes with each bit of work. What the
// interrupted step has recorded is replayed and must be whole; when the execution
// has gone on from there, its history must be the one that nobody interrupted.
func TestInterrupted(t *testing.T) {
	files, err := interpretertest.Files("testdata")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(interpretertest.Name("testdata", file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			script, err := interpretertest.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			// Where a step ends by its length an interruption moves the ends of all
			// that follow; what comes of the script is the same but for those.
			if script.Limits().RunAhead != interpreter.AWSLimits.RunAhead {
				t.Skip("the script is about where steps end")
			}
			never := &interruption{}
			want := playInterrupted(t, script, never)
			for n := 1; n <= never.calls; n++ {
				at := &interruption{at: n}
				got := playInterrupted(t, script, at)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("interrupted at call %d of %d (-want +got)\n%s", n, never.calls, diff)
				}
				if !at.happened {
					t.Fatalf("call %d of %d never came", n, never.calls)
				}
			}
		})
	}
}

// playInterrupted plays a script and returns its history and effects.
func playInterrupted(t *testing.T, script *interpretertest.Script, i *interruption) string {
	t.Helper()
	played, err := script.Play(interpretertest.Options{Env: func(env interpreter.Env) interpreter.Env {
		env.Pace = i.pace
		return interpreter.Paced(env, 1)
	}})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for n := range played.Events {
		fmt.Fprintf(&out, "%s\n", played.Events[n].AppendWhole(nil))
	}
	for _, e := range played.Effects {
		fmt.Fprintf(&out, "%v %d %s %v %s\n", e.Kind, e.Cause, e.Resource.ARN, e.Input, e.Token)
	}
	return out.String() + played.Execution.String()
}

// TestPace: Pace is told how much a step works and holds, as often as promised,
// and not at all by a step that does little.
func TestPace(t *testing.T) {
	small := machine(t, `{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a.$":"$.a"},"End":true}}}`)
	calls := 0
	env := interpreter.Env{Limits: interpreter.AWSLimits, Pace: func(_, _ int64) error { calls++; return nil }}
	interpreter.Start(small, interpreter.Info{}, value.NewDoc([]byte(`{"a":1}`)), env)
	if calls > 0 {
		t.Errorf("a small step calls Pace %d times", calls)
	}
	var works, helds []int64
	env.Pace = func(work, held int64) error {
		works, helds = append(works, work), append(helds, held)
		return nil
	}
	large := machine(t, `{"StartAt":"A","QueryLanguage":"JSONata","States":{"A":{"Type":"Pass","Output":"{% $count([1..200000].($ + 1)) %}","End":true}}}`)
	x, _ := interpreter.Start(large, interpreter.Info{}, value.NewDoc([]byte(`{}`)), env)
	if x.Status() != interpreter.Succeeded || len(works) < 20 {
		t.Errorf("%v after %d calls", x.Failure(), len(works))
	}
	for i := 1; i < len(works); i++ {
		byWork, byBytes := works[i]-works[i-1], helds[i]-helds[i-1]
		if byWork < 0 || byWork < interpreter.PaceWork && byBytes < interpreter.PaceBytes || byWork > 3*interpreter.PaceWork && byBytes < interpreter.PaceBytes {
			t.Errorf("call %d comes after %d units and %d bytes", i, byWork, byBytes)
		}
	}
}

// TestRunAheadBytes: a step ends when what it records is long enough, and continues
// where it was.
func TestRunAheadBytes(t *testing.T) {
	m := machine(t, `{"StartAt":"A","QueryLanguage":"JSONata","States":{
	  "A":{"Type":"Pass","Assign":{"a":"{% $pad('x',100000,'x') %}","b":"{% $pad('y',100000,'y') %}"},"Next":"B"},
	  "B":{"Type":"Choice","Choices":[{"Condition":"{% $states.context.State.Name = 'C' %}","Next":"C"}],"Default":"A"},
	  "C":{"Type":"Succeed"}}}`)
	limits := interpreter.AWSLimits
	limits.RunAheadBytes = 1 << 20
	env := interpreter.Env{Limits: limits}
	x, out := interpreter.Start(m, interpreter.Info{}, value.NewDoc([]byte(`{}`)), env)
	for range 20 {
		bytes := 0
		for i := range out.Events {
			for _, v := range out.Events[i].Assigned {
				bytes += v.Value.Size()
			}
		}
		if !out.More || bytes < 1<<20 || bytes > 1<<20+200_000 {
			t.Fatalf("a step of %d bytes, more %v", bytes, out.More)
		}
		out = interpreter.Step(x, interpreter.Message{Kind: interpreter.Continue}, env)
	}
}
