package mock_test

import (
	"context"
	"fmt"
	"log"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/integration/mock"
)

// A test case of a MockConfigFile.json stands for the services of a state machine: the
// first attempt of Export fails, the second one succeeds, and the token that Approve waits for
// comes back.
func Example() {
	config, err := mock.ReadConfig([]byte(`{
	  "StateMachines": {"Orders": {"TestCases": {"Retried": {"Export": "BusyOnce", "Approve": "Approved"}}}},
	  "MockedResponses": {
	    "BusyOnce": {"0": {"Throw": {"Error": "Glue.ConcurrentRunsExceededException", "Cause": "busy"}}, "1": {"Return": {"JobRunState": "SUCCEEDED"}}},
	    "Approved": {"0": {"Return": {"by": "Ada"}}}}}`))
	if err != nil {
		log.Fatal(err)
	}
	testCase := mock.New(config["Orders"]["Retried"])
	server, err := steppe.Open(steppe.Config{VirtualTime: true, Mock: testCase})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	output, err := server.Execute(context.Background(), `{"StartAt": "Export", "States": {
	  "Export": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {"JobName": "nightly"},
	    "Retry": [{"ErrorEquals": ["Glue.ConcurrentRunsExceededException"], "IntervalSeconds": 3600}], "Next": "Approve"},
	  "Approve": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
	    "Parameters": {"QueueUrl": "q", "MessageBody.$": "$$.Task.Token"}, "End": true}}}`, nil)
	fmt.Println(string(output), err, testCase.Missing())
	// Output: {"by":"Ada"} <nil> []
}
