"""Makes a golden data directory: what a server of some format leaves behind.

    python3 make.py STEPPE NAME

runs the server STEPPE with a new data directory, has it do a bit of everything,
kills it, and writes NAME.tar.gz: the directory `data`, and `expected.json`, which
says what must be found in it. It needs boto3. golden_test.go opens the result
with the server as it is now. Make one with the last server of a format before the
format changes; never make one again that is there.
"""

import base64
import http.server
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

import boto3
from botocore.config import Config

PORT, LAMBDA = 18371, 18372
KEY = base64.b64encode(bytes(range(32))).decode()
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"

tokens = []  # of tasks that wait for a callback
slow = threading.Event()


class Lambda(http.server.BaseHTTPRequestHandler):
    """Answers Invoke: slow never, token by keeping the token, others by their input."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = self.path.split("/")[3].split(":")[-1]
        if name == "slow":
            slow.set()
            threading.Event().wait()
        if name == "token":
            tokens.append(json.loads(body)["token"])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def until(what, test):
    for _ in range(400):
        if test():
            return
        time.sleep(0.05)
    sys.exit(f"{what} did not come to pass")


def machine(start, **states):
    return json.dumps({"StartAt": start, "States": states})


def definitions(activity, nobody=""):
    succeed = {"Type": "Succeed"}
    return {
        "pass": machine("A", A={"Type": "Pass", "Result": {"a": [1, 2.5, "ü"]}, "Next": "B"}, B={"Type": "Choice", "Choices": [{"Variable": "$.a[0]", "NumericEquals": 1, "Next": "C"}], "Default": "C"}, C=succeed),
        "query": json.dumps({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "Assign": {"n": "{% $states.input.n * 2 %}"}, "Next": "B"}, "B": {"Type": "Succeed", "Output": "{% {'n': $n} %}"}}}),
        "map": machine("M", M={"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": {"StartAt": "F", "States": {"F": {"Type": "Task", "Resource": FUNCTION + "echo", "End": True}}}, "End": True}),
        "parallel": machine("P", P={"Type": "Parallel", "Branches": [{"StartAt": "X", "States": {"X": {"Type": "Pass", "End": True}}}, {"StartAt": "Y", "States": {"Y": {"Type": "Wait", "Seconds": 1, "End": True}}}], "End": True}),
        "fail": machine("F", F={"Type": "Fail", "Error": "Wrong", "Cause": "it is"}),
        "maybe": machine("C", C={"Type": "Choice", "Choices": [{"Variable": "$.fail", "BooleanEquals": True, "Next": "F"}], "Default": "S"}, F={"Type": "Fail", "Error": "Asked", "Cause": "for"}, S=succeed),
        "timeout": json.dumps({"TimeoutSeconds": 1, "StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}),
        "wait": machine("W", W={"Type": "Wait", "SecondsPath": "$.seconds", "Next": "D"}, D={"Type": "Pass", "Result": "awake", "End": True}),
        "held": machine("T", T={"Type": "Task", "Resource": nobody, "End": True}),
        "activity": machine("T", T={"Type": "Task", "Resource": activity, "End": True}),
        "token": machine("T", T={"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": {"FunctionName": FUNCTION + "token", "Payload": {"token.$": "$$.Task.Token"}}, "End": True}),
        "slow": machine("T", T={"Type": "Task", "Resource": FUNCTION + "slow", "End": True}),
        "retried": machine("T", T={"Type": "Task", "Resource": activity, "Retry": [{"ErrorEquals": ["Again"], "IntervalSeconds": 30, "MaxAttempts": 3}], "End": True}),
    }


def work(sfn):
    """Does a bit of everything and returns what must be found of it."""
    activity = sfn.create_activity(name="desk", tags=[{"key": "place", "value": "desk"}])["activityArn"]
    nobody = sfn.create_activity(name="nobody")["activityArn"]
    arns = {}
    for name, text in definitions(activity, nobody).items():
        arns[name] = sfn.create_state_machine(name=name, definition=text, roleArn="arn:aws:iam::123456789012:role/golden", tags=[{"key": "kind", "value": name}])["stateMachineArn"]
    arns["secret"] = sfn.create_state_machine(
        name="secret", definition=definitions(activity)["wait"], roleArn="arn:aws:iam::123456789012:role/golden",
        encryptionConfiguration={"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/golden"})["stateMachineArn"]
    arns["express"] = sfn.create_state_machine(name="express", type="EXPRESS", definition=definitions(activity)["query"], roleArn="arn:aws:iam::123456789012:role/golden")["stateMachineArn"]
    version = sfn.publish_state_machine_version(stateMachineArn=arns["query"], description="first")["stateMachineVersionArn"]
    sfn.update_state_machine(stateMachineArn=arns["query"], definition=definitions(activity)["query"].replace("* 2", "* 3"))
    second = sfn.publish_state_machine_version(stateMachineArn=arns["query"])["stateMachineVersionArn"]
    alias = sfn.create_state_machine_alias(name="live", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}])["stateMachineAliasArn"]

    started = {}

    def start(machine, name, value, arn=None):
        started[name] = sfn.start_execution(stateMachineArn=arn or arns[machine], name=name, input=json.dumps(value))["executionArn"]
        return started[name]

    def status(name):
        return sfn.describe_execution(executionArn=started[name])["status"]

    for i in range(6):
        start("pass", f"pass-{i}", {"i": i})
        start("query", f"query-{i}", {"n": i}, [arns["query"], version, second, alias][i % 4])
    for i in range(3):
        start("map", f"map-{i}", {"items": list(range(5 * i))})
        start("fail", f"fail-{i}", {})
        start("parallel", f"parallel-{i}", {"i": i})
        start("held", f"held-{i}", {"i": i})
        start("secret", f"secret-{i}", {"seconds": [0, 1, 20][i], "word": "hidden"})
    for i in range(2):
        start("timeout", f"timeout-{i}", {})
        start("activity", f"activity-{i}", {"job": i})
        start("token", f"token-{i}", {})
        start("wait", f"wait-{i}", {"seconds": 20})
        start("slow", f"slow-{i}", {"i": i})
    start("held", "stopped", {})
    sfn.stop_execution(executionArn=started["stopped"], error="Stopped", cause="by hand")
    start("maybe", "redriven", {"fail": True})
    until("a failure", lambda: status("redriven") == "FAILED")
    sfn.redrive_execution(executionArn=started["redriven"])
    start("retried", "retried", {"n": 1})
    until("the end of what ends", lambda: all(status(n) != "RUNNING" for n in started if n.split("-")[0] in ("pass", "query", "map", "fail", "parallel", "timeout", "redriven", "stopped")))
    until("secrets", lambda: status("secret-1") == "SUCCEEDED")
    until("tokens", lambda: len(tokens) == 2)
    slow.wait(20)
    # A task that a worker failed, and that is to be tried again.
    while True:
        task = sfn.get_activity_task(activityArn=activity, workerName="clerk")
        if json.loads(task["input"]).get("n") == 1:
            sfn.send_task_failure(taskToken=task["taskToken"], error="Again", cause="busy")
            break
        tokens.append(task["taskToken"])  # taken, and not answered
    return arns, started


def facts(sfn, arns, started):
    executions = []
    for name, arn in started.items():
        d = sfn.describe_execution(executionArn=arn)
        h = sfn.get_execution_history(executionArn=arn, maxResults=1000)
        executions.append({
            "name": name, "arn": arn, "status": d["status"], "input": d.get("input"), "output": d.get("output"), "error": d.get("error"), "cause": d.get("cause"),
            "machine": d["stateMachineArn"], "version": d.get("stateMachineVersionArn"), "alias": d.get("stateMachineAliasArn"),
            "redrives": d.get("redriveCount", 0), "events": [e["type"] for e in h["events"]]})
    machines = []
    for name, arn in arns.items():
        d = sfn.describe_state_machine(stateMachineArn=arn)
        versions = sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
        aliases = sfn.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"]
        machines.append({
            "name": name, "arn": arn, "type": d["type"], "definition": d["definition"], "tags": {t["key"]: t["value"] for t in sfn.list_tags_for_resource(resourceArn=arn)["tags"]},
            "versions": [v["stateMachineVersionArn"] for v in versions], "aliases": [a["stateMachineAliasArn"] for a in aliases]})
    return {"executions": executions, "machines": machines, "tokens": tokens, "activity": next(a["activityArn"] for a in sfn.list_activities()["activities"] if a["name"] == "desk")}


def main(steppe, name):
    threading.Thread(target=http.server.ThreadingHTTPServer(("127.0.0.1", LAMBDA), Lambda).serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as place:
        keys = os.path.join(place, "keys.yaml")
        with open(os.open(keys, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write(f"- {{id: alias/golden, key: {KEY}}}\n")
        data = os.path.join(place, "data")
        server = subprocess.Popen([steppe, "serve", "--addr", f"127.0.0.1:{PORT}", "--data", data, "--encryption-keys", keys,
                                   "--lambda-endpoint", f"http://127.0.0.1:{LAMBDA}", "--retention", "36500d"], cwd=place)
        try:
            sfn = boto3.client("stepfunctions", endpoint_url=f"http://127.0.0.1:{PORT}", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x",
                               config=Config(inject_host_prefix=False, read_timeout=70, retries={"max_attempts": 20}))
            arns, started = work(sfn)
            expected = facts(sfn, arns, started)
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait()
        with open(os.path.join(place, "expected.json"), "w") as f:
            json.dump(expected, f, indent=1, ensure_ascii=False)
        with tarfile.open(name + ".tar.gz", "w:gz") as t:
            for n in ("data", "expected.json"):
                t.add(os.path.join(place, n), n)
    print(f"{name}.tar.gz: {os.path.getsize(name + '.tar.gz')} bytes, {len(expected['executions'])} executions")
    os._exit(0)  # slow functions are still being called


main(*sys.argv[1:])
