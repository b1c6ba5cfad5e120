package jsonata_test

import (
	"errors"
	"fmt"

	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/value"
)

// An expression is compiled once. An Env holds what an evaluation may see, and
// keeps its memory for the next one.
func Example() {
	total, err := jsonata.Compile(`$sum(items.(price * quantity))`, jsonata.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var env jsonata.Env
	for _, text := range []string{
		`{"items":[{"price":2.5,"quantity":4},{"price":1,"quantity":3}]}`,
		`{"items":[]}`,
	} {
		env.Input, _ = value.DecodeString(text)
		result, err := total.Eval(&env)
		fmt.Println(result, err)
	}
	// Output:
	// 13 <nil>
	// undefined <nil>
}

// The dialect of Step Functions has functions and exact integers of its own.
// Variables come from the caller.
func ExampleOptions() {
	x, err := jsonata.Compile(`$partition([$first..$first + 3], 3)`, jsonata.Options{StepFunctions: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := x.Eval(&jsonata.Env{Vars: func(name string) (value.Value, bool) {
		return value.Int(9007199254740993), name == "first"
	}})
	fmt.Println(result, err)
	// Output:
	// [[9007199254740993,9007199254740994,9007199254740995],[9007199254740996]] <nil>
}

// The error of an expression has a code and a position, counted in characters.
func ExampleError() {
	x, err := jsonata.Compile(`"a" & name + 1`, jsonata.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	input, _ := value.DecodeString(`{"name":"b"}`)
	_, err = x.Eval(&jsonata.Env{Input: input})
	if failed, ok := errors.AsType[*jsonata.Error](err); ok {
		fmt.Println(failed.Code, failed.Position, failed.Message)
	}
	_, err = jsonata.Compile(`items[price > `, jsonata.Options{})
	fmt.Println(err)
	// Output:
	// T2001 12 The left side of the "+" operator must evaluate to a number
	// S0203: Expected "]" before end of expression
}

// References are what an expression takes from outside, for checks before it is
// evaluated.
func ExampleExpr_References() {
	x, err := jsonata.Compile(`( $rate := 1.2; $states.input.price * $rate + $fee )`, jsonata.Options{StepFunctions: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, ref := range x.References().Variables {
		fmt.Println(ref.Name, ref.Steps)
	}
	// Output:
	// states [input price]
	// fee []
}
