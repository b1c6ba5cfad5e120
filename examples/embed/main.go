// Command embed runs a state machine in-process, with two Go functions as its
// tasks. Its data is kept in memory; give Config a Dir to keep it.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/steppehq/steppe"
)

type order struct {
	Customer string   `json:"customer"`
	Items    []string `json:"items"`
}

type receipt struct {
	Text string `json:"text"`
}

func price(_ context.Context, o order) (int, error) {
	if len(o.Items) == 0 {
		return 0, emptyOrder{}
	}
	return 10 * len(o.Items), nil
}

// emptyOrder reaches Retry and Catch as the Error Name "emptyOrder".
type emptyOrder struct{}

func (emptyOrder) Error() string { return "the order is empty" }

func print(_ context.Context, in struct {
	Order order `json:"order"`
	Price int   `json:"price"`
},
) (receipt, error) {
	return receipt{fmt.Sprintf("%s pays %d for %s", in.Order.Customer, in.Price, strings.Join(in.Order.Items, ", "))}, nil
}

const definition = `{
  "StartAt": "Price",
  "States": {
    "Price": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:price", "ResultPath": "$.price", "Next": "Print"},
    "Print": {
      "Type": "Task",
      "Resource": "arn:aws:lambda:us-east-1:000000000000:function:print",
      "Parameters": {"order.$": "$", "price.$": "$.price"},
      "End": true
    }
  }
}`

func main() {
	server, err := steppe.Open(steppe.Config{Functions: []steppe.Function{steppe.GoFunction("price", price), steppe.GoFunction("print", print)}})
	if err != nil {
		log.Fatal(err)
	}
	result, err := server.Execute(context.Background(), definition, order{"Ada", []string{"book", "lamp"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(os.Stdout, string(result))
	if err := server.Close(); err != nil {
		log.Fatal(err)
	}
}
