package wire_test

import (
	"fmt"
	"io"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/aws/wire"
	"github.com/steppehq/steppe/value"
)

func Example() {
	service := model.Load("sns")
	codec, err := wire.New(service, "")
	if err != nil {
		panic(err)
	}
	input, err := value.DecodeString(`{"TopicArn":"arn:aws:sns:us-east-1:123456789012:t","Message":"hello"}`)
	if err != nil {
		panic(err)
	}
	r, err := codec.EncodeRequest(service.Operations["Publish"], wire.Message{Value: input})
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Method, r.URL)
	fmt.Println(string(body))
	// Output:
	// POST /
	// Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A123456789012%3At&Message=hello
}
