package hostile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"
)

// operations are bombs whose weight is in a request, not in an execution: it is
// made again and again, by as many callers as there are executions of others. Where
// a definition is given, an execution of it has ended before, and the request names
// both.
func operations() []Bomb {
	state := func(fields object) string {
		fields["End"] = true
		return text(fields)
	}
	huge := make(object)
	for i := range 5000 {
		huge[fmt.Sprintf("S%d", i)] = object{"Type": "Pass", "Result": strings.Repeat("r", 100), "Next": fmt.Sprintf("S%d", i+1)}
	}
	huge["S5000"] = object{"Type": "Succeed"}
	wrong := make(object)
	for i := range 8000 {
		wrong[fmt.Sprintf("S%d", i)] = object{"Type": "Pas", "Nxt": "nowhere", "Parameters": object{"a.$": "$.[?(@"}, "Next": fmt.Sprint("T", i)}
	}
	counting := `{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a.$":"$.a","n.$":"States.MathAdd($.n,1)"},"Next":"B"},"B":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericGreaterThan":200,"Next":"E"}],"Default":"A"},"E":{"Type":"Succeed"}}}`
	long := `{"n":0,"a":"` + strings.Repeat("y", 200_000) + `"}`
	return []Bomb{
		{Name: "TestState, regex", Operation: "TestState", Request: object{"roleArn": role, "definition": state(object{"Type": "Pass", "QueryLanguage": "JSONata", "Output": `{% ($p:=$pad('a',200000,'a'); $count([1..100000].$match($p,/((a{0,30}){0,30}b)/))) %}`})}},
		{Name: "TestState, Parameters", Operation: "TestState", Request: object{"roleArn": role, "input": large(), "definition": state(object{"Type": "Pass", "Parameters": each(20_000, "x%d.$", "$.a")})}},
		{Name: "TestState, inspection", Operation: "TestState", Request: object{"roleArn": role, "inspectionLevel": "TRACE", "input": large(), "definition": state(object{"Type": "Pass", "InputPath": "$", "Parameters": object{"a.$": "$"}, "ResultPath": "$.r"})}},
		{Name: "Validate, large", Operation: "ValidateStateMachineDefinition", Request: object{"maxResults": 100, "definition": text(object{"StartAt": "S0", "States": huge})}},
		{Name: "Validate, wrong", Operation: "ValidateStateMachineDefinition", Request: object{"maxResults": 100, "definition": text(object{"StartAt": "S0", "States": wrong})}},
		{Name: "Validate, nested", Operation: "ValidateStateMachineDefinition", Request: object{"definition": strings.Repeat(`{"States":`, 50_000)}},
		{Name: "Create, wrong", Operation: "CreateStateMachine", Request: object{"name": "w", "roleArn": role, "definition": text(object{"StartAt": "S0", "States": wrong})}},
		{Name: "Create, same", Operation: "CreateStateMachine", Request: object{"name": "s", "roleArn": role, "definition": text(object{"StartAt": "S0", "States": huge})}},
		{Name: "Start, not JSON", Operation: "StartExecution", Definition: quick, Input: "{}", Request: object{"input": strings.Repeat("[", 250_000)}},
		{Name: "GetExecutionHistory", Operation: "GetExecutionHistory", Definition: counting, Input: long, Request: object{"maxResults": 1000}},
		{Name: "GetExecutionHistory, back", Operation: "GetExecutionHistory", Definition: counting, Input: long, Request: object{"maxResults": 1000, "reverseOrder": true}},
		{Name: "Describe, large", Operation: "DescribeStateMachine", Definition: text(object{"StartAt": "S0", "States": huge}), Input: "{}", Request: object{}},
		{Name: "ListStateMachines", Operation: "ListStateMachines", Definition: text(object{"StartAt": "S0", "States": huge}), Input: "{}", Request: object{"maxResults": 1000}},
	}
}

// prepare has an execution end, and names it and its machine in the request.
func (t *trial) prepare(ctx context.Context) error {
	t.request = []byte(text(t.bomb.Request))
	if t.bomb.Definition == "" {
		return nil
	}
	arn, err := t.start(ctx)
	if err != nil {
		return err
	}
	if status, err := t.await(ctx, arn); err != nil || status == "RUNNING" {
		return fmt.Errorf("the execution is %s: %w", status, err)
	}
	request := maps.Clone(t.bomb.Request)
	if t.bomb.Operation == "GetExecutionHistory" {
		request["executionArn"] = arn
	} else if t.bomb.Operation != "ListStateMachines" {
		request["stateMachineArn"] = t.machine
	}
	t.request = []byte(text(request))
	return nil
}

// call makes the bomb's request. What it answers does not matter, but that it does.
func (t *trial) call(ctx context.Context) {
	err := t.a.Ask(ctx, t.bomb.Operation, t.request)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e, refused := errors.AsType[*Exception](err); {
	case refused:
		t.r.End = e.Type
	case err == nil:
		t.r.End = "answered"
	case ctx.Err() == nil:
		t.wrong("%s: %v", t.bomb.Operation, err)
	}
}

// callAlone makes the request once.
func (t *trial) callAlone(ctx context.Context) error {
	if err := t.prepare(ctx); err != nil {
		return err
	}
	begun := time.Now()
	t.call(ctx)
	if t.r.Alone = time.Since(begun); t.r.Alone > t.o.Alone {
		t.wrong("alone it took %v; it should be %v at most", t.r.Alone, t.o.Alone)
	}
	return nil
}

// callTogether has many callers make the request again and again.
func (t *trial) callTogether(ctx context.Context, all *sync.WaitGroup) {
	until := time.Now().Add(t.o.Endless)
	for range t.o.AtOnce {
		all.Go(func() {
			for time.Now().Before(until) && ctx.Err() == nil {
				t.call(ctx)
			}
		})
	}
}
