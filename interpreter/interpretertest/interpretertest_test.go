package interpretertest_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/steppehq/steppe/interpreter/interpretertest"
)

const wait = `A task that fails is tried again.

-- machine.asl.json --
{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f",
  "Retry":[{"ErrorEquals":["Busy"],"IntervalSeconds":5}],"End":true}}}
-- script --
%s
`

// A script is played without a file: what the world does is one line each, and the
// history shows what comes of it.
func ExampleScript_Play() {
	script, err := interpretertest.Parse([]byte(fmt.Sprintf(wait, "fail A Busy\nadvance 5s\nsucceed A {\"done\": true}")))
	if err != nil {
		log.Fatal(err)
	}
	played, err := script.Play(interpretertest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(played.History)
	// Output:
	//   1 <- 0   ExecutionStarted in={}
	//   2 <- 0   TaskStateEntered A in={}
	//   3 <- 2   LambdaFunctionScheduled in={}
	//   4 <- 3   LambdaFunctionStarted
	//   invoke A #3 arn:aws:lambda:us-east-1:000000000000:function:f {}
	// > fail A Busy
	//   5 <- 4   LambdaFunctionFailed error=Busy retry=5s
	//   wake in 5s
	// > advance 5s
	//   6 <- 5   LambdaFunctionScheduled in={}
	//   7 <- 6   LambdaFunctionStarted
	//   invoke A #6 arn:aws:lambda:us-east-1:000000000000:function:f {}
	// > succeed A {"done": true}
	//   8 <- 7   LambdaFunctionSucceeded out={"done": true}
	//   9 <- 8   TaskStateExited A out={"done":true}
	//  10 <- 9   ExecutionSucceeded out={"done":true}
}

// TestRun writes the history of a script that has none, and then runs it.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "retry", "once.txtar")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, wait, "succeed A 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	interpretertest.Run(t, dir, interpretertest.Options{Update: true})
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), "ExecutionSucceeded out=1\n") || !strings.HasPrefix(string(text), "A task that fails") {
		t.Fatalf("%v\n%s", err, text)
	}
	interpretertest.Run(t, dir, interpretertest.Options{})
	if files, err := interpretertest.Files(dir); err != nil || len(files) != 1 || interpretertest.Name(dir, files[0]) != "retry/once" {
		t.Error(files, err)
	}
}

// TestBadScripts: the error of a script names the file of the script, the line, and
// what is wanted there.
func TestBadScripts(t *testing.T) {
	for _, tt := range []struct{ script, want string }{
		{"-- script --\nstop\n", "the script has no file machine.asl.json"},
		{"-- machine.asl.json --\n{}\n", "machine.asl.json: "},
		{"-- input.json --\n{,}\n", "input.json: "},
		{"-- notes --\n", "notes: a script has no such file; it has machine.asl.json"},
		{"-- limits --\nevents 5\nstates 9\n", `limits: line 2: there is no limit "states"`},
		{"-- limits --\nevents many\n", `limits: line 1: want a name and a whole number, not "events many"`},
		{fmt.Sprintf(wait, "succeed A 1\n\nboom"), `script: line 3: there is no word "boom"`},
		{fmt.Sprintf(wait, "succeed A"), "script: line 1: want succeed TASK OUTPUT"},
		{fmt.Sprintf(wait, "redrive now"), "script: line 1: want redrive"},
		{fmt.Sprintf(wait, "succeed A {no}"), "script: line 1: "},
		{fmt.Sprintf(wait, "succeed B 1"), "script: line 1: no task of the state B has been scheduled"},
		{fmt.Sprintf(wait, "succeed A#2 1"), "script: line 1: A#2: the state has had 1 tasks"},
		{fmt.Sprintf(wait, "advance soon"), "script: line 1: time: invalid duration"},
		{fmt.Sprintf(wait, "fork 5"), "script: line 1: want the number of an event, 1 to 4, not 5"},
	} {
		script, err := interpretertest.Parse([]byte(tt.script))
		if err == nil {
			_, err = script.Play(interpretertest.Options{})
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s\nreturned the error %v, want %s", tt.script, err, tt.want)
		}
	}
}
