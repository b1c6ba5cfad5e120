//go:build unix

package jsonata_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/value"
)

var beside = flag.Int("beside", 0, "rounds in which the CPU time of evaluations is told beside that of jsonata-js")

// TestBeside tells the CPU time of one evaluation of each of the benchmarks'
// expressions, here and by jsonata-js under Node.js, in turn; of several rounds
// the medians (make beside). It judges nothing.
func TestBeside(t *testing.T) {
	if *beside == 0 {
		t.Log("nothing is measured; make beside does it")
		return
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	states := benchStates(t)
	names := make([]string, 0, len(benchExpressions)+1)
	expressions := make([]string, 0, len(benchExpressions))
	for _, e := range benchExpressions {
		names, expressions = append(names, e.name), append(expressions, e.expr)
	}
	names = append(names, "compile")
	ours, theirs := make([][]float64, len(names)), make([][]float64, len(names))
	for range *beside {
		for i, ns := range measureOurs(t, states, expressions) {
			ours[i] = append(ours[i], ns)
		}
		for i, ns := range measureTheirs(t, states, expressions) {
			theirs[i] = append(theirs[i], ns)
		}
	}
	out := fmt.Sprintf("%-10s %12s %14s %8s\n", "CPU ns", "ours", "jsonata-js", "faster")
	for i, name := range names {
		a, b := median(ours[i]), median(theirs[i])
		out += fmt.Sprintf("%-10s %12.0f %14.0f %7.1fx\n", name, a, b, b/a)
	}
	t.Logf("medians of %d rounds\n%s", *beside, out)
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

const besideMillis = 300

func measureOurs(t *testing.T, states value.Value, expressions []string) []float64 {
	t.Helper()
	var result []float64
	for _, text := range expressions {
		x, err := jsonata.Compile(text, jsonata.Options{StepFunctions: true})
		if err != nil {
			t.Fatal(err)
		}
		env := &jsonata.Env{Vars: func(name string) (value.Value, bool) { return states, name == "states" }, Limits: jsonata.Limits{Depth: 1000}}
		result = append(result, cpuTime(func() {
			if _, err := x.Eval(env); err != nil {
				t.Fatal(err)
			}
		}))
	}
	last := expressions[len(expressions)-1]
	return append(result, cpuTime(func() {
		if _, err := jsonata.Compile(last, jsonata.Options{}); err != nil {
			t.Fatal(err)
		}
	}))
}

// cpuTime gives the CPU time of the process for one call, in nanoseconds.
func cpuTime(once func()) float64 {
	for range 20 {
		once()
	}
	n := 0
	before, until := used(), time.Now().Add(besideMillis*time.Millisecond)
	for time.Now().Before(until) {
		for range 10 {
			once()
		}
		n += 10
	}
	return float64(used()-before) / float64(n)
}

func used() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func measureTheirs(t *testing.T, states value.Value, expressions []string) []float64 {
	t.Helper()
	in, err := json.Marshal(map[string]any{"states": json.RawMessage(states.Append(nil)), "expressions": expressions, "millis": besideMillis})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "testdata/oracle/speed.mjs")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var result []float64
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatal(err)
	}
	return result
}
