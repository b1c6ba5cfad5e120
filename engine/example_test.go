package engine_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/value"
)

// shouter is an integration: it returns its input in capitals.
type shouter struct{}

func (shouter) Supports(asl.Resource) error { return nil }

func (shouter) Perform(_ context.Context, task integration.Task) (*value.Doc, error) {
	return value.DocOf(value.Str(strings.ToUpper(task.Input.Value().Str()))), nil
}

// An engine needs a store and integrations. Its listener is told what it does, here what
// becomes of tasks and which states are entered.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var integrations integration.Registry
	integrations.Register("shouter", shouter{})
	e, err := engine.Open(ctx, engine.Config{
		Store: memory.New(memory.Options{}), Integrations: &integrations,
		Listener: engine.Listener{
			Step: func(s engine.Step) {
				for i := range s.Events {
					if s.Events[i].Type == history.TaskStateEntered {
						fmt.Println("entered", s.Events[i].Name)
					}
				}
			},
			TaskEnded: func(t engine.TaskInfo) { fmt.Println("task of", t.State, t.Outcome) },
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	go e.Run(ctx) // timers
	const definition = `{"StartAt": "Shout", "States": {
		"Shout": {"Type": "Task", "Resource": "arn:aws:states:::shouter:shout", "End": true}}}`
	parsed, err := e.Catalogue().Parse(ctx, definition, catalogue.Standard)
	if err != nil {
		log.Fatal(err)
	}
	machine, err := e.Catalogue().CreateMachine(ctx, catalogue.Machine{
		Tenant: catalogue.Tenant{Account: "123456789012", Region: "eu-central-1"},
		Name:   "M", Type: catalogue.Standard, Definition: definition,
	}, parsed)
	if err != nil {
		log.Fatal(err)
	}
	input, err := value.ParseDoc([]byte(`"hello"`))
	if err != nil {
		log.Fatal(err)
	}
	started, err := e.Start(ctx, engine.StartRequest{Machine: machine, Input: input})
	if err != nil {
		log.Fatal(err)
	}
	ended, err := e.Wait(ctx, started.ARN)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ended.Output)
	if err := e.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// entered Shout
	// task of Shout succeeded
	// "HELLO"
}
