#!/usr/bin/env bash
# A release with Kustomize: release.sh OVERLAY NAMESPACE SECONDS DEPLOYMENT...
# What an administrator of the cluster sets up once (the namespace, its limits, who may do what, who may talk to whom) is
# left alone: a pipeline gives no rights. Migrations end before the first new pod starts; what does not become ready within
# SECONDS is taken back.
set -euo pipefail

overlay=$1 namespace=$2 seconds=$3
shift 3

k() { kubectl --namespace "$namespace" "$@"; }

release=$(mktemp)
trap 'rm -f "$release"' EXIT
# As JSON, for jq; the patch changes nothing and asks no cluster.
kubectl kustomize "$overlay" | kubectl patch --local --type merge --patch '{}' --filename - --output json >"$release"
# The files name no account: the one that this job is signed in to is filled in.
if grep --quiet 000000000000 "$release"; then
  account=$(aws sts get-caller-identity --query Account --output text)
  sed -i "s/000000000000/$account/g" "$release"
fi

# Where an object belongs: what is set up, what migrates, what is released; what is left serves those.
names=$(IFS='|' && echo "$*")
setup='(.kind | test("^(Namespace|LimitRange|ResourceQuota|NetworkPolicy|(Cluster)?Role(Binding)?)$"))'
migrates='(.kind == "Job")'
released="(.kind == \"Deployment\" and (.metadata.name | test(\"^($names)$\")))"

apply() {
  local objects
  objects=$(jq "select($1)" "$release")
  if [[ -n $objects ]]; then
    k apply --filename - <<<"$objects"
  fi
}

named() { jq --raw-output "select($1) | .metadata.name" "$release"; }

apply "($setup or $migrates or $released) | not"
for helper in $(named ".kind == \"Deployment\" and ($released | not)"); do
  k rollout status "deployment/$helper" --timeout="${seconds}s"
done

# Whether a Job has done its work; one that has failed is not waited for.
complete() {
  local end=$((SECONDS + seconds)) state
  while ((SECONDS < end)); do
    state=$(k get job "$1" --output jsonpath='{.status.conditions[?(@.status=="True")].type}')
    case $state in
      *Complete*) return 0 ;;
      *Failed*) return 1 ;;
    esac
    sleep 2
  done
  return 1
}

# A Job cannot be changed: the one of the last release makes room.
jobs=$(named "$migrates")
for job in $jobs; do
  k delete job "$job" --ignore-not-found
done
apply "$migrates"
for job in $jobs; do
  if ! complete "$job"; then
    k logs "job/$job" --tail=50 >&2 || true
    echo "the release stops here: $job has failed or took too long, and what runs is as it was" >&2
    exit 1
  fi
done

if (($# == 0)); then
  # Everything runs by a schedule.
  exit 0
fi
deployments=("${@/#/deployment/}")
apply "$released"
k annotate "${deployments[@]}" --overwrite kubernetes.io/change-cause="$REVISION by $ACTOR"
for deployment in "${deployments[@]}"; do
  if ! k rollout status "$deployment" --timeout="${seconds}s"; then
    # Every release changes every image, so each of them has one revision to go back to; a first release has none.
    k rollout undo "${deployments[@]}" || true
    exit 1
  fi
done
