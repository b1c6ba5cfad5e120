package interpreter_test

import (
	"fmt"
	"log"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/value"
)

// A machine driven by hand. What a step decides is first made durable (here: appended to a
// slice), then its effects are performed, and what comes of them is the next message. The
// same loop drives an execution in a server, a test, or a simulation.
func Example() {
	machine, diagnostics := asl.Parse([]byte(`{"StartAt": "Charge", "States": {
	  "Charge": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:charge",
	    "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 30}], "End": true}}}`))
	if machine == nil {
		log.Fatal(diagnostics)
	}
	info := interpreter.Info{ARN: "arn:example", Name: "first", Seed: 1}
	env := interpreter.Env{Now: time.Unix(1_700_000_000, 0), Limits: interpreter.AWSLimits}
	attempts := []interpreter.Message{
		{Kind: interpreter.TaskFailed, Failure: history.ErrorOutput{Error: new("Busy")}},
		{Kind: interpreter.TaskSucceeded, Output: value.NewDoc([]byte(`{"receipt":17}`))},
	}

	var durable []history.Event
	x, out := interpreter.Start(machine, info, value.NewDoc([]byte(`{"amount":42}`)), env)
	for {
		for i := range out.Events { // BEFORE any effect is performed
			ev := &out.Events[i]
			fmt.Printf("%d %v\n", ev.ID, ev.Type)
		}
		durable = append(durable, out.Events...)
		if x.Status() != interpreter.Running {
			break
		}
		var next interpreter.Message
		switch {
		case len(out.Effects) > 0: // one here; a Parallel state has more
			fmt.Printf("   invoke for %s: %s\n", out.Effects[0].StateName, out.Effects[0].Input)
			next, attempts = attempts[0], attempts[1:]
			next.Cause = out.Effects[0].Cause
		case out.More:
			next.Kind = interpreter.Continue
		default:
			due := time.UnixMilli(x.Wake())
			fmt.Printf("   wait %v\n", due.Sub(env.Now))
			env.Now, next.Kind = due, interpreter.Wake
		}
		out = interpreter.Step(x, next, env)
	}

	// The history is the execution: a replay, in another process, is as far.
	again, err := interpreter.Replay(machine, info, durable)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Status() == interpreter.Succeeded, again.Output())
	// Output:
	// 1 ExecutionStarted
	// 2 TaskStateEntered
	// 3 LambdaFunctionScheduled
	// 4 LambdaFunctionStarted
	//    invoke for Charge: {"amount":42}
	// 5 LambdaFunctionFailed
	//    wait 30s
	// 6 LambdaFunctionScheduled
	// 7 LambdaFunctionStarted
	//    invoke for Charge: {"amount":42}
	// 8 LambdaFunctionSucceeded
	// 9 TaskStateExited
	// 10 ExecutionSucceeded
	// true {"receipt":17}
}
