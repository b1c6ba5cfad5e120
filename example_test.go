package steppe_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/steppehq/steppe"
)

const order = `{"StartAt": "Charge", "States": {"Charge": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:charge",
  "Catch": [{"ErrorEquals": ["Declined"], "Next": "Refused"}], "End": true},
  "Refused": {"Type": "Fail", "Error": "OrderRefused", "Cause": "the card was declined"}}}`

// A state machine is deployed again and again: what has not changed stays.
func ExampleServer_Deploy() {
	ctx := context.Background()
	server, err := steppe.Open(steppe.Config{Functions: []steppe.Function{
		steppe.GoFunction("charge", func(_ context.Context, amount int) (string, error) {
			if amount > 100 {
				return "", fmt.Errorf("charge: %w", steppe.Errorf("Declined", "%d is too much", amount))
			}
			return fmt.Sprintf("charged %d", amount), nil
		}),
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	for range 2 {
		deployed, err := server.Deploy(ctx, "order", order, steppe.Publish("first"))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(deployed.VersionARN, deployed.Changed)
	}
	for _, amount := range []int{42, 1000} {
		run, err := server.Start(ctx, "order:1", amount)
		if err != nil {
			log.Fatal(err)
		}
		var receipt string
		err = run.Result(ctx, &receipt)
		if failed := new(steppe.ExecutionError); errors.As(err, &failed) {
			fmt.Println(failed.Name)
		} else {
			fmt.Println(receipt)
		}
	}
	// Output:
	// arn:aws:states:us-east-1:000000000000:stateMachine:order:1 true
	// arn:aws:states:us-east-1:000000000000:stateMachine:order:1 false
	// charged 42
	// OrderRefused
}

// A task waits for somebody: a function sends its token to whom it concerns, and
// the execution continues when the token comes back. In virtual time the clock stands
// until then.
func ExampleServer_SendTaskSuccess() {
	ctx := context.Background()
	mail := make(chan string, 1)
	server, err := steppe.Open(steppe.Config{VirtualTime: true, Functions: []steppe.Function{
		steppe.GoFunction("ask", func(ctx context.Context, _ any) (any, error) {
			task, _ := steppe.TaskFrom(ctx)
			fmt.Println(task.State, task.Attempt)
			mail <- task.Token
			return nil, nil
		}),
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	_, err = server.Deploy(ctx, "approval", `{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
	  "Parameters": {"FunctionName": "ask"}, "TimeoutSeconds": 86400, "End": true}}}`)
	if err != nil {
		log.Fatal(err)
	}
	run, err := server.Start(ctx, "approval", nil)
	if err != nil {
		log.Fatal(err)
	}
	token := <-mail
	if _, err := server.Advance(ctx, 23*time.Hour); err != nil {
		log.Fatal(err)
	}
	if err := server.SendTaskSuccess(ctx, token, map[string]bool{"approved": true}); err != nil {
		log.Fatal(err)
	}
	var answer struct{ Approved bool }
	fmt.Println(run.Result(ctx, &answer), answer.Approved)
	// Output:
	// Ask 1
	// <nil> true
}

// An execution outlives the program: the next one takes it up from its data
// directory.
func ExampleServer_Shutdown() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	life := func(work func(*steppe.Server, <-chan string)) {
		asked := make(chan string, 1)
		server, err := steppe.Open(steppe.Config{Dir: dir, Functions: []steppe.Function{
			steppe.GoFunction("ask", func(ctx context.Context, _ any) (any, error) {
				task, _ := steppe.TaskFrom(ctx)
				asked <- task.Token
				return nil, nil
			}),
		}})
		if err != nil {
			log.Fatal(err)
		}
		work(server, asked)
		grace, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			log.Fatal(err)
		}
	}
	var arn, token string
	life(func(server *steppe.Server, asked <-chan string) {
		_, err := server.Deploy(ctx, "approval", `{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
		  "Parameters": {"FunctionName": "ask"}, "End": true}}}`)
		if err != nil {
			log.Fatal(err)
		}
		run, err := server.Start(ctx, "approval", nil, steppe.Name("first"))
		if err != nil {
			log.Fatal(err)
		}
		arn, token = run.ARN, <-asked
	})
	life(func(server *steppe.Server, _ <-chan string) {
		if err := server.SendTaskSuccess(ctx, token, "yes"); err != nil {
			log.Fatal(err)
		}
		var answer string
		fmt.Println(arn, server.Run(arn).Result(ctx, &answer), answer)
	})
	// Output: arn:aws:states:us-east-1:000000000000:execution:approval:first <nil> yes
}

// A program watches what an execution does: each event comes once, as soon as it is
// durable. A caller that was interrupted names the last event that it has
// seen instead of 0.
func ExampleServer_Engine_watch() {
	ctx := context.Background()
	server, err := steppe.Open(steppe.Config{VirtualTime: true})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	_, err = server.Deploy(ctx, "reminder", `{"StartAt": "Sleep", "States": {
	  "Sleep": {"Type": "Wait", "Seconds": 86400, "Next": "Done"}, "Done": {"Type": "Pass", "Result": "awake", "End": true}}}`)
	if err != nil {
		log.Fatal(err)
	}
	run, err := server.Start(ctx, "reminder", nil)
	if err != nil {
		log.Fatal(err)
	}
	for ev, err := range server.Engine().Watch(ctx, run.ARN, 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ev.ID, ev.Type)
	}
	// Output:
	// 1 ExecutionStarted
	// 2 WaitStateEntered
	// 3 WaitStateExited
	// 4 PassStateEntered
	// 5 PassStateExited
	// 6 ExecutionSucceeded
}
