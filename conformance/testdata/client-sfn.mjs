// Calls all operations with the AWS SDK for JavaScript and checks its answers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { SFN, SFNServiceException, paginateGetExecutionHistory, paginateListStateMachines } from "@aws-sdk/client-sfn";

const [endpoint, example] = process.argv.slice(2);
const role = "arn:aws:iam::111122223333:role/r";
const base = "arn:aws:states:us-east-1:111122223333";
const called = new Set();

// connect makes a client that writes down what has been answered.
function connect(options) {
  const client = new SFN({ endpoint, region: "us-east-1", ...options });
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const name = context.commandName.replace(/Command$/, "");
      try {
        const result = await next(args);
        called.add(name);
        return result;
      } catch (e) {
        if (e instanceof SFNServiceException) called.add(name);
        throw e;
      }
    },
    { step: "initialize", name: "called" },
  );
  return client;
}

const sfn = connect({});
// The hosts of StartSyncExecution and TestState begin with sync-.
const sync = connect({ disableHostPrefix: true });
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

// refused awaits exactly that exception, and gives it.
async function refused(exception, answer) {
  let caught;
  await assert.rejects(answer, (e) => ((caught = e), e instanceof SFNServiceException && e.name === exception), exception);
  return caught;
}

async function ended(executionArn) {
  for (;;) {
    const d = await sfn.describeExecution({ executionArn });
    if (d.status !== "RUNNING") return d;
    await pause();
  }
}

// An order, approved by who has the token of its task; one that is stopped.
const definition = readFileSync(`${example}/order-approval.asl.json`, "utf8");
const order = readFileSync(`${example}/input.json`, "utf8");
const created = await sfn.createStateMachine({ name: "order-approval", definition, roleArn: role, tags: [{ key: "team", value: "sales" }] });
const machine = created.stateMachineArn;
assert.equal(machine, `${base}:stateMachine:order-approval`);
assert(Math.abs(created.creationDate - Date.now()) < 600_000, String(created.creationDate));
let { executionArn } = await sfn.startExecution({ stateMachineArn: machine, name: "first", input: order });
assert.equal(executionArn, `${base}:execution:order-approval:first`);
let token;
while (!token) {
  const { events } = await sfn.getExecutionHistory({ executionArn, reverseOrder: true });
  if (events[0].type === "TaskSubmitted") {
    const scheduled = events.find((e) => e.type === "TaskScheduled");
    token = JSON.parse(scheduled.taskScheduledEventDetails.parameters).Payload.token;
  } else await pause();
}
await sfn.sendTaskSuccess({ taskToken: token, output: '{"approved":true}' });
let d = await ended(executionArn);
assert.equal(d.status, "SUCCEEDED");
assert.deepEqual(JSON.parse(d.output).map((s) => s.parcel), ["P-001", "P-002", "P-003"]);
const ids = [];
for await (const page of paginateGetExecutionHistory({ client: sfn, pageSize: 10 }, { executionArn })) ids.push(...page.events.map((e) => e.id));
assert(ids.length > 60 && ids.every((id, i) => id === i + 1), String(ids));
assert.equal((await sfn.describeStateMachineForExecution({ executionArn })).definition, definition);
const stopped = (await sfn.startExecution({ stateMachineArn: machine, name: "stopped", input: order })).executionArn;
await sfn.stopExecution({ executionArn: stopped, error: "Changed", cause: "mind" });
d = await sfn.describeExecution({ executionArn: stopped });
assert.deepEqual([d.status, d.error, d.cause], ["ABORTED", "Changed", "mind"]);
assert(d.stopDate instanceof Date && d.stopDate >= d.startDate);
assert.deepEqual((await sfn.listExecutions({ stateMachineArn: machine })).executions.map((e) => e.name), ["stopped", "first"]);
d = await sfn.describeStateMachine({ stateMachineArn: machine });
assert.deepEqual([d.definition, d.status, d.type], [definition, "ACTIVE", "STANDARD"]);
await refused("InvalidExecutionInput", sfn.startExecution({ stateMachineArn: machine, input: "not json" }));

// Map Runs: the execution has none.
assert.deepEqual((await sfn.listMapRuns({ executionArn })).mapRuns, []);
const mapRunArn = `${base}:mapRun:order-approval/M:00000000-0000-4000-8000-000000000000`;
assert.equal((await refused("ResourceNotFound", sfn.describeMapRun({ mapRunArn }))).resourceName, mapRunArn);
assert.equal((await refused("ResourceNotFound", sfn.updateMapRun({ mapRunArn, maxConcurrency: 2 }))).resourceName, mapRunArn);

// An activity, whose worker fails, and does it when it is asked again.
const { activityArn } = await sfn.createActivity({ name: "work", tags: [{ key: "team", value: "sales" }] });
assert.equal(activityArn, `${base}:activity:work`);
assert.deepEqual((await sfn.listActivities({})).activities.map((a) => a.name), ["work"]);
assert.equal((await sfn.describeActivity({ activityArn })).name, "work");
await sfn.tagResource({ resourceArn: activityArn, tags: [{ key: "site", value: "Jena" }] });
await sfn.untagResource({ resourceArn: activityArn, tagKeys: ["team"] });
assert.deepEqual((await sfn.listTagsForResource({ resourceArn: activityArn })).tags, [{ key: "site", value: "Jena" }]);
const work = { StartAt: "Work", States: { Work: { Type: "Task", Resource: activityArn, HeartbeatSeconds: 600, End: true } } };
const worked = (await sfn.createStateMachine({ name: "work", definition: JSON.stringify(work), roleArn: role })).stateMachineArn;
({ executionArn } = await sfn.startExecution({ stateMachineArn: worked, name: "w", input: '{"n":1}' }));
let task = await sfn.getActivityTask({ activityArn, workerName: "javascript" });
assert.equal(task.input, '{"n":1}');
await sfn.sendTaskHeartbeat({ taskToken: task.taskToken });
await sfn.sendTaskFailure({ taskToken: task.taskToken, error: "Broken", cause: "a leg" });
d = await ended(executionArn);
assert.deepEqual([d.status, d.error, d.cause, d.redriveStatus], ["FAILED", "Broken", "a leg", "REDRIVABLE"]);
await refused("TaskTimedOut", sfn.sendTaskHeartbeat({ taskToken: task.taskToken }));
assert((await sfn.redriveExecution({ executionArn })).redriveDate >= d.stopDate);
task = await sfn.getActivityTask({ activityArn });
await sfn.sendTaskSuccess({ taskToken: task.taskToken, output: '"done"' });
d = await ended(executionArn);
assert.deepEqual([d.status, d.output, d.redriveCount], ["SUCCEEDED", '"done"', 1]);
await refused("ExecutionNotRedrivable", sfn.redriveExecution({ executionArn }));

// Versions and aliases.
const first = (await sfn.publishStateMachineVersion({ stateMachineArn: worked, description: "first" })).stateMachineVersionArn;
const updated = await sfn.updateStateMachine({ stateMachineArn: worked, roleArn: role + "2", publish: true, versionDescription: "second" });
const second = updated.stateMachineVersionArn;
assert.deepEqual([first, second, updated.revisionId.length], [worked + ":1", worked + ":2", 36]);
await refused("ConflictException", sfn.publishStateMachineVersion({ stateMachineArn: worked, revisionId: "INITIAL" }));
const { stateMachineVersions } = await sfn.listStateMachineVersions({ stateMachineArn: worked });
assert.deepEqual(stateMachineVersions.map((v) => v.stateMachineVersionArn), [second, first]);
const both = [{ stateMachineVersionArn: first, weight: 90 }, { stateMachineVersionArn: second, weight: 10 }];
const { stateMachineAliasArn } = await sfn.createStateMachineAlias({ name: "live", routingConfiguration: both });
assert.equal(stateMachineAliasArn, worked + ":live");
d = await sfn.describeStateMachineAlias({ stateMachineAliasArn });
assert.deepEqual([d.name, d.routingConfiguration], ["live", both]);
await sfn.updateStateMachineAlias({ stateMachineAliasArn, routingConfiguration: [{ stateMachineVersionArn: second, weight: 100 }] });
const { stateMachineAliases } = await sfn.listStateMachineAliases({ stateMachineArn: worked });
assert.deepEqual(stateMachineAliases.map((a) => a.stateMachineAliasArn), [stateMachineAliasArn]);
({ executionArn } = await sfn.startExecution({ stateMachineArn: stateMachineAliasArn }));
d = await sfn.describeExecution({ executionArn });
assert.deepEqual([d.stateMachineAliasArn, d.stateMachineVersionArn], [stateMachineAliasArn, second]);
await sfn.stopExecution({ executionArn });
await refused("ConflictException", sfn.deleteStateMachineVersion({ stateMachineVersionArn: second }));
await sfn.deleteStateMachineAlias({ stateMachineAliasArn });
await sfn.deleteStateMachineVersion({ stateMachineVersionArn: second });
await refused("ResourceNotFound", sfn.describeStateMachineAlias({ stateMachineAliasArn }));
assert.equal((await sfn.listStateMachineVersions({ stateMachineArn: worked })).stateMachineVersions.length, 1);

// What answers at once.
const pass = '{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}';
const express = (await sfn.createStateMachine({ name: "express", type: "EXPRESS", roleArn: role, definition: pass })).stateMachineArn;
const result = await sync.startSyncExecution({ stateMachineArn: express, name: "s", input: '{"a":1}' });
assert.deepEqual([result.status, result.output, result.billingDetails.billedMemoryUsedInMB], ["SUCCEEDED", '{"a":1}', 64]);
let state = '{"Type":"Pass","Parameters":{"b.$":"$.a"},"Next":"B"}';
let tested = await sync.testState({ definition: state, roleArn: role, input: '{"a":1}', inspectionLevel: "DEBUG" });
assert.deepEqual([tested.status, tested.output, tested.nextState], ["SUCCEEDED", '{"b":1}', "B"]);
assert.deepEqual(JSON.parse(tested.inspectionData.afterParameters), { b: 1 });
state = '{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true}';
tested = await sync.testState({ definition: state, mock: { errorOutput: { error: "Broken", cause: "a leg" } } });
assert.deepEqual([tested.status, tested.error, tested.cause], ["FAILED", "Broken", "a leg"]);
const report = await sfn.validateStateMachineDefinition({ definition: '{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}' });
assert.deepEqual([report.result, report.diagnostics[0].code], ["FAIL", "MISSING_TRANSITION_TARGET"]);
assert.equal((await sfn.validateStateMachineDefinition({ definition })).result, "OK");

// All is deleted.
const names = [];
for await (const page of paginateListStateMachines({ client: sfn, pageSize: 2 }, {})) names.push(...page.stateMachines.map((m) => m.name));
assert.deepEqual(names.sort(), ["express", "order-approval", "work"]);
for (const stateMachineArn of [machine, worked, express]) await sfn.deleteStateMachine({ stateMachineArn });
while ((await sfn.listStateMachines({})).stateMachines.length) await pause();
await refused("StateMachineDoesNotExist", sfn.describeStateMachine({ stateMachineArn: machine }));
await sfn.deleteActivity({ activityArn });
await refused("ActivityDoesNotExist", sfn.describeActivity({ activityArn }));
console.log("called:", ...[...called].sort());
