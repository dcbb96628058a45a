#!/bin/sh
# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.
#
# Encrypts secrets for the cluster, into 20-sealed-secret.yaml and monitoring/sealed-secret.yaml, which may be committed.
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

begin chat-app-prod app-secrets
# The host of the store `cache`.
put cache-host "${CACHE_HOST:-}" 0
# The password of the store `cache`.
put cache-password "${CACHE_PASSWORD:-}" 0
# The host of the store `db`.
put db-host "${DB_HOST:-}" 0
# The password of the store `db`.
put db-password "${DB_PASSWORD:-}" 0
# Signs the tokens of the clients.
put jwt "${JWT:-}" 48

begin monitoring alertmanager-secrets
# Integration key of the on-call service.
put pagerduty-key "${PAGERDUTY_KEY:-}" 0
# Incoming webhook of #alerts.
put slack-webhook "${SLACK_WEBHOOK:-}" 0

begin monitoring grafana-admin
# The password of Grafana's administrator.
put grafana-password "${GRAFANA_PASSWORD:-}" 24

{
    echo ---
    manifest chat-app-prod app-secrets | kubeseal --format yaml
} > 20-sealed-secret.yaml
{
    echo ---
    manifest monitoring alertmanager-secrets | kubeseal --format yaml
    echo ---
    manifest monitoring grafana-admin | kubeseal --format yaml
} > monitoring/sealed-secret.yaml
