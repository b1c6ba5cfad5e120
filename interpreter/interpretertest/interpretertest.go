// Package interpretertest runs golden scripts: tests of state machines in which the
// test plays the world outside. There is no server, no clock and no service; a script
// takes microseconds, and shows the whole history that Step Functions would record.
//
// A script is a text file in the txtar format ([golang.org/x/tools/txtar]): a comment,
// which says what the script is about, and these files.
//
//	-- machine.asl.json --   the definition
//	-- input.json --         the input of the execution; {} where the file is missing
//	-- limits --             optional: bounds other than AWS's, one "NAME NUMBER" a line:
//	                         events (of the history), bytes (of a payload), runahead
//	                         (events of one step)
//	-- script --             what happens in the world outside, one thing a line
//	-- history --            what must come of it; written with Options.Update
//
// The execution starts at a fixed time, and runs until it waits for something. Then each
// line of the script is one message, or moves the clock:
//
//	succeed TASK OUTPUT      the task is done; OUTPUT is JSON
//	fail TASK [ERROR [CAUSE…]]  the task failed, with that Error Name and cause
//	submit TASK OUTPUT       the job is submitted (.sync), or the request that carries
//	                         the task token is accepted; OUTPUT is the service's answer
//	start TASK WORKER        a worker takes the activity's task
//	beat TASK                the task sends a heartbeat
//	gone TASK                the activity does not exist any more
//	advance DURATION         time passes ("90s", "1h30m"), and what is due happens
//	stop [ERROR [CAUSE…]]    StopExecution
//	redrive                  RedriveExecution
//	fork EVENT [INPUT]       another execution continues from that event of this one,
//	                         with another input if there is one; the script continues with it
//	continue                 the execution continues after a step of "runahead" events
//	takeover                 prints what another process would perform again after a crash
//
// TASK is the name of a Task state, and stands for the newest task of that state;
// NAME#2 is the second one that was scheduled. A message that nothing awaits is no
// error: the history has the line "stale" for it.
//
// In the history an event is one line: its id, the event before it, its type, the name
// of the state, and payloads:
//
//	7 <- 6   TaskScheduled in={"JobName":"j"}
//
// Lines that begin with ">" repeat the script. Indented lines without a number say what
// is to be done once the events are durable (invoke, await, cancel), when the execution
// wants to be woken, and whether it can continue at once (more).
//
// Beside the comparison, [Script.Play] holds every history against the rules that the
// interpreter promises (package [interpreter]): its replay is the live execution, after
// each step; nothing is lost in the stored and in the wire form; a stale message
// changes nothing; replaying a damaged history breaks nothing.
//
// Stability: may move in any minor release.
package interpretertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/steppehq/steppe/interpreter"
)

// Options change how scripts run.
type Options struct {
	// Update has [Run] write the histories instead of comparing them. A test usually
	// has a flag for it: go test -update.
	Update bool
	// Env, if it is not nil, returns the environment of each step, made of the one
	// that the script would use.
	Env func(interpreter.Env) interpreter.Env
}

// repeats is how often a script is played again to see whether it repeats.
const repeats = 20

// Run runs each script under a directory, in files named *.txtar, as a subtest
// with the name of the file relative to the directory. A single one runs by
//
//	go test -run 'TestName/folder/script$'
//
// A script that does not have the same outcome each time fails, and so does a
// directory without any.
func Run(t *testing.T, dir string, o Options) {
	t.Helper()
	files, err := Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no golden scripts (*.txtar) under %s", dir)
	}
	for _, file := range files {
		t.Run(Name(dir, file), func(t *testing.T) { runFile(t, file, o) })
	}
}

// Files returns the scripts under a directory, in the order of their names.
func Files(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(file string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(file) == ".txtar" {
			files = append(files, file)
		}
		return err
	})
	return files, err
}

// Name returns the name of the subtest for a script under a directory.
func Name(dir, file string) string {
	if rel, err := filepath.Rel(dir, file); err == nil {
		file = rel
	}
	return strings.TrimSuffix(filepath.ToSlash(file), ".txtar")
}

func runFile(t *testing.T, file string, o Options) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	script, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	played, err := script.Play(o)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for range repeats {
		again, err := script.Play(o)
		if err != nil || again.History != played.History {
			t.Fatalf("%s does not repeat: %v\n%s", file, err, cmp.Diff(played.History, again.History))
		}
	}
	if o.Update {
		if err := os.WriteFile(file, script.WithHistory(played.History), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(script.History(), played.History); diff != "" {
		t.Errorf("%s (-want +got)\n%s", file, diff)
	}
}
