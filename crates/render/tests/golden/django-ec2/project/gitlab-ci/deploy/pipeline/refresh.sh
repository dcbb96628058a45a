#!/usr/bin/env bash
# Replaces the machines of an auto-scaling group, a few at a time: refresh.sh GROUP PARAMETER REVISION.
# New machines start what PARAMETER (of Systems Manager) names; REVISION `previous` stands for the one before. A machine
# that does not become healthy stops the replacement, and the revision before is put back for machines started later.
set -euo pipefail

group=$1 parameter=$2 revision=$3

# Oldest first, one a line; nothing before the first release.
history=$(aws ssm get-parameter-history --name "$parameter" --query 'Parameters[].[Value]' --output text 2>/dev/null || true)
current=$(tail --lines 1 <<<"$history")
if [[ $revision == previous ]]; then
  # A release that was run twice is there twice.
  revision=$(grep --invert-match --line-regexp --fixed-strings "$current" <<<"$history" | tail --lines 1 || true)
fi
if [[ -z $revision ]]; then
  echo "nothing was released to $group before" >&2
  exit 1
fi

# The history of the parameter says who released what, and when.
aws ssm put-parameter --name "$parameter" --type String --overwrite --value "$revision" --query Version --output text

put_back() {
  if [[ -n $current ]]; then
    aws ssm put-parameter --name "$parameter" --type String --overwrite --value "$current" --query Version --output text
  fi
}

id=$(aws autoscaling start-instance-refresh --auto-scaling-group-name "$group" \
  --preferences '{"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150, "SkipMatching": false}' \
  --query InstanceRefreshId --output text)

while true; do
  read -r state percent < <(aws autoscaling describe-instance-refreshes --auto-scaling-group-name "$group" \
    --instance-refresh-ids "$id" --query 'InstanceRefreshes[0].[Status, PercentageComplete]' --output text)
  echo "$state, ${percent}% replaced"
  case $state in
    Successful) exit 0 ;;
    Failed | Cancelled | RollbackFailed | RollbackSuccessful)
      aws autoscaling describe-instance-refreshes --auto-scaling-group-name "$group" --instance-refresh-ids "$id" \
        --query 'InstanceRefreshes[0].StatusReason' --output text >&2
      put_back
      exit 1
      ;;
  esac
  sleep 20
done
