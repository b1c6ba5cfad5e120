package query_test

import (
	"errors"
	"fmt"

	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// A payload template is compiled once and evaluated on the data of a state.
func ExampleTemplate() {
	var compiler query.Compiler
	definition, _ := value.DecodeString(`{"kind":"order","id.$":"$.order.id","greeting.$":"States.Format('Hello {}!', $.name)"}`)
	template, err := compiler.Template(definition)
	if err != nil {
		fmt.Println(err)
		return
	}
	input, _ := value.DecodeString(`{"order":{"id":7},"name":"Ann"}`)
	made, err := template.Eval(&query.Scope{Input: input})
	fmt.Println(made, err)
	_, err = template.Eval(&query.Scope{Input: value.Obj()})
	if failed, ok := errors.AsType[*query.Error](err); ok {
		fmt.Println(failed.Name)
	}
	// Output:
	// {"kind":"order","greeting":"Hello Ann!","id":7} <nil>
	// States.Runtime
}

// A flow is what a state does to its data: arguments, output, variables.
func ExampleFlow() {
	var compiler query.Compiler
	place, err := jsonpath.CompileReference("$.result")
	if err != nil {
		fmt.Println(err)
		return
	}
	input, err := compiler.Path("$.order")
	if err != nil {
		fmt.Println(err)
		return
	}
	assign, _ := value.DecodeString(`{"status.$":"$.status"}`)
	variables, err := compiler.Template(assign)
	if err != nil {
		fmt.Println(err)
		return
	}
	flow := query.Flow{InputPath: input, ResultPath: place, Assign: variables}

	scope := &query.Scope{Input: value.Obj(value.Member{Name: "order", Value: value.Int(7)})}
	_, arguments, err := flow.Arguments(scope)
	fmt.Println("arguments", arguments, err)
	result := value.Obj(value.Member{Name: "status", Value: value.Str("paid")}) // of the state's work
	output, selected, err := flow.Result(scope, result)
	fmt.Println("output", output, err)
	assigned, err := flow.AssignVariables(scope, selected)
	fmt.Println("variables", assigned[0].Name, assigned[0].Value, err)
	// Output:
	// arguments 7 <nil>
	// output {"order":7,"result":{"status":"paid"}} <nil>
	// variables status "paid" <nil>
}

// An error has AWS's words. It unwraps to that of the language, which knows the
// position in the expression.
func ExampleError() {
	var compiler query.Compiler
	template, err := compiler.JSONata("Output", value.Str("{% $states.input.name + 1 %}"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = template.Eval(&query.Scope{Input: value.Obj(value.Member{Name: "name", Value: value.Str("x")})})
	fmt.Println(err)
	if failed, ok := errors.AsType[*jsonata.Error](err); ok {
		fmt.Println(failed.Code, "at", failed.Position)
	}
	// Output:
	// States.QueryEvaluationError: The JSONata expression '$states.input.name + 1' specified for the field 'Output' threw an error during evaluation. T2001: The left side of the "+" operator must evaluate to a number
	// T2001 at 20
}
