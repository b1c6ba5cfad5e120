"""Calls all operations with boto3 and checks its answers.

Debian's botocore knows no versions, aliases, redrives, TestState and
ValidateStateMachineDefinition. AWS_DATA_PATH has it add them to its model; what
makes the requests, signs them and reads the answers is its own.
"""
import json
import sys
import time

import boto3

endpoint, example = sys.argv[1:3]
role = "arn:aws:iam::111122223333:role/r"
base = "arn:aws:states:us-east-1:111122223333"
sfn = boto3.client("stepfunctions", endpoint_url=endpoint)
# The hosts of StartSyncExecution and TestState begin with sync-.
sync = boto3.client("stepfunctions", endpoint_url=endpoint, config=boto3.session.Config(inject_host_prefix=False))
called = set()
for client in (sfn, sync):
    client.meta.events.register("after-call.sfn", lambda model, **_: called.add(model.name))


def same(got, want):
    assert got == want, f"{got!r}, want {want!r}"


def refused(exception, call, **arguments):
    """Calls what must be answered with exactly that exception, and gives the answer."""
    try:
        call(**arguments)
    except getattr(sfn.exceptions, exception) as e:
        same(e.response["Error"]["Code"], exception)
        return e.response
    raise AssertionError(f"{call.__name__} {arguments} is not refused")


def ended(arn):
    while (d := sfn.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(0.05)
    return d


# An order, approved by who has the token of its task; one that is stopped.
definition = open(f"{example}/order-approval.asl.json").read()
order = open(f"{example}/input.json").read()
created = sfn.create_state_machine(
    name="order-approval", definition=definition, roleArn=role, tags=[{"key": "team", "value": "sales"}]
)
machine = created["stateMachineArn"]
same(machine, f"{base}:stateMachine:order-approval")
assert abs(created["creationDate"].timestamp() - time.time()) < 600, created
execution = sfn.start_execution(stateMachineArn=machine, name="first", input=order)["executionArn"]
same(execution, f"{base}:execution:order-approval:first")
token = None
while token is None:
    events = sfn.get_execution_history(executionArn=execution, reverseOrder=True)["events"]
    if events[0]["type"] == "TaskSubmitted":
        scheduled = next(e for e in events if e["type"] == "TaskScheduled")
        token = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["Payload"]["token"]
    time.sleep(0.05)
sfn.send_task_success(taskToken=token, output='{"approved":true}')
described = ended(execution)
same(described["status"], "SUCCEEDED")
same([s["parcel"] for s in json.loads(described["output"])], ["P-001", "P-002", "P-003"])
pages = sfn.get_paginator("get_execution_history").paginate(executionArn=execution, maxResults=10)
ids = [e["id"] for page in pages for e in page["events"]]
assert len(ids) > 60 and ids == list(range(1, len(ids) + 1)), ids
same(sfn.describe_state_machine_for_execution(executionArn=execution)["definition"], definition)
stopped = sfn.start_execution(stateMachineArn=machine, name="stopped", input=order)["executionArn"]
sfn.stop_execution(executionArn=stopped, error="Changed", cause="mind")
described = sfn.describe_execution(executionArn=stopped)
same((described["status"], described["error"], described["cause"]), ("ABORTED", "Changed", "mind"))
assert described["stopDate"] >= described["startDate"], described
same([e["name"] for e in sfn.list_executions(stateMachineArn=machine)["executions"]], ["stopped", "first"])
described = sfn.describe_state_machine(stateMachineArn=machine)
same((described["definition"], described["status"], described["type"]), (definition, "ACTIVE", "STANDARD"))
refused("InvalidExecutionInput", sfn.start_execution, stateMachineArn=machine, input="not json")
refused("ExecutionAlreadyExists", sfn.start_execution, stateMachineArn=machine, name="first", input=order)

# Map Runs: the execution has none.
same(sfn.list_map_runs(executionArn=execution)["mapRuns"], [])
run = f"{base}:mapRun:order-approval/M:00000000-0000-4000-8000-000000000000"
same(refused("ResourceNotFound", sfn.describe_map_run, mapRunArn=run)["resourceName"], run)
same(refused("ResourceNotFound", sfn.update_map_run, mapRunArn=run, maxConcurrency=2)["resourceName"], run)

# An activity, whose worker fails, and does it when it is asked again.
activity = sfn.create_activity(name="work", tags=[{"key": "team", "value": "sales"}])["activityArn"]
same(activity, f"{base}:activity:work")
same([a["name"] for a in sfn.list_activities()["activities"]], ["work"])
same(sfn.describe_activity(activityArn=activity)["name"], "work")
sfn.tag_resource(resourceArn=activity, tags=[{"key": "site", "value": "Jena"}])
sfn.untag_resource(resourceArn=activity, tagKeys=["team"])
same(sfn.list_tags_for_resource(resourceArn=activity)["tags"], [{"key": "site", "value": "Jena"}])
work = {"StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": activity, "HeartbeatSeconds": 600, "End": True}}}
worked = sfn.create_state_machine(name="work", definition=json.dumps(work), roleArn=role)["stateMachineArn"]
execution = sfn.start_execution(stateMachineArn=worked, name="w", input='{"n": 1}')["executionArn"]
task = sfn.get_activity_task(activityArn=activity, workerName="boto3")
same(json.loads(task["input"]), {"n": 1})
for _ in range(3):  # the same bytes and, within a second, the same signature
    sfn.send_task_heartbeat(taskToken=task["taskToken"])
sfn.send_task_failure(taskToken=task["taskToken"], error="Broken", cause="a leg")
described = ended(execution)
same((described["status"], described["error"], described["redriveStatus"]), ("FAILED", "Broken", "REDRIVABLE"))
refused("TaskTimedOut", sfn.send_task_heartbeat, taskToken=task["taskToken"])
assert sfn.redrive_execution(executionArn=execution)["redriveDate"] >= described["stopDate"]
task = sfn.get_activity_task(activityArn=activity, workerName="boto3")
sfn.send_task_success(taskToken=task["taskToken"], output='"done"')
described = ended(execution)
same((described["status"], described["output"], described["redriveCount"]), ("SUCCEEDED", '"done"', 1))
refused("ExecutionNotRedrivable", sfn.redrive_execution, executionArn=execution)

# Versions and aliases.
first = sfn.publish_state_machine_version(stateMachineArn=worked, description="first")["stateMachineVersionArn"]
updated = sfn.update_state_machine(stateMachineArn=worked, roleArn=role + "2", publish=True, versionDescription="second")
second = updated["stateMachineVersionArn"]
same((first, second, len(updated["revisionId"])), (worked + ":1", worked + ":2", 36))
refused("ConflictException", sfn.publish_state_machine_version, stateMachineArn=worked, revisionId="INITIAL")
versions = sfn.list_state_machine_versions(stateMachineArn=worked)["stateMachineVersions"]
same([v["stateMachineVersionArn"] for v in versions], [second, first])
both = [{"stateMachineVersionArn": first, "weight": 90}, {"stateMachineVersionArn": second, "weight": 10}]
alias = sfn.create_state_machine_alias(name="live", routingConfiguration=both)["stateMachineAliasArn"]
same(alias, worked + ":live")
described = sfn.describe_state_machine_alias(stateMachineAliasArn=alias)
same((described["name"], described["routingConfiguration"]), ("live", both))
sfn.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=[{"stateMachineVersionArn": second, "weight": 100}])
aliases = sfn.list_state_machine_aliases(stateMachineArn=worked)["stateMachineAliases"]
same([a["stateMachineAliasArn"] for a in aliases], [alias])
execution = sfn.start_execution(stateMachineArn=alias)["executionArn"]
described = sfn.describe_execution(executionArn=execution)
same((described["stateMachineAliasArn"], described["stateMachineVersionArn"]), (alias, second))
sfn.stop_execution(executionArn=execution)
refused("ConflictException", sfn.delete_state_machine_version, stateMachineVersionArn=second)
sfn.delete_state_machine_alias(stateMachineAliasArn=alias)
sfn.delete_state_machine_version(stateMachineVersionArn=second)
refused("ResourceNotFound", sfn.describe_state_machine_alias, stateMachineAliasArn=alias)
same(len(sfn.list_state_machine_versions(stateMachineArn=worked)["stateMachineVersions"]), 1)

# What answers at once.
express = sfn.create_state_machine(
    name="express", type="EXPRESS", roleArn=role, definition='{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}'
)["stateMachineArn"]
result = sync.start_sync_execution(stateMachineArn=express, name="s", input='{"a":1}')
same((result["status"], result["output"], result["billingDetails"]["billedMemoryUsedInMB"]), ("SUCCEEDED", '{"a":1}', 64))
state = '{"Type":"Pass","Parameters":{"b.$":"$.a"},"Next":"B"}'
tested = sync.test_state(definition=state, roleArn=role, input='{"a":1}', inspectionLevel="DEBUG")
same((tested["status"], tested["output"], tested["nextState"]), ("SUCCEEDED", '{"b":1}', "B"))
same(json.loads(tested["inspectionData"]["afterParameters"]), {"b": 1})
state = '{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true}'
tested = sync.test_state(definition=state, mock={"errorOutput": {"error": "Broken", "cause": "a leg"}})
same((tested["status"], tested["error"], tested["cause"]), ("FAILED", "Broken", "a leg"))
wrong = '{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}'
report = sfn.validate_state_machine_definition(definition=wrong)
same((report["result"], report["diagnostics"][0]["code"]), ("FAIL", "MISSING_TRANSITION_TARGET"))
same(sfn.validate_state_machine_definition(definition=definition)["result"], "OK")

# All is deleted.
names = [m["name"] for page in sfn.get_paginator("list_state_machines").paginate(maxResults=2) for m in page["stateMachines"]]
same(sorted(names), ["express", "order-approval", "work"])
for arn in (machine, worked, express):
    sfn.delete_state_machine(stateMachineArn=arn)
while sfn.list_state_machines()["stateMachines"]:
    time.sleep(0.05)
refused("StateMachineDoesNotExist", sfn.describe_state_machine, stateMachineArn=machine)
sfn.delete_activity(activityArn=activity)
refused("ActivityDoesNotExist", sfn.describe_activity, activityArn=activity)
print("called:", *sorted(called))
