#!/bin/sh
# Made by wharf from wharf.yaml (django-app, environment staging). Change that file and render again.
#
# deploy.sh setup   the namespace, its quota, roles and network policies: once, by whoever
#                   administers the cluster
# deploy.sh         a release: everything else in order; what does not become ready is taken back
# TAG=… deploy.sh   the same with this tag of the project's images, instead of the one in the files
set -eu
cd "$(dirname "$0")"
namespace=django-app-staging
# The files name no account: the one that this shell is signed in to is filled in.
account=${AWS_ACCOUNT_ID:-$(aws sts get-caller-identity --query Account --output text)}

edits=
if [ -n "${TAG:-}" ]; then
    edits="$edits;s|\(image: 000000000000.dkr.ecr.us-east-1.amazonaws.com/django-app\):.*|\1:$TAG|"
fi
edits="$edits;s/000000000000/$account/g"

apply() {
    for file in "$@"; do
        [ -e "$file" ] || continue
        sed "$edits" "$file" | kubectl apply --filename -
    done
}

if [ "${1:-}" = setup ]; then
    apply 00-*.yaml 10-*.yaml
    exit
fi

apply 20-*.yaml
apply 30-*.yaml
kubectl --namespace "$namespace" rollout status deployment/cache-exporter --timeout=10m
kubectl --namespace "$namespace" rollout status deployment/db-exporter --timeout=10m
kubectl --namespace "$namespace" rollout status deployment/db-pool --timeout=10m

# A Job cannot be changed: the one of the last release makes room. No new pod starts before it is done.
kubectl --namespace "$namespace" delete job web-release --ignore-not-found
apply 40-*.yaml

# finished JOB SECONDS: whether it is done in time; one that has failed is not waited for.
finished() {
    end=$(($(date +%s) + $2))
    while [ "$(date +%s)" -lt "$end" ]; do
        state=$(kubectl --namespace "$namespace" get job "$1" \
            --output 'jsonpath={.status.conditions[?(@.status=="True")].type}')
        case $state in
            *Complete*) return 0 ;;
            *Failed*) return 1 ;;
        esac
        sleep 2
    done
    return 1
}
if ! finished web-release 600; then
    kubectl --namespace "$namespace" logs job/web-release --tail=50 >&2
    echo "the release stops here: web-release has failed, and what runs is as it was" >&2
    exit 1
fi

revision() {
    kubectl --namespace "$namespace" get deployment "$1" --ignore-not-found \
        --output 'jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}'
}
before_beat=$(revision beat)
before_web=$(revision web)
before_worker=$(revision worker)

apply 50-*.yaml
apply 60-*.yaml

failed=
ready() {
    kubectl --namespace "$namespace" rollout status "deployment/$1" --timeout=600s || failed="$failed $1"
}
ready beat
ready web
ready worker

# What this release has changed goes back to the revision before it.
undo() {
    if [ -n "$2" ] && [ "$(revision "$1")" != "$2" ]; then
        kubectl --namespace "$namespace" rollout undo "deployment/$1" --to-revision="$2" || true
    fi
}
if [ -n "$failed" ]; then
    echo "not ready:$failed; the release is taken back" >&2
    undo beat "$before_beat"
    undo web "$before_web"
    undo worker "$before_worker"
    exit 1
fi
