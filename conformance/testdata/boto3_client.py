"""Creates, starts, follows, stops and reads back the order workflow with boto3."""
import json
import sys
import time

import boto3

endpoint, example = sys.argv[1:3]
sfn = boto3.client("stepfunctions", endpoint_url=endpoint)
definition = open(f"{example}/order-approval.asl.json").read()
order = open(f"{example}/input.json").read()
machine = sfn.create_state_machine(
    name="order-approval", definition=definition, roleArn="arn:aws:iam::000000000000:role/r"
)["stateMachineArn"]
execution = sfn.start_execution(stateMachineArn=machine, input=order)["executionArn"]

token = None
while token is None:
    events = sfn.get_execution_history(executionArn=execution, reverseOrder=True)["events"]
    if events[0]["type"] == "TaskSubmitted":
        scheduled = next(e for e in events if e["type"] == "TaskScheduled")
        token = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["Payload"]["token"]
    time.sleep(0.05)
sfn.send_task_success(taskToken=token, output='{"approved":true}')
while (described := sfn.describe_execution(executionArn=execution))["status"] == "RUNNING":
    time.sleep(0.05)
assert described["status"] == "SUCCEEDED", described
assert [s["parcel"] for s in json.loads(described["output"])] == ["P-001", "P-002", "P-003"], described

stopped = sfn.start_execution(stateMachineArn=machine, name="stopped", input=order)["executionArn"]
sfn.stop_execution(executionArn=stopped, error="Changed", cause="mind")
assert sfn.describe_execution(executionArn=stopped)["status"] == "ABORTED"
names = [e["name"] for e in sfn.list_executions(stateMachineArn=machine)["executions"]]
assert names[0] == "stopped" and len(names) == 2, names
assert sfn.describe_state_machine(stateMachineArn=machine)["definition"] == definition
try:
    sfn.start_execution(stateMachineArn=machine, input="not json")
    raise AssertionError("an input that is no JSON was taken")
except sfn.exceptions.InvalidExecutionInput:
    pass
express = sfn.create_state_machine(
    name="express", type="EXPRESS", roleArn="arn:aws:iam::000000000000:role/r",
    definition='{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}',
)["stateMachineArn"]
sync = boto3.client(
    "stepfunctions", endpoint_url=endpoint, config=boto3.session.Config(inject_host_prefix=False)
).start_sync_execution(stateMachineArn=express, input='{"a":1}')
assert sync["status"] == "SUCCEEDED" and sync["output"] == '{"a":1}', sync
sfn.delete_state_machine(stateMachineArn=machine)
print("all well")
