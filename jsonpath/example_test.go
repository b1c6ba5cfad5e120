package jsonpath_test

import (
	"errors"
	"fmt"

	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/value"
)

// A definite path returns the value that it names, any other an array of all
// values that it picks.
func Example() {
	document, _ := value.DecodeString(`{"store":{"book":[
		{"title":"A","price":8},{"title":"B","price":22},{"title":"C","price":9}]}}`)
	for _, text := range []string{"$.store.book[0].title", "$.store.book[?(@.price < 10)].title", "$..price", "$.store.book[-1:].title"} {
		path, err := jsonpath.Compile(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		picked, err := path.Eval(document)
		fmt.Println(text, path.Definite(), picked, err)
	}
	// Output:
	// $.store.book[0].title true "A" <nil>
	// $.store.book[?(@.price < 10)].title false ["A","C"] <nil>
	// $..price false [8,22,9] <nil>
	// $.store.book[-1:].title false ["C"] <nil>
}

// A part that is missing is an error that can be told from others.
func ExamplePath_Eval() {
	path, err := jsonpath.Compile("$.order.id")
	if err != nil {
		fmt.Println(err)
		return
	}
	document, _ := value.DecodeString(`{"order":{}}`)
	_, err = path.Eval(document)
	failed, ok := errors.AsType[*jsonpath.Error](err)
	fmt.Println(ok && failed.NotFound, err)
	// Output:
	// true No results for path: $['order']['id']
}

// A reference path names one place, where a value can be put: so does ResultPath.
func ExampleReference_Set() {
	place, err := jsonpath.CompileReference("$.results.task")
	if err != nil {
		fmt.Println(err)
		return
	}
	input, _ := value.DecodeString(`{"id":7}`)
	output, err := place.Set(input, value.Str("done"))
	fmt.Println(output, err)
	_, err = jsonpath.CompileReference("$..task")
	fmt.Println(err)
	// Output:
	// {"id":7,"results":{"task":"done"}} <nil>
	// invalid path "$..task": a reference path has only names and indexes
}
