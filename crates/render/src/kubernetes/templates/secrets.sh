#!/bin/sh
# << header >>
#
<% if sealed %>
# Encrypts secrets for the cluster, into << files >>, which may be committed.
<% else %>
# Makes the Secrets below, or renews what changed in them.
<% endif %>
# Values come from variables of this shell. What is not set stays as the cluster has it; what the cluster does not have
# either is made up where it may be anything.
set -eu
umask 077
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# begin NAMESPACE SECRET: the keys that follow are of this one.
begin() {
    namespace=$1 secret=$2
    mkdir "$folder/$secret"
}

# put KEY VALUE LENGTH: LENGTH random characters where there is no value yet, 0 where somebody has to know it.
put() {
    key=$1 value=$2 length=$3
    if [ -z "$value" ]; then
        value=$(kubectl --namespace "$namespace" get secret "$secret" \
            --output "go-template={{with index .data \"$key\"}}{{.}}{{end}}" 2>/dev/null | base64 -d || true)
    fi
    if [ -z "$value" ] && [ "$length" -gt 0 ]; then
        value=$(LC_ALL=C tr -dc 'A-Za-z0-9' < /dev/urandom | head -c "$length")
    fi
    if [ -z "$value" ]; then
        echo "$key has no value: set its variable (see the lines of this file)" >&2
        exit 1
    fi
    printf '%s' "$value" > "$folder/$secret/$key"
}

manifest() {
    kubectl create secret generic "$2" --namespace "$1" --from-file="$folder/$2" --dry-run=client --output yaml
}

<% for bundle in bundles %>
begin << bundle.namespace >> << bundle.name >>
<% for key in bundle.keys %>
# << key.what >>.
put << key.name >> "${<< key.variable >>:-}" << key.generate >>
<% endfor %>

<% endfor %>
<% if sealed %>
<% for file in sealed %>
{
<% for bundle in file.bundles %>
    echo ---
    manifest << bundle.namespace >> << bundle.name >> | kubeseal --format yaml
<% endfor %>
} > << file.path >>
<% endfor %>
<% else %>
<% for bundle in bundles %>
manifest << bundle.namespace >> << bundle.name >> | kubectl apply --filename -
<% endfor %>
<% endif %>
