package lambda_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/steppehq/steppe/integration/lambda"
)

// TestLogIsBounded: what one invocation logs is bounded, in lines that hold nothing
// as well, and what the start of a worker does; a line tells how much is left out;
// the next invocation logs again, and no byte gets lost where a long line is cut.
func TestLogIsBounded(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "h.py", `
import sys
def out(text):
    sys.stdout.write(text)
    sys.stdout.flush()
out(("s" * 99 + "\n") * 20000)
def handler(event, context):
    out(event["text"] * event["times"])
`)
	lines := make(chan lambda.Line, 1000)
	fn, err := lambda.NewProcess(lambda.Process{
		Name: "f", Runtime: "python", Handler: "h.handler", Dir: dir, Concurrency: 1,
		Log: func(line lambda.Line) { lines <- line },
	})
	if err != nil {
		t.Fatal(err)
	}
	set := lambda.NewFunctions()
	set.Add("f", fn, own)
	printed := 20000 * 100
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer set.Close()
		for _, x := range []struct {
			text  string
			times int
		}{{"x", 3_000_000}, {"second\\n", 1}, {"\\n", 4_000_000}, {"last\\n", 1}, {strings.Repeat("z", 300_000) + "\\n", 1}} {
			input := fmt.Sprintf(`{"text":"%s","times":%d}`, x.text, x.times)
			if _, failed := perform(t, set, byName+"f", input); failed.Error != "" {
				t.Errorf("%.20s: %+v", x.text, failed)
			}
		}
	}()
	for _, n := range []int{3_000_000, len("second\n"), 4_000_000, len("last\n"), 300_000, 1} {
		printed += n
	}
	const most = 1 << 20
	kept, left, told, zs, ends := 0, 0, 0, 0, 0
	for kept+left < printed {
		line := <-lines
		var n int
		if _, err := fmt.Sscanf(line.Text, "[%d bytes of the log are left out", &n); err == nil {
			left, told = left+n, told+1
			continue
		}
		if kept += len(line.Text); len(line.Text) != 64<<10 {
			kept++ // its newline; longer ones are cut
		}
		zs += strings.Count(line.Text, "z")
		if strings.HasSuffix(line.Text, "second") || strings.HasSuffix(line.Text, "last") {
			ends++
		}
	}
	<-done
	if kept+left != printed || kept > 4*most || told < 3 || zs != 300_000 || ends != 2 {
		t.Errorf("of %d bytes kept %d, left %d out in %d lines, %d of 300000 z, %d of 2 short lines", printed, kept, left, told, zs, ends)
	}
}
