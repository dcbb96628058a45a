#!/bin/sh
# << header >>
#
<% if sealed %>
# Encrypts the values of the Secret << secret >> for the cluster, into 20-sealed-secret.yaml, which may be committed.
<% else %>
# Makes the Secret << secret >> of the namespace << namespace >>, or renews what changed in it.
<% endif %>
# Values come from variables of this shell. What is not set stays as the cluster has it; what the cluster does not have
# either is made up where it may be anything.
set -eu
umask 077
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# put KEY VALUE LENGTH: LENGTH random characters where there is no value yet, 0 where somebody has to know it.
put() {
    key=$1 value=$2 length=$3
    if [ -z "$value" ]; then
        value=$(kubectl --namespace << namespace >> get secret << secret >> \
            --output "go-template={{with index .data \"$key\"}}{{.}}{{end}}" 2>/dev/null | base64 -d || true)
    fi
    if [ -z "$value" ] && [ "$length" -gt 0 ]; then
        value=$(LC_ALL=C tr -dc 'A-Za-z0-9' < /dev/urandom | head -c "$length")
    fi
    if [ -z "$value" ]; then
        echo "$key has no value: set its variable (see the lines of this file)" >&2
        exit 1
    fi
    printf '%s' "$value" > "$folder/$key"
}

<% for key in keys %>
# << key.what >>.
put << key.name >> "${<< key.variable >>:-}" << key.generate >>
<% endfor %>

kubectl create secret generic << secret >> --namespace << namespace >> \
    --from-file="$folder" --dry-run=client --output yaml |
<% if sealed %>
    kubeseal --format yaml > 20-sealed-secret.yaml
<% else %>
    kubectl apply --filename -
<% endif %>
