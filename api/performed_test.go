package api_test

import (
	"strings"
	"testing"

	"github.com/steppehq/steppe/value"
)

// TestNotPerformed: what is valid on AWS and has no integration here gets one answer
// from every operation, and all of it at once.
func TestNotPerformed(t *testing.T) {
	h := serve(t)
	const task = `{"Type":"Task","Resource":"arn:aws:states:::RESOURCE","Parameters":{},"NEXT":"B"}`
	task1 := strings.NewReplacer("RESOURCE", "dynamodb:getItem", "NEXT", "Next").Replace(task)
	task2 := strings.Replace(strings.NewReplacer("RESOURCE", "ecs:runTask.sync", "NEXT", "End").Replace(task), `"End":"B"`, `"End":true`, 1)
	definition := value.Str(`{"StartAt":"A","States":{"A":` + task1 + `,"B":` + task2 + `}}`).String()
	const dynamodb = "The resource provided arn:aws:states:::dynamodb:getItem is valid on AWS, but not performed here: there is no integration for dynamodb; there are activities."
	const ecs = "The resource provided arn:aws:states:::ecs:runTask.sync is valid on AWS, but not performed here: there is no integration for ecs; there are activities."
	const both = "Invalid State Machine Definition: 'NOT_PERFORMED: " + dynamodb + " at /States/A/Resource, NOT_PERFORMED: " + ecs + " at /States/B/Resource'"

	refused := func(operation, body, want string) {
		t.Helper()
		if status, answer := post(t, h, operation, body); status != 400 || answer.Get("message").Str() != want {
			t.Errorf("%s: %d %v", operation, status, answer)
		}
	}
	refused("CreateStateMachine", `{"name":"n","roleArn":"`+role+`","definition":`+definition+`}`, both)
	arn := must(t, h, "CreateStateMachine", `{"name":"n","roleArn":"`+role+`","definition":"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Succeed\"}}}"}`).Get("stateMachineArn").Str()
	refused("UpdateStateMachine", `{"stateMachineArn":"`+arn+`","definition":`+definition+`}`, both)
	refused("TestState", `{"roleArn":"`+role+`","definition":`+value.Str(task1).String()+`}`,
		"Invalid State Machine Definition: 'NOT_PERFORMED: "+dynamodb+" at /States/StateName/Resource'")

	told := must(t, h, "ValidateStateMachineDefinition", `{"severity":"WARNING","definition":`+definition+`}`)
	if list := told.Get("diagnostics"); told.Get("result").Str() != "OK" || list.Len() != 2 || list.At(0).Get("message").Str() != dynamodb || list.At(1).Get("message").Str() != ecs {
		t.Error(told)
	}
	// With a mock nobody has to perform it.
	must(t, h, "TestState", `{"definition":`+value.Str(task1).String()+`,"mock":{"result":"{}"}}`)
}
