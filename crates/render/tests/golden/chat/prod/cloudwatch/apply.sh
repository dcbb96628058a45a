#!/bin/sh
# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.
#
# Puts the alarms and the dashboard, and the topic that the alarms go to. May be run again.
set -eu
cd "$(dirname "$0")"
export AWS_DEFAULT_REGION="us-east-1"

topic=$(aws sns create-topic --name chat-app-prod-alarms --query TopicArn --output text)

group=none
balancer=none
target_group=none

for alarm in alarms/*.json; do
  # The places that AWS has names for only now. None of the values has a vertical bar.
  filled=$(sed -e "s|\${TOPIC}|$topic|g" -e "s|\${GROUP}|$group|g" \
    -e "s|\${LOAD_BALANCER}|$balancer|g" -e "s|\${TARGET_GROUP}|$target_group|g" "$alarm")
  aws cloudwatch put-metric-alarm --cli-input-json "$filled"
done

aws cloudwatch put-dashboard --dashboard-name chat-app-prod --dashboard-body file://dashboard.json
