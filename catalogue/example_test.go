package catalogue_test

import (
	"context"
	"fmt"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store/memory"
)

// A state machine is created once, however often the same is asked for, and updated
// under its ARN. A version keeps what the machine was.
func ExampleCatalogue_Create() {
	ctx := context.Background()
	c, err := catalogue.New(catalogue.Config{Store: memory.New(memory.Options{})})
	if err != nil {
		panic(err)
	}
	spec := catalogue.Spec{
		Tenant: catalogue.Tenant{Account: "123456789012", Region: "eu-central-1"}, Name: "greet",
		RoleARN:    "arn:aws:iam::123456789012:role/greet",
		Definition: `{"StartAt": "Hello", "States": {"Hello": {"Type": "Succeed"}}}`,
		Publish:    new("the first"),
	}
	for range 2 {
		m, err := c.Create(ctx, spec)
		fmt.Println(m.ARN(), err)
	}

	updated, err := c.Update(ctx, spec.ARN(), catalogue.Change{
		Definition: new(`{"StartAt": "Bye", "States": {"Bye": {"Type": "Succeed"}}}`),
	})
	if err != nil {
		panic(err)
	}
	first, err := c.MachineAt(ctx, updated.Machine, 1)
	if err != nil {
		panic(err)
	}
	fmt.Println("now:      ", updated.Machine.Definition)
	fmt.Println("version 1:", first.Definition)

	spec.Definition = `{"StartAt": "Nowhere", "States": {}}`
	_, err = c.Update(ctx, spec.ARN(), catalogue.Change{Definition: &spec.Definition})
	fmt.Println(err)
	// Output:
	// arn:aws:states:eu-central-1:123456789012:stateMachine:greet <nil>
	// arn:aws:states:eu-central-1:123456789012:stateMachine:greet <nil>
	// now:       {"StartAt": "Bye", "States": {"Bye": {"Type": "Succeed"}}}
	// version 1: {"StartAt": "Hello", "States": {"Hello": {"Type": "Succeed"}}}
	// Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States, MISSING_TRANSITION_TARGET: Missing 'Next' target: Nowhere at /StartAt, MISSING_END_STATE: Workflow has no terminal state at null'
}
