package history_test

import (
	"fmt"
	"log"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/value"
)

// A history in its stored form is decoded and printed as GetExecutionHistory returns it.
// A payload that passes through several events is stored once, and is one document again
// when it is decoded.
func ExampleDecode() {
	input := value.NewDoc([]byte(`{"order":17}`))
	stored := history.Encode(nil, []history.Event{
		{ID: 1, Millis: 1_700_000_000_000, Type: history.ExecutionStarted, Input: input, RoleArn: "arn:aws:iam::000000000000:role/r"},
		{ID: 2, Millis: 1_700_000_000_250, Type: history.PassStateEntered, Name: "A", Input: input},
		{ID: 3, Previous: 2, Millis: 1_700_000_000_250, Type: history.PassStateExited, Name: "A", Output: input},
	})
	events, err := history.Decode(nil, stored)
	if err != nil {
		log.Fatal(err)
	}
	for i := range events {
		fmt.Printf("%s\n", events[i].AppendJSON(nil, true))
	}
	fmt.Println(events[0].Input == events[2].Output)
	// Output:
	// {"timestamp":1700000000.000,"type":"ExecutionStarted","id":1,"previousEventId":0,"executionStartedEventDetails":{"input":"{\"order\":17}","inputDetails":{"truncated":false},"roleArn":"arn:aws:iam::000000000000:role/r"}}
	// {"timestamp":1700000000.250,"type":"PassStateEntered","id":2,"previousEventId":0,"stateEnteredEventDetails":{"name":"A","input":"{\"order\":17}","inputDetails":{"truncated":false}}}
	// {"timestamp":1700000000.250,"type":"PassStateExited","id":3,"previousEventId":2,"stateExitedEventDetails":{"name":"A","output":"{\"order\":17}","outputDetails":{"truncated":false}}}
	// true
}

// What the AWS CLI has printed is read event by event, times as text included.
func ExampleReader_Event() {
	text := `[{"timestamp":"2026-11-01T10:00:00.000000+00:00","type":"FailStateEntered","id":2,"previousEventId":0,
	  "stateEnteredEventDetails":{"name":"Refused","input":"{\"order\":17}","inputDetails":{"truncated":false}}}]`
	var reader history.Reader
	scanner := value.NewScanner([]byte(text))
	err := scanner.Array(func() error {
		ev, err := reader.Event(scanner)
		fmt.Println(ev.ID, ev.Type, ev.Name, ev.Input.Value().Get("order"), ev.Time().Format("15:04"))
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 2 FailStateEntered Refused 17 10:00
}
