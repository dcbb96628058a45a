#!/bin/sh
# Made by wharf from wharf.yaml (items, environment staging). Change that file and render again.
#
# deploy.sh setup   the namespace, its quota, roles and network policies, what watches the cluster: once, by whoever
#                   administers the cluster
# deploy.sh         a release: everything else in order; what does not become ready is taken back
# TAG=… deploy.sh   the same with this tag of the project's images, instead of the one in the files
set -eu
cd "$(dirname "$0")"
namespace=items-staging

edits=
if [ -n "${TAG:-}" ]; then
    edits="$edits;s|\(image: items/api\):.*|\1:$TAG|"
fi

apply() {
    for file in "$@"; do
        [ -e "$file" ] || continue
        sed "$edits" "$file" | kubectl apply --filename -
    done
}

if [ "${1:-}" = setup ]; then
    apply 00-*.yaml 10-*.yaml
    apply monitoring/*.yaml
    exit
fi

apply 20-*.yaml
apply 30-*.yaml

revision() {
    kubectl --namespace "$namespace" get deployment "$1" --ignore-not-found \
        --output 'jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}'
}
before_api=$(revision api)

apply 50-*.yaml
apply 60-*.yaml

failed=
ready() {
    kubectl --namespace "$namespace" rollout status "deployment/$1" --timeout=600s || failed="$failed $1"
}
ready api

# What this release has changed goes back to the revision before it.
undo() {
    if [ -n "$2" ] && [ "$(revision "$1")" != "$2" ]; then
        kubectl --namespace "$namespace" rollout undo "deployment/$1" --to-revision="$2" || true
    fi
}
if [ -n "$failed" ]; then
    echo "not ready:$failed; the release is taken back" >&2
    undo api "$before_api"
    exit 1
fi
