#!/usr/bin/env bash
# One replica of the new release beside the stable ones, watched under real traffic: canary.sh NAMESPACE DEPLOYMENT IMAGE.
# The replica is a Deployment of its own with the labels of the stable one, so the Service sends it its share. Whatever
# happens it is taken away in the end. Exit status 0: the release may go on; anything else: it may not.
set -euo pipefail

namespace=$1 deployment=$2 image=$3
canary="$deployment-canary"
watch_seconds=${WATCH_SECONDS:-300}
max_error_ratio=${MAX_ERROR_RATIO:-0.05}
max_p95_seconds=${MAX_P95_SECONDS:-0.5}
# Below this many requests a ratio says nothing; then only readiness and restarts count.
min_requests=${MIN_REQUESTS:-50}
prometheus=${PROMETHEUS:-http://127.0.0.1:19090}

k() { kubectl --namespace "$namespace" "$@"; }

if [[ -z $(k get deployment "$deployment" --ignore-not-found --output name) ]]; then
  echo "this is the first release of $deployment: nobody is spared by a canary"
  exit 0
fi

forward=
take_away() {
  k delete deployment "$canary" --ignore-not-found --wait=false
  if [[ -n $forward ]]; then kill "$forward" || true; fi
}
trap take_away EXIT
# Network policies let nobody else in; this way comes from the pod itself.
if [[ -z ${PROMETHEUS:-} ]]; then
  kubectl --namespace monitoring port-forward service/prometheus 19090:9090 >/dev/null &
  forward=$!
fi

# One number that PromQL gives; nothing where there is none, or nobody to ask: what is left then are readiness and restarts.
ask() {
  curl --fail --silent --show-error --max-time 20 --get --data-urlencode "query=$1" "$prometheus/api/v1/query" \
    | jq --raw-output '.data.result[0].value[1] // empty' || true
}

# mawk and gawk alike.
above() { awk -v value="$1" -v limit="$2" 'BEGIN { exit !(value > limit) }'; }

k get deployment "$deployment" --output json \
  | jq --arg name "$canary" --arg image "$image" '
      del(.status, .metadata.uid, .metadata.resourceVersion, .metadata.generation, .metadata.creationTimestamp,
          .metadata.annotations, .metadata.managedFields, .metadata.ownerReferences)
      | .metadata.name = $name
      | .spec.replicas = 1
      | .spec.selector.matchLabels.track = "canary"
      | .spec.template.metadata.labels.track = "canary"
      | .spec.template.spec.containers[0].image = $image' \
  | k apply --filename -
k rollout status "deployment/$canary" --timeout=300s

selector="namespace=\"$namespace\",pod=~\"$canary-.+\""
until_second=$((SECONDS + watch_seconds))
while ((SECONDS < until_second)); do
  sleep 15
  restarts=$(k get pods --selector track=canary --output json \
    | jq --arg prefix "$canary-" '[.items[] | select(.metadata.name | startswith($prefix))
        | .status.containerStatuses[]?.restartCount] | add // 0')
  if ((restarts > 0)); then
    echo "the canary of $deployment was restarted $restarts times" >&2
    exit 1
  fi
  requests=$(ask "sum(increase(http_requests_total{$selector}[5m]))")
  if [[ -z $requests ]] || ! above "$requests" "$min_requests"; then
    echo "too few requests to judge by: ${requests:-none}"
    continue
  fi
  errors=$(ask "(sum(increase(http_requests_total{$selector,status=~\"5..\"}[5m])) or vector(0)) / sum(increase(http_requests_total{$selector}[5m]))")
  p95=$(ask "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{$selector}[5m])))")
  echo "requests $requests, error ratio ${errors:-unknown}, p95 ${p95:-unknown} s"
  if [[ -n $errors ]] && above "$errors" "$max_error_ratio"; then
    echo "the canary of $deployment fails $errors of its requests, more than $max_error_ratio" >&2
    exit 1
  fi
  if [[ -n $p95 && $p95 != NaN ]] && above "$p95" "$max_p95_seconds"; then
    echo "the canary of $deployment answers within $p95 s (p95), slower than $max_p95_seconds s" >&2
    exit 1
  fi
done
echo "the canary of $deployment did well for $watch_seconds s"
