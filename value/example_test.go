package value_test

import (
	"errors"
	"fmt"

	"github.com/steppehq/steppe/value"
)

// A text is decoded once. What is not there is undefined, on which all methods
// work; numbers keep the text they were written with.
func Example() {
	order, err := value.DecodeString(`{"id":12345678901234567890,"total":1.50,"items":[{"sku":"a"},{"sku":"b"}]}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(order.Get("id"), order.Get("total"))
	fmt.Println(order.Get("items").At(1).Get("sku").Str())
	fmt.Println(order.Get("items").At(9).Get("sku").Get("x").IsUndefined())
	for i, name := range order.Names() {
		fmt.Println(name, order.At(i).Kind())
	}
	// Output:
	// 12345678901234567890 1.50
	// b
	// true
	// id number
	// total number
	// items array
}

// A value never changes: With returns another one, which shares the rest.
func ExampleValue_With() {
	order := value.Obj(value.Member{Name: "id", Value: value.Int(7)})
	paid := order.With("paid", value.Of(true))
	fmt.Println(order, paid)
	fmt.Println(value.Equal(order, paid.With("paid", value.Value{})))
	// Output:
	// {"id":7} {"id":7,"paid":true}
	// false
}

// The error of a text that is no JSON says where; its place can be shown as a
// line and a column.
func ExampleDecode() {
	text := []byte("{\n  \"a\": tru\n}")
	_, err := value.Decode(text)
	if syntax, ok := errors.AsType[*value.SyntaxError](err); ok {
		at := value.PositionAt(text, int(syntax.Offset))
		fmt.Printf("line %d: %v\n", at.Line, err != nil)
	}
	// Output:
	// line 2: true
}

// Locate finds a place in a text by names and indexes.
func ExampleLocate() {
	text := []byte("{\n  \"States\": {\n    \"A\": {\"Next\": \"B\"}\n  }\n}")
	at := value.Locate(text, []string{"States", "A", "Next"})
	fmt.Println(at.Line, at.Column)
	// Output:
	// 3 11
}
