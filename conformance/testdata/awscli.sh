#!/usr/bin/env bash
# Calls all operations with the AWS CLI and checks its answers.
#
# Debian's CLI knows no versions, aliases, redrives, TestState and
# ValidateStateMachineDefinition. AWS_DATA_PATH has it add them to its model, and
# so it has commands for them. It cannot be told to leave out the sync- that the
# hosts of StartSyncExecution and TestState begin with: those commands go to a
# host of no meaning, by way of the server as their proxy.
set -euo pipefail
endpoint=$1 example=$2
role=arn:aws:iam::111122223333:role/r
base=arn:aws:states:us-east-1:111122223333
called=$(mktemp)
trap 'rm -f "$called"' EXIT

# sfn COMMAND ARGUMENT... calls an operation and writes down its name.
sfn() {
  aws stepfunctions "$@" --endpoint-url "${at:-$endpoint}" --output text || return
  sed -E 's/(^|-)(.)/\U\2/g' <<<"$1" >>"$called"
}

# hosted is sfn for what has a host of its own.
hosted() { at=http://states.test HTTP_PROXY=$endpoint http_proxy=$endpoint sfn "$@"; }

same() {
  if [ "$1" != "$2" ]; then
    printf '%s: line %d: %q, want %q\n' "$0" "${BASH_LINENO[0]}" "$1" "$2"
    exit 1
  fi
}

# refused EXCEPTION COMMAND ARGUMENT... calls what must be answered with it.
refused() {
  local exception=$1 out
  shift
  if out=$(sfn "$@" 2>&1) || [[ $out != *"An error occurred ($exception) when calling the "* ]]; then
    printf '%s: line %d: %s, want %s\n' "$0" "${BASH_LINENO[0]}" "$out" "$exception"
    exit 1
  fi
  sed -E 's/(^|-)(.)/\U\2/g' <<<"$1" >>"$called"
}

# ended EXECUTION waits for its end and gives its status.
ended() {
  local status=RUNNING
  while [ "$status" = RUNNING ]; do status=$(sfn describe-execution --execution-arn "$1" --query status); done
  echo "$status"
}

# An order, approved by who has the token of its task; one that is stopped.
machine=$(sfn create-state-machine --name order-approval --role-arn $role --tags key=team,value=sales \
  --definition "file://$example/order-approval.asl.json" --query stateMachineArn)
same "$machine" $base:stateMachine:order-approval
execution=$(sfn start-execution --state-machine-arn "$machine" --name first --input "file://$example/input.json" --query executionArn)
same "$execution" $base:execution:order-approval:first
until [ "$(sfn get-execution-history --execution-arn "$execution" --reverse-order --max-items 1 --query 'events[0].type' | head -1)" = TaskSubmitted ]; do :; done
token=$(sfn get-execution-history --execution-arn "$execution" --reverse-order \
  --query 'events[?type==`TaskScheduled`]|[0].taskScheduledEventDetails.parameters' |
  python3 -c 'import json,sys; print(json.load(sys.stdin)["Payload"]["token"])')
sfn send-task-success --task-token "$token" --task-output '{"approved":true}'
same "$(ended "$execution")" SUCCEEDED
same "$(sfn describe-execution --execution-arn "$execution" --query output | python3 -c 'import json,sys; print(*(s["parcel"] for s in json.load(sys.stdin)))')" "P-001 P-002 P-003"
same "$(sfn describe-state-machine-for-execution --execution-arn "$execution" --query definition)" "$(cat "$example/order-approval.asl.json")"
stopped=$(sfn start-execution --state-machine-arn "$machine" --name stopped --input "file://$example/input.json" --query executionArn)
sfn stop-execution --execution-arn "$stopped" --error Changed --cause mind >/dev/null
same "$(sfn describe-execution --execution-arn "$stopped" --query '[status,error,cause]')" $'ABORTED\tChanged\tmind'
same "$(sfn list-executions --state-machine-arn "$machine" --query 'executions[].name')" $'stopped\tfirst'
same "$(sfn describe-state-machine --state-machine-arn "$machine" --query '[name,status,type]')" $'order-approval\tACTIVE\tSTANDARD'
refused InvalidExecutionInput start-execution --state-machine-arn "$machine" --input 'not json'

# Map Runs: the execution has none.
same "$(sfn list-map-runs --execution-arn "$execution" --query 'length(mapRuns)')" 0
run=$base:mapRun:order-approval/M:00000000-0000-4000-8000-000000000000
refused ResourceNotFound describe-map-run --map-run-arn $run
refused ResourceNotFound update-map-run --map-run-arn $run --max-concurrency 2

# An activity, whose worker fails, and does it when it is asked again.
activity=$(sfn create-activity --name work --tags key=team,value=sales --query activityArn)
same "$activity" $base:activity:work
same "$(sfn list-activities --query 'activities[].name')" work
same "$(sfn describe-activity --activity-arn "$activity" --query name)" work
sfn tag-resource --resource-arn "$activity" --tags key=site,value=Jena
sfn untag-resource --resource-arn "$activity" --tag-keys team
same "$(sfn list-tags-for-resource --resource-arn "$activity" --query 'tags[].[key,value]')" $'site\tJena'
worked=$(sfn create-state-machine --name work --role-arn $role --query stateMachineArn \
  --definition '{"StartAt":"Work","States":{"Work":{"Type":"Task","Resource":"'"$activity"'","HeartbeatSeconds":600,"End":true}}}')
execution=$(sfn start-execution --state-machine-arn "$worked" --name w --input '{"n":1}' --query executionArn)
task=$(sfn get-activity-task --activity-arn "$activity" --worker-name awscli --query '[taskToken,input]')
token=${task%%$'\t'*}
same "$task" "$token"$'\t{"n":1}'
sfn send-task-heartbeat --task-token "$token"
sfn send-task-failure --task-token "$token" --error Broken --cause leg
same "$(ended "$execution")" FAILED
same "$(sfn describe-execution --execution-arn "$execution" --query '[error,cause,redriveStatus]')" $'Broken\tleg\tREDRIVABLE'
refused TaskTimedOut send-task-heartbeat --task-token "$token"
same "$(sfn redrive-execution --execution-arn "$execution" --query 'length(keys(@))')" 1
token=$(sfn get-activity-task --activity-arn "$activity" --query taskToken)
sfn send-task-success --task-token "$token" --task-output '"done"'
same "$(ended "$execution")" SUCCEEDED
same "$(sfn describe-execution --execution-arn "$execution" --query '[output,redriveCount]')" $'"done"\t1'
refused ExecutionNotRedrivable redrive-execution --execution-arn "$execution"

# Versions and aliases.
first=$(sfn publish-state-machine-version --state-machine-arn "$worked" --description first --query stateMachineVersionArn)
second=$(sfn update-state-machine --state-machine-arn "$worked" --role-arn ${role}2 --publish --version-description second --query stateMachineVersionArn)
same "$first $second" "$worked:1 $worked:2"
refused ConflictException publish-state-machine-version --state-machine-arn "$worked" --revision-id INITIAL
same "$(sfn list-state-machine-versions --state-machine-arn "$worked" --query 'stateMachineVersions[].stateMachineVersionArn')" "$second"$'\t'"$first"
alias=$(sfn create-state-machine-alias --name live --query stateMachineAliasArn --routing-configuration "stateMachineVersionArn=$first,weight=90" "stateMachineVersionArn=$second,weight=10")
same "$alias" "$worked:live"
same "$(sfn describe-state-machine-alias --state-machine-alias-arn "$alias" --query 'routingConfiguration[].weight')" $'90\t10'
sfn update-state-machine-alias --state-machine-alias-arn "$alias" --routing-configuration "stateMachineVersionArn=$second,weight=100" >/dev/null
same "$(sfn list-state-machine-aliases --state-machine-arn "$worked" --query 'stateMachineAliases[].stateMachineAliasArn')" "$alias"
execution=$(sfn start-execution --state-machine-arn "$alias" --query executionArn)
same "$(sfn describe-execution --execution-arn "$execution" --query '[stateMachineAliasArn,stateMachineVersionArn]')" "$alias"$'\t'"$second"
sfn stop-execution --execution-arn "$execution" >/dev/null
refused ConflictException delete-state-machine-version --state-machine-version-arn "$second"
sfn delete-state-machine-alias --state-machine-alias-arn "$alias"
sfn delete-state-machine-version --state-machine-version-arn "$second"
refused ResourceNotFound describe-state-machine-alias --state-machine-alias-arn "$alias"
same "$(sfn list-state-machine-versions --state-machine-arn "$worked" --query 'length(stateMachineVersions)')" 1

# What answers at once.
express=$(sfn create-state-machine --name express --type EXPRESS --role-arn $role --query stateMachineArn \
  --definition '{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}')
same "$(hosted start-sync-execution --state-machine-arn "$express" --name s --input '{"a":1}' --query '[status,output,billingDetails.billedMemoryUsedInMB]')" $'SUCCEEDED\t{"a":1}\t64'
same "$(hosted test-state --role-arn $role --input '{"a":1}' --inspection-level DEBUG --query '[status,output,nextState,inspectionData.input]' \
  --definition '{"Type":"Pass","Parameters":{"b.$":"$.a"},"Next":"B"}')" $'SUCCEEDED\t{"b":1}\tB\t{"a":1}'
same "$(hosted test-state --mock '{"errorOutput":{"error":"Broken","cause":"leg"}}' --query '[status,error,cause]' \
  --definition '{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true}')" $'FAILED\tBroken\tleg'
same "$(sfn validate-state-machine-definition --query '[result,diagnostics[0].code]' \
  --definition '{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}')" $'FAIL\tMISSING_TRANSITION_TARGET'

# All is deleted.
same "$(sfn list-state-machines --query 'sort(stateMachines[].name)')" $'express\torder-approval\twork'
for arn in "$machine" "$worked" "$express"; do sfn delete-state-machine --state-machine-arn "$arn"; done
until [ "$(sfn list-state-machines --query 'length(stateMachines)')" = 0 ]; do :; done
refused StateMachineDoesNotExist describe-state-machine --state-machine-arn "$machine"
sfn delete-activity --activity-arn "$activity"
refused ActivityDoesNotExist describe-activity --activity-arn "$activity"
echo called: $(sort -u "$called")
