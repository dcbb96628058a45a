#!/usr/bin/env bash
# << header >>
# Writes the variables of each service to << run >>, a folder in memory: no secret is on a disk.
set -euo pipefail
umask 077

<% if aws %>
parameter() {
  aws ssm get-parameter --region << region >> --name "$1" --query Parameter.Value --output text
}

secret() {
  aws secretsmanager get-secret-value --region << region >> --secret-id "$1" --query SecretString --output text
}

<% else %>
# NAME=value lines that only root can read: the secrets, and addresses of stores that are elsewhere.
set -a
# shellcheck source=/dev/null
. "${SECRETS_FILE:-/etc/<< project >>/secrets.env}"
set +a

<% endif %>
<% if encodes %>
# For a URL: a generated password may hold any character.
encode() {
  jq --null-input --raw-output --arg text "$1" '$text | @uri'
}

<% endif %>
<% if escapes %>
# For double quotes of systemd's environment files.
escape() {
  printf '%s' "$1" | sed 's/[\\"$`]/\\&/g'
}

<% endif %>
write() {
  cat >"<< run >>/$1.env.new"
  mv "<< run >>/$1.env.new" "<< run >>/$1.env"
}

mkdir -p << run >>
<< fetched >><< written >>
