#!/bin/sh
# << header >>
#
# deploy.sh setup   the namespace, its quota, roles and network policies<% if monitoring %>, what watches the cluster<% endif %>: once, by whoever
#                   administers the cluster
# deploy.sh         a release: everything else in order; what does not become ready is taken back
<% if images %>
# TAG=… deploy.sh   the same with this tag of the project's images, instead of the one in the files
<% endif %>
set -eu
cd "$(dirname "$0")"
namespace=<< namespace >>
<% if account %>
# The files name no account: the one that this shell is signed in to is filled in.
account=${AWS_ACCOUNT_ID:-$(aws sts get-caller-identity --query Account --output text)}
<% endif %>

<% if images or account %>
edits=
<% if images %>
if [ -n "${TAG:-}" ]; then
<% for image in images %>
    edits="$edits;s|\(image: << image >>\):.*|\1:$TAG|"
<% endfor %>
fi
<% endif %>
<% if account %>
edits="$edits;s/<< placeholder >>/$account/g"
<% endif %>
<% endif %>

apply() {
    for file in "$@"; do
        [ -e "$file" ] || continue
<% if images or account %>
        sed "$edits" "$file" | kubectl apply --filename -
<% else %>
        kubectl apply --filename "$file"
<% endif %>
    done
}

if [ "${1:-}" = setup ]; then
    apply 00-*.yaml 10-*.yaml
<% if monitoring %>
    apply monitoring/*.yaml
<% endif %>
    exit
fi

apply 20-*.yaml
apply 30-*.yaml
<% for set in sets %>
kubectl --namespace "$namespace" rollout status statefulset/<< set >> --timeout=10m
<% endfor %>
<% for helper in helpers %>
kubectl --namespace "$namespace" rollout status deployment/<< helper >> --timeout=10m
<% endfor %>
<% if jobs %>

# A Job cannot be changed: the one of the last release makes room. No new pod starts before it is done.
<% for job in jobs %>
kubectl --namespace "$namespace" delete job << job.name >> --ignore-not-found
<% endfor %>
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
<% for job in jobs %>
if ! finished << job.name >> << job.seconds >>; then
    kubectl --namespace "$namespace" logs job/<< job.name >> --tail=50 >&2
    echo "the release stops here: << job.name >> has failed, and what runs is as it was" >&2
    exit 1
fi
<% endfor %>
<% endif %>
<% if deployments %>

revision() {
    kubectl --namespace "$namespace" get deployment "$1" --ignore-not-found \
        --output 'jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}'
}
<% for deployment in deployments %>
before_<< deployment.variable >>=$(revision << deployment.name >>)
<% endfor %>
<% endif %>

apply 50-*.yaml
apply 60-*.yaml
<% if deployments %>

failed=
ready() {
    kubectl --namespace "$namespace" rollout status "deployment/$1" --timeout=<< deadline >>s || failed="$failed $1"
}
<% for deployment in deployments %>
ready << deployment.name >>
<% endfor %>

# What this release has changed goes back to the revision before it.
undo() {
    if [ -n "$2" ] && [ "$(revision "$1")" != "$2" ]; then
        kubectl --namespace "$namespace" rollout undo "deployment/$1" --to-revision="$2" || true
    fi
}
if [ -n "$failed" ]; then
    echo "not ready:$failed; the release is taken back" >&2
<% for deployment in deployments %>
    undo << deployment.name >> "$before_<< deployment.variable >>"
<% endfor %>
    exit 1
fi
<% endif %>
