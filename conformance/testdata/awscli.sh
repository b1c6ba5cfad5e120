#!/usr/bin/env bash
# Creates, starts, follows, stops and reads back the order workflow with the AWS CLI.
set -euo pipefail
endpoint=$1 example=$2
sfn() { aws stepfunctions "$@" --endpoint-url "$endpoint" --output text; }
machine=$(sfn create-state-machine --name order-approval --role-arn arn:aws:iam::000000000000:role/r \
  --definition "file://$example/order-approval.asl.json" --query stateMachineArn)
execution=$(sfn start-execution --state-machine-arn "$machine" --input "file://$example/input.json" --query executionArn)
until [ "$(sfn get-execution-history --execution-arn "$execution" --reverse-order --max-items 1 --query 'events[0].type' | head -1)" = TaskSubmitted ]; do sleep 0.2; done
token=$(sfn get-execution-history --execution-arn "$execution" --reverse-order \
  --query 'events[?type==`TaskScheduled`]|[0].taskScheduledEventDetails.parameters' |
  python3 -c 'import json,sys; print(json.load(sys.stdin)["Payload"]["token"])')
sfn send-task-success --task-token "$token" --task-output '{"approved":true}'
until [ "$(sfn describe-execution --execution-arn "$execution" --query status)" != RUNNING ]; do sleep 0.2; done
[ "$(sfn describe-execution --execution-arn "$execution" --query status)" = SUCCEEDED ]
stopped=$(sfn start-execution --state-machine-arn "$machine" --input "file://$example/input.json" --query executionArn)
sfn stop-execution --execution-arn "$stopped" --error Changed --cause mind >/dev/null
[ "$(sfn describe-execution --execution-arn "$stopped" --query status)" = ABORTED ]
[ "$(sfn list-executions --state-machine-arn "$machine" --query 'length(executions)')" = 2 ]
sfn delete-state-machine --state-machine-arn "$machine"
echo all well
